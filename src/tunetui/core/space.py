"""The configurations that axes and constraints allow, as columns: counted, listed, sampled, picked by number.

`tunetui.core.joining.build_space` makes a `Space`.  It is a product of components, each a group of axes that
constraints relate; so axes that no constraint relates cost nothing to count.

Order: the configurations are numbered 0 to valid - 1.  Components stand in the order of their first axis and
the last one runs fastest; inside a component rows are in the order of the joins.  The order is the same for the
same axes and constraints on every machine; it is not the lexicographic order of the axes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunetui.core.arithmetic import array_from
from tunetui.core.errors import InputError
from tunetui_agent.messages import Value

ROW_LIMIT = 50_000_000
"""No component and no listing gets larger; what is larger is refused before its memory is spent."""

Indices = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Exclusion:
    """How many combinations of all axes one constraint removed that none applied before it had removed."""

    constraint: str
    combinations: int


@dataclass(frozen=True)
class Component:
    """Axes that constraints relate, joined: one index column per axis, all of length ``rows``."""

    columns: dict[str, Indices]
    rows: int


@dataclass(frozen=True)
class Space:
    """The valid configurations of ``axes``; ``excluded`` (in the order given) and ``valid`` sum up to ``cartesian``."""

    axes: dict[str, list[Value]]
    components: tuple[Component, ...]
    cartesian: int
    excluded: tuple[Exclusion, ...]
    emptied_by: str | None = None
    """The constraint that removed the last configurations, where none is left."""

    @property
    def valid(self) -> int:
        """How many configurations there are."""
        return math.prod(component.rows for component in self.components)

    def __len__(self) -> int:
        return self.valid

    def __iter__(self) -> Iterator[dict[str, Value]]:
        for start in range(0, self.valid, 4096):
            yield from self.at(range(start, min(start + 4096, self.valid)))

    def require_some(self) -> None:
        """Raise InputError, naming the constraint, where no configuration is left."""
        if self.emptied_by is not None:
            raise InputError(
                f"no configuration is left: {self.emptied_by!r} excludes the last of {self.cartesian:,} combinations",
                hint="; ".join(f"{item.constraint!r} excludes {item.combinations:,}" for item in self.excluded),
            )

    def indices(self) -> dict[str, Indices]:
        """For each axis a column of ``valid`` positions in its list of values.

        Raises:
            InputError: more than `ROW_LIMIT` configurations.
        """
        if self.valid > ROW_LIMIT:
            raise too_many(f"{self.valid:,} configurations are too many to list")
        listed: dict[str, Indices] = {}
        outer, inner = 1, self.valid
        for component in self.components:
            inner //= max(component.rows, 1)
            for name, column in component.columns.items():
                listed[name] = np.tile(np.repeat(column, inner), outer)
            outer *= component.rows
        return {name: listed[name] for name in self.axes}

    def columns(self) -> dict[str, NDArray[Any]]:
        """For each axis a column of its ``valid`` values.  Raises as `indices`."""
        return {name: array_from(self.axes[name])[column] for name, column in self.indices().items()}

    def at(self, numbers: Sequence[int]) -> list[dict[str, Value]]:
        """The configurations with these numbers, as plain Python values."""
        rest = np.array(numbers, np.int64 if self.valid < 2**63 else object)
        picked: dict[str, list[Value]] = {}
        for component in reversed(self.components):
            rest, row = rest // component.rows, (rest % component.rows).astype(np.int64)
            for name, column in component.columns.items():
                values = self.axes[name]
                picked[name] = [values[index] for index in column[row].tolist()]
        rows = zip(*(picked[name] for name in self.axes), strict=True) if self.axes else iter([()] * len(numbers))
        return [dict(zip(self.axes, row, strict=True)) for row in rows]

    def sample(self, count: int, seed: int) -> list[dict[str, Value]]:
        """``count`` distinct configurations drawn uniformly, or all in random order if there are no more."""
        chooser = random.Random(seed)
        if count * 2 >= self.valid:
            numbers = list(range(self.valid))
            chooser.shuffle(numbers)
            return self.at(numbers[:count])
        drawn: dict[int, None] = {}
        while len(drawn) < count:
            drawn[chooser.randrange(self.valid)] = None
        return self.at(list(drawn))


@dataclass(frozen=True)
class Sample:
    """Distinct valid configurations drawn uniformly; ``complete`` is False if fewer than asked were found."""

    configurations: list[dict[str, Value]]
    asked: int
    draws: int
    cartesian: int

    @property
    def complete(self) -> bool:
        """Whether as many were found as were asked for."""
        return len(self.configurations) >= self.asked


class TooLargeError(InputError):
    """A space that would need more memory than it may have; a sample of it would not."""


def too_many(what: str) -> TooLargeError:
    """The refusal of a space beyond `ROW_LIMIT`."""
    return TooLargeError(
        f"{what} (the limit is {ROW_LIMIT:,})",
        hint="set budget.trials to measure a random sample, or tighten axes and constraints",
    )
