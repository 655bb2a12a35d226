"""The agent on the oldest Python it promises to run on, with nothing installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tunetui.engines.archive import agent_archive
from tunetui_agent.messages import PROTOCOL, CloseQueue, KernelSpec, Method, RunSpec, encode_command

VERSIONS = Path.home() / ".pyenv" / "versions"  # of whoever runs the tests: they have homes of their own
BARE = ("-I", "-S")  # no environment, no user site, and no site-packages: numpy cannot be there
MAY_BE_MISSING = ("numpy", "cupy", "pynvml")
IMPORT_EVERY_MODULE = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import tunetui_agent
for module in pkgutil.walk_packages(tunetui_agent.__path__, "tunetui_agent."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
        print(module.name)
    except ModuleNotFoundError as error:
        print(module.name, "needs", error.name)
"""


def candidates() -> Iterator[str]:
    if "TUNETUI_PYTHON310" in os.environ:
        yield os.environ["TUNETUI_PYTHON310"]
        return
    yield from filter(None, [shutil.which("python3.10")])
    yield from (str(path) for path in sorted(VERSIONS.glob("3.10.*/bin/python3.10")))


def is_python310(path: str) -> bool:
    """Asked by running it: a version manager's shim may be on PATH and still have nothing behind it."""
    code = "import sys; print(sys.version_info[:2] == (3, 10))"
    try:
        done = subprocess.run([path, *BARE, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == "True"


@pytest.fixture(scope="module")
def python310() -> str:
    found = next(filter(is_python310, candidates()), None)
    if found is None:
        pytest.skip("no Python 3.10 found: set TUNETUI_PYTHON310 to one (looked on PATH and in ~/.pyenv/versions)")
    return found


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "agent.pyz"
    path.write_bytes(agent_archive())
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "host"
    folder.mkdir(mode=0o700)
    return folder


def ask(python: str, archive: Path, root: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [python, *BARE, str(archive), arguments[0], "--root", str(root), *arguments[1:]]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=300)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line]


def test_every_module_imports_on_a_bare_python_or_names_the_library_it_needs(python310: str, archive: Path) -> None:
    command = [python310, *BARE, "-c", IMPORT_EVERY_MODULE, str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "tunetui_agent.messages" in lines
    missing = [line for line in lines if " needs " in line and not line.endswith(MAY_BE_MISSING)]
    assert missing == []


def test_listing_an_untouched_host_finds_no_runs(python310: str, archive: Path, root: Path) -> None:
    done = ask(python310, archive, root, "list")
    assert done.returncode == 0, done.stderr
    (answer,) = objects(done.stdout)
    assert answer["runs"] == []


def test_probing_finds_the_cpu_without_any_library(python310: str, archive: Path, root: Path) -> None:
    done = ask(python310, archive, root, "probe")
    assert done.returncode == 0, done.stderr
    (answer,) = objects(done.stdout)
    (cpu,) = [device for device in answer["devices"] if device["kind"] == "cpu"]
    assert cpu["id"] == "cpu"
    assert cpu["attributes"]["cores"] >= 1


def test_attaching_to_a_run_that_is_not_there_is_refused_in_json(python310: str, archive: Path, root: Path) -> None:
    arguments = ["attach", "--run", "none-00000000", "--client", "test", "--from-seq", "0", "--offset", "0"]
    done = ask(python310, archive, root, *arguments)
    said = objects(done.stdout)
    assert [line["ctl"] for line in said] == ["error"], done.stderr
    assert "Traceback" not in done.stderr


def test_a_spec_that_is_no_spec_is_refused_in_json(python310: str, archive: Path, root: Path) -> None:
    done = ask(python310, archive, root, "start", stdin="[1, 2]")
    (answer,) = objects(done.stdout)
    assert answer.get("ok") is not True
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_refused_without_a_traceback(python310: str, archive: Path, root: Path) -> None:
    done = ask(python310, archive, root, "simulate")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_a_run_on_a_bare_python_is_followed_to_its_end_and_says_what_is_missing(
    python310: str, archive: Path, root: Path
) -> None:
    """The supervisor, its journal and its inbox need no library; only a trial's worker does."""
    if subprocess.run([python310, "-c", "import numpy"], capture_output=True, check=False).returncode == 0:
        pytest.skip(f"{python310} has NumPy: a worker of this Python misses nothing")
    kernel = KernelSpec(name="none", reference="reference.py", files={}, arguments=[], implementations=[])
    spec = RunSpec(protocol=PROTOCOL, run="bare-00000000", device="cpu", kernel=kernel, method=Method())
    started = ask(python310, archive, root, "start", stdin=json.dumps(asdict(spec)))
    assert started.returncode == 0, started.stdout + started.stderr

    records = [line for line in follow(python310, archive, root, spec.run) if "ctl" not in line]
    assert [record["seq"] for record in records] == list(range(len(records)))
    assert records[0]["kind"] == "AgentStarted"
    assert records[0]["python"].startswith("3.10.")
    assert (records[-1]["kind"], records[-1]["reason"]) == ("RunEnded", "failed")
    assert "pip install numpy" in records[-1]["detail"]


def follow(python: str, archive: Path, root: Path, run: str) -> list[dict[str, Any]]:
    """Everything that `attach` says until the run ends, which it is asked to do at once."""
    command = [python, *BARE, str(archive), "attach", "--root", str(root), "--run", run, "--client", "test"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdin
        assert process.stdout
        guard = Timer(60, process.kill)  # an agent that never ends fails this test instead of holding up all others
        guard.start()
        process.stdin.write(encode_command(CloseQueue(command="close")))
        process.stdin.flush()
        said = process.stdout.read()  # stdin stays open meanwhile: its end would end the follower
        guard.cancel()
    return objects(said.decode())
