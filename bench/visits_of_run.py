"""What the second visits of one run cost and gave: from its events (``--events``) and its leaderboard file.

python bench/visits_of_run.py EVENTS.jsonl BOARD.leaderboard.json
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def main() -> int:
    """Print both."""
    lines = Path(sys.argv[1]).read_text().splitlines()
    records: list[dict[str, Any]] = [json.loads(line)["record"] for line in lines if line.startswith("{")]
    measured = [each for each in records if each["kind"] == "TrialMeasured"]
    for stage in dict.fromkeys(each["stage"] for each in measured):
        of_stage = [each for each in measured if each["stage"] == stage]
        spent = sum(each["seconds"] for each in of_stage)
        wall = of_stage[-1]["t"] - of_stage[0]["t"] + of_stage[0]["seconds"]
        print(f"{stage:<10} {len(of_stage):>5} trials, {spent:6.1f} s of their own, {wall:6.1f} s from first to last")
    again = [each for each in measured if each["stage"] == "revisit"]
    groups = Counter(
        (each["trial"]["implementation"], json.dumps(each["trial"]["problem"], sort_keys=True)) for each in again
    )
    for (implementation, problem), count in sorted(groups.items()):
        slowest = max(
            each["seconds"]
            for each in again
            if (each["trial"]["implementation"], json.dumps(each["trial"]["problem"], sort_keys=True))
            == (implementation, problem)
        )
        print(f"  {implementation:<10} {count:>3} second visits, slowest {slowest:.2f} s  {problem}")
    board = json.loads(Path(sys.argv[2]).read_bytes())
    print(board["method"].get("visits", "no second visits"))
    for each in board["boards"]:
        for part in each.get("visits", []):
            print(" ", each["problem"], part)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
