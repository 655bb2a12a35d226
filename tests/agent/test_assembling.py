"""PTX becomes machine code among the builders: a real assembler, no GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.agent.agent_runs import trial
from tunetui_agent.build import Target
from tunetui_agent.build.assembling import AssemblingBuilder, assembled_key, assembler_of, with_assembler
from tunetui_agent.build.cache import META, ArtifactCache
from tunetui_agent.build.cubin import read_resources
from tunetui_agent.build.cuda import traced_key
from tunetui_agent.build.nvjitlink import NvJitLink, NvJitLinkError, find_nvjitlink
from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Toolchain, Trial

PTX = """\
.version 8.0
.target sm_90
.address_size 64
.visible .entry {name}(.param .u64 to)
{{
    .reg .b32 %r<3>;
    .reg .b64 %rd<3>;
    ld.param.u64 %rd1, [to];
    cvta.to.global.u64 %rd2, %rd1;
    mov.u32 %r1, %tid.x;
    st.global.u32 [%rd2], %r1;
    ret;
}}
"""
GPU = Target(kind="gpu", architecture="sm_90")
KEY = "0123456789abcdef01234567"

found = find_nvjitlink()
needs_nvjitlink = pytest.mark.skipif(found is None, reason="no nvJitLink here: pip install nvidia-nvjitlink")


class PtxBuilder:
    """Keeps a text as an artifact of PTX, with a twin."""

    batch = 32

    def __init__(self, cache: Path, text: str = PTX) -> None:
        self._cache, self._text = ArtifactCache(cache), text

    def toolchain(self) -> Toolchain:
        return Toolchain(language="mojo", available=True, version="1")

    def key(self, *_: object) -> str:
        return KEY

    def folder(self, key: str) -> Path:
        return self._cache.folder(key)

    def build(self, _spec: RunSpec, own: Implementation, _trials: list[Trial], _target: Target) -> list[BuildFinished]:
        for key, name in ((traced_key(KEY), "fill_traced"), (KEY, "fill")):
            file = self.folder(".").parent / f"{name}.ptx"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._text.format(name=name))
            self._cache.store(key, file, {"kernels": {"fill": name}, "language": "mojo"})
        return [BuildFinished(implementation=own.name, artifact=KEY, ok=True, cached=False, seconds=1.0, log="")]


def assembled(cache: Path, text: str = PTX) -> list[BuildFinished]:
    builder = with_assembler(PtxBuilder(cache, text), "mojo", "gpu", cache)
    assert isinstance(builder, AssemblingBuilder)
    own = Implementation(name="mojo", language="mojo", source="a.mojo", parameters=[], launches=[])
    return builder.build(RunSpec.__new__(RunSpec), own, [trial("a")], GPU)


def meta_of(cache: Path, key: str) -> dict[str, object]:
    folder = ArtifactCache(cache).folder(assembled_key(key))
    found: dict[str, object] = json.loads((folder / META).read_text())
    return found


@needs_nvjitlink
def test_ptx_and_its_traced_twin_lie_beside_their_machine_code(tmp_path: Path) -> None:
    (record,) = assembled(tmp_path)
    assert record.ok
    assert record.seconds > 1.0, "assembling counts as building"
    for key, kernel in ((KEY, "fill"), (traced_key(KEY), "fill_traced")):
        meta, folder = meta_of(tmp_path, key), ArtifactCache(tmp_path).folder(assembled_key(key))
        assert (meta["kernels"], meta["spill_bytes"]) == ({"fill": kernel}, {kernel: 0})
        assert read_resources((folder / str(meta["file"])).read_bytes())[kernel].registers > 0
        assert meta["assembler"] == assembler_of("mojo", "gpu")


@needs_nvjitlink
def test_what_one_assembler_has_made_it_does_not_make_again_and_another_does(tmp_path: Path) -> None:
    assembled(tmp_path)
    cubin = ArtifactCache(tmp_path).folder(assembled_key(KEY)) / str(meta_of(tmp_path, KEY)["file"])
    first = cubin.stat().st_ino
    assembled(tmp_path)
    assert cubin.stat().st_ino == first
    about = cubin.with_name(META)
    about.write_text(about.read_text().replace("nvJitLink ", "nvJitLink of old "))
    assembled(tmp_path)
    assert meta_of(tmp_path, KEY)["assembler"] == assembler_of("mojo", "gpu")


@needs_nvjitlink
def test_ptx_that_the_assembler_refuses_is_left_to_the_driver(tmp_path: Path) -> None:
    (record,) = assembled(tmp_path, PTX.replace("st.global.u32", "st.nowhere.u32"))
    assert record.ok
    assert not ArtifactCache(tmp_path).folder(assembled_key(KEY)).exists()


@needs_nvjitlink
def test_what_it_refuses_is_told_in_the_assemblers_words() -> None:
    assert found
    with pytest.raises(NvJitLinkError, match=r"ptxas"):
        found.assemble(PTX.format(name="fill").replace("st.global.u32", "st.nowhere.u32").encode())
    with pytest.raises(NvJitLinkError, match=r"the PTX names no \.target"):
        found.assemble(b"// nothing")
    with pytest.raises(NvJitLinkError, match="sm_999"):
        found.assemble(PTX.format(name="fill").replace("sm_90", "sm_999").encode())


def test_a_file_that_is_no_library_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "libnvJitLink.so").write_text("no library")
    with pytest.raises(NvJitLinkError, match="cannot be used as nvJitLink"):
        NvJitLink(str(tmp_path / "libnvJitLink.so"))


@pytest.mark.parametrize(("language", "kind"), [("cuda", "gpu"), ("python", "gpu"), ("mojo", "cpu")])
def test_builders_that_make_no_ptx_stay_as_they_are(language: str, kind: str, tmp_path: Path) -> None:
    builder = PtxBuilder(tmp_path)
    assert with_assembler(builder, language, kind, tmp_path) is builder
    assert assembler_of(language, kind) == ""


@needs_nvjitlink
def test_the_toolchain_names_who_assembles(tmp_path: Path) -> None:
    told = with_assembler(PtxBuilder(tmp_path), "mojo", "gpu", tmp_path).toolchain()
    assert told.assembler.startswith("nvJitLink ")
    assert told.assembler == assembler_of("mojo", "gpu")
