"""Figures as text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunetui.core import figures


@pytest.mark.parametrize(
    ("value", "half_width", "shown"),
    [
        (0.310123, 0.0012, "0.3101"),
        (0.310123, 0.004, "0.310"),
        (0.310123, 0.04, "0.31"),
        (12.3456, 0.5, "12.3"),
        (12.3456, 1.5, "12.3"),
        (12.3456, 4.0, "12"),
        (1234.5, 30.0, "1230"),
        (1234.5, 12.0, "1234"),
        (0.310123, None, "0.310"),
        (48213.7, None, "48214"),
        (0.0, None, "0"),
        (None, 0.1, "n/a"),
        (math.nan, 0.1, "n/a"),
    ],
)
def test_a_figure_shows_no_digit_that_its_interval_does_not_support(
    value: float | None, half_width: float | None, shown: str
) -> None:
    assert figures.with_uncertainty(value, half_width) == shown


@given(
    value=st.floats(min_value=1e-6, max_value=1e6),
    relative=st.floats(min_value=1e-5, max_value=0.5),
)
def test_rounding_moves_a_figure_by_less_than_its_interval(value: float, relative: float) -> None:
    half_width = value * relative
    shown = float(figures.with_uncertainty(value, half_width))
    assert abs(shown - value) <= half_width


@pytest.mark.parametrize(
    ("value", "shown"), [(0.416, "0.42"), (1.349, "1.3"), (12.4, "12"), (130.2, "130"), (0.0, "0"), (None, "n/a")]
)
def test_percentages_have_two_digits(value: float | None, shown: str) -> None:
    assert figures.percent(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, "1.000"), (0.99961, "0.999"), (0.9, "0.900"), (2.4e-7, "2.4e-07"), (0.0, "0.000")]
)
def test_recall_is_never_rounded_up_to_one(value: float, shown: str) -> None:
    assert figures.quality(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (161, "2:41"), (3600, "1:00:00"), (-3, "0:00")]
)
def test_clocks_count_minutes_and_hours(seconds: float, shown: str) -> None:
    assert figures.clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(3, "a few seconds"), (42, "about 40 s"), (100, "about 2 min"), (4000, "about 67 min"), (9000, "about 2.5 h")],
)
def test_estimates_claim_no_precision(seconds: float, shown: str) -> None:
    assert figures.rough_duration(seconds) == shown


def test_one_prefix_serves_a_whole_column() -> None:
    assert figures.prefix_for([1.2e8, 3.0e5, None]) == (1e6, "M")
    assert figures.prefix_for([12.0]) == (1.0, "")
    assert figures.prefix_for([None, math.inf]) == (1.0, "")


def test_settings_read_as_in_toml() -> None:
    assert [figures.setting(value) for value in (True, 3, 0.1, "sort", 1e-9)] == ["true", "3", "0.1", "sort", "1e-09"]


def test_sizes_are_binary() -> None:
    assert [figures.memory(size) for size in (512, 32768, 16_777_216_000)] == ["512 B", "32 KiB", "15.6 GiB"]
