"""The Run screen's table kept in step with the run: only rows that changed are computed again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from itertools import islice
from time import monotonic
from typing import cast

import numpy as np

from tunetui.core.board_figures import MEDIAN
from tunetui.core.figures import setting
from tunetui.core.labels import short_problem, varying
from tunetui.core.live_figures import Columns, figure_columns, overlaid, ranks_of, rows_of
from tunetui.core.opened_rows import heads_of
from tunetui.core.snapshot import MEASURED, Row, Run
from tunetui.tui.board_columns import BoardFacts
from tunetui.tui.device_text import device_names
from tunetui.tui.figure_table import PROBLEM_TEXT, FigureTable
from tunetui.tui.tabs import Tab
from tunetui_agent.messages import FAILURES, Value, reliability

MEASURED_AT = "#measured_at"
"""When a row got its figures, in Unix seconds: the table's own, for the plot over time."""
RANKED_AT_MOST = 256
"""Of each problem on each device while the run goes on: ranking everything would take seconds at 100,000 rows."""
_RANKED_EVERY_SECONDS = 2.0
_WRITTEN_AT_ONCE = 250
_KEPT_WAITING = 2000
_BESIDE = frozenset({"sentinel", "energy", "counters", reliability.RELIABILITY})
"""What is done with a row whose figures stay in view meanwhile."""
_TAKE_SECONDS = 0.004
"""What one look at a run may take to write rows; those that are left come with the next, or with `RunBoard.catch_up`."""


