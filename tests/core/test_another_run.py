"""Where the median of another run will lie: computed, published, of a row while its run goes on, in verifications, in words."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.journals import measured, ref
from tests.core.test_verifying import before, now, verified
from tests.core.test_visiting import again, around, run_of, scattered
from tunetui.core.another_run import (
    NEVER_REVISITED,
    REPEAT_METHOD,
    in_words,
    outlook_of,
    outlook_of_entry,
    outlook_of_row,
    repeat_interval,
)
from tunetui.core.leaderboard import SCHEMA_VERSION, SECOND_VERSION, Leaderboard
from tunetui.core.publishing import build_leaderboard
from tunetui.core.snapshot import Run
from tunetui.core.verifying import Verified, verify, winners_of
from tunetui.tui.row_detail import detail_of_entry, detail_of_row, summary_lines
from tunetui.tui.spans import text_of

NS_PER_MS = 1e6
times = st.floats(0.0, 1e12, allow_nan=False)


@given(times, times, times)
def test_a_repeat_interval_holds_the_medians_own_and_is_a_time(one: float, two: float, three: float) -> None:
    low, median, high = sorted((one, two, three))
    least, most = repeat_interval(median, low, high)
    assert 0.0 <= least <= low <= median <= high <= most


def test_a_repeat_interval_is_sqrt_2_times_as_wide_to_each_side_and_never_below_zero() -> None:
    assert repeat_interval(10.0, 9.0, 12.0) == pytest.approx((10 - math.sqrt(2), 10 + 2 * math.sqrt(2)))
    assert repeat_interval(10.0, 1.0, 12.0)[0] == 0.0


def test_as_many_medians_of_a_second_run_lie_in_it_as_its_confidence_says() -> None:
    """Of two medians that scatter alike, 95 in 100 second ones are in the first's repeat interval, 83 in its own."""
    first, second = np.random.default_rng(5).normal(100.0, 1.0, (2, 100_000))
    low, high = repeat_interval(100.0, 100.0 - 1.959964, 100.0 + 1.959964)
    assert np.mean((second > first + low - 100.0) & (second < first + high - 100.0)) == pytest.approx(0.95, abs=0.005)
    assert np.mean(np.abs(second - first) <= 1.959964) == pytest.approx(0.834, abs=0.005)


def test_rows_whose_intervals_contain_the_variation_between_visits_say_where_another_run_will_lie() -> None:
    board = build_leaderboard(run_of(*scattered()))
    for row in board.boards[0].rows:
        found = row.latency_ms
        assert found
        assert found.ci_low is not None
        assert found.ci_high is not None
        expected = repeat_interval(found.median, found.ci_low, found.ci_high)
        assert (found.repeat_low, found.repeat_high) == pytest.approx(expected, abs=1e-8)
        assert row.figures["latency_ms.repeat_high"] == found.repeat_high
    assert (board.schema_version, board.method.repeat) == (SCHEMA_VERSION, REPEAT_METHOD)


def test_visits_that_agree_wholly_promise_as_well() -> None:
    (row, _) = build_leaderboard(run_of(*[again(1, 1_000_000)] * 6)).boards[0].rows
    assert row.latency_ms
    assert row.latency_ms.visit_low is None  # nothing was added to what the samples say
    assert row.latency_ms.repeat_low is not None
    assert row.latency_ms.ci_low is not None
    assert row.latency_ms.repeat_low < row.latency_ms.ci_low


def test_rows_whose_intervals_rest_on_one_visit_promise_nothing_and_their_visits_say_why() -> None:
    never, once = build_leaderboard(run_of()), build_leaderboard(run_of(again(1, 1_200_000)))
    for board in (never, once):
        latencies = [row.latency_ms for row in board.boards[0].rows]
        assert all(latency and latency.ci_low is not None for latency in latencies)
        assert all(latency and latency.repeat_low is latency.repeat_high is None for latency in latencies)
        assert (board.schema_version < SCHEMA_VERSION, board.method.repeat) == (True, "")
    assert (never.boards[0].visits, once.boards[0].visits[0].reason) == ([], f"n/a: only {WORDS}")
    assert outlook_of_entry(never.boards[0], never.boards[0].rows[0]).reason == NEVER_REVISITED
    assert outlook_of_entry(once.boards[0], once.boards[0].rows[0]).reason == f"n/a: only {WORDS}"


WORDS = "1 second visit, and an estimate needs 6"


def test_the_places_of_a_rows_inputs_alone_promise_nothing_about_another_run() -> None:
    wide = measured(3, around(1_000_000), telemetry={"placement_sd_percent": 1.0})
    rows = {row.trial: row.latency_ms for row in build_leaderboard(run_of(wide)).boards[0].rows}
    found = rows[ref(3).id]
    assert found
    assert found.visit_low is not None  # its interval became wider, but not by what differs between visits
    assert found.repeat_low is None


def test_a_row_of_another_implementation_without_second_visits_promises_nothing() -> None:
    other = measured(3, around(1_005_000), trial=ref(3, implementation="mojo"))
    rows = build_leaderboard(run_of(other, *scattered())).boards[0].rows
    assert {row.implementation: bool(row.latency_ms and row.latency_ms.repeat_low) for row in rows} == {
        "numpy": True,
        "mojo": False,
    }


