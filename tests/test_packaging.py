"""What is inside the wheel, and that it works from there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import parse_email
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def shipped_files(folder: str) -> set[str]:
    """Names below ``folder`` as the wheel should hold them."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not any(part.startswith(".") for part in path.relative_to(ROOT / folder).parts)  # caches of checkers
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without isolation the build needs no network: the test extra brings the build backend.
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("tunetui-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    install = [*PIP, "install", "--no-deps", "--no-index", "--no-compile", "--target", str(folder), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return folder


def run_installed(installed: Path, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_wheel_holds_both_halves_and_their_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    sources = {name.removeprefix("src/") for name in shipped_files("src")}
    assert {"tunetui/py.typed", "tunetui_agent/py.typed", "tunetui_agent/messages.py"} <= sources
    assert sources - names == set()


@pytest.mark.parametrize("folder", ["kernels", "themes"])
def test_kernels_and_themes_ship_inside_the_package(wheel: Path, folder: str) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"tunetui/{name}" for name in shipped_files(folder)} - names == set()


def test_a_kernel_with_its_reference_is_among_what_ships(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"tunetui/kernels/semantic-search/{name}" for name in ("kernel.toml", "reference.py")} <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    strays = [name for name in names if not name.startswith(("tunetui/", "tunetui_agent/", "tunetui-"))]
    assert strays == []
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".so"))] == []


def test_the_licence_travels_with_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/LICENSE")]
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_the_installed_command_answers(installed: Path, tmp_path: Path) -> None:
    script = installed / "bin" / "tunetui"
    done = run_installed(installed, str(script), "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--batch" in done.stdout
    assert done.stderr == ""


def test_the_installed_package_runs_as_a_module(installed: Path, tmp_path: Path) -> None:
    done = run_installed(installed, sys.executable, "-m", "tunetui", "--version", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tunetui ")


def test_the_installed_package_finds_its_own_kernels(installed: Path, tmp_path: Path) -> None:
    code = "from tunetui.store.shipped import shipped_folder; print(shipped_folder('kernels'))"
    done = run_installed(installed, sys.executable, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    kernels = Path(done.stdout.strip())
    assert kernels.is_relative_to(installed)
    assert (kernels / "semantic-search" / "kernel.toml").is_file()


def test_the_installed_package_packs_the_same_agent(installed: Path, tmp_path: Path) -> None:
    """An agent's hash names it on every host, so it must not depend on how tunetui was installed."""
    code = "from tunetui.engines import archive; print(archive.__file__); print(archive.agent_sha256())"
    done = run_installed(installed, sys.executable, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    where, packed = done.stdout.split()
    assert Path(where).is_relative_to(installed)

    here = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert here.stdout.split()[1] == packed


@pytest.mark.parametrize(
    ("system", "machine", "has_wheels"),
    [
        ("linux", "x86_64", True),
        ("linux", "aarch64", True),
        ("darwin", "arm64", True),
        ("darwin", "x86_64", False),
        ("linux", "ppc64le", False),
        ("win32", "AMD64", False),
    ],
)
def test_the_mojo_extra_asks_for_packages_only_where_they_exist(
    wheel: Path, system: str, machine: str, *, has_wheels: bool
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata, _ = parse_email(archive.read(name))
    here = {"sys_platform": system, "platform_machine": machine, "extra": "mojo"}
    without = {**here, "extra": ""}
    requirements = [Requirement(text) for text in metadata["requires_dist"]]
    added = {
        requirement.name
        for requirement in requirements
        if requirement.marker and requirement.marker.evaluate(here) and not requirement.marker.evaluate(without)
    }
    assert added == ({"mojo-compiler", "max-core"} if has_wheels else set())
