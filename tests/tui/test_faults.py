"""Terminals that are too small or go to the background, files that are broken: what the app makes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tui.cockpit import BOARD, JOURNAL, cockpit_of, leaderboard_screen, opened, replay_screen, shown, until
from tests.tui.tmux import Tmux, needs_tmux
from tunetui.core.errors import InputError
from tunetui.session import read_leaderboard
from tunetui.tui.grid_draft import GridDraft
from tunetui.tui.opening import AppOptions, find_looks
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.compare import CompareScreen
from tunetui.tui.screens.hosts import HostsScreen
from tunetui.tui.screens.leaderboard import board_screen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.setup import SetupScreen
from tunetui.tui.screens.start import StartScreen
from tunetui.tui.terminal_port import standing_notices

SCREENS: dict[str, Callable[[], CommandScreen]] = {
    "run": replay_screen,
    "leaderboard": leaderboard_screen,
    "compare": lambda: CompareScreen(read_leaderboard(BOARD), read_leaderboard(BOARD), ("one", "other")),
    "setup": lambda: SetupScreen(GridDraft.new("semantic-search", Path.cwd())),
    "hosts": HostsScreen,
    "start": lambda: StartScreen(Path.cwd()),
}


@pytest.mark.parametrize("name", SCREENS)
async def test_no_screen_fails_in_a_terminal_of_any_size(name: str, home: Path) -> None:
    async with opened(SCREENS[name](), (20, 5)) as pilot:
        await until(pilot, lambda: "20x5 is too small" in shown(pilot))
        for size in ((1, 1), (60, 20), (20, 5), (300, 70)):
            await pilot.resize_terminal(*size)
            await pilot.press("down", "question_mark", "escape")
        await until(pilot, lambda: "quit" in shown(pilot))
        assert "too small" not in shown(pilot)


async def test_a_journal_torn_in_the_middle_is_shown_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    whole = JOURNAL.read_bytes().splitlines(keepends=True)
    torn = tmp_path / "journal.jsonl"
    torn.write_bytes(
        b"".join(whole[:40]) + whole[40][:30] + b"\n\x00\xff{}\n" + b"".join(whole[41:60]) + whole[60][:50]
    )
    async with opened(replay_screen(torn)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: screen.run_now.counts.total == 24)
        await until(pilot, lambda: "3 lines damaged" in shown(pilot).splitlines()[0])
        assert "REPLAY" in shown(pilot)
    async with opened(board_screen(torn)) as pilot:
        await until(pilot, lambda: "9/24 measured · unfinished" in shown(pilot))
        assert "3 lines could not be read (line 41: " in cockpit_of(pilot).said[0].text


async def test_what_is_wrong_with_the_settings_is_said_at_the_start_and_can_be_read_again() -> None:
    wrong = "settings.toml: keybindings: there is no such setting"
    keys = {"show_heatmaps": "ctrl+g"}
    looks = find_looks(AppOptions(warnings=(wrong,), keys=keys, theme="[b]none[/b]"))
    async with opened(leaderboard_screen(), (120, 40), looks) as pilot:
        await pilot.press("ctrl+n")
        await until(pilot, lambda: wrong in shown(pilot))
        said = " ".join(shown(pilot).split())
        assert "did you mean 'show_heatmap'?" in said
        assert "there is no theme '[b]none[/b]', slate is used" in said


async def test_many_mistakes_in_the_settings_do_not_cover_the_screen_and_nothing_is_said_twice_at_once() -> None:
    looks = find_looks(AppOptions(warnings=tuple(f"mistake {n}" for n in range(9))))
    async with opened(leaderboard_screen(), (80, 24), looks) as pilot:
        app = cockpit_of(pilot)
        await until(pilot, lambda: bool(standing_notices(app)))
        assert standing_notices(app) == ["9 things in settings and themes cannot be used: ctrl+n lists them"]
        app.tell_error(InputError("no"))
        await until(pilot, lambda: standing_notices(app)[1:] == ["no"])
        app.tell_error(InputError("no"))
        await pilot.pause()
        assert standing_notices(app)[1:] == ["no"]
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "mistake 0" in shown(pilot) and shown(pilot).count("  no") == 2)
        assert not standing_notices(app)


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(home: Path) -> None:
    needs_tmux()
    terminal = Tmux(["bash", "--norc", "-i"], (100, 30), home, {"HOME": str(home), "PS1": "prompt> "})
    try:
        terminal.type(f"{sys.executable} -m tunetui --replay {JOURNAL} --speed 50\n")
        terminal.until("q quit")
        terminal.keys("C-z")
        terminal.until("Stopped")
        terminal.type("echo still $((40 + 2)) here; fg\n")
        terminal.until("q quit")
        terminal.until(r"24/24")
        terminal.keys("q")
        terminal.until("still 42 here")  # the shell's own screen is back, as it was left
    finally:
        terminal.kill()
