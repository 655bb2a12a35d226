"""Real builds into a bundle, and the host that has no compiler finds them: all without a GPU."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.bundles import agent, pack, pack_scale, variant
from tests.agent.gpu_sources import SCALE_MOJO, cuda_spec, gpu_trial, implementation_of, mojo_spec, needs_mojo
from tunetui_agent.build import Target, open_builder
from tunetui_agent.build.mojo_toolchain import find_toolchain
from tunetui_agent.build.prebuilt import NOTE, PrebuiltBuilder
from tunetui_agent.doctor.compilers import check_mojo
from tunetui_agent.messages import RunSpec

H100 = Target(kind="gpu", architecture="sm_90")
A10 = Target(kind="gpu", architecture="sm_86")
BUILT_BY = find_toolchain().version
REFUSED = "'scale' parameter 'block' has 'Int' type"

pytestmark = needs_mojo


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A bundle, and what was said of it."""
    folder = tmp_path_factory.mktemp("builder")
    output = folder / "scale.zip"
    return output, pack_scale(folder / "root", output)


@pytest.fixture
def host(packed: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """The root of a host to which the bundle was brought."""
    answer, said = agent(tmp_path / "host", "unpack", "--kernel", "scale", stdin=packed[0].read_bytes())
    assert answer["ok"], said
    return tmp_path / "host"


@pytest.fixture
def no_compiler(host: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """From when the bundle was brought to the ``host`` on, this process finds Mojo neither beside its interpreter nor on PATH."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.setenv("PATH", str(tmp_path))
    find_toolchain.cache_clear()
    assert host.is_dir()
    assert not find_toolchain().available
    yield
    find_toolchain.cache_clear()


def test_both_architectures_are_in_the_bundle_and_what_failed_is_told(packed: tuple[Path, dict[str, Any]]) -> None:
    output, answer = packed
    assert answer["ok"]
    assert (answer["built"], answer["counts"], answer["cached"]) == (4, {"mojo": 4}, 0)
    assert [(f["architecture"], f["trial"]) for f in answer["failures"]] == [
        ("sm_80", variant("wide").id), ("sm_90", variant("wide").id),
    ]  # fmt: skip
    causes = {failure["cause"] for failure in answer["failures"]}
    assert all(REFUSED in cause for cause in causes)
    with zipfile.ZipFile(output) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        targets = [
            re.findall(rb"^\.target (sm_\d+)", bundle.read(name), re.MULTILINE)[0].decode()
            for name in bundle.namelist()
            if name.endswith("_0.ptx")
        ]
    assert sorted(targets) == ["sm_80", "sm_80", "sm_90", "sm_90"]
    assert manifest["languages"] == {"mojo": BUILT_BY}
    assert manifest["architectures"] == ["sm_80", "sm_90"]
    assert set(manifest["failures"].values()) == causes
    assert [path.name for path in output.parent.iterdir() if "part" in path.name] == []


@pytest.mark.usefixtures("no_compiler")
def test_a_host_without_a_compiler_uses_what_was_built_elsewhere(host: Path) -> None:
    builder, spec = open_builder("mojo", host, "gpu"), mojo_spec()
    toolchain = builder.toolchain()
    assert (toolchain.available, toolchain.version, toolchain.reason) == (True, BUILT_BY, NOTE)
    records = builder.build(spec, implementation_of(spec), [variant(64), variant(128), variant(64)], H100)
    assert [(record.ok, record.cached, record.log) for record in records] == [(True, True, "")] * 2
    for record in records:
        meta = json.loads((builder.folder(record.artifact) / "artifact.json").read_text())
        ptx = (builder.folder(record.artifact) / meta["files"]["scale"]).read_text()
        assert meta["kernels"]["scale"] in ptx
        assert (host / "builds" / f"{record.artifact}-traced").is_dir()


@pytest.mark.usefixtures("no_compiler")
def test_what_is_not_in_the_bundle_fails_and_says_why(host: Path) -> None:
    spec = mojo_spec()

    def cause(spec: RunSpec, block: int | str, target: Target) -> str:
        builder = open_builder("mojo", host, "gpu")
        (record,) = builder.build(spec, implementation_of(spec), [variant(block)], target)
        assert not record.ok
        return record.log

    unbuilt = cause(spec, 256, H100)
    assert unbuilt == "not in the bundle, or built there from other sources; no Mojo compiler on this host"
    assert cause(mojo_spec(SCALE_MOJO.replace("* 2", "* 4")), 64, H100) == unbuilt
    assert cause(spec, 64, A10) == "the bundle is for sm_80, sm_90, not sm_86; no Mojo compiler on this host"
    failed = cause(spec, "wide", H100)
    assert REFUSED in failed
    assert failed.endswith(f"(where the bundle was built, by {BUILT_BY})")


@pytest.mark.usefixtures("no_compiler")
def test_a_host_with_other_gpus_has_no_toolchain(host: Path) -> None:
    builder = open_builder("mojo", host, "gpu")
    assert isinstance(builder, PrebuiltBuilder)
    assert builder.toolchain_for({"sm_90", "sm_86"}).available
    other = builder.toolchain_for({"sm_86"})
    assert not other.available
    assert other.reason == ("built elsewhere for sm_80, sm_90 only, this host has sm_86; no Mojo compiler on this host")


@pytest.mark.usefixtures("no_compiler")
def test_what_is_built_for_a_cpu_never_comes_from_elsewhere(host: Path) -> None:
    assert not open_builder("mojo", host, "cpu").toolchain().available


def test_a_compiler_of_the_same_version_builds_what_the_bundle_lacks(host: Path) -> None:
    builder, spec = open_builder("mojo", host, "gpu", ["mojo"]), mojo_spec()
    assert builder.toolchain().reason == ""
    found, asked = builder.build(spec, implementation_of(spec), [variant(64), variant("another")], H100)
    assert (found.ok, found.cached) == (True, True)
    assert (asked.ok, asked.cached) == (False, False)  # what the compiler refuses it refuses soon
    assert REFUSED in asked.log
    assert "bundle" not in asked.log


def test_a_compiler_of_another_version_gives_way_only_to_a_bundle_sent_for_this_run(host: Path) -> None:
    remembered = json.loads((host / "prebuilt.json").read_text())
    remembered["mojo"]["compiler"] = "Mojo 0.9"
    (host / "prebuilt.json").write_text(json.dumps(remembered))
    assert open_builder("mojo", host, "gpu").toolchain().version == BUILT_BY
    assert open_builder("mojo", host, "gpu", ["cuda"]).toolchain().version == BUILT_BY
    chosen, spec = open_builder("mojo", host, "gpu", ["mojo"]), mojo_spec()
    assert chosen.toolchain().version == "Mojo 0.9"
    (record,) = chosen.build(spec, implementation_of(spec), [variant(64)], H100)
    assert record.log.endswith(f"; this host has {BUILT_BY}")


def test_the_builder_child_of_a_run_hears_of_the_bundle(host: Path, tmp_path: Path) -> None:
    """A real builder process whose interpreter has no Mojo beside it."""
    spec_path = tmp_path / "spec.json"
    spec_path.write_text(json.dumps(asdict(replace(mojo_spec(), prefer_prebuilt=["mojo"]))))
    asked = [
        {"ask": "toolchains", "kind": "gpu"},
        {
            "ask": "build", "implementation": "mojo", "target": asdict(H100),
            "trials": [asdict(variant(block)) for block in (64, 256)],
        },
    ]  # fmt: skip
    command = f"import sys; sys.executable = {str(tmp_path / 'python3')!r}; from tunetui_agent.commands import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["builder", "--root", str(host), "--spec", str(spec_path), "--supervisor", str(os.getpid())]
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments],
        input="".join(json.dumps(each) + "\n" for each in asked).encode(),
        env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, timeout=300, check=False, start_new_session=True,
    )  # fmt: skip
    toolchains, built = (json.loads(line) for line in done.stdout.splitlines())
    (mojo,) = toolchains["toolchains"]
    assert (mojo["available"], mojo["version"], mojo["reason"]) == (True, BUILT_BY, NOTE)
    assert [result["ok"] for result in built["results"]] == [True, False]


def test_a_second_bundle_comes_from_the_cache_and_is_the_same(
    packed: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    again = tmp_path / "again.zip"
    answer = pack(packed[0].parent / "root", again, ["sm_80", "sm_90"], [variant(64), variant(128)], mojo_spec())
    assert (answer["ok"], answer["built"], answer["cached"]) == (True, 4, 4)
    with zipfile.ZipFile(packed[0]) as first, zipfile.ZipFile(again) as second:
        names = set(second.namelist()) - {"manifest.json"}
        assert names == set(first.namelist()) - {"manifest.json"}
        assert all(first.read(name) == second.read(name) for name in names)


def test_where_nothing_can_be_built_there_is_no_bundle(tmp_path: Path) -> None:
    output = tmp_path / "none.zip"
    answer = pack(tmp_path / "root", output, ["sm_90"], [variant("wide")], mojo_spec())
    assert (answer["ok"], answer["error"], len(answer["failures"])) == (False, "nothing-built", 1)
    assert list(tmp_path.glob("*.zip*")) == []
    assert list(tmp_path.glob(".*part")) == []


def test_a_builder_that_nobody_waits_for_ends(tmp_path: Path) -> None:
    request = {"spec": asdict(cuda_spec()), "architectures": ["sm_90"], "trials": [asdict(gpu_trial("cuda", block=64))]}
    output = tmp_path / "never.zip"
    answer, _ = agent(tmp_path / "root", "pack", "--output", str(output), stdin=json.dumps(request).encode() + b"\n")
    assert (answer["ok"], answer["error"]) == (False, "abandoned")
    assert not output.exists()


@pytest.mark.parametrize("line", [b"", b"{}\n", b"nonsense\n", b'{"spec":{},"architectures":[],"trials":[]}\n'])
def test_a_request_that_is_none_is_refused_in_words(tmp_path: Path, line: bytes) -> None:
    answer, said = agent(tmp_path / "root", "pack", "--output", str(tmp_path / "x.zip"), stdin=line)
    assert (answer["ok"], answer["error"], said) == (False, "request", "")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    answer = pack(tmp_path / "root", tmp_path / "none" / "x.zip", ["sm_90"], [variant(64)], mojo_spec())
    assert (answer["ok"], answer["error"]) == (False, "folder")
    assert "No such file or directory" in answer["text"]


@pytest.mark.usefixtures("no_compiler")
def test_the_doctor_knows_what_was_brought(host: Path, tmp_path: Path) -> None:
    check = check_mojo(host)
    assert (check.status, check.advice) == ("ok", "")
    assert check.found == f"no compiler here; GPU kernels built elsewhere by {BUILT_BY}, for sm_80, sm_90"
    assert check_mojo(tmp_path).status == "warning"
