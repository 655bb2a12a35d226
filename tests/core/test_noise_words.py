from __future__ import annotations

from pathlib import Path

import pytest

from tunetui.core.compare import NoiseUsed, compare
from tunetui.core.noise import OTHERS, SCATTER, VISITS
from tunetui.core.noise_words import noise_in_words
from tunetui.store.leaderboard import read_leaderboard

DATA = Path(__file__).parents[1] / "data"


def noise(sd_percent: float, source: str = VISITS) -> NoiseUsed:
    bound = None if source == OTHERS else 70.0
    return NoiseUsed(
        implementation="cuda", sd_percent=sd_percent, bound_percent=bound, samples_sd_percent=0.431,
        degrees_of_freedom=9.0, source=source,
    )  # fmt: skip


def test_two_runs_whose_rows_scatter_no_more_than_their_samples_are_not_said_to_be_without_noise() -> None:
    first, again = (read_leaderboard(DATA / f"h200-{name}.leaderboard.json") for name in ("first", "again"))
    (used,) = compare(first, again).boards[0].noise
    assert (used.source, used.sd_percent, used.bound_percent) == (SCATTER, 0.0, 70.0)
    assert used.samples_sd_percent == pytest.approx(0.684, abs=0.001)
    said = noise_in_words(used)
    assert said.startswith("no more between runs than samples within them show (±0.69 %); from what scatters between")
    assert "±0.00" not in said


def test_an_upper_bound_is_called_one_and_never_rounded_down() -> None:
    assert noise_in_words(noise(0.0001)).startswith("at most ±0.01 % between runs (upper bound, 70 %)")
    assert noise_in_words(noise(0.32)).startswith("at most ±0.32 % between runs")
    assert noise_in_words(noise(0.3201)).startswith("at most ±0.33 % between runs")


def test_what_other_rows_show_is_no_bound() -> None:
    said = noise_in_words(noise(57.004, OTHERS))
    assert said.startswith("±57.00 % between runs; from how far the implementation's other rows moved")
    assert "bound" not in said
