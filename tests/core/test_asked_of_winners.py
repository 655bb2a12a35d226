"""What a grid asks of its winners: a run under load, and samples enough for the percentiles that its targets name."""

from __future__ import annotations

import pytest

from tunetui.core.decoding import decode_grid, grid_from_dict, grid_to_dict
from tunetui.core.definitions import Grid
from tunetui.core.errors import InputError
from tunetui.core.matching import check_grid_against_kernel, resolve_grid
from tunetui.core.statistics import samples_needed
from tunetui.store.definitions import load_kernel, shipped_kernels

KERNEL = load_kernel(shipped_kernels()["semantic-search"])


def grid(text: str) -> Grid:
    return decode_grid(f'name = "x"\nkernel = "semantic-search"\nimplementations = ["numpy"]\n{text}', "grid.toml")


def samples(text: str) -> int:
    return resolve_grid(grid(text), KERNEL).method.min_samples


def test_a_percentile_that_a_target_names_has_samples_enough_for_an_interval() -> None:
    assert samples("") == 10
    assert samples('[targets]\n"latency_ms.median" = "< 1"') == 10
    assert samples('[targets]\n"latency_ms.p95" = "< 1"') == samples_needed(0.95, 0.95) == 72
    assert samples('[targets]\n"latency_ms.p95" = "< 1"\n"latency_ms.p99" = "< 1"') == samples_needed(0.99, 0.95) == 368
    assert samples('[method]\nmax_samples = 50\n[targets]\n"latency_ms.p95" = "< 1"') == 50
    assert samples('[method]\nmin_samples = 500\n[targets]\n"latency_ms.p95" = "< 1"') == 500


def test_a_run_under_load_is_asked_for_in_minutes_or_seconds_and_reads_back_equal() -> None:
    asked = grid("[reliability]\nminutes = 5\nverify_every = 100").reliability
    assert (asked.seconds, asked.verify_every) == (300.0, 100)
    assert grid("[reliability]\nseconds = 1.5").reliability.seconds == 1.5
    assert grid("[reliability]\nminutes = 0").reliability.seconds == grid("").reliability.seconds == 0.0
    for text in ("", "[reliability]\nminutes = 5", "[reliability]\nseconds = 2\nverify_every = 7"):
        assert grid_from_dict(grid_to_dict(grid(text)), "the journal") == grid(text)
    assert "reliability" not in grid_to_dict(grid("")), "a plan on record asks for what it did"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("minutes = 1\nseconds = 2", "reliability.seconds: expected minutes or seconds, found both"),
        ("minutes = -1", "reliability.minutes: expected a number >= 0"),
        ("seconds = 1\nverify_every = 1", "reliability.verify_every: expected an int >= 2"),
        ('seconds = "long"', "reliability.seconds: expected a number"),
        ("hours = 1", "reliability.hours"),
    ],
)
def test_what_cannot_be_asked_for_is_said_with_its_key(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said.replace(".", r"\.")):
        grid(f"[reliability]\n{text}")


def test_targets_know_runs_under_load_and_prices() -> None:
    known = '[targets]\nreliability_p99_ms = "< 1"\nreliability_failures = "== 0"\nusd_per_million_queries = "< 2"'
    load = "\n[reliability]\nseconds = 5"
    assert check_grid_against_kernel(grid(known + load), KERNEL) == []
    alone = check_grid_against_kernel(grid(known), KERNEL)  # nothing would ever measure these
    assert [mistake.path for mistake in alone] == [
        ("targets", "reliability_p99_ms"),
        ("targets", "reliability_failures"),
    ]
    assert len(check_grid_against_kernel(grid('[targets]\nreliability_p98_ms = "< 1"'), KERNEL)) == 1
