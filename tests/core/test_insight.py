"""What a leaderboard teaches: axis importance, fronts, the cheapest good row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tunetui.core.errors import InputError
from tunetui.core.importance import AxisShare, Importance, importance_of
from tunetui.core.insight import insight
from tunetui.core.leaderboard import Entry, Latency, Leaderboard
from tunetui.core.tradeoffs import Candidate, cheapest, fronts
from tunetui.store.leaderboard import read_leaderboard
from tunetui_agent.messages import Value

ROOT = Path(__file__).parents[2]
SEED = ROOT / "bench" / "results" / "seed-288.leaderboard.json"


def row(median: float, relative: float = 0.0, **configuration: Value) -> Entry:
    return made(median, relative, configuration)


def made(median: float, relative: float, configuration: dict[str, Value]) -> Entry:
    """A hand-made row whose interval is ``relative`` of the median to each side."""
    latency = Latency(
        median=median, ci_low=median * math.exp(-relative), ci_high=median * math.exp(relative),
        p5=median, p95=median, p99=median, min=median, n=50,
    )  # fmt: skip
    name = "-".join(f"{key}{value}" for key, value in configuration.items()) or f"{median}"
    return Entry(implementation="cuda", configuration=configuration, status="measured", latency_ms=latency,
                 trial=name, provenance="p")  # fmt: skip


def grid(time: Any, relative: float = 0.0, **axes: Sequence[Value]) -> list[Entry]:
    return [
        made(time(*values), relative, dict(zip(axes, values, strict=True)))
        for values in itertools.product(*axes.values())
    ]


def found(rows: list[Entry]) -> Importance:
    one = importance_of("cuda", rows)
    assert one is not None
    return one


def axis(one: Importance, name: str) -> AxisShare:
    return next(each for each in one.axes if each.axis == name)


def test_axes_that_multiply_explain_what_each_does_and_nothing_only_together() -> None:
    one = found(grid(lambda a, b: 2.0**a * 3.0**b, a=[0, 1, 2, 3], b=[0, 1]))
    a, b = (5 / 4) * math.log(2) ** 2, (1 / 4) * math.log(3) ** 2  # variances of uniform steps
    assert axis(one, "a").alone.percent == pytest.approx(100 * a / (a + b))
    assert axis(one, "b").part.percent == pytest.approx(100 * b / (a + b))
    assert one.pairs[0].together.percent == pytest.approx(0.0, abs=1e-9)
    assert one.axes[0].axis == "a"
    assert one.span == pytest.approx(24)


def test_what_two_axes_do_only_together_is_told_and_shared_between_them() -> None:
    one = found(grid(lambda a, b, c: 2.0 ** (a == b) * 1.1**c, a=[0, 1], b=[0, 1], c=[0, 1]))
    pair = {pair.axes: pair.together for pair in one.pairs}[("a", "b")]
    assert pair.percent > 95
    assert pair.low > 90
    assert axis(one, "a").alone.percent == pytest.approx(0.0, abs=1e-9)
    assert axis(one, "a").part.percent == pytest.approx(pair.percent / 2)
    assert sum(each.part.percent for each in one.axes) == pytest.approx(100)


def test_parts_make_a_hundred_also_where_the_grid_has_holes() -> None:
    rows = grid(lambda a, b: 1.5**a * 1.2**b, a=[0, 1, 2], b=[0, 1, 2])
    one = found([each for each in rows if int(each.configuration["a"]) + int(each.configuration["b"]) < 4])
    assert (one.rows, one.grid) == (8, 9)
    assert sum(each.part.percent for each in one.axes) == pytest.approx(100)


def test_what_rows_owe_to_noise_is_not_credited_to_an_axis() -> None:
    """Random numbers, of which the truth is known: one axis matters, the other's values differ by chance alone."""
    generator = np.random.default_rng(4)
    error, inside = 0.02, 0
    for _ in range(40):
        one = found(grid(lambda a, _b: 1.05**a * math.exp(error * generator.standard_normal()), 1.96 * error,
                         a=[0, 1, 2, 3], b=list(range(8))))  # fmt: skip
        truth = axis(one, "b").alone
        inside += truth.low <= 0.0 <= truth.high
        assert one.noise_percent == pytest.approx(12.0, abs=8.0)
    assert inside >= 34  # of 40 at 95 %: fewer than 34 has probability 0.005


def test_rows_that_differ_by_noise_alone_teach_nothing() -> None:
    one = found(grid(lambda a, b: 1.0 + 0.001 * ((a + 2 * b) % 3), 0.05, a=[0, 1, 2], b=[0, 1, 2]))
    assert one.axes == []
    assert "within their intervals" in one.reason
    assert "too few" in found([row(1.0, a=1), row(2.0, a=2)]).reason


def test_each_value_says_what_its_best_row_loses_and_whether_that_can_be_told() -> None:
    one = found(grid(lambda a, b: (1.0, 1.01, 1.5)[a] * 2.0**b, 0.01, a=[0, 1, 2], b=[0, 1]))
    values = axis(one, "a").values
    assert [value.value for value in values] == [0, 1, 2]
    assert [value.over_best_percent for value in values] == pytest.approx([0.0, 1.0, 50.0])
    assert [value.tied for value in values] == [True, True, False]
    assert values[0].typical_percent < 0 < values[2].typical_percent


