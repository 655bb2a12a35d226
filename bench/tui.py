"""What the cockpit costs in a real pty of 160x48: time to the first screen, CPU, bytes, keys, memory; also over a slow link.

    python bench/tui.py [--only SCENARIO ...] [--peers FOLDER] [--output bench/results/tui.json]

The rows are SYNTHETIC (bench/tui_board.py): they stand for no measurement, and only feed the widgets at a steady rate.
FOLDER holds the virtual environments `harlequin` and `posting`, whose start is timed beside ours.  CPU is that of the whole
process, all threads; `others_percent` says how much of the machine other processes used meanwhile, so that wall-clock
figures of a busy machine can be told from those of a quiet one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from terminal import Terminal
from tui_probe import quantiles

ROOT = Path(__file__).resolve().parent.parent
BOARD = [sys.executable, str(ROOT / "bench" / "tui_board.py")]
DOWN, UP = b"\x1b[B", b"\x1b[A"
CURSOR = "▸cfg-".encode()
KEYS = 60
WATCH_S = 10.0
MILLION = 1_000_000

GOALS = {
    "first_screen_ms": 450,
    "first_screen_kB": 55,
    "cpu_percent_200_per_s": 10,
    "cpu_percent_2000_per_s": 15,
    "key_to_row_ms": {"p50": 5, "p99": 25},
    "key_to_pane_ms": {"p50": 20, "p99": 50},
    "lag_ms": {"p99": 10, "max": 50},
    "kB_per_s": 60,
    "idle_bytes": 0,
    "slow_link_key_ms": {"p50": 350},
    "sort_or_filter_cpu_ms": 25,
    "memory_mb": {"300": 70, "100000": 110},
}


class Board(Terminal):
    """The synthetic board in a terminal, ready."""

    def __init__(self, folder: Path, *arguments: object, **link: Any) -> None:
        self._report = folder / "probe.json"
        self._report.unlink(missing_ok=True)
        command = [*BOARD, "--out", str(self._report), *map(str, arguments)]
        super().__init__(command, environment=environment(folder), **link)
        if self.wait_for(b"READY", 60) is None:
            raise SystemExit(f"the board did not start: {bytes(self.arrived[-2000:])!r}")

    def report(self) -> dict[str, Any]:
        """End it; what the probe inside saw."""
        self.close(b"q", grace_s=10)
        found: dict[str, Any] = json.loads(self._report.read_text(encoding="utf-8"))
        return found


def environment(folder: Path) -> dict[str, str]:
    """Compiled modules are kept, as they are where a package was installed by pip."""
    return {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def processor_s() -> tuple[float, float]:
    """CPU seconds of the whole machine so far: busy, and all."""
    fields = list(map(int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]))
    ticks = os.sysconf("SC_CLK_TCK")
    return (sum(fields) - fields[3] - fields[4]) / ticks, sum(fields) / ticks


def watched(board: Terminal, seconds: float) -> dict[str, float]:
    """CPU, bytes and memory of a program over a stretch of time."""
    written, used, (busy, all_), began = board.bytes_written, board.cpu_s(), processor_s(), time.perf_counter()
    board.watch(seconds)
    took, own = time.perf_counter() - began, board.cpu_s() - used
    busy_now, all_now = processor_s()
    return {
        "cpu_percent": round(100 * own / took, 1),
        "kB_per_s": round((board.bytes_written - written) / took / 1e3, 1),
        "memory_mb": board.memory_mb()["now"],
        "others_percent": round(100 * (busy_now - busy - own) / max(all_now - all_, 0.01)),
    }


def typed(
    board: Terminal,
    expected: Callable[[int], bytes],
    *,
    keys: int = KEYS,
    timeout_s: float = 8.0,
    press: Callable[[int], bytes] = lambda number: DOWN if number % 12 < 6 else UP,
) -> dict[str, Any]:
    """Keys at irregular times, by default down as often as up: from each to when what it causes has arrived, in ms."""
    draw, took, lost = random.Random(7), [], 0
    for number in range(keys):
        board.watch(draw.uniform(0.1, 0.25))
        board.forget()
        began = time.perf_counter()
        board.send(press(number))
        seen = board.wait_for(expected(number), timeout_s)
        if seen is None:
            lost += 1
        else:
            took.append((seen - began) * 1e3)
    return {**(quantiles(took) or {}), "keys": keys, "lost": lost}


def pane_typed(board: Terminal, **options: Any) -> dict[str, Any]:
    """The same, to another pane: its count of moves so far."""
    board.forget()
    board.send(DOWN)
    board.wait_for(b"moves=", 20)
    board.watch(0.5)
    base = int(bytes(board.arrived).rpartition(b"moves=")[2][:5])
    return typed(board, lambda number: b"moves=%05d" % (base + number + 1), **options)


# ----------------------------------------------------------------------------------------------- scenarios


def started_in_turns(name: str, command: list[str], needle: bytes, folder: Path, peers: Path | None) -> dict[str, Any]:
    """Start to the first full screen, warm, in turns with the peers."""
    subjects: dict[str, tuple[list[str], bytes, Mapping[str, str]]] = {name: (command, needle, environment(folder))}
    if peers is not None:
        subjects["harlequin"] = ([str(peers / "harlequin" / "bin" / "harlequin")], b"Data Catalog", {})
        subjects["posting"] = ([str(peers / "posting" / "bin" / "posting")], b"Collection", {})
    took: dict[str, list[float]] = {each: [] for each in subjects}
    sizes: dict[str, int] = {}
    busy, all_ = processor_s()
    for turn in range(8):
        for each, (started_by, shown, variables) in subjects.items():
            with Terminal(started_by, environment=variables) as started:
                seen = started.wait_for(shown, 60)
                if seen is None:
                    raise SystemExit(f"{each} did not show {shown!r}: {bytes(started.arrived[-1500:])!r}")
                if turn:  # the first one fills caches
                    took[each].append((seen - started.started_at) * 1e3)
                started.settle()
                sizes[each] = started.bytes_written
                started.close(b"q" if each == name else b"\x11", grace_s=2)
    busy_now, all_now = processor_s()
    return {
        "machine_busy_percent": round(100 * (busy_now - busy) / (all_now - all_)),
        **{
            each: {"ms": quantiles(took[each]), "best_ms": round(min(took[each])), "kB": round(sizes[each] / 1e3, 1)}
            for each in subjects
        },
    }


def live(folder: Path, rows: int, rate: int) -> dict[str, Any]:
    """Sorted by a column that changes; half of the results are of new rows."""
    with Board(folder, "--rows", rows, "--rate", rate, "--grow") as board:
        board.watch(2.0)
        os.kill(board.pid, signal.SIGUSR1)  # from here on it is steady
        figures: dict[str, Any] = watched(board, WATCH_S)
        figures["key_to_row_ms"] = typed(board, lambda _: CURSOR)
        figures["key_to_pane_ms"] = pane_typed(board)
        return {
            **figures,
            **only(board.report(), "lag_ms", "beat_cpu_ms", "paint_cpu_ms", "age_ms", "held_back", "ready_cpu_ms"),
        }


def idle(folder: Path) -> dict[str, Any]:
    """Nothing comes in."""
    with Board(folder, "--rows", 300, "--rate", 0) as board:
        board.settle()
        written, used = board.bytes_written, board.cpu_s()
        board.watch(5.0)
        return {"bytes": board.bytes_written - written, "cpu_percent": round(100 * (board.cpu_s() - used) / 5, 1)}


def slow_link(folder: Path) -> dict[str, Any]:
    """50 kB/s and 50 ms, with the megabyte of buffers that sshd and TCP put in the way."""
    with Board(folder, "--rows", 300, "--rate", 200, "--grow", bytes_per_s=50e3, round_trip_s=0.05) as board:
        board.watch(8.0)
        figures = {
            "key_to_pane_ms": pane_typed(board, keys=30, timeout_s=12),
            "most_queued_kB": round(board.most_queued / 1e3),
        }
        return {**figures, **only(board.report(), "lag_ms", "lite", "round_trip_ms", "held_back")}


def sort_and_filter(folder: Path) -> dict[str, Any]:
    """100,000 rows: from the key to what it causes having been painted, CPU of the event loop's thread."""
    with Board(folder, "--rows", 100_000, "--rate", 0) as board:
        for key in b"sfsfsfsfsfsfsfsfsfsf":
            board.settle(0.2)
            board.send(bytes([key]))
        board.settle()
        by_key = board.report()["key_cpu_ms"]
    return {"sort_cpu_ms": by_key["s"], "filter_cpu_ms": by_key["f"]}


