"""What the supervisor says of the host beside the device: its load at the start, its state once a second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from tunetui_agent.messages import NoticeRaised, TelemetrySampled
from tunetui_agent.noise import STEAL_LIMIT_PERCENT
from tunetui_agent.telemetry import HostTelemetry, load_average

TELEMETRY_SECONDS = 1.0


class HostReport:
    """Of one run; ``say`` writes a record."""

    def __init__(self, say: Callable[[Any], None]) -> None:
        self._say = say
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
        self._say(TelemetrySampled(figures=figures))
        stolen = figures.get("stolen_percent", 0.0)
        if stolen > STEAL_LIMIT_PERCENT and not self._stolen_noticed:
            self._stolen_noticed = True
            text = f"the hypervisor took {stolen:.0f} % of the CPU's time: measurements on this host are noisy"
            self._say(NoticeRaised(code="stolen-time", text=text))
