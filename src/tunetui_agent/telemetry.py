"""What the host itself says of its load, about once a second, for the operator and the journal."""

from __future__ import annotations

import os
from pathlib import Path

from tunetui_agent.devices.cpu import usable_cpus
from tunetui_agent.devices.host_load import clock_mhz, read_host_times


class HostTelemetry:
    """Reads Linux's own figures; what a system does not tell is left out."""

    def __init__(self) -> None:
        self._cpus = usable_cpus()
        self._before = read_host_times(self._cpus)

    def sample(self) -> dict[str, float]:
        """The figures ``load_average_1m``, ``clock_mhz`` (mean of the usable CPUs), ``memory_available_bytes``, and
        since the last call ``busy_percent`` and ``stolen_percent`` of the usable CPUs' time.
        """
        figures = {"load_average_1m": load_average()}
        clock = clock_mhz(self._cpus)
        if clock is not None:
            figures["clock_mhz"] = round(clock, 1)
        available_bytes = _memory_available_bytes()
        if available_bytes is not None:
            figures["memory_available_bytes"] = available_bytes
        before, self._before = self._before, read_host_times(self._cpus)
        if before and self._before and self._before.wall > before.wall:
            share = 100.0 / ((self._before.wall - before.wall) * len(self._cpus))
            figures["busy_percent"] = round((self._before.busy - before.busy) * share, 1)
            figures["stolen_percent"] = round((self._before.steal - before.steal) * share, 1)
        return figures


def load_average() -> float:
    """Processes that ran or waited to run, averaged over a minute."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return 0.0


def _memory_available_bytes() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) * 1024.0 for line in lines if line.startswith("MemAvailable:")), None)
