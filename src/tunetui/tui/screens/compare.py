"""The Compare screen: two leaderboards side by side, row by row, with a verdict that noise does not make."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from tunetui.core.compare import FASTER, SAME, SLOWER, UNDECIDED, ComparedRow, Comparison, compare
from tunetui.core.errors import TunetuiError
from tunetui.core.figures import count, counted
from tunetui.core.gate import interval_in_words
from tunetui.core.labels import assignments, one_line, short_problem, varying
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.publishing import build_leaderboard
from tunetui.session import library, read_leaderboard
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.comparing import COMPARE
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.text import TextScreen
from tunetui.tui.spans import LinesPane, Spans, plain, spread, toned
from tunetui.tui.widgets.columns import Column, number_column, text_column
from tunetui.tui.widgets.keys_line import KeysLine
from tunetui.tui.widgets.store import ColumnStore, Mask, Rows
from tunetui.tui.widgets.table import LiveTable
from tunetui.tui.widgets.tones import Tone
from tunetui_agent.messages import Value

if TYPE_CHECKING:
    from tunetui.tui.screens.leaderboard import LeaderboardScreen

_VERDICTS = (SLOWER, FASTER, UNDECIDED, SAME)
_TONES: dict[str, Tone] = {SLOWER: "bad", FASTER: "good", UNDECIDED: "warning"}
_NUMBERS = ("place", "percent", "first", "second")
_TEXTS = ("verdict", "change", "problem", "row", "reason")
_SORTABLE = ("place", "percent", "first", "second", "row")
_SUMMARY_LINES = 3
_LEAST_ROW_CELLS, _MOST_ROW_CELLS = 20, 100


def compare_with(place: LeaderboardScreen, chosen: object) -> None:
    """Open the comparison of the leaderboard at ``place``, as the second, with the file that was chosen as the first."""
    if not isinstance(chosen, Path):
        return
    try:
        journal = chosen.suffix == ".jsonl"
        other = build_leaderboard(library.read_run(chosen)) if journal else read_leaderboard(chosen)
        name = chosen.parent.name if journal else chosen.name
        place.app.push_screen(CompareScreen(other, place.board, (name, place.file)))
    except TunetuiError as error:
        place.cockpit.tell_error(error)


class CompareScreen(CommandScreen):
    """The second leaderboard held against the first."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = COMPARE
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Compare"

    def __init__(self, first: Leaderboard, second: Leaderboard, names: tuple[str, str]) -> None:
        super().__init__()
        self.boards, self.names = (first, second), names
        self.found: Comparison | None = None
        self.refusal: list[Spans] = []
        self.alone: str | None = None
        """The verdict whose rows are shown alone."""
        self.heading = LinesPane(classes="title")
        self.summary = LinesPane(id="compared")
        self.summary.styles.height = _SUMMARY_LINES
        self.rows = LiveTable(ColumnStore(_NUMBERS, _TEXTS), _columns(several=False), fixed=2, id="board")

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.summary
        yield self.rows
        yield KeysLine()

    def on_mount(self) -> None:
        self.rows.focus()
        self.begin()

    def on_resize(self) -> None:
        """Lines are cut to the width."""
        self.say()

    def begin(self) -> None:
        """Compare anew; large leaderboards take a while, and keys stay quick meanwhile."""
        self.found = None
        self.say()
        self.run_worker(self._compare(), group="compare", exclusive=True)

    async def _compare(self) -> None:
        try:
            found = await asyncio.to_thread(compare, *self.boards)
        except TunetuiError as error:
            self.cockpit.tell_error(error)
            self.refusal = [toned(f" {one_line(error.message)}", "bad"), toned(f" {one_line(error.hint)}", "muted")]
            self.say()
            return
        self.found = found
        fields = varying([board.problem for board in found.boards])
        store = _store(found, fields)
        longest = max((len(store.text("row", row)) for row in range(store.count)), default=0)
        self.rows.columns = _columns(several=bool(fields), row_cells=longest)
        self.rows.choose_columns(None)
        self.rows.ordering.sort_key, self.rows.ordering.descending = "place", False
        self.rows.show(store)
        self.say()

    # ---------------------------------------------------------------------------------------- what is said

    def say(self) -> None:
        """Whose, how many of each verdict, and the best of each."""
        first, second = (one_line(name) for name in self.names)
        counts = self.found.counts if self.found else {}
        said = "  ".join(f"{counts[verdict]} {verdict.upper()}" for verdict in _VERDICTS if self.found)
        title = self.titled(f"{second} against {first}")
        self.heading.show([spread(title, ((f"{said} ", None),), max(self.size.width, 1))])
        if self.found is not None:
            self.summary.show(self._summary(self.found))
        else:
            self.summary.show(self.refusal or [toned(" comparing ...", "muted")])

    def _summary(self, found: Comparison) -> list[Spans]:
        changed = ", ".join(change.what for change in found.changes)
        changed_tone: Tone = "warning" if changed else "muted"
        lines = [toned(f" changed: {changed or 'nothing that is recorded'}", changed_tone)]
        best = next((board.best for board in found.boards if board.best is not None), None)
        if best is not None:
            tone = _TONES.get(best.row.verdict)
            head = f" best against best: {best.row.verdict.upper()} {interval_in_words(best.row)}  "
            lines.append(
                ((head, tone), (best.first if best.same_configuration else f"{best.first} -> {best.second}", None))
            )
        shown = f"only {self.alone}" if self.alone else f"all {count(sum(found.counts.values()))} rows of both"
        only = sum(len(board.only_first) + len(board.only_second) for board in found.boards)
        beside = f", {counted(only, 'row')} of only one" if only else ""
        lines.append(toned(f" {shown}{beside}; positive is slower", "muted"))
        return lines

    # ---------------------------------------------------------------------------------------- commands

    @property
    def table(self) -> LiveTable | None:
        return self.rows

    def next_verdict(self) -> None:
        """All, then each verdict alone."""
        turns = (None, *_VERDICTS)
        self.alone = turns[(turns.index(self.alone) + 1) % len(turns)]
        wanted = self.alone

        def shown(store: ColumnStore, rows: Rows) -> Mask:
            return store.equal_to("verdict", wanted or "", rows)

        self.rows.filter_by(shown if wanted else None)
        self.say()

    def sort_next(self) -> None:
        """By verdict and size first."""
        now = self.rows.ordering.sort_key or _SORTABLE[0]
        self.rows.sort_by(_SORTABLE[(_SORTABLE.index(now) + 1) % len(_SORTABLE)], descending=False)

    def swap(self) -> None:
        """What was first becomes the second."""
        self.boards, self.names = self.boards[::-1], self.names[::-1]
        self.begin()

    def show_method(self) -> None:
        """Everything around the rows, to read."""
        if self.found is not None:
            self.app.push_screen(TextScreen("What changed, and how it was judged", _method_lines(self.found)))


