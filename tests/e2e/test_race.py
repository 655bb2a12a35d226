"""Races as the user sees them: in the journal, in the table, and when a sweep is taken up again."""

from __future__ import annotations

from typing import Any

from tests.e2e.workplace import Workplace

# Every other call does twice the work, so that equals never come apart; of 24 samples the interval at 99.9 % leaves out
# the three slowest, so that a busy machine lets nobody else in.
UNSTEADY = """
import itertools
import numpy as np

calls = itertools.count()

def double(x, y, *, how, number):
    for _ in range(200 * (1 + next(calls) % 2) * (20 if number == 9 else 1)):
        np.multiply(x, 2, out=y)
"""
TIED = "confidence_percent = 99.9\nprecision_percent = 0.001"


def write_grid(workplace: Workplace, number: str) -> None:
    (workplace.folder / "kernel" / "double.py").write_text(UNSTEADY)
    workplace.grid(TIED, number=number)
    workplace.edit("grid.toml", "finalists = 0", "finalists = 8")
    for name in ("min_samples", "max_samples"):
        workplace.edit("grid.toml", f"{name} = 6", f"{name} = 24")


def of_kind(workplace: Workplace, kind: str) -> list[dict[str, Any]]:
    return [each["record"] for each in workplace.records() if each["record"]["kind"] == kind]


def stages(workplace: Workplace) -> dict[str, str]:
    return {name: row["stage"] for name, row in workplace.rows().items()}


def test_finalists_are_raced_and_marked_and_old_leaders_race_again_with_new_rows(workplace: Workplace) -> None:
    write_grid(workplace, "[1, 2, 9]")
    out, said = workplace.run()
    assert "then up to about 10 s to race finalists" in said
    assert said.count("[race] numpy") == 2
    assert "* measured in turns, in one race of the finalists" in out
    assert stages(workplace) == {"does well 1": "finalists", "does well 2": "finalists", "does well 9": "sweep"}
    assert "2 finalists measured again in turns" in workplace.leaderboard()["method"]["race"]

    again, said = workplace.run()
    assert again == out
    assert "nothing left to measure" in said
    assert len(of_kind(workplace, "RaceStarted")) == 1

    write_grid(workplace, "[1, 2, 3, 9]")
    workplace.run()
    assert stages(workplace)["does well 3"] == "finalists"
    first, second = of_kind(workplace, "RaceStarted")
    assert set(second["trials"]) > set(first["trials"])
    assert set(workplace.outcomes().values()) == {1}, "the sweep measured nothing twice"


def test_stale_rows_are_not_raced_with_those_that_replace_them(workplace: Workplace) -> None:
    write_grid(workplace, "[1, 2]")
    workplace.run("--format", "none")
    workplace.edit("kernel/double.py", "200 *", "100 *")
    workplace.run("--format", "none")
    old, new = of_kind(workplace, "RaceStarted")
    assert set(old["trials"]) == set(new["trials"])
    finalists = [each for each in of_kind(workplace, "TrialMeasured") if each["stage"] == "finalists"]
    assert len({each["trial"]["provenance"] for each in finalists[:2]} & {
        each["trial"]["provenance"] for each in finalists[2:]
    }) == 0  # fmt: skip


def test_what_a_race_cannot_change_makes_no_row_stale(workplace: Workplace) -> None:
    workplace.run("--format", "none", "--set", "method.finalists=0")
    options = ("finalists=4", "finalists_seconds=1", "sentinel_seconds=5", "throttle_retries=1")
    _, said = workplace.run("--format", "none", *(part for each in options for part in ("--set", f"method.{each}")))
    assert "3 rows done, 0 trials to measure" in said


def test_a_race_of_one_is_a_mistake_in_the_grid(workplace: Workplace) -> None:
    _, said = workplace.run("--set", "method.finalists=1", code=2)
    assert "expected 0 (no race) or at least 2, found 1" in said
