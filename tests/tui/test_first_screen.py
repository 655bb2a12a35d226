"""What the first screen costs, and one that comes back: what is loaded for it, and what is sent of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from textual._compositor import LayoutUpdate

from bench.terminal import Terminal
from tests.tui.cockpit import JOURNAL, cockpit_of, opened, replay_screen, until
from tunetui.tui.app import Cockpit

MOST_BYTES = 30_000
STANDS_STILL = "1e-9"
"""The speed of a replay of which nothing more comes due, however long the machine takes: one screen, then nothing new."""
LATER = (
    "tunetui.session.batch",
    "tunetui.session.opening",
    "tunetui.engines",
    "tunetui.hosts",
    "http.client",
    "numpy.ma",
)
"""Of these nothing is needed before a replay is on screen."""
LOADS = f"""
import sys
from tunetui.tui.loading import load_quickly
load_quickly()
import tunetui.tui.opening, tunetui.session.library, tunetui.session.replaying, tunetui.tui.screens.run, os
print([name for name in {LATER!r} if name in sys.modules], os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def test_the_first_screen_is_sent_about_once() -> None:
    command = [sys.executable, "-m", "tunetui", "--replay", str(JOURNAL), "--speed", STANDS_STILL]
    with Terminal(command, columns=160, rows=48) as terminal:
        assert terminal.wait_for(b"REPLAY") is not None
        terminal.settle(0.3)
        assert terminal.bytes_written < MOST_BYTES


async def test_the_screen_below_one_that_is_closed_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    display = Cockpit._display

    def counted(app: Cockpit, screen: object, update: object) -> None:
        drawn.append(update)
        display(app, screen, update)  # type: ignore[arg-type]

    monkeypatch.setattr(Cockpit, "_display", counted)
    async with opened(replay_screen()) as pilot:
        below = cockpit_of(pilot).screen
        await pilot.press("question_mark")
        await until(pilot, lambda: cockpit_of(pilot).screen is not below)
        closed = cockpit_of(pilot).screen
        await until(pilot, lambda: any(isinstance(update, LayoutUpdate) for update in drawn))
        await pilot.pause()
        drawn.clear()
        await pilot.press("escape")
        await until(pilot, lambda: not closed.is_running)
        await until(pilot, lambda: any(isinstance(update, LayoutUpdate) for update in drawn))
        for _ in range(5):
            await pilot.pause(0.02)
        assert sum(isinstance(update, LayoutUpdate) for update in drawn) == 1


def test_it_loads_nothing_that_it_does_not_show_and_leaves_no_setting_for_what_is_measured() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[] None"
