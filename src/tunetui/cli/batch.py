"""``tunetui --batch``: plan, run, table, files, exit code."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunetui.cli.display import Display, open_display
from tunetui.cli.narration import Face, literal, stderr_face, stdout_face
from tunetui.core.errors import ExitCode, TunetuiError

if TYPE_CHECKING:
    from tunetui.core.leaderboard import Leaderboard
    from tunetui.session import Session

_REDRAW_SECONDS = 0.1
_HUNG_UP = 128 + int(signal.SIGHUP)
_BROKEN_PIPE = 128 + int(signal.SIGPIPE)


def run_batch(parsed: argparse.Namespace) -> int:
    """Measure the grid that the command line names; returns the exit code."""
    return asyncio.run(Batch(parsed).run())


@dataclass
class Interruption:
    """What the operator or the system asked for while the run was going on."""

    stops: int = 0
    hung_up: bool = False
    reader_left: bool = False


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
        from tunetui.cli.plan_text import session_lines
        from tunetui.session import BatchOptions, Session

        session = await Session.open(
            BatchOptions(
                grid_path=self.parsed.batch,
                overrides=self.parsed.overrides,
                output_stem=self.parsed.output,
                fresh=self.parsed.fresh,
                retry_failed=self.parsed.retry_failed,
                build_jobs=self.parsed.build_jobs,
                command=shlex.join(["tunetui", *self.parsed.argv]),
            )
        )
        try:
            self.err.lines(session_lines(session, self.err.width))
            if self.parsed.dry_run:
                return ExitCode.OK
            failure = await self._measure(session)
            if self.asked.hung_up:
                return _HUNG_UP
            return self._conclude(session, failure)
        finally:
            session.close()

    async def _measure(self, session: Session) -> TunetuiError | None:
        """Let the run go on, drawn from its newest snapshot, until it ends or the terminal is gone.

        What ended it too early comes back as a value: what was measured before is to be printed and saved first.
        """
        running = asyncio.create_task(session.run(self._stream if self.parsed.events else None), name="run")
        with open_display(self.err, session.snapshot) as display, self._signals(session, display):
            while not running.done() and not self.asked.hung_up:
                await asyncio.wait({running}, timeout=_REDRAW_SECONDS)
                if self.asked.hung_up:
                    break
                display.draw(session.snapshot, time.time())
                if self.asked.reader_left and not self.asked.stops:
                    self.asked.stops = 1
                    session.request_stop()
        if self.asked.hung_up:
            running.cancel()  # the agent stays at work; the next start re-attaches
            await asyncio.wait({running})
            return None
        try:
            await running
        except TunetuiError as error:
            return error
        return None

    def _conclude(self, session: Session, failure: TunetuiError | None) -> int:
        """Save first, then print: a reader that leaves early must not cost the files."""
        from tunetui.cli.report import print_leaderboard

        if session.snapshot.plan is None:  # nothing was begun
            raise failure or TunetuiError("the run ended before it began")
        leaderboard = session.leaderboard()
        paths = []
        try:
            paths = session.save()
        except TunetuiError as error:
            failure = failure or error
        if not self.asked.reader_left:
            print_leaderboard(leaderboard, self.format, self.out)
        self.err.lines([*_ending(session.ended), *(f"wrote {literal(path)}" for path in paths)])
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
            self.asked.reader_left = True

    @contextlib.contextmanager
    def _signals(self, session: Session, display: Display) -> Iterator[None]:
        """Ctrl-C and friends while the run is going on; Python's own handling before and after."""

        def interrupt() -> None:
            self.asked.stops += 1
            if self.asked.stops == 1:
                display.say("finishing the present trial (Ctrl-C again to stop at once)")
                session.request_stop()
            else:
                display.say("stopping at once")
                session.request_cancel()

        def terminate() -> None:  # never at once: whoever wants that sends it again as SIGKILL
            if not self.asked.stops:
                interrupt()

        def hang_up() -> None:
            self.asked.hung_up = True

        loop = asyncio.get_running_loop()
        handlers = {signal.SIGINT: interrupt, signal.SIGTERM: terminate, signal.SIGHUP: hang_up}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)


def exit_code(ended: str, leaderboard: Leaderboard, *, check: bool) -> ExitCode:
    """The exit code of a run that ended for this reason with this leaderboard."""
    from tunetui.cli.report import measured_rows, unmet_targets

    if ended == "interrupted":
        return ExitCode.INTERRUPTED
    if ended == "failed":
        return ExitCode.UNAVAILABLE
    if measured_rows(leaderboard) == 0:
        return ExitCode.NOTHING_MEASURED
    if ended == "budget":
        return ExitCode.BUDGET_ENDED
    if check and unmet_targets(leaderboard):
        return ExitCode.TARGET_MISSED
    return ExitCode.OK


def _ending(ended: str) -> list[str]:
    """How the run ended, where it is not simply done."""
    return {
        "interrupted": ["interrupted; the same command measures what is missing"],
        "budget": ["the budget ended before the sweep did; the same command goes on with what is missing"],
        "failed": ["the run failed before the sweep was done"],
    }.get(ended, [])
