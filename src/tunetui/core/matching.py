"""A grid against its kernel: do they fit, on which kind of device, and the grid with that filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import ceil, log

import msgspec

from tunetui.core.definitions import DEVICE_KINDS, Grid, ImplementationDefinition, Kernel, chosen_implementations
from tunetui.core.kernel_decoding import misfit
from tunetui.core.kernel_names import check_names, check_text_values
from tunetui.core.mistakes import Mistake, Mistakes, Path, describe, one_of, type_name, unknown
from tunetui.core.targeting import QUALITY_PREFIX, RELIABILITY_METRICS, target_metrics
from tunetui_agent.messages import Method, Value

_TAILS = {"latency_ms.p5": 0.05, "latency_ms.p95": 0.05, "latency_ms.p99": 0.01}
"""What lies beyond a percentile."""


def check_grid_against_kernel(grid: Grid, kernel: Kernel) -> list[Mistake]:
    """Everything in the grid that its kernel does not know or does not allow; empty where they fit."""
    mistakes = Mistakes("")
    _check_implementations(grid, kernel, mistakes)
    if not mistakes.found:  # what the axes should be is clear only then
        _check_axes_and_where(grid, kernel, mistakes)
    for key, given in grid.problem.items():
        _check_problem(key, given, kernel, mistakes)
    metrics = target_metrics(kernel.metrics)
    for metric in grid.targets:
        if metric not in metrics and not metric.startswith(QUALITY_PREFIX):
            mistakes.add(("targets", metric), f"expected a metric, found {unknown('metric', metric, metrics)}")
        if metric in RELIABILITY_METRICS and not grid.reliability.seconds:
            mistakes.add(("targets", metric), "expected [reliability] minutes or seconds beside it, found none: only a run "
                                              "under load measures this")  # fmt: skip
    return mistakes.found


def resolve_grid(grid: Grid, kernel: Kernel) -> Grid:
    """The grid with its device and implementations filled in, and ints made floats where the kernel has floats.

    Only for a grid that `check_grid_against_kernel` found nothing wrong with.
    """
    device = shared_kinds(grid, kernel)[0]
    chosen = chosen_implementations(grid, kernel, device)
    axes = {axis: values for own in chosen.values() for axis, values in own.axes.items()}
    problem = {key: [kernel.problem[key].default] for key in grid.problem}
    return msgspec.structs.replace(
        grid,
        device=device,
        implementations=list(chosen),
        axes=_like(grid.axes, axes),
        implementation_axes={
            name: _like(own, chosen[name].axes) for name, own in grid.implementation_axes.items() if name in chosen
        },
        problem=_like(grid.problem, problem),
        method=_judgeable(grid),
    )


def _judgeable(grid: Grid) -> Method:
    """The method with enough samples, within its ``max_samples``, for an interval of every percentile that a target names."""
    shares = [0.5, *(_TAILS[metric] for metric in grid.targets if metric in _TAILS)]
    tail = (1.0 - grid.method.confidence_percent / 100.0) / 2.0
    needed = max(ceil(log(tail) / log(1.0 - share)) for share in shares)
    return replace(grid.method, min_samples=max(grid.method.min_samples, min(needed, grid.method.max_samples)))


def shared_kinds(grid: Grid, kernel: Kernel) -> list[str]:
    """The device kinds that every chosen implementation has; with a device given, at most that one."""
    wanted = DEVICE_KINDS if grid.device is None else (grid.device,)
    if grid.implementations is None:
        return [kind for kind in wanted if chosen_implementations(grid, kernel, kind)]
    known = [kernel.implementations[name] for name in grid.implementations if name in kernel.implementations]
    return [kind for kind in wanted if known and all(kind in kinds for kinds in known)]


def _check_axes_and_where(grid: Grid, kernel: Kernel, mistakes: Mistakes) -> None:
    kind = shared_kinds(grid, kernel)[0]
    chosen = chosen_implementations(grid, kernel, kind)
    axes = {axis: values for own in chosen.values() for axis, values in own.axes.items()}
    for axis, given in grid.axes.items():
        _check_axis(axis, given, axes, ("axes", axis), mistakes, _elsewhere(kernel, axis, chosen))
        for own in chosen.values():
            check_text_values(own.language, own.parameters, axis, given, ("axes", axis), mistakes)
    # The axes of an implementation that `--set implementations=...` left out for once must still be right.
    all_here = {name: kinds[kind] for name, kinds in kernel.implementations.items() if kind in kinds}
    for name, own_axes in grid.implementation_axes.items():
        _check_own_axes(name, own_axes, chosen if name in chosen else all_here, mistakes)
    for position, text in enumerate(grid.where):
        check_names(text, {*kernel.problem, *axes}, ("constraints", "where", position), mistakes)


def _check_implementations(grid: Grid, kernel: Kernel, mistakes: Mistakes) -> None:
    names = list(kernel.implementations) if grid.implementations is None else grid.implementations
    for position, name in enumerate(names):
        if name not in kernel.implementations:
            found = unknown("implementation", name, kernel.implementations)
            mistakes.add(("implementations", position), f"expected one of kernel {kernel.name}, found {found}")
    known = {name: kernel.implementations[name] for name in names if name in kernel.implementations}
    kinds = shared_kinds(grid, kernel)
    if len(kinds) > 1:
        who = f"kernel {kernel.name} has" if grid.implementations is None else f"{_list(known)} has"
        mistakes.add(("device",), f"expected {one_of(kinds)}, found nothing: {who} implementations for both")
    elif not kinds and grid.device is not None and known:
        lacking = [name for name, own in known.items() if grid.device not in own]
        mistakes.add(("device",), f"expected a device that the implementations have, found {describe(grid.device)}: "
                                  f"{_list(lacking)} cannot run there")  # fmt: skip
    elif not kinds and known:
        runs = "; ".join(f"{name}: {', '.join(own)}" for name, own in known.items())
        mistakes.add(("implementations",), f"expected implementations for one kind of device, found {runs}")


def _check_own_axes(
    name: str, axes: Mapping[str, list[Value]], chosen: Mapping[str, ImplementationDefinition], mistakes: Mistakes
) -> None:
    own = chosen.get(name)
    if own is None:
        found = unknown("axis or implementation", name, [*chosen, *(a for o in chosen.values() for a in o.axes)])
        mistakes.add(("axes", name), f"expected a range, or the axes of a chosen implementation; found {found}")
        return
    for axis, given in axes.items():
        _check_axis(axis, given, own.axes, ("axes", name, axis), mistakes, "")
        check_text_values(own.language, own.parameters, axis, given, ("axes", name, axis), mistakes)


def _check_axis(
    axis: str, given: list[Value], known: Mapping[str, list[Value]], path: Path, mistakes: Mistakes, elsewhere: str
) -> None:
    if axis not in known:
        found = elsewhere or unknown("axis", axis, known)
        mistakes.add(path, f"expected an axis that a chosen implementation declares, found {found}")
        return
    kind = type_name(known[axis][0])
    for position, value in enumerate(given):
        if type_name(value) not in (kind, "int" if kind == "float" else kind):
            mistakes.add((*path, position), f"expected {kind} like the kernel's own values, found {describe(value)}")


def _elsewhere(kernel: Kernel, axis: str, chosen: Mapping[str, ImplementationDefinition]) -> str:
    """Who else declares the axis, for an axis that no chosen implementation does."""
    others = [
        f"{name} ({kind})"
        for name, kinds in kernel.implementations.items()
        for kind, own in kinds.items()
        if axis in own.axes and chosen.get(name) is not own
    ]
    return f"one that only {_list(others)} declares, which is not chosen" if others else ""


def _check_problem(key: str, given: list[Value], kernel: Kernel, mistakes: Mistakes) -> None:
    field = kernel.problem.get(key)
    if field is None:
        found = unknown("problem field", key, kernel.problem)
        mistakes.add(("problem", key), f"expected a problem field of kernel {kernel.name}, found {found}")
        return
    for position, value in enumerate(given):
        expected = misfit(value, field)
        if expected:
            place: Path = ("problem", key) if len(given) == 1 else ("problem", key, position)
            mistakes.add(place, f"expected {expected}, found {describe(value)}")


def _like(given: Mapping[str, list[Value]], known: Mapping[str, list[Value]]) -> dict[str, list[Value]]:
    return {
        key: [float(value) for value in values] if isinstance(known[key][0], float) else values
        for key, values in given.items()
    }


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
