"""Two leaderboards of one kernel: what is called faster or slower, and what is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.cli.boards import leaderboard, measured, ref
from tunetui.core.compare import FASTER, ONE_RUN_EACH, SAME, SLOWER, UNDECIDED, ComparedRow, Comparison, compare
from tunetui.core.differences import holm, se_of_log_median
from tunetui.core.errors import InputError
from tunetui.core.gate import BEST, OPEN, PASSED, REGRESSED, ROWS, gate
from tunetui.core.leaderboard import Entry, Leaderboard, VisitsPart
from tunetui.core.noise import FEWEST_ROWS, SCATTER, VISITS, robust_sd
from tunetui.core.student import quantile, two_sided, upper_tail
from tunetui.store.leaderboard import read_leaderboard

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def h200() -> Leaderboard:
    """A sweep of 96 CUDA configurations on an H200, as it was measured."""
    return read_leaderboard(DATA / "h200-first.leaderboard.json")


@pytest.fixture(scope="module")
def h200_again() -> Leaderboard:
    """The same sweep, run a second time."""
    return read_leaderboard(DATA / "h200-again.leaderboard.json")


def scaled(entry: Entry, factor: float) -> Entry:
    """Test data, not a measurement: the row with every time multiplied."""
    assert entry.latency_ms is not None
    times = {name: value for name in entry.latency_ms.__struct_fields__
             if name != "n" and (value := getattr(entry.latency_ms, name)) is not None}  # fmt: skip
    latency = msgspec.structs.replace(entry.latency_ms, **{name: value * factor for name, value in times.items()})
    return msgspec.structs.replace(
        entry, latency_ms=latency, samples_ns=[round(sample * factor) for sample in entry.samples_ns]
    )


def planted(board: Leaderboard, factor: float, *places: int) -> Leaderboard:
    """Test data, not a measurement: a copy in which some rows of the first board are slower by ``factor``."""
    first = board.boards[0]
    rows = [scaled(row, factor) if place in places else row for place, row in enumerate(first.rows)]
    return msgspec.structs.replace(board, boards=[msgspec.structs.replace(first, rows=rows), *board.boards[1:]])


def with_visits(board: Leaderboard, sd_percent: float, revisits: int = 60) -> Leaderboard:
    part = VisitsPart(
        implementation="cuda", sd_percent=sd_percent, half_width_percent=2 * sd_percent, rows=20, revisits=revisits
    )
    return msgspec.structs.replace(board, boards=[msgspec.structs.replace(board.boards[0], visits=[part])])


def decided(found: Comparison) -> list[ComparedRow]:
    return [row for board in found.boards for row in board.rows if row.verdict in {FASTER, SLOWER}]


def test_a_run_and_its_repetition_on_an_h200_give_no_verdict_that_is_false(
    h200: Leaderboard, h200_again: Leaderboard
) -> None:
    for found in (compare(h200, h200_again), compare(h200_again, h200)):
        assert sum(found.counts.values()) == 96
        assert decided(found) == []
        assert found.counts[SAME] > 0
        assert found.changes == []
        assert found.caution == ""


def test_one_row_made_three_percent_slower_is_found_and_no_other(h200: Leaderboard, h200_again: Leaderboard) -> None:
    found_for = []
    for place in range(0, 96, 8):
        slow = decided(compare(h200, planted(h200_again, 1.03, place)))
        assert all(row.configuration == h200_again.boards[0].rows[place].configuration for row in slow)
        assert all(row.verdict == SLOWER for row in slow)
        found_for.append(len(slow))
    assert sum(found_for) >= 6  # of 12: with 32 samples each, 2.8 % is at even odds, and the comparison says so


def test_the_smallest_change_that_is_found_is_stated_and_true(h200: Leaderboard, h200_again: Leaderboard) -> None:
    noise = compare(h200, h200_again).boards[0].noise[0]
    assert noise.smallest_found_percent is not None
    assert 2.0 < noise.smallest_found_percent < 4.0
    factor = 1 + 2 * noise.smallest_found_percent / 100
    assert [len(decided(compare(h200, planted(h200_again, factor, place)))) for place in (0, 40, 80)] == [1, 1, 1]


def test_a_slowdown_of_every_row_is_found_in_most_of_them(h200: Leaderboard, h200_again: Leaderboard) -> None:
    found = compare(h200, planted(h200_again, 1.06, *range(96)))
    assert found.caution == ONE_RUN_EACH
    assert found.counts[SLOWER] > 90
    assert found.counts[FASTER] == 0
    assert found.boards[0].best is not None
    assert found.boards[0].best.row.verdict == SLOWER


def test_faster_is_slower_the_other_way_round(h200: Leaderboard, h200_again: Leaderboard) -> None:
    slow = planted(h200_again, 1.10, 5)
    assert [row.verdict for row in decided(compare(h200, slow))] == [SLOWER]
    assert [row.verdict for row in decided(compare(slow, h200))] == [FASTER]


def test_a_row_that_depends_on_where_its_inputs_lie_must_change_by_more_than_that(
    h200: Leaderboard, h200_again: Leaderboard
) -> None:
    def placed(leaderboard: Leaderboard) -> Leaderboard:
        (board,) = leaderboard.boards
        rows = list(board.rows)
        rows[5] = msgspec.structs.replace(rows[5], telemetry={"placements": 8, "placement_sd_percent": 2.5})
        return msgspec.structs.replace(leaderboard, boards=[msgspec.structs.replace(board, rows=rows)])

    slow = planted(h200_again, 1.10, 5)
    assert [row.verdict for row in decided(compare(h200, slow))] == [SLOWER]
    assert decided(compare(placed(h200), placed(slow))) == []
    assert decided(compare(placed(h200), placed(planted(h200_again, 1.40, 5))))


def test_the_stated_rate_of_false_verdicts_holds_over_repeated_runs_of_200_rows() -> None:
    """Drawn at random from a stated distribution, to check the test itself; no figure of any device."""
    generator = np.random.default_rng(6)
    false_alarms = 0
    for _ in range(10):
        first, second = (drawn_run(generator, rows=200, between=0.005, within=0.02) for _ in range(2))
        false_alarms += bool(decided(compare(first, second)))
    assert false_alarms <= 2  # of 10 at 5 %: more than 2 has probability 0.012


def drawn_run(generator: np.random.Generator, *, rows: int, between: float, within: float) -> Leaderboard:
    """Random numbers for testing the statistics: visits scatter by ``between``, samples of a visit by ``within``."""
    results = []
    for number in range(rows):
        trial = ref(number, "cuda", {"tile": number}, {"n": 1})
        visit = 50_000 * (1 + number / rows) * np.exp(between * generator.standard_normal())
        samples = np.rint(visit * np.exp(within * generator.standard_normal(40))).astype(int).tolist()
        results.append(replace(measured(trial, 1000, 1), samples_ns=samples))
    made = leaderboard(results)
    visits = between * 100 * float(np.sqrt(generator.chisquare(32) / 32))  # as well known as 32 second visits tell it
    part = VisitsPart(implementation="cuda", sd_percent=visits, half_width_percent=2 * visits, rows=16, revisits=32)
    return msgspec.structs.replace(made, boards=[msgspec.structs.replace(made.boards[0], visits=[part])])


def few_rows(board: Leaderboard) -> Leaderboard:
    """So few that the runs themselves do not tell how far visits are apart."""
    first = board.boards[0]
    return msgspec.structs.replace(board, boards=[msgspec.structs.replace(first, rows=first.rows[: FEWEST_ROWS - 1])])


def test_noise_between_visits_keeps_a_difference_from_being_a_verdict(
    h200: Leaderboard, h200_again: Leaderboard
) -> None:
    ours, slow = few_rows(h200), few_rows(planted(h200_again, 1.06, 3))
    assert len(decided(compare(with_visits(ours, 0.3), with_visits(slow, 0.3)))) == 1
    assert decided(compare(with_visits(ours, 3.0), with_visits(slow, 3.0))) == []


def test_few_second_visits_decide_less_than_many(h200: Leaderboard, h200_again: Leaderboard) -> None:
    before, slow = few_rows(h200), few_rows(planted(h200_again, 1.05, 3))
    many, few = (
        next(row for row in compare(with_visits(before, 0.5, count), with_visits(slow, 0.5, count)).boards[0].rows
             if row.configuration == slow.boards[0].rows[3].configuration).difference
        for count in (200, 8)
    )  # fmt: skip
    assert many is not None
    assert few is not None
    assert many.p < few.p


def test_second_visits_count_by_the_bound_that_intervals_contain(h200: Leaderboard, h200_again: Leaderboard) -> None:
    ours, again = few_rows(h200), few_rows(h200_again)
    lucky = [msgspec.structs.replace(with_visits(each, 0.0), boards=[msgspec.structs.replace(
        with_visits(each, 0.0).boards[0], visits=[VisitsPart(
            implementation="cuda", sd_percent=0.0, half_width_percent=2.0, rows=8, revisits=8)])])
        for each in (ours, again)]  # fmt: skip
    noise = compare(*lucky).boards[0].noise[0]
    assert noise.source == VISITS
    assert noise.sd_percent == pytest.approx(2.0**0.5 * 2.0 / 1.95996, abs=1e-3)  # and not 0, as was estimated


def test_where_something_changed_second_visits_say_what_is_noise_if_they_say_less(
    h200: Leaderboard, h200_again: Leaderboard
) -> None:
    changed = [
        msgspec.structs.replace(scaled(row, 1.0 + 0.01 * (place % 9)), provenance="of another compiler")
        for place, row in enumerate(h200_again.boards[0].rows)
    ]
    board = msgspec.structs.replace(h200_again.boards[0], rows=changed)
    after = with_visits(msgspec.structs.replace(h200_again, boards=[board]), 0.1)
    assert compare(with_visits(h200, 0.1), after).boards[0].noise[0].source == VISITS
    assert compare(h200, msgspec.structs.replace(h200_again, boards=[board])).boards[0].noise[0].source == SCATTER


def test_a_library_that_differs_from_run_to_run_is_not_called_slower() -> None:
    """Three baselines, as CuPy's were in two runs on an H200: second visits within a run show a tenth of it."""

    def baselines(*medians_ns: int) -> Leaderboard:
        made = leaderboard(
            [measured(ref(place, "cupy", {}, {"n": place}), median, 300) for place, median in enumerate(medians_ns)]
        )
        part = VisitsPart(
            implementation="cupy", sd_percent=2.0, half_width_percent=4.8, rows=3, revisits=9, scope="implementation"
        )
        return msgspec.structs.replace(
            made, boards=[msgspec.structs.replace(board, visits=[part]) for board in made.boards]
        )

    before = baselines(642_000, 639_000, 681_000)
    assert decided(compare(before, baselines(694_000, 1_138_000, 1_072_000))) == []
    one = compare(before, baselines(644_000, 641_000, 1_072_000))
    assert [row.verdict for row in decided(one)] == [SLOWER]  # where the others did not move, one that did is found


