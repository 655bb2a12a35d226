"""What hosts keep of an agent's run, for somebody who did not begin it: asked for, claimed, and put on record here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tunetui.core.errors import TunetuiError
from tunetui.core.events import AgentPlaced, RunPlanned, TrialsDealt, TrialsQueued
from tunetui.core.models import device_id
from tunetui.engines.channel import ask_json
from tunetui.session.hands import DealtElsewhereError
from tunetui_agent.messages import Device, TrialRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunetui.core.events import Record
    from tunetui.engines.channel import Link
    from tunetui.session.recording import Recording


class Dealt(msgspec.Struct, frozen=True):
    """One command that brought an agent trials."""

    command: str
    trials: list[TrialRef]


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent's host keeps of its run."""

    run: str
    state: str
    device: str
    dealt: list[Dealt]
    closed: bool
    dealer: str  # which tunetui deals its trials, and is there
    about: Any = None
    files: Any = None
    host: str = ""  # as it is named here
    age_seconds: float = 0.0


async def recount(link: Link, run: str, *, claimant: str = "", **more: Any) -> Left | None:
    """What a host keeps of a run; None where it was cleared away.  A ``claimant`` deals it from here on, if it may.

    Raises:
        DealtElsewhereError: another tunetui deals it, and is there.
        TunetuiError: the host cannot be asked, or answers with something else.
    """
    claim = ["--claim", claimant] if claimant else []
    answer = await ask_json(link, ["recount", "--run", run, *claim])
    if not answer.get("ok"):
        return None
    try:
        left = msgspec.convert(answer | more, Left)
    except msgspec.ValidationError as error:
        raise TunetuiError(f"the agent on {link.host} answered with something else than expected: {error}") from None
    if claimant and left.dealer != claimant:
        raise DealtElsewhereError(left.dealer)
    return left


def placed(left: Left, host: str, planned: RunPlanned | None) -> AgentPlaced:
    """Where an agent is, as the app that began it wrote down."""
    kind = "cpu" if left.device == "cpu" else "gpu"
    device = device_id(Device(id=left.device, kind=kind, name="", attributes={}), host)
    return AgentPlaced(agent=left.run, host=host, device=device, model=_model(left, planned), alone=left.closed)


def learn(recording: Recording, left: Left, host: str) -> None:
    """Put on record what another tunetui has told an agent, as if it had been told from here."""
    run = recording.snapshot
    if left.run not in run.placed:
        recording.say(placed(left, host, run.plan))
    known = commands_of(recording.journal.recovered.records, left.run)
    for dealt in left.dealt:
        if dealt.command not in known:
            rows = [trial for trial in dealt.trials if trial.id not in run.rows]
            if rows:
                recording.say(TrialsQueued(trials=rows))
            ids = [trial.id for trial in dealt.trials]
            recording.say(TrialsDealt(agent=left.run, command=dealt.command, trials=ids))


def commands_of(records: Iterable[Record], agent: str) -> set[str]:
    """The commands with which an agent was dealt trials, as far as they are on record."""
    events = (record.event for record in records)
    return {event.command for event in events if isinstance(event, TrialsDealt) and event.agent == agent}


def _model(left: Left, planned: RunPlanned | None) -> str:
    """The model whose suffix the agent's trials have."""
    trial = next((trial for dealt in left.dealt for trial in dealt.trials), None)
    suffix = trial.id[16:] if trial is not None else ""
    return next((model for model, own in (planned.models if planned else {}).items() if own == suffix), "")
