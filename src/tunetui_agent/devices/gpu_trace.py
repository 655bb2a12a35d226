"""Achieved occupancy without a profiler: the same kernel, built to note when and where each warp ran.

One lane of every warp stores ``%globaltimer`` at entry and at exit and ``%smid`` into ``trace[3 * warp + {0, 1, 2}]``, warps counted
through the grid.  The warp-time of all multiprocessors over their own windows (first entry to last exit), as a share of the warps
that they can hold: what the profiler's ``sm__warps_active.avg.pct_of_peak_sustained_active`` measures, without its privileges.
Valid only where the traced build keeps the timed build's residency.  A barrier before the last stamp would keep warps that are done
waiting for the slowest of their block and raise the figure by points: `bench/occupancy_vs_ncu.py` shows how near it is without.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tunetui_agent.build.cuda import traced_key
from tunetui_agent.devices.gpu_loading import LoadedLaunch, load_kernels
from tunetui_agent.faults import TrialFault

if TYPE_CHECKING:
    from tunetui_agent.devices.gpu import GpuDevice
    from tunetui_agent.messages import Value

NAME = "occupancy_achieved_percent"
REASON = "occupancy_achieved_reason"
_REPEATS = 5
_REGISTER_UNIT = 8


class Tracer:
    """The traced twins of a trial's launches, or the reason why there are none."""

    def __init__(self, device: GpuDevice, launches: list[LoadedLaunch], artifact: str | None) -> None:
        self._device, self._launches = device, launches
        self._twins: list[LoadedLaunch] = []
        self.reason = ""
        if artifact is None:
            self.reason = "n/a: a library's kernels cannot be traced"
            return
        folder = Path(artifact)
        try:
            kernels, _ = load_kernels(device, folder.with_name(traced_key(folder.name)))
        except TrialFault:
            self.reason = "n/a: the kernel has no traced build"
            return
        self._match(kernels)

    def measure(self, arguments: list[tuple[Any, ...]]) -> dict[str, Value]:
        """Median of a few traced executions: of the first launch by the plain name, of later ones prefixed."""
        if self.reason:
            return {REASON: self.reason}
        found: list[list[float | None]] = [[] for _ in self._twins]
        for _ in range(_REPEATS):
            traces = [self._trace(twin) for twin in self._twins]
            self._device.flush()
            for twin, own, trace in zip(self._twins, arguments, traces, strict=True):
                twin((*own, trace))
            self._device.synchronize()
            for place, trace in enumerate(traces):
                found[place].append(self._percent(trace.get()))
        figures: dict[str, Value] = {}
        for place, percents in enumerate(found):
            prefix = "" if place == 0 else f"{self._twins[place].entry}."
            known = [percent for percent in percents if percent is not None]
            if known:
                figures[prefix + NAME] = round(float(np.median(known)), 2)
            else:
                figures[prefix + REASON] = "n/a: the device's timer did not move, or not every warp noted its times"
        return figures

    def _match(self, kernels: dict[str, Any]) -> None:
        for launch in self._launches:
            kernel = kernels.get(launch.entry)
            if kernel is None:
                self.reason = f"n/a: the traced build lacks {launch.entry}"
                return
            twin = LoadedLaunch(self._device, launch.entry, launch.arguments, launch.geometry, kernel)
            twin.allow_shared()
            self.reason = _difference(launch.resources(), twin.resources())
            if self.reason:
                self.reason = f"n/a: the traced build of {launch.entry} has {self.reason}"
                return
            self._twins.append(twin)

    def _trace(self, twin: LoadedLaunch) -> Any:
        warps = twin.blocks * -(-twin.threads // self._device.device.attributes["warp_size"])
        return self._device.cupy.zeros((warps, 3), self._device.cupy.uint64)

    def _percent(self, rows: Any) -> float | None:
        attributes = self._device.device.attributes
        return achieved_percent(rows, attributes["max_threads_per_multiprocessor"] // attributes["warp_size"])


def _difference(timed: dict[str, Value], traced: dict[str, Value]) -> str:
    """How the twins differ in what decides residency; empty where they do not.

    Registers are given to threads in units of eight, so that 31 and 32 are the same to the multiprocessor.
    """
    for what, unit in (("registers", _REGISTER_UNIT), ("blocks_per_multiprocessor", 1)):
        one, other = int(timed[what]), int(traced[what])
        if -(-one // unit) != -(-other // unit):
            return f"{other} {what.replace('_', ' ')}, the timed one {one}"
    return ""


def achieved_percent(rows: Any, most_warps: int) -> float | None:
    """Achieved occupancy in percent from ``rows`` of (start ns, stop ns, multiprocessor), uint64, shape (warps, 3).

    None where they do not tell: a warp left no stamp (0), or a kernel was over before the timer's next tick.
    """
    if not rows[:, :2].all():
        return None
    start, stop, where = rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2]
    window = 0
    for multiprocessor in np.unique(where):
        own = where == multiprocessor
        window += int(stop[own].max() - start[own].min())
    return 100.0 * float((stop - start).sum()) / (window * most_warps) if window > 0 else None