def test_the_common_shift_of_all_rows_is_told(h200: Leaderboard, h200_again: Leaderboard) -> None:
    still, moved = compare(h200, h200_again), compare(h200, planted(h200_again, 1.06, *range(96)))
    assert still.boards[0].noise[0].shift_percent == pytest.approx(0.0, abs=0.5)
    assert moved.boards[0].noise[0].shift_percent == pytest.approx(6.0, abs=0.5)


def test_without_second_visits_and_with_few_rows_nothing_is_decided() -> None:
    before = leaderboard([measured(ref(1, "cuda", {"tile": 1}, {"n": 1}), 100_000, 10)])
    after = leaderboard([measured(ref(1, "cuda", {"tile": 1}, {"n": 1}), 150_000, 10)])
    found = compare(before, after)
    assert found.counts[UNDECIDED] == 1
    assert "second visits" in found.boards[0].rows[0].reason


def test_axes_in_another_order_are_the_same_configuration() -> None:
    before = leaderboard([measured(ref(1, "cuda", {"tile": 1, "block": 2}, {"n": 1}), 100_000, 10)])
    after = leaderboard([measured(ref(2, "cuda", {"block": 2, "tile": 1}, {"n": 1}), 100_000, 10)])
    assert len(compare(before, after).boards[0].rows) == 1


