"""What a running sweep looks like."""

from __future__ import annotations

import io
from array import array
from typing import Any

import msgspec
import pytest

from tests.core.test_costs import at_work
from tunetui.cli.display import LiveDisplay, LogDisplay
from tunetui.cli.narration import Face
from tunetui.cli.progress import News, board, finished_line, heartbeat, link_lines
from tunetui.core.events import PlannedKernel, RunPlanned
from tunetui.core.links import LinkState
from tunetui.core.outlook import remaining_seconds
from tunetui.core.snapshot import Counts, Notice, Progress, Race, Row, Run
from tunetui.core.text_fitting import text_width

PROBLEM = {"corpus_size": 10_000, "queries": 1}
LARGER = {"corpus_size": 50_000, "queries": 1}


def row(trial: str, status: str = "queued", *, problem: dict[str, int] | None = None, **facts: Any) -> Row:
    plain = Row.of(
        trial=trial,
        implementation="mojo",
        problem={**(problem or PROBLEM)},
        problem_key="p" if problem is None else str(problem),
        configuration={"row_block": 2, "threads": 1},
        provenance="v",
        status=status,
        plan=1,
    )
    return plain.but(**facts)


def measured(trial: str, **facts: Any) -> Row:
    return row(
        trial, "measured", median_ns=310_123.0, ci_low_ns=308_900.0, ci_high_ns=311_300.0,
        samples_ns=array("q", [310_000, 310_123, 311_000]), times_measured=1, measured_at=1005.0, **facts,
    )  # fmt: skip


def run_of(*rows: Row, problems: list[dict[str, int]] | None = None, **facts: Any) -> Run:
    plan = RunPlanned(
        run="r", name="quick", tunetui_version="0", command="tunetui", started=1000.0, seed=0, grid={},
        kernel=PlannedKernel(name="k"), problems=[dict(p) for p in problems or [PROBLEM]], axes={}, trials=len(rows),
    )  # fmt: skip
    done = [r for r in rows if r.status not in ("queued", "running")]
    failed = [r for r in done if r.status != "measured"]
    counts = Counts(total=len(rows), measured=len(done) - len(failed), failed=len(failed))
    run = Run(plan=plan, plan_number=1, resumed=1000.0, rows={r.trial: r for r in rows}, counts=counts)
    return msgspec.structs.replace(run, **facts)


def test_the_board_shows_progress_the_present_trial_builds_and_the_best() -> None:
    run = run_of(
        measured("a"), row("b", "running"), row("c"), row("d"),
        running={"agent": Progress(trial="b", started=1005.0, samples=31, median_ns=412_345.0, half_width_percent=1.8)},
        building={"mojo": 3}, builds={"finished": 12, "cached": 2}, best={("p", "cpu"): "a"}, finished_since_resumed=1,
    )  # fmt: skip
    assert board(run, 1010.0, 79) == [
        "▰▰▰▰▰▱▱▱▱▱▱▱▱▱▱▱▱▱▱▱ 1/4  0:10 elapsed, ~0:30 left",
        "now   n=31 0.412 ms ±1.8 %  mojo row_block=2 threads=1",
        "build compiling 3 mojo, 12 finished, 2 cached",
        "best  0.3101 ms ±0.39 %  mojo row_block=2 threads=1",
    ]


def test_without_unicode_the_board_is_plain_ascii() -> None:
    run = run_of(measured("a"), best={("p", "cpu"): "a"})
    assert all(line.isascii() for line in board(run, 1010.0, 30, ascii_only=True))


@pytest.mark.parametrize("width", [20, 40, 79])
def test_the_board_fits_its_width_and_eight_lines(width: int) -> None:
    rows = [measured(name, problem={"corpus_size": size}) for size, name in enumerate("abcdef")]
    run = run_of(
        *rows, problems=[{"corpus_size": size} for size in range(6)], building={"mojo": 3},
        best={(name, "cpu"): name for name in "abcdef"},
    )  # fmt: skip
    lines = board(run, 1010.0, width)
    assert len(lines) <= 8
    assert max(text_width(line) for line in lines) <= width


