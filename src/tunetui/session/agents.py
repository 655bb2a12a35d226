"""The agents of one place, one after the other: started, followed to their last record, sent commands."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

from tunetui.core.cleaning import clean
from tunetui.core.clocks import in_words
from tunetui.core.errors import TunetuiError
from tunetui.core.labels import one_line
from tunetui.core.records import RecordError, decode_record
from tunetui.engines.channel import DEALT, AgentRefusedError, Follower, Position, ask_json
from tunetui.session.hands import DealtElsewhereError, hand_name
from tunetui.session.resuming import died
from tunetui.store.atomic import StoreError
from tunetui_agent.messages import AgentStarted, CancelRun, CommandAccepted, NoticeRaised, RunEnded, RunSpec, StopRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.core.events import Record
    from tunetui.engines.channel import Link
    from tunetui.session.recording import Recording

_LAST_WORDS = 400
CLOSE = "close"
"""One id for every way to say that no more trials come: an agent carries it out once."""
RETRIES_WHILE_OTHERS_WAIT = 2
"""Attachments in a row that fail before a host is left to come later, where nothing else is done meanwhile."""


class Agents:
    """At most one agent at a time; every record goes through the recording."""

    def __init__(
        self,
        link: Link,
        recording: Recording,
        on_record: Callable[[Record], None] = lambda _: None,
        on_link: Callable[[str], None] = lambda _: None,
        on_dealer: Callable[[str], None] | None = None,
        retries: int | None = None,
    ) -> None:
        """``on_record`` is told of every record once it is kept, ``on_link`` "lost" or "attached".

        With ``on_dealer`` they are only looked on, and it is told who deals their trials, or "".  ``retries`` is how
        often in a row they are attached to again at most; None: as often as the link allows.
        """
        self.failed = ""  # why the last agent gave up, if it did
        self.ended = ""  # how the last one ended
        self.source = ""  # of the present or the last one
        self.is_left = False  # the last one was at work when it could no longer be followed
        self._wish: type[StopRun | CancelRun] | None = None  # asked of every agent, also of one not yet started
        self._link, self._recording, self._retries = link, recording, retries
        self._on_record, self._on_link, self._on_dealer = on_record, on_link, on_dealer
        self._follower: Follower | None = None

    @property
    def is_followed(self) -> bool:
        """Whether there is an agent now."""
        return self._follower is not None

    @property
    def undelivered(self) -> int:
        """Commands that the present agent has not accepted yet."""
        return len(self._follower.outbox.waiting) if self._follower else 0

    async def measure(self, spec: RunSpec, commands: Callable[[], Sequence[Any]]) -> str:
        """Start an agent with what ``commands`` says, follow it to its end: "ended" or "dead".

        From now on commands can be sent: what an agent is not given as it is started it gets right afterwards.

        Raises:
            AgentRefusedError: it does not start; the device is busy, say.
            DealtElsewhereError: somebody else has taken the run over.
        """
        follower = self._begin(spec.run, commands())
        try:
            told = (
                json.dumps(asdict(spec) | {"dealer": self._recording.hand}).encode()
                + b"\n"
                + follower.outbox.with_start()
            )
            answer = await ask_json(self._link, ["start"], told)
            if answer.get("ok"):
                follower.outbox.started()
            elif not began_already(answer, spec.run):
                self._refuse(answer, spec.run)
        except BaseException:
            self._follower = None
            raise
        return await self._follow(follower)

    async def follow(self, source: str, commands: Sequence[Any] = ()) -> str:
        """Follow a run that is there already, from where its records end here, to its end: "ended" or "dead"."""
        return await self._follow(self._begin(source, commands))

    def _begin(self, source: str, commands: Sequence[Any]) -> Follower:
        self.source, self.failed, self.ended = source, "", ""
        self.is_left = False
        follower = self._follower = Follower(
            self._link,
            source,
            position=lambda: self._recording.position(source),
            take=self._take,
            client=self._recording.hand,
            on_state=self._on_link,
            on_dealer=self._on_dealer,
            retries=self._retries,
        )
        for command in commands:
            follower.outbox.send(command)
        if self._wish:
            follower.outbox.send(self._wish(command=fresh_id("wish")))
        return follower

    def send(self, command: Any) -> bool:
        """Send a command to the present agent, now or when its link is back; False where there is no agent."""
        if self._follower is None:
            return False
        self._follower.outbox.send(command)
        return True

    def stop(self) -> None:
        """Ask for the end after the present trial."""
        self._ask(StopRun)

    def cancel(self) -> None:
        """Ask for the end at once."""
        self._ask(CancelRun)

    def _ask(self, wish: type[StopRun | CancelRun]) -> None:
        self._wish = wish
        self.send(wish(command=fresh_id("wish")))

    async def _follow(self, follower: Follower) -> str:
        try:
            outcome = await follower.follow()
        except StoreError:  # nothing more can be kept here, so nothing more is to be measured
            with contextlib.suppress(TunetuiError):  # that is what is to be said
                await ask_json(self._link, ["stop", "--run", self.source])
            raise
        except TunetuiError as error:
            if isinstance(error, AgentRefusedError) and error.code == DEALT:
                raise DealtElsewhereError(str(error.answer.get("dealer", ""))) from None
            self.is_left = not isinstance(error, AgentRefusedError)
            raise
        finally:
            self._follower = None
            self._recording.journal.sync()
        if outcome == "dead":
            self._bury(follower.obituary)
        return outcome

    def _refuse(self, answer: dict[str, Any], run: str) -> NoReturn:
        """The device is another's; an agent of this very run that is none of ours was begun by another tunetui."""
        holder = answer.get("holder")
        busy_with = str(holder.get("run", "")) if isinstance(holder, dict) else ""
        is_sibling = busy_with.startswith(run.rpartition("-")[0] + "-")
        if is_sibling and busy_with not in self._recording.snapshot.placed:
            raise DealtElsewhereError("")
        raise _refused(answer, self._link.host)

    def _bury(self, obituary: dict[str, Any]) -> None:
        """Say that it died, and what the host has of its last words."""
        last = one_line(str(obituary.get("stderr", "")).strip())[-_LAST_WORDS:]
        if last:
            after = self._recording.position(self.source).next_seq - 1
            text = f"{self.source} died after record {after}; its log on the host ends with: {last}"
            self._recording.say(NoticeRaised(code="agent-said", text=text))
        self._recording.say(NoticeRaised(code="agent-died", text=died(self.source)))

    def _take(self, raw: bytes) -> None:
        try:
            record = self._recording.take(self.source, raw)
        except RecordError as error:
            message = f"{self._link.host} sent for {self.source} what is no record: {error.message}"
            hint = "everything before it is kept; is that host's disk well?"
            raise AgentRefusedError(message, code="damaged", answer={}, hint=hint) from None
        if record is None or self._follower is None:
            return
        if isinstance(record.event, AgentStarted) and (ahead := self._recording.journal.clocks.ahead.get(self.source)):
            text = f"the clock of {self._link.host} is {in_words(ahead)} this machine's, by which times are told here"
            self._recording.say(NoticeRaised(code="host-clock", text=text))
        if isinstance(record.event, CommandAccepted):
            self._follower.outbox.accepted(record.event.command)
        elif isinstance(record.event, RunEnded):
            self._follower.ended = self.ended = record.event.reason
            if record.event.reason == "failed":
                self.failed = clean(record.event.detail) or "the agent failed"
                self._recording.say(NoticeRaised(code="agent-failed", text=self.failed))
        self._on_record(record)


