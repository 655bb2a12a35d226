"""Every command by its key and by its line in the palette, on a replay of a recorded run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.cockpit import by_palette, cockpit_of, leaderboard_screen, opened, replay_screen, shown, until
from tunetui.tui.commands.command import AnyCommand
from tunetui.tui.opening import SCOPES
from tunetui.tui.palette import SafePalette
from tunetui.tui.screens.board_screen import BoardScreen
from tunetui.tui.screens.columns import ColumnsScreen
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.heatmap import HeatmapScreen
from tunetui.tui.screens.hosts import HostsScreen
from tunetui.tui.screens.leaderboard import LeaderboardScreen
from tunetui.tui.screens.row import RowScreen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.text import TextScreen

Effect = Callable[[Pilot[None]], bool]
NEEDS_A_LIVE_RUN = {"skip_row", "requeue_row", "measure_closer", "race_finalists", "stop_run", "save_board"}
NEEDS_ANOTHER_PLACE = {"suspend", "go_back", "quit", "show_commands", "next_tab", "previous_tab"}
"""Tested below or elsewhere, where they do something."""


def said(pilot: Pilot[None], text: str) -> bool:
    return any(text in each.text for each in cockpit_of(pilot).said)


def board(pilot: Pilot[None]) -> BoardScreen:
    screen = pilot.app.screen
    assert isinstance(screen, BoardScreen)
    return screen


def run_screen(pilot: Pilot[None]) -> RunScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    return screen


EFFECTS: dict[str, Effect] = {
    "show_help": lambda p: isinstance(p.app.screen, TextScreen) and "[keys] sort_next" in shown(p),
    "show_notices": lambda p: isinstance(p.app.screen, TextScreen) and "Notices" in shown(p),
    "show_hosts": lambda p: isinstance(p.app.screen, HostsScreen) and "this machine" in shown(p),
    "change_theme": lambda p: p.app.theme == "contrast" or said(p, "theme: "),
    "copy_row": lambda p: "latency_ms.median = " in p.app.clipboard and said(p, "row copied"),
    "copy_cell": lambda p: p.app.clipboard.replace(".", "").isdigit() and said(p, "latency_ms.median copied"),
    "save_picture": lambda _: any(Path.cwd().glob("tunetui-*.svg")),
    "sort_next": lambda p: board(p).board_table.ordering.sort_key not in {None, "latency_ms.median"},
    "reverse_sort": lambda p: board(p).board_table.ordering.descending,
    "filter_rows": lambda p: board(p).filter_line.has_focus and bool(board(p).filter_line.display),
    "open_row": lambda p: isinstance(p.app.screen, RowScreen),
    "show_heatmap": lambda p: isinstance(p.app.screen, HeatmapScreen),
    "choose_columns": lambda p: isinstance(p.app.screen, ColumnsScreen),
    "pause_run": lambda p: (replay := run_screen(p).replay) is not None and replay.paused,
    "pin_row": lambda p: run_screen(p).pinned == [run_screen(p).board_table.cursor_key] and "»" in shown(p),
    "open_board": lambda p: isinstance(p.app.screen, LeaderboardScreen) and "REPLAY" in shown(p),
    "play_faster": lambda p: (replay := run_screen(p).replay) is not None and replay.speed == 256,
    "play_slower": lambda p: (replay := run_screen(p).replay) is not None and replay.speed == 64,
}
"""What a command does to the Run screen of a replay that plays at 128 times its speed."""

BY_ID = {command.id: command for commands in SCOPES.values() for command in commands}
ON_A_REPLAY = [BY_ID[name] for name in EFFECTS]


def test_every_command_is_tested_here_or_said_to_be_tested_elsewhere() -> None:
    on_the_run_screen = {command.id for command in SCOPES["Run"]}
    assert on_the_run_screen == EFFECTS.keys() | NEEDS_A_LIVE_RUN | NEEDS_ANOTHER_PLACE


def first_key(command: AnyCommand) -> str:
    return command.key.split(",")[0]


async def ready(pilot: Pilot[None]) -> None:
    screen = run_screen(pilot)
    await until(pilot, lambda: screen.board_table.cursor_key is not None)
    await until(pilot, lambda: screen.run_now.counts.done == 24)
    await until(pilot, lambda: not screen.board.is_behind and not screen.board_table.ordering._order_is_stale)


@pytest.mark.parametrize("command", ON_A_REPLAY, ids=lambda command: command.id)
async def test_a_command_works_by_its_key(command: AnyCommand) -> None:
    async with opened(replay_screen(speed=128)) as pilot:
        await ready(pilot)
        await pilot.press(first_key(command))
        await until(pilot, lambda: EFFECTS[command.id](pilot))


@pytest.mark.parametrize("command", ON_A_REPLAY, ids=lambda command: command.id)
async def test_a_command_works_by_the_palette(command: AnyCommand) -> None:
    async with opened(replay_screen(speed=128)) as pilot:
        await ready(pilot)
        await by_palette(pilot, command.name)
        await until(pilot, lambda: EFFECTS[command.id](pilot))


@pytest.mark.parametrize("page", ["samples", "figures", "resources", "build", "provenance", "records"])
async def test_every_page_of_a_row_is_one_key_away(page: str) -> None:
    told = {
        "samples": "samples in order", "figures": "quality.recall", "resources": "working_set_bytes",
        "build": "", "provenance": "kernel_source", "records": '"kind":"TrialMeasured"',
    }  # fmt: skip
    async with opened(replay_screen()) as pilot:
        await ready(pilot)
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RowScreen))
        key = {command.id: first_key(command) for command in SCOPES["Row"]}
        ids = {"samples": "show_samples", "figures": "show_figures", "resources": "show_resources",
               "build": "show_build_log", "provenance": "show_provenance", "records": "show_records"}  # fmt: skip
        await pilot.press(key[ids[page]])
        screen = pilot.app.screen
        assert isinstance(screen, RowScreen)
        assert screen.page == page
        await until(pilot, lambda: told[page] in shown(pilot).replace("\n ", "") or told[page] in screen.text.text)


async def test_the_heatmap_turns_and_swaps_its_axes() -> None:
    async with opened(replay_screen()) as pilot:
        await ready(pilot)
        await pilot.press("h")
        await until(pilot, lambda: isinstance(pilot.app.screen, HeatmapScreen))
        screen = pilot.app.screen
        assert isinstance(screen, HeatmapScreen)
        before = (screen.x_name, screen.y_name)
        await pilot.press("s")
        assert (screen.x_name, screen.y_name) == before[::-1]
        await pilot.press("x", "w")
        assert (screen.x_name, screen.y_name) != before[::-1]
        assert "best median ms" in shown(pilot)


async def test_escape_goes_back_and_stops_at_the_first_screen() -> None:
    async with opened(replay_screen()) as pilot:
        await ready(pilot)
        first = pilot.app.screen
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RowScreen))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is first)
        await pilot.press("escape", "escape")
        assert pilot.app.screen is first


async def test_more_than_one_enter_in_the_palette_ends_nothing() -> None:
    """Textual 8.2.8 dies of the second one: it would dismiss a screen that is gone."""
    async with opened(replay_screen()) as pilot:
        await ready(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(pilot.app.screen, SafePalette))
        palette = pilot.app.screen
        await pilot.press(*"Notices")
        palette.dismiss(None)
        palette.dismiss(None)
        await pilot.press("enter", "enter", "enter", "enter")
        await pilot.pause()
        assert pilot.app.is_running
        assert cockpit_of(pilot).failures == []


async def test_without_a_run_at_work_q_leaves_at_once() -> None:
    async with opened(leaderboard_screen()) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)


async def test_commands_that_would_do_nothing_are_grey_and_say_so() -> None:
    async with opened(replay_screen()) as pilot:
        await ready(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, CommandScreen)
        for name in NEEDS_A_LIVE_RUN:
            assert screen.check_action("command", (name,)) is None


async def test_the_palette_finds_themes_columns_and_saved_files(home: Path) -> None:
    (home / "a.leaderboard.json").write_bytes(
        (Path(__file__).parents[1] / "data/quickstart.leaderboard.json").read_bytes()
    )
    async with opened(replay_screen()) as pilot:
        await ready(pilot)
        await by_palette(pilot, "Theme: ember")
        await until(pilot, lambda: pilot.app.theme == "ember")
        await by_palette(pilot, "Sort by latency_ms.min")
        await until(pilot, lambda: board(pilot).board_table.ordering.sort_key == "latency_ms.min")
        await by_palette(pilot, "Leaderboard: a.leaderboard.json")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeaderboardScreen))