def million(folder: Path) -> dict[str, Any]:
    """A million results as fast as a replay may send them: memory and lag, early and late."""
    memory: list[float] = []
    with Board(folder, "--rows", 10_000, "--rate", 25_000, "--events", MILLION) as board:
        began = time.perf_counter()
        while b"ALL MADE" not in board.arrived and not board.ended and time.perf_counter() - began < 240:
            board.forget()
            board.watch(2.0)
            memory.append(board.memory_mb()["now"])
        took = time.perf_counter() - began
        report = only(board.report(), "lag_ms", "lag_first_half_p99_ms", "lag_second_half_p99_ms", "beat_cpu_ms")
    return {
        "seconds": round(took, 1),
        "memory_mb": memory,
        "memory_growth_mb": round(memory[-1] - memory[len(memory) // 4], 1),
        **report,
    }


def only(report: dict[str, Any], *names: str) -> dict[str, Any]:
    """The part of a report that a scenario is about."""
    return {name: report[name] for name in names if name in report}


def main() -> int:
    """Run the scenarios and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument(
        "--nice", type=int, default=0, help="priority; -10 keeps other jobs of a busy machine out of it"
    )
    asked = parser.parse_args()
    os.nice(asked.nice)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenarios: dict[str, Callable[[], dict[str, Any]]] = {
            "first_screen": lambda: started_in_turns(
                "board", [*BOARD, "--rows", "300", "--rate", "0"], b"SYNTHETIC", folder, asked.peers
            ),
            "live_300_rows": lambda: live(folder, 300, 200),
            "live_10k_rows": lambda: live(folder, 10_000, 200),
            "live_100k_rows": lambda: live(folder, 100_000, 200),
            "live_10k_rows_2000_per_s": lambda: live(folder, 10_000, 2000),
            "idle": lambda: idle(folder),
            "slow_link": lambda: slow_link(folder),
            "sort_and_filter_100k_rows": lambda: sort_and_filter(folder),
            "million_results": lambda: million(folder),
        }
        report = about(
            "the widgets and the pacing, fed with SYNTHETIC rows; 160x48, truecolor, a terminal that answers"
        )
        for scenario, measure in scenarios.items():
            if not asked.only or scenario in asked.only:
                report[scenario] = measure()
                print(scenario, json.dumps(report[scenario]), flush=True)
    if asked.output:
        asked.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def about(what: str) -> dict[str, Any]:
    """What was run, where and when."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    model = [
        line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")
    ]
    return {
        "what": what,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "machine": {
            "cpu": model[0].partition(":")[2].strip() if model else platform.processor(),
            "cores": os.cpu_count(),
            "platform": platform.platform(),
            "load": os.getloadavg(),
            "nice": os.nice(0),
        },
        "python": platform.python_version(),
        "goals": GOALS,
    }


if __name__ == "__main__":
    sys.exit(main())
