"""What the supervisor says beside the measurements: the host's load at the start, its and the device's state once a second."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

from tunetui_agent.devices.gpu_watch import Nvml, throttle_words
from tunetui_agent.messages import NoticeRaised, TelemetrySampled
from tunetui_agent.noise import STEAL_LIMIT_PERCENT
from tunetui_agent.telemetry import HostTelemetry, load_average

TELEMETRY_SECONDS = 1.0
CPU = "cpu"
"""A run's device where it is no GPU."""
_OPENED_AT = 2
"""NVML is opened for this sample: at the first one the run has something better to do."""


class HostReport:
    """Of one run; ``say`` writes a record."""

    def __init__(self, say: Callable[[Any], None], device: str = CPU) -> None:
        self._say, self._device = say, device
        self._nvml: Nvml | None = None
        self._samples = 0
        self._telemetry = HostTelemetry()
        self._stolen_noticed = False
        self.due = time.monotonic()
        """When the next sample is."""

    def warn_of_load(self) -> None:
        """A notice where others are at work here already."""
        cores, load = os.cpu_count() or 1, load_average()
        if load > cores / 2:
            text = f"load average {load:.1f} on {cores} cores at the start: other processes will widen the intervals"
            self._say(NoticeRaised(code="noisy-host", text=text))

    def sample_if_due(self, now: float) -> None:
        """The host's state, where the last was said a second ago; ``now`` as of ``time.monotonic``."""
        if now < self.due:
            return
        self.due = now + TELEMETRY_SECONDS
        figures = self._telemetry.sample()
        device_figures, throttle_reasons = self._look_at_device()
        self._say(TelemetrySampled(figures={**figures, **device_figures}, throttle_reasons=throttle_reasons))
        stolen = figures.get("stolen_percent", 0.0)
        if stolen > STEAL_LIMIT_PERCENT and not self._stolen_noticed:
            self._stolen_noticed = True
            text = f"the hypervisor took {stolen:.0f} % of the CPU's time: measurements on this host are noisy"
            self._say(NoticeRaised(code="stolen-time", text=text))

    def _look_at_device(self) -> tuple[dict[str, float], str | None]:
        """What NVML says of the GPU, and what slows that down; nothing where there is none, or no answer."""
        self._samples += 1
        if self._samples == _OPENED_AT and self._device != CPU:
            with contextlib.suppress(ImportError, OSError):  # each row says why its own telemetry is missing
                self._nvml = Nvml(self._device)
        if self._nvml is None:
            return {}, None
        mask = self._nvml.throttle_mask()
        known = {name: round(value, 1) for name, value in self._nvml.state().items() if value is not None}
        return known, None if mask is None else throttle_words(mask)