def test_an_axis_of_many_numbers_is_put_into_bands_and_words_and_truth_are_axes_too() -> None:
    one = found(
        grid(
            lambda n, mode, on: 1.0 + n / 100 + (mode == "b") + on / 5,
            n=list(range(64)),
            mode=["b", "a"],
            on=[True, False],
        )
    )
    bands = axis(one, "n").values
    assert len(bands) == 16
    assert (bands[0].value, bands[0].upto, bands[-1].upto) == (0, 3, 63)
    assert [value.value for value in axis(one, "mode").values] == ["a", "b"]
    assert {value.value for value in axis(one, "on").values} == {True, False}


def test_of_many_axes_those_that_matter_most_are_taken_apart() -> None:
    axes: dict[str, Any] = {f"axis_{place}": [0, 1] for place in range(10)}
    rows = grid(lambda *on: math.prod((1.0 + place / 10) ** value for place, value in enumerate(on)), **axes)
    one = found(rows)
    assert len(one.axes) == 8
    assert one.left_out == ["axis_0", "axis_1"]
    assert one.axes[0].axis == "axis_9"


def test_an_implementation_without_axes_teaches_nothing() -> None:
    assert importance_of("cupy", [row(1.0)]) is None


# ---------------------------------------------------------------------------------- what speed costs


def candidate(median: float, usd: float | None = None, device: str = "A", **figures: dict[str, Any]) -> Candidate:
    entry = msgspec.structs.replace(row(median, 0.001), **figures)
    return Candidate(device=device, usd_per_hour=usd, entry=entry, median_ms=median)


def test_a_front_has_the_rows_that_none_beats_in_both() -> None:
    rows = [candidate(1.0, telemetry={"energy_mj": 9.0}), candidate(2.0, telemetry={"energy_mj": 9.5}),
            candidate(3.0, telemetry={"energy_mj": 4.0}), candidate(4.0)]  # fmt: skip
    energy = fronts(rows)[0]
    assert [point.median_ms for point in energy.points] == [1.0, 3.0]
    assert (energy.what, energy.rows) == ("energy", 3)


def test_more_recall_and_less_error_are_better() -> None:
    rows = [candidate(1.0, quality={"recall": 0.9, "max_abs_error": 0.2}), candidate(2.0, quality={"recall": 1.0, "max_abs_error": 0.1}),
            candidate(3.0, quality={"recall": 0.8, "max_abs_error": 0.1})]  # fmt: skip
    assert {front.what: [point.median_ms for point in front.points] for front in fronts(rows)} == {
        "recall": [1.0, 2.0], "max_abs_error": [1.0, 2.0],
    }  # fmt: skip


def test_price_is_a_tradeoff_between_devices_alone() -> None:
    rows = [candidate(1.0, 4.0, "H200"), candidate(3.0, 0.75, "A10"), candidate(3.5, 0.75, "A10")]
    price = fronts(rows)[0]
    assert [point.device for point in price.points] == ["H200", "A10"]
    assert [point.value for point in price.points] == pytest.approx([1.111, 0.625], abs=0.001)  # fmt: skip
    assert fronts(rows[1:]) == []


def test_the_cheapest_row_is_sought_among_those_as_good_as_the_fastest() -> None:
    rows = [candidate(1.0, telemetry={"energy_mj": 9.0}), candidate(1.005, telemetry={"energy_mj": 7.0}), candidate(1.009),
            candidate(1.02, telemetry={"energy_mj": 1.0})]  # fmt: skip
    one = cheapest(rows)[0]
    assert (one.point.median_ms, one.point.value, one.fastest) == (1.005, 7.0, 9.0)
    assert (one.rows, one.lacking, one.tied) == (2, 1, False)
    assert cheapest(rows, 5.0)[0].point.value == 1.0
    assert cheapest([]) == []


def test_a_real_run_is_looked_into_board_by_board() -> None:
    board = read_leaderboard(SEED)
    told = insight([board])
    assert len(told.boards) == 3
    for each in told.boards:
        assert [one.implementation for one in each.importances if one.axes] == ["mojo", "cuda"]
        for one in each.importances:
            assert sum(share.part.percent for share in one.axes) == pytest.approx(100)
            assert all(share.alone.low <= share.alone.percent <= share.alone.high for share in one.axes)
    assert [each.problem for each in insight([board], board=2).boards] == [board.boards[1].problem]
    with pytest.raises(InputError) as caught:
        insight([board], board=4)
    assert "--board 3: corpus_size=50000" in (caught.value.hint or "")


def test_two_leaderboards_of_one_problem_are_looked_at_together_and_other_kernels_refused() -> None:
    board = read_leaderboard(SEED)
    slower = elsewhere(board, "NVIDIA A10")
    both = insight([board, slower], {"NVIDIA H200": 3.79, "NVIDIA A10": 0.75})
    assert len(both.boards) == 6
    assert [each.devices for each in both.across] == [["NVIDIA H200", "NVIDIA A10"]] * 3
    assert "price" in {front.what for front in both.across[0].fronts}
    with pytest.raises(InputError, match="different kernels"):
        insight([board, msgspec.structs.replace(board, kernel=msgspec.structs.replace(board.kernel, name="gemm"))])


def elsewhere(board: Leaderboard, name: str) -> Leaderboard:
    """Test data, not a measurement: the same rows on a device of another name."""
    return msgspec.structs.replace(board, devices=[msgspec.structs.replace(each, name=name) for each in board.devices])
