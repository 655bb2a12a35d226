"""Drivers that are missing, broken or too old, as libraries that this machine really loads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tunetui_agent
from tunetui_agent.devices.cuda_driver import uuid_text
from tunetui_agent.devices.gpu import cupy_hint, too_new

COMPILER = shutil.which("cc") or shutil.which("gcc")
REFUSES = """
int cuInit(unsigned flags) { return 803; }
int cuGetErrorName(int status, const char** text) { *text = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; return 0; }
int cuGetErrorString(int status, const char** text) { *text = "system has unsupported display driver / cuda driver combination"; return 0; }
"""
FIND = "from tunetui_agent.devices.cuda_driver import *\ntry: print(find_gpus())\nexcept DriverError as e: print(e)"


def asked(folder: Path, *words: str) -> str:
    """What a process says whose first libcuda.so.1 is the one in this folder."""
    source = str(Path(tunetui_agent.__file__).parent.parent)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": source, "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def refusing(tmp_path: Path) -> Path:
    """A driver library whose kernel module is of another version."""
    if COMPILER is None:
        pytest.skip("there is no C compiler here to make a driver library with")
    (tmp_path / "cuda.c").write_text(REFUSES)
    library = str(tmp_path / "libcuda.so.1")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, str(tmp_path / "cuda.c")], check=True)
    return tmp_path


def test_a_driver_that_does_not_fit_its_kernel_module_says_so_in_its_own_words(refusing: Path) -> None:
    assert asked(refusing, "-c", FIND) == (
        "CUDA does not start: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: "
        "system has unsupported display driver / cuda driver combination"
    )


def test_a_driver_library_that_does_not_load_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").write_text("not a library\n")
    said = asked(tmp_path, "-c", FIND)
    assert said.startswith("no NVIDIA driver: libcuda.so.1 does not load: ")


def test_such_a_host_still_offers_its_cpu(refusing: Path) -> None:
    answer = json.loads(asked(refusing, "-m", "tunetui_agent", "probe", "--root", str(refusing)))
    assert [device["kind"] for device in answer["devices"]] == ["cpu"]


@pytest.mark.parametrize(
    ("runtime", "driver", "why"),
    [
        (13000, "12.2", "CuPy is built for CUDA 13.0, and this driver supports CUDA 12.2 at most"),
        (12080, "12.2", ""),  # minor version compatibility
        (12080, "13.0", ""),
        (13000, "unknown", ""),
    ],
)
def test_a_driver_too_old_for_this_cupy_is_told_with_the_cupy_that_fits(runtime: int, driver: str, why: str) -> None:
    assert too_new(runtime, driver) == why
    assert not why or cupy_hint(driver) == 'pip install "cupy-cuda12x[ctk]" nvidia-ml-py'


def test_an_instance_of_a_shared_gpu_has_the_uuid_that_nvidia_smi_prints() -> None:
    raw = bytes(range(16))
    assert uuid_text(raw, "NVIDIA H100 80GB HBM3") == "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f"
    assert uuid_text(raw, "NVIDIA A100-SXM4-40GB MIG 1g.5gb").startswith("MIG-00010203-")
