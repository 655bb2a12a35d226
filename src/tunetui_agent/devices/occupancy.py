"""Theoretical occupancy of a loaded kernel, and what limits it.

Source: the driver's ``cuOccupancyMaxActiveBlocksPerMultiprocessor`` gives the figure; the limiter follows from the
allocation rules in the CUDA C++ Programming Guide, "Compute Capabilities", and is named only where that arithmetic
arrives at the driver's own number.
"""

from __future__ import annotations

from dataclasses import dataclass

_REGISTERS_PER_WARP_UNIT = 256  # registers are given out to warps in units of this many
_WARP_GRANULARITY = 4  # warps are spread over four schedulers
_SHARED_UNIT_BYTES = 128


@dataclass(frozen=True)
class Limits:
    """What one multiprocessor has; the names are those of ``Device.attributes``."""

    warp_size: int
    max_threads_per_multiprocessor: int
    max_blocks_per_multiprocessor: int
    registers_per_multiprocessor: int
    shared_memory_per_multiprocessor_bytes: int
    reserved_shared_memory_per_block_bytes: int


@dataclass(frozen=True)
class Occupancy:
    """``percent`` of the warps that a multiprocessor can hold; ``limiters`` is empty where no rule explains the driver."""

    blocks_per_multiprocessor: int
    percent: float
    limiters: tuple[str, ...]


def theoretical_occupancy(limits: Limits, *, blocks: int, threads: int, registers: int, shared_bytes: int) -> Occupancy:
    """From the driver's ``blocks`` per multiprocessor; ``shared_bytes`` is static and dynamic together, per block."""
    warps = -(-threads // limits.warp_size)
    most = limits.max_threads_per_multiprocessor // limits.warp_size
    allowed = blocks_allowed(limits, warps=warps, registers=registers, shared_bytes=shared_bytes)
    limiters = tuple(name for name, count in allowed.items() if count == min(allowed.values()))
    return Occupancy(
        blocks_per_multiprocessor=blocks,
        percent=100.0 * min(most, blocks * warps) / most,
        limiters=limiters if min(allowed.values()) == blocks else (),
    )


def blocks_allowed(limits: Limits, *, warps: int, registers: int, shared_bytes: int) -> dict[str, int]:
    """Blocks per multiprocessor that each resource alone would allow."""
    allowed = {
        "threads": limits.max_threads_per_multiprocessor // limits.warp_size // warps,
        "blocks": limits.max_blocks_per_multiprocessor,
    }
    if registers:
        per_warp = _round_up(registers * limits.warp_size, _REGISTERS_PER_WARP_UNIT)
        resident = limits.registers_per_multiprocessor // per_warp // _WARP_GRANULARITY * _WARP_GRANULARITY
        allowed["registers"] = resident // warps
    if shared_bytes:
        per_block = _round_up(shared_bytes + limits.reserved_shared_memory_per_block_bytes, _SHARED_UNIT_BYTES)
        allowed["shared memory"] = limits.shared_memory_per_multiprocessor_bytes // per_block
    return allowed


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
