"""What CUDA says went wrong, as the outcome of a trial; errors that poison the context mark the device unusable."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tunetui_agent.faults import TrialFault
from tunetui_agent.loaders import one_line

if TYPE_CHECKING:
    from tunetui_agent.devices.gpu import GpuDevice

_STICKY = (
    "ILLEGAL_ADDRESS", "LAUNCH_FAILED", "LAUNCH_FAILURE", "LAUNCH_TIMEOUT", "ILLEGAL_INSTRUCTION", "MISALIGNED_ADDRESS",
    "INVALID_ADDRESS_SPACE", "INVALID_PC", "HARDWARE_STACK_ERROR", "ASSERT", "ECC_UNCORRECTABLE", "UNKNOWN",
    "DEVICE_UNAVAILABLE", "CONTEXT_IS_DESTROYED", "EXTERNAL_DEVICE",
)  # fmt: skip
"""Parts of CUDA error names after which nothing more can be done in this process (Driver API, ``CUresult``)."""


@contextmanager
def cuda_faults(device: GpuDevice) -> Iterator[None]:
    """Turns every CUDA error inside into a `TrialFault`.

    CUDA reports some errors only at a later call; everything a trial does is waited for before the next begins,
    so that an error is always that trial's own.
    """
    try:
        yield
    except TrialFault:
        raise
    except device.cupy.cuda.memory.OutOfMemoryError as error:
        raise TrialFault("errored", f"out of device memory: {one_line(error)}") from error
    except (device.cupy.cuda.driver.CUDADriverError, device.cupy.cuda.runtime.CUDARuntimeError) as error:
        words = one_line(error).partition(": ")[2]
        name = words.upper().replace(" ", "").replace("_", "")
        if any(part.replace("_", "") in name for part in _STICKY):
            device.usable = False
            raise TrialFault("crashed", words, traceback.format_exc()) from error
        raise TrialFault("errored", words, traceback.format_exc()) from error
    except Exception as error:
        raise TrialFault("errored", one_line(error), traceback.format_exc()) from error