def test_different_kernels_and_problems_are_refused_with_what_differs(h200: Leaderboard) -> None:
    other = msgspec.structs.replace(h200, kernel=msgspec.structs.replace(h200.kernel, name="gemm"))
    with pytest.raises(InputError, match="'semantic-search' and 'gemm'"):
        compare(h200, other)
    elsewhere = [msgspec.structs.replace(b, problem=b.problem | {"corpus_size": 7}) for b in h200.boards]
    with pytest.raises(InputError) as caught:
        compare(h200, msgspec.structs.replace(h200, boards=elsewhere))
    assert caught.value.hint == "corpus_size: 50000 against 7"


def test_what_changed_is_named(h200: Leaderboard) -> None:
    device = msgspec.structs.replace(h200.devices[0], driver="600.1", compilers={"cuda": "NVRTC 14.0"})
    kernel = msgspec.structs.replace(h200.kernel, source_hashes=h200.kernel.source_hashes | {"search.cu": "f" * 64})
    changed = msgspec.structs.replace(h200, devices=[device], kernel=kernel)
    changes = {one.what: (one.first, one.second) for one in compare(h200, changed).changes}
    assert changes["driver"] == (h200.devices[0].driver, "600.1")
    assert changes["compiler cuda"] == (h200.devices[0].compilers["cuda"], "NVRTC 14.0")
    assert changes["source search.cu"][1] == "f" * 12
    assert "device" not in changes


