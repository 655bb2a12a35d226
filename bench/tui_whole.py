"""What the whole app costs: `tunetui --replay` of a SYNTHETIC journal (bench/tui_journal.py) in a real pty of 160x48.

    python bench/tui_whole.py JOURNAL [--only SCENARIO ...] [--peers FOLDER] [--output bench/results/tui_whole.json]

JOURNAL is that of a real run, whose records are repeated under new ids; the first screen is timed on JOURNAL itself.
A replay reads and decodes what it shows; a live run does the same with what its agents send.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from terminal import Terminal
from tui import MILLION, ROOT, WATCH_S, about, environment, only, started_in_turns, typed, watched
from tui_journal import LABEL, write_journal

PROBE = [sys.executable, str(ROOT / "bench" / "tui_probe.py")]
CURSOR = "▸".encode()
ROW_SCREEN, BOARD_SCREEN = b"samples in order", b"median ms"
ENTER, ESCAPE = b"\r", b"\x1b"
FAST = 50_000.0
LOADING_S = 120.0


class Cockpit(Terminal):
    """The app over a journal, with the probe in it, its rows loaded."""

    def __init__(self, folder: Path, journal: Path, *arguments: object, **link: Any) -> None:
        self._report = folder / "probe.json"
        self._report.unlink(missing_ok=True)
        command = [*PROBE, str(self._report), "--replay", str(journal), *map(str, arguments)]
        super().__init__(command, environment=environment(folder), **link)
        if self.wait_for(LABEL.encode(), LOADING_S) is None:
            raise SystemExit(f"the app did not start: {bytes(self.arrived[-2000:])!r}")

    def report(self) -> dict[str, Any]:
        """End it; what the probe inside saw."""
        self.close(b"q", grace_s=15)
        found: dict[str, Any] = json.loads(self._report.read_text(encoding="utf-8"))
        return found


def made_up(folder: Path, journal: Path, rows: int, rate: float, seconds: float) -> Path:
    """A journal for one scenario."""
    out = folder / f"{rows}-{rate:g}-{seconds:g}.jsonl"
    if not out.exists():
        write_journal(journal, out, rows, rate, seconds)
    return out


def live(folder: Path, journal: Path, rows: int, rate: float) -> dict[str, Any]:
    """Rows of the whole table measured again, sorted by their median."""
    with Cockpit(folder, made_up(folder, journal, rows, rate, 90.0)) as app:
        app.watch(3.0 + rows / 4_000)
        os.kill(app.pid, signal.SIGUSR1)  # from here on it is steady
        figures: dict[str, Any] = watched(app, WATCH_S)
        figures["key_to_row_ms"] = typed(app, lambda _: CURSOR)
        os.kill(app.pid, signal.SIGUSR2)
        figures["key_to_screen_ms"] = screens(app)
        asked = (
            "lag_ms",
            "lag_opening_screens_ms",
            "beat_cpu_ms",
            "paint_cpu_ms",
            "collector_ms",
            "held_back",
            "results_per_s",
        )
        seen = only(app.report(), *asked)
        return {**figures, **seen}


def screens(app: Terminal) -> dict[str, Any]:
    """Opening a row and going back, in turns."""
    return typed(
        app,
        lambda number: (ROW_SCREEN, BOARD_SCREEN)[number % 2],
        keys=24,
        press=lambda number: (ENTER, ESCAPE)[number % 2],
    )


def idle(folder: Path, journal: Path) -> dict[str, Any]:
    """A run that is over."""
    with Cockpit(folder, made_up(folder, journal, 300, 200, 0.01)) as app:
        app.settle(2.0)
        written, used = app.bytes_written, app.cpu_s()
        app.watch(5.0)
        return {"bytes": app.bytes_written - written, "cpu_percent": round(100 * (app.cpu_s() - used) / 5, 1)}


def slow_link(folder: Path, journal: Path) -> dict[str, Any]:
    """50 kB/s and 50 ms, with the megabyte of buffers that sshd and TCP put in the way."""
    source = made_up(folder, journal, 300, 200, 90.0)
    with Cockpit(folder, source, bytes_per_s=50e3, round_trip_s=0.05) as app:
        app.watch(8.0)
        figures = {
            "key_to_row_ms": typed(app, lambda _: CURSOR, keys=30, timeout_s=12),
            "most_queued_kB": round(app.most_queued / 1e3),
        }
        return {**figures, **only(app.report(), "lag_ms", "lite", "round_trip_ms", "held_back")}


def sort_and_filter(folder: Path, journal: Path) -> dict[str, Any]:
    """100,000 rows at rest: from the key to what it causes having been painted, CPU of the event loop's thread."""
    with Cockpit(folder, made_up(folder, journal, 100_000, 200, 0.01)) as app:
        app.watch(25.0)
        app.settle(1.0)
        for _ in range(10):
            app.send(b"s")
            app.settle(0.5)
        app.send(b"/")
        app.settle(0.5)
        for key in b"threads >= 4":
            app.send(bytes([key]))
            app.settle(0.3)
        app.send(ESCAPE)  # out of the filter, so that q is a key again
        app.settle(0.5)
        by_key = app.report()["key_cpu_ms"]
    return {"sort_cpu_ms": by_key.get("s"), "filter_cpu_ms": by_key.get("4"), "by_key": by_key}


def million(folder: Path, journal: Path) -> dict[str, Any]:
    """A replay of a million results, 25,000 a second: memory and lag, early and late."""
    memory: list[float] = []
    with Cockpit(folder, made_up(folder, journal, 10_000, FAST, MILLION / FAST), "--speed", 0.5) as app:
        began = time.perf_counter()
        while b"at the end" not in app.arrived and not app.ended and time.perf_counter() - began < 240:
            app.forget()
            app.watch(2.0)
            memory.append(app.memory_mb()["now"])
        took = time.perf_counter() - began
        report = only(app.report(), "lag_ms", "lag_first_half_p99_ms", "lag_second_half_p99_ms", "beat_cpu_ms")
    growth = round(memory[-1] - memory[len(memory) // 3], 1)
    return {"seconds": round(took, 1), "memory_mb": memory, "memory_growth_mb": growth, **report}


def main() -> int:
    """Run the scenarios and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("journal", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument(
        "--nice", type=int, default=0, help="priority; -10 keeps other jobs of a busy machine out of it"
    )
    asked = parser.parse_args()
    os.nice(asked.nice)
    journal = asked.journal
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        app = [sys.executable, "-m", "tunetui", "--replay", str(journal)]
        scenarios: dict[str, Callable[[], dict[str, Any]]] = {
            "first_screen": lambda: started_in_turns("tunetui", app, b"REPLAY", folder, asked.peers),
            "live_300_rows": lambda: live(folder, journal, 300, 200),
            "live_10k_rows": lambda: live(folder, journal, 10_000, 200),
            "live_100k_rows": lambda: live(folder, journal, 100_000, 200),
            "live_10k_rows_2000_per_s": lambda: live(folder, journal, 10_000, 2000),
            "idle": lambda: idle(folder, journal),
            "slow_link": lambda: slow_link(folder, journal),
            "sort_and_filter_100k_rows": lambda: sort_and_filter(folder, journal),
            "million_results": lambda: million(folder, journal),
        }
        idle(folder, journal)  # compiles what the app imports; a process that did this itself stays 8 MB larger
        report = about("the whole app replaying SYNTHETIC journals; 160x48, truecolor, a terminal that answers")
        for scenario, measure in scenarios.items():
            if not asked.only or scenario in asked.only:
                report[scenario] = measure()
                print(scenario, json.dumps(report[scenario]), flush=True)
    if asked.output:
        asked.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
