"""One place at work for a run: its agents, what they were given, and what they are asked of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunetui.core.events import AgentPlaced, TrialsDealt
from tunetui.session.agents import CLOSE, Agents, fresh_id
from tunetui.session.dealing import STAGES_HELD
from tunetui_agent.messages import CloseQueue, ConsiderFinalists, EnqueueTrials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tunetui.core.events import Record
    from tunetui.session.places import Group, Place
    from tunetui.session.recording import Recording
    from tunetui_agent.messages import Contender, RunSpec, Trial, Value

    Trials = Callable[[], Sequence[Trial]]
    """Trials as they are when they are sent: they may be dealt anew while an agent starts."""

AT_ONCE = 1000
"""Trials of one command: its line stays far below what the agent accepts."""


class Seat:
    """Everything that is said to the agents of one place goes through here, on record first where it matters."""

    def __init__(
        self,
        place: Place,
        group: Group,
        recording: Recording,
        on_record: Callable[[Seat, Record], None],
        on_link: Callable[[Seat, str], None],
    ) -> None:
        self.place, self.group, self._recording = place, group, recording
        self.agents = Agents(
            place.link, recording, lambda record: on_record(self, record), lambda state: on_link(self, state)
        )
        self.adopted = ""  # an agent run found at work, to be followed
        self.resend: list[Any] = []  # to be sent to the adopted one: it may not have had them
        self.held: set[str] = set()  # trials that the adopted one has, or gets by those
        self.closed = False  # the present agent was told that no more will come
        self.in_vain = 0  # agents that died with nothing done since the one before
        self.finished_before = 0  # outcomes until the last of them died
        self.gone = False

    @property
    def name(self) -> str:
        return self.place.name

    async def measure(self, spec: RunSpec, alone: Iterable[Contender] | None, trials: Trials) -> str:
        """A new agent with the trials that there are once it is there; ``alone``: no other place shares the queue, so it ends by itself, with races.

        Returns:
            "ended" or "dead".
        """
        device, host, model = self.name, self.place.host, self.place.model
        placed = AgentPlaced(agent=spec.run, host=host, device=device, model=model, alone=alone is not None)
        self._recording.say(placed)
        self.closed = False

        def commands() -> list[Any]:
            told = self._dealt(spec.run, trials())
            if alone is not None:
                self.closed = True
                told += [*considered(alone), CloseQueue(command=CLOSE)]
            return told

        return await self.agents.measure(spec, commands)

    async def follow_adopted(self, trials: Trials, *, alone: bool) -> str:
        """The agent that was found at work, with more trials."""
        source, self.adopted = self.adopted, ""
        commands = [*self.resend, *(self._dealt(source, trials()) if not self.closed else [])]
        if alone:
            self.closed = True
            # Whoever began it may have died before saying that no more will come; to say it again is harmless.
            commands = [*commands, CloseQueue(command=CLOSE)]
        return await self.agents.follow(source, commands)

    def deal(self, trials: Sequence[Trial]) -> None:
        """More trials for the present agent."""
        for command in self._dealt(self.agents.source, trials):
            self.agents.send(command)

    def close(self, rivals: Iterable[Contender], races: list[dict[str, Value]] | None) -> None:
        """No more will come: race these problems (None: all), with these rows of other devices, then end."""
        if self.closed or not self.agents.is_followed:
            return
        self.closed = True
        for command in considered(rivals):
            self.agents.send(command)
        self.agents.send(CloseQueue(command=CLOSE, races=races))

    def _dealt(self, source: str, trials: Sequence[Trial]) -> list[Any]:
        commands: list[Any] = []
        for part in _parts(trials):
            command = EnqueueTrials(command=fresh_id("trials"), trials=[self.group.at(t, self.name) for t in part])
            self._recording.say(TrialsDealt(agent=source, command=command.command, trials=[trial.id for trial in part]))
            commands.append(command)
        return commands


def considered(contenders: Iterable[Contender]) -> list[ConsiderFinalists]:
    """The commands that make an agent race rows of others with its own."""
    return [
        ConsiderFinalists(command=fresh_id("contenders"), contenders=list(part)) for part in _parts(list(contenders))
    ]


class Ledger:
    """Which agent has which trials in hand, as a journal and the agents' hosts tell; for those that outlived an app."""

    def __init__(self, records: Iterable[Record], sources: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """``sources`` is agent to what is known beside the journal of its trials: by the command that brought them."""
        self._held: dict[str, dict[str, None]] = {source: {} for source in sources}
        self._present: dict[str, str] = {}
        self._unheard: dict[str, dict[str, Sequence[str]]] = {source: {**dealt} for source, dealt in sources.items()}
        self._heard: dict[str, set[str]] = {source: set() for source in sources}
        self._over: dict[str, set[str]] = {source: set() for source in sources}
        for record in records:
            self._take(record)

    def held(self, source: str) -> list[str]:
        """Trials that it was given and has no outcome for."""
        coming = (trial for trials in self._unheard[source].values() for trial in trials)
        return list(dict.fromkeys([*self._held[source], *coming]))

    def present(self, source: str) -> str:
        """The trial that it has begun."""
        return self._present.get(source, "")

    def unheard(self, source: str, trials: Mapping[str, Trial], at: Callable[[Trial], Trial]) -> list[EnqueueTrials]:
        """Commands that it has not accepted yet, as far as is known here: to be sent again under the same ids."""
        return [
            EnqueueTrials(command=command, trials=[at(trials[trial]) for trial in dealt if trial in trials])
            for command, dealt in self._unheard[source].items()
        ]

    def _take(self, record: Record) -> None:
        event, source = record.event, record.source
        if isinstance(event, TrialsDealt):
            if event.agent not in self._held:
                return
            if event.command not in self._heard[event.agent]:
                self._unheard[event.agent][event.command] = event.trials
            else:  # dealt by another tunetui, which was learnt later
                left = (trial for trial in event.trials if trial not in self._over[event.agent])
                self._held[event.agent].update(dict.fromkeys(left))
        elif source in self._held:
            self._of_agent(source, event)

    def _of_agent(self, source: str, event: Any) -> None:
        held, over = self._held[source], self._over[source]
        kind = type(event).__name__
        if kind == "CommandAccepted":
            self._heard[source].add(event.command)
            held.update(dict.fromkeys(self._unheard[source].pop(event.command, ())))
        elif kind == "TrialStarted" and event.stage in STAGES_HELD:
            self._present[source] = event.trial.id
        elif kind in {"TrialMeasured", "TrialFailed"} and event.stage in STAGES_HELD:
            held.pop(event.trial.id, None)
            over.add(event.trial.id)
            self._present.pop(source, None)
        elif kind in {"TrialsWithdrawn", "TrialsSkipped"}:
            over.update(event.trials)
            for trial in event.trials:
                held.pop(trial, None)
        elif kind == "TrialsRequeued":
            held.update(dict.fromkeys(event.trials))


def _parts(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE)]
