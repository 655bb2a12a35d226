"""In a real pty: what reaches a terminal, and how the app follows what the terminal answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import signature
from pathlib import Path

import pytest
from textual.app import App
from textual.screen import Screen
from textual.scroll_view import ScrollView

from bench.terminal import Terminal
from tests.tui.paced_program import HOSTILE
from tunetui.tui.terminal_port import TerminalPort

PROGRAM = [sys.executable, str(Path(__file__).with_name("paced_program.py"))]
ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[2])}
QUESTION = b"\x1b[6n"
TEXTUALS_OWN = b"\x1b]22;default\x07"  # the shape of the mouse pointer


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal(PROGRAM, columns=100, rows=44, environment=ENVIRONMENT) as started:
        assert started.wait_for(b"READY") is not None, bytes(started.arrived[-3000:])
        started.settle()
        yield started


def test_no_widget_lets_a_steering_character_through(terminal: Terminal) -> None:
    terminal.send(b"\x1b[B")
    terminal.settle()
    drawn = bytes(terminal.arrived).replace(TEXTUALS_OWN, b"")
    for payload in (b"\x1b]0;", b"\x1b[31mESC", "\x9b31mC1".encode(), "\u202e".encode(), b"\x07", b"\x08", b"one\rtwo"):
        assert payload not in drawn, payload
    for shown in ("[b]MKP[/b] tail", "[@click=app.bell]CLK[/] tail", "x[/nope] BRK", "·]0;PWNED··[31mESC tail"):
        assert shown.encode() in drawn, shown
    assert len(HOSTILE) == 7


def test_nothing_is_written_while_nothing_happens(terminal: Terminal) -> None:
    quiet = 0
    for _ in range(120):  # of a slow machine the last of the start may still be on its way
        before = terminal.bytes_written
        terminal.watch(0.5)
        quiet = quiet + 1 if terminal.bytes_written == before else 0
        if quiet == 3:
            return
    pytest.fail("something is written all the time")


def test_each_frame_is_followed_by_one_question_and_the_answer_is_taken(terminal: Terminal) -> None:
    terminal.forget()
    terminal.send(b"b")
    assert terminal.wait_for(b"BEAT 020") is not None
    terminal.settle()
    drawn = bytes(terminal.arrived)
    assert b"answers" in drawn
    assert 20 <= drawn.count(QUESTION) <= 25
    assert not re.search(re.escape(QUESTION) + rb"\x1b\[6n", drawn)


def test_a_terminal_that_never_answers_is_drawn_on_all_the_same() -> None:
    with Terminal(PROGRAM, columns=100, rows=44, environment=ENVIRONMENT, answers=False) as silent:
        assert silent.wait_for(b"READY") is not None
        silent.send(b"b")
        assert silent.wait_for(b"BEAT 020") is not None
        assert b"silent" in silent.arrived
        assert silent.close(b"q", grace_s=120) == 0


def test_a_slow_link_makes_the_app_lite_and_loses_no_key() -> None:
    with Terminal(PROGRAM, columns=100, rows=44, environment=ENVIRONMENT, bytes_per_s=8_000, round_trip_s=0.3) as slow:
        assert slow.wait_for(b"READY") is not None
        slow.send(b"bbbbb")
        assert slow.wait_for(b"LITE") is not None
        slow.send(b"\x1b[B" * 30)
        slow.forget()
        assert slow.wait_for("▸row 23".encode()) is not None
        assert slow.most_queued < 60_000


def test_the_terminal_can_be_lent_to_another_program_while_everything_changes(terminal: Terminal) -> None:
    terminal.forget()
    terminal.send(b"a")
    assert terminal.wait_for(b"ASIDE") is not None
    assert terminal.wait_for(b"BACK") is not None
    terminal.settle()
    assert terminal.close(b"q", grace_s=120) == 0


def test_the_terminal_is_left_as_it_was_found(terminal: Terminal) -> None:
    terminal.forget()
    assert terminal.close(b"q", grace_s=120) == 0
    assert terminal.arrived.rfind(b"\x1b[?1049l") > 0
    assert terminal.arrived.rfind(b"\x1b[?25h") > 0


async def test_the_private_parts_of_textual_are_where_they_were() -> None:
    """Names that terminal_port.py and line_view.py reach for; a new version of Textual may move them."""
    app: App[None] = App()
    async with app.run_test():
        assert callable(app._driver.write)  # type: ignore[union-attr]
        assert callable(app.screen._compositor.render_strips)
        assert callable(Screen._on_timer_update)
        assert callable(ScrollView._size_updated)
        assert "parent" in signature(App._prune).parameters
        assert app.screen in app.screen._compositor.visible_widgets
        assert app.screen._repaint_required in {True, False}
        assert isinstance(app.screen._compositor._dirty_regions, set)
        port = TerminalPort(app)
        assert not port.is_open
        port.ask()
        assert not port.queue_is_full()
        assert port.bytes_written == 0
