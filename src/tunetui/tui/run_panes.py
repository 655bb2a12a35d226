"""The panes of the Run screen around its table, and what each shows of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tunetui.core.board_figures import MEDIAN
from tunetui.core.labels import host_name
from tunetui.core.snapshot import Happening, Run
from tunetui.tui import device_text, layout, run_text
from tunetui.tui.heat_data import best_over, telling_axes
from tunetui.tui.run_board import MEASURED_AT
from tunetui.tui.spans import LinesPane, Spans, spread, text_of, toned
from tunetui.tui.widgets.heatmap import Heatmap
from tunetui.tui.widgets.plot import Plot, Series
from tunetui.tui.widgets.tail_log import LogLine, TailLog
from tunetui.tui.widgets.thinning import least_so_far, thinned

if TYPE_CHECKING:
    from tunetui.tui.screens.run import RunScreen

_RAIL_SHARE = 5  # at most this part of the lines are for devices
PICTURES = ("heatmap", "plot")
RESULTS_TOLD_AT_ONCE = 12
"""More came since the last frame than anybody reads; the table and the journal have all of them."""


class RunPanes:
    """The widgets, by the names that `layout` calls them."""

    def __init__(self) -> None:
        self.title = LinesPane(id="title", classes="title")
        self.rail = LinesPane(id="rail")
        self.live = LinesPane(id="live")
        self.present = LinesPane(id="present")
        self.heatmap = Heatmap(id="heatmap")
        self.plot = Plot("s", "best ms", id="plot")
        self.log = TailLog(id="log")
        self._shown: frozenset[str] = frozenset(layout.PANES)
        self._last: Happening | None = None

    def arrange(self, width: int, height: int) -> None:
        """Show the panes that there is room for."""
        small = layout.is_too_small(width, height)
        self._shown = frozenset() if small else layout.shown_panes(width, height)
        for name in layout.PANES:
            pane: LinesPane | Heatmap | Plot | TailLog = getattr(self, name)
            pane.display = name in self._shown
        self.present.display = not small and "live" not in self._shown

    def show_picture(self, screen: RunScreen, name: str) -> None:
        """One of `PICTURES`: the panes that cost most, and that a slow link does without."""
        if name in self._shown:
            (self._show_heatmap if name == "heatmap" else self._show_plot)(screen)

    def show_words(self, run: Run, screen: RunScreen) -> None:
        """The panes of text; on the tab of one device those of that device."""
        now, quiet, device = screen.source.now, screen.out_of_touch, screen.tab.where.get("device", "")
        if "rail" in self._shown:
            self._show_rail(run, screen, now, device)
        if "live" in self._shown:
            height = self.live.size.height
            self.live.show(run_text.live_lines(run, now, screen.pinned, height, quiet, device))
        else:
            self.present.show([_joined(run_text.live_lines(run, now, (), 3, quiet, device))])
        if "log" in self._shown:
            self._follow_log(run)

    def _show_rail(self, run: Run, screen: RunScreen, now: float, device: str) -> None:
        links, names, width = screen.source.links, device_text.device_names(run), screen.size.width
        lines: list[Spans] = []
        for ident, each in run.devices.items():
            if not device or ident == device:
                link = links.get(device_text.host_of(run, ident))
                lines.append(device_text.rail_line(run, each, now, link, name=names[ident], width=width))
        heard = {device_text.host_of(run, ident) for ident in run.devices}
        lines += [
            ((f" {host_name(host)}  ", "muted"), (device_text.link_words(link, now), "warning"))
            for host, link in links.items()
            if host not in heard and (link.state != "ready" or link.asked)
        ]
        method = f"  {device_text.method_line(run)} "
        if lines and method.strip() and len(text_of(lines[0])) + len(method) < width:  # the device goes first
            lines[0] = spread(lines[0], ((method, "muted"),), width)
        most = max(screen.size.height // _RAIL_SHARE, 1)
        if len(lines) > most:
            lines = [
                *lines[: most - 1],
                toned(f" and {len(lines) - most + 1} more: ] shows one after the other", "muted"),
            ]
        wanted = max(len(lines), 1)
        if self.rail.styles.height is None or self.rail.styles.height.value != wanted:
            self.rail.styles.height = wanted
        self.rail.show(lines or [toned(" no device yet", "muted")])

    def _follow_log(self, run: Run) -> None:
        """Write the happenings that came since the last time."""
        log, is_first_look, start = run.log, self._last is None, 0
        if self._last is not None:
            start = next((place + 1 for place in range(len(log) - 1, -1, -1) if log[place] is self._last), 0)
        if start < len(log):
            self._last = log[-1]
            told, left_out = (log, 0) if is_first_look else worth_telling(log[start:])
            lines = [run_text.log_line(run, h.t, h.kind, h.text, h.trial) for h in told]
            more = [LogLine(f"  and {left_out} results before", "muted")] if left_out else []
            self.log.write([*more, *(LogLine(text_of(line), line[-1][1]) for line in lines)])

    def _show_heatmap(self, screen: RunScreen) -> None:
        axes = telling_axes(screen.figures, screen.facts.axes)
        if len(axes) >= 2:
            self.heatmap.show(best_over(screen.figures, axes[1], axes[0], screen.tab.filter))

    def _show_plot(self, screen: RunScreen) -> None:
        store = screen.figures.store
        if not {MEDIAN, MEASURED_AT} <= screen.figures.numbers:
            return
        rows = np.arange(store.count, dtype=np.intp)
        shown = screen.tab.filter
        rows = rows if shown is None else rows[shown(store, rows)]
        when, medians = store.numbers(MEASURED_AT)[rows], store.numbers(MEDIAN)[rows]
        known = np.isfinite(when) & np.isfinite(medians)
        if not known.any():
            return
        seconds, medians = when[known] - when[known].min(), medians[known]
        near = medians <= medians.min() * 10  # what is ten times slower would flatten the rest
        dots = Series(*thinned(seconds[near], medians[near]), "dots", "muted", "rows")
        times, best = least_so_far(seconds, medians)
        self.plot.show(dots, Series(times, np.minimum(best, best[-1] * 10), "steps", "accent", "best"))


def worth_telling(news: Sequence[Happening]) -> tuple[Sequence[Happening], int]:
    """All happenings, but of a flood of results only the latest ones; and how many were left out."""
    results = [place for place, happening in enumerate(news) if happening.kind == "TrialMeasured"]
    left_out = set(results[:-RESULTS_TOLD_AT_ONCE])
    return [happening for place, happening in enumerate(news) if place not in left_out], len(left_out)


def _joined(lines: list[Spans]) -> Spans:
    """The first lines of the live pane on one line."""
    found: list[tuple[str, object]] = []
    for line in lines[:3]:
        found += [*line, ("  ", None)]
    return tuple(found)  # type: ignore[arg-type]
