"""Samples take turns over copies of their inputs; what these places show is part of a row's interval."""

from __future__ import annotations

import random
from dataclasses import replace
from math import exp
from statistics import NormalDist
from typing import Any

import pytest

from tests.agent.kernel_folders import QUICK, double_spec, double_trial, measured
from tunetui_agent.devices import open_device
from tunetui_agent.devices.placing import placements_of
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.messages import Method, TrialFailed
from tunetui_agent.places import PLACES, place_figures
from tunetui_agent.stopping import median_interval
from tunetui_agent.visits import PLACE_SD, Visit, widened

NOTING = """
import builtins
import numpy as np
builtins.tunetui_places = []
def double(x, y, *, unroll):
    builtins.tunetui_places.append(x.ctypes.data)
    np.multiply(x, 2, out=y)
"""

SPOILING = """
import numpy as np
calls = []
def double(x, y, *, unroll):
    np.multiply(x, 2, out=y)
    calls.append(1)
    if len(calls) == 5:  # the third sample: one verification and one warm-up come first
        x[7] += 1
"""
"""Its later executions read other places, so that its last output is right."""

FOUR = replace(QUICK, precision_percent=0.0, max_samples=8, max_seconds=60.0, placements=4)


def places_of(method: Method) -> tuple[Any, list[int]]:
    """One trial's outcome, and where the inputs of each sample lay."""
    import builtins

    outcome = Evaluator(double_spec(NOTING, method=method), open_device("cpu")).evaluate(
        double_trial(), None, lambda _: None
    )
    return measured(outcome), builtins.tunetui_places[-method.max_samples :]  # type: ignore[attr-defined]


def test_cold_samples_take_turns_over_the_places() -> None:
    outcome, places = places_of(FOUR)
    assert len(set(places)) == 4
    assert places[:4] == places[4:]
    assert outcome.telemetry[PLACES] == 4


@pytest.mark.parametrize("method", [replace(FOUR, cache="hot"), replace(FOUR, placements=1)])
def test_hot_caches_and_whoever_asks_for_it_have_one_place(method: Method) -> None:
    outcome, places = places_of(method)
    assert len(set(places)) == 1
    assert outcome.telemetry[PLACES] == 1
    assert PLACE_SD not in outcome.telemetry


def test_a_kernel_that_writes_to_a_copy_of_its_input_is_found() -> None:
    outcome = Evaluator(double_spec(SPOILING, method=FOUR), open_device("cpu")).evaluate(
        double_trial(), None, lambda _: None
    )
    assert isinstance(outcome, TrialFailed)
    assert (outcome.status, outcome.cause) == ("wrong", "after timing: changed its input 'x'")


@pytest.mark.parametrize(
    ("inputs_bytes", "room_bytes", "places"), [(100, 10_000, 16), (100, 350, 4), (100, 99, 1), (0, 100, 1)]
)
def test_there_are_as_many_places_as_there_is_room_for(inputs_bytes: int, room_bytes: int, places: int) -> None:
    assert placements_of(Method(), inputs_bytes, room_bytes) == places


@pytest.mark.parametrize("samples", [48, 72, 200])
@pytest.mark.parametrize("between", [0.0, 0.003, 0.03])
def test_an_interval_holds_the_median_over_places_as_often_as_it_says(between: float, samples: int) -> None:
    """Random numbers, to test the statistics: places that differ by ``between``, samples that scatter by 1.5 %, some late."""
    draw, held, rounds = random.Random(8), 0, 300
    for _ in range(rounds):
        places = [draw.gauss(0, between) for _ in range(16)]
        noise = [abs(draw.gauss(0, 0.1)) if draw.random() < 0.02 else draw.gauss(0, 0.015) for _ in range(samples)]
        taken = [round(1e5 * exp(places[n % 16] + each)) for n, each in enumerate(noise)]
        found = median_interval(taken, 95.0)
        own = place_figures(taken, 16, Method())[PLACE_SD]
        assert found
        assert isinstance(own, float)
        wide = widened(Visit(found.median, found.low, found.high), NormalDist().inv_cdf(0.975) * own / 100)
        held += wide.low <= 1e5 <= wide.high
    assert held / rounds >= 0.93


@pytest.mark.parametrize(("places", "samples"), [(4, 96), (8, 23), (16, 47), (1, 96)])
def test_of_too_few_places_or_samples_nothing_is_said(places: int, samples: int) -> None:
    assert place_figures(list(range(1000, 1000 + samples)), places, Method()) == {PLACES: places}
