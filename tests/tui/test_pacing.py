from __future__ import annotations

from time import monotonic

import pytest

from tunetui.tui.paced_app import PacedApp
from tunetui.tui.pacing import (
    ACK_TIMEOUT_S,
    ASK_A_SILENT_TERMINAL_EVERY_S,
    FIRST_STAY_S,
    FRAMES_TO_BELIEVE,
    FULL,
    LITE,
    Beat,
    FrameAcks,
    LiteMode,
    Ticker,
)


def test_a_frame_is_on_its_way_until_the_terminal_answers() -> None:
    acks = FrameAcks()
    assert not acks.is_waiting(0.0)
    acks.asked(0.0)
    assert acks.is_waiting(0.1)
    assert not acks.may_ask(0.1)
    acks.answered(0.2)
    assert not acks.is_waiting(0.2)
    assert acks.may_ask(0.2)
    assert acks.round_trip_s == pytest.approx(0.2)
    assert acks.is_reliable


def test_the_round_trip_is_smoothed() -> None:
    acks = FrameAcks()
    for at, took in ((0.0, 0.1), (1.0, 0.5)):
        acks.asked(at)
        acks.answered(at + took)
    assert acks.round_trip_s is not None
    assert 0.1 < acks.round_trip_s < 0.5


def test_an_overdue_answer_is_given_up_and_held_against_the_terminal() -> None:
    acks = FrameAcks()
    acks.asked(0.0)
    acks.answered(0.1)
    acks.asked(1.0)
    assert acks.is_waiting(1.0 + ACK_TIMEOUT_S - 0.01)
    assert not acks.is_waiting(1.0 + ACK_TIMEOUT_S)
    assert acks.may_ask(1.0 + ACK_TIMEOUT_S)
    assert not acks.is_reliable
    assert not acks.is_silent


def test_a_terminal_that_never_answers_is_not_waited_for_and_asked_again_only_now_and_then() -> None:
    acks = FrameAcks()
    now = 0.0
    while not acks.is_silent:
        acks.asked(now)
        now += ACK_TIMEOUT_S
        assert not acks.is_waiting(now)
    assert now <= 2 * ACK_TIMEOUT_S
    assert not acks.may_ask(now)
    assert acks.may_ask(now + ASK_A_SILENT_TERMINAL_EVERY_S)
    acks.asked(now + ASK_A_SILENT_TERMINAL_EVERY_S)
    assert not acks.is_waiting(now + ASK_A_SILENT_TERMINAL_EVERY_S)
    acks.answered(now + ASK_A_SILENT_TERMINAL_EVERY_S + 0.1)
    assert not acks.is_silent


def test_an_answer_nobody_asked_for_changes_no_round_trip() -> None:
    acks = FrameAcks()
    acks.answered(5.0)
    assert acks.round_trip_s is None
    assert not acks.is_waiting(5.0)


def slow_frames(lite: LiteMode, now: float) -> None:
    for _ in range(FRAMES_TO_BELIEVE):
        lite.saw(0.5, now)


def test_a_few_slow_frames_in_a_row_make_it_lite_and_one_does_not() -> None:
    lite = LiteMode()
    for _ in range(3 * FRAMES_TO_BELIEVE):
        lite.saw(0.5, 0.0)
        lite.saw(0.05, 0.0)
    assert not lite.on
    slow_frames(lite, 0.0)
    assert lite.on


def test_lite_mode_is_left_after_a_stay_with_good_frames_and_each_stay_is_longer_than_the_last() -> None:
    lite = LiteMode()
    slow_frames(lite, 0.0)
    lite.saw(0.05, FIRST_STAY_S - 0.1)
    assert lite.on
    lite.saw(0.15, FIRST_STAY_S)
    assert lite.on, "neither slow nor good"
    lite.saw(0.05, FIRST_STAY_S)
    assert not lite.on
    slow_frames(lite, 100.0)
    lite.saw(0.05, 100.0 + FIRST_STAY_S)
    assert lite.on
    lite.saw(0.05, 100.0 + 2 * FIRST_STAY_S)
    assert not lite.on


