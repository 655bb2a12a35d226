"""Several runs of one grid: how far do two runs lie apart beyond what their samples say, and for which values of an axis?

    python bench/run_to_run.py A.leaderboard.json B.leaderboard.json ... [--by block_size] [--output bench/results/run_to_run.json]

For each pair of runs and each value of the axis: with d the logarithm of the ratio of a row's two medians, less the median of all d of
that group, the standard deviation of one median is the root of (mean d² - mean of both squared standard errors) / 2; below 0 it is
given as the negative root.  A row's standard error is half of its visit's interval over the normal quantile.  Also: how far the library
rows were from the first of their problem when each was measured, since who comes first decides what a process allocates first.
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import combinations
from pathlib import Path
from statistics import mean, median
from typing import Any

Z95 = 1.959964
Key = tuple[str, str]
"""Problem and trial."""


def rows_of(path: Path) -> dict[Key, dict[str, Any]]:
    """Every measured row of a leaderboard file."""
    boards = json.loads(path.read_bytes())["boards"]
    return {
        (json.dumps(board["problem"], sort_keys=True), row["trial"]): row
        for board in boards
        for row in board["rows"]
        if "ci_low" in row.get("latency_ms", {})
    }


def standard_error(latency: dict[str, float]) -> float:
    """Of the log median, as the visit's own samples tell it."""
    low, high = latency.get("visit_low", latency["ci_low"]), latency.get("visit_high", latency["ci_high"])
    return (high - low) / (2 * Z95 * latency["median"])


def apart(first: list[dict[str, float]], second: list[dict[str, float]]) -> dict[str, float]:
    """Two runs' latencies of the same rows."""
    ratios = [math.log(b["median"] / a["median"]) for a, b in zip(first, second, strict=True)]
    shift = median(ratios)
    own = mean(standard_error(a) ** 2 + standard_error(b) ** 2 for a, b in zip(first, second, strict=True))
    beyond = (mean((ratio - shift) ** 2 for ratio in ratios) - own) / 2
    return {
        "rows": len(ratios),
        "shift_percent": round(100 * math.expm1(shift), 3),
        "sd_beyond_samples_percent": round(math.copysign(100 * math.sqrt(abs(beyond)), beyond), 3),
        "sd_of_samples_percent": round(100 * math.sqrt(own / 2), 3),
        "largest_percent": round(100 * math.expm1(max(ratios, key=abs)), 2),
    }  # fmt: skip


def places_of_baselines(rows: dict[Key, dict[str, Any]]) -> dict[str, list[int]]:
    """By library: how many rows of its problem were measured before it, for each problem; raced rows are not counted."""
    found: dict[str, list[int]] = {}
    for problem in sorted({problem for problem, _ in rows}):
        swept = [row for (own, _), row in rows.items() if own == problem and row.get("stage") != "finalists"]
        for place, row in enumerate(sorted(swept, key=lambda row: row["measured_at"])):
            if "baseline" in row.get("tags", []):
                found.setdefault(row["implementation"], []).append(place)
    return found


def main() -> int:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", type=Path, nargs="+")
    parser.add_argument("--by", default="block_size")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "run_to_run.json")
    asked = parser.parse_args()
    runs = [rows_of(path) for path in asked.boards]
    shared = [key for key in runs[0] if all(key in run for run in runs) and asked.by in runs[0][key]["configuration"]]
    values = sorted({runs[0][key]["configuration"][asked.by] for key in shared})
    groups = {value: [key for key in shared if runs[0][key]["configuration"][asked.by] == value] for value in values}
    pairs = []
    for one, other in combinations(range(len(runs)), 2):
        by = {
            str(value): apart(*([runs[n][key]["latency_ms"] for key in keys] for n in (one, other)))
            for value, keys in groups.items()
        }
        pairs.append({"runs": [one, other], asked.by: by})
        print(one, other, {value: each["sd_beyond_samples_percent"] for value, each in by.items()})
    result = {
        "what": f"runs of one grid in pairs, by {asked.by}",
        "runs": [
            {"started": json.loads(path.read_bytes())["run"]["started"], "rows_before_libraries": places_of_baselines(run)}
            for path, run in zip(asked.boards, runs, strict=True)
        ],
        "pairs": pairs,
        "medians_us": [
            {"implementation": row["implementation"], **row["configuration"], "problem": json.loads(key[0]),
             "medians": [round(1e3 * run[key]["latency_ms"]["median"], 3) for run in runs]}
            for key in shared
            for row in [runs[0][key]]
        ],
    }  # fmt: skip
    asked.output.write_text(
        json.dumps(result, indent=None, separators=(",", ":")).replace('{"implementation"', '\n{"implementation"')
        + "\n"
    )
    print(asked.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
