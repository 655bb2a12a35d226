"""Does `tunetui compare` call a run's own repetition faster or slower, and does it find a slowdown that was put in?

    python bench/compare_repeat.py A.leaderboard.json B.leaderboard.json [--every 3] [--output bench/results/compare_repeat.json]

Three questions:

- the two runs as they were measured, in both orders: every FASTER and SLOWER is false;
- every so many-th row of the second made slower by 1 to 6 %, one at a time (its samples, median and intervals multiplied), and
  compared within its problem (some 200 rows here): how often is it found, and is any other row called faster or slower meanwhile;
- the same questions to numbers drawn at random, where what is true is known: 200 rows whose visits scatter by a stated share,
  sampled and stopped as tunetui does, with 8 second visits.  These say whether the tests keep their stated error rate; they
  are no figures of any device.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tunetui.core.compare import FASTER, SLOWER, UNDECIDED, Comparison, compare
from tunetui.core.leaderboard import Board, Entry, Latency, Leaderboard, VisitsPart
from tunetui.session import read_leaderboard
from tunetui_agent.messages import Visit, spread_of
from tunetui_agent.stopping import median_interval

TIMES = ("median", "ci_low", "ci_high", "visit_low", "visit_high", "p5", "p95", "p99", "min")
PLANTED_PERCENT = (1.0, 2.0, 3.0, 4.0, 6.0)
ROWS, ROUNDS, REVISITS, Z95 = 200, 100, 8, 1.959964


def scaled(row: Entry, factor: float) -> Entry:
    """The row as if every execution had taken ``factor`` times as long: no measurement."""
    latency = row.latency_ms
    if latency is None:
        return row
    times = {name: factor * value for name in TIMES if (value := getattr(latency, name)) is not None}
    samples = [round(factor * sample) for sample in row.samples_ns]
    return msgspec.structs.replace(row, latency_ms=msgspec.structs.replace(latency, **times), samples_ns=samples)


def planted(leaderboard: Leaderboard, place: tuple[int, int], factor: float) -> Leaderboard:
    """A copy in which the row at (board, row) is slower by ``factor``."""
    boards = list(leaderboard.boards)
    rows = list(boards[place[0]].rows)
    rows[place[1]] = scaled(rows[place[1]], factor)
    boards[place[0]] = msgspec.structs.replace(boards[place[0]], rows=rows)
    return msgspec.structs.replace(leaderboard, boards=boards)


def only(leaderboard: Leaderboard, place: int) -> Leaderboard:
    """A copy with one of its problems; both runs of a grid have them in the same order."""
    return msgspec.structs.replace(leaderboard, boards=[leaderboard.boards[place]])


def decided(found: Comparison) -> set[str]:
    """Every row that is called faster or slower, by problem, implementation and configuration."""
    return {
        json.dumps([board.problem, row.implementation, row.configuration])
        for board in found.boards
        for row in board.rows
        if row.verdict in {FASTER, SLOWER}
    }


def of_runs(first: Leaderboard, second: Leaderboard, every: int) -> dict[str, Any]:
    """The first two questions."""
    found = compare(first, second)
    boards = [(only(first, b), only(second, b)) for b in range(len(second.boards))]
    places = [(b, r) for b, board in enumerate(second.boards) for r, row in enumerate(board.rows) if row.latency_ms]
    plants = []
    for percent in PLANTED_PERCENT:
        hits = others = 0
        for b, r in places[::every]:
            row = second.boards[b].rows[r]
            name = json.dumps([second.boards[b].problem, row.implementation, row.configuration])
            called = decided(compare(boards[b][0], planted(boards[b][1], (0, r), 1.0 + percent / 100.0)))
            hits += name in called
            others += bool(called - {name})
        plants.append({
            "planted_percent": percent, "rows": len(places[::every]), "found": hits,
            "found_percent": round(100.0 * hits / len(places[::every]), 1), "with_another_row_called": others,
        })  # fmt: skip
        print(plants[-1], flush=True)
    return {
        "rows": sum(found.counts.values()),
        "verdicts": found.counts,
        "verdicts_in_the_other_order": compare(second, first).counts,
        "changes": [one.what for one in found.changes],
        "noise": [
            {"problem": board.problem, **msgspec.to_builtins(noise)} for board in found.boards for noise in board.noise
        ],
        "planted": plants,
        "largest_undecided": [
            {"implementation": row.implementation, "problem": board.problem, "percent": round(row.difference.percent, 2),
             "reason": row.reason}
            for board, row in sorted(
                ((b, row) for b in found.boards for row in b.rows if row.verdict == UNDECIDED and row.difference),
                key=lambda each: -abs(each[1].difference.percent),
            )[:5]
            if row.difference
        ],
    }  # fmt: skip


# ---------------------------------------------------------------------------------- numbers drawn at random


def one_visit(generator: np.random.Generator, centre: float, within: float, most: int = 1000) -> list[int]:
    """Samples of one visit, log-normal, until the median is known to 1 % or there are ``most``."""
    drawn = np.rint(centre * np.exp(within * generator.standard_normal(most))).astype(int).tolist()
    count = 10
    while count < most:
        found = median_interval(drawn[:count], 95.0)
        if found is not None and found.half_width_percent <= 1.0:
            break
        count = math.ceil(1.25 * count)
    return list(drawn[:count])


def drawn_run(generator: np.random.Generator, between: float, heavy: bool) -> Leaderboard:
    """A run of `ROWS` rows whose visits scatter by ``between``, normally or with heavy tails (Student's t, 4 degrees)."""

    def visit(row: int) -> list[int]:
        noise = generator.standard_t(4) / math.sqrt(2.0) if heavy else generator.standard_normal()
        return one_visit(generator, 50_000 * (1 + row / ROWS) * math.exp(between * noise), 0.01 + 0.02 * (row % 3))

    entries, twice = [], []
    for number in range(ROWS):
        samples = visit(number)
        entries.append(entry_of(number, samples))
        if number % (ROWS // REVISITS) == 0:
            twice.append([visit_of(samples), visit_of(visit(number))])
    spread = spread_of(twice, 95.0)
    assert spread is not None  # noqa: S101 - every one has two visits
    half = 100.0 * spread.half_width(95.0)
    part = VisitsPart(implementation="drawn", sd_percent=100.0 * spread.relative_sd, half_width_percent=half,
                      rows=spread.trials, revisits=REVISITS)  # fmt: skip
    return board_of(entries, part)


def visit_of(samples: list[int]) -> Visit:
    """The visit's median and interval."""
    found = median_interval(samples, 95.0)
    assert found is not None  # noqa: S101 - never fewer than ten samples
    return Visit(float(np.median(samples)), found.low, found.high)


def entry_of(number: int, samples: list[int]) -> Entry:
    """A row of drawn numbers."""
    visit = visit_of(samples)
    p5, p95, p99 = (float(each) / 1e6 for each in np.quantile(samples, (0.05, 0.95, 0.99)))
    latency = Latency(
        median=visit.median / 1e6, ci_low=visit.low / 1e6, ci_high=visit.high / 1e6, p5=p5, p95=p95, p99=p99,
        min=min(samples) / 1e6, n=len(samples),
    )  # fmt: skip
    return Entry(implementation="drawn", configuration={"row": number}, status="measured", latency_ms=latency,
                 trial=f"{number:016x}", provenance="drawn", samples_ns=samples)  # fmt: skip


def board_of(entries: list[Entry], part: VisitsPart) -> Leaderboard:
    """A leaderboard around them."""
    run = {"id": "drawn", "name": "drawn at random", "started": "", "finished": "", "ended": "done", "tunetui_version": "",
           "command": "", "seed": 0, "grid": {}, "axes": {}, "trials_planned": len(entries),
           "trials_measured": len(entries), "trials_failed": 0}  # fmt: skip
    method = {"percentiles": "", "interval": "", "test": "", "ranking": ""}
    made = {
        "schema_version": 1,
        "generator": "drawn at random",
        "run": run,
        "kernel": {"name": "none"},
        "method": method,
    }
    leaderboard = msgspec.convert(made, Leaderboard)
    return msgspec.structs.replace(leaderboard, boards=[Board(problem={"n": 1}, visits=[part], rows=entries)])


def of_drawn(rounds: int) -> list[dict[str, Any]]:
    """The third question, for several spreads between visits."""
    generator = np.random.default_rng(20)
    found = []
    for between, heavy in ((0.0, False), (0.003, False), (0.01, False), (0.003, True), (0.01, True)):
        false_alarms = rows = hits = 0
        for _ in range(rounds):
            first, second = (drawn_run(generator, between, heavy) for _ in range(2))
            false = len(decided(compare(first, second)))
            rows += false
            false_alarms += bool(false)
            hits += len(decided(compare(first, planted(second, (0, int(generator.integers(ROWS))), 1.03)))) > false
        found.append({
            "between_visits_percent": 100.0 * between, "tails": "Student's t, 4 degrees" if heavy else "normal",
            "comparisons_of_200_rows": rounds, "with_a_false_verdict": false_alarms, "false_rows": rows,
            "planted_3_percent_found": hits,
        })  # fmt: skip
        print(found[-1], flush=True)
    return found


def main() -> int:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--every", type=int, default=3, help="of the rows, one in so many is made slower")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "compare_repeat.json")
    asked = parser.parse_args()
    first, second = read_leaderboard(asked.first), read_leaderboard(asked.second)
    result = {
        "what": "a run held against its own repetition, and against copies with one slower row",
        "runs": [{"id": each.run.id, "started": each.run.started, "finished": each.run.finished,
                  "devices": [[d.name, d.driver] for d in each.devices]} for each in (first, second)],
        **of_runs(first, second, asked.every),
        "drawn_at_random": of_drawn(asked.rounds),
    }  # fmt: skip
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["verdicts"]), asked.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
