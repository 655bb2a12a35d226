"""Every different build that a grid can need on any device of an architecture, worked out without a device."""

from __future__ import annotations

from tunetui.core.applying import constraints_of, problems_of, without_device
from tunetui.core.definitions import Grid, ImplementationDefinition, Kernel, chosen_axes, chosen_implementations
from tunetui.core.errors import InputError
from tunetui.core.identity import trial_id
from tunetui.core.joining import build_space
from tunetui.core.space import TooLargeError
from tunetui_agent.messages import Trial, Value

MAX_VARIANTS = 100_000
"""Of one architecture; at a tenth of a second each that would be hours of compiling already."""


def make_variants(grid: Grid, kernel: Kernel, names: list[str] | None = None) -> list[Trial]:
    """One trial for each different build of the grid's GPU implementations that are compiled (``names``: of these only).

    Trials that differ in nothing that is fixed at build time share an artifact: the first of them stands for all.  What
    only a device can tell, ``device_<attribute>`` in a constraint, excludes nothing here, so that a superset of what any
    device measures is built.  Shapes, scalars and geometry stay empty: no builder reads them.

    Raises:
        InputError: nothing to build, an implementation that is not the grid's, too many variants.
    """
    chosen = _compiled(grid, kernel, names)
    found: dict[tuple[str, tuple[Value, ...]], Trial] = {}
    for problem in problems_of(grid, kernel):
        for name, definition in chosen.items():
            for configuration in _configurations(grid, kernel, name, definition, problem):
                known = {**problem, **configuration}
                key = (name, tuple(known[parameter] for parameter in definition.parameters))
                if key not in found:
                    found[key] = _trial(name, problem, configuration)
            if len(found) > MAX_VARIANTS:
                raise InputError(
                    f"over {MAX_VARIANTS:,} variants are too many to build ahead",
                    hint="tighten the axes and constraints, for example with --set axes.NAME=...",
                )
    if not found:
        raise InputError("the constraints leave no configuration to build", hint="loosen them, or widen the axes")
    return sorted(found.values(), key=lambda trial: list(chosen).index(trial.implementation))


def _compiled(grid: Grid, kernel: Kernel, names: list[str] | None) -> dict[str, ImplementationDefinition]:
    chosen = chosen_implementations(grid, kernel, "gpu")
    for name in names or []:
        if name not in chosen:
            known = ", ".join(chosen) or "none"
            raise InputError(f"{name!r} is no GPU implementation of this grid", hint=f"it has: {known}")
    compiled = {
        name: definition
        for name, definition in chosen.items()
        if definition.language != "python" and name in (names or chosen)
    }
    if not compiled:
        raise InputError(
            f"kernel {kernel.name} has no GPU implementation that is compiled among those chosen",
            hint="only kernels for GPUs are built ahead of a run",
        )
    return compiled


def _configurations(
    grid: Grid, kernel: Kernel, name: str, definition: ImplementationDefinition, problem: dict[str, Value]
) -> list[dict[str, Value]]:
    where = without_device(constraints_of(grid, kernel, name, definition))
    try:
        return list(build_space(chosen_axes(grid, name, definition), where, problem))
    except TooLargeError as error:
        raise InputError(
            f"{name}: {error.message}", hint="only spaces that are measured whole can be built ahead"
        ) from None


def _trial(name: str, problem: dict[str, Value], configuration: dict[str, Value]) -> Trial:
    return Trial(
        id=trial_id(name, problem, configuration),
        implementation=name,
        problem=problem,
        configuration=configuration,
        provenance="",
    )
