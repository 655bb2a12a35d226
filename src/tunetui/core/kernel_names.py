"""Every name that a kernel file uses must mean something: in expressions, arguments and build parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tunetui.core.definitions import ImplementationDefinition, Kernel
from tunetui.core.errors import ExpressionError
from tunetui.core.expressions import parse
from tunetui.core.mistakes import Mistakes, Path, describe, literal, unknown
from tunetui_agent.messages import Value

_MACRO = re.compile(r"[A-Za-z0-9_]+")


def check_names(text: str, known: Iterable[str], path: Path, mistakes: Mistakes, whose: str = "name") -> None:
    """Report names of an expression that are neither ``known`` nor of the device."""
    try:
        names = parse(text).names
    except ExpressionError:
        return  # reported where it was read
    scope = sorted(known)
    for name in sorted(names):
        if name not in scope and not name.startswith("device_"):
            mistakes.add(path, f"expected names that are known here, found {unknown(whose, name, scope)}")


def check_text_values(
    language: str, parameters: Iterable[str], axis: str, values: Iterable[Value], path: Path, mistakes: Mistakes
) -> None:
    """Report str values that cannot be written into generated code."""
    if language == "python" or axis not in parameters:
        return
    for position, value in enumerate(values):
        if isinstance(value, str) and not _MACRO.fullmatch(value):
            mistakes.add((*path, position), f"expected letters, digits and _ only, as {language} builds with it, "
                                            f"found {describe(value)}")  # fmt: skip


CEILINGS = ("ceiling_copy_gb_per_s", "ceiling_read_gb_per_s", "ceiling_matmul_tflop_per_s")
"""What metrics may read of what a device was measured to reach at most; where a device lacks one, the metric is n/a."""


ENERGY = "energy_mj"
"""Of one execution; metrics that read it are n/a for rows whose energy was not measured."""


def check_kernel_names(kernel: Kernel, mistakes: Mistakes) -> None:
    """Report unknown names, and names that mean two things."""
    definitions = {
        ("implementations", name, kind): definition
        for name, kinds in kernel.implementations.items()
        for kind, definition in kinds.items()
    }
    every_axis = {axis for definition in definitions.values() for axis in definition.axes}
    for position, text in enumerate(kernel.where):
        check_names(text, {*kernel.problem, *every_axis}, ("constraints", "where", position), mistakes)
    for name, text in kernel.metrics.items():
        check_names(text, {*kernel.problem, *every_axis, "seconds", ENERGY, *CEILINGS}, ("metrics", name), mistakes)
    _check_dtypes(kernel, mistakes)
    for path, definition in definitions.items():
        _check_implementation(kernel, definition, path, mistakes)


def _check_implementation(kernel: Kernel, own: ImplementationDefinition, path: Path, mistakes: Mistakes) -> None:
    for axis, values in own.axes.items():
        if axis in kernel.problem:
            mistakes.add((*path, "axes", axis), f"expected another name: {literal(axis)} is a problem field")
        check_text_values(own.language, own.parameters, axis, values, (*path, "axes", axis), mistakes)
    scope = {*kernel.problem, *own.axes}
    for position, name in enumerate(own.parameters):
        if name not in scope:
            mistakes.add((*path, "parameters", position), unknown("axis or problem field", name, sorted(scope)))
        elif name in kernel.problem and kernel.problem[name].type == "str" and own.language != "python":
            choices = kernel.problem[name].choices
            if choices is None:  # any text at all could reach generated code
                mistakes.add(("problem", name), f"expected choices, as {own.language} builds with it, found none")
            check_text_values(own.language, own.parameters, name, choices or [], ("problem", name, "choices"), mistakes)
    for position, text in enumerate(own.where):
        check_names(text, scope, (*path, "where", position), mistakes)
    plain = path[-1] == "cpu" or own.language == "python"
    for number, launch in enumerate(own.launches):
        place = path if plain else (*path, "launches", number)
        for position, name in enumerate(launch.arguments):
            _check_argument(kernel, name, scope, (*place, "arguments", position), mistakes)
        for key, texts in (("grid", launch.grid), ("block", launch.block)):
            for position, text in enumerate(texts):
                check_names(text, scope, (*place, key, position), mistakes)
        check_names(launch.shared_bytes, scope, (*place, "shared_bytes"), mistakes)


def _check_argument(kernel: Kernel, name: str, scope: set[str], path: Path, mistakes: Mistakes) -> None:
    """An argument must exist, and what its size depends on must be known to the implementation that takes it."""
    argument = kernel.arguments.get(name)
    if argument is None:
        mistakes.add(path, unknown("argument", name, kernel.arguments))
        return
    where = ".".join(str(part) for part in path[1:3])
    names = {f"shape[{position}]": text for position, text in enumerate(argument.shape)}
    for key, text in (names | ({"value": argument.value} if argument.value else {})).items():
        place: Path = ("arguments", name, *_split(key))
        check_names(text, scope, place, mistakes, f"name for {where}:")


def _split(key: str) -> Path:
    name, bracket, position = key.rstrip("]").partition("[")
    return (name, int(position)) if bracket else (name,)


def _check_dtypes(kernel: Kernel, mistakes: Mistakes) -> None:
    """A dtype table must have exactly the values of the problem's ``dtype``."""
    field = kernel.problem.get("dtype")
    choices = [str(choice) for choice in (field.choices or [field.default])] if field else []
    for name, argument in kernel.arguments.items():
        if isinstance(argument.dtype, str):
            continue
        path: Path = ("arguments", name, "dtype")
        for key in argument.dtype:
            if key not in choices:
                mistakes.add((*path, key), unknown("value of the problem's dtype", key, choices))
        absent = [choice for choice in choices if choice not in argument.dtype]
        if absent:
            mistakes.add(path, f"expected every value of the problem's dtype, found no {literal(absent[0])}")