def _method_lines(found: Comparison) -> list[Spans]:
    lines: list[Spans] = [toned("changed between the first and the second", "strong")]
    lines += [(((f"{one.what}: "), "accent"), (f"{one.first} -> {one.second}", None)) for one in found.changes]
    lines += [plain("nothing that is recorded")] if not found.changes else []
    for board in found.boards:
        lines += [plain(""), toned(" ".join(assignments(board.problem)), "strong")]
        for noise in board.noise:
            large = noise.smallest_found_percent
            could = "" if large is None else f"; a change of {large:.1f} % is found half of the time"
            lines.append(
                plain(f"{one_line(noise.implementation)}: noise ±{noise.sd_percent:.2f} %, {noise.source}{could}")
            )
        for name, only in (("first", board.only_first), ("second", board.only_second)):
            lines += [toned(f"only in the {name}: {each}", "muted") for each in only]
    lines += [toned(f"not compared, {one_line(name)}", "muted") for name in found.unpaired]
    return [*lines, plain(""), toned("method", "strong"), plain(found.method)]


def _store(found: Comparison, fields: list[str]) -> ColumnStore:
    rows = [(board, row) for board in found.boards for row in board.rows]
    store = ColumnStore(_NUMBERS, _TEXTS, capacity=max(len(rows), 1))
    ordered = sorted(rows, key=lambda pair: (_VERDICTS.index(pair[1].verdict), -_size(pair[1])))
    by_name: dict[str, list[Mapping[str, Value]]] = {}
    for _, row in rows:
        by_name.setdefault(row.implementation, []).append(row.configuration)
    told = {name: varying(configurations) for name, configurations in by_name.items()}
    for place, (board, row) in enumerate(ordered):
        own = {
            axis: value for axis, value in row.configuration.items() if axis in told[row.implementation]
        } or row.configuration
        words = [one_line(row.implementation), *assignments(own)]
        store.upsert(str(place), {
            "place": float(place), "percent": row.difference.percent if row.difference else None,
            "first": row.first_ms, "second": row.second_ms, "verdict": row.verdict,
            "change": interval_in_words(row), "problem": short_problem(board.problem, fields),
            "row": " ".join(words), "reason": one_line(row.reason),
        })  # fmt: skip
    return store


def _size(row: ComparedRow) -> float:
    return abs(row.difference.percent) if row.difference else 0.0


def _verdict_tone(store: ColumnStore, row: int) -> Tone | None:
    return _TONES.get(store.text("verdict", row))


def _columns(*, several: bool, row_cells: int = 0) -> list[Column]:
    columns = [
        Column("place", "verdict", 10, lambda store, row: store.text("verdict", row).upper(), right=False,
               tone=_verdict_tone),
        text_column("change", "change (95 %)", 26, right=True),
        number_column("first", "first ms", 11, decimals=5, gives_way=2),
        number_column("second", "second ms", 11, decimals=5, gives_way=1),
        text_column("row", "configuration", min(max(row_cells, _LEAST_ROW_CELLS), _MOST_ROW_CELLS)),
        text_column("reason", "why undecided", 60, gives_way=3),
    ]  # fmt: skip
    if several:
        columns.insert(4, text_column("problem", "problem", 24))
    return columns
