from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.gpu_sources import needs_nvrtc
from tunetui_agent.build.cuda_libraries import candidates

COMPILES = """
from tunetui_agent.build.nvrtc import find_nvrtc
source = 'extern "C" __global__ void one(float* out) { *out = 1; }'
assert find_nvrtc().compile(source, "one.cu", {}, ["-arch=sm_80"]).cubin
"""


@needs_nvrtc
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the loader's own words are glibc's")
def test_compiling_leaves_the_driver_and_with_it_every_gpu_alone(tmp_path: Path) -> None:
    told = tmp_path / "loaded"
    environment = {**os.environ, "LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(told)}
    subprocess.run([sys.executable, "-c", COMPILES], env=environment, check=True)
    said = "".join(path.read_text(errors="replace") for path in tmp_path.glob("loaded.*"))
    assert "nvrtc" in said
    assert "libcuda" not in said


def test_a_library_beside_this_python_is_found_without_asking_compilers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "some" / "lib" / "libsome.so.1"
    library.parent.mkdir(parents=True)
    library.touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: pytest.fail("asked ldconfig, gcc and ld"))
    assert next(candidates("some", ("some/lib",))) == str(library)
