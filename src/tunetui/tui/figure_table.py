"""Rows of named figures in a table's store: columns are added as names turn up, filters read them by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tunetui.core.board_figures import INTERVAL, MEDIAN
from tunetui.core.errors import ExpressionError
from tunetui.core.figures import setting
from tunetui.core.selection import Filter as Condition
from tunetui.core.selection import read_filter
from tunetui.tui.widgets.ordering import Filter
from tunetui.tui.widgets.store import ColumnStore, Mask, Rows
from tunetui_agent.messages import Value

RANK, RANK_TEXT = "rank", "#rank"
"""The rank as a number to sort by, and as it is written ("1="); the second is nobody's figure."""
PROBLEM_TEXT = "#problem"
HIDDEN = "#"
"""Names that begin so are the table's own."""

_MANY = 256


class FigureTable:
    """A `ColumnStore` whose columns are figures."""

    def __init__(self, numbers: Iterable[str] = (), texts: Iterable[str] = ()) -> None:
        self.texts = {RANK_TEXT, PROBLEM_TEXT, "implementation", "status", *texts}
        self.numbers = {RANK, MEDIAN, INTERVAL, *numbers} - self.texts
        self.switches: set[str] = set()
        """Figures that are true or false."""
        self.store = ColumnStore(sorted(self.numbers), sorted(self.texts))

    @property
    def names(self) -> list[str]:
        """Every figure that some row has or had, its own names left out."""
        return sorted(name for name in self.texts | self.numbers if not name.startswith(HIDDEN))

    def put(self, rows: Mapping[str, Mapping[str, Value]]) -> bool:
        """Write rows by key; a figure that a row had and has no longer is not known any more.  True: new names came."""
        learnt = self._learn(rows.values())
        new = [key for key in rows if key not in self.store]
        if len(new) > _MANY:
            self._extend({key: rows[key] for key in new})
            fresh = set(new)
            rows = {key: figures for key, figures in rows.items() if key not in fresh}
        names = (self.numbers | self.texts) - {RANK, RANK_TEXT}
        for key, figures in rows.items():
            self.store.upsert(key, {name: self._stored(name, figures.get(name)) for name in names})
        return learnt

    def put_ranks(self, ranks: Mapping[str, str]) -> None:
        """Ranks as written ("1=") by key; a row that is not there has none."""
        known = np.flatnonzero(~np.isnan(self.store.numbers(RANK))).tolist()
        gone = {key for row in known if (key := self.store.key_of(row)) not in ranks}
        for key, text in {**dict.fromkeys(gone, ""), **ranks}.items():
            if key in self.store:
                number = float(text.rstrip("=*")) if text else None
                self.store.upsert(key, {RANK: number, RANK_TEXT: text or None})

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

    def _learn(self, rows: Iterable[Mapping[str, Value]]) -> bool:
        """Take in the names and kinds of new figures; whether there were any."""
        numbers, texts = set(self.numbers), set(self.texts)
        for figures in rows:
            for name, value in figures.items():
                if isinstance(value, str):
                    texts.add(name)
                elif name not in numbers:
                    numbers.add(name)
                    if isinstance(value, bool):
                        self.switches.add(name)
        numbers -= texts  # an axis may be a number for one implementation and text for another
        if (numbers, texts) == (self.numbers, self.texts):
            return False
        self.numbers, self.texts = numbers, texts
        self.store.add_columns(sorted(numbers), sorted(texts))
        return True

    def _extend(self, rows: Mapping[str, Mapping[str, Value]]) -> None:
        columns: dict[str, Sequence[float] | Sequence[str]] = {}
        for name in self.numbers - {RANK}:
            columns[name] = [
                float("nan") if (value := row.get(name)) is None else float(value) for row in rows.values()
            ]
        for name in self.texts - {RANK_TEXT}:
            columns[name] = ["" if (value := row.get(name)) is None else setting(value) for row in rows.values()]
        self.store.extend(list(rows), columns)

    def _stored(self, name: str, value: Value | None) -> float | str | None:
        if value is None:
            return None
        return setting(value) if name in self.texts else float(value)


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
