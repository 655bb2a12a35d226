"""Hosts that are ready when a run is on already: their devices join its groups, or get one of their own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tunetui.core.errors import TunetuiError
from tunetui.core.events import ProvenanceRecorded, TrialsQueued, TrialsStaled
from tunetui.core.snapshot import problem_key
from tunetui.session.agents import CLOSE, Agents, end_run
from tunetui.session.asked import about
from tunetui.session.awaiting import Awaiting
from tunetui.session.catching_up import CatchingUp
from tunetui.session.crews import Crew
from tunetui.session.hands import DealtElsewhereError
from tunetui.session.opening import left_out, run_spec
from tunetui.session.places import group_places, merged, with_more, with_place, with_suffixes
from tunetui.session.profiling import unprofiled
from tunetui.session.resuming import contenders
from tunetui.session.unloaded import unloaded, was_loaded
from tunetui.session.visiting import let_go_of
from tunetui.store.atomic import StoreError
from tunetui_agent.messages import CloseQueue, NoticeRaised, reference_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.core.planning import Plan
    from tunetui.session.asked import Asked
    from tunetui.session.catching_up import Alive
    from tunetui.session.links import Links
    from tunetui.session.opening import Opened
    from tunetui.session.places import Group, Place
    from tunetui.session.resuming import Standing
    from tunetui.session.spending import Spending
    from tunetui.session.visiting import Arrival
    from tunetui.session.working import Work
    from tunetui.store.runs import RunFolder
    from tunetui_agent.messages import Contender, Trial


class Joining(Awaiting):
    """How a session takes in hosts that come late.

    What a late host's agents may still have in hand, from an earlier start, is kept back until it is there or fails:
    nothing is measured twice.
    """

    groups: list[Group]
    places: list[Place]
    plan: Plan
    _opened: Opened
    _asked: Asked
    _folder: RunFolder
    _links: Links
    _work: Work
    _renewed: set[str]
    _spending: Spending
    _seen_out: dict[str, Agents]
    _as_before: bool  # the plan on record when this start began asks for what this one does

    def _standing(self, *groups: Group) -> Standing:
        raise NotImplementedError

    def _hold_back(self, missing: Sequence[Trial], held: set[str]) -> list[Trial]:
        """Trials that nobody has in hand, nor may have on a host that is to come; ``held`` are in hand for sure."""
        self._held_back.keep_for(self._coming, self._visits.hoped_for)
        kept_back = held | self._held_back.trials
        free = [trial for trial in missing if trial.id not in kept_back]
        self._held_back.tell_of_absent([place.host for place in self.places], [trial.id for trial in free])
        return free

    # ------------------------------------------------------------------ what comes late

    async def _take_in(self, arrival: Arrival) -> None:
        try:
            await (self._seat_all(arrival) if not arrival.again else self._extend(arrival))
        finally:
            self._arriving.remove(arrival)

    async def _seat_all(self, arrival: Arrival) -> None:
        is_in = False
        try:
            if arrival.error is not None:
                raise arrival.error
            alive = await self._catch_up_with(arrival)
            self._coming.pop(arrival.host, None)
            for place in arrival.places:
                is_in = self._seat(place) or is_in
            seated = {place.name for place in self.places}
            held = self._work.adopt([each for each in alive if each.device in seated])
            self._share_out(self._held_back.release(arrival.host), held)
        except (StoreError, DealtElsewhereError):
            raise
        except TunetuiError as error:
            self._leave_out(left_out(arrival.host, error, self._visits, self._links))
            if arrival.host not in self._visits.expected:
                self._coming.pop(arrival.host, None)
                self._give_away(arrival.host, "takes no part")
        finally:
            if not is_in:
                await let_go_of(arrival.places)

    async def _catch_up_with(self, arrival: Arrival) -> list[Alive]:
        """Every record that the host has of this run; its agents that are still at work on the present plan."""
        host, link = arrival.host, arrival.places[0].link
        catching_up = CatchingUp({host: link}, self._recording, self._folder.folder.name).of(host)
        if self._folder.archived:
            await catching_up.end_all()
        alive = await catching_up.claim(await catching_up.take_over())
        known = {place.name for place in arrival.places}
        if host in self._held_back.given_away:  # others measure what these have in hand
            await asyncio.gather(*(end_run(link, each.source) for each in alive))
        elif self._as_before and all(each.device in known for each in alive):
            return alive
        await self._see_out(alive, arrival.places)
        return []

    async def _extend(self, arrival: Arrival) -> None:
        """Devices that take part can measure more from here on; or they cannot, and why is said."""
        if arrival.error is not None:
            self._leave_out(f"{arrival.host} measures only what needs no build from here: {arrival.error.message}")
        for place in arrival.places:
            crew = next((crew for crew in self._work.crews if place.name in {seat.name for seat in crew.seats}), None)
            if crew is None:
                continue
            before = crew.group.able(place.name)
            crew.extend(with_more(crew.group, place, self._opened.grid, self._opened.kernel), place.name)
            if not (more := sorted(crew.group.able(place.name) - before)):
                lacking = "; ".join(each.reason for each in place.toolchains if not each.available and each.reason)
                self._leave_out(f"{place.host} measures only what needs no build from here: {lacking}")
                continue
            self.groups = [crew.group if each.model == place.model else each for each in self.groups]
            self.places = [place if each.name == place.name else each for each in self.places]
            self.plan = merged([group.plan for group in self.groups])
            self._record(crew.group)
            text = f"{', '.join(more)}: what was built here for {place.device.name} of {place.host} has arrived there"
            self._recording.say(NoticeRaised(code="build-arrived", text=text))
        self._share_out(set(), set())

    def _seat(self, place: Place) -> bool:
        """A device takes its place in a group; whether it can measure anything."""
        if place.name in {other.name for other in self.places}:
            self._leave_out(f"{place.device.name} of {place.host} takes part already, under another name of its host")
            return False
        grid, kernel = self._opened.grid, self._opened.kernel
        crew = next((crew for crew in self._work.crews if crew.group.model == place.model), None)
        try:
            if crew is not None:
                crew.join(with_place(crew.group, place, grid, kernel))
                self.groups = [crew.group if each.model == place.model else each for each in self.groups]
            else:
                (group,), _ = group_places([place], grid, kernel)
                self.groups = with_suffixes([*self.groups, group], self.snapshot)
                crew = self._crew(self.groups[-1])
                self._work.put_to_work(crew)  # it begins once this task waits for something
        except TunetuiError as error:
            self._leave_out(f"{place.device.name} of {place.host} measures nothing: {error.message}")
            return False
        self.places = [*self.places, place]
        self.plan = merged([group.plan for group in self.groups])
        self._record(crew.group)
        text = f"{place.device.name} of {place.host} has joined the run"
        self._recording.say(NoticeRaised(code="place-joined", text=text))
        return True

    def _record(self, group: Group) -> None:
        """What a group asks for that is not on record yet."""
        known = self.snapshot
        for identity, fields in group.plan.provenances.items():
            if known.provenances.get(identity) != fields:
                self._recording.say(ProvenanceRecorded(id=identity, fields=fields))
        planned = {row.trial for row in known.current_rows()}
        standing = self._standing(group)
        stale = {trial: why for trial, why in standing.stale.items() if trial not in planned}
        if stale:
            self._recording.say(TrialsStaled(reasons=stale))
        missing = [trial for trial in standing.missing if trial.id not in planned]
        self._renewed |= {problem_key(trial.problem) for trial in missing}
        kept = [trial for trial in standing.kept if trial not in planned]
        models = {} if group.model in known.suffixes else {group.model: group.suffix}
        if missing or kept or models:
            trials = [reference_to(trial) for trial in missing]
            self._recording.say(TrialsQueued(trials=trials, kept=kept, models=models))

    def _share_out(self, reserved: set[str], held: set[str]) -> int:
        """Deal what nobody has in hand any more, or had until now, and have the idle take from the slow.

        Returns:
            How many of ``reserved`` were dealt.
        """
        kept_back, dealt = held | self._held_back.trials, 0
        for crew in self._work.crews:
            free = [
                trial
                for trial in self._standing(crew.group).missing
                if trial.id not in kept_back and not crew.dealing.has(trial.id)
            ]
            again = [reference_to(trial) for trial in free if trial.id in reserved]
            if again:
                dealt += len(again)
                self._recording.say(TrialsQueued(trials=again))
            if free:
                crew.deal(free)
            crew.share()
            if crew.has_work:
                self._work.put_to_work(crew)
        return dealt

    # ------------------------------------------------------------------ crews

    async def _see_out(self, alive: Sequence[Alive], places: Sequence[Place] = ()) -> None:
        """Follow agents to their end as if nothing had changed; what they measure may be kept."""
        links = {place.host: place.link for place in [*self.places, *places]}
        found = {each.source: Agents(links[each.host], self._recording) for each in alive}
        self._seen_out |= found
        close = CloseQueue(command=CLOSE)
        await asyncio.gather(*(agents.follow(source, [close]) for source, agents in found.items()))
        for source in found:
            del self._seen_out[source]

    def _about(self, group: Group) -> dict[str, Any]:
        """What agents keep for whoever takes the run up from another machine."""
        return about(self._asked, self.snapshot, group.plan.provenances)

    def _crew(self, group: Group) -> Crew:
        options, load_seconds = self._opened.options, self._opened.grid.reliability.seconds
        finalists = self._opened.grid.method.finalists or bool(load_seconds)  # who is to be run under load is sent, too
        whose, again = options.profile, options.retry_failed

        def rivals(group: Group) -> list[Contender]:
            run = self.snapshot
            found = contenders(self._standing(group), group.plan.trials, run, finalists, self._renewed)
            return [replace(each, loaded=was_loaded(run, each.trial.id, load_seconds)) for each in found]

        def unread(group: Group) -> list[Contender]:
            trials, kept, run = group.plan.trials, self._standing(group).kept, self.snapshot
            return [
                *unprofiled(trials, kept, run, whose, again=again),
                *unloaded(trials, kept, run, load_seconds, again=again),
            ]

        return Crew(
            group,
            self._recording,
            self._folder.folder.name,
            lambda seat, run: run_spec(
                self._opened, seat.group, seat.place, run, self._spending.deadline_seconds(), self._about(seat.group)
            ),
            rivals,
            unread,
            self._links.followed,
            more_may_come=not self._visits.are_over,
        )
