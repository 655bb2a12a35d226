"""What of a grid applies to an implementation: the problems it is run on, the constraints that speak for it."""

from __future__ import annotations

import itertools

from tunetui.core.definitions import Grid, ImplementationDefinition, Kernel, chosen_axes, chosen_problem
from tunetui.core.expressions import parse
from tunetui_agent.messages import Value


def problems_of(grid: Grid, kernel: Kernel) -> list[dict[str, Value]]:
    """Every combination of the problem fields' values, the kernel's first field outermost."""
    fields = chosen_problem(grid, kernel)
    return [dict(zip(fields, values, strict=True)) for values in itertools.product(*fields.values())]


def constraints_of(grid: Grid, kernel: Kernel, name: str, definition: ImplementationDefinition) -> list[str]:
    """The kernel's, the implementation's and the grid's; not those that read an axis that only others have."""
    foreign = {axis for kinds in kernel.implementations.values() for own in kinds.values() for axis in own.axes}
    foreign -= chosen_axes(grid, name, definition).keys()
    texts = [*kernel.where, *definition.where, *grid.where]
    return [text for text in texts if not parse(text).names & foreign]


def without_device(constraints: list[str]) -> list[str]:
    """Those that can be told without a device; the others would exclude more."""
    return [text for text in constraints if not any(name.startswith("device_") for name in parse(text).names)]
