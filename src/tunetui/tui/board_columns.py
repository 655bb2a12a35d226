"""How each figure looks as a column: its label, its width, how its cells are written, when it gives way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tunetui.core import figures
from tunetui.core.board_figures import INTERVAL, MEDIAN, P95, RECALL, UNITS, metric_header, plain, uncertain
from tunetui.core.snapshot import QUEUED, RUNNING
from tunetui.tui.figure_table import PROBLEM_TEXT, RANK, RANK_TEXT, FigureTable
from tunetui.tui.widgets.columns import CellText, Column, ColumnLayout
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.tones import Tone
from tunetui_agent.messages import FAILURES

STATE = "status"
STATE_MARKS = {"measured": "✓", QUEUED: "·", RUNNING: "▶", "stale": "~", "skipped": "-"}
FAILED_MARK = "✗"
_SAMPLED_ROWS = 400
_WIDEST = 24
_HEADERS_CUT_TO = (10, 7, 5)
_FIRST = {name: place for place, name in enumerate((RANK, STATE, "implementation", MEDIAN, INTERVAL))}
_GIVES_WAY = {"other_quality": 600, "metric": 500, "recall": 400, "p95": 300, "tags": 200, "first_metric": 100}
_SHORT = {
    "percent": "%", "ceiling": "ceil", "bandwidth": "bw", "throughput": "tput", "occupancy": "occ",
    "theoretical": "th", "achieved": "ach", "registers": "reg", "memory": "mem", "average": "avg", "error": "err",
    "absolute": "abs", "of": "", "bytes": "B",
}  # fmt: skip


@dataclass(frozen=True)
class BoardFacts:
    """What the columns of a board need to know beside its rows."""

    axes: Sequence[str] = ()
    metrics: Sequence[str] = ()
    qualities: Sequence[str] = ()
    problem_varies: bool = False
    devices_vary: bool = False
    tagged: bool = False
    failed: bool = False
    confidence: str = "95"


def usual_names(facts: BoardFacts) -> list[str]:
    """The columns that are shown where nobody asked otherwise, in their order."""
    names = [RANK, STATE, "implementation"]
    names += [PROBLEM_TEXT] * facts.problem_varies + ["device"] * facts.devices_vary
    names += [*facts.axes, MEDIAN, INTERVAL, P95, *facts.metrics]
    names += sorted(facts.qualities, key=lambda name: name != RECALL)
    return names + ["tags"] * facts.tagged + ["cause"] * facts.failed


def columns_for(names: Iterable[str], table: FigureTable, facts: BoardFacts, room: int = 0) -> list[Column]:
    """The named columns, as wide as what they show now and as their header asks for.

    Where those that never give way do not fit ``room`` cells (0: no limit), headers are cut first; where that is not
    enough, the median and its interval stand before the settings, so that they are on screen.
    """
    known = table.numbers | table.texts
    columns = [_column(name, table, facts) for name in dict.fromkeys(names) if name in known]
    for most in _HEADERS_CUT_TO if room else ():
        if ColumnLayout([column for column in columns if not column.gives_way], 0).width <= room:
            return columns
        columns = [_narrower(column, table, most) for column in columns]
    if room and ColumnLayout([column for column in columns if not column.gives_way], 0).width > room:
        columns.sort(key=lambda column: _FIRST.get(column.key, len(_FIRST)))
    return columns


def _narrower(column: Column, table: FigureTable, most: int) -> Column:
    """The column with a header of at most ``most`` cells; what stands in it is not cut."""
    if column.key in {STATE, "cause", MEDIAN} or len(column.label) < most:
        return column
    rows = range(min(table.store.count, _SAMPLED_ROWS))
    least = max((len(column.cell(table.store, row)) for row in rows), default=0)
    return replace(column, width=min(column.width, max(most, least)))


def _column(name: str, table: FigureTable, facts: BoardFacts) -> Column:
    if name == RANK:
        return Column(RANK, "#", _width(table, _rank, 3, "#"), _rank)
    if name == STATE:
        return Column(STATE, "", 1, _mark, right=False, tone=_state_tone)
    if name in table.texts:
        cell = _text_of(name)
        label = {"implementation": "impl", PROBLEM_TEXT: "problem"}.get(name, short_label(name))
        way = _GIVES_WAY["tags"] if name == "tags" else 0
        least = 12 if name == "cause" else 2
        most = 60 if name == "cause" else _WIDEST
        width = min(_width(table, cell, least, label), most)
        return Column(name, label, width, cell, right=False, gives_way=way, searchable=True)
    return _number_column(name, table, facts)


def _number_column(name: str, table: FigureTable, facts: BoardFacts) -> Column:
    column = _plain_number_column(name, table, facts)
    rows = range(min(table.store.count, _SAMPLED_ROWS))
    fraction = max((_fraction_of(column.cell(table.store, row)) for row in rows), default=0)
    if not fraction:
        return column
    cell = _on_the_point(column.cell, fraction)
    width = max(column.width, *(len(cell(table.store, row)) for row in rows))
    return replace(column, cell=cell, width=width)


def _on_the_point(cell: CellText, fraction: int) -> CellText:
    """Cells padded so that their decimal points stand below each other."""

    def padded(store: ColumnStore, row: int) -> str:
        text = cell(store, row)
        return text + " " * (fraction - _fraction_of(text))

    return padded


def _fraction_of(text: str) -> int:
    """Characters from the decimal point on; 0 for words and whole numbers."""
    whole, point, rest = text.partition(".")
    return len(rest) + 1 if point and whole.lstrip("-").isdigit() else 0


def _plain_number_column(name: str, table: FigureTable, facts: BoardFacts) -> Column:
    if name == INTERVAL:
        label = f"±{facts.confidence}%"
        return Column(name, label, max(5, len(label)), _figure(name, lambda value, _: figures.percent(value)))
    if name.startswith("latency_ms.") and name != "latency_ms.n":
        cell = _figure(name, uncertain)
        label = f"{name.partition('.')[2]} ms"
        way = 0 if name == MEDIAN else _GIVES_WAY["p95"]
        return Column(name, label, _width(table, cell, 8, label), cell, gives_way=way)
    if name.startswith("quality."):
        cell = _figure(name, lambda value, _: figures.quality(value))
        label = short_label(name.partition(".")[2])
        way = _GIVES_WAY["recall" if name == RECALL else "other_quality"]
        return Column(name, label, _width(table, cell, 5, label), cell, gives_way=way)
    if name in facts.metrics:
        return _metric_column(name, table, facts.metrics.index(name))
    cell = _switch(name) if name in table.switches else _figure(name, lambda value, _: plain(_whole(value)), absent="-")
    label = {"build_seconds": "build s", "latency_ms.n": "n"}.get(name, short_label(name))
    return Column(name, label, _width(table, cell, 2, label), cell)


def _metric_column(name: str, table: FigureTable, place: int) -> Column:
    """A metric inherits the relative uncertainty of the time that it is computed from."""
    _, unit = metric_header(name)
    scaled = "/" in unit and unit.partition("/")[0] not in UNITS.values()
    known = [value for value in table.store.numbers(name).tolist() if math.isfinite(value)]
    factor, letter = figures.prefix_for([max(map(abs, known), default=0.0)]) if scaled else (1.0, "")
    cell = _figure(name, lambda value, relative: uncertain(value / factor, relative))
    label = f"{letter}{unit.replace('vectors', 'vec')}" if "/" in unit else short_label(name)
    way = _GIVES_WAY["first_metric"] if place == 0 else _GIVES_WAY["metric"] + place
    return Column(name, label, _width(table, cell, 6, label), cell, gives_way=way)


def short_label(name: str) -> str:
    """A figure's name as a column's header: the end of a dotted one, long words shortened."""
    words = (_SHORT.get(word, word) for word in name.rpartition(".")[2].split("_"))
    return " ".join(filter(None, words))


def _width(table: FigureTable, cell: CellText, least: int, label: str) -> int:
    """Wide enough for the label with the sort arrow, and for the cells of the first rows that have figures."""
    store = table.store
    rows = range(min(store.count, _SAMPLED_ROWS))
    return max([least, len(label) + 1, *(len(cell(store, row)) for row in rows)])


def _figure(name: str, write: Callable[[float, float | None], str], absent: str = figures.NOT_MEASURED) -> CellText:
    """Cells of a number; nothing while the row waits for its figures, ``absent`` where it never got this one."""

    def cell(store: ColumnStore, row: int) -> str:
        value = store.number(name, row)
        if not math.isnan(value):
            return write(value, _relative(store, row))
        return "" if store.text("status", row) in {QUEUED, RUNNING} else absent

    return cell


def _relative(store: ColumnStore, row: int) -> float | None:
    try:
        value = store.number(INTERVAL, row)
    except KeyError:
        return None
    return None if math.isnan(value) else value


def _switch(name: str) -> CellText:
    def cell(store: ColumnStore, row: int) -> str:
        value = store.number(name, row)
        return "-" if math.isnan(value) else "true" if value else "false"

    return cell


def _text_of(name: str) -> CellText:
    return lambda store, row: store.text(name, row)


def _rank(store: ColumnStore, row: int) -> str:
    return store.text(RANK_TEXT, row)


def _mark(store: ColumnStore, row: int) -> str:
    return STATE_MARKS.get(store.text(STATE, row), FAILED_MARK)


def _state_tone(store: ColumnStore, row: int) -> Tone | None:
    return state_tone(store.text(STATE, row))


def state_tone(status: str) -> Tone | None:
    """The colour of a status; its mark and its word say the same."""
    if status in FAILURES:
        return "bad"
    tones: Mapping[str, Tone] = {RUNNING: "accent", "measured": "good", "stale": "warning"}
    return tones.get(status, "muted")


def _whole(value: float) -> float | int:
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
