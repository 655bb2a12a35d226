"""The Run screen over recorded journals: what it shows, how it gives way, what it costs."""

from __future__ import annotations

import time

import pytest
from textual.message import Message

from tests.core.journals import agent, agent_started, app, device_found, measured, planned
from tests.tui.cockpit import JOURNAL, cockpit_of, looped_until, opened, replay_screen, shown, until
from tunetui.core.board_figures import MEDIAN
from tunetui.core.events import TrialsQueued
from tunetui.core.links import LinkPhase, LinkState
from tunetui.core.run import fold
from tunetui.core.snapshot import Happening, Run
from tunetui.tui import layout, run_text
from tunetui.tui.device_text import host_of, rail_line, spark
from tunetui.tui.figure_table import RANK_TEXT
from tunetui.tui.run_board import RunBoard
from tunetui.tui.run_panes import RESULTS_TOLD_AT_ONCE, worth_telling
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.sources import RunSource
from tunetui.tui.spans import LinesPane, text_of
from tunetui_agent.messages import TelemetrySampled, TrialProgressed, TrialStarted


def run_of(*extra: object, count: int = 2) -> Run:
    trials = [measured(number, [1]).trial for number in range(count)]
    records = [
        app(0, planned(trials=count)), app(1, TrialsQueued(trials=trials)), agent(0, agent_started()), agent(1, device_found()),
    ]  # fmt: skip
    return fold(Run(), [*records, *(agent(2 + seq, event, 1000.0 + seq) for seq, event in enumerate(extra))])


# ------------------------------------------------------------------------------------------------- the board


def test_only_rows_that_changed_are_written() -> None:
    board = RunBoard()
    run = run_of(count=500)
    assert board.take(run) == 500
    assert board.take(run) == 0
    run = fold(run, [agent(2, measured(7, [1000 + n for n in range(30)]))])
    assert board.take(run) == 1


def test_the_row_on_the_device_shows_its_interval_as_it_shrinks() -> None:
    board = RunBoard()
    trial = measured(1, [1]).trial
    run = run_of(TrialStarted(trial=trial))
    for half_width in (9.0, 3.0):
        progress = TrialProgressed(trial=trial.id, samples=20, median_ns=2e6, half_width_percent=half_width)
        run = fold(run, [agent(int(20 - half_width), progress)])
        board.take(run)
        store = board.table.store
        row = store.row_of(trial.id)
        assert store.number("interval_percent", row) == half_width
        assert store.text("status", row) == "running"
    run = fold(run, [agent(30, measured(1, [2_000_000 + n for n in range(30)]))])
    board.take(run)
    assert store.text("status", row) == "measured"
    assert store.number("latency_ms.n", row) == 30


def test_rows_that_cannot_be_told_apart_share_a_rank() -> None:
    board = RunBoard()
    same = [1000 + 3 * n for n in range(40)]
    run = run_of(
        measured(0, same), measured(1, [each + 1 for each in same]), measured(2, [each * 5 for each in same]), count=3
    )
    board.take(run)
    assert board.rank(at_once=True)
    store = board.table.store
    ranks = [store.text(RANK_TEXT, store.row_of(f"{number:016x}")) for number in range(3)]
    assert ranks == ["1=", "1=", "3"]


def test_a_hundred_thousand_rows_are_taken_and_followed_without_going_through_all_of_them_in_python() -> None:
    board = RunBoard()
    run = run_of(count=100_000)
    board.take(run)
    assert board.is_behind
    while board.is_behind:
        board.catch_up()
    assert board.table.store.count == 100_000
    samples = [1000 + n for n in range(20)]
    spent = 0.0
    for step in range(10):
        run = fold(run, [agent(2 + 20 * step + n, measured(37 * n + step, samples)) for n in range(20)])
        before = time.process_time()
        assert board.take(run) == 20
        spent += time.process_time() - before
    assert spent / 10 < 0.1  # seconds of CPU; going through every row takes half a second


def test_another_plan_leaves_the_rows_of_the_one_before_out() -> None:
    board = RunBoard()
    run = run_of(measured(0, [1000 + n for n in range(30)]))
    board.take(run)
    run = fold(run, [app(2, planned(trials=1)), app(3, TrialsQueued(trials=[measured(1, [1]).trial]))])
    board.take(run)
    assert board.table.store.count == 1


# --------------------------------------------------------------------------------------------------- layout


def test_panes_give_way_in_the_stated_order() -> None:
    before = layout.shown_panes(200, 60)
    assert before == set(layout.PANES)
    gone: list[str] = []
    for width, height in [(160, 48), (139, 40), (109, 40), (99, 40), (80, 24), (80, 15), (60, 11)]:
        now = layout.shown_panes(width, height)
        gone += [pane for pane in layout.PANES if pane in before and pane not in now]
        before = now
    assert gone == list(layout.PANES)


