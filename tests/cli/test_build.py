"""``tunetui build`` and ``--artifacts``, from the command line to the file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.agent.bundles import good, manifest, zipped
from tests.agent.gpu_sources import SCALE_MOJO, TYPES_MOJO, needs_mojo
from tests.tiny_kernels import SCALE_GRID, SCALE_KERNEL
from tunetui.cli import main
from tunetui.cli.build import failure_lines
from tunetui.core.errors import ExitCode
from tunetui.session.bundling import BuildFailure, BuildOptions, Bundled, plan_build

CPU_GRID = 'name = "plain"\nkernel = "./kernel"\nimplementations = ["numpy"]\ndevice = "cpu"\n'


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel, a grid for GPUs and one for CPUs, in the working directory."""
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("COLUMNS", "100")
    place = tmp_path / "place"
    (place / "kernel").mkdir(parents=True)
    for name, text in {
        "kernel/kernel.toml": SCALE_KERNEL, "kernel/reference.py": "", "kernel/scale.py": "", "kernel/scale.mojo": SCALE_MOJO,
        "kernel/shared_types.mojo": TYPES_MOJO, "scales.toml": SCALE_GRID, "plain.toml": CPU_GRID,
    }.items():  # fmt: skip
        (place / name).write_text(text)
    monkeypatch.chdir(place)
    return place


def test_a_dry_run_says_how_many_artifacts_there_are(capsys: pytest.CaptureFixture[str], workplace: Path) -> None:
    assert main(["build", "scales.toml", "--arch", "sm_80", "--arch", "sm_90", "--dry-run"]) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "build       scales: scale, 2 problems", "variants    mojo 6", "artifacts   12 for sm_80, sm_90",
    ]  # fmt: skip
    assert list(workplace.glob("*.zip")) == []


@needs_mojo
def test_what_can_be_built_is_bundled_and_what_cannot_is_listed(
    capsys: pytest.CaptureFixture[str], workplace: Path
) -> None:
    arguments = ["build", "scales.toml", "--arch", "sm_90", "--set", "axes.block=64,48", "--set", "axes.layout=row"]
    assert main(arguments) == ExitCode.OK
    said = capsys.readouterr().err
    assert "block must be a multiple of 32" in said
    assert "first: sm_90 implementation=mojo, block=48, layout=row" in said
    assert "1 artifact in " in said
    assert "1 could not be built; built by Mojo " in said
    with zipfile.ZipFile(workplace / "scales.tunetui-bundle.zip") as bundle:
        found = json.loads(bundle.read("manifest.json"))
    assert (found["kernel"], found["counts"], found["architectures"]) == ("scale", {"mojo": 1}, ["sm_90"])


@needs_mojo
def test_where_nothing_can_be_built_the_exit_code_says_so(capsys: pytest.CaptureFixture[str], workplace: Path) -> None:
    (workplace / "kernel" / "scale.mojo").write_text(SCALE_MOJO.replace("var i = block_idx", "var i == block_idx"))
    arguments = ["build", "scales.toml", "--arch", "sm_90", "--set", "axes.block=64", "-o", "out.zip"]
    assert main(arguments) == ExitCode.NOTHING_MEASURED
    assert "nothing could be built; no bundle was written" in capsys.readouterr().err
    assert not (workplace / "out.zip").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scales.toml"], "no architecture is named"),
        (["scales.toml", "--arch", "hopper"], "expected an NVIDIA architecture such as sm_90, found 'hopper'"),
        (["scales.toml", "--arch", "sm_90;ls"], "expected an NVIDIA architecture"),
        (
            ["scales.toml", "--arch", "sm_90", "--implementations", "cuda"],
            "'cuda' is no GPU implementation of this grid",
        ),
        (["plain.toml", "--arch", "sm_90"], "this grid is for a cpu"),
        (["none.toml", "--arch", "sm_90"], "none.toml: cannot be read"),
        (["scales.toml", "--arch", "sm_90", "--set", "axes.blok=3"], "blok"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], workplace: Path
) -> None:
    assert main(["build", *arguments]) == ExitCode.BAD_INPUT
    assert words in capsys.readouterr().err
    assert list(workplace.glob("*.zip")) == []


def test_a_bundle_that_cannot_be_written_is_said_before_anything_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "scales.toml", "--arch", "sm_90", "-o", "none/out.zip"]) == ExitCode.UNAVAILABLE
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no zip", "the bundle is damaged or no bundle of tunetui: File is not a zip file"),
        (
            zipped({**good(), "manifest.json": manifest(kernel="row-sum")}),
            "the bundle is of the kernel row-sum, not of scale",
        ),
        (
            zipped({**good(), "a.ptx": b""}),
            "the bundle is damaged or no bundle of tunetui: the member name 'a.ptx' is not allowed",
        ),
    ],
    ids=["no zip", "another kernel", "a strange member"],
)
def test_a_bundle_that_is_none_is_bad_input(
    content: bytes, words: str, capsys: pytest.CaptureFixture[str], workplace: Path
) -> None:
    (workplace / "b.zip").write_bytes(content)
    assert main(["--batch", "plain.toml", "--artifacts", "b.zip", "--dry-run"]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert f"b.zip: {words}" in said


def test_a_bundle_that_is_not_there_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--batch", "plain.toml", "--artifacts", "none.zip", "--dry-run"]) == ExitCode.BAD_INPUT
    assert "none.zip: the bundle cannot be read: No such file or directory" in capsys.readouterr().err


def test_a_good_bundle_is_taken_before_the_plan_is_made(capsys: pytest.CaptureFixture[str], workplace: Path) -> None:
    (workplace / "b.zip").write_bytes(zipped(good()))
    assert main(["--batch", "plain.toml", "--artifacts", "b.zip", "--dry-run"]) == ExitCode.OK
    assert "bundle      1 artifact for sm_90, built by Mojo 1.2.0" in capsys.readouterr().err
    remembered = json.loads((workplace.parent / "XDG_CACHE_HOME" / "tunetui" / "prebuilt.json").read_text())
    assert remembered["mojo"]["compiler"] == "Mojo 1.2.0"


def test_many_failures_of_one_cause_take_two_lines() -> None:
    plan = plan_build(BuildOptions(Path("scales.toml"), ["sm_90"]))
    failures = [BuildFailure("sm_90", "too wide\x1b[2J", trial=trial.id) for trial in plan.variants]
    assert failure_lines(plan, Bundled(built=0, failures=failures)) == [
        "failed      6 artifacts: too wide\\x1b[2J",
        "            first: sm_90 implementation=mojo, block=64, layout=row",
    ]
