"""A table's data as columns: rows are named by a key, numbered for ever, and stamped when something in them changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tunetui.core.key_index import KeyList
from tunetui.core.repeated import Repeated
from tunetui.tui.widgets.store_columns import Floats, KeyColumn, Mask, NumberColumn, Rows, TextColumn

__all__ = ["ColumnStore", "Floats", "Mask", "Numbers", "Rows", "Texts", "Value"]

Value = float | str | None
Numbers = Sequence[float | None] | Floats | NDArray[np.int64] | Repeated
Texts = Sequence[str] | Repeated
"""Columns to be written: a value for each row."""

_FIRST_CAPACITY = 1024


class ColumnStore:
    """Columns of float64 (NaN: not known) and of text.  Rows are only ever added; a row's number never changes.

    ``revision`` grows with every row that really changes, and each row is stamped with the revision that changed it:
    any number of views can each ask what is new to them.
    """

    def __init__(
        self, numbers: Iterable[str], texts: Iterable[str] = (), *, keys: str = "", capacity: int = _FIRST_CAPACITY
    ) -> None:
        """``keys``: the name under which the rows' keys are a column of text as well."""
        self.count = 0
        self.revision = 0
        self.stamps = np.zeros(capacity, np.int64)
        self._numbers = {name: NumberColumn(capacity) for name in numbers}
        self._texts: dict[str, TextColumn] = {name: TextColumn(capacity) for name in texts}
        if shared := self._numbers.keys() & self._texts.keys():
            raise ValueError(f"both a number and a text: {', '.join(sorted(shared))}")
        self._row_of = KeyList()
        self._keys = KeyColumn(capacity, self._row_of)
        if keys:
            self._texts[keys] = self._keys

    # ------------------------------------------------------------------------------------------------ writing

    def upsert(self, key: str, values: Mapping[str, Value]) -> int:
        """Write ``values`` into the row of ``key``, which is added if new.  None: not known.  Returns its row.

        Raises:
            KeyError: a name that is no column.
        """
        row = self._row_of.get(key)
        changed = row is None
        if row is None:
            row = self._add(key)
        for name, value in values.items():
            column = self._numbers.get(name)
            if column is None:
                changed |= self._write_text(self._texts[name], row, value)
                continue
            changed |= column.set(row, float("nan") if value is None else float(value))
        if changed:
            self.revision += 1
            self.stamps[row] = self.revision
        return row

    def write(self, keys: Sequence[str], columns: Mapping[str, Numbers | Texts]) -> None:
        """As `upsert` of many rows, no key twice: ``columns`` holds one value per key; "" and None: not known.

        Costs some microseconds a column and little for each row.

        Raises:
            KeyError: a name that is no column.
        """
        first_new = self.count
        found = list(map(self._row_of.get, keys))
        self._reserve(first_new + found.count(None))
        rows = np.array([self._add(key) if row is None else row for key, row in zip(keys, found, strict=True)], np.intp)
        changed = rows >= first_new
        for name, values in columns.items():
            text = self._texts.get(name)
            if text is None:
                column = self._numbers[name]
                if isinstance(values, Repeated):
                    changed |= column.write_one(rows, np.nan if values.value is None else float(values.value))
                else:
                    changed |= column.write(rows, np.asarray(values, np.float64))
            elif text is not self._keys:
                changed |= text.write(rows, cast("Texts", values))
                text.forget_unused(self.count)
        if changed.any():
            self.revision += 1
            self.stamps[rows[changed]] = self.revision

    def extend(self, keys: Sequence[str], columns: Mapping[str, Sequence[float] | Sequence[str] | Floats]) -> None:
        """Add many new rows at once: ``columns`` holds one value per key; columns left out are not known.

        Raises:
            ValueError: a key is here already or comes twice, or a column has another length.
        """
        first = self.count
        if len(set(keys)) != len(keys) or (first and any(key in self._row_of for key in keys)):
            raise ValueError("a key comes twice")
        if wrong := [name for name, values in columns.items() if len(values) != len(keys)]:
            raise ValueError(f"not {len(keys)} values, one per key: {', '.join(wrong)}")
        self._reserve(first + len(keys))
        self.count += len(keys)
        self._row_of.reserve(len(keys))
        for key in keys:
            self._row_of.append(key)
        rows = np.arange(first, self.count)
        for name, values in columns.items():
            text = self._texts.get(name)
            if text is None:
                self._numbers[name].write(rows, np.asarray(values, np.float64))
            elif text is not self._keys:
                text.codes[first : self.count] = [text.code(str(value)) for value in values]
        self.revision += 1
        self.stamps[first : self.count] = self.revision

    def assign(self, name: str, rows: Rows, values: Floats) -> None:
        """Write one number column for many rows at once (a rank, say); only rows where it differs count as changed."""
        different = self._numbers[name].write(rows, values)
        if different.any():
            self.revision += 1
            self.stamps[rows[different]] = self.revision

    def add_columns(self, numbers: Iterable[str] = (), texts: Iterable[str] = ()) -> None:
        """Columns of which no row knows anything yet; those that are here already stay as they are.

        A number column asked for as text becomes one: its numbers are written out.
        """
        capacity = len(self.stamps)
        for name in texts:
            if name in self._texts:
                continue
            text = self._texts[name] = TextColumn(capacity)
            if (before := self._numbers.pop(name, None)) is not None:
                known = np.flatnonzero(~np.isnan(before.read(slice(self.count))))
                text.codes[known] = [text.code(f"{value:g}") for value in before.read(known).tolist()]
        for name in numbers:
            if name not in self._numbers and name not in self._texts:
                self._numbers[name] = NumberColumn(capacity)

    def _write_text(self, column: TextColumn, row: int, value: Value) -> bool:
        if column is self._keys:
            return False
        code = column.code("" if value is None else str(value))
        if column.codes[row] == code:
            return False
        column.codes[row] = code
        column.forget_unused(self.count)
        return True

    def _add(self, key: str) -> int:
        row = self.count
        self._reserve(row + 1)
        self.count += 1
        self._row_of.append(key)
        return row

    def _reserve(self, needed: int) -> None:
        if needed <= len(self.stamps):
            return
        capacity = len(self.stamps)
        more = max(needed - capacity, capacity // 8, _FIRST_CAPACITY)
        self.stamps = np.concatenate([self.stamps, np.zeros(more, np.int64)])
        for column in self._numbers.values():
            column.grow(capacity + more)
        for text in {self._keys, *self._texts.values()}:
            text.grow(capacity + more)

    # ------------------------------------------------------------------------------------------------ reading

    def __len__(self) -> int:
        return self.count

    def __contains__(self, key: str) -> bool:
        return key in self._row_of

    def row_of(self, key: str) -> int:
        """Raises KeyError where no row has this key."""
        row = self._row_of.get(key)
        if row is None:
            raise KeyError(key)
        return row

    def key_of(self, row: int) -> str:
        return self._row_of[row]

    def is_text(self, name: str) -> bool:
        return name in self._texts

    def number(self, name: str, row: int) -> float:
        """NaN: not known."""
        return float(self._numbers[name].read(row))

    def text(self, name: str, row: int) -> str:
        column = self._texts[name]
        return column.words[int(column.codes[row])]

    def numbers(self, name: str) -> Floats:
        """All rows of a number column; to be looked at, not written."""
        return self._numbers[name].read(slice(self.count))

    def changed_since(self, revision: int) -> Rows:
        """The rows that changed after ``revision``, ascending."""
        if revision >= self.revision:
            return np.empty(0, np.intp)
        return np.flatnonzero(self.stamps[: self.count] > revision)

    def sort_values(self, name: str, rows: Rows) -> Floats:
        """One number per row that orders like the column; NaN where nothing is known."""
        text = self._texts.get(name)
        if text is None:
            return self._numbers[name].read(rows)
        ranks: Floats = text.ranks()[text.codes[rows]]
        return ranks

    def is_known(self, name: str, rows: Rows) -> Mask:
        """Which of ``rows`` have a number, or a text that is not empty, in the column ``name``."""
        text = self._texts.get(name)
        known: Mask = self._numbers[name].is_known(rows) if text is None else text.codes[rows] > 0
        return known

    def distinct(self, name: str, rows: Rows) -> tuple[list[str], Rows]:
        """The texts that ``rows`` have in the column ``name``, sorted, and which of them each row has; -1: none."""
        text = self._texts[name]
        codes = text.codes[rows]
        here = np.flatnonzero(np.bincount(codes, minlength=len(text.words)))
        here = here[here > 0]
        here = here[np.argsort(text.ranks()[here])]
        places = np.full(len(text.words), -1, np.intp)
        places[here] = np.arange(len(here))
        return [text.words[code] for code in here.tolist()], places[codes]

    def distinct_numbers(self, name: str, rows: Rows) -> tuple[Floats, Rows]:
        """The numbers that ``rows`` have in the column ``name``, ascending, and which of them each row has; -1: none."""
        return self._numbers[name].distinct(rows)

    def containing(self, needle: str, rows: Rows) -> Mask:
        """Which of ``rows`` hold ``needle`` in any text column, without regard to case."""
        found = np.zeros(len(rows), np.bool_)
        for text in self._texts.values():
            found |= text.containing(needle)[text.codes[rows]]
        return found

    def words(self, name: str, rows: Rows) -> NDArray[np.str_]:
        """The texts of ``rows`` in a text column."""
        text = self._texts[name]
        words: NDArray[np.str_] = np.array(text.words)[text.codes[rows]]
        return words

    def equal_to(self, name: str, word: str, rows: Rows) -> Mask:
        """Which of ``rows`` have exactly ``word`` in the text column ``name``."""
        text = self._texts[name]
        found: Mask = text.codes[rows] == text.find(word)
        return found
