"""What Setup says of time, cost and hosts: races, runs under load, devices that share, and what has no room in its line."""

from __future__ import annotations

from pathlib import Path

from tests.tui.cockpit import shown, until
from tests.tui.test_setup_screen import GRID, go, outlook, settled, setup, setup_screen
from tunetui.core.decoding import grid_from_dict
from tunetui.core.definitions import Grid
from tunetui.core.planning import Counts, Forecast
from tunetui.session import BatchOptions, Preparing
from tunetui.session.host_answers import HostAnswer
from tunetui.session.setting_up import Speed
from tunetui.settings import HostSettings
from tunetui.tui.app import Cockpit, Looks
from tunetui.tui.grid_draft import GridDraft
from tunetui.tui.screens.setup import SetupScreen
from tunetui.tui.setup_time import cost_words, expected_time
from tunetui_agent.messages import Device


def grid(**tables: object) -> Grid:
    plain = {
        "name": "x",
        "kernel": "k",
        "device": "cpu",
        "method": {"max_seconds": 0.5, "finalists_seconds": 10},
        **tables,
    }
    return grid_from_dict(plain, "x.toml")


def found(trials: int = 60, problems: int = 2) -> Forecast:
    counts = Counts(cartesian=trials, valid=trials, excluded={}, planned=trials)
    return Forecast(
        counts={"one": counts}, problems=problems, trials=trials, left_out={}, device_known=True, emptied_by={},
        sampling_seconds_at_most=float(trials),
    )  # fmt: skip


def test_runs_under_load_are_in_the_time_and_in_the_cost() -> None:
    time = expected_time(grid(reliability={"minutes": 5}), found(), None)
    assert time.seconds == 60 * 2 * 0.5 + 2 * 10 + 2 * 300
    assert time.words == (
        "about 11 min at most: 60 s of sampling (2 x 0.5 s a trial), up to 20 s of races, 10 min under load; "
        "builds not counted"
    )
    assert cost_words(time, {"box": 1.2, "local": None}) == ["$0.23 at most at $1.20 an hour; without this machine"]
    assert cost_words(time, {"local": None}) == []


def test_what_trials_took_before_is_a_rule_and_devices_share_trials_alone() -> None:
    time = expected_time(grid(), found(), Speed(2.0, 24), devices=4)
    assert time.seconds == 60 * 2.0 / 4 + 20
    assert time.estimated
    assert time.words == (
        "about 50 s: 30 s of sampling (2 s a trial, as 24 trials on this device took, on 4 devices), up to 20 s of races; "
        "builds not counted"
    )


def test_the_budget_ends_it_where_it_is_shorter_and_is_not_mentioned_where_not() -> None:
    short = expected_time(grid(budget={"minutes": 1}, reliability={"seconds": 300}), found(), None)
    assert short.seconds == 60
    assert "the budget of 1 min ends it" in short.words
    assert "budget" not in expected_time(grid(budget={"minutes": 60}), found(), None).words
    assert expected_time(grid(), found(0), None).words == "nothing to measure"


async def test_a_run_under_load_is_set_up_as_everything_else(home: Path) -> None:
    async with setup(home) as (pilot, screen):
        go(screen, "reliability.minutes")
        await pilot.press("e", "5")
        await until(pilot, lambda: "5 min under load" in outlook(pilot))
        await pilot.press("enter")
        await settled(pilot, screen)
        assert "[reliability]\nminutes = 5\n" in screen.draft.text


async def test_values_that_cannot_be_read_stay_as_they_are_written(home: Path) -> None:
    async with setup(home, GRID.replace("[64, 128]", '[64, 128, "wide"]')) as (pilot, screen):
        go(screen, "axes.tile_rows")
        await pilot.pause()
        assert "tile_rows          64, 128, wide  ✗ see below" in shown(pilot)
        before = screen.draft.text
        await pilot.press("space")
        assert screen.draft.text == before


async def test_what_a_line_has_no_room_for_is_said_in_full_below(home: Path) -> None:
    async with setup(home, size=(60, 20)) as (pilot, screen):
        why = "local: the disk of this machine is full, and so is the folder that an agent's files would have to go to"
        screen.outlook.answers["local"] = HostAnswer("local", problem=why)
        screen.show_outlook()
        go(screen, "hosts.local")
        await until(pilot, lambda: "an agent's files would have to go to" in outlook(pilot))
        assert "✗ the disk of this machine is full" in outlook(pilot)
        go(screen, "name")
        await until(pilot, lambda: "an agent's files" not in outlook(pilot))


async def test_prices_and_what_the_command_line_says_instead_are_shown(home: Path) -> None:
    path = home / "small.toml"
    path.write_text(GRID)
    batch = BatchOptions(
        path, hosts=["box"], overrides=["axes.tile_rows=64"], usd_per_hour={"spare": 2.5},
        preparing=Preparing(settings={"box": HostSettings(usd_per_hour=1.29), "spare": HostSettings()}),
    )  # fmt: skip
    app = Cockpit(SetupScreen(GridDraft.open(path)), Looks(), lambda: batch)
    async with app.run_test(size=(160, 60)) as pilot:
        screen = setup_screen(pilot)
        await until(pilot, lambda: screen.prospect is not None and "$1.29 an hour" in shown(pilot))
        text = shown(pilot)
        assert "small.toml · with --set axes.tile_rows=64" in text.splitlines()[0]
        assert "--host box is used, not these" in text
        assert "settings; $1.29 an hour; not asked yet" in text
        assert "settings; $2.50 an hour; not asked yet" in text
        gpu = Device(id="g", kind="gpu", name="G", attributes={})
        cpus = [Device(id=f"c{number}", kind="cpu", name="C", attributes={}) for number in range(3)]
        screen.outlook.answers["box"] = HostAnswer("box", devices=[gpu, *cpus])
        assert screen.outlook.devices == 3
        screen.outlook.answers["box"] = HostAnswer(
            "box", devices=[*cpus, Device(id="o", kind="cpu", name="Other", attributes={})]
        )
        assert screen.outlook.devices == 1
