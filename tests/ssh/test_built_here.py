"""A host without Mojo, reached over SSH: its kernels are built on this machine, and its own agent finds them by their names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.gpu_sources import SCALE_MOJO, TYPES_MOJO, needs_mojo
from tests.ssh.conftest import MakeServer
from tests.ssh.reaching import config, reached
from tests.tiny_kernels import SCALE_GRID, SCALE_KERNEL
from tunetui.core.planning import make_plan
from tunetui.session.building_here import BUILT_ELSEWHERE, BuildingHere
from tunetui.session.completing import completion_of
from tunetui.session.probing import probe
from tunetui.session.telling import kernel_spec
from tunetui.store.definitions import load_definitions
from tunetui_agent.messages import PROTOCOL, Device, Method, RunSpec, Toolchain, Trial

# What is told of a GPU before its host is asked; nothing here says that there is one.
TOLD = Device(
    id="GPU-told", kind="gpu", name="H100", attributes={"compute_capability": 90, "max_threads_per_block": 1024}
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildingHere:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, text in {
        "kernel/kernel.toml": SCALE_KERNEL, "kernel/reference.py": "", "kernel/scale.py": "",
        "kernel/scale.mojo": SCALE_MOJO, "kernel/shared_types.mojo": TYPES_MOJO, "scales.toml": SCALE_GRID,
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    narrow = ["axes.block=64", "axes.layout=row", "axes.blocks=1", "problem.n=100"]
    definitions = load_definitions(tmp_path / "scales.toml", narrow)
    return BuildingHere(definitions.grid, definitions.kernel, tmp_path / "scales.toml", lambda _: None, jobs=1)


@needs_mojo
async def test_what_is_built_here_arrives_and_is_what_the_hosts_agent_looks_for(
    here: BuildingHere, servers: MakeServer, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"  # a Python beside which there is no Mojo, and no other program of this environment
    bare.mkdir()
    (bare / "python3").symlink_to(Path(sys.executable).resolve())
    server = servers(environment={"PATH": f"{bare}:/usr/bin:/bin"})
    link = await reached(config(server))
    try:
        found = await probe(link)
        assert "gpu" not in found.toolchains  # there is none: what follows is as far as it goes without
        completion = completion_of("gpu", link, here, found, [TOLD], [])
        assert completion is not None
        assert not await completion.is_worth_beginning_without()  # there is nothing but Mojo to measure
        _, (arrived,) = await completion.completed()
    finally:
        await link.close()
        await here.close()
    assert (arrived.kernel, arrived.architectures, arrived.added) == ("scale", ["sm_90"], 1)
    mojo = Toolchain(language="mojo", available=True, version=arrived.languages["mojo"], reason=BUILT_ELSEWHERE)
    (trial,) = make_plan(here.grid, here.kernel, TOLD, [mojo]).trials
    built, refused = asked_of_its_agent(
        server.cache / "tunetui",
        bare,
        here,
        [trial, replace(trial, configuration={**trial.configuration, "block": 128})],
    )
    assert (built["ok"], built["cached"], built["log"]) == (True, True, "")
    folder = server.cache / "tunetui" / "builds" / built["artifact"]
    meta = json.loads((folder / "artifact.json").read_text())
    ptx = (folder / meta["files"]["scale"]).read_text()
    assert ".target sm_90" in ptx
    assert f".entry {meta['kernels']['scale']}" in ptx
    assert not refused["ok"]
    assert "not in the bundle" in refused["log"]


def asked_of_its_agent(root: Path, bare: Path, here: BuildingHere, trials: list[Trial]) -> list[dict[str, Any]]:
    """What the builder of the host's agent has for these trials: the process that a run on the host would start."""
    spec = RunSpec(
        protocol=PROTOCOL, run="r", device="GPU-told", kernel=kernel_spec(here.kernel, "gpu", ["mojo"]),
        method=Method(), prefer_prebuilt=["mojo"],
    )  # fmt: skip
    path = root / "spec.json"
    path.write_text(json.dumps(asdict(spec)))
    asked = {
        "ask": "build", "implementation": "mojo", "target": {"kind": "gpu", "architecture": "sm_90"},
        "trials": [asdict(trial) for trial in trials],
    }  # fmt: skip
    agent = next(path for path in (root / "agent").glob("*.pyz") if path.name.count(".") == 1)
    arguments = ["builder", "--root", str(root), "--spec", str(path), "--supervisor", str(os.getpid())]
    done = subprocess.run(
        [str(bare / "python3"), "-I", str(agent), *arguments], input=json.dumps(asked).encode() + b"\n",
        env={"HOME": str(root), "PATH": str(bare)}, capture_output=True, timeout=300, check=False, start_new_session=True,
    )  # fmt: skip
    results: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])["results"]
    return results