async def states_on(link: Link) -> dict[str, str]:
    """Every agent run on a host: "running", "done", "dead" or "rebooted"."""
    answer = await ask_json(link, ["list"])
    runs = answer.get("runs")
    rows = runs if isinstance(runs, list) else []
    return {str(row.get("run")): str(row.get("state")) for row in rows if isinstance(row, dict)}


async def end_run(link: Link, source: str) -> None:
    """Have a run end at once, and wait for that; what it measured is not taken."""

    def leave_at_the_end(raw: bytes) -> None:
        event = decode_record(source, raw).event
        if isinstance(event, RunEnded):
            follower.ended = event.reason

    await ask_json(link, ["stop", "--run", source, "--now"])
    follower = Follower(
        link, source, position=Position, take=leave_at_the_end, client=hand_name(), on_dealer=lambda _: None,
        retries=RETRIES_WHILE_OTHERS_WAIT,
    )  # fmt: skip
    await follower.follow()


def fresh_id(what: str) -> str:
    """A command's id that no other has."""
    return f"{what}-{secrets.token_hex(4)}"


def began_already(answer: dict[str, Any], run: str) -> bool:
    """Whether a start was refused because the one before it, whose answer was lost with the link, had worked."""
    holder = answer.get("holder")
    busy_with = holder.get("run") if isinstance(holder, dict) else None
    return answer.get("error") == "run-exists" or (answer.get("error") == "device-busy" and busy_with == run)


def _refused(answer: dict[str, Any], host: str) -> TunetuiError:
    """The agent's refusal to start, for people."""
    code = str(answer.get("error", "error"))
    hint = ""
    if code == "device-busy":
        holder = answer.get("holder") or {}
        hint = f"it is held by run {clean(str(holder.get('run', '?')))}, process {holder.get('pid', '?')}"
    text = clean(str(answer.get("text", code)))
    return AgentRefusedError(f"the agent on {host} refused to start: {text}", code=code, answer=answer, hint=hint)
