"""The Setup screen: every command by key and by palette, what is counted as one types, and what is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.cockpit import by_palette, cockpit_of, opened, shown, until
from tests.tui.hostile import NEVER_ON_A_TERMINAL, PAYLOADS
from tunetui.core.mistakes import show_path
from tunetui.tui.commands.command import AnyCommand
from tunetui.tui.commands.setup import SETUP
from tunetui.tui.grid_draft import GridDraft
from tunetui.tui.keys import clashes
from tunetui.tui.opening import SCOPES
from tunetui.tui.screens.confirming import ConfirmScreen
from tunetui.tui.screens.kernels import KernelScreen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.setup import SetupScreen
from tunetui.tui.screens.start import StartScreen

GRID = """# my grid
name = "small"   # the name
kernel = "semantic-search"
device = "cpu"
implementations = ["numpy"]

[axes]
tile_rows = [64, 128]  # rows
select = ["argpartition", "sort"]
threads = [1]

[constraints]
where = [
    "tile_rows * 2 <= corpus_size",  # always
]

[problem]
corpus_size = 1000
dims = 32
k = 4

[method]
max_seconds = 0.2
ceilings = "none"
energy = "none"
"""


@asynccontextmanager
async def setup(
    home: Path, text: str = GRID, size: tuple[int, int] = (160, 48)
) -> AsyncIterator[tuple[Pilot[None], SetupScreen]]:
    path = home / "small.toml"
    path.write_text(text)
    async with opened(SetupScreen(GridDraft.open(path)), size) as pilot:
        screen = setup_screen(pilot)
        await until(pilot, lambda: screen.outlook.prospect is not None)
        await until(pilot, lambda: "local" in screen.outlook.answers)
        await settled(pilot, screen)
        yield pilot, screen


def setup_screen(pilot: Pilot[None]) -> SetupScreen:
    screen = pilot.app.screen
    assert isinstance(screen, SetupScreen)
    return screen


async def settled(pilot: Pilot[None], screen: SetupScreen) -> None:
    """The outlook is that of the text, for a device that is known."""

    def is_so() -> bool:
        found = screen.prospect
        return found is not None and found.text == screen.draft.text and (found.device is not None or bool(found.error))

    await until(pilot, is_so)


def outlook(pilot: Pilot[None]) -> str:
    """What stands beside the form, its lines joined."""
    return " ".join(setup_screen(pilot).summary.text.split())


def go(screen: SetupScreen, path: str, turn: int = 0, place: int = -1) -> None:
    """To the line of a key path."""
    field = next(f for f in screen.fields if f.keys and show_path(f.keys) == path and f.place == place)
    screen.form.go_to((field.kind, field.keys, field.place), turn)


async def type_in(pilot: Pilot[None], text: str) -> None:
    screen = setup_screen(pilot)
    await until(pilot, lambda: screen.entry.has_focus)
    screen.entry.value = text
    await pilot.press("enter")
    await pilot.pause()


async def test_what_is_there_is_counted_for_this_machine(home: Path) -> None:
    async with setup(home) as (pilot, screen):
        assert screen.prospect is not None
        assert screen.prospect.forecast is not None
        assert screen.prospect.forecast.trials == 4
        assert "4 valid configurations of 4 combinations" in shown(pilot)
        text = shown(pilot) + outlook(pilot)
        assert "counted for" in text
        assert "of this machine" in text
        assert "2 x 0.2 s a trial" in text  # no run of it was measured yet: the method's own bound
        assert "[x] 64  [x] 128" in text
        assert "excludes none    tile_rows * 2 <= corpus_size" in text


async def test_counts_and_the_first_mistake_follow_what_is_typed_before_it_is_taken(home: Path) -> None:
    async with setup(home) as (pilot, screen):
        go(screen, "axes.tile_rows")
        await pilot.press("e")
        await until(pilot, lambda: screen.entry.has_focus)
        screen.entry.value = "{ start = 64, stop = 1024, factor = 2 }"
        await until(pilot, lambda: "of 10 combinations" in shown(pilot))
        await until(pilot, lambda: "excludes 4 " in shown(pilot))
        screen.entry.value = "64, 64"
        await until(pilot, lambda: "axes.tile_rows[1]: expected every value once" in outlook(pilot))
        screen.entry.value = "64,,"
        await until(pilot, lambda: "expected a value between commas" in outlook(pilot))
        await pilot.press("escape")
        assert screen.draft.text == GRID
        await until(pilot, lambda: "4 valid configurations" in shown(pilot))


async def test_a_value_is_switched_and_the_file_changes_there_alone(home: Path) -> None:
    async with setup(home) as (pilot, screen):
        go(screen, "axes.tile_rows")
        await pilot.press("right", "space", "w")
        path = home / "small.toml"
        await until(pilot, lambda: path.read_text() == GRID.replace("[64, 128]", "[64]"))
        assert "[ ] 128" in shown(pilot)  # to be switched on again
        await pilot.press("space", "w")
        await until(pilot, lambda: path.read_text() == GRID)


def write_untouched(pilot: Pilot[None]) -> bool:
    return (Path.cwd() / "small.toml").read_bytes() == GRID.encode()


async def prepared(pilot: Pilot[None], screen: SetupScreen, command: AnyCommand) -> None:
    go(screen, "axes.threads")
    if command.id == "undo_change":
        await pilot.press("space")
        await until(pilot, lambda: screen.draft.text != GRID)


EFFECTS: dict[str, Callable[[Pilot[None]], bool]] = {
    "start_measuring": lambda p: isinstance(p.app.screen, RunScreen),
    "switch_value": lambda p: "threads = []" in setup_screen(p).draft.text,
    "change_line": lambda p: setup_screen(p).entry.has_focus,
    "type_values": lambda p: setup_screen(p).entry.value == "1",
    "leave_out": lambda p: "threads" not in setup_screen(p).draft.text,
    "undo_change": lambda p: setup_screen(p).draft.text == GRID,
    "ask_host": lambda p: len(setup_screen(p).outlook.answers) == 1 and not setup_screen(p).outlook.asking,
    "save_grid": write_untouched,
    "save_grid_as": lambda p: setup_screen(p).entry.value.endswith("small.toml"),
    "open_another": lambda p: isinstance(p.app.screen, StartScreen),
}


def test_every_command_of_the_screen_is_tried() -> None:
    assert {command.id for command in SETUP} == EFFECTS.keys()
    assert clashes({"Setup": SCOPES["Setup"]}) == []


@pytest.mark.parametrize("palette", [False, True], ids=["key", "palette"])
@pytest.mark.parametrize("command", SETUP, ids=lambda command: command.id)
async def test_a_command_does_its_work_by_key_and_by_palette(command: AnyCommand, palette: bool, home: Path) -> None:
    async with setup(home) as (pilot, screen):
        await prepared(pilot, screen, command)
        if palette:
            await by_palette(pilot, command.name)
        else:
            await pilot.press(command.key.split(",")[0])
        await until(pilot, lambda: EFFECTS[command.id](pilot))
        if isinstance(pilot.app.screen, RunScreen):
            await pilot.press("t", "t")
            live = cockpit_of(pilot).live
            await until(pilot, lambda: live is not None and not live.alive)


async def test_everything_of_a_grid_can_be_set_by_keyboard(home: Path) -> None:
    async with setup(home) as (pilot, screen):
        for path, value in {
            "name": "other", "budget.minutes": "3", "problem.queries": "1, 2", 'targets.""': "latency_ms.p95 < 50",
            "method.precision_percent": "2.5",
        }.items():  # fmt: skip
            go(screen, path)
            await pilot.press("enter")
            await type_in(pilot, value)
        go(screen, "constraints.where", place=1)
        await pilot.press("enter")
        await type_in(pilot, "tile_rows >= 128")
        go(screen, "method.cache", turn=1)
        await pilot.press("space")
        await settled(pilot, screen)
        assert screen.prospect is not None
        grid = screen.prospect.grid
        assert grid is not None
        assert (grid.name, grid.budget.minutes, grid.problem["queries"]) == ("other", 3.0, [1, 2])
        assert (grid.targets, grid.method.cache) == ({"latency_ms.p95": "< 50"}, "hot")
        assert grid.where == ["tile_rows * 2 <= corpus_size", "tile_rows >= 128"]
        assert "  # always" in screen.draft.text
        assert screen.prospect.forecast is not None
        assert screen.prospect.forecast.trials == 4  # 2 configurations on 2 problems


async def test_a_constraint_that_leaves_nothing_is_named_and_nothing_is_started(home: Path) -> None:
    async with setup(home, GRID.replace("tile_rows * 2 <=", "tile_rows * 2000 <=")) as (pilot, screen):
        await until(pilot, lambda: "excludes the last of" in outlook(pilot))
        await pilot.press("s")
        await pilot.pause()
        assert isinstance(pilot.app.screen, SetupScreen)
        assert any("no configuration is left to measure" in each.text for each in cockpit_of(pilot).said)
        assert screen.prospect is not None


async def test_a_mistake_in_a_file_marks_its_line_and_can_be_mended_here(home: Path) -> None:
    async with setup(home, GRID.replace("[64, 128]", '[64, "x"]')) as (pilot, screen):
        assert screen.prospect is not None
        assert "axes.tile_rows[1]: expected int" in screen.prospect.error
        go(screen, "axes.tile_rows")
        await until(pilot, lambda: "✗ see below" in shown(pilot))
        await pilot.press("e")
        await type_in(pilot, "64, 128")
        await until(pilot, lambda: "4 valid configurations" in shown(pilot))


async def test_a_file_that_is_no_toml_opens_and_says_so(home: Path) -> None:
    async with setup(home, "name = \n") as (pilot, screen):
        assert screen.prospect is not None
        assert "not TOML" in screen.prospect.error
        go(screen, "name")
        await pilot.press("e")
        await type_in(pilot, "better")
        assert any("not TOML" in each.text for each in cockpit_of(pilot).said)


async def test_changes_are_not_lost_without_a_question(home: Path) -> None:
    async with setup(home) as (pilot, screen):
        go(screen, "axes.tile_rows")
        await pilot.press("space", "q")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen) or bool(cockpit_of(pilot).said))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert write_untouched(pilot)
        await pilot.press("q", "y")
        await until(pilot, lambda: not pilot.app.is_running)
    assert (home / "small.toml").read_text() == GRID


async def test_a_file_that_somebody_else_changed_is_not_overwritten(home: Path) -> None:
    async with setup(home) as (pilot, screen):
        (home / "small.toml").write_text("# mine\n" + GRID)
        go(screen, "axes.tile_rows")
        await pilot.press("space", "w")
        await until(pilot, lambda: any("changed by somebody else" in each.text for each in cockpit_of(pilot).said))
        assert (home / "small.toml").read_text() == "# mine\n" + GRID
        await pilot.press("W")
        await type_in(pilot, "mine-too")
        await until(pilot, (home / "mine-too.toml").exists)
        assert screen.draft.path == home / "mine-too.toml"


async def test_a_new_grid_is_saved_and_started_with_one_key(home: Path) -> None:
    async with opened(SetupScreen(GridDraft.new("row-sum", home))) as pilot:
        screen = setup_screen(pilot)
        await settled(pilot, screen)
        assert not (home / "row-sum.toml").exists()
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        assert (home / "row-sum.toml").exists()
        await pilot.press("t", "t")
        live = cockpit_of(pilot).live
        await until(pilot, lambda: live is not None and not live.alive)


async def test_another_kernel_is_chosen_from_a_list(home: Path) -> None:
    async with setup(home) as (pilot, screen):
        go(screen, "kernel")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, KernelScreen))
        kernels = pilot.app.screen
        assert isinstance(kernels, KernelScreen)
        await pilot.press(*["down"] * kernels.names.index("row-sum"), "enter")
        await until(pilot, lambda: 'kernel = "row-sum"' in screen.draft.text)
        await settled(pilot, screen)


async def test_hosts_are_chosen_added_and_asked_and_a_dead_one_delays_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / "ssh_config"
    config.write_text("Host nowhere other-*\n  HostName 127.0.0.1\n  Port 9\n  UserKnownHostsFile /dev/null\n")
    monkeypatch.setenv("TUNETUI_SSH_CONFIG", str(config))
    async with setup(home) as (pilot, screen):
        go(screen, "hosts.nowhere")
        await pilot.press("space")
        await until(pilot, lambda: 'use = ["local", "nowhere"]' in screen.draft.text)
        await pilot.press("a")
        await until(pilot, lambda: "nowhere" in screen.outlook.answers)
        assert screen.outlook.answers["nowhere"].problem
        await until(pilot, lambda: "✗ " in shown(pilot))
        await pilot.press("space")
        await until(pilot, lambda: "use =" not in screen.draft.text)
        go(screen, 'hosts.""')
        await pilot.press("enter")
        await type_in(pilot, "me@gpu.example:2222")
        await until(pilot, lambda: "me@gpu.example:2222" in shown(pilot))


@pytest.mark.parametrize("size", [(160, 48), (80, 24), (60, 20)], ids=str)
async def test_form_counts_and_keys_are_seen_in_every_size(size: tuple[int, int], home: Path) -> None:
    async with setup(home, size=size) as (pilot, screen):
        lines = shown(pilot).splitlines()
        assert "Setup · small.toml" in lines[0]
        assert "start" in lines[-1]
        assert any("4 valid configurations" in line for line in lines)
        for _ in screen.fields:
            await pilot.press("down")
        assert "+ add" in shown(pilot)  # the last line, of hosts
        assert all(len(line) <= size[0] for line in lines)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
async def test_hostile_texts_of_a_grid_are_shown_as_they_are(payload: str, home: Path) -> None:
    from tunetui.core.toml_editing import with_item, with_value

    text = with_value(with_value(GRID, ["name"], payload), ["targets", payload[:40]], payload)
    text = with_item(with_value(text, ["axes", "select"], [payload[:90], "sort"]), ["constraints", "where"], 1, payload)
    async with setup(home, text) as (pilot, screen):
        for place in range(len(screen.fields)):
            screen.form.place = place
            if place % 20 == 0:
                screen.form.action_move(1)
                await pilot.pause()
                assert not any(raw in shown(pilot) for raw in NEVER_ON_A_TERMINAL)
        assert screen.prospect is not None
        assert screen.prospect.error
