"""Figures that every device of a kind has: how a table heads them, in which order they stand, which gives way first."""

from __future__ import annotations

from typing import NamedTuple


class Head(NamedTuple):
    """Lines of a column's head, unit last; the one with the highest ``gives_way`` is left out first."""

    lines: tuple[str, ...]
    gives_way: int


DEVICE_COLUMNS = {
    "occupancy_theoretical_percent": Head(("theor", "occ %"), 60),
    "occupancy_achieved_percent": Head(("achvd", "occ %"), 50),
    "ncu_occupancy_achieved_percent": Head(("ncu", "occ %"), 410),
    "ncu_sm_throughput_percent": Head(("ncu", "SM %"), 425),
    "ncu_dram_throughput_percent": Head(("ncu", "DRAM %"), 420),
    "ncu_l2_hit_percent": Head(("ncu", "L2 %"), 430),
    "occupancy_limiter": Head(("occupancy", "limited by"), 580),
    "registers": Head(("regs",), 520),
    "spill_bytes": Head(("spills", "B"), 640),
    "dynamic_shared_bytes": Head(("shared", "B"), 650),
    "sm_clock_mhz": Head(("clock", "MHz"), 610),
    "power_w": Head(("power", "W"), 620),
    "throttle_reasons": Head(("throttled",), 630),
}
"""Figures that the default table shows where rows have them, in this order."""

HEADS = DEVICE_COLUMNS | {
    "build_seconds": Head(("build", "s"), 660),
    "latency_ms.n": Head(("n",), 0),
    "energy_mj": Head(("energy", "mJ"), 0),
    "energy_power_w": Head(("burst", "W"), 0),
    "temperature_c": Head(("temp", "°C"), 0),
    "memory_clock_mhz": Head(("memory", "MHz"), 0),
    "static_shared_bytes": Head(("static", "B"), 0),
    "call_overhead_ns": Head(("call", "ns"), 0),
    "placements": Head(("places",), 0),
    "placement_sd_percent": Head(("places", "%"), 0),
}
"""Heads of figures whose names are longer than their figures."""
