"""The next snapshot of a run while it is being made: the only place where a run's state is mutable."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from sys import intern
from typing import Any

import msgspec

from tunetui.core.events import Record
from tunetui.core.models import model_of
from tunetui.core.row_table import RowsDraft
from tunetui.core.snapshot import (
    LOG_KEPT,
    MEASURED,
    PUTS_KEPT,
    QUEUED,
    RUNNING,
    SKIPPED,
    STALE,
    Counts,
    Happening,
    Row,
    Run,
    problem_key,
)
from tunetui_agent.messages import TrialRef, Value


class Draft:
    """A run in the making: tables are copied when first touched, so that ``run`` itself never changes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.changes: dict[str, Any] = {}
        self.rows = RowsDraft(run.rows)
        self.statuses = _tally(run.counts)
        self.plan_number = run.plan_number
        self.finished = run.finished_since_resumed
        self.best = dict(run.best)
        self.unsure: set[tuple[str, str]] = set()  # boards whose best row changed for the worse
        self.running = dict(run.running)
        self.problems: dict[str, tuple[str, dict[str, Value]]] = {}  # equal problems share one dict and one key
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
        if name not in self.changes:
            found = getattr(self.run, name)
            self.changes[name] = dict(found) if isinstance(found, dict) else found
        return self.changes[name]

    def say(self, record: Record, text: str, trial: str = "") -> None:
        """One more line of the log."""
        self.log.append(Happening(t=record.t, kind=type(record.event).__name__, text=text, trial=trial))

    def put(self, row: Row) -> None:
        """Set one row and keep counts and best in step."""
        old = self.rows.get(row.trial)
        self.rows.set(row.trial, row)
        self.puts += 1
        self.latest_puts.append(row.trial)
        if old is not None and old.plan == self.plan_number:
            self.statuses[_tallied(old.status)] -= 1
        if row.plan == self.plan_number:
            self.statuses[_tallied(row.status)] += 1
        self._rank(old, row)

    def _rank(self, old: Row | None, row: Row) -> None:
        if old is not None:
            board = (old.problem_key, self.board_of(old.device))
            if self.best.get(board) == row.trial:
                del self.best[board]
                self.unsure.add(board)
        if row.status != MEASURED or row.plan != self.plan_number:
            return
        board = (row.problem_key, self.board_of(row.device))
        leader = self.best.get(board)
        if leader is None or _order(row) < _order(self.rows[leader]):
            self.best[board] = row.trial

    def _find_best(self, board: tuple[str, str]) -> None:
        rows = (
            row
            for row in self.rows.values()
            if row.status == MEASURED
            and row.plan == self.plan_number
            and (row.problem_key, self.board_of(row.device)) == board
        )
        best = min(rows, key=_order, default=None)
        self.best.pop(board, None)
        if best is not None:
            self.best[board] = best.trial

    def row_of(self, ref: TrialRef, **fields: Any) -> Row:
        """The row of a trial, as known or new, brought up to ``ref`` and ``fields``."""
        old = self.rows.get(ref.id)
        key, problem = self._problem(ref, old)
        same = old is not None and old.configuration == ref.configuration
        known: dict[str, Any] = {
            "trial": ref.id if old is None else old.trial,
            "implementation": intern(ref.implementation),
            "problem": problem,
            "problem_key": key,
            "configuration": old.configuration if old is not None and same else self._configuration(ref),
            "provenance": intern(ref.provenance),
            # a trial that no plan asked for is current only where there is no plan at all
            "plan": old.plan if old is not None else -1 if self.plan_number else 0,
            "times_measured": old.times_measured if old is not None else 0,
        }
        return Row(**(known | fields))

    def _problem(self, ref: TrialRef, old: Row | None) -> tuple[str, dict[str, Value]]:
        key = problem_key(ref.problem)
        if old is not None and old.problem_key == key:
            return old.problem_key, old.problem
        return self.problems.setdefault(key, (key, ref.problem))

    def _configuration(self, ref: TrialRef) -> dict[str, Value]:
        values = ref.configuration.items()
        return {name: intern(value) if isinstance(value, str) else value for name, value in values}

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
                self.put(msgspec.structs.replace(row, status=QUEUED))


def _order(row: Row) -> tuple[float, str]:
    """Sort key of measured rows; the id settles equal medians, whatever the order they came in."""
    return (row.median_ns if row.median_ns is not None else float("inf"), row.trial)


def _tallied(status: str) -> str:
    return status if status in {QUEUED, RUNNING, MEASURED, STALE, SKIPPED} else "failed"


def _tally(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in (QUEUED, RUNNING, MEASURED, STALE, SKIPPED, "failed")}


def _counts(statuses: dict[str, int]) -> Counts:
    return Counts(total=sum(statuses.values()), **statuses)
