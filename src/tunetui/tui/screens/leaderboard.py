"""The Leaderboard screen: a saved file or a run's journal, to sort, filter and look into."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize

from tunetui.core.board_figures import RACED_MARK, confidence_of, lines_of
from tunetui.core.figures import counted, setting, with_uncertainty
from tunetui.core.labels import one_line, short_problem, varying
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui.core.publishing import build_leaderboard
from tunetui.core.readiness import readiness
from tunetui.core.targets import MET, MISSED, Verdict
from tunetui.session import library, read_leaderboard
from tunetui.tui.board_columns import BoardFacts
from tunetui.tui.commands.boards import BOARD
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.comparing import CompareBoards
from tunetui.tui.figure_table import PROBLEM_TEXT, FigureTable
from tunetui.tui.layout import LEAST_HEIGHT
from tunetui.tui.row_detail import RowDetail, detail_of_entry
from tunetui.tui.screens.board_screen import BoardScreen
from tunetui.tui.spans import LinesPane, Spans, spread, text_of, toned
from tunetui.tui.tabs import Tab
from tunetui.tui.widgets.keys_line import KeysLine
from tunetui.tui.widgets.tones import Tone
from tunetui_agent.messages import FAILURES, Value

_TARGETS_SHOWN = 4
_BOARD = "#board"


def board_screen(path: Path) -> LeaderboardScreen:
    """The screen of a saved leaderboard, or of the leaderboard that a journal gives.

    Raises:
        TunetuiError: it is neither, or cannot be read.
    """
    if path.suffix == ".jsonl":
        run, damage = library.read_damaged_run(path)
        return LeaderboardScreen(build_leaderboard(run), path, name=path.parent.name, warning=damage)
    board = read_leaderboard(path)
    return LeaderboardScreen(board, library.journal_of(board.run.id), name=path.name)


class LeaderboardScreen(BoardScreen):
    """Every board of one leaderboard in one table; the tabs show one alone."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = (*BOARD, CompareBoards)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Leaderboard"

    def __init__(
        self, board: Leaderboard, journal: Path | None, *, name: str = "", label: str = "", warning: str = ""
    ) -> None:
        """``warning``: what is told when it is opened."""
        self.board, self.journal, self.file, self._label = board, journal, name or board.run.name, label
        self._warning = warning
        self.known: dict[str, tuple[int, Entry, dict[str, Value]]] = {}
        self.figures = FigureTable()
        self.facts = BoardFacts()
        self._fill()
        super().__init__()
        self.title_line = LinesPane(id="title", classes="title")
        self.targets = LinesPane(id="targets")
        self.footer = KeysLine()

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.targets
        yield self.tabs_line
        yield self.board_table
        yield self.filter_line
        yield self.status_line
        yield self.footer

    def on_mount(self) -> None:
        boards = enumerate(self.board.boards)
        tabs = [Tab(self._board_label(each), {_BOARD: str(place)}) for place, each in boards]
        self.set_tabs([Tab("all", {}), *(tabs if len(tabs) > 1 else [])])
        if self._warning:
            self.cockpit.tell(self._warning, "warning")
        self.lay_out_columns()

    def on_resize(self, event: Resize) -> None:
        """The targets give way first."""
        self.targets.display = event.size.height >= 2 * LEAST_HEIGHT
        self.say_title()

    @property
    def label(self) -> str:
        return self._label

    def say_title(self) -> None:
        """Whose leaderboard, of when, how the run ended, and the targets of what is shown."""
        self.title_line.show([self._title(self.size.width)])
        lines = self._target_lines()
        self.targets.styles.height = max(len(lines), 1)
        self.targets.show(lines or [toned(" no targets were asked for", "muted")])

    def _title(self, width: int) -> Spans:
        """The end of it gives way first, then the beginning; a label that must be there never does."""
        run = self.board.run
        devices = ", ".join(one_line(part.name or part.id) for part in self.board.devices)
        label: Spans = ((f" {self._label} ", "warning"),) if self._label else ()
        failed = f", {run.trials_failed} failed" if run.trials_failed else ""
        progress = f"{run.trials_measured}/{run.trials_planned} measured{failed}"
        left: Spans = ()
        for app, right in (
            (" tunetui ·", f"{progress} · {run.ended} {run.finished[:16]} "),
            ("", f"{progress} "),
            ("", ""),
        ):
            left = (*label, (app, "strong"), (f" {one_line(self.file)} · {devices}", None))
            if len(text_of(left)) + len(right) < width:
                return spread(left, ((right, "muted"),), width)
        return left

    def _target_lines(self) -> list[Spans]:
        """Of one board how each target was met; of several whether each is ready."""
        shown = self._boards_shown
        if len(shown) > 1:
            if not any(board.targets for board in shown):
                return []
            lines = [_ready_line(f"{self._board_label(board)}: ", readiness(self.board, board)) for board in shown]
            more = len(lines) - 1 - _TARGETS_SHOWN
            return [*lines[: _TARGETS_SHOWN + 1], *([toned(f" and {more} more", "muted")] if more > 0 else [])]
        verdicts = [verdict_spans(each) for board in shown for each in board.targets[:_TARGETS_SHOWN]]
        return [_ready_line("", readiness(self.board, shown[0])), *verdicts] if verdicts else []

    @property
    def _boards_shown(self) -> list[Board]:
        """That of the tab, or all of them."""
        place = self.tab.where.get(_BOARD)
        return self.board.boards if place is None else [self.board.boards[int(place)]]

    def go_to_tab(self, place: int) -> None:
        super().go_to_tab(place)
        one = bool(self.tab.where)  # what all rows of it share needs no column
        vary = self._all_facts
        self.facts = replace(
            vary, problem_varies=vary.problem_varies and not one, devices_vary=vary.devices_vary and not one
        )
        self.lay_out_columns()
        self.say_title()

    def compare(self) -> None:
        """Ask for another leaderboard, and hold this one against it."""
        from tunetui.tui.screens.choosing import ChooseBoardScreen
        from tunetui.tui.screens.compare import compare_with

        self.app.push_screen(ChooseBoardScreen(self.file, self.journal), lambda chosen: compare_with(self, chosen))

    def detail_of(self, key: str) -> RowDetail | None:
        """A row of the file."""
        if key not in self.known:
            return None
        place, entry, figures = self.known[key]
        return detail_of_entry(self.board, place, entry, figures, self.journal)

    # ----------------------------------------------------------------------------------------- the table

    def _fill(self) -> None:
        board = self.board
        fields = varying([each.problem for each in board.boards])
        rows: dict[str, dict[str, Value]] = {}
        ranks: dict[str, str] = {}
        for place, each in enumerate(board.boards):
            for line in lines_of(each):
                key = f"{place}:{line.entry.trial}"
                self.known[key] = (place, line.entry, line.figures)
                rows[key] = {
                    **line.figures, _BOARD: str(place), PROBLEM_TEXT: short_problem(each.problem, fields), "device": each.device,
                }  # fmt: skip
                if line.entry.rank is not None:
                    ranks[key] = line.entry.rank + (RACED_MARK if line.entry.stage == "finalists" else "")
        self.figures.put(rows)
        self.figures.put_ranks(ranks)
        entries = [entry for _, entry, _ in self.known.values()]
        axes = [axis for own in board.run.axes.values() for axis, values in own.items() if len(values) > 1]
        self.facts = self._all_facts = BoardFacts(
            axes=list(dict.fromkeys(axis for axis in axes if any(axis in entry.configuration for entry in entries))),
            metrics=[name for name in board.kernel.metrics if name in self.figures.numbers],
            qualities=list(dict.fromkeys(f"quality.{name}" for entry in entries for name in entry.quality)),
            problem_varies=bool(fields),
            devices_vary=len({each.device for each in board.boards}) > 1,
            tagged=len({tuple(entry.tags) for entry in entries}) > 1,
            failed=any(entry.status in FAILURES for entry in entries),
            confidence=confidence_of(board),
        )

    def _board_label(self, board: Board) -> str:
        fields = varying([each.problem for each in self.board.boards])
        device = next((part.name for part in self.board.devices if part.id == board.device), board.device)
        several = len({each.device for each in self.board.boards}) > 1
        return " ".join(filter(None, [short_problem(board.problem, fields), device if several else ""])) or "board"

    def status_spans(self, spans: Spans) -> Spans:
        """Who shares first place, and what the mark of a race means."""
        shown = self._boards_shown
        tied = len(shown[0].winner) if len(shown) == 1 else 0
        words = f"  {counted(tied, 'row')} share first place" if tied > 1 else ""
        raced = any(entry.stage == "finalists" for board in shown for entry in board.rows)
        return (*spans, (words + (f"  {RACED_MARK} measured in turns, in a race" if raced else ""), "muted"))


def _ready_line(head: str, ready: str) -> Spans:
    return ((f" {head}{ready}", "good" if ready.startswith("ready") else "warning"),)


def verdict_spans(verdict: Verdict) -> Spans:
    """``✓ met  latency_ms.p95 < 50: 0.31, between 0.30 and 0.32``."""
    marks: dict[str, tuple[str, Tone]] = {MET: ("✓", "good"), MISSED: ("✗", "bad")}
    mark, tone = marks.get(verdict.verdict, ("?", "warning"))
    bound = setting(int(verdict.bound) if verdict.bound.is_integer() else verdict.bound)
    text = f"{one_line(verdict.metric)} {one_line(verdict.op)} {bound}"
    if verdict.value is not None:
        half = None
        if verdict.low is not None and verdict.high is not None and verdict.high > verdict.low:
            half = max(verdict.high - verdict.value, verdict.value - verdict.low)
        text += f": {with_uncertainty(verdict.value, half)}"
    why = f" ({one_line(verdict.reason)})" if verdict.reason else ""
    return ((f" {mark} {verdict.verdict}  ", tone), (text + why, None))
