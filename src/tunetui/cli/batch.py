"""``tunetui --batch``: plan, run, table, files, exit code."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import os
import shlex
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

from tunetui.cli.asking import TerminalAsker
from tunetui.cli.interruption import HUNG_UP, Interruption
from tunetui.cli.narration import Face, literal, stderr_face, stdout_face
from tunetui.core.errors import ExitCode, TunetuiError
from tunetui.core.routes import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

    from tunetui.core.leaderboard import Leaderboard
    from tunetui.session.reaching import Reaching
    from tunetui.session.sharing import Shared
    from tunetui.settings import Settings

_REDRAW_SECONDS = 0.1
_ASKING_SECONDS = 0.02
"""Agents are asked to start in less, and take longer to begin to measure."""
_LAST_SECONDS = 1.0
"""For the leaderboard when the terminal is gone."""
_BROKEN_PIPE = 128 + int(signal.SIGPIPE)


def run_batch(parsed: argparse.Namespace) -> int:
    """Measure the grid that the command line names; returns the exit code."""
    from tunetui.cli.renting import is_rented, measured_on_rented

    if parsed.terminate_when_done or is_rented(parsed.hosts):
        return measured_on_rented(parsed, lambda: asyncio.run(Batch(parsed).run()))
    return asyncio.run(Batch(parsed).run())


class Batch:
    """One headless run from the command line to the exit code."""

    def __init__(self, parsed: argparse.Namespace) -> None:
        self.parsed = parsed
        self.out: Face = stdout_face(no_color=parsed.no_color)
        self.err: Face = stderr_face(no_color=parsed.no_color)
        self.format: str = parsed.format or ("none" if parsed.events else "table")
        self.asked = Interruption()

    async def run(self) -> int:
        """Open, plan, measure, print, save."""
        with self.asked.watching():
            session = await self._open()
            try:
                return await self._carry_out(session)
            finally:
                session.close()
                await session.disconnect()

    async def _open(self) -> Shared:
        from tunetui.cli.asking import terminal_asker
        from tunetui.cli.preparing import link_options
        from tunetui.session.reaching import Reaching
        from tunetui.settings import load_settings

        settings = load_settings()
        self.err.lines([f"warning     {line}" for line in settings.warnings])
        reaching = Reaching(link_options(self.parsed, settings), terminal_asker())
        try:
            await self._load_on_the_way(reaching)
            return await self._open_over(reaching, settings)
        finally:
            await reaching.close()

    async def _load_on_the_way(self, reaching: Reaching) -> None:
        """Load what a run takes, while the hosts that the command line names are being reached."""
        hosts = self.parsed.hosts or ([] if names_hosts(self.parsed.batch) else [LOCAL])
        reaching.begin(hosts)
        if all(host == LOCAL for host in hosts):  # what is begun here needs nobody's attention
            await reaching.begun()
            importlib.import_module("tunetui.session.sharing")
            return
        from tunetui.session.linking import load_ssh

        await asyncio.to_thread(load_ssh)
        await asyncio.to_thread(importlib.import_module, "tunetui.session.sharing")

    async def _open_over(self, reaching: Reaching, settings: Settings) -> Shared:
        from tunetui.cli.asking import terminal_asker
        from tunetui.cli.preparing import PreparationLine, link_options, preparing
        from tunetui.session import BatchOptions, Session
        from tunetui.session.opening import TOGETHER_SECONDS
        from tunetui.session.sharing import Shared, ways_of

        waiting = PreparationLine(self.err)
        options = BatchOptions(
            grid_path=self.parsed.batch,
            overrides=self.parsed.overrides,
            output_stem=self.parsed.output,
            fresh=self.parsed.fresh and not self.parsed.dry_run,
            retry_failed=self.parsed.retry_failed,
            build_jobs=self.parsed.build_jobs,
            profile=self.parsed.profile or "",
            artifacts=self.parsed.artifacts,
            hosts=self.parsed.hosts,
            links=link_options(self.parsed, settings),
            preparing=preparing(self.parsed, settings, waiting),
            usd_per_hour=dict(self.parsed.usd_per_hour),
            asker=terminal_asker(),
            command=shlex.join(["tunetui", *self.parsed.argv]),
            on_wait=waiting.wait,
            together_seconds=None if self.parsed.dry_run or self.parsed.detach else TOGETHER_SECONDS,
            dry_run=self.parsed.dry_run,
        )
        ways = ways_of(options)
        waits_for_another = not (self.parsed.dry_run or self.parsed.detach or options.fresh)
        try:
            first = Session.open(options, reaching.connect, reaching.links)
            return await Shared.open(ways, first) if waits_for_another else Shared(await first, ways)
        finally:
            waiting.leave()

    async def _carry_out(self, session: Shared) -> int:
        from tunetui.cli.plan_text import following_lines, session_lines
        from tunetui.session import Session

        if isinstance(session.hand, Session):
            self.err.lines(session_lines(session.hand, self.err.width, fresh=self.parsed.fresh))
        else:
            self.err.lines(following_lines(session.hand))
        if self.asked.stops or self.asked.hung_up:
            return HUNG_UP if self.asked.hung_up else ExitCode.INTERRUPTED
        if self.parsed.dry_run:
            return ExitCode.OK
        failure = await self._measure(session)
        return self._left(session) if failure is None and not session.ended else self._conclude(session, failure)

    def _left(self, session: Shared) -> int:
        """Say how to come back to a run that goes on without us."""
        name = session.snapshot.plan.run if session.snapshot.plan else "?"
        self.err.lines([
            f"left        {literal(name)} goes on without tunetui",
            f"            tunetui attach {literal(name)}   follows it and writes its leaderboard",
            f"            tunetui stop {literal(name)}   ends it; the same command as before takes it up again",
        ])  # fmt: skip
        return ExitCode.INTERRUPTED if self.asked.stops else ExitCode.OK

    async def _measure(self, session: Shared) -> TunetuiError | None:
        """Let the run go on, drawn from its newest snapshot, until it ends or the terminal is gone.

        What ended it too early comes back as a value: what was measured before is to be printed and saved first.
        """
        from tunetui.cli.display import open_display

        running = asyncio.create_task(session.run(self._stream if self.parsed.events else None), name="run")
        if self.parsed.detach:
            session.detach()
        with open_display(self.err, session.snapshot) as display, self.asked.passed_to(session, display.say):
            session.on_change = display.say
            await asyncio.wait({running}, timeout=_ASKING_SECONDS)
            _load_what_ends_a_run()
            while not running.done() and not self.asked.leaves:
                await asyncio.wait({running}, timeout=_REDRAW_SECONDS)
                if self.asked.hung_up:
                    _save_quickly(session)
                    session.close()
                    os._exit(HUNG_UP)  # as if killed: the agent stays at work, and the next start attaches to it
                if not TerminalAsker.open_questions:  # of a host that comes late
                    display.draw(session.snapshot, time.time(), session.links)
        if not running.done():
            self._leave_now(session)
        try:
            await running
        except TunetuiError as error:
            return error
        return None

    def _leave_now(self, session: Shared) -> NoReturn:
        """Asked three times to end: as if killed, but what is measured is saved, and what goes on is said."""
        untold, name = session.untold, session.snapshot.plan.run if session.snapshot.plan else "?"
        _save_quickly(session)
        if untold:
            self.err.lines([
                f"left        {literal(', '.join(untold))} could not be told to stop: the run goes on there",
                f"            tunetui stop {literal(name)}   ends it; the same command as before takes it up again",
            ])  # fmt: skip
        session.close()
        os._exit(ExitCode.INTERRUPTED)

    def _conclude(self, session: Shared, failure: TunetuiError | None) -> int:
        """Save first, then print: a reader that leaves early must not cost the files."""
        from tunetui.cli.report import print_leaderboard

        if session.snapshot.plan is None:  # nothing was begun
            raise failure or TunetuiError("the run ended before it began")
        leaderboard = session.leaderboard()
        if failure is not None and not any(board.rows for board in leaderboard.boards):
            raise failure  # an empty leaderboard must not take the place of an earlier one
        paths = []
        try:
            paths = session.save()
        except TunetuiError as error:
            failure = failure or error
        if not self.asked.reader_left:
            print_leaderboard(leaderboard, self.format, self.out)
        said = [*_ending(session.ended, leaderboard), *_where_details_are(session)]
        self.err.lines([*said, *(f"wrote {literal(path)}" for path in paths)])
        if failure is not None:
            raise failure
        if self.asked.reader_left:
            return _BROKEN_PIPE
        return exit_code(session.ended, leaderboard, check=self.parsed.check)

    def _stream(self, record: bytes) -> None:
        """One journal line to stdout, at once."""
        if self.asked.reader_left:
            return
        try:
            sys.stdout.buffer.write(record if record.endswith(b"\n") else record + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            self.asked.lose_reader()


def names_hosts(grid: Path) -> bool:
    """Whether a grid seems to say where it is measured; one that cannot be read is refused later."""
    try:
        text = grid.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return any(line.lstrip().startswith("hosts") for line in text.splitlines())


def exit_code(ended: str, leaderboard: Leaderboard, *, check: bool) -> ExitCode:
    """The exit code of a run that ended for this reason with this leaderboard."""
    from tunetui.cli.report import measured_rows, missed_targets, unmet_targets

    if ended == "interrupted":
        return ExitCode.INTERRUPTED
    if ended == "failed":
        return ExitCode.UNAVAILABLE
    if measured_rows(leaderboard) == 0 and (ended != "budget" or any(board.rows for board in leaderboard.boards)):
        return ExitCode.NOTHING_MEASURED
    if check and missed_targets(leaderboard):
        return ExitCode.TARGET_MISSED  # also where the budget ended: a miss is one, whatever was left to measure
    if ended == "budget":
        return ExitCode.BUDGET_ENDED
    if check and unmet_targets(leaderboard):
        return ExitCode.TARGET_MISSED
    return ExitCode.OK


def _load_what_ends_a_run() -> None:
    """While agents start: there is time, and nothing is measured yet."""
    for module in ("tunetui.core.publishing", "tunetui.store.leaderboard", "tunetui.cli.report"):
        importlib.import_module(module)


def _save_quickly(session: Shared) -> None:
    """The leaderboard so far, if it can be written before a shell that hangs up ends us; files are replaced whole."""

    def save() -> None:
        with contextlib.suppress(TunetuiError):
            if any(board.rows for board in session.leaderboard().boards):
                session.save()

    saving = threading.Thread(target=save, name="save", daemon=True)
    saving.start()
    saving.join(_LAST_SECONDS)


def _where_details_are(session: Shared) -> list[str]:
    """Compiler output and tracebacks are kept for each failed trial; a leaderboard holds their first line."""
    failed = sum(bool(row.detail) for row in session.snapshot.current_rows())
    if not failed:
        return []
    whose = "1 failed configuration" if failed == 1 else f"{failed} failed configurations"
    return [f"what compilers and kernels said of {whose} is in {literal(session.resume.journal)}"]


def _ending(ended: str, leaderboard: Leaderboard) -> list[str]:
    """How the run ended, where it is not simply done."""
    run = leaderboard.run
    if ended == "budget" and run.trials_measured + run.trials_failed >= run.trials_planned:
        if "trials" not in run.grid.get("budget", {}):
            return ["the budget ended before the runs under load did; the same command goes on with them"]
        return ["budget.trials left out a part of the sweep; a larger one goes on from here"]
    return {
        "interrupted": ["interrupted; the same command measures what is missing"],
        "budget": ["the budget ended before the sweep did; the same command goes on with what is missing"],
        "failed": ["the run failed before the sweep was done"],
    }.get(ended, [])
