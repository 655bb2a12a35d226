"""Mojo kernels for GPUs of hosts that have no Mojo are built on this machine, once for each architecture, and sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agent.gpu_sources import SCALE_MOJO, TYPES_MOJO, needs_mojo
from tests.tiny_kernels import SCALE_GRID, SCALE_KERNEL
from tunetui.engines.local import LocalLink
from tunetui.session.building_here import BUILT_ELSEWHERE, BuildingHere, explained
from tunetui.session.delivery import send_bundles
from tunetui.session.preparing import Preparation
from tunetui.store.definitions import load_definitions
from tunetui_agent.messages import Device, Toolchain

MOJO, NOTHING = "Mojo 1.2.0", "no Mojo compiler"


def gpu(compute_capability: int) -> Device:
    """As a host describes one; only its architecture matters for a build."""
    attributes = {"compute_capability": compute_capability}
    return Device(id=f"GPU-{compute_capability}", kind="gpu", name="a GPU", attributes=attributes)


def toolchain(*, available: bool, reason: str = "") -> Toolchain:
    return Toolchain(language="mojo", available=available, version=MOJO if available else "", reason=reason)


@pytest.fixture
def told() -> list[Preparation]:
    return []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Preparation]) -> BuildingHere:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, text in {
        "kernel/kernel.toml": SCALE_KERNEL, "kernel/reference.py": "", "kernel/scale.py": "", "kernel/scale.mojo": SCALE_MOJO,
        "kernel/shared_types.mojo": TYPES_MOJO, "scales.toml": SCALE_GRID,
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    definitions = load_definitions(tmp_path / "scales.toml")
    return BuildingHere(definitions.grid, definitions.kernel, tmp_path / "scales.toml", told.append, jobs=1)


@pytest.mark.parametrize(
    ("found", "sent", "lacking"),
    [
        (toolchain(available=True), [], set()),
        (toolchain(available=False, reason=NOTHING), [], {"mojo"}),
        (toolchain(available=False, reason=NOTHING), ["mojo"], set()),
        # What was brought there some other time may be of other sources.
        (toolchain(available=True, reason=BUILT_ELSEWHERE), [], {"mojo"}),
    ],
)
def test_what_a_host_lacks_is_what_the_grid_compiles_and_nobody_sent(
    here: BuildingHere, found: Toolchain, sent: list[str], lacking: set[str]
) -> None:
    assert here.lacking([found], sent) == lacking


@needs_mojo
async def test_a_build_that_began_before_the_host_was_reached_is_the_one_that_is_sent(
    here: BuildingHere, told: list[Preparation], tmp_path: Path
) -> None:
    here.begin("lambda-a10", "sm_86")
    (built,) = await here.bundles("lambda-a10", [gpu(86), gpu(86)], {"mojo"})
    assert built.path is not None, built.why
    counts = [(each.done, each.total) for each in told]
    assert counts[0] == (0, 6)  # three blocks in two layouts; two problems share them
    assert counts[-1] == (6, 6)
    assert len({each.step for each in told}) == 1

    root = tmp_path / "far" / "tunetui"
    arrived = await send_bundles(LocalLink(root), [built.path], here.kernel)
    assert [each.artifacts for each in arrived] == [6]
    origins = json.loads((root / "prebuilt.json").read_text())
    assert origins["mojo"]["architectures"] == ["sm_86"]
    await here.close()
    assert not built.path.exists()


@needs_mojo
async def test_what_cannot_be_built_here_either_is_said_with_both_reasons(here: BuildingHere) -> None:
    source = here.grid_path.parent / "kernel" / "scale.mojo"
    source.write_text(SCALE_MOJO.replace("var i = block_idx", "var i == block_idx"))
    definitions = load_definitions(here.grid_path, ["axes.block=64", "axes.layout=row", "problem.n=100"])
    here.grid, here.kernel = definitions.grid, definitions.kernel
    (built,) = await here.bundles("box", [gpu(90)], {"mojo"})
    assert built.path is None
    (said,) = explained([toolchain(available=False, reason=NOTHING)], {"mojo": built.why})
    assert said.reason.startswith(f"{NOTHING}; nor could it be built here: ")
    assert len(said.reason) > len(f"{NOTHING}; nor could it be built here: ")
    assert not said.available
    await here.close()


async def test_leaving_ends_what_is_being_built(here: BuildingHere, tmp_path: Path) -> None:
    here.begin("box", "sm_90")
    await here.close()
    assert not list((tmp_path / "cache" / "tunetui" / "bundles").glob("*.zip"))
