"""Whatever whoever runs the tests has at home, or asks for in the environment, no test comes by it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.apart import FOLDERS
from tunetui.hosts.lambda_cloud.ledger import Ledger
from tunetui.settings import cache_folder, load_settings, rented_hosts_path, settings_path
from tunetui.store.runs import runs_root
from tunetui.tui.reporting import state_folder
from tunetui_agent.folder import default_root

ROOT = Path(__file__).parents[1]


def test_all_that_is_kept_is_kept_in_a_home_of_the_test_s_own(home_of_its_own: Path) -> None:
    kept = [settings_path(), rented_hosts_path(), cache_folder(), default_root(), runs_root(), state_folder()]
    assert [path for path in kept if home_of_its_own not in path.parents] == []
    assert list(home_of_its_own.iterdir()) == []
    assert {*FOLDERS, "LAMBDA_API_KEY", "TUNETUI_SSH_CONFIG", "NO_COLOR"} & os.environ.keys() == set()
    assert load_settings().hosts == {}


def test_a_home_with_broken_settings_and_a_rented_machine_is_neither_read_nor_changed(tmp_path: Path) -> None:
    for name in ("tunetui", ".config/tunetui"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "settings.toml").write_text("[hosts\n")
    for base in (tmp_path, tmp_path / ".local" / "share"):
        (base / "tunetui" / "lambda").mkdir(parents=True)
        ledger = Ledger(base / "tunetui" / "lambda")
        ledger.write("LaunchAsked", "rented", 1.0, type="gpu_1x_a10", usd_per_hour=1.29, key_mark="aa656a95")
        ledger.write("LaunchAccepted", "rented", 1.0, instance="0123456789abcdef")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    wishes = {"LAMBDA_API_KEY": "secret", "TUNETUI_SSH_CONFIG": "/none", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", __file__, "-k", "of_the_test_s_own"],
        env=os.environ | {"HOME": str(tmp_path)} | dict.fromkeys(FOLDERS, str(tmp_path)) | wishes,
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
