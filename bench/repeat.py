"""Holds two full runs of one grid against each other: is it the same winner, and do their intervals keep their word?

    python bench/repeat.py A.leaderboard.json B.leaderboard.json [--output bench/results/repeat.json]

"Inside" asks much: both medians scatter, so that of two runs whose 95 % intervals are perfectly honest one median lies in the other's
interval about 83 times in 100 (P(|Z| < 1.96 / sqrt 2)), and the intervals overlap about 99 times in 100.  What a leaderboard states of
another run is the *repeat interval* (``repeat_low`` to ``repeat_high``), sqrt 2 times as wide about the same median: a repeat's median keeps
to it 95 times in 100.  All of these shares are reported.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

WORST = 10


def load(path: Path) -> dict[str, Any]:
    """A leaderboard file, JSON."""
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def boards_of(leaderboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Boards by their problem."""
    return {json.dumps(board["problem"], sort_keys=True): board for board in leaderboard["boards"]}


def measured(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Rows with an interval, by trial."""
    return {row["trial"]: row for row in board["rows"] if "ci_low" in row.get("latency_ms", {})}


def inside_repeat(median: float, other: dict[str, float]) -> bool:
    """Whether a median lies in another measurement's repeat interval; in none where the leaderboard promises nothing."""
    return "repeat_low" in other and bool(other["repeat_low"] <= median <= other["repeat_high"])


def compare_rows(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What two measurements of one trial say of each other."""
    a, b = one["latency_ms"], other["latency_ms"]
    return {
        "implementation": one["implementation"],
        "configuration": one["configuration"],
        "first_ms": [a["ci_low"], a["median"], a["ci_high"]],
        "second_ms": [b["ci_low"], b["median"], b["ci_high"]],
        "first_inside_second": b["ci_low"] <= a["median"] <= b["ci_high"],
        "second_inside_first": a["ci_low"] <= b["median"] <= a["ci_high"],
        "second_inside_first_repeat": inside_repeat(b["median"], a),
        "first_inside_second_repeat": inside_repeat(a["median"], b),
        "overlap": a["ci_low"] <= b["ci_high"] and b["ci_low"] <= a["ci_high"],
        "difference_percent": round(100 * (b["median"] / a["median"] - 1), 3),
        "stages": [one.get("stage", ""), other.get("stage", "")],
        "tags": [one.get("tags", []), other.get("tags", [])],
    }


def compare_winners(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Whether the first tie groups are the same, and where each run's fastest row stands in the other."""
    first, second = one.get("winner", []), other.get("winner", [])
    ranks = [{row["trial"]: row.get("rank") for row in board["rows"]} for board in (one, other)]
    return {
        "problem": one["problem"],
        "same_group": set(first) == set(second),
        "first_group": len(first),
        "second_group": len(second),
        "shared": len(set(first) & set(second)),
        "first_s_fastest_ranks_second": ranks[1].get(first[0]) if first else None,
        "second_s_fastest_ranks_first": ranks[0].get(second[0]) if second else None,
        "each_fastest_in_the_other_s_group": bool(
            first and second and first[0] in second and second[0] in first
        ),
    }  # fmt: skip


def shares(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """In percent of the rows."""
    count = len(rows)

    def share(test: Any) -> float:
        return round(100 * sum(map(bool, map(test, rows))) / count, 2) if count else float("nan")

    sizes = sorted(abs(row["difference_percent"]) for row in rows)
    return {
        "rows": count,
        "first_inside_second_percent": share(lambda row: row["first_inside_second"]),
        "second_inside_first_percent": share(lambda row: row["second_inside_first"]),
        "inside_one_way_or_the_other_percent": share(
            lambda row: row["first_inside_second"] or row["second_inside_first"]
        ),
        "inside_both_ways_percent": share(lambda row: row["first_inside_second"] and row["second_inside_first"]),
        "first_inside_second_s_repeat_interval_percent": share(lambda row: row["first_inside_second_repeat"]),
        "second_inside_first_s_repeat_interval_percent": share(lambda row: row["second_inside_first_repeat"]),
        "intervals_overlap_percent": share(lambda row: row["overlap"]),
        "median_difference_percent": sizes[count // 2] if sizes else None,
        "largest_difference_percent": sizes[-1] if sizes else None,
    }


def compare(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Everything that is kept."""
    ours, theirs = boards_of(first), boards_of(second)
    winners, rows, only_in_one = [], [], 0
    for problem in ours.keys() & theirs.keys():
        winners.append(compare_winners(ours[problem], theirs[problem]))
        a, b = measured(ours[problem]), measured(theirs[problem])
        rows += [compare_rows(a[trial], b[trial]) for trial in a.keys() & b.keys()]
        only_in_one += len(a.keys() ^ b.keys())
    if not rows:
        raise SystemExit("the two leaderboards have no measured trial in common")
    implementations = sorted({row["implementation"] for row in rows})
    return {
        "what": "two full runs of one grid",
        "commit": os.environ.get("TUNETUI_COMMIT", ""),
        "runs": [
            {"name": each["run"]["name"], "started": each["run"]["started"], "finished": each["run"]["finished"],
             "generator": each["generator"]}
            for each in (first, second)
        ],
        "devices": [[(d["name"], d.get("driver", "")) for d in each.get("devices", [])] for each in (first, second)],
        "same_provenance": first.get("provenances", {}).keys() == second.get("provenances", {}).keys(),
        "boards": len(winners),
        "boards_not_in_both": len(ours.keys() ^ theirs.keys()),
        "same_winning_group": sum(each["same_group"] for each in winners),
        "each_fastest_in_the_other_s_group": sum(each["each_fastest_in_the_other_s_group"] for each in winners),
        "rows_measured_in_one_only": only_in_one,
        "visits": [
            {json.dumps(b["problem"].get("corpus_size", "")): b.get("visits", []) for b in each["boards"]}
            for each in (first, second)
        ],
        "all": shares(rows),
        "by_implementation": {
            name: shares([row for row in rows if row["implementation"] == name]) for name in implementations
        },
        "winners": winners,
        "largest_disagreements": sorted(rows, key=lambda row: -abs(row["difference_percent"]))[:WORST],
    }  # fmt: skip


def main() -> int:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "repeat.json")
    asked = parser.parse_args()
    result = compare(load(asked.first), load(asked.second))
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"same winning group on {result['same_winning_group']} of {result['boards']} boards; each run's fastest in the "
          f"other's group on {result['each_fastest_in_the_other_s_group']}")  # fmt: skip
    for name, value in result["all"].items():
        print(f"{name:<40} {value}")
    for row in result["largest_disagreements"]:
        print(f"{row['difference_percent']:+7.2f} %  {row['implementation']} {row['configuration']}  "
              f"{row['first_ms']} {row['second_ms']}  {row['tags']}")  # fmt: skip
    print(asked.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
