"""What tunetui itself costs: folding a journal, writing and reading a leaderboard, and time per trial around the work.

    python bench/overhead.py JOURNAL [--output bench/results/overhead.json]

JOURNAL is the journal of a real run (`$XDG_DATA_HOME/tunetui/runs/<run>/journal.jsonl`).  Parts (a) and (b) are
speed benches: the records that the run measured are repeated under new trial ids until there are 100,000, so their
sizes are real; the repeated figures are results of nothing and are thrown away.  Part (c) reads the run as it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from tunetui.core.events import Record, TrialsQueued
from tunetui.core.publishing import build_leaderboard
from tunetui.core.records import wrap
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.store.atomic import write_atomically
from tunetui.store.journal import read_journal
from tunetui.store.leaderboard import read_leaderboard, to_json, to_toml
from tunetui.store.recovery import recover
from tunetui_agent.messages import BuildFinished, TrialMeasured, TrialStarted, encode_event

ROWS = 100_000
REPEATS = 5
GOALS = {"fold_seconds": 1.5, "write_seconds": 3.0, "read_seconds": 3.0, "per_trial_ms": 3.0}


def main() -> int:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("journal", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "overhead.json")
    asked = parser.parse_args()
    recovered = read_journal(asked.journal)
    measured = [r for r in recovered.records if isinstance(r.event, TrialMeasured)]
    if not measured:
        sys.exit(f"{asked.journal} holds no measured trial")
    with tempfile.TemporaryDirectory() as folder:
        report = {
            "what": "speed of tunetui itself; (a) and (b) repeat the records of one real run to reach the size",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {
                "cpu": _cpu(),
                "cores": os.cpu_count(),
                "platform": platform.platform(),
                "load": os.getloadavg(),
            },
            "python": platform.python_version(),
            "goals": GOALS,
            "fold": fold_speed(recovered.records, measured),
            "leaderboard": leaderboard_speed(recovered.records, measured, Path(folder)),
            "per_trial": per_trial(recovered.records),
        }
    asked.output.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    return 0


def fold_speed(records: list[Record], measured: list[Record]) -> dict[str, Any]:
    """(a) 100,000 recorded events: the fold alone, and with reading them from the journal's bytes."""
    opening = [r for r in records if r.source == "app"][:1]
    many = _repeated(measured)
    lines = [wrap(r.source, encode_event(r.seq, r.t, r.event)) for r in many]
    data = b"".join(lines)
    folded = _seconds(lambda: fold(Run(), [*opening, *many]))
    decoded = _seconds(lambda: recover(data))
    return {"events": len(many), "bytes": len(data), "fold": folded, "decode": decoded}


def leaderboard_speed(records: list[Record], measured: list[Record], folder: Path) -> dict[str, Any]:
    """(b) A 100,000-row leaderboard: built (ranked and judged), written, read, in both formats."""
    plan = next(r for r in records if r.source == "app")
    around = [r for r in records if type(r.event).__name__ in {"AgentStarted", "DeviceFound", "ProvenanceRecorded"}]
    many = _repeated(measured)
    queued = Record("app", 1, plan.t, TrialsQueued(trials=[r.event.trial for r in many]))  # type: ignore[union-attr]
    run = fold(Run(), [plan, *around, queued, *many])
    built: list[Any] = []
    report: dict[str, Any] = {"rows": len(many), "build": _seconds(lambda: built.append(build_leaderboard(run)), 1)}
    leaderboard = built[0]
    rows = [row for board in leaderboard.boards for row in board.rows]
    report["mean_samples_per_row"] = round(sum(len(row.samples_ns) for row in rows) / len(rows), 1)
    for name, encode in (("toml", to_toml), ("json", to_json)):
        path = folder / f"bench.leaderboard.{name}"
        write = _seconds(lambda encode=encode, path=path: write_atomically({path: encode(leaderboard)}))  # type: ignore[misc]
        read = _seconds(lambda path=path: read_leaderboard(path))  # type: ignore[misc]
        if read_leaderboard(path) != leaderboard:
            sys.exit(f"{path} does not read back equal")
        report[name] = {"bytes": path.stat().st_size, "write": write, "read": read}
    return report


def per_trial(records: list[Record]) -> dict[str, Any]:
    """(c) Milliseconds per trial beyond building, verifying and sampling, as the agent's own records say.

    What the worker spent outside its phases, plus the gap until the next trial began.  Gaps in which a build
    finished are left out: the device may have waited for it.
    """
    inside, gaps = [], []
    before: Record | None = None
    for record in records:
        if isinstance(record.event, TrialMeasured) and record.event.stage == "sweep":
            event = record.event
            inside.append(1000 * (event.seconds - event.sampling_seconds - event.verify_seconds))
            before = record
        elif isinstance(record.event, BuildFinished):
            before = None
        elif isinstance(record.event, TrialStarted) and before is not None:
            gaps.append(1000 * (record.t - before.t))
            before = None
    return {
        "trials": len(inside),
        "gaps": len(gaps),
        "inside_ms": _spread(inside),
        "gap_ms": _spread(gaps),
        "median_ms": round(median(inside) + (median(gaps) if gaps else 0.0), 3),
    }


def _repeated(measured: list[Record]) -> list[Record]:
    """The measured records under new trial ids, each an object of its own, as decoding makes them."""
    many = []
    for number in range(ROWS):
        record = measured[number % len(measured)]
        event = record.event
        if not isinstance(event, TrialMeasured):
            raise TypeError(type(event).__name__)
        trial = dataclasses.replace(event.trial, id=f"{number:016x}", problem=dict(event.trial.problem))
        event = dataclasses.replace(event, trial=trial, samples_ns=list(event.samples_ns))
        many.append(msgspec.structs.replace(record, seq=number, event=event))
    return many


def _seconds(work: Callable[[], Any], repeats: int = REPEATS) -> dict[str, float]:
    """Best and median of ``repeats``; on a machine with other work the best says what the code costs."""
    walls, cpus = [], []
    for _ in range(repeats):
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {
        "wall_seconds_best": round(min(walls), 3),
        "wall_seconds_median": round(median(walls), 3),
        "cpu_seconds_best": round(min(cpus), 3),
    }


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"min": round(min(values), 3), "median": round(median(values), 3), "max": round(max(values), 3)}


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


if __name__ == "__main__":
    sys.exit(main())