class RunBoard:
    """Folds snapshots into a `FigureTable`."""

    def __init__(self) -> None:
        self.table = FigureTable(keys="trial")
        self.facts = BoardFacts()
        self.columns_changed = True
        """Whether there is another set of columns than at the last look; whoever looks sets it back."""
        self._seen: Run = Run()
        self._waiting: dict[str, Row | None] = {}
        """By trial: rows that changed and were not written yet; None where so many wait that they are better not kept."""
        self._overlaid: dict[str, object] = {}
        self._ranked: object = None
        self._ranked_at = 0.0
        self._problem_fields: list[str] = []
        self._problem_texts: dict[str, str] = {}
        self._qualities: dict[str, None] = {}

    def take(self, run: Run) -> int:
        """Bring the table to the state of ``run``; returns how many rows were written."""
        if run.plan is not self._seen.plan:
            self._plan_changed(run)
            rows: Iterable[Row] = run.rows.values()
        else:
            rows = run.changed_since(self._seen)
        changed = {row.trial: row for row in rows if run.current(row)}
        self._seen = run
        self._waiting |= changed if len(self._waiting) < _KEPT_WAITING else dict.fromkeys(changed)
        self._write_some()
        overlaid_rows = self._overlay(run, changed.keys())
        if self.table.put(overlaid_rows):
            self.columns_changed = True
        self._look_at_facts(run, changed.values())
        return len(changed.keys() | overlaid_rows.keys())

    @property
    def is_behind(self) -> bool:
        """Whether rows changed that were not written yet."""
        return bool(self._waiting)

    def catch_up(self) -> None:
        """Write some more of these rows: a flood of results must not keep keys waiting."""
        self._write_some()

    def _write_some(self) -> None:
        end = monotonic() + _TAKE_SECONDS
        while self._waiting:
            some = dict(islice(self._waiting.items(), _WRITTEN_AT_ONCE))
            for trial in some:
                del self._waiting[trial]
            self._write(self._seen, [row or self._seen.rows[trial] for trial, row in some.items()])
            if monotonic() >= end:
                break

    def tabs(self, run: Run) -> list[Tab]:
        """One tab for everything, one for each device and for each problem where there are several."""
        tabs = [Tab("all", {})]
        if len(run.devices) > 1:
            tabs += [Tab(name, {"device": device}) for device, name in device_names(run).items()]
        problems = run.plan.problems if run.plan else []
        if len(problems) > 1:
            texts = dict.fromkeys(short_problem(problem, self._problem_fields) for problem in problems)
            tabs += [Tab(text, {PROBLEM_TEXT: text}) for text in texts]
        return tabs

    def _plan_changed(self, run: Run) -> None:
        """Another plan: rows of the one before are not shown any more."""
        if self.table.store.count:
            self.table = FigureTable(keys="trial")
        self._ranked = None
        self._overlaid = {}
        self._waiting = {}
        self._problem_fields = varying(run.plan.problems) if run.plan else []
        self._problem_texts.clear()
        self.columns_changed = True

    def _problem_text(self, row: Row) -> str:
        if row.problem_key not in self._problem_texts:
            self._problem_texts[row.problem_key] = short_problem(row.problem, self._problem_fields)
        return self._problem_texts[row.problem_key]

    def _columns(self, run: Run, rows: Iterable[Row]) -> Columns:
        """What the table holds of rows, each group of those measured alike in the order of ``rows``."""
        ordered, columns = figure_columns(run, rows)
        self._qualities.update(dict.fromkeys(name for name in columns if name.startswith("quality.")))
        if self._problem_fields:
            columns[PROBLEM_TEXT] = [self._problem_text(row) for row in ordered]
        columns[MEASURED_AT] = heads_of(ordered)["measured_at"]
        return columns

    def _write(self, run: Run, rows: Iterable[Row]) -> None:
        columns = self._columns(run, rows)
        if self.table.write(cast("list[str]", columns["trial"]), columns):
            self.columns_changed = True

    def _overlay(self, run: Run, written: AbstractSet[str]) -> dict[str, dict[str, Value]]:
        """Rows on a device show their samples so far; those that were show their own figures again."""
        present = {progress.trial: progress for progress in run.running.values() if progress.stage not in _BESIDE}
        found: dict[str, dict[str, Value]] = {}
        for trial in self._overlaid.keys() | present.keys():
            row, progress = run.rows.get(trial), present.get(trial)
            if row is None or (self._overlaid.get(trial) is progress and trial not in written):
                continue
            self._waiting.pop(trial, None)  # written later it would hide what is overlaid
            (figures,) = rows_of(self._columns(run, [row]), 1)
            found[trial] = figures if progress is None else overlaid(figures, progress)
        self._overlaid = dict(present)
        return found

    def rank(self, *, at_once: bool = False) -> bool:
        """Rank the rows anew where that is due, or ``at_once``; whether it was."""
        run, now = self._seen, monotonic()
        is_whole = run.ended is not None and not self.is_behind
        is_due = at_once or is_whole or now - self._ranked_at >= _RANKED_EVERY_SECONDS
        if self._ranked is run.rows or not is_due:
            return False
        self._ranked, self._ranked_at = None if self.is_behind else run.rows, now
        at_most = RANKED_AT_MOST if run.ended is None else 10 * RANKED_AT_MOST
        rows = [run.rows[key] for key in self._contenders(at_most)]
        self.table.put_ranks(ranks_of((row for row in rows if run.current(row)), at_most=at_most))
        return True

    def _contenders(self, at_most: int) -> list[str]:
        """The measured rows with the smallest medians of each problem on each device, found without looking at each."""
        store = self.table.store
        rows = np.arange(store.count)
        rows = rows[store.equal_to("status", MEASURED, rows) & store.is_known(MEDIAN, rows)]
        boards = np.zeros(len(rows), np.intp)
        for name in (PROBLEM_TEXT, "device"):
            if name in self.table.texts:
                texts, places = store.distinct(name, rows)
                boards = boards * (len(texts) + 1) + places + 1
        found: list[str] = []
        medians = store.numbers(MEDIAN)[rows]
        for board in np.flatnonzero(np.bincount(boards)).tolist():
            own = np.flatnonzero(boards == board)
            if len(own) > at_most:
                own = own[np.argpartition(medians[own], at_most)[:at_most]]
            found += [store.key_of(row) for row in rows[own].tolist()]
        return found

    def _look_at_facts(self, run: Run, changed: Collection[Row]) -> None:
        facts = BoardFacts(
            axes=_swept_axes(run),
            metrics=[name for name in (run.plan.kernel.metrics if run.plan else {}) if name in self.table.numbers],
            qualities=list(self._qualities),
            problem_varies=bool(self._problem_fields),
            devices_vary=len(run.devices) > 1,
            tagged=self.facts.tagged or any(row.tags for row in changed),
            failed=self.facts.failed or any(row.status in FAILURES for row in changed),
            confidence=setting(float(run.plan.method.get("confidence_percent", 95.0))) if run.plan else "95",
        )
        if facts != self.facts:
            self.facts, self.columns_changed = facts, True
        elif any(row.status == MEASURED for row in changed) and run.counts.measured <= _SETTLED:
            self.columns_changed = True  # the first figures say how wide columns have to be


_SETTLED = 24


def _swept_axes(run: Run) -> list[str]:
    """Axes with more than one value, in the order of the implementations."""
    axes = run.plan.axes if run.plan else {}
    return list(dict.fromkeys(axis for own in axes.values() for axis, values in own.items() if len(values) > 1))
