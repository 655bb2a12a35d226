"""Watches the host while a CPU trial is sampled: stolen time, other processes' load, clock, load average."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tunetui_agent.messages import Value
from tunetui_agent.noise import noise_reasons

_SHORTEST_TICKS = 20
"""The kernel counts in ticks of 10 ms: over fewer ticks than this, shares of time mean nothing."""

_CPU_SENSORS = frozenset({"coretemp", "k10temp", "zenpower", "cpu_thermal"})
"""Drivers of Linux whose sensors are of a CPU."""


@dataclass(frozen=True)
class HostTimes:
    """Seconds since boot, summed over the watched CPUs, and this process's own."""

    busy: float
    steal: float
    own: float
    wall: float


def read_host_times(cpus: list[int], stat: Path = Path("/proc/stat")) -> HostTimes | None:
    """The counters now; None where there is no /proc/stat."""
    try:
        lines = stat.read_text().splitlines()
    except OSError:
        return None
    wanted = {f"cpu{cpu}" for cpu in cpus}
    busy = steal = 0
    for line in lines:
        name, *numbers = line.split()
        if name in wanted:
            ticks = [int(number) for number in numbers]
            busy += sum(ticks[0:3]) + sum(ticks[5:7])  # user, nice, system, irq, softirq
            steal += ticks[7] if len(ticks) > 7 else 0
    tick = os.sysconf("SC_CLK_TCK")
    own = os.times()
    return HostTimes(busy / tick, steal / tick, own.user + own.system, time.monotonic())


def clock_mhz(cpus: list[int]) -> float | None:
    """Mean clock of the CPUs now, from cpufreq or /proc/cpuinfo; None where neither tells."""
    found = []
    for cpu in cpus:
        try:
            khz = Path(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq").read_text()
            found.append(int(khz) / 1000.0)
        except (OSError, ValueError):
            break
    if not found:
        try:
            lines = Path("/proc/cpuinfo").read_text().splitlines()
            found = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
        except (OSError, ValueError):
            return None
    return sum(found) / len(found) if found else None


def temperature_c(sensors: Path = Path("/sys/class/hwmon")) -> float | None:
    """The hottest sensor of the CPU packages, as their drivers tell; None where none does, as on virtual machines."""
    found = []
    for name in sensors.glob("hwmon*/name"):
        try:
            if name.read_text().strip() in _CPU_SENSORS:
                found += [int(each.read_text()) / 1000.0 for each in name.parent.glob("temp*_input")]
        except (OSError, ValueError):
            continue
    return max(found, default=None)


class HostWatch:
    """Two readings of the host's counters, and what lies between them."""

    def __init__(self, cpus: list[int]) -> None:
        self._cpus = cpus
        self._begun = read_host_times(cpus)

    def finish(self, samples_ns: list[int]) -> tuple[dict[str, Value], list[str]]:
        """Load average, clock, steal and other load in percent of the watched CPUs' time; tag ``noisy`` with reasons."""
        figures: dict[str, Value] = {}
        try:
            figures["load_average_1m"] = round(os.getloadavg()[0], 2)
        except OSError:
            figures["load_average_1m"] = "n/a"
        clock = clock_mhz(self._cpus)
        if clock is not None:
            figures["clock_mhz"] = round(clock, 1)
        celsius = temperature_c()
        if celsius is not None:
            figures["temperature_c"] = round(celsius, 1)
        steal, other = self._shares()
        if steal is not None and other is not None:
            figures["steal_percent"], figures["other_load_percent"] = round(steal, 2), round(other, 2)
        reasons = noise_reasons(steal, other, samples_ns)
        if reasons:
            figures["noise"] = ", ".join(reasons)
        return figures, ["noisy"] if reasons else []

    def _shares(self) -> tuple[float | None, float | None]:
        ended = read_host_times(self._cpus)
        if self._begun is None or ended is None:
            return None, None
        seconds = (ended.wall - self._begun.wall) * len(self._cpus)
        if seconds * os.sysconf("SC_CLK_TCK") < _SHORTEST_TICKS:
            return None, None
        steal = ended.steal - self._begun.steal
        other = (ended.busy - self._begun.busy) - (ended.own - self._begun.own)
        return 100.0 * max(0.0, steal) / seconds, 100.0 * max(0.0, other) / seconds