def test_a_row_without_an_interval_has_no_repeat_interval_either() -> None:
    run = run_of(measured(3, [3, 4]), *scattered())
    (row,) = [row for row in build_leaderboard(run).boards[0].rows if row.trial == ref(3).id]
    assert row.latency_ms
    assert row.latency_ms.repeat_low is None
    assert outlook_of_row(run, run.rows[ref(3).id]).repeat is None


@pytest.mark.parametrize(
    "run",
    [run_of(*scattered()), run_of(), run_of(again(1, 1_200_000)), run_of(*scattered(1), measured(3, [3, 4]))],
    ids=["known", "none", "too few", "no interval"],
)
def test_a_row_of_a_run_that_goes_on_says_what_its_leaderboard_would(run: Run) -> None:
    (board,) = build_leaderboard(run).boards
    for entry in board.rows:
        live, saved = outlook_of_row(run, run.rows[entry.trial]), outlook_of_entry(board, entry)
        assert live.reason == saved.reason
        for one, other in ((live.interval, saved.interval), (live.repeat, saved.repeat)):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert [end / NS_PER_MS for end in one] == pytest.approx(list(other), abs=1e-8)


def test_a_failed_row_says_that_it_is_one() -> None:
    run = run_of()
    assert outlook_of_row(run, run.rows[ref(3).id]).reason == "n/a: queued"


def older(board: Leaderboard) -> Leaderboard:
    """The same as a tunetui that knew no repeat intervals wrote it."""
    rows = [
        msgspec.structs.replace(row, latency_ms=msgspec.structs.replace(row.latency_ms, repeat_low=None, repeat_high=None))
        for row in board.boards[0].rows if row.latency_ms
    ]  # fmt: skip
    method = msgspec.structs.replace(board.method, repeat="")
    boards = [msgspec.structs.replace(board.boards[0], rows=rows)]
    return msgspec.structs.replace(board, schema_version=SECOND_VERSION, method=method, boards=boards)


def test_a_file_older_than_repeat_intervals_tells_them_by_its_own_intervals_and_visits() -> None:
    new = build_leaderboard(run_of(*scattered()))
    old = older(new)
    for ours, theirs in zip(new.boards[0].rows, old.boards[0].rows, strict=True):
        one, other = outlook_of_entry(new.boards[0], ours), outlook_of_entry(old.boards[0], theirs)
        assert one.repeat
        assert other.repeat
        assert other.repeat == pytest.approx(one.repeat, abs=1e-8)


def test_the_words_have_the_digits_that_the_interval_leaves_and_the_confidence_asked() -> None:
    assert in_words((1.6571, 1.9014), 0.09, "95") == "another run 95 %: between 1.66 and 1.90 ms"
    assert in_words((41.21, 42.55), 0.4, "99") == "another run 99 %: between 41.2 and 42.5 ms"
    assert outlook_of(10.0, 9.0, None, "").interval is None


def said_of(board: Leaderboard, live: Run | None = None) -> str:
    """Of the first row of the first board, as it is or as its run has it."""
    (first, *_), own = board.boards[0].rows, board.boards[0]
    found = outlook_of_entry(own, first)
    if live is not None:
        found = outlook_of_row(live, live.rows[first.trial]).in_units_of(NS_PER_MS)
    assert found.interval
    assert found.repeat
    assert first.latency_ms
    low, high = found.interval
    return in_words(found.repeat, max(high - first.latency_ms.median, first.latency_ms.median - low), "95")


def test_a_row_in_detail_says_where_another_run_will_lie_live_and_saved_alike() -> None:
    run = run_of(*scattered())
    board = build_leaderboard(run)
    entry = board.boards[0].rows[0]
    live, saved = detail_of_row(run, run.rows[entry.trial], None), detail_of_entry(board, 0, entry, entry.figures, None)
    assert said_of(board) == said_of(board, live=run)
    lines = [[text_of(line) for line in summary_lines(each)] for each in (live, saved)]
    assert [said_of(board) in each for each in lines] == [True, True]
    assert max(map(len, lines[0])) <= 78
    assert live.figures["latency_ms.repeat_low"] == pytest.approx(entry.figures["latency_ms.repeat_low"], abs=1e-8)


def test_a_row_in_detail_that_rests_on_one_visit_says_why_nothing_is_promised() -> None:
    run = run_of()
    lines = [text_of(line) for line in summary_lines(detail_of_row(run, run.rows[ref(1).id], None))]
    assert f"another run: {NEVER_REVISITED}" in lines


def first_of(then: Leaderboard, after: Leaderboard) -> Verified:
    return verify(then, winners_of(then), after, 5.0).winners[0]


def test_a_verification_says_whether_the_new_median_lies_where_another_run_was_to_lie() -> None:
    inside, outside = verified(before(), now(0.0)).winners[0], verified(before(), now(20.0)).winners[0]
    assert (inside.in_repeat_interval, outside.in_repeat_interval) == (True, False)
    assert inside.repeat_ms == outside.repeat_ms is not None
    assert (inside.outcome, outside.outcome) == ("holds", "slower")  # as before: the verdict rests on tests


def test_a_verification_elsewhere_or_of_a_row_that_promised_nothing_says_nothing_of_it() -> None:
    unknown = verified(before(visits=False), now(0.0)).winners[0]
    elsewhere = now(0.0)
    parts = [msgspec.structs.replace(part, host="another machine") for part in elsewhere.devices]
    other = first_of(before(), msgspec.structs.replace(elsewhere, devices=parts))
    for each in (unknown, other):
        assert (each.repeat_ms, each.in_repeat_interval) == (None, None)
    assert other.outcome == "holds"
