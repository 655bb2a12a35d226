"""A long journal for benches of the whole app: a real run's records repeated under new ids, labelled SYNTHETIC.

    python bench/tui_journal.py JOURNAL OUT --rows 10000 --rate 200 --seconds 60

The run that it tells of never took place: its name and its device say so on every screen.  It is replayed, never kept.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LABEL = "SYNTHETIC"
SAMPLES_KEPT = 9
PRELOAD_S = 1.0
QUEUED_AT_ONCE = 1000
SOURCE = "synthetic-agent"
SETTINGS: dict[str, list[int | str]] = {
    "tile_rows": [1024, 2048, 4096, 8192],
    "select": ["argpartition", "sort"],
    "threads": [1, 2, 4, 8],
}

Line = dict[str, Any]


def records(journal: Path, rows: int, rate: float, seconds: float, *, grow: bool) -> Iterator[Line]:
    """The envelopes of the made-up journal: ``rows`` measured rows at once, then ``rate`` results per second."""
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    kinds = {line["record"]["kind"]: line["record"] for line in reversed(lines)}
    plan, measured = copy.deepcopy(kinds["RunPlanned"]), kinds["TrialMeasured"]
    start = plan["t"]
    plan |= {"name": f"{LABEL} bench", "run": "synthetic-00000000"}
    yield {"from": "app", "record": plan}
    provenance = [line["record"] for line in lines if line["record"]["kind"] == "ProvenanceRecorded"]
    for seq, record in enumerate(provenance, 1):
        yield {"from": "app", "record": {**record, "seq": seq}}
    draw, number = random.Random(3), 0
    trials = [_trial(measured["trial"], at) for at in range(rows + int(grow * rate * seconds / 2))]
    for place, first in enumerate(range(0, rows, QUEUED_AT_ONCE)):
        queued = {"kind": "TrialsQueued", "trials": trials[first : min(first + QUEUED_AT_ONCE, rows)]}
        yield {"from": "app", "record": {"seq": 1 + len(provenance) + place, "t": start, **queued}}
    device = copy.deepcopy(kinds["DeviceFound"])
    device["device"]["name"] = f"{LABEL} device"
    for record in (kinds["AgentStarted"], device):
        yield _agent(record, number, start)
        number += 1
    for trial in trials[:rows]:
        yield _agent(_measured(measured, trial, draw, "sweep"), number, start)
        number += 1
    new = iter(trials[rows:])
    for at in range(int(rate * seconds)):
        trial = next(new) if grow and at % 2 else trials[draw.randrange(rows)]
        yield _agent(_measured(measured, trial, draw, "remeasured"), number, start + PRELOAD_S + at / rate)
        number += 1


def _trial(like: Line, number: int) -> Line:
    settings = {name: values[number // 3**place % len(values)] for place, (name, values) in enumerate(SETTINGS.items())}
    return {**like, "id": f"{number:016x}", "configuration": {**like["configuration"], **settings}}


def _measured(like: Line, trial: Line, draw: random.Random, stage: str) -> Line:
    scale = 0.05 + 4 * draw.random() ** 3
    samples = [int(each * scale) for each in like["samples_ns"][:SAMPLES_KEPT]]
    return {**like, "trial": trial, "samples_ns": samples, "stage": stage}


def _agent(record: Line, seq: int, t: float) -> Line:
    return {"from": SOURCE, "record": {**record, "seq": seq, "t": t}}


def write_journal(journal: Path, out: Path, rows: int, rate: float, seconds: float, *, grow: bool = False) -> None:
    """Write the made-up journal to ``out``."""
    with out.open("w", encoding="utf-8") as file:
        for line in records(journal, rows, rate, seconds, grow=grow):
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


def main() -> int:
    """Write one journal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("journal", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--grow", action="store_true", help="half of the results are of new rows")
    asked = parser.parse_args()
    write_journal(asked.journal, asked.out, asked.rows, asked.rate, asked.seconds, grow=asked.grow)
    return 0


if __name__ == "__main__":
    sys.exit(main())
