"""The devices of one model at work on one queue: dealt, rebalanced, replaced when they die, raced at the end."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from tunetui.core.errors import TunetuiError
from tunetui.core.snapshot import problem_key
from tunetui.engines.channel import AgentRefusedError
from tunetui.session.agents import fresh_id, states_on
from tunetui.session.dealing import Dealing
from tunetui.session.hands import DealtElsewhereError
from tunetui.session.resuming import agents_name, undecided
from tunetui.session.rosters import Roster
from tunetui.session.seats import Seat
from tunetui.store.atomic import StoreError
from tunetui_agent.messages import (
    NoticeRaised,
    TrialFailed,
    TrialMeasured,
    TrialsRequeued,
    TrialsSkipped,
    TrialStarted,
    TrialsWithdrawn,
    WithdrawTrials,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tunetui.core.events import Record
    from tunetui.session.places import Group
    from tunetui.session.recording import Recording
    from tunetui_agent.messages import Contender, RunSpec, Trial

AGENTS_IN_VAIN = 3
"""That many agents of one place may die with nothing done since the one before."""
_LOST_TO_US = frozenset({"no-such-run", "epoch", "protocol", "damaged"})
"""Refusals to attach after which an agent's run is no longer ours to follow."""


class Crew(Roster):
    """One group at work.  `run` it once, in one task; everything else may be called meanwhile from the same loop."""

    def __init__(
        self,
        group: Group,
        recording: Recording,
        folder: str,
        spec: Callable[[Seat, str], RunSpec],
        rivals: Callable[[Group], list[Contender]],
        unprofiled: Callable[[Group], list[Contender]],
        on_link: Callable[[Seat, str], None],
        *,
        more_may_come: bool = False,
    ) -> None:
        """``spec`` describes a run of a given name at a seat; ``rivals`` are the rows that may be raced now, ``unprofiled``
        those whose hardware counters are asked for and were not read.
        """
        self.group = group
        self.seats = [Seat(place, group, recording, self._on_record, on_link) for place in group.places]
        self.stopped_by_others = False
        self._recording, self._folder, self._spec, self._on_link = recording, folder, spec, on_link
        self._rivals, self._unprofiled = rivals, unprofiled
        self.is_alone = len(self.seats) == 1 and not more_may_come
        self.trials: dict[str, Trial] = {trial.id: trial for trial in group.plan.trials}
        self.dealing = Dealing({seat.name: self._ability(seat) for seat in self.seats})
        self._by_name = {seat.name: seat for seat in self.seats}
        self._tasks: dict[asyncio.Task[Any], Seat] = {}
        self._stopping = self._leaving = self._called_last = False
        self._wake = asyncio.Event()  # there may be a seat to be manned
        self._error: TunetuiError | None = None

    # ------------------------------------------------------------------ from the outside

    def deal(self, missing: Sequence[Trial]) -> None:
        """Trials that nobody has in hand."""
        for name, ids in self.dealing.deal([trial.id for trial in missing]).items():
            seat = self._by_name[name]
            if seat.agents.is_followed and not seat.closed:
                seat.deal([self.trials[each] for each in ids])
            else:
                self._wake.set()

    def join(self, group: Group) -> None:
        """The same group with one more place, the last: it takes what waits at the others, and what is dealt."""
        self.group = group
        self.trials.update({trial.id: trial for trial in group.plan.trials})
        seat = Seat(group.places[-1], group, self._recording, self._on_record, self._on_link)
        for each in self.seats:
            each.group = group
        self.seats.append(seat)
        self._by_name[seat.name] = seat
        self.dealing.join(seat.name, self._ability(seat))

    def share(self) -> None:
        """Somebody joined, or trials came: the idle are given of what waits at the others."""
        self._wake.set()
        if not self._stopping and not self._leaving and not self.dealing.is_over:
            self._rebalance()

    async def run(self) -> None:
        """Until everything is measured and raced, nobody is left to measure it, or a stop was carried out.

        Raises:
            TunetuiError: no place could be used, or nothing more can be kept.
        """
        try:
            while self._man_seats():
                self._wake.clear()
                waking = asyncio.create_task(self._wake.wait())
                try:
                    done, _ = await asyncio.wait([*self._tasks, waking], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    waking.cancel()
                for task in [each for each in self._tasks if each in done]:
                    await self._ended(self._tasks.pop(task), task)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._error is not None and all(seat.gone for seat in self.seats):
            raise self._error

    def stop(self) -> None:
        """Begin nothing more; what each agent is asked is the session's to say."""
        self._stopping = True

    def leave(self) -> None:
        """Have every agent end by itself once it has measured what it holds."""
        self._leaving = True
        for seat in self.seats:
            if seat.agents.is_followed:
                seat.close([], [])

    @property
    def is_delivered(self) -> bool:
        """Whether every agent is there and has all that it was told."""
        manned = {id(seat) for seat in self._tasks.values() if seat.agents.is_followed}
        return all(
            seat.gone or (id(seat) in manned and not seat.agents.undelivered)
            for seat in self.seats
            if self.dealing.hands[seat.name].has_work or seat.agents.is_followed
        )

    def rivals(self) -> list[Contender]:
        """The rows of all its devices that may be raced now."""
        return self._rivals(self.group)

    # ------------------------------------------------------------------ seats

    def _man_seats(self) -> bool:
        """Put an agent to work wherever there is work and none; whether anybody is at work."""
        manned = set(map(id, self._tasks.values()))
        for seat in self.seats:
            if seat.gone or id(seat) in manned:
                continue
            if seat.adopted:
                is_last = self.is_alone or self.dealing.is_over
                self._begin(seat, seat.follow_adopted(self._waiting_at(seat), alone=is_last))
            elif self.dealing.hands[seat.name].waiting and not self._stopping and not self._leaving:
                rivals = [*self._unprofiled(self.group), *self._rivals(self.group)] if self.is_alone else None
                self._begin(seat, self._measure(seat, rivals))
        if not self._tasks and not self._stopping and not self._leaving:
            self._man_last_call()
        return bool(self._tasks)

    async def _measure(self, seat: Seat, rivals: list[Contender] | None) -> str:
        """What the agent is told of and what it is given belong together, whatever was extended since it was sent for."""
        return await seat.measure(self._spec(seat, self._new_name()), rivals, self._waiting_at(seat))

    def _waiting_at(self, seat: Seat) -> Callable[[], list[Trial]]:
        waiting = self.dealing.hands[seat.name].waiting
        return lambda: [self.trials[each] for each in waiting if each not in seat.held]

    def _man_last_call(self) -> None:
        """Everything is measured: one device races rows of several that were never raced, and reads what is asked for."""
        if self.stopped_by_others or self._called_last:
            return
        rivals = [] if self.is_alone else undecided(self._rivals(self.group))
        asked = [*self._unprofiled(self.group), *rivals]
        seat = next((seat for seat in self.seats if not seat.gone), None)
        if seat is not None and asked:
            self._called_last = True  # one attempt: the sweep's figures stand where it fails
            self._begin(seat, seat.measure(self._spec(seat, self._new_name()), asked, list))

    def _begin(self, seat: Seat, work: Coroutine[Any, Any, str]) -> None:
        self._tasks[asyncio.create_task(work)] = seat

    def _new_name(self) -> str:
        return agents_name(self._folder, self._recording.snapshot) + secrets.token_hex(4)

    async def _ended(self, seat: Seat, task: asyncio.Task[Any]) -> None:
        """An agent is gone: in order, dead, or it was never there."""
        finished = self.dealing.hands[seat.name].finished
        try:
            outcome = task.result()
        except (StoreError, DealtElsewhereError):
            raise
        except TunetuiError as error:
            if isinstance(error, AgentRefusedError) and error.code in _LOST_TO_US:
                self._say(
                    "agent-gone", f"the run on {seat.place.host} is no longer there ({error.code}): {error.message}"
                )
                outcome = "dead"
            else:
                self._give_up(seat, error)
                return
        if outcome == "dead":
            await self._bury(seat, finished)
        elif seat.agents.ended == "failed":
            self._give_up(seat, None)
        elif seat.agents.ended in {"stopped", "cancelled"} and not self._stopping:
            self.stopped_by_others = self._stopping = True
            self.dealing.restart(seat.name)
        else:
            await self._bury(seat, finished, is_dead=False)  # it may have ended before it heard of the last trials

    async def _bury(self, seat: Seat, finished: int, *, is_dead: bool = True) -> None:
        left = self.dealing.restart(seat.name)
        seat.held.clear()
        seat.in_vain = 0 if finished > seat.finished_before else seat.in_vain + 1
        seat.finished_before = finished
        if is_dead and await _is_rebooted(seat):
            self._say(
                "host-rebooted", f"{seat.place.host} was restarted; the trial that it had in hand is measured again"
            )
        if left and seat.in_vain >= AGENTS_IN_VAIN:
            self._give_up(seat, None)

    def _give_up(self, seat: Seat, error: TunetuiError | None) -> None:
        seat.gone = True
        left = self.dealing.give_up(seat.name)
        others = [each for each in self.seats if not each.gone]
        if error is not None:
            self._error = self._error or error
            if not self.is_alone:
                why = f"{error.message} ({error.hint})" if error.hint else error.message
                why += "; its agent goes on there" if seat.agents.is_left else ""
                self._say("place-lost", f"{seat.place.device.name} of {seat.place.host} is left out: {why}")
        if left and others:
            self._say("trials-moved", f"{len(left)} trials of {seat.place.host} go to the other devices")
            self.deal([self.trials[each] for each in left])

    # ------------------------------------------------------------------ records

    def _on_record(self, seat: Seat, record: Record) -> None:
        event = record.event
        if isinstance(event, TrialsWithdrawn):
            self._given_back(seat, event)
        elif isinstance(event, TrialMeasured | TrialFailed | TrialStarted | TrialsSkipped | TrialsRequeued):
            self.dealing.saw(seat.name, event)
        else:
            return
        if not self.is_alone and not self._stopping and not self._leaving:
            self._rebalance()

    def _given_back(self, seat: Seat, event: TrialsWithdrawn) -> None:
        ordered = [trial for trial in event.trials if trial in self.trials]
        for name, ids in self.dealing.given_back(seat.name, event.command, ordered).items():
            taker = self._by_name[name]
            if taker.agents.is_followed and not taker.closed:
                taker.deal([self.trials[each] for each in ids])
            else:
                self._wake.set()

    def _rebalance(self) -> None:
        if self.dealing.is_over:
            self._close()
            return
        for withdrawal in self.dealing.withdrawals():
            command = WithdrawTrials(command=fresh_id("withdraw"), trials=withdrawal.trials)
            giver = self._by_name[withdrawal.giver]
            self.dealing.asked(withdrawal.giver, command.command if giver.agents.send(command) else "")

    def _close(self) -> None:
        """All is measured: each problem is raced on one device, the problems side by side, and everybody ends."""
        present = [seat for seat in self.seats if seat.agents.is_followed and not seat.closed]
        if not present:
            return
        rivals = self._rivals(self.group)
        problems = list({problem_key(each.trial.problem): each.trial.problem for each in rivals}.values())
        for number, seat in enumerate(present):
            mine = problems[number :: len(present)]
            keys = {problem_key(problem) for problem in mine}
            own = [each for each in rivals if problem_key(each.trial.problem) in keys]
            seat.close(own, mine)

    def _say(self, code: str, text: str) -> None:
        self._recording.say(NoticeRaised(code=code, text=text))


async def _is_rebooted(seat: Seat) -> bool:
    try:
        return (await states_on(seat.place.link)).get(seat.agents.source) == "rebooted"
    except TunetuiError:  # what to say of it is not worth failing for
        return False
