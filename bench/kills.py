"""Kills app, agent and worker (SIGKILL) at random moments of real runs over a real sshd: is anything lost, done twice or left locked?

    python bench/kills.py [--kills 100] [--who app agent worker] [--output bench/results/kills.json]

Each sort of process is killed so many times, on a host of its own; all sorts at once unless --one-by-one.  An app that was killed, or
that gave up on agents that died again and again, is started again with the same command line, until the run is done.  The code is that
of tests/ssh/test_torture.py.  Results are written as they come.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.link_torture import circumstances  # noqa: E402
from tests.ssh.killing import WHO, Deaths, Killing  # noqa: E402
from tests.ssh.torture import percentile  # noqa: E402


class Board:
    """What was killed so far: a line on the terminal, and the result file."""

    def __init__(self, output: Path, kills: int) -> None:
        self._output, self._kills = output, kills
        self._deaths: dict[str, dict[str, Any]] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def show(self, deaths: Deaths, *, ended: bool = False) -> None:
        """One more, or all of one sort."""
        with self._lock:
            self._deaths[deaths.who] = {**deaths.as_json(), "ended": ended}
            done = sum(each["kills"] for each in self._deaths.values())
            wrong = sum(len(each["wrong"]) for each in self._deaths.values())
            filled = round(30 * done / self._kills)
            print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done}/{self._kills} kills, {wrong} wrong, "
                  f"{time.monotonic() - self._began:.0f} s", end="", flush=True, file=sys.stderr)  # fmt: skip
            self._output.write_text(json.dumps(self.report(), indent=1) + "\n")

    def report(self) -> dict[str, Any]:
        """Everything that is kept."""
        return {
            "what": "SIGKILL at random moments of runs over a real sshd on loopback",
            **circumstances(),
            "seconds": round(time.monotonic() - self._began, 1),
            "nothing_lost_doubled_or_left": all(each["ended"] and not each["wrong"] for each in self._deaths.values()),
            "by_process": {who: _figures(each) for who, each in self._deaths.items()},
        }


def _figures(deaths: dict[str, Any]) -> dict[str, Any]:
    free = deaths["lock_free_seconds"]
    shown = {key: value for key, value in deaths.items() if key not in {"who", "lock_free_seconds"}}
    if free:
        shown["lock_free_p50_seconds"] = round(percentile(free, 0.5), 4)
        shown["lock_free_max_seconds"] = round(max(free), 4)
    return shown


def main() -> int:
    """Kill, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of each")
    parser.add_argument("--who", nargs="+", choices=WHO, default=list(WHO))
    parser.add_argument("--trials", type=int, default=400, help="in each run")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--one-by-one", action="store_true")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "kills.json")
    asked = parser.parse_args()
    board = Board(asked.output, asked.kills * len(asked.who))

    def kill(who: str, folder: Path) -> None:
        deaths = Killing(folder / who, who=who, seed=asked.seed, trials=asked.trials).run(asked.kills, board.show)
        board.show(deaths, ended=True)

    at_once = 1 if asked.one_by_one else len(asked.who)
    with tempfile.TemporaryDirectory(prefix="tunetui-kills-") as name, ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda who: kill(who, Path(name)), asked.who))
    report = board.report()
    print(file=sys.stderr)
    for who, each in report["by_process"].items():
        print(f"{each['kills']} times the {who}: {each['runs']} runs, {each['agents']} agents, {each['events']} events, "
              f"{each['outcomes']} outcomes{_lock(each)}: "
              f"{'nothing lost, nothing doubled, nothing left' if not each['wrong'] else each['wrong']}")  # fmt: skip
    return 0 if report["nothing_lost_doubled_or_left"] else 1


def _lock(figures: dict[str, Any]) -> str:
    if "lock_free_max_seconds" not in figures:
        return ""
    return f", lock free after {1000 * figures['lock_free_p50_seconds']:.0f} ms (max {1000 * figures['lock_free_max_seconds']:.0f})"


if __name__ == "__main__":
    sys.exit(main())
