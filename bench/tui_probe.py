"""Watches a paced app from inside while a bench drives it from outside: loop lag, CPU of stretches of beats, paints, keys.

    python bench/tui_probe.py OUT.json ARGUMENTS...

runs `tunetui ARGUMENTS` with the probe in it; the figures are written to OUT.json when the app ends.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import json
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import tunetui.tui  # noqa: F401  isort: skip (says how often Textual may paint, before that is imported)
from textual import events
from textual.screen import Screen

from tunetui.tui.paced_app import PacedApp

LAG_STEP_S = 0.01


def quantiles(values: list[float]) -> dict[str, float] | None:
    """Median, p90, p99 and maximum, rounded to 0.01; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    at = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[min(int(part * len(ordered)), len(ordered) - 1)], 2) for name, part in at.items()}


class Probe:
    """Installed before the app starts; all CPU figures are of the event loop's thread."""

    def __init__(self) -> None:
        self.lag_ms: list[float] = []
        self.lag_on_board_ms: list[float] = []
        self.beat_cpu_ms: list[float] = []
        self.paint_cpu_ms: list[float] = []
        self.collector_ms: list[float] = []
        self.key_cpu_ms: dict[str, list[float]] = defaultdict(list)
        self.samples: dict[str, list[float]] = defaultdict(list)
        self._app: PacedApp[Any] | None = None
        self._key: tuple[str, float] | None = None
        self._begun: tuple[float, int] | None = None
        self.results_per_s: float | None = None
        """Folded between SIGUSR1 and SIGUSR2: on a machine that does other things, too, a replay may fall behind."""

    def install(self) -> None:
        """Wrap the places where an app beats, paints and hears keys."""
        probe = self
        on_mount, draw_some, refresh, on_event = (
            PacedApp.on_mount,
            PacedApp._draw_some,
            Screen._compositor_refresh,
            PacedApp.on_event,
        )

        def mounted(app: PacedApp[Any]) -> None:
            on_mount(app)
            probe._app = app
            app.call_after_refresh(lambda: setattr(probe, "_task", asyncio.create_task(probe._watch_lag())))

        def drew(app: PacedApp[Any]) -> None:
            cost_s, cpu = app._beat_cost_s, time.thread_time()
            draw_some(app)
            if app._beat_cost_s != cost_s:
                probe.beat_cpu_ms.append((time.thread_time() - cpu) * 1e3)

        def refreshed(screen: Screen[Any]) -> None:
            written, cpu = probe._written(), time.thread_time()
            refresh(screen)
            if probe._written() != written:
                now = time.thread_time()
                probe.paint_cpu_ms.append((now - cpu) * 1e3)
                if probe._key is not None:
                    probe.key_cpu_ms[probe._key[0]].append((now - probe._key[1]) * 1e3)
                    probe._key = None

        async def heard(app: PacedApp[Any], event: events.Event) -> None:
            if isinstance(event, events.Key):
                probe._key = (event.key, time.thread_time())
            await on_event(app, event)

        PacedApp.on_mount = mounted  # type: ignore[method-assign]
        PacedApp._draw_some = drew  # type: ignore[method-assign]
        PacedApp.on_event = heard  # type: ignore[method-assign]
        Screen._compositor_refresh = refreshed  # type: ignore[method-assign]
        gc.callbacks.append(self._collected)
        signal.signal(signal.SIGUSR1, lambda *_: self.forget())
        signal.signal(signal.SIGUSR2, lambda *_: self.turn_page())

    def forget(self) -> None:
        """On SIGUSR1: what was seen so far belongs to the start."""
        for seen in (self.lag_ms, self.beat_cpu_ms, self.paint_cpu_ms, self.collector_ms):
            seen.clear()
        self._begun = time.perf_counter(), self._results()

    def turn_page(self) -> None:
        """On SIGUSR2: from here on screens are opened and closed, whose lag is told apart."""
        if self._begun is not None:
            since, results = self._begun
            self.results_per_s = round((self._results() - results) / (time.perf_counter() - since), 1)
        self.lag_ms, self.lag_on_board_ms = [], self.lag_ms

    def report(self) -> dict[str, Any]:
        """What was seen so far."""
        return {
            "lag_ms": quantiles(self.lag_on_board_ms or self.lag_ms),
            "lag_opening_screens_ms": quantiles(self.lag_ms) if self.lag_on_board_ms else None,
            "lag_first_half_p99_ms": (quantiles(self.lag_ms[: len(self.lag_ms) // 2]) or {}).get("p99"),
            "lag_second_half_p99_ms": (quantiles(self.lag_ms[len(self.lag_ms) // 2 :]) or {}).get("p99"),
            "beat_cpu_ms": quantiles(self.beat_cpu_ms),
            "paint_cpu_ms": quantiles(self.paint_cpu_ms),
            "collector_ms": quantiles(self.collector_ms),
            "key_cpu_ms": {key: quantiles(values) for key, values in self.key_cpu_ms.items()},
            "beats": len(self.beat_cpu_ms),
            "paints": len(self.paint_cpu_ms),
            "results_per_s": self.results_per_s,
            "held_back": self._app.ticker.held_back if self._app else None,
            "round_trip_ms": self._app.round_trip_ms if self._app else None,
            "lite": self._app.lite if self._app else None,
            **{name: quantiles(values) for name, values in self.samples.items()},
        }

    def write_at_exit(self, path: Path) -> None:
        atexit.register(lambda: path.write_text(json.dumps(self.report())))

    def _results(self) -> int:
        screens = self._app.screen_stack if self._app else []
        return max((screen.run_now.puts for screen in screens if hasattr(screen, "run_now")), default=0)

    def _written(self) -> int:
        return self._app.port.bytes_written if self._app and self._app.port else 0

    async def _watch_lag(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LAG_STEP_S)
            if self._app is None or self._app._exit:
                return  # closing down takes a moment, and nobody types then
            self.lag_ms.append((time.perf_counter() - before - LAG_STEP_S) * 1e3)

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.perf_counter()
        elif info["generation"] == 2:
            self.collector_ms.append((time.perf_counter() - self._collecting_since) * 1e3)


def main() -> int:
    """Run the whole program under the probe."""
    probe = Probe()
    probe.install()
    probe.write_at_exit(Path(sys.argv[1]))
    from tunetui.cli import main as tunetui

    return tunetui(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