def test_beats_come_at_their_rate_and_plots_less_often() -> None:
    ticker = Ticker()
    beats = [beat for step in range(200) if (beat := ticker.due(step * 0.02)) is not None]
    assert len(beats) == pytest.approx(4.0 / FULL.beat_s, abs=1)
    assert FULL.plots_s is not None
    assert sum(beat.draw_plots for beat in beats) == pytest.approx(4.0 / FULL.plots_s, abs=1)
    assert beats[0].draw_plots


def test_no_beat_overtakes_the_frame_before_it() -> None:
    ticker = Ticker()
    assert ticker.due(0.0)
    ticker.acks.asked(0.0)
    assert ticker.due(0.2) is None
    assert ticker.due(0.3, queue_is_full=True) is None
    assert ticker.held_back == 2
    ticker.acknowledged(0.35)
    assert ticker.due(0.35)
    assert ticker.due(0.5, queue_is_full=True) is None


def test_a_slow_link_gets_fewer_beats_and_no_plots_and_the_full_rate_when_it_is_good_again() -> None:
    ticker = Ticker()
    now = 0.0
    while not ticker.lite.on:
        ticker.due(now)
        ticker.acks.asked(now)
        now += 0.5
        ticker.acknowledged(now)
    assert ticker.rates is LITE
    beats = [beat for step in range(200) if (beat := ticker.due(now + step * 0.02)) is not None]
    assert len(beats) == pytest.approx(4.0 / LITE.beat_s, abs=1)
    assert not any(beat.draw_plots for beat in beats)
    while ticker.lite.on:
        now += 0.3
        ticker.acks.asked(now)
        ticker.acknowledged(now + 0.02)
        assert now < 60.0, "a good link stays in lite mode"
    beat = ticker.due(now + 1.0)
    assert beat is not None
    assert beat.draw_plots


def beats_of(ticker: Ticker, beat_cpu_s: float, plots_cpu_s: float, seconds: float = 20.0) -> tuple[int, int, float]:
    """How many beats and plots there are in a time, and their share of a core."""
    beats = plots = 0
    spent_s = 0.0
    for step in range(int(seconds / 0.02)):
        if (beat := ticker.due(step * 0.02)) is not None:
            cost_s = beat_cpu_s + plots_cpu_s * beat.draw_plots
            ticker.spent(beat, cost_s)
            beats, plots, spent_s = beats + 1, plots + beat.draw_plots, spent_s + cost_s
    return beats, plots, spent_s / seconds


def test_what_costs_little_is_drawn_at_its_rate() -> None:
    beats, plots, _ = beats_of(Ticker(), 0.005, 0.01)
    assert beats == pytest.approx(200, rel=0.15)
    assert plots == pytest.approx(40, rel=0.15)


def test_what_costs_much_is_drawn_less_often_but_never_seldom() -> None:
    beats, plots, share = beats_of(Ticker(), 0.02, 0.2)
    assert 60 <= beats < 100
    assert 3 <= plots < 15
    assert share < 0.2
    beats, plots, _ = beats_of(Ticker(), 3.0, 3.0)
    assert beats >= 40
    assert plots >= 3


def test_what_a_beat_causes_is_part_of_its_cost_and_what_a_key_causes_is_not() -> None:
    app = PacedApp[None]()
    app.charge(0.25)
    app._key_at = monotonic() + 60.0
    app.charge(100.0)
    app._key_at = 0.0
    app.charge(0.5)
    app._beat = Beat(monotonic(), draw_plots=False, rates=FULL)
    app._draw_some()
    assert app.ticker._beat_costs_s == pytest.approx(0.3 * 0.75, abs=0.03)
    assert app._beat_cost_s == 0.0
