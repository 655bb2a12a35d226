"""Whether a winner still holds: right, as fast, the same kernel; from leaderboards made of hand-made samples."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.cli.boards import leaderboard, outcomes
from tunetui.core.decoding import decode_grid
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.leaderboard import Entry, Leaderboard, VisitsPart
from tunetui.core.verifying import EXIT_CODES, Verification, grid_of, only, together, verify, winners_of
from tunetui.store.toml_writing import dumps

VISITS = [VisitsPart(implementation="mojo", sd_percent=0.2, half_width_percent=0.6, rows=1, revisits=8)]


def before(**row: Any) -> Leaderboard:
    return changed(leaderboard(), **row)


def changed(one: Leaderboard, *, visits: bool = True, fields: dict[str, Any] | None = None, **row: Any) -> Leaderboard:
    """Its winner with other fields, and with what is known of its visits and its provenance."""
    (board,) = one.boards
    first = msgspec.structs.replace(board.rows[0], **row)
    board = msgspec.structs.replace(board, rows=[first, *board.rows[1:]], visits=VISITS if visits else [])
    return msgspec.structs.replace(
        one, boards=[board], provenances={"v": fields or {"kernel_source": "a", "driver": "1"}}
    )


def slower_by(percent: float) -> Entry:
    row = leaderboard().boards[0].rows[0]
    assert row.latency_ms is not None
    scale = 1 + percent / 100
    latency = {
        name: value for name in row.latency_ms.__struct_fields__ if (value := getattr(row.latency_ms, name)) is not None
    }
    latency = {name: value if name == "n" else value * scale for name, value in latency.items()}
    samples = [round(sample * scale) for sample in row.samples_ns]
    return msgspec.structs.replace(row, latency_ms=type(row.latency_ms)(**latency), samples_ns=samples)


def verified(then: Leaderboard, now: Leaderboard) -> Verification:
    winners = winners_of(then)
    return verify(then, winners, only(now, winners_of(now)) if now.boards[0].winner else now, 5.0)


def now(percent: float = 0.0, **more: Any) -> Leaderboard:
    row = slower_by(percent)
    return changed(leaderboard(), latency_ms=row.latency_ms, samples_ns=row.samples_ns, **more)


def test_a_winner_that_is_as_fast_or_faster_holds() -> None:
    for percent, latency in ((0.0, "same"), (1.0, "same"), (-20.0, "faster")):
        found = verified(before(), now(percent))
        assert (found.outcome, found.winners[0].latency.lower(), found.exit_code) == ("holds", latency, ExitCode.OK)


def test_a_winner_that_is_slower_does_not_hold_and_one_in_between_is_undecided() -> None:
    assert verified(before(), now(20.0)).exit_code == ExitCode.TARGET_MISSED
    close = verified(before(), now(4.8))
    assert close.winners[0].latency.lower() in {"slower", "undecided"}
    unknown = verified(before(visits=False), now(0.0, visits=False))
    assert (unknown.outcome, unknown.exit_code) == ("undecided", ExitCode.UNDECIDED)
    assert "second visits" in unknown.winners[0].reason or "visits" in unknown.winners[0].reason


def test_visits_that_the_first_lacks_are_lent_by_the_second_and_that_is_said() -> None:
    found = verified(before(visits=False), now())
    assert (found.outcome, found.noise) == ("holds", "second visits of this verification, for both")
    assert verified(before(), now()).noise == ""


def test_a_wrong_result_is_worse_than_anything_else() -> None:
    wrong = changed(leaderboard(), status="wrong", cause="recall 0.2", rank=None, tie_group=None, latency_ms=None)
    wrong = msgspec.structs.replace(wrong, boards=[msgspec.structs.replace(wrong.boards[0], winner=[])])
    found = verified(before(fields={"kernel_source": "other"}), wrong)
    assert (found.outcome, found.winners[0].reason, found.exit_code) == ("wrong", "recall 0.2", ExitCode.WRONG)
    failed = msgspec.structs.replace(wrong.boards[0].rows[0], status="build_failed", cause="no compiler")
    board = msgspec.structs.replace(wrong.boards[0], rows=[failed])
    found = verified(before(), msgspec.structs.replace(wrong, boards=[board]))
    assert (found.outcome, found.exit_code) == ("not measured", ExitCode.NOTHING_MEASURED)


def test_another_kernel_is_named_also_where_it_is_as_fast_and_other_changes_are_only_listed() -> None:
    other = now(fields={"kernel_source": "b", "driver": "2"})
    found = verified(before(), other)
    assert (found.outcome, found.winners[0].kernel_changed) == ("other kernel", ["kernel source"])
    assert found.exit_code == ExitCode.OTHER_KERNEL
    driver = now(fields={"kernel_source": "a", "driver": "2"})
    assert verified(before(), driver).outcome == "holds"


def test_every_outcome_has_an_exit_code_of_its_own() -> None:
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES) == 6


def test_winners_are_what_a_board_says_to_take_or_the_trial_that_is_asked_for() -> None:
    one = before()
    assert [each.entry.trial for each in winners_of(one)] == ["0" * 15 + "1"]
    judged = msgspec.structs.replace(one, boards=[msgspec.structs.replace(one.boards[0], judged="0" * 15 + "2")])
    assert [each.entry.trial for each in winners_of(judged)] == ["0" * 15 + "2"]
    assert [each.entry.trial for each in winners_of(one, "0" * 15 + "3")] == ["0" * 15 + "3"]
    for trial, place in (("f", None), ("0", None), ("", 2)):
        with pytest.raises(InputError):
            winners_of(one, trial, place)
    nothing = msgspec.structs.replace(one, boards=[msgspec.structs.replace(one.boards[0], winner=[])])
    with pytest.raises(InputError, match="no winner"):
        winners_of(nothing)


def test_the_grid_of_a_winner_measures_that_row_alone_by_the_same_method() -> None:
    one = leaderboard(grid={"name": "x", "targets": {"latency_ms.p95": "< 1", "reliability_p99_ms": "< 1"}})
    one = msgspec.structs.replace(one, method=msgspec.structs.replace(one.method, settings={"cache": "hot", "seed": 7}))
    grid = decode_grid(dumps(grid_of(one, winners_of(one)[0], "semantic-search")), "grid.toml")
    assert (grid.implementations, grid.baselines, grid.device) == (["mojo"], False, "cpu")
    assert grid.implementation_axes == {"mojo": {"row_block": [4], "threads": [2]}}
    assert grid.problem == {"corpus_size": [10_000], "dims": [768]}
    assert (grid.method.cache, grid.method.seed, grid.method.revisit_percent, grid.method.finalists) == (
        "hot",
        7,
        5.0,
        0,
    )
    assert grid.targets == {"latency_ms.p95": "< 1"}


def test_small_leaderboards_become_one() -> None:
    parts = [
        only(each, winners_of(each)) for each in (leaderboard(), leaderboard(outcomes({"corpus_size": 1, "dims": 2})))
    ]
    one = together(parts)
    assert [board.problem["corpus_size"] for board in one.boards] == [10_000, 1]
    assert one.run.trials_measured == sum(part.run.trials_measured for part in parts)


def test_what_a_verification_does_otherwise_by_itself_is_no_change() -> None:
    fields = {"kernel_source": "a", "driver": "1", "language": "mojo"}
    compilers = {"mojo": "1.2", "python": "3.12"}
    then, again = (_with_compilers(each, known) for each, known in (
        (before(fields=fields), compilers), (now(fields=fields), {"mojo": "1.3"})))  # fmt: skip
    settings = again.method.settings | {"finalists": 0, "energy": "none", "cache": "hot"}
    again = msgspec.structs.replace(again, method=msgspec.structs.replace(again.method, settings=settings))
    assert [change.what for change in verified(then, again).changes] == ["compiler mojo", "method.cache"]


def _with_compilers(one: Leaderboard, compilers: dict[str, str]) -> Leaderboard:
    return msgspec.structs.replace(
        one, devices=[msgspec.structs.replace(each, compilers=compilers) for each in one.devices]
    )
