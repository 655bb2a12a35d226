"""One row and everything behind it: samples, figures, resources, build log, provenance, journal records."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from tunetui.core.board_figures import MEDIAN
from tunetui.core.labels import assignments
from tunetui.session.library import Evidence, evidence_of
from tunetui.tui import row_detail
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.rows import ROW
from tunetui.tui.row_detail import RowDetail
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.spans import LinesPane, Spans, plain, toned
from tunetui.tui.text_view import TextView
from tunetui.tui.widgets.histogram import Histogram
from tunetui.tui.widgets.keys_line import KeysLine
from tunetui.tui.widgets.plot import Plot, Series

PAGES = ("samples", "figures", "resources", "build", "provenance", "records")
_NS_PER_MS = 1e6


class RowScreen(CommandScreen):
    """The pages of one row, one at a time below its summary."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = ROW
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Row"

    def __init__(self, detail: RowDetail) -> None:
        super().__init__()
        self.detail = detail
        self.page = "samples"
        self.heading = LinesPane(classes="title")
        self.summary = TextView(id="summary")
        self.histogram = Histogram("ms", id="histogram")
        self.over_time = Plot("sample", "ms", id="over-time")
        self.samples = Horizontal(self.histogram, self.over_time, id="samples")
        self.text = TextView(id="page")
        self._evidence: Evidence | None = None

    @property
    def can_copy(self) -> bool:
        return True

    def copied(self, *, figure: bool) -> tuple[str, str] | None:
        """The figure is the median."""
        detail = self.detail
        return (row_detail.figure_as_text(detail, MEDIAN), MEDIAN) if figure else (row_detail.as_text(detail), "row")

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.summary
        yield self.samples
        yield self.text
        yield KeysLine()

    def on_mount(self) -> None:
        self.show_row(self.detail)

    def show_row(self, detail: RowDetail) -> None:
        """Another row, on the page for samples.  The screen is kept: making one takes longer than filling it."""
        self.detail, self._evidence = detail, None
        self.heading.show([self.titled(detail.label)])
        summary = row_detail.summary_lines(detail)
        self.summary.show(summary)
        self.summary.scroll_home(animate=False)
        self.summary.styles.height = min(len(summary) + 1, 10)
        samples = np.asarray(detail.samples_ns, np.float64) / _NS_PER_MS
        marks = {}
        median = detail.figures.get(MEDIAN)
        if isinstance(median, int | float):
            marks["median"] = float(median)
        interval = detail.outlook_ms.interval
        if interval is not None:
            marks |= {"low": interval[0], "high": interval[1]}
        self.histogram.show(samples, marks)
        self.over_time.show(Series(np.arange(len(samples), dtype=float), samples, "dots", "accent", "samples in order"))
        self.show_page("samples")

    def show_page(self, name: str) -> None:
        """One of `PAGES`."""
        self.page = name
        self.samples.display = name == "samples"
        self.text.display = name != "samples"
        if name != "samples":
            self.text.show(self._lines(name))
            self.text.scroll_home(animate=False)
            self.text.focus()

    def _lines(self, name: str) -> list[Spans]:
        detail = self.detail
        if name == "figures":
            return [toned(" ".join(assignments(detail.problem)), "muted"), *row_detail.figure_lines(detail)]
        if name == "resources":
            return row_detail.resource_lines(detail)
        if name == "provenance":
            return row_detail.provenance_lines(detail)
        if name == "build":
            said = "\n".join(filter(None, [detail.log, self.evidence.build_log]))
            return [plain(line) for line in said.splitlines()] or [self._no_build_log()]
        return self._record_lines()

    def _no_build_log(self) -> Spans:
        if self.detail.journal is None:
            return toned("what a compiler said is in the run's journal, which is not kept on this machine", "warning")
        return toned("no compiler said anything", "muted")

    def _record_lines(self) -> list[Spans]:
        if self.detail.journal is None:
            return [toned("the journal of this run is not kept on this machine", "warning")]
        lines: list[Spans] = [toned(f"{self.detail.journal}", "muted")]
        for record in self.evidence.records:
            lines += [plain(""), plain(record)]
        if self.evidence.left_out:
            lines += [plain(""), toned(f"and {self.evidence.left_out} more", "muted")]
        return lines

    @property
    def evidence(self) -> Evidence:
        """What the journal says of the row, read once."""
        if self._evidence is None:
            detail = self.detail
            found = None if detail.journal is None else evidence_of(detail.journal, detail.trial)
            self._evidence = found or Evidence([])
        return self._evidence
