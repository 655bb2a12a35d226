"""Builds a constrained space by joining axis after axis, and draws from one that is too large to build.

Constraints on one axis prune it first.  The others link axes into components; each component is joined one axis at
a time, as columns of small indices, and every constraint is applied as soon as all its names are bound, so that
what cannot become valid is never multiplied further.  A combination counts for the first constraint, in the order
of application, that removes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunetui.core.arithmetic import array_from
from tunetui.core.errors import InputError
from tunetui.core.expressions import Expression, parse
from tunetui.core.space import ROW_LIMIT, Component, Exclusion, Indices, Sample, Space, too_many
from tunetui_agent.messages import Value

CHUNK_CELLS = 1 << 18
"""Combinations looked at together in a join; bounds the memory that a join needs beside its result."""
PROBE_DRAWS = 100_000
MAX_DRAWS = 20_000_000


def build_space(
    axes: Mapping[str, Sequence[Value]], where: Sequence[str], fixed: Mapping[str, Value] | None = None
) -> Space:
    """Join ``axes`` under the constraints ``where``; ``fixed`` names (problem, device) are constants in them.

    Raises:
        ExpressionError: a constraint that cannot be read, or fails on a combination.
        InputError: an empty axis.
        TooLargeError: more than `ROW_LIMIT` rows, found by drawing before memory is spent where
            possible.
    """
    return _Builder(axes, where, fixed or {}).built()


def sample_space(
    axes: Mapping[str, Sequence[Value]],
    where: Sequence[str],
    fixed: Mapping[str, Value],
    count: int,
    seed: int,
) -> Sample:
    """``count`` distinct valid configurations of a space too large to build, by drawing and rejecting.

    Every valid configuration is equally likely.  Gives up after `MAX_DRAWS` draws with what it found.  Raises as
    `build_space`, except for the size.
    """
    builder = _Builder(axes, where, fixed)
    names, constraints = list(builder.axes), builder.prune()
    chooser = np.random.default_rng(seed)
    found: dict[bytes, None] = {}
    draws = 0
    possible = all(len(domain) for domain in builder.domains.values())
    while possible and len(found) < count and draws < MAX_DRAWS:
        draws += PROBE_DRAWS
        for row in builder.drawn(chooser, PROBE_DRAWS, names, constraints):
            found[row.tobytes()] = None
            if len(found) == count:
                break
    rows = (np.frombuffer(key, np.uint32).tolist() for key in found)
    configurations = [{name: builder.axes[name][at] for name, at in zip(names, row, strict=True)} for row in rows]
    return Sample(configurations, count, draws, builder.cartesian)


class _Builder:
    """One construction of a space: pruned domains first, then component after component."""

    def __init__(self, axes: Mapping[str, Sequence[Value]], where: Sequence[str], fixed: Mapping[str, Value]) -> None:
        self.axes = {name: list(values) for name, values in axes.items()}
        for name, values in self.axes.items():
            if not values:
                raise InputError(f"axis {name} has no values", hint="give it at least one value, or leave it out")
        self.cartesian = math.prod(len(values) for values in self.axes.values())
        self.constraints = list(dict.fromkeys(parse(text, {*self.axes, *fixed}) for text in where))
        single = {name: values[0] for name, values in self.axes.items() if len(values) == 1}
        self._constants: dict[str, Value] = {**fixed, **single}
        self._values = {name: array_from(values) for name, values in self.axes.items() if name not in single}
        self.domains: dict[str, Indices] = {
            name: np.arange(len(values), dtype=np.min_scalar_type(len(values) - 1))
            for name, values in self.axes.items()
        }
        self._excluded = dict.fromkeys(self.constraints, 0)
        self._emptied_by: str | None = None
        self._impossible = False  # a constraint that reads no axis is false
        self._elsewhere = 1  # combinations of everything outside the component being joined

    # ------------------------------------------------------------------------------------ building

    def built(self) -> Space:
        related = self.prune()
        groups = self._groups(related)
        sizes = [math.prod(len(self.domains[name]) for name in names) for names, _ in groups]
        for (names, constraints), size in zip(groups, sizes, strict=True):
            if size > ROW_LIMIT:
                self._refuse_if_likely_too_large(names, constraints, size)
        components: list[Component] = [Component({}, 0)] if self._impossible else []
        for number, (names, constraints) in enumerate(groups):
            self._elsewhere = math.prod(part.rows for part in components) * math.prod(sizes[number + 1 :])
            components.append(self._joined(names, constraints))
        return Space(
            axes=self.axes,
            components=tuple(components),
            cartesian=self.cartesian,
            excluded=tuple(Exclusion(constraint.text, number) for constraint, number in self._excluded.items()),
            emptied_by=self._emptied_by,
        )

    def prune(self) -> list[Expression]:
        """Apply the constraints that bind at most one axis to that axis; the others are returned."""
        related = []
        for constraint in self.constraints:
            free = self._free(constraint)
            if len(free) > 1:
                related.append(constraint)
                continue
            before = 0 if self._impossible else math.prod(len(domain) for domain in self.domains.values())
            if free:
                (name,) = free
                domain = self.domains[name]
                self.domains[name] = domain[self._mask(constraint, {name: self._values[name][domain]}, (len(domain),))]
            elif not constraint.holds(self._constants):
                self.domains = {name: domain[:0] for name, domain in self.domains.items()}
                self._impossible = True
            left = 0 if self._impossible else math.prod(len(domain) for domain in self.domains.values())
            self._count(constraint, before - left, before)
        return related

    def _free(self, constraint: Expression) -> list[str]:
        return [name for name in self.axes if name in constraint.names and name in self._values]

    def _count(self, constraint: Expression, removed: int, before: int) -> None:
        self._excluded[constraint] += removed
        if removed and removed == before:
            self._emptied_by = constraint.text

    def _mask(
        self, constraint: Expression, columns: dict[str, NDArray[Any]], shape: tuple[int, ...]
    ) -> NDArray[np.bool_]:
        constants = {name: self._constants[name] for name in constraint.names - columns.keys()}
        return constraint.mask({**constants, **{n: columns[n] for n in constraint.names & columns.keys()}}, shape)

    def _groups(self, related: list[Expression]) -> list[tuple[list[str], list[Expression]]]:
        """Axes that constraints connect, each group with its constraints, in the order of their first axis."""
        group_of = {name: {name} for name in self.axes}
        for constraint in related:
            merged = set().union(*(group_of[name] for name in self._free(constraint)))
            for name in merged:
                group_of[name] = merged
        groups, seen = [], set()
        for name in self.axes:
            if name not in seen:
                names = [other for other in self.axes if other in group_of[name]]
                seen.update(names)
                groups.append((names, [one for one in related if self._free(one)[0] in group_of[name]]))
        return groups

    def _joined(self, names: list[str], constraints: list[Expression]) -> Component:
        part = Component({}, 1)
        for name, ready in self._steps(names, constraints):
            rest = math.prod(len(self.domains[other]) for other in names if other not in part.columns and other != name)
            part = self._join(part, name, ready, rest * self._elsewhere)
        return Component({name: part.columns[name] for name in names}, part.rows)

    def _steps(self, names: list[str], constraints: list[Expression]) -> Iterator[tuple[str, list[Expression]]]:
        """The axes in the order of joining, each with the constraints that it completes.

        Next comes the constraint that needs the fewest new combinations, its smallest axis first.
        """
        bound: set[str] = set()
        waiting = list(constraints)
        while waiting:
            missing = [[name for name in self._free(one) if name not in bound] for one in waiting]
            cheapest = min(missing, key=lambda new: math.prod(len(self.domains[name]) for name in new))
            for name in sorted(cheapest, key=lambda name: len(self.domains[name])):
                bound.add(name)
                ready = [one for one in waiting if bound.issuperset(self._free(one))]
                waiting = [one for one in waiting if one not in ready]
                yield name, ready
        for name in names:
            if name not in bound:
                yield name, []

    def _join(self, part: Component, name: str, ready: list[Expression], rest: int) -> Component:
        """Every row of ``part`` with every value of the axis that the ``ready`` constraints allow.

        One row that a constraint removes here stands for ``rest`` combinations of all axes.
        """
        domain = self.domains[name]
        total = part.rows * len(domain)
        if not ready:
            if total > ROW_LIMIT:
                raise too_many(f"{total:,} of {self.cartesian:,} combinations have to be looked at")
            repeated = {column: np.repeat(data, len(domain)) for column, data in part.columns.items()}
            return Component({**repeated, name: np.tile(domain, part.rows)}, total)
        step = max(1, CHUNK_CELLS // max(len(domain), 1))
        pieces = {column: [data[:0]] for column, data in part.columns.items()} | {name: [domain[:0]]}
        rows, removed = 0, dict.fromkeys(ready, 0)
        for start in range(0, part.rows, step):
            chunk = {column: data[start : start + step] for column, data in part.columns.items()}
            row, chosen = np.nonzero(self._kept(chunk, min(step, part.rows - start), name, removed))
            rows += len(row)
            if rows > ROW_LIMIT:
                raise too_many(f"more than {ROW_LIMIT:,} of {self.cartesian:,} combinations have to be looked at")
            for column, data in chunk.items():
                pieces[column].append(data[row])
            pieces[name].append(domain[chosen])
        for constraint, number in removed.items():
            self._count(constraint, number * rest, total * rest)
            total -= number
        return Component({column: np.concatenate(pieces.pop(column)) for column in list(pieces)}, rows)

    def _kept(
        self, chunk: dict[str, Indices], rows: int, name: str, removed: dict[Expression, int]
    ) -> NDArray[np.bool_]:
        """Which of ``rows`` x values of the axis pass; ``removed`` is raised, for each constraint in turn."""
        domain = self.domains[name]
        needed = {other for constraint in removed for other in constraint.names}
        columns = {
            other: self._values[other][chunk[other]][:, None]
            for other in chunk
            if other in needed & self._values.keys()
        }
        columns[name] = self._values[name][domain][None, :]
        kept = np.ones((rows, len(domain)), np.bool_)
        before = kept.size
        for constraint in removed:
            kept &= self._mask(constraint, columns, kept.shape)
            after = int(np.count_nonzero(kept))
            removed[constraint] += before - after
            before = after
        return kept

    # ------------------------------------------------------------------------------------- drawing

    def _refuse_if_likely_too_large(self, names: list[str], constraints: list[Expression], size: int) -> None:
        """Refuse a component that random draws show to be far beyond the limit, before any memory goes into it."""
        hits = len(self.drawn(np.random.default_rng(0), PROBE_DRAWS, names, constraints))
        if hits >= PROBE_DRAWS // 1000 and size * hits // PROBE_DRAWS > 2 * ROW_LIMIT:
            raise too_many(f"about {size * hits // PROBE_DRAWS:,} of {self.cartesian:,} combinations are valid")

    def drawn(
        self, chooser: np.random.Generator, draws: int, names: list[str], constraints: list[Expression]
    ) -> NDArray[np.uint32]:
        """Positions in the axes ``names``, one row for each of ``draws`` random combinations that passes."""
        picks = {name: self.domains[name][chooser.integers(len(self.domains[name]), size=draws)] for name in names}
        kept = np.ones(draws, np.bool_)
        columns = {name: self._values[name][pick] for name, pick in picks.items() if name in self._values}
        for constraint in constraints:
            kept &= self._mask(constraint, columns, (draws,))
        return np.stack([pick[kept].astype(np.uint32) for pick in picks.values()], axis=1)