# ---------------------------------------------------------------------------------- the gate


def test_the_gate_fails_on_a_regression_and_on_nothing_else(h200: Leaderboard, h200_again: Leaderboard) -> None:
    slow = gate(compare(h200, planted(h200_again, 1.08, 4)), 3.0)
    assert slow.outcome == REGRESSED
    assert len(slow.regressed) == 1
    assert gate(compare(h200, h200_again), 3.0).outcome != REGRESSED
    assert gate(compare(h200, planted(h200_again, 0.9, *range(96))), 3.0).outcome == PASSED
    assert gate(compare(h200, h200_again), 10.0).outcome == PASSED
    assert gate(compare(h200, h200_again), 3.0, BEST).outcome == PASSED


def test_the_gate_never_passes_a_regression(h200: Leaderboard, h200_again: Leaderboard) -> None:
    for place in range(0, 96, 19):
        assert gate(compare(h200, planted(h200_again, 1.04, place)), 3.0).outcome != PASSED


def test_a_row_that_is_missing_or_stale_keeps_the_gate_open(h200: Leaderboard, h200_again: Leaderboard) -> None:
    board = h200_again.boards[0]
    fewer = msgspec.structs.replace(board, rows=board.rows[:-1])
    lacking = msgspec.structs.replace(h200_again, boards=[fewer])
    judged = gate(compare(h200, lacking), 10.0, ROWS)
    assert judged.outcome == OPEN
    assert "does not have it" in judged.undecided[0]
    assert gate(compare(h200, lacking), 10.0, BEST).outcome == PASSED
    stale = msgspec.structs.replace(board.rows[-1], status="stale", latency_ms=None, rank=None)
    waiting = msgspec.structs.replace(
        h200_again, boards=[msgspec.structs.replace(board, rows=[*board.rows[:-1], stale])]
    )
    assert gate(compare(h200, waiting), 10.0).outcome == OPEN


def test_a_row_that_now_fails_is_a_regression(h200: Leaderboard, h200_again: Leaderboard) -> None:
    board = h200_again.boards[0]
    wrong = msgspec.structs.replace(board.rows[-1], status="wrong", cause="recall 0.8", latency_ms=None, rank=None)
    broken = msgspec.structs.replace(
        h200_again, boards=[msgspec.structs.replace(board, rows=[*board.rows[:-1], wrong])]
    )
    judged = gate(compare(h200, broken), 10.0)
    assert judged.outcome == REGRESSED
    assert "wrong in the second: recall 0.8" in judged.regressed[0]


# ---------------------------------------------------------------------------------- the arithmetic below


def test_students_distribution_agrees_with_published_tables() -> None:
    assert two_sided(12.706205, 1) == pytest.approx(0.05, abs=1e-7)
    assert two_sided(2.228139, 10) == pytest.approx(0.05, abs=1e-7)
    assert quantile(0.995, 5) == pytest.approx(4.032143, abs=1e-6)
    assert quantile(0.95, 1e9) == pytest.approx(1.644854, abs=1e-6)
    assert upper_tail(-1.0, 7) == pytest.approx(1 - upper_tail(1.0, 7))
    assert upper_tail(30.0, 40.0) < 1e-25


def test_holm_multiplies_the_smallest_by_all_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_robust_scale_agrees_with_the_standard_deviation_and_ignores_a_wild_few() -> None:
    drawn = np.random.default_rng(5).standard_normal((300, 40))
    assert np.mean([robust_sd(row.tolist()) for row in drawn]) == pytest.approx(1.0, abs=0.03)
    wild = np.concatenate((drawn[0], [50.0, 80.0, -90.0]))
    assert robust_sd(wild.tolist()) == pytest.approx(robust_sd(drawn[0].tolist()), rel=0.35)
    assert robust_sd([1.0]) == 0.0


def test_the_standard_error_of_a_median_is_what_repeated_samples_show() -> None:
    generator = np.random.default_rng(3)
    drawn = 1e6 * np.exp(0.02 * generator.standard_normal((400, 51)))
    told = np.mean([se_of_log_median(row.astype(int).tolist()) for row in drawn])
    assert told == pytest.approx(np.log(np.median(drawn, axis=1)).std(), rel=0.15)
