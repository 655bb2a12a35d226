"""``tunetui attach``: a run that goes on somewhere, taken up and shown as ``--batch`` shows its own, its leaderboard written."""

from __future__ import annotations

import argparse
import asyncio
import shlex
from typing import TYPE_CHECKING

from tunetui.cli.asking import terminal_asker
from tunetui.cli.batch import Batch
from tunetui.cli.narration import literal
from tunetui.cli.preparing import PreparationLine, link_options, preparing
from tunetui.cli.renting import settled
from tunetui.session.run_life import Reach
from tunetui.session.sharing import Shared, Ways
from tunetui.session.taking_up import Attaching, attach
from tunetui.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tunetui.session import Session
    from tunetui.session.attaching import Attached


def run_attach(parsed: argparse.Namespace) -> int:
    """Follow a run to its end; returns the exit code."""
    attachment = Attachment(parsed)
    code = asyncio.run(attachment.run())
    return settled(parsed, attachment.measured_on, code)


class Attachment(Batch):
    """One run that was begun by somebody else."""

    measured_on: tuple[str, ...] = ()

    async def _open(self) -> Shared:
        settings, waiting = load_settings(), PreparationLine(self.err)
        how = Attaching(
            reach=Reach(link_options(self.parsed, settings), terminal_asker(), on_wait=waiting.wait),
            hosts=self.parsed.hosts,
            stem=self.parsed.output,
            command=shlex.join(["tunetui", "attach", *self.parsed.argv]),
            preparing=preparing(self.parsed, settings, waiting),
            go_on=self.parsed.go_on,
            usd_per_hour=dict(self.parsed.usd_per_hour),
        )

        def take_up() -> Awaitable[Session | Attached]:
            return attach(self.parsed.run, how)

        ways = Ways(take_up, how.reach, self.parsed.output, how.command)
        try:
            return await Shared.open(ways)
        finally:
            waiting.leave()

    async def _carry_out(self, session: Shared) -> int:
        run = session.snapshot
        self.measured_on = tuple(dict.fromkeys(placed.host for placed in run.placed.values()))
        hosts = ", ".join(self.measured_on) or "local"
        name = run.plan.run if run.plan else "?"
        done = f"{run.counts.done} of {run.counts.total} trials done"
        self.err.lines([f"attached    {literal(name)} on {literal(hosts)}: {done}"])
        if session.why:
            what = "" if session.follows_only else "its leaderboard is written as it stands: "
            self.err.lines([f"            {what}{literal(session.why)}"])
        if self.asked.stops or self.asked.hung_up:
            return 130
        failure = await self._measure(session)
        if failure is None and not session.ended:
            return self._left(session)
        code = self._conclude(session, failure)
        left = session.snapshot.counts.total - session.snapshot.counts.done
        if left and session.snapshot.plan is not None:
            self.err.lines([f"{left} trials are left; to go on with them: {literal(session.snapshot.plan.command)}"])
        return code
