"""The next snapshot of a run while it is being made: the only place where a run's state is mutable."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from tunetui.core.events import Record
from tunetui.core.models import model_of
from tunetui.core.packing import CIRCUMSTANCES, STATUS_CODES, SUBJECTS, standing
from tunetui.core.row import packed_measured
from tunetui.core.row_table import RowsDraft
from tunetui.core.snapshot import (
    LOG_KEPT,
    MEASURED,
    PUTS_KEPT,
    QUEUED,
    RUNNING,
    SKIPPED,
    STALE,
    STATUSES,
    Counts,
    Happening,
    Row,
    Run,
    problem_key,
)
from tunetui_agent.messages import TrialMeasured, TrialRef


class Draft:
    """A run in the making: tables are copied when first touched, so that ``run`` itself never changes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.changes: dict[str, Any] = {}
        self.rows = RowsDraft(run.rows)
        self.statuses = _tally(run.counts)
        self.plan_number = run.plan_number
        self.finished, self.first_finished_at = run.finished_since_resumed, run.first_finished_at
        self.best = dict(run.best)
        self.leads: dict[tuple[str, str], tuple[float, str]] = {}  # as far as they were looked at: median and trial
        self.unsure: set[tuple[str, str]] = set()  # boards whose best row changed for the worse
        self.running = dict(run.running)
        self.boards: dict[tuple[int, int], tuple[str, str]] = {}  # what rows share, to the board that they stand on
        self.confidence = run.confidence
        self.log: deque[Happening] = deque(run.log, maxlen=LOG_KEPT)
        self.puts = run.puts
        self.latest_puts: deque[str] = deque(run.latest_puts, maxlen=PUTS_KEPT)
        self.updated = run.updated

    def finish(self) -> Run:
        """The new snapshot."""
        for board in self.unsure:
            self._find_best(board)
        return msgspec.structs.replace(
            self.run,
            rows=self.rows.finish(),
            counts=_counts(self.statuses),
            plan_number=self.plan_number,
            finished_since_resumed=self.finished,
            first_finished_at=self.first_finished_at,
            best=self.best,
            running=self.running,
            log=tuple(self.log),
            puts=self.puts,
            latest_puts=tuple(self.latest_puts),
            updated=self.updated,
            **self.changes,
        )

    def value(self, name: str) -> Any:
        """A field of the run as changed so far; a dict comes as this draft's own copy."""
        if name in {"devices", "models"}:
            self.boards.clear()
        if name not in self.changes:
            found = getattr(self.run, name)
            self.changes[name] = dict(found) if isinstance(found, dict) else found
        return self.changes[name]

    def count_finished(self, t: float) -> None:
        """One more trial of the sweep is over, at ``t``."""
        self.finished += 1
        if self.first_finished_at is None:
            self.first_finished_at = t

    def say(self, record: Record, text: str, trial: str = "") -> None:
        """One more line of the log."""
        self.log.append(Happening(t=record.t, kind=type(record.event).__name__, text=text, trial=trial))

    def put(self, row: Row) -> None:
        """Set one row and keep counts and best in step."""
        self._put(row.trial, row.packed)

    def _put(self, trial: str, packed: bytes) -> None:
        best, before = self.best, self.rows.set_packed(trial, packed)
        self.puts += 1
        self.latest_puts.append(trial)
        if before is not None:
            status, subject, circumstances, _, plan, _ = standing(before)
            if plan == self.plan_number:
                self.statuses[_TALLIED[status]] -= 1
            if status == _MEASURED and best.get(board := self._board(subject, circumstances)) == trial:
                del best[board]
                self.leads.pop(board, None)
                self.unsure.add(board)
        status, subject, circumstances, _, plan, median_ns = standing(packed)
        if plan == self.plan_number:
            self.statuses[_TALLIED[status]] += 1
            if status == _MEASURED:
                board = self._board(subject, circumstances)
                leader = best.get(board)
                if leader is not None and board not in self.leads:
                    self.leads[board] = (self.rows[leader].standing[_MEDIAN], leader)
                if leader is None or (median_ns, trial) < self.leads[board]:
                    best[board], self.leads[board] = trial, (median_ns, trial)

    def _board(self, subject: int, circumstances: int) -> tuple[str, str]:
        """The problem and the device whose board rows with these stand on."""
        board = self.boards.get((subject, circumstances))
        if board is None:
            device = self.board_of(CIRCUMSTANCES.values[circumstances].device)
            board = self.boards[subject, circumstances] = (SUBJECTS.values[subject].problem_key, device)
        return board

    def _find_best(self, board: tuple[str, str]) -> None:
        self.best.pop(board, None)
        least_ns, ids = math.inf, list[str]()
        for row in self.rows.values():
            status, subject, circumstances, _, plan, median_ns = row.standing
            if not median_ns <= least_ns or plan != self.plan_number or status != _MEASURED:
                continue
            if self._board(subject, circumstances) == board:
                ids = [*(ids if median_ns == least_ns else ()), row.trial]
                least_ns = median_ns
        if ids:
            self.best[board] = min(ids)  # which settles equal medians, whatever order they came in

    def row_of(self, ref: TrialRef, **fields: Any) -> Row:
        """The row of a trial, as known or new, brought up to ``ref`` and ``fields``."""
        times, plan = self._known_of(ref.id)
        return Row.of(
            trial=ref.id,
            implementation=ref.implementation,
            problem=ref.problem,
            problem_key=problem_key(ref.problem),
            configuration=ref.configuration,
            provenance=ref.provenance,
            times_measured=times,
            **{"plan": plan, **fields},
        )

    def put_measured(self, record: Record, event: TrialMeasured, interval_ns: tuple[float, float, float]) -> None:
        """Set the row of a trial that was measured once more; median and ends of its interval, NaN where there is none."""
        trial = event.trial.id
        times, plan = self._known_of(trial)
        device = self.device_of(record.source)
        self._put(trial, packed_measured(event, interval_ns, device, times + 1, plan, record.t, record.at))

    def _known_of(self, trial: str) -> tuple[int, int]:
        """How often it was measured, and the plan that asked for it last."""
        packed = self.rows.get_packed(trial)
        if packed is not None:
            _, _, _, times, plan, _ = standing(packed)
            return times, plan
        return 0, -1 if self.plan_number else 0  # what no plan asked for is current only where there is no plan at all

    def device_of(self, source: str) -> str:
        """Id of the device that this source measures on."""
        agent = self.changes.get("agents", self.run.agents).get(source)
        return agent.device if agent is not None else ""

    def board_of(self, device: str) -> str:
        """The first device of this one's model."""
        known = self.changes.get("devices", self.run.devices).get(device)
        if known is None:
            return device
        found: str = self.changes.get("models", self.run.models).get(model_of(known), device)
        return found

    def drop_running(self, sources: Iterable[str]) -> None:
        """The agents of ``sources`` are gone: what they had in hand is queued again."""
        for source in tuple(sources):
            progress = self.running.pop(source, None)
            row = self.rows.get(progress.trial) if progress else None
            if row is not None and row.status == RUNNING:
                self.put(row.but(status=QUEUED))


_OWN_TALLY = (QUEUED, RUNNING, MEASURED, STALE, SKIPPED)
_TALLIED = [status if status in _OWN_TALLY else "failed" for status in STATUSES]
"""By the number of a status."""
_MEASURED = STATUS_CODES[MEASURED]
_MEDIAN = 5
"""Its place in `standing`."""


def _tally(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in (*_OWN_TALLY, "failed")}


def _counts(statuses: dict[str, int]) -> Counts:
    return Counts(total=sum(statuses.values()), **statuses)
