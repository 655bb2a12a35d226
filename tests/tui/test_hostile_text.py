"""Nothing that a host, a file or a compiler wrote reaches the terminal as anything but text."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.cockpit import BOARD, JOURNAL, cockpit_of, opened, replay_screen, shown, until
from tests.tui.hostile import NEVER_ON_A_TERMINAL, PAYLOADS, hostile_journal
from tunetui.core.errors import TunetuiError
from tunetui.tui.screens.leaderboard import board_screen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.start import StartScreen


def assert_harmless(pilot: Pilot[None]) -> None:
    text = shown(pilot)
    found = [repr(payload) for payload in NEVER_ON_A_TERMINAL if payload in text]
    assert found == []
    for strip in pilot.app.screen._compositor.render_strips():
        for segment in strip:
            assert segment.style is None or segment.style.link is None
            assert "@click" not in str(segment.style.meta if segment.style else "")


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_a_hostile_run_is_shown_as_text_on_every_screen(payload: str, tmp_path: Path) -> None:
    journal = hostile_journal(JOURNAL, tmp_path / "journal.jsonl", payload)
    async with opened(replay_screen(journal)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: screen.run_now.counts.measured == 24)
        await pilot.pause(0.6)
        assert_harmless(pilot)
        for key in ("i", "slash"):
            await pilot.press(key)
        screen.filter_line.value = payload
        await pilot.pause()
        assert_harmless(pilot)
        await pilot.press("escape", "s", "S")
        assert_harmless(pilot)
        for keys in (["o"], ["2"], ["3"], ["4"], ["5"], ["6"]):
            await pilot.press(*keys)
            await pilot.pause()
            assert_harmless(pilot)
        await pilot.press("escape", "h")
        await pilot.pause()
        assert_harmless(pilot)
        await pilot.press("escape", "v")
        await pilot.pause()
        assert_harmless(pilot)
        await pilot.press("escape", "b")
        await pilot.pause()
        assert_harmless(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        await pilot.press("escape", "ctrl+n")
        await pilot.pause()
        assert_harmless(pilot)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
async def test_what_is_said_is_text(payload: str) -> None:
    async with opened(replay_screen()) as pilot:
        cockpit = cockpit_of(pilot)
        cockpit.tell(payload, "error")
        cockpit.tell_error(TunetuiError(payload, hint=payload))
        await pilot.pause()
        assert_harmless(pilot)
        await pilot.press("ctrl+n")
        await pilot.pause()
        assert_harmless(pilot)


@pytest.mark.parametrize("name", ["[b]x[nope]", "a\x1b]0;owned\x07b", "x\u202ey"])
async def test_files_with_hostile_names_are_listed_and_found_as_text(name: str, home: Path) -> None:
    (home / f"{name}.leaderboard.json").write_bytes(BOARD.read_bytes())
    (home / f"{name}.toml").write_text('name = "x"\nkernel = "row-sum"\n')
    async with opened(StartScreen(home)) as pilot:
        await pilot.pause()
        assert_harmless(pilot)
        await pilot.press("ctrl+p")
        await pilot.pause(0.5)
        assert_harmless(pilot)
        await pilot.press("escape")
        await pilot.pause()
        cockpit_of(pilot).open_file(home / f"{name}.leaderboard.json")
        await pilot.pause()
        assert_harmless(pilot)


async def test_a_hostile_leaderboard_file_is_shown_as_text(tmp_path: Path) -> None:
    text = BOARD.read_text().replace('"numpy"', '"[b]n\\u001b]52;c;eA==\\u0007[/nope]"')
    path = tmp_path / "x.leaderboard.json"
    path.write_text(text)
    async with opened(board_screen(path)) as pilot:
        await pilot.pause()
        assert_harmless(pilot)
        await pilot.press("o")
        await pilot.pause()
        assert_harmless(pilot)
