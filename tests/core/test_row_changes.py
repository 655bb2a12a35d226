from __future__ import annotations

import pytest

from tunetui.core.events import Record
from tunetui.core.run import fold
from tunetui.core.snapshot import PUTS_KEPT, Run
from tunetui_agent.messages import TrialRef, TrialStarted


def started(seq: int, trial: str) -> Record:
    ref = TrialRef(id=trial, implementation="numpy", problem={"n": 1}, configuration={}, provenance="p")
    return Record("agent", seq, float(seq), TrialStarted(trial=ref))


@pytest.mark.parametrize("count", [0, 1, 7, PUTS_KEPT + 1])
def test_the_rows_that_changed_are_those_set_since_then(count: int) -> None:
    before = fold(Run(), [started(seq, f"old {seq}") for seq in range(5)])
    after = fold(before, [started(5 + seq, f"new {seq}") for seq in range(count)])
    found = {row.trial for row in after.changed_since(before)}
    expected = {trial for trial, row in after.rows.items() if before.rows.get(trial) != row}
    assert found == expected
    assert after.changed_since(after) == []


def test_a_row_that_was_set_twice_is_told_once_as_it_is_now() -> None:
    before = fold(Run(), [started(0, "a"), started(1, "b")])
    after = fold(before, [started(2, "a"), started(3, "b"), started(4, "a")])
    changed = after.changed_since(before)
    assert {row.trial: row for row in changed} == dict(after.rows)
    assert len(changed) == 2


def test_what_is_kept_of_the_changes_stays_small() -> None:
    run = fold(Run(), [started(seq, f"{seq % 9}") for seq in range(3 * PUTS_KEPT)])
    assert len(run.latest_puts) == PUTS_KEPT
    assert run.puts >= 3 * PUTS_KEPT
