"""The line of keys at the bottom, and the help: both made from what the present screen listens to."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from tests.tui.cockpit import cockpit_of, leaderboard_screen, opened, replay_screen, shown, until
from tunetui.tui.grid_draft import GridDraft
from tunetui.tui.screens.hosts import HostsScreen
from tunetui.tui.screens.setup import SetupScreen
from tunetui.tui.screens.text import TextScreen
from tunetui.tui.widgets.keys_line import KeysLine


def keys_line(pilot: Pilot[None]) -> KeysLine:
    return pilot.app.screen.query_one(KeysLine)


async def test_the_keys_of_the_app_stay_where_there_is_no_room_for_all() -> None:
    async with opened(leaderboard_screen(), (40, 12)) as pilot:
        last = shown(pilot).splitlines()[-1]
        assert last.split()[-6:] == ["?", "help", "^p", "commands", "q", "quit"]
        assert len(keys_line(pilot).shown_hints(40)) < len(keys_line(pilot).hints)


async def test_a_click_on_a_key_is_the_key() -> None:
    async with opened(leaderboard_screen(), (160, 24)) as pilot:
        place = shown(pilot).splitlines()[-1].index("help")
        await pilot.click(KeysLine, offset=(place, 0))
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        assert keys_line(pilot).hint_at(159) is None


async def test_a_key_that_would_do_nothing_now_stands_out_no_more() -> None:
    async with opened(replay_screen(), (160, 24)) as pilot:
        await until(pilot, lambda: bool(keys_line(pilot).hints))
        line = keys_line(pilot)
        pieces = line.draw(160, 1)[0]
        grey = line.tones["muted"]
        assert {hint.label for hint in line.hints if not hint.enabled} >= {"skip", "race"}, "a replay cannot be steered"
        for hint, (_, style) in zip(line.shown_hints(160), pieces[::2], strict=True):
            assert (style == grey) is not hint.enabled, hint


async def test_the_keys_of_the_user_are_those_that_are_shown() -> None:
    async with opened(leaderboard_screen(), (160, 24)) as pilot:
        cockpit_of(pilot).set_keymap({"show_heatmap": "ctrl+g"})
        await until(pilot, lambda: "^g heatmap" in shown(pilot))


async def test_the_help_of_every_screen_lists_what_arrows_do_there(home: Path) -> None:
    async with opened(SetupScreen(GridDraft.new("semantic-search", home)), (100, 60)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "Value to the right" in shown(pilot))
        await pilot.press("question_mark")  # the help has a help, too
        await until(pilot, lambda: "To the beginning" in shown(pilot))
        await pilot.press("escape", "escape", "H")
        await until(pilot, lambda: isinstance(pilot.app.screen, HostsScreen))
        await pilot.press("question_mark")
        await until(pilot, lambda: "Line down" in shown(pilot))
