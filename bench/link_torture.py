"""Cuts the link of real runs over a real sshd again and again: does every event arrive once, and how soon is a run followed again?

    python bench/link_torture.py [--cuts 300] [--rtt 0 0.04 0.15] [--output bench/results/link_torture.json]

One host, with its own sshd and its own proxy, for each round trip time; all at once unless --one-by-one.  The cuts are of five kinds,
equally many of each, in a random order at random moments: reset, cut inside a packet, silence, sshd's session killed, sshd's session
stopped.  The code is that of tests/ssh/test_torture.py.  Results are written as they come.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.ssh.torture import Cut, Toll, Torture, figures, shuffled_kinds  # noqa: E402

GOALS_SECONDS = {0.0: 0.25, 0.04: 0.5, 0.15: 1.4}
NOTICED_GOAL_SECONDS = 5.0


class Board:
    """What all hosts have gone through so far: a line on the terminal, and the result file."""

    def __init__(self, output: Path, cuts: int) -> None:
        self._output, self._cuts = output, cuts
        self._tolls: dict[float, dict[str, Any]] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def show(self, toll: Toll, *, ended: bool = False) -> None:
        """One more cut was survived, or one host is done."""
        with self._lock:
            self._tolls[toll.rtt_seconds] = {**toll.as_json(), "ended": ended}
            done = sum(len(each["cuts"]) for each in self._tolls.values())
            filled = round(30 * done / self._cuts)
            wrong = sum(len(each["wrong"]) for each in self._tolls.values())
            print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done}/{self._cuts} cuts, {wrong} wrong, "
                  f"{time.monotonic() - self._began:.0f} s", end="", flush=True, file=sys.stderr)  # fmt: skip
            self._output.write_text(json.dumps(self.report(), indent=1) + "\n")

    def report(self) -> dict[str, Any]:
        """Everything that is kept."""
        cuts = [Cut(**cut) for toll in self._tolls.values() for cut in toll["cuts"]]
        return {
            "what": "runs over a real sshd on loopback, through a proxy that cuts their link; times in seconds",
            **circumstances(),
            "seconds": round(time.monotonic() - self._began, 1),
            "cuts": len(cuts),
            "cuts_hidden_by_the_end_of_a_run": sum(toll["uncounted"] for toll in self._tolls.values()),
            "runs": sum(toll["runs"] for toll in self._tolls.values()),
            "events": sum(toll["events"] for toll in self._tolls.values()),
            "outcomes": sum(toll["outcomes"] for toll in self._tolls.values()),
            "every_event_once_journals_identical_nothing_left": all(
                toll["ended"] and not toll["wrong"] for toll in self._tolls.values()
            ),
            "goals": {"reattached_p50": GOALS_SECONDS, "noticed": NOTICED_GOAL_SECONDS},
            "noticed_max_seconds": round(max((cut.noticed_seconds for cut in cuts), default=0.0), 3),
            "by_rtt": {
                str(rtt): {
                    **{key: toll[key] for key in ("runs", "events", "attachments", "wrong", "ended")},
                    "figures": dict(figures([Cut(**cut) for cut in toll["cuts"]])),
                }
                for rtt, toll in sorted(self._tolls.items())
            },
            "each_cut": [[cut.kind, cut.rtt_seconds, round(cut.noticed_seconds, 3), round(cut.reattached_seconds, 3)]
                         for cut in cuts],
        }  # fmt: skip


def circumstances() -> dict[str, Any]:
    """Machine, date, commit."""
    commit = os.environ.get("TUNETUI_COMMIT", "")
    if not commit:
        said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        commit = said.stdout.strip()
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "machine": {"cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(),
                    "platform": platform.platform(), "load": [round(load, 1) for load in os.getloadavg()]},
    }  # fmt: skip


def main() -> int:
    """Cut, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=300)
    parser.add_argument("--rtt", type=float, nargs="+", default=sorted(GOALS_SECONDS), metavar="SECONDS")
    parser.add_argument("--trials", type=int, default=1000, help="in each run")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--one-by-one", action="store_true")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "link_torture.json")
    asked = parser.parse_args()
    board = Board(asked.output, asked.cuts)
    share = -(-asked.cuts // len(asked.rtt))

    def torture(index: int, folder: Path) -> Toll:
        rtt, seed = asked.rtt[index], asked.seed + index
        host = Torture(folder / f"{index}", rtt_seconds=rtt, seed=seed, trials=asked.trials)
        toll = host.run(shuffled_kinds(min(share, asked.cuts - index * share), seed), board.show)
        board.show(toll, ended=True)
        return toll

    at_once = 1 if asked.one_by_one else len(asked.rtt)
    with tempfile.TemporaryDirectory(prefix="tunetui-torture-") as name, ThreadPoolExecutor(at_once) as pool:
        tolls = list(pool.map(lambda index: torture(index, Path(name)), range(len(asked.rtt))))
    report = board.report()
    print(file=sys.stderr)
    summarize(report)
    return 0 if report["every_event_once_journals_identical_nothing_left"] and tolls else 1


def summarize(report: dict[str, Any]) -> None:
    """The report in a few lines."""
    print(f"{report['cuts']} cuts in {report['runs']} runs, {report['events']} events: "
          f"{'every event once, journals identical, no process left' if report['every_event_once_journals_identical_nothing_left'] else 'WRONG'}")  # fmt: skip
    for rtt, toll in report["by_rtt"].items():
        for kind, row in toll["figures"].items():
            print(f"  RTT {1000 * float(rtt):4.0f} ms  {kind:<16} {row['cuts']:4d} cuts  noticed {row['noticed_p50_seconds']:.2f} "
                  f"(max {row['noticed_max_seconds']:.2f})  attached again {row['reattached_p50_seconds']:.2f} "
                  f"p90 {row['reattached_p90_seconds']:.2f} s")  # fmt: skip
        for wrong in toll["wrong"]:
            print(f"  WRONG at RTT {rtt}: {wrong}")


if __name__ == "__main__":
    sys.exit(main())
