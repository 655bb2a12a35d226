"""Rows of named figures in a table's store: columns are added as names turn up, filters read them by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import numpy as np

from tunetui.core.board_figures import INTERVAL, MEDIAN
from tunetui.core.errors import ExpressionError
from tunetui.core.figures import setting
from tunetui.core.live_figures import Column
from tunetui.core.repeated import Repeated
from tunetui.core.selection import Filter as Condition
from tunetui.core.selection import read_filter
from tunetui.tui.widgets.ordering import Filter
from tunetui.tui.widgets.store import ColumnStore, Mask, Numbers, Rows, Texts
from tunetui_agent.messages import Value

RANK, RANK_TEXT = "rank", "#rank"
"""The rank as a number to sort by, and as it is written ("1="); the second is nobody's figure."""
PROBLEM_TEXT = "#problem"
HIDDEN = "#"
"""Names that begin so are the table's own."""


class FigureTable:
    """A `ColumnStore` whose columns are figures."""

    def __init__(self, numbers: Iterable[str] = (), texts: Iterable[str] = (), *, keys: str = "") -> None:
        """``keys``: the figure that the rows' keys are."""
        self.texts = {RANK_TEXT, PROBLEM_TEXT, "implementation", "status", *texts}
        self.numbers = {RANK, MEDIAN, INTERVAL, *numbers} - self.texts
        self.switches: set[str] = set()
        """Figures that are true or false."""
        self.store = ColumnStore(sorted(self.numbers), sorted(self.texts), keys=keys)
        self.texts |= {keys} - {""}

    @property
    def names(self) -> list[str]:
        """Every figure that some row has or had, its own names left out."""
        return sorted(name for name in self.texts | self.numbers if not name.startswith(HIDDEN))

    def put(self, rows: Mapping[str, Mapping[str, Value]]) -> bool:
        """Write rows by key; a figure that a row had and has no longer is not known any more.  True: new names came."""
        if not rows:
            return False
        named = set().union(*rows.values())
        return self.write(list(rows), {name: [row.get(name) for row in rows.values()] for name in named})

    def write(self, keys: Sequence[str], columns: Mapping[str, Column]) -> bool:
        """As `put`, of columns with one value for each key."""
        if not keys:
            return False
        learnt = self._learn(columns)
        written: dict[str, Numbers | Texts] = {}
        for name, column in columns.items():
            written[name] = _as_texts(column) if name in self.texts else cast("Numbers", column)
        for name in self.numbers - columns.keys() - {RANK}:
            written[name] = Repeated(None, len(keys))
        for name in self.texts - columns.keys() - {RANK_TEXT}:
            written[name] = Repeated("", len(keys))
        self.store.write(keys, written)
        return learnt

    def put_ranks(self, ranks: Mapping[str, str]) -> None:
        """Ranks as written ("1=") by key; a row that is not there has none."""
        known = np.flatnonzero(~np.isnan(self.store.numbers(RANK))).tolist()
        gone = {key for row in known if (key := self.store.key_of(row)) not in ranks}
        texts = {key: text for key, text in {**dict.fromkeys(gone, ""), **ranks}.items() if key in self.store}
        numbers = [float(text.rstrip("=*")) if text else None for text in texts.values()]
        self.store.write(list(texts), {RANK: numbers, RANK_TEXT: list(texts.values())})

    # ------------------------------------------------------------------------------------------- filtering

    def filter_of(self, text: str) -> Filter | None:
        """The rows that an expression holds for; a single word that is no figure's name is searched for instead.

        Raises:
            ExpressionError: it cannot be read, or reads a figure that no row has.
        """
        text = text.strip()
        if not text:
            return None
        try:
            condition = read_filter(text, self.names)
        except ExpressionError:
            if text.replace("_", "").replace("-", "").isalnum():
                return lambda store, rows: store.containing(text, rows)
            raise
        if condition.expression.names:
            rows = np.arange(min(self.store.count, 1), dtype=np.intp)
            _holding(condition, self.store, rows)  # so that text where a number is needed shows at once
        return lambda store, rows: _safely_holding(condition, store, rows)

    # ------------------------------------------------------------------------------------------- the store

    def _learn(self, columns: Mapping[str, Column]) -> bool:
        """Take in the names and kinds of new figures; whether there were any."""
        numbers, texts = set(self.numbers), set(self.texts)
        for name, values in columns.items():
            if name in texts:
                continue
            kinds = _kinds(values)
            if str in kinds:
                texts.add(name)  # an axis may be a number for one implementation and text for another
            elif name not in numbers:
                numbers.add(name)
                if bool in kinds and isinstance(next((value for value in values if value is not None), None), bool):
                    self.switches.add(name)
        numbers -= texts
        if (numbers, texts) == (self.numbers, self.texts):
            return False
        self.numbers, self.texts = numbers, texts
        self.store.add_columns(sorted(numbers), sorted(texts))
        return True


def _kinds(column: Column) -> set[type]:
    if isinstance(column, Repeated):
        return {type(column.value)}
    return {float} if isinstance(column, np.ndarray) else set(map(type, column))


def _as_texts(column: Column) -> Texts:
    if isinstance(column, Repeated):
        return Repeated(_written(column.value), len(column))
    values = column.tolist() if isinstance(column, np.ndarray) else column
    return cast("Sequence[str]", values) if _kinds(values) == {str} else list(map(_written, values))


def _written(value: Value | None) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None or value != value else setting(value)  # noqa: PLR0124 (NaN)


def _safely_holding(condition: Condition, store: ColumnStore, rows: Rows) -> Mask:
    """As `_holding`; no row where it cannot be told (a division by zero): said when it was read, shown as empty now."""
    try:
        return _holding(condition, store, rows)
    except ExpressionError:
        return np.zeros(len(rows), np.bool_)


def _holding(condition: Condition, store: ColumnStore, rows: Rows) -> Mask:
    """Which of ``rows`` a condition holds for; a row that lacks a figure which it reads does not match."""
    columns = {name: _values(store, figure, rows) for name, figure in condition.reads.items()}
    has_all = np.ones(len(rows), np.bool_)
    for values in columns.values():
        has_all &= values != "" if values.dtype.kind == "U" else ~np.isnan(values)
    found = np.zeros(len(rows), np.bool_)
    if not condition.reads or has_all.any():
        known = {name: values[has_all] for name, values in columns.items()}
        found[has_all] = condition.expression.mask(known, int(has_all.sum()))
    return found


def _values(store: ColumnStore, name: str, rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.float64 | np.str_]]:
    if store.is_text(name):
        return store.words(name, rows)
    return store.numbers(name)[rows]
