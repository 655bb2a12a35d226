from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tunetui.tui.quiet_collector import AT_LEAST_EVERY_S, FULL_EVERY_S, NEVER, QUIET_FOR_S, QuietCollector


class Node:
    """Part of a cycle."""

    other: Node


@pytest.fixture
def collector() -> Iterator[QuietCollector]:
    started = QuietCollector()
    started.begin(0.0)
    yield started
    started.end()


def test_what_is_there_at_the_beginning_is_not_looked_at_again(collector: QuietCollector) -> None:
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[2] == NEVER
    collector.end()
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold()[2] != NEVER


def test_a_closed_cycle_goes_at_the_next_quiet_time(collector: QuietCollector) -> None:
    one, two = Node(), Node()
    one.other, two.other = two, one
    gone = weakref.ref(one)
    assert collector.tick(FULL_EVERY_S)  # while it is used: now it is among the frozen
    del one, two
    assert collector.tick(2 * FULL_EVERY_S)
    assert gone() is None


def test_nothing_is_collected_while_somebody_types_until_it_has_to_be(collector: QuietCollector) -> None:
    assert not collector.tick(FULL_EVERY_S - 1)
    collector.disturbed(FULL_EVERY_S - 0.5)
    assert not collector.tick(FULL_EVERY_S)
    assert collector.tick(FULL_EVERY_S - 0.5 + QUIET_FOR_S)
    now = 2 * FULL_EVERY_S + QUIET_FOR_S
    while not collector.tick(now):
        collector.disturbed(now)
        now += 1.0
        assert now < FULL_EVERY_S + QUIET_FOR_S + AT_LEAST_EVERY_S + 2
    assert collector.full_collections == 2