def test_time_left_is_not_claimed_before_a_trial_is_finished() -> None:
    assert remaining_seconds(run_of(row("a")), 1010.0) is None
    assert "time left not known yet" in heartbeat(run_of(row("a")), 1010.0)


def test_time_left_counts_only_trials_of_this_start() -> None:
    run = run_of(measured("a"), measured("b"), measured("c"), row("d"), finished_since_resumed=1)
    assert remaining_seconds(run, 1007.0) == pytest.approx(7.0)


def test_time_left_is_not_longer_for_a_slow_start_nor_shorter_for_what_ended_before_somebody_came_back() -> None:
    rows = [*(measured(name) for name in "abcde"), row("f"), row("g")]
    slow_start = run_of(*rows, finished_since_resumed=5, first_finished_at=1040.0)  # 40 s of builds, then one a second
    assert remaining_seconds(slow_start, 1044.0) == pytest.approx(2.0)
    taken_up = run_of(*rows, finished_since_resumed=5, first_finished_at=960.0)  # one in ten seconds all the while
    assert remaining_seconds(taken_up, 1000.0) == pytest.approx(20.0)


def test_time_left_ends_with_the_budget() -> None:
    run = run_of(measured("a"), *(row(f"b{number}") for number in range(1000)), finished_since_resumed=1)
    assert run.plan is not None
    plan = msgspec.structs.replace(run.plan, grid={"budget": {"minutes": 1}})
    assert remaining_seconds(msgspec.structs.replace(run, plan=plan), 1010.0) == pytest.approx(50.0)


def racing(**facts: Any) -> Run:
    race = Race(problem={**PROBLEM}, trials=["a", "b"], limit_seconds=10.0, started=1008.0, **facts)
    run = run_of(measured("a"), measured("b"), finished_since_resumed=2, races={"agent": race})
    assert run.plan is not None
    plan = msgspec.structs.replace(run.plan, method={"finalists": 8, "finalists_seconds": 10.0})
    return msgspec.structs.replace(run, plan=plan)


def test_a_race_is_shown_with_how_far_it_is() -> None:
    assert board(racing(), 1010.0, 79)[1] == "now   racing 2 finalists, preparing"
    assert board(racing(samples=35, seconds=3.1), 1010.0, 79)[:2] == [
        "▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰ 2/2  0:10 elapsed, ~0:07 left",
        "now   racing 2 finalists, n=35 each, 3 of at most 10 s",
    ]


def test_time_left_counts_the_races_to_come_in_full() -> None:
    sweeping = msgspec.structs.replace(racing(), races={}, counts=Counts(total=3, measured=2))
    assert remaining_seconds(sweeping, 1010.0) == pytest.approx(5.0 + 10.0)
    assert remaining_seconds(racing(seconds=4.0), 1010.0) == pytest.approx(6.0)
    assert remaining_seconds(msgspec.structs.replace(racing(), races={}, raced={"p": "order"}), 1010.0) == 0


def test_a_look_for_drift_is_called_so() -> None:
    look = Progress(trial="a", started=1005.0, stage="sentinel")
    assert board(run_of(measured("a"), running={"agent": look}), 1010.0, 79)[1] == (
        "now   looking for drift: preparing  mojo row_block=2 threads=1"
    )


def test_rows_that_were_done_before_do_not_count_again() -> None:
    before = run_of(measured("a"), measured("b"), row("c"))
    news = News.since(before)
    again = measured("a").but(times_measured=2)
    raced = measured("b").but(times_measured=2, stage="finalists")
    after = run_of(again, raced, measured("c"))
    heads = [finished_line(after, row, place).partition(" ")[0] for place, row in news.finished(after)]
    assert heads == ["[again]", "[race]", "[3/3]"]


def test_a_measured_trial_is_one_line_with_its_interval_and_its_problem() -> None:
    run = run_of(measured("a", problem=LARGER, tags=["noisy"]), problems=[PROBLEM, LARGER])
    assert finished_line(run, run.rows["a"], 1) == (
        "[1/1] mojo row_block=2 threads=1 (corpus_size=50000): 0.3101 ms ±0.39 %, n=3  [noisy]"
    )