@pytest.mark.parametrize("size", [(160, 48), (120, 30), (80, 24), (60, 20), (40, 8)])
async def test_the_table_and_its_first_row_are_there_at_every_size(size: tuple[int, int]) -> None:
    async with opened(replay_screen(), size=size) as pilot:
        await until(pilot, lambda: "1 ✓" in shown(pilot))
        assert "REPLAY" in shown(pilot)
        assert "mojo" in shown(pilot)
        assert all(len(line) <= size[0] for line in shown(pilot).splitlines())


async def test_a_terminal_that_is_too_small_is_told_so_and_loses_nothing() -> None:
    async with opened(replay_screen(), size=(20, 5)) as pilot:
        await until(pilot, lambda: "too small" in shown(pilot))
        assert "needs 40x8" in shown(pilot)
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: "1 ✓" in shown(pilot))
        assert "too small" not in shown(pilot)


async def test_resizing_up_and_down_keeps_sorting_filter_and_cursor() -> None:
    async with opened(replay_screen()) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: screen.run_now.counts.done == 24)
        await pilot.press("S", "slash", *"threads")
        screen.filter_line.value = "threads == 2"
        await pilot.press("enter", "j", "j")
        key = screen.board_table.cursor_key
        for size in ((60, 20), (20, 5), (160, 48)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert screen.board_table.cursor_key == key
        assert screen.board_table.ordering.descending
        assert "/ threads == 2" in shown(pilot)


# ----------------------------------------------------------------------------------------------------- text


def test_a_lost_link_is_a_state_in_words_that_takes_the_place_of_old_figures() -> None:
    run = run_of(TelemetrySampled(figures={"busy_percent": 50.0, "clock_mhz": 2000.0}))
    device = run.devices["cpu"]
    lost = LinkState(host="here", state="lost", since=940.0, text="no answer")
    line = rail_line(run, device, 1000.0, lost)
    assert text_of(line) == " A real CPU  link lost 1:00 ago; the run continues on the host (no answer)"
    assert "2000 MHz" in text_of(rail_line(run, device, 1001.0))


def test_old_telemetry_says_how_old_it_is() -> None:
    run = run_of(TelemetrySampled(figures={"busy_percent": 50.0}))
    line = rail_line(run, run.devices["cpu"], 1090.0)
    assert "1:30 old" in text_of(line)
    assert line[0][1] == "muted"


def test_throttling_is_said_in_words() -> None:
    run = run_of(
        TelemetrySampled(
            figures={
                "utilisation_percent": 97.0,
                "sm_clock_mhz": 1695.0,
                "power_w": 148.0,
                "temperature_c": 61.0,
            },
            throttle_reasons="power cap, hardware slowdown",
        )
    )
    line = text_of(rail_line(run, run.devices["cpu"], 1000.0))
    assert "GPU  97%" in line
    assert "SM 1695 MHz  148 W  61 °C" in line
    assert "throttled: power cap, hardware slowdown" in line


def test_a_gpu_that_nothing_slows_down_says_so_and_of_a_cpu_nobody_tells() -> None:
    free = run_of(TelemetrySampled(figures={"sm_clock_mhz": 1695.0}, throttle_reasons=""))
    assert text_of(rail_line(free, free.devices["cpu"], 1000.0)).endswith("SM 1695 MHz  no throttle")
    untold = run_of(TelemetrySampled(figures={"clock_mhz": 2000.0}))
    assert text_of(rail_line(untold, untold.devices["cpu"], 1000.0)).endswith("throttling n/a")


def test_the_cost_is_told_with_its_budget() -> None:
    run = fold(Run(), [app(0, planned(grid={"name": "x", "budget": {"usd": 1.0}}), 1000.0)])
    assert run_text.cost_text(run, 1000.0 + 1800, 0.5) == "$0.25 of $1.00"
    assert run_text.cost_text(run, 2000.0, None) == ""


def test_a_spark_stays_within_its_cells() -> None:
    assert spark([0.0, 50.0, 100.0, 900.0], 100.0, 3) == "▅██"
    assert spark([], 100.0, 3) == "   "


# ------------------------------------------------------------------------------------------------- the rest


async def test_filtering_narrows_as_one_types_and_keeps_the_last_good_filter() -> None:
    async with opened(replay_screen()) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: screen.run_now.counts.done == 24)
        await pilot.press("slash")
        screen.filter_line.value = "threads == 2 and recall == 1"
        await until(pilot, lambda: "12 of 24 rows" in shown(pilot))
        screen.filter_line.value = "threads == 2 and"
        await until(pilot, lambda: "cannot read the expression" in shown(pilot))
        assert "12 of 24 rows" in shown(pilot)
        screen.filter_line.value = "argpart"
        await until(pilot, lambda: "4 of 24 rows" in shown(pilot))
        screen.filter_line.value = "treads == 2"
        await until(pilot, lambda: "treads" in screen.filter_problem)
        await pilot.press("escape")
        await until(pilot, lambda: " 24 rows" in shown(pilot))


