"""What an operator asks of a run under way, handed to the agents that it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunetui.core.errors import TunetuiError
from tunetui.core.snapshot import MEASURED, QUEUED, STALE
from tunetui.session.agents import fresh_id
from tunetui.session.seats import considered
from tunetui_agent.messages import (
    PauseRun,
    PinTrials,
    RaceFinalistsNow,
    RemeasureTrial,
    RequeueTrials,
    ResumeRun,
    SkipTrials,
    TrialsSkipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tunetui.core.snapshot import Run
    from tunetui.session.crews import Crew
    from tunetui.session.recording import Recording
    from tunetui.session.seats import Seat
    from tunetui.session.working import Work

_LEAST_PRECISION_PERCENT = 0.001


class Steering:
    """Steering methods of a session: none waits; each shows in the snapshot when an agent says that it was done.

    A lost link queues what is asked.  TunetuiError where it cannot be done: no agent is at work, say.
    """

    _work: Work
    _recording: Recording

    @property
    def snapshot(self) -> Run:
        """The newest state of the run."""
        return self._recording.snapshot

    @property
    def untold(self) -> list[str]:
        """Hosts that were not told yet what was asked last, or did not say that they were."""
        return self._work.untold

    def request_pause(self) -> None:
        """Every device finishes its present trial and then waits; builds go on."""
        self._everybody(lambda: PauseRun(command=fresh_id("pause")))

    def request_resume(self) -> None:
        """Go on after a pause."""
        self._everybody(lambda: ResumeRun(command=fresh_id("resume")))

    def skip(self, trial_ids: Iterable[str]) -> None:
        """Do not measure these; the one on a device now is ended."""
        nobodys = []
        by_seat: dict[int, tuple[Seat, list[str]]] = {}
        for trial in trial_ids:
            seat = self._crew_of(trial).seat_with(trial)
            if seat is None or not seat.agents.is_followed:
                nobodys.append(trial)
            else:
                by_seat.setdefault(id(seat), (seat, []))[1].append(trial)
        for seat, trials in by_seat.values():
            seat.agents.send(SkipTrials(command=fresh_id("skip"), trials=trials))
        rows = self.snapshot.rows
        waiting = [trial for trial in nobodys if trial in rows and rows[trial].status in {QUEUED, STALE}]
        if waiting:
            for trial in waiting:
                self._crew_of(trial).drop(trial)
            self._recording.say(TrialsSkipped(trials=waiting))

    def requeue(self, trial_ids: Iterable[str]) -> None:
        """Measure these (again), after what is queued, whatever was found for them before."""
        for trial in trial_ids:
            crew = self._crew_of(trial)
            if crew.seat_with(trial) is None:
                seat = self._taker(crew, trial)
                resolved = crew.group.at(crew.trials[trial], seat.name)
                seat.agents.send(RequeueTrials(command=fresh_id("requeue"), trials=[resolved]))

    def pin(self, trial_ids: Iterable[str]) -> None:
        """Measure these next, in this order, each on the device that has it in its queue."""
        by_seat: dict[int, tuple[Seat, list[str]]] = {}
        for trial in trial_ids:
            seat = self._crew_of(trial).seat_with(trial)
            if seat is not None and seat.agents.is_followed:
                by_seat.setdefault(id(seat), (seat, []))[1].append(trial)
        for seat, trials in by_seat.values():
            seat.agents.send(PinTrials(command=fresh_id("pin"), trials=trials))

    def remeasure(self, trial_id: str, precision_percent: float) -> None:
        """Measure a row once more, next, until its median is known to this precision."""
        crew = self._crew_of(trial_id)
        row = self.snapshot.rows.get(trial_id)
        if row is None or row.status != MEASURED:
            raise TunetuiError("only a row that was measured can be measured more precisely", hint="queue it instead")
        if not _LEAST_PRECISION_PERCENT <= precision_percent <= 100.0:
            raise TunetuiError(f"a precision is between {_LEAST_PRECISION_PERCENT:g} and 100 %")
        seat = self._taker(crew, trial_id)
        resolved = crew.group.at(crew.trials[trial_id], seat.name)
        command = RemeasureTrial(command=fresh_id("finer"), trial=resolved, precision_percent=precision_percent)
        seat.agents.send(command)

    def race_now(self) -> None:
        """After the present trial race the best so far, of every model on one device; then the sweep goes on."""
        sent = False
        for crew in self._work.crews:
            seat = crew.open_seat()
            if seat is not None:
                rivals = [] if crew.is_alone else crew.rivals()
                for command in considered(rivals):
                    seat.agents.send(command)
                sent = seat.agents.send(RaceFinalistsNow(command=fresh_id("race"))) or sent
        if not sent:
            raise _nobody()

    def detach(self) -> None:
        """Leave: agents that have no more to be told go on and end by themselves; `run` returns soon."""
        self._work.leave()

    # ------------------------------------------------------------------ whom it concerns

    def _everybody(self, command: Callable[[], Any]) -> None:
        sent = [seat.agents.send(command()) for seat in self._work.seats()]
        if True not in sent:
            raise _nobody()

    def _crew_of(self, trial: str) -> Crew:
        for crew in self._work.crews:
            if trial in crew.trials:
                return crew
        raise TunetuiError(f"no trial {trial!r} in this run")

    def _taker(self, crew: Crew, trial: str) -> Seat:
        """Whoever measured it, where that device can take more; else another of its model."""
        row = self.snapshot.rows.get(trial)
        seat = crew.open_seat(row.device if row is not None else "", trial)
        if seat is None:
            raise _nobody()
        return seat


def _nobody() -> TunetuiError:
    return TunetuiError(
        "no agent is at work that could be told", hint="start the run again: it measures what is missing"
    )