def test_a_failed_trial_is_one_line_with_its_cause() -> None:
    run = run_of(row("a", "build_failed", cause="line 1\nline 2\x1b[31m"))
    assert finished_line(run, run.rows["a"], 1) == (
        "[1/1] mojo row_block=2 threads=1: build failed: line 1 line 2\\x1b[31m"
    )


def test_rows_of_an_earlier_start_are_not_news() -> None:
    before = run_of(measured("a"), row("b"))
    news = News.since(before)
    after = run_of(measured("a"), measured("b"))
    assert [(place, r.trial) for place, r in news.finished(after)] == [(2, "b")]
    assert list(news.finished(after)) == []


def test_a_row_measured_again_is_news_again() -> None:
    news = News.since(run_of(measured("a")))
    again = run_of(measured("a").but(times_measured=2))
    assert [r.trial for _, r in news.finished(again)] == ["a"]


def test_a_log_gets_a_line_for_every_trial_and_a_heartbeat_when_nothing_happens() -> None:
    stream = io.StringIO()
    before = run_of(row("a"), row("b"))
    display = LogDisplay(Face(stream, is_terminal=False, width=None, colour=False), before)
    display.draw(before, 1000.0)
    display.draw(before, 1005.0)
    assert stream.getvalue() == ""
    display.draw(before, 1010.0)
    display.draw(before, 1011.0)
    noticed = Notice(code="noisy", text="load average 3.1\non 2 cores", source="agent", t=1011.0)
    display.draw(run_of(measured("a"), row("b"), notices=(noticed,)), 1012.0)
    assert stream.getvalue().splitlines() == [
        "0/2  0:10 elapsed, time left not known yet  now   waiting",
        "note: load average 3.1 on 2 cores",
        "[1/2] mojo row_block=2 threads=1: 0.3101 ms ±0.39 %, n=3",
    ]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("hostile", ["[red]x[/]", "[/]", "\x1b]0;t\x07", "\x1b[2J", "\x9b2J", "\u202eabc", ":boom:"])
def test_hostile_text_is_literal_on_the_live_board(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    before = run_of(row("a", configuration={"select": hostile}), row("b"))
    with LiveDisplay(Face(stream, is_terminal=True, width=80, colour=True), before) as display:
        after = run_of(
            row("a", "wrong", configuration={"select": hostile}, cause=hostile), row("b"),
            notices=(Notice(code="c", text=hostile, source="agent", t=1.0),),
        )  # fmt: skip
        display.draw(after, 1001.0)
        display.say("bye")
    shown = stream.getvalue()
    escaped = "".join(c if c.isprintable() else f"\\{'x' if ord(c) < 256 else 'u'}{ord(c):0{2 if ord(c) < 256 else 4}x}"
                      for c in hostile)  # fmt: skip
    assert f"note: {escaped}" in shown
    assert f"wrong: {escaped}" in shown
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "\x9b" not in shown
    assert "\u202e" not in shown


def test_a_link_that_is_down_has_a_line_that_says_that_the_run_goes_on() -> None:
    links = {
        "east": LinkState(host="east", state="ready", since=0.0),
        "west": LinkState(host="west", state="lost", since=988.0),
    }
    assert link_lines(links, 1000.0, 80) == ["link  to west lost 0:12 ago; the run goes on there"]
    assert link_lines(links, 1000.0, 20)[0].startswith("link  to west")
    silent = {"west": LinkState("west", "ready", 0.0, asked="list its runs", asked_at=990.0)}
    assert link_lines(silent, 1000.0, 80) == ["wait  for west to list its runs, 0:10"]


def test_what_a_run_costs_stands_beside_its_time_and_an_unknown_price_is_said() -> None:
    assert "  $1.00 of $2.00, $1.00 a trial, ~$1.00 to finish" in board(at_work({"usd": 2.0}), 1990.0, 200)[0]
    assert "cost n/a: no price of a10" in board(at_work(priced=False), 1990.0, 200)[0]
    assert "cost" not in board(at_work(host="local", priced=False), 1990.0, 200)[0]