class Knock(Message):
    pass


class Fragile(LinesPane):
    def on_knock(self) -> None:
        local = f"7 * 6 = {7 * 6}"
        raise RuntimeError("a widget broke" if local else "")


async def test_what_fails_in_a_widget_is_reported_and_the_app_goes_on() -> None:
    screen = replay_screen()
    async with opened(screen) as pilot:
        cockpit = cockpit_of(pilot)
        victim = Fragile()
        await screen.mount(victim)
        victim.post_message(Knock())
        # The pilot waits for every widget to answer, which this one does no more: the loop itself is waited for here.
        await looped_until(lambda: bool(cockpit.failures))
        report = cockpit.failures[0].report
        assert report is not None
        assert "a widget broke" in report.read_text()
        assert "7 * 6 = 42" not in report.read_text()
        assert report.stat().st_mode & 0o077 == 0
        assert any("the run goes on" in each.text and str(report) in each.text for each in cockpit.said)
        pulls = screen.feed.pulls
        await looped_until(lambda: screen.feed.pulls >= pulls + 5)
        assert cockpit.is_running
        cockpit.failures.clear()


@pytest.mark.parametrize("broken", ["the screen", "a drawing"])
async def test_what_fails_in_a_screen_or_as_it_is_drawn_ends_the_app_and_says_where_the_report_is(broken: str) -> None:
    screen = replay_screen()
    async with opened(screen) as pilot:
        cockpit = cockpit_of(pilot)
        if broken == "the screen":
            screen.show_run = None  # type: ignore[assignment, method-assign]
        else:
            screen.board_table.render_line = None  # type: ignore[assignment, method-assign]
            screen.board_table.refresh()
        await looped_until(lambda: not pilot.app.is_running)  # `until` draws by itself, and would fail in its place
        assert cockpit.leaving == "leave"
        assert cockpit.return_code == 1
        assert cockpit.failures[0].report is not None
        cockpit.failures.clear()


async def test_a_replay_is_labelled_on_every_screen() -> None:
    async with opened(replay_screen(JOURNAL)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: screen.run_now.counts.done == 24)
        await pilot.pause(0.6)
        for keys in ([], ["o"], ["escape", "h"], ["escape", "b"], ["o"], ["escape", "escape", "question_mark"]):
            await pilot.press(*keys)
            await pilot.pause()
            assert "REPLAY" in shown(pilot), keys


def test_the_median_is_a_number_column() -> None:
    assert MEDIAN in RunBoard().table.numbers


async def test_the_log_shows_its_end_whatever_the_terminal_is_resized_to() -> None:
    async with opened(replay_screen()) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: bool(screen.panes.log.entries) and screen.run_now.ended is not None)
        for size in ((100, 30), (80, 24), (160, 48), (100, 20)):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: screen.panes.log.is_at_end)


async def test_while_no_host_answers_rows_are_dim_and_words_say_why() -> None:
    screen = replay_screen()
    async with opened(screen) as pilot:
        await until(pilot, lambda: "1 ✓" in shown(pilot))
        assert screen.row_tone(screen.figures.store, 0) is None
        source = CutOff(screen.source)
        screen.source = source
        await until(pilot, lambda: bool(screen.out_of_touch))
        assert screen.row_tone(screen.figures.store, 0) == "muted"
        assert "the run continues on the host" in shown(pilot)
        source.state = "ready"
        await until(pilot, lambda: not screen.out_of_touch)
        assert "the run continues on the host" not in shown(pilot)


class CutOff:
    """A recorded run whose host is said to be out of reach."""

    def __init__(self, source: RunSource) -> None:
        self._source = source
        self.journal = source.journal
        self.state: LinkPhase = "lost"

    @property
    def snapshot(self) -> Run:
        return self._source.snapshot

    @property
    def now(self) -> float:
        return self._source.now

    @property
    def label(self) -> str:
        return self._source.label

    @property
    def links(self) -> dict[str, LinkState]:
        host = host_of(self.snapshot, "cpu")
        return {host: LinkState(host=host, state=self.state, since=self.now - 5.0)}

    @property
    def alive(self) -> bool:
        return False

    def close(self) -> None:
        self._source.close()


def test_of_a_flood_of_results_the_log_tells_the_latest_and_everything_else() -> None:
    def happened(number: int, kind: str) -> Happening:
        return Happening(t=float(number), kind=kind, text=str(number))

    flood = [happened(number, "TrialFailed" if number % 50 == 7 else "TrialMeasured") for number in range(200)]
    told, left_out = worth_telling(flood)
    assert [each.text for each in told if each.kind == "TrialFailed"] == ["7", "57", "107", "157"]
    assert [each.text for each in told if each.kind == "TrialMeasured"] == [
        str(number) for number in range(200 - RESULTS_TOLD_AT_ONCE, 200)
    ]
    assert left_out + len(told) == 200
    assert worth_telling(flood[:9]) == (flood[:9], 0)
