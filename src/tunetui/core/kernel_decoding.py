"""A kernel file's text made into a `Kernel`; all mistakes are told at once."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any

from tunetui.core.axis_values import read_values
from tunetui.core.decoding import check_expression, read_where
from tunetui.core.definitions import (
    ARGUMENT_ROLES,
    DEVICE_KINDS,
    LANGUAGES,
    ArgumentDefinition,
    ImplementationDefinition,
    Kernel,
    LaunchDefinition,
    ProblemField,
)
from tunetui.core.kernel_names import check_kernel_names
from tunetui.core.mistakes import Mistakes, describe, literal, one_of, unknown
from tunetui.core.tables import Table, is_scalar, parse_toml
from tunetui_agent.messages import Value

DTYPES = (
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
)  # fmt: skip
TYPES: dict[str, type[Value]] = {"int": int, "float": float, "bool": bool, "str": str}
LANGUAGES_OF = {"cpu": ("python", "mojo"), "gpu": ("cuda", "mojo", "python")}
MAX_DIMENSIONS = 3  # of a launch's grid and block

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TAKEN = ("seconds", "min", "max", "abs", "ceildiv")  # names that expressions give a meaning of their own


def decode_kernel(text: str, source: str, files: Mapping[str, str]) -> Kernel:
    """A kernel from its TOML text and the other files of its folder (relative name -> text).

    Raises:
        InputError: every mistake, one a line: file, key path, expected, found.
    """
    mistakes = Mistakes(source)
    table = Table(parse_toml(text, source), (), mistakes)
    kernel = Kernel(
        name=_named(table, "name"),
        summary=table.text("summary", "", empty=True),
        reference=_file(table, "reference", files, "reference.py"),
        files=dict(files),
        problem={name: _read_field(part) for name, part in _variables(table.table("problem"))},
        where=read_where(table),
        arguments={name: _read_argument(part) for name, part in _variables(table.table("arguments"))},
        metrics=_read_metrics(table.table("metrics")),
        implementations=_read_implementations(table, files),
    )
    table.finish()
    check_kernel_names(kernel, mistakes)
    mistakes.raise_if_any()
    return kernel


def _named(table: Table, key: str) -> str:
    name = table.text(key)
    if name and not _NAME.fullmatch(name):
        table.wrong(key, 'letters, digits, "_" and "-", at most 64')
    return name


def _file(table: Table, key: str, files: Mapping[str, str], default: str | None = None) -> str:
    name = table.text(key, default)
    if name and name not in files:
        found = unknown("file", name, files)
        table.mistakes.add((*table.path, key), f"expected a file of the kernel's folder, found {found}")
    return name


def _variables(table: Table) -> list[tuple[str, Table]]:
    """Tables whose keys are names in expressions."""
    for key in table.names():
        check_variable(key, table)
    return list(table.tables())


def check_variable(key: str, table: Table) -> None:
    """Report a name that expressions could not use."""
    if not _VARIABLE.fullmatch(key) or keyword.iskeyword(key):
        table.mistakes.add((*table.path, key), "expected a name of letters, digits and _, usable in expressions")
    elif key in _TAKEN or key.startswith("device_"):
        table.mistakes.add((*table.path, key), f"expected another name: expressions already know {literal(key)}")


def _read_field(table: Table) -> ProblemField:
    kind = table.text("type", choices=list(TYPES))
    limits = {key: _read_limit(table, key, kind) for key in ("min", "max")}
    choices = table.take("choices")
    if choices is not None:
        choices = read_values(choices, (*table.path, "choices"), table.mistakes) or None
    default = table.take("default")
    field = ProblemField(
        type=kind,
        default=float(default) if kind == "float" and fits_type(default, kind) else default,
        min=limits["min"],
        max=limits["max"],
        choices=choices,
        summary=table.text("summary", "", empty=True),
    )
    problem = misfit(default, field) if kind else None
    if problem:
        table.wrong("default", problem)
    table.finish()
    return field


def _read_limit(table: Table, key: str, kind: str) -> int | float | None:
    if kind in ("int", "float"):
        limit: int | float | None = table.number(key, whole=kind == "int")
        return limit
    if table.take(key) is not None and kind:
        table.wrong(key, "no limit: only int and float have one")
    return None


def fits_type(value: Any, kind: str) -> bool:
    """Whether a value can be a problem field of this type; an int is a float too, a bool is only a bool."""
    return is_scalar(value) and (type(value) is TYPES.get(kind) or (kind == "float" and type(value) is int))


def misfit(value: Any, field: ProblemField) -> str | None:
    """What a problem field expects, where ``value`` is not that; None where it fits."""
    if not fits_type(value, field.type):
        return field.type
    if field.choices is not None and value not in field.choices:
        return one_of(field.choices)
    below = field.min is not None and value < field.min
    above = field.max is not None and value > field.max
    if below or above:
        limits = {">=": field.min, "<=": field.max}
        return f"{field.type} {' and '.join(f'{sign} {limit}' for sign, limit in limits.items() if limit is not None)}"
    return None


def _read_argument(table: Table) -> ArgumentDefinition:
    role = table.text("role", choices=ARGUMENT_ROLES)
    argument = ArgumentDefinition(
        role=role,
        dtype=_read_dtype(table),
        shape=read_expressions(table, "shape") if role != "scalar" else [],
        value=read_expression(table, "value") if role == "scalar" else "",
    )
    table.finish()
    return argument


def _read_dtype(table: Table) -> str | dict[str, str]:
    value = table.take("dtype")
    if not isinstance(value, dict):
        return table.text("dtype", choices=DTYPES)
    inner = table.table("dtype")
    names = {key: inner.text(key, choices=DTYPES) for key in value}
    if not names:
        table.wrong("dtype", "one dtype name for each value of the problem's dtype")
    return names


def read_expression(table: Table, key: str, default: str | None = None) -> str:
    """An expression as text, or a number for short."""
    value = table.take(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = table.text(key, default)
    if text:
        check_expression(text, (*table.path, key), table.mistakes)
    return text


def read_expressions(table: Table, key: str, at_most: int | None = None) -> list[str]:
    """A list of expressions, each as text or as an int for short."""
    value = table.take(key)
    if not isinstance(value, list) or not value or (at_most is not None and len(value) > at_most):
        table.wrong(key, f"a list of 1 to {at_most} expressions" if at_most else "a list of expressions")
        return []
    expressions = []
    for position, item in enumerate(value):
        path = (*table.path, key, position)
        if isinstance(item, str) and item.strip():
            check_expression(item, path, table.mistakes)
        elif not isinstance(item, int) or isinstance(item, bool):
            table.mistakes.add(path, f"expected an expression or an int, found {describe(item)}")
        expressions.append(str(item))
    return expressions


def _read_metrics(table: Table) -> dict[str, str]:
    for key in table.names():
        check_variable(key, table)
    return {key: read_expression(table, key) for key in table.names()}


def _read_implementations(table: Table, files: Mapping[str, str]) -> dict[str, dict[str, ImplementationDefinition]]:
    implementations: dict[str, dict[str, ImplementationDefinition]] = {}
    for name, kinds in table.table("implementations").tables():
        if not _NAME.fullmatch(name):
            table.mistakes.add(kinds.path, 'expected a name of letters, digits, "_" and "-", at most 64')
        implementations[name] = {
            kind: _read_implementation(kinds.table(kind), kind, files) for kind in DEVICE_KINDS if kind in kinds
        }
        for kind in DEVICE_KINDS:
            kinds.take(kind)
        if not implementations[name]:
            table.mistakes.add(kinds.path, f"expected a table for {one_of(DEVICE_KINDS)}, found neither")
        kinds.finish()
    if not implementations:
        table.wrong("implementations", "at least one implementation")
    return implementations


def _read_implementation(table: Table, kind: str, files: Mapping[str, str]) -> ImplementationDefinition:
    language = table.text("language", choices=[name for name in LANGUAGES if name in LANGUAGES_OF[kind]])
    axes = table.table("axes")
    definition = ImplementationDefinition(
        language=language,
        source=_file(table, "source", files),
        launches=_read_launches(table, plain=kind == "cpu" or language == "python"),
        parameters=table.texts("parameters") or [],
        options=table.texts("options") or [],
        where=_read_own_where(table),
        axes={key: read_values(value, (*axes.path, key), table.mistakes) for key, value in axes.items()},
        requires=_read_modules(table),
        baseline=table.flag("baseline", False),
    )
    for key in definition.axes:
        check_variable(key, axes)
    table.finish()
    return definition


def _read_modules(table: Table) -> list[str]:
    """Top-level modules: to look for ``a.b`` would run ``a``."""
    names = table.texts("requires") or []
    for position, name in enumerate(names):
        if name and not _VARIABLE.fullmatch(name):
            table.mistakes.add((*table.path, "requires", position), f"expected a Python module, found {describe(name)}")
    return names


def _read_own_where(table: Table) -> list[str]:
    where = table.texts("where") or []
    for position, text in enumerate(where):
        check_expression(text, (*table.path, "where", position), table.mistakes)
    return where


def _read_launches(table: Table, *, plain: bool) -> list[LaunchDefinition]:
    """One call without a geometry where ``plain``: on a CPU, and of Python anywhere."""
    if plain:
        return [LaunchDefinition(entry=_read_entry(table), arguments=table.texts("arguments") or [])]
    launches = table.take("launches")
    if not isinstance(launches, list) or not launches or not all(isinstance(part, dict) for part in launches):
        table.wrong("launches", f"at least one [[{'.'.join(map(str, table.path))}.launches]] table")
        return []
    return [_read_launch(Table(part, (*table.path, "launches", i), table.mistakes)) for i, part in enumerate(launches)]


def _read_launch(table: Table) -> LaunchDefinition:
    launch = LaunchDefinition(
        entry=_read_entry(table),
        arguments=table.texts("arguments") or [],
        grid=read_expressions(table, "grid", MAX_DIMENSIONS),
        block=read_expressions(table, "block", MAX_DIMENSIONS),
        shared_bytes=read_expression(table, "shared_bytes", "0"),
    )
    table.finish()
    return launch


def _read_entry(table: Table) -> str:
    entry = table.text("entry")
    if entry and not _VARIABLE.fullmatch(entry):
        table.wrong("entry", "the name of a function")
    return entry
