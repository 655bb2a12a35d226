"""The limits arithmetic against NVIDIA's own calculator.

``NVIDIA`` was printed by ``cuda_occupancy.h`` of the CUDA Toolkit 13.0 (`cudaOccMaxActiveBlocksPerMultiprocessor` with the
device properties below and the largest shared-memory carve-out), compiled and run on a machine without a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tunetui_agent.devices.gpu_trace import achieved_percent
from tunetui_agent.devices.occupancy import Limits, blocks_allowed, theoretical_occupancy


def limits(threads: int, blocks: int, shared_kib: int) -> Limits:
    return Limits(
        warp_size=32,
        max_threads_per_multiprocessor=threads,
        max_blocks_per_multiprocessor=blocks,
        registers_per_multiprocessor=65536,
        shared_memory_per_multiprocessor_bytes=shared_kib * 1024,
        reserved_shared_memory_per_block_bytes=1024,
    )


# CUDA C++ Programming Guide 13.0, "Technical Specifications per Compute Capability"
DEVICES = {80: limits(2048, 32, 164), 86: limits(1536, 16, 100), 89: limits(1536, 24, 100), 90: limits(2048, 32, 228)}

# compute capability, threads per block, registers per thread, shared bytes per block: blocks per multiprocessor, limiters
NVIDIA = [
    (80, 32, 32, 0, 32, "blocks"),
    (80, 32, 255, 0, 8, "registers"),
    (80, 64, 40, 0, 24, "registers"),
    (80, 128, 128, 16384, 4, "registers"),
    (80, 256, 65, 0, 3, "registers"),
    (80, 256, 96, 49152, 2, "registers"),
    (80, 96, 168, 0, 4, "registers"),
    (80, 1024, 40, 0, 1, "registers"),
    (80, 64, 32, 8192, 18, "shared memory"),
    (80, 128, 64, 101376, 1, "shared memory"),
    (80, 256, 37, 7000, 6, "registers"),
    (80, 384, 56, 20000, 3, "registers"),
    (86, 32, 32, 0, 16, "blocks"),
    (86, 32, 255, 0, 8, "registers"),
    (86, 64, 40, 0, 16, "blocks"),
    (86, 128, 128, 16384, 4, "registers"),
    (86, 256, 65, 0, 3, "registers"),
    (86, 256, 96, 49152, 2, "registers, shared memory"),
    (86, 96, 168, 0, 4, "registers"),
    (86, 1024, 40, 0, 1, "threads, registers"),
    (86, 64, 32, 8192, 11, "shared memory"),
    (86, 128, 64, 101376, 1, "shared memory"),
    (86, 256, 37, 7000, 6, "threads, registers"),
    (86, 384, 56, 20000, 3, "registers"),
    (89, 32, 32, 0, 24, "blocks"),
    (89, 32, 255, 0, 8, "registers"),
    (89, 64, 40, 0, 24, "threads, blocks, registers"),
    (89, 128, 128, 16384, 4, "registers"),
    (89, 256, 65, 0, 3, "registers"),
    (89, 256, 96, 49152, 2, "registers, shared memory"),
    (89, 96, 168, 0, 4, "registers"),
    (89, 1024, 40, 0, 1, "threads, registers"),
    (89, 64, 32, 8192, 11, "shared memory"),
    (89, 128, 64, 101376, 1, "shared memory"),
    (89, 256, 37, 7000, 6, "threads, registers"),
    (89, 384, 56, 20000, 3, "registers"),
    (90, 32, 32, 0, 32, "blocks"),
    (90, 32, 255, 0, 8, "registers"),
    (90, 64, 40, 0, 24, "registers"),
    (90, 128, 128, 16384, 4, "registers"),
    (90, 256, 65, 0, 3, "registers"),
    (90, 256, 96, 49152, 2, "registers"),
    (90, 96, 168, 0, 4, "registers"),
    (90, 1024, 40, 0, 1, "registers"),
    (90, 64, 32, 8192, 25, "shared memory"),
    (90, 128, 64, 101376, 2, "shared memory"),
    (90, 256, 37, 7000, 6, "registers"),
    (90, 384, 56, 20000, 3, "registers"),
]


@pytest.mark.parametrize(("capability", "threads", "registers", "shared", "blocks", "limiters"), NVIDIA)
def test_the_limits_agree_with_nvidias_calculator(
    capability: int, threads: int, registers: int, shared: int, blocks: int, limiters: str
) -> None:
    allowed = blocks_allowed(DEVICES[capability], warps=-(-threads // 32), registers=registers, shared_bytes=shared)
    assert min(allowed.values()) == blocks
    found = theoretical_occupancy(
        DEVICES[capability], blocks=blocks, threads=threads, registers=registers, shared_bytes=shared
    )
    assert ", ".join(found.limiters) == limiters
    warps = DEVICES[capability].max_threads_per_multiprocessor // 32
    assert found.percent == pytest.approx(100 * blocks * -(-threads // 32) / warps)


def test_a_figure_of_the_driver_that_no_rule_explains_has_no_limiter() -> None:
    found = theoretical_occupancy(DEVICES[90], blocks=5, threads=256, registers=32, shared_bytes=0)
    assert found.limiters == ()
    assert found.percent == pytest.approx(62.5)


def test_a_block_that_does_not_fit_has_no_occupancy() -> None:
    found = theoretical_occupancy(DEVICES[86], blocks=0, threads=1024, registers=128, shared_bytes=0)
    assert (found.percent, found.limiters) == (0.0, ("registers",))


def stamps(*rows: tuple[int, int, int]) -> Any:
    return np.array(rows, np.uint64)


def test_achieved_occupancy_is_warp_time_over_the_windows_of_the_multiprocessors() -> None:
    assert achieved_percent(stamps((100, 200, 0), (150, 200, 0), (100, 150, 1)), 4) == pytest.approx(100 * 200 / 600)


@pytest.mark.parametrize(
    "rows",
    [
        stamps((100, 100, 0), (100, 100, 1)),  # over before the timer's next tick
        stamps((100, 200, 0), (0, 0, 0)),  # a warp that left without a word
    ],
)
def test_stamps_that_do_not_tell_give_no_achieved_occupancy(rows: Any) -> None:
    assert achieved_percent(rows, 4) is None
