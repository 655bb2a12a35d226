"""A GPU that cannot be used, or not alone: said in words, with what to do about it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.gpu.gpu_workplace import GpuWorkplace, needs_gpu
from tunetui.core.errors import ExitCode
from tunetui_agent.devices.cuda_driver import find_gpus
from tunetui_agent.devices.gpu_watch import Nvml

pytest.importorskip("cupy", exc_type=ImportError)
pytestmark = needs_gpu

INTRUDER = "import cupy, sys; cupy.zeros(1); print('ready', flush=True); sys.stdin.read()"


def _others() -> list[int]:
    """Processes that NVML sees on the GPU; this one has no context there."""
    pytest.importorskip("pynvml")
    return Nvml(find_gpus()[0].uuid).other_processes() or []


@pytest.fixture
def intruder(workplace: GpuWorkplace) -> Iterator[None]:
    """Another process with a context on the GPU."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", INTRUDER], stdin=pipe, stdout=pipe, env=workplace.environment, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield
        process.stdin.close()


def test_a_row_measured_alone_is_not_said_to_share_the_gpu(workplace: GpuWorkplace) -> None:
    if _others():
        pytest.skip("other processes are on this GPU")
    workplace.grid()
    workplace.run()
    (row,) = workplace.rows().values()
    assert row["status"] == "measured"
    assert "shared-gpu" not in row.get("tags", []), row["telemetry"]


@pytest.mark.usefixtures("intruder")
def test_another_process_on_the_gpu_is_said_on_the_row(workplace: GpuWorkplace) -> None:
    if not _others():
        pytest.skip("NVML tells no processes here: a container of its own process ids")
    workplace.grid()
    workplace.run()
    (row,) = workplace.rows().values()
    assert "shared-gpu" in row["tags"]
    assert row["telemetry"]["other_processes"] >= 1


def test_without_cupy_the_install_line_for_this_driver_is_said(workplace: GpuWorkplace) -> None:
    hidden = workplace.folder / "hidden"
    (hidden / "cupy").mkdir(parents=True)
    (hidden / "cupy" / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'cupy'\", name='cupy')\n")
    workplace.environment["PYTHONPATH"] = f"{hidden}:{workplace.environment['PYTHONPATH']}"
    workplace.grid()
    _, said = workplace.run(code=ExitCode.UNAVAILABLE)
    generation = 13 if int(find_gpus()[0].driver_version.partition(".")[0]) >= 13 else 12
    assert "CuPy is missing" in said
    assert f'pip install "cupy-cuda{generation}x[ctk]" nvidia-ml-py' in " ".join(said.split())


def test_a_host_whose_gpus_are_hidden_is_told_what_was_found(workplace: GpuWorkplace) -> None:
    workplace.environment["CUDA_VISIBLE_DEVICES"] = ""
    workplace.grid()
    _, said = workplace.run(code=ExitCode.UNAVAILABLE)
    assert "no GPU that could be used" in said
    assert "tunetui doctor says why" in said
