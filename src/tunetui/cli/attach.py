"""``tunetui attach``: a run that goes on somewhere, shown as ``--batch`` shows its own, and its leaderboard written."""

from __future__ import annotations

import argparse
import asyncio
import shlex

from tunetui.cli.batch import Batch
from tunetui.cli.narration import literal
from tunetui.cli.runs import reach
from tunetui.session.attaching import Attached


def run_attach(parsed: argparse.Namespace) -> int:
    """Follow a run to its end; returns the exit code."""
    return asyncio.run(Attachment(parsed).run())


class Attachment(Batch):
    """One run that was begun by somebody else."""

    async def _open(self) -> Attached:  # type: ignore[override]
        command = shlex.join(["tunetui", "attach", *self.parsed.argv])
        return await Attached.open(self.parsed.run, reach(self.parsed), stem=self.parsed.output, command=command)

    async def _carry_out(self, session: Attached) -> int:  # type: ignore[override]
        run = session.snapshot
        hosts = ", ".join(dict.fromkeys(placed.host for placed in run.placed.values())) or "local"
        name = run.plan.run if run.plan else "?"
        done = f"{run.counts.done} of {run.counts.total} trials done"
        self.err.lines([f"attached    {literal(name)} on {literal(hosts)}: {done}"])
        if not session.is_alive:
            self.err.lines(["            no agent is at work on it: its leaderboard is written as it stands"])
        if self.asked.stops or self.asked.hung_up:
            return 130
        failure = await self._measure(session)
        code = self._conclude(session, failure)
        left = session.snapshot.counts.total - session.snapshot.counts.done
        if left and session.snapshot.plan is not None:
            self.err.lines([f"{left} trials are left; to go on with them: {literal(session.snapshot.plan.command)}"])
        return code
