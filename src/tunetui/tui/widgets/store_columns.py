"""The columns of a store, each in as little memory as its values allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunetui.core.key_index import KeyList
from tunetui.core.repeated import Repeated

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

_SPARE_WORDS = 1024
_MOST_DISTINCT = 255
_FIRST_OF_MORE_BYTES = (1 << 8, 1 << 16)


class TextColumn:
    """Strings as codes into a list of the distinct ones, so that sorting and searching look at each of them once."""

    def __init__(self, capacity: int) -> None:
        self.codes: NDArray[Any] = np.zeros(capacity, np.uint8)
        """By row; of as few bytes as the number of words needs."""
        self.words = [""]
        self._code_of = {"": 0}
        self._ranks: Floats = np.full(1, np.nan)
        self._order = [0]

    def code(self, word: str) -> int:
        """The number that stands for ``word``."""
        code = self._code_of.get(word)
        if code is None:
            code = self._code_of[word] = len(self.words)
            self.words.append(word)
            if code in _FIRST_OF_MORE_BYTES and code > np.iinfo(self.codes.dtype).max:
                self.codes = self.codes.astype(np.uint16 if self.codes.dtype == np.uint8 else np.int32)
        return code

    def write(self, rows: Rows, words: Sequence[str] | Repeated) -> Mask:
        """Write one word per row; which of them differ from what stood there."""
        if isinstance(words, Repeated):
            code = self.code(str(words.value))
            return overwrite(self.codes, rows, code)
        known = {word: self.code(word) for word in dict.fromkeys(words)}
        codes = np.array([known[word] for word in words], self.codes.dtype)
        return overwrite(self.codes, rows, codes)

    def grow(self, capacity: int) -> None:
        """Make room for so many rows."""
        self.codes = np.concatenate([self.codes, np.zeros(capacity - len(self.codes), self.codes.dtype)])

    def find(self, word: str) -> int:
        """The number that stands for ``word``; -1 where no row ever had it."""
        return self._code_of.get(word, -1)

    def ranks(self) -> Floats:
        """By code: the place of each word in sorted order; NaN for the empty one, so that it sorts last both ways."""
        if len(self._order) < len(self.words):
            self._order += range(len(self._order), len(self.words))
            self._order.sort(key=self.words.__getitem__)  # nearly sorted already: cheap
            self._ranks = np.empty(len(self.words))
            self._ranks[self._order] = np.arange(len(self.words))
            self._ranks[0] = np.nan
        return self._ranks

    def containing(self, needle: str) -> Mask:
        """By code: whether the word holds ``needle``, without regard to case."""
        needle = needle.casefold()
        return np.fromiter((needle in word.casefold() for word in self.words), np.bool_, len(self.words))

    def forget_unused(self, count: int) -> None:
        """Drop words that none of the first ``count`` rows shows any more: text that keeps changing must not pile up."""
        if len(self.words) <= 2 * count + _SPARE_WORDS:
            return
        kept, codes = np.unique(self.codes[:count], return_inverse=True)
        words = [self.words[code] for code in kept.tolist()]
        if words[0] != "":  # code 0 is the empty word, and sorts first among codes
            words.insert(0, "")
            codes = codes + 1
        self.codes[:count] = codes
        self.words, self._code_of = words, {word: code for code, word in enumerate(words)}
        self._order, self._ranks = [0], np.full(1, np.nan)


class KeyColumn(TextColumn):
    """The rows' own keys as a column of text: each is here once, and its code is the row's number and one."""

    def __init__(self, capacity: int, keys: KeyList) -> None:
        super().__init__(capacity)
        self.codes = np.arange(1, capacity + 1, dtype=np.int32)
        self.words = _KeyWords(keys)  # type: ignore[assignment]  # which nobody writes to
        self._keys = keys

    def grow(self, capacity: int) -> None:
        self.codes = np.arange(1, capacity + 1, dtype=np.int32)

    def code(self, word: str) -> int:
        """Of a key that is here."""
        return self.find(word)

    def find(self, word: str) -> int:
        row = self._keys.get(word)
        return -1 if row is None else row + 1

    def containing(self, needle: str) -> Mask:
        needle = needle.casefold()
        written, ends = self._keys.written()
        if not needle or not written.isascii():
            return super().containing(needle)
        found = np.zeros(len(ends), np.bool_)
        sought, letters = needle.encode(), np.frombuffer(written.lower(), np.uint8)
        starts = np.flatnonzero(letters[: max(0, len(letters) - len(sought) + 1)] == sought[0])
        for place, letter in enumerate(sought[1:], 1):
            starts = starts[letters[starts + place] == letter]
        after = np.array(ends, np.intp)
        codes = np.searchsorted(after, starts, side="right")
        found[codes[starts + len(sought) <= after[codes]]] = (
            True  # what begins in one key and ends in the next is in neither
        )
        return found

    def forget_unused(self, count: int) -> None:
        """All are used."""


class _KeyWords(Sequence[str]):
    """Keys by their codes, the empty word first."""

    def __init__(self, keys: KeyList) -> None:
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys) + 1

    def __getitem__(self, code: int) -> str:  # type: ignore[override]  # nobody asks for slices
        return self._keys[code - 1] if code else ""


class NumberColumn:
    """Numbers, NaN where not known.  While few are distinct each row holds the place of its own in a list of these."""

    def __init__(self, capacity: int) -> None:
        self._plain: Floats | None = None
        self._codes: NDArray[np.uint8] = np.zeros(capacity, np.uint8)
        self._known: Floats = np.full(1, np.nan)
        """The distinct numbers by code."""
        self._code_of: dict[float, int] = {}
        self._order: NDArray[np.intp] = np.empty(0, np.intp)
        """Codes in the order of their numbers, NaN left out."""

    def read(self, rows: Rows | slice | int) -> Floats:
        """The numbers of these rows."""
        found: Floats = self._known[self._codes[rows]] if self._plain is None else self._plain[rows]
        return found

    def is_known(self, rows: Rows) -> Mask:
        """Which of these rows have a number."""
        known: Mask = self._codes[rows] > 0 if self._plain is None else ~np.isnan(self._plain[rows])
        return known

    def distinct(self, rows: Rows) -> tuple[Floats, Rows]:
        """The numbers of these rows, each once and ascending, and which of them each row has; -1: none."""
        if self._plain is not None:
            numbers = self._plain[rows]
            values = np.unique(numbers[~np.isnan(numbers)], return_counts=True)[0]  # without them it loads `numpy.ma`
            return values, np.where(np.isnan(numbers), -1, np.searchsorted(values, numbers))
        codes = self._codes[rows]
        here = self._order[np.bincount(codes, minlength=len(self._known))[self._order] > 0]
        places = np.full(len(self._known), -1, np.intp)
        places[here] = np.arange(len(here))
        return self._known[here], places[codes]

    def set(self, row: int, number: float) -> bool:
        """Write one; whether it was another before."""
        return bool(self.write(np.array([row], np.intp), np.array([number]))[0])

    def write(self, rows: Rows, values: Floats) -> Mask:
        """Write one value per row; which of them differ from what stood there (NaN from NaN does not)."""
        if self._plain is None:
            stays: Mask = self._known[self._codes[rows]] == values
            if stays.all():  # as settings do, whose rows are measured again
                return ~stays
            codes = self._codes_of(values)
            if codes is not None:
                different: Mask = self._codes[rows] != codes
                self._codes[rows] = codes
                return different
            self._plain = self._known[self._codes]
            self._codes = np.empty(0, np.uint8)
        return overwrite(self._plain, rows, values)

    def write_one(self, rows: Rows, value: float) -> Mask:
        """Write the same value into all of these rows."""
        code = None if self._plain is not None else 0 if value != value else self._code_of.get(value)  # noqa: PLR0124 (NaN)
        if code is not None:
            return overwrite(self._codes, rows, code)
        return self.write(rows, np.full(len(rows), value))

    def grow(self, capacity: int) -> None:
        """Make room for so many rows."""
        if self._plain is None:
            self._codes = np.concatenate([self._codes, np.zeros(capacity - len(self._codes), np.uint8)])
        else:
            self._plain = np.concatenate([self._plain, np.full(capacity - len(self._plain), np.nan)])

    def _codes_of(self, values: Floats) -> NDArray[np.uint8] | None:
        """A code for each; None: there would be too many."""
        codes = self._places(values)
        strange = (codes == 0) & (values == values)  # noqa: PLR0124 (NaN)
        if not strange.any():
            return codes
        new = np.array(sorted(set(values[strange].tolist())))
        if len(self._known) + len(new) > _MOST_DISTINCT + 1:
            return None
        self._code_of |= {number: len(self._known) + place for place, number in enumerate(new.tolist())}
        self._known = np.concatenate([self._known, new])
        self._order = np.argsort(self._known[1:]) + 1
        return self._places(values)

    def _places(self, values: Floats) -> NDArray[np.uint8]:
        """The code of each; 0 for what is not known, and for what has none yet."""
        if not len(self._order):
            return np.zeros(len(values), np.uint8)
        ordered = self._known[self._order]
        places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
        return np.where(ordered[places] == values, self._order[places], 0).astype(np.uint8)


def overwrite(column: NDArray[Any], rows: Rows, values: NDArray[Any] | int) -> Mask:
    """Write one value per row, or one into all; which of them differ from what stood there (NaN from NaN does not)."""
    before = column[rows]
    different: Mask = before != values
    if different.any():
        if column.dtype.kind == "f":
            different &= (before == before) | (values == values)  # noqa: PLR0124 (NaN)
        column[rows] = values
    return different
