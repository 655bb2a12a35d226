"""Agents at work for one run: started with a plan's trials, followed to their last record, asked to stop."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError
from tunetui.core.records import decode_record
from tunetui.engines.channel import AgentRefusedError, Follower, Position, ask_json
from tunetui.session.resuming import died
from tunetui.store.atomic import StoreError
from tunetui_agent.messages import (
    CancelRun,
    CloseQueue,
    CommandAccepted,
    ConsiderFinalists,
    Contender,
    EnqueueTrials,
    NoticeRaised,
    RunEnded,
    RunSpec,
    StopRun,
    Trial,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.engines.channel import Link
    from tunetui.session.recording import Recording

ENQUEUED_AT_ONCE = 1000
"""Trials of one command: its line stays far below what the agent accepts."""
_SYNC_SECONDS = 0.05
_CLOSE = "close"  # one id for every way to it: an agent carries it out once


class Agents:
    """At most one agent at a time; every record goes through the recording."""

    def __init__(self, link: Link, recording: Recording) -> None:
        self.failed = ""  # why the last agent gave up, if it did
        self._wish: type[StopRun | CancelRun] | None = None  # asked of every agent, also of one not yet started
        self._link, self._recording = link, recording
        self._follower: Follower | None = None
        self._source = ""

    async def states(self) -> dict[str, str]:
        """Every agent run on the host: "running", "done", "dead" or "rebooted"."""
        answer = await ask_json(self._link, ["list"])
        runs = answer.get("runs")
        rows = runs if isinstance(runs, list) else []
        return {str(row.get("run")): str(row.get("state")) for row in rows if isinstance(row, dict)}

    async def measure(self, spec: RunSpec, trials: Sequence[Trial], contenders: Sequence[Contender]) -> str:
        """Start an agent, hand it the trials, and the rows that may be raced with them; follow it to its end.

        Returns:
            "ended" or "dead".

        Raises:
            AgentRefusedError: it does not start; the device is busy, say.
        """
        answer = await ask_json(self._link, ["start"], json.dumps(asdict(spec)).encode())
        if not answer.get("ok"):
            raise _refused(answer, self._link.host)
        follower = self._new_follower(spec.run)
        for start in range(0, len(trials), ENQUEUED_AT_ONCE):
            part = list(trials[start : start + ENQUEUED_AT_ONCE])
            follower.outbox.send(EnqueueTrials(command=f"trials-{start}", trials=part))
        for start in range(0, len(contenders), ENQUEUED_AT_ONCE):
            some = list(contenders[start : start + ENQUEUED_AT_ONCE])
            follower.outbox.send(ConsiderFinalists(command=f"contenders-{start}", contenders=some))
        follower.outbox.send(CloseQueue(command=_CLOSE))
        if self._wish:
            follower.outbox.send(self._wish(command=_fresh_id("wish")))
        return await self._follow(follower)

    async def follow(self, source: str) -> str:
        """Follow a run that is there already, from where its records end here, to its end: "ended" or "dead"."""
        follower = self._new_follower(source)
        # Whoever began it may have died before saying that no more will come; to say it again is harmless.
        follower.outbox.send(CloseQueue(command=_CLOSE))
        return await self._follow(follower)

    async def end(self, source: str) -> None:
        """Have a run end at once, and wait for that; what it measured is not taken."""

        def leave_at_the_end(raw: bytes) -> None:
            event = decode_record(source, raw).event
            if isinstance(event, RunEnded):
                follower.ended = event.reason

        follower = Follower(self._link, source, position=Position, take=leave_at_the_end, client=_client_name())
        follower.outbox.send(CancelRun(command=_fresh_id("wish")))
        await follower.follow()

    def stop(self) -> None:
        """Ask for the end after the present trial."""
        self._ask(StopRun)

    def cancel(self) -> None:
        """Ask for the end at once."""
        self._ask(CancelRun)

    def _ask(self, wish: type[StopRun | CancelRun]) -> None:
        self._wish = wish
        if self._follower:
            self._follower.outbox.send(wish(command=_fresh_id("wish")))

    def _new_follower(self, source: str) -> Follower:
        self._source, self.failed = source, ""
        self._follower = Follower(
            self._link,
            source,
            position=lambda: self._recording.position(source),
            take=self._take,
            client=_client_name(),
        )
        return self._follower

    async def _follow(self, follower: Follower) -> str:
        syncing = asyncio.create_task(self._sync_often())
        try:
            outcome = await follower.follow()
        except StoreError:  # nothing more can be kept here, so nothing more is to be measured
            await ask_json(self._link, ["stop", "--run", self._source])
            raise
        finally:
            syncing.cancel()
            await asyncio.gather(syncing, return_exceptions=True)
            self._follower = None
            self._recording.journal.sync()
        if outcome == "dead":
            self._recording.say(NoticeRaised(code="agent-died", text=died(self._source)))
        return outcome

    async def _sync_often(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_SECONDS)
            self._recording.journal.sync()

    def _take(self, raw: bytes) -> None:
        record = self._recording.take(self._source, raw)
        if record is None or self._follower is None:
            return
        if isinstance(record.event, CommandAccepted):
            self._follower.outbox.accepted(record.event.command)
        elif isinstance(record.event, RunEnded):
            self._follower.ended = record.event.reason
            if record.event.reason == "failed":
                self.failed = clean(record.event.detail) or "the agent failed"
                self._recording.say(NoticeRaised(code="agent-failed", text=self.failed))


def _client_name() -> str:
    """Names this follower, so that a stale one of ours on a half-open link is replaced and nobody else's."""
    host = "".join(c if c.isalnum() or c in "-_" else "-" for c in socket.gethostname())[:40] or "host"
    return f"app-{host}-{secrets.token_hex(4)}"


def _fresh_id(what: str) -> str:
    return f"{what}-{secrets.token_hex(4)}"


def _refused(answer: dict[str, Any], host: str) -> TunetuiError:
    """The agent's refusal to start, for people."""
    code = str(answer.get("error", "error"))
    hint = ""
    if code == "device-busy":
        holder = answer.get("holder") or {}
        hint = f"it is held by run {clean(str(holder.get('run', '?')))}, process {holder.get('pid', '?')}"
    text = clean(str(answer.get("text", code)))
    return AgentRefusedError(f"the agent on {host} refused to start: {text}", code=code, answer=answer, hint=hint)
