"""A column whose rows all have one value, which is looked at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Value = str | int | float | bool


class Repeated(Sequence["Value | None"]):
    """``value`` as often as there are rows."""

    __slots__ = ("_count", "value")

    def __init__(self, value: Value | None, count: int) -> None:
        self.value, self._count = value, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> Value | None:  # type: ignore[override]  # nobody asks for slices
        if not 0 <= place < self._count:
            raise IndexError(place)
        return self.value

    def __iter__(self) -> Iterator[Value | None]:
        return iter([self.value] * self._count)

    def is_same(self, other: Repeated) -> bool:
        """Whether the other's rows have the very same value: 1 is neither 1.0 nor True."""
        return (type(self.value), self.value) == (type(other.value), other.value)
