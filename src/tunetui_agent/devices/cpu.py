"""The CPU of this host as a device: what it is, and what a process here may use of it.

Everything is read from /proc, /sys and the cgroup files of Linux; what cannot be read is left out or said to be assumed.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui_agent.build import Target
from tunetui_agent.devices import Execution, Watch
from tunetui_agent.messages import Device, Implementation, RunSpec, Trial, Value

if TYPE_CHECKING:
    from tunetui_agent.devices.energy import EnergyMeter

ASSUMED_LLC_BYTES = 64 << 20
"""Last-level cache to evict where /sys does not tell: larger than that of most servers, per socket."""

COPIES_BYTES, COPIES_SHARE = 512 << 20, 1 / 16
"""That copies of the inputs may take, and of memory: each is looked at for damage after every trial."""

_CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Cache:
    """One cache as the kernel describes it; ``shared`` are the CPUs that it serves."""

    level: int
    kind: str  # "Data" | "Unified"
    size_bytes: int
    shared: frozenset[int]


def usable_cpus() -> list[int]:
    """The CPUs on which this process may be scheduled."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """Usable CPUs, or fewer where a cgroup's CPU quota allows fewer (rounded down, at least 1)."""
    quota = _cgroup_quota()
    count = len(usable_cpus())
    return max(1, min(count, int(quota))) if quota else count


def caches(cpus: list[int], root: Path = _CPUS) -> list[Cache]:
    """The distinct data and unified caches that serve these CPUs."""
    found: set[Cache] = set()
    for cpu in cpus:
        for index in sorted((root / f"cpu{cpu}" / "cache").glob("index*")):
            cache = _read_cache(index)
            if cache is not None:
                found.add(cache)
    return sorted(found, key=lambda cache: (cache.level, min(cache.shared)))


def last_level_bytes(found: list[Cache]) -> int:
    """Sum over the last-level caches that the usable CPUs touch; 0 where unknown."""
    level = max((cache.level for cache in found), default=0)
    return sum(cache.size_bytes for cache in found if cache.level == level)


def probe() -> list[Device]:
    """One device, id ``cpu``."""
    cpus = usable_cpus()
    found = caches(cpus)
    attributes = {"cores": usable_cores(), "memory_bytes": memory_bytes()}
    for level, name in ((1, "l1d_bytes"), (2, "l2_bytes"), (3, "l3_bytes")):
        sizes = [cache.size_bytes for cache in found if cache.level == level]
        if sizes:
            attributes[name] = max(sizes)
    details: dict[str, Value] = {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "usable_cpus": len(cpus),
        "total_cpus": os.cpu_count() or 1,
        "last_level_bytes_all": last_level_bytes(found),
        "features": feature_hash(),
    }
    quota = _cgroup_quota()
    if quota:
        details["cgroup_quota_cores"] = quota
    return [Device(id="cpu", kind="cpu", name=cpu_name(), attributes=attributes, details=details)]


def cpu_name() -> str:
    """The model as /proc/cpuinfo names it, else the machine type."""
    for key in ("model name", "Processor", "cpu model"):
        value = _cpuinfo(key)
        if value:
            return " ".join(value.split())
    return platform.processor() or platform.machine() or "CPU"


def feature_hash() -> str:
    """8 hex digits over the instruction-set flags: equal names can hide unequal CPUs."""
    return blake2b((_cpuinfo("flags") or _cpuinfo("Features")).encode(), digest_size=4).hexdigest()


def memory_bytes() -> int:
    """Memory of the host, or the cgroup's limit where that is less; 0 where unknown."""
    total = 0
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) * 1024
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = _text(Path(name)).strip()
        if limit.isdigit() and int(limit) > 0:
            total = min(total, int(limit)) if total else int(limit)
    return total


def target() -> Target:
    """What built code must run on: this machine type, model and feature set."""
    return Target(kind="cpu", architecture=f"{platform.machine()}:{cpu_name()}:{feature_hash()}")


class CpuDevice:
    """The CPU, held by this process."""

    def __init__(self) -> None:
        from tunetui_agent.devices.eviction import Evictor

        self.device = probe()[0]
        self.target = target()
        found = caches(usable_cpus())
        known = last_level_bytes(found)
        largest_private = max((c.size_bytes for c in found if c.level == 2), default=0)
        self._evictor = Evictor(usable_cpus(), known or ASSUMED_LLC_BYTES, largest_private)
        how = "" if known else f" (size unknown to /sys, {ASSUMED_LLC_BYTES >> 20} MiB assumed)"
        self.eviction = self._evictor.describe() + how
        self._last_level_bytes = known or ASSUMED_LLC_BYTES

    def prepare(self, spec: RunSpec, implementation: Implementation, trial: Trial, artifact: str | None) -> Execution:
        """Loads the kernel and allocates its buffers in this process."""
        from tunetui_agent.devices.cpu_execution import CpuExecution

        evict = self._evictor.evict if spec.method.cache == "cold" else None
        room_bytes = min(COPIES_BYTES, int(COPIES_SHARE * memory_bytes()))
        return CpuExecution(spec, implementation, trial, artifact, evict, room_bytes)

    def watch(self) -> Watch:
        """Begins to watch the load of the host."""
        from tunetui_agent.devices.host_load import HostWatch

        return HostWatch(usable_cpus())

    def ceilings(self) -> dict[str, Value]:
        """Copy and read bandwidth of all usable cores together."""
        from tunetui_agent.devices.cpu_ceiling import measure_ceilings

        return measure_ceilings(usable_cores(), self._last_level_bytes, memory_bytes())

    def energy_meter(self) -> EnergyMeter:
        """RAPL, where this user may read it; it counts all cores, whoever uses them.  Raises OSError."""
        from tunetui_agent.devices.rapl import RaplMeter

        return RaplMeter()


def open_device(device_id: str) -> CpuDevice:
    """Opens the CPU.

    BLAS libraries are told to run single-threaded where NumPy is not loaded yet: how many threads a kernel uses is
    its own axis, and a BLAS pool that spins after its work would steal cores from the next sample.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    return CpuDevice()


def _read_cache(index: Path) -> Cache | None:
    kind, level, size = (_text(index / name).strip() for name in ("type", "level", "size"))
    if kind == "Instruction" or not level.isdigit() or not size[:-1].isdigit():
        return None
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(size[-1:], 0)
    return Cache(int(level), kind, int(size[:-1]) * unit, frozenset(_cpu_list(_text(index / "shared_cpu_list"))))


def _cpu_list(text: str) -> list[int]:
    """CPU numbers of a kernel list such as ``0-3,8``."""
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            cpus += range(int(first), int(last if last.isdigit() else first) + 1)
    return cpus or [0]


def _cgroup_quota() -> float | None:
    """CPU quota in cores, from cgroup v2 or v1."""
    quota, _, period = _text(Path("/sys/fs/cgroup/cpu.max")).strip().partition(" ")
    if not period:
        quota = _text(Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")).strip()
        period = _text(Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")).strip()
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return int(quota) / int(period)


def _cpuinfo(key: str) -> str:
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
