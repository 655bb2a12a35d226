"""An imported kernel as the files of a kernel folder and the tables of its grid."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tunetui.core.imports.t1 import Argument, Imported
from tunetui.core.imports.t1_values import python_of
from tunetui.core.labels import one_line
from tunetui_agent.messages import Value

IMPLEMENTATION = "cuda"
COMPILED = "tuned.cu"
"""The file that is compiled; it includes the kernel's own."""

_SOURCES = (".cu", ".cuh", ".h")


def kernel_table(one: Imported) -> dict[str, Any]:
    """The root table of ``kernel.toml``."""
    arguments = {each.name: _argument(each) for each in one.arguments}
    definition: dict[str, Any] = {"language": "cuda", "source": COMPILED, "parameters": list(one.axes)}
    if one.options:
        definition["options"] = one.options
    if one.where:
        definition["where"] = one.where
    launch: dict[str, Any] = {"entry": one.entry, "grid": one.grid, "block": one.block}
    if one.shared_bytes:
        launch["shared_bytes"] = str(one.shared_bytes)
    definition |= {
        "axes": one.axes,
        "launches": [launch | {"arguments": [each.name for each in one.arguments]}],
    }
    fields = {name: {"type": "int", "default": size, "min": 1} for name, size in one.problem.items()}
    found: dict[str, Any] = {"name": one.name, "summary": "imported from a T1 file; IMPORT.md says what it lacks"}
    found |= {"reference": "reference.py"} | ({"problem": fields} if fields else {})
    found |= {"arguments": arguments} if arguments else {}
    return found | {"implementations": {IMPLEMENTATION: {"gpu": definition}}}


def grid_table(one: Imported, kernel: str) -> dict[str, Any]:
    """The root table of the grid; ``kernel`` is the folder as the grid names it."""
    found: dict[str, Any] = {"name": one.name, "kernel": kernel, "implementations": [IMPLEMENTATION], "device": "gpu"}
    found |= {"axes": one.axes} | ({"problem": one.problem} if one.problem else {})
    budget = {"minutes": one.minutes, "trials": one.trials}
    kept = {name: value for name, value in budget.items() if value is not None}
    return found | ({"budget": kept} if kept else {})


def compiled_source(one: Imported, included: str, *, bare: bool) -> str:
    """The file that is compiled: T1's macros made of tunetui's, then the kernel itself.

    ``bare``: its entries have C++ names, which nobody could look up; Kernel Tuner wraps them in the same way.
    """
    lines = [
        "// Made by tunetui import: T1 files name macros as parameters are named, tunetui in capitals.",
        "#define kernel_tuner 1",  # as Kernel Tuner does: sources ask for it
    ]
    for axis, values in one.axes.items():
        if isinstance(values[0], str):
            lines += _text_macros(axis, values)
        elif axis != axis.upper():
            lines.append(f"#define {axis} {axis.upper()}")
    include = f'#include "{included}"'
    return "\n".join([*lines, *(['extern "C" {', include, "}"] if bare else [include]), ""])


def _text_macros(axis: str, values: list[Value]) -> list[str]:
    lines = []
    for value in values:
        lines += [f"#ifdef {axis.upper()}_{str(value).upper()}", f"#define {axis} {value}", "#endif"]
    return lines


def included_name(source: str) -> str:
    """What KernelFile is called inside the folder: its own name, with an ending that travels to hosts."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", source.replace("\\", "/").rpartition("/")[2]).lstrip(".") or "kernel.cuh"
    if not name.endswith(_SOURCES):
        name = f"{name.partition('.')[0] or 'kernel'}.cuh"
    return name if name != COMPILED else f"original_{name}"


def missing_source(name: str) -> str:
    """What stands for a kernel that was not there."""
    return f'#error "put the kernel\'s source here: the T1 file names it, and {name} was not beside it"\n'


def reference(one: Imported) -> str:
    """``reference.py``: inputs as the file fills them; nothing says what is right yet."""
    inputs = [_input(each) for each in one.arguments if each.role == "input"]
    body = "\n".join(f"    inputs[{json.dumps(name)}] = {code}" for name, code in inputs)
    return _REFERENCE.format(inputs=body + "\n" if body else "")


_REFERENCE = '''"""Inputs of an imported kernel.  T1 files do not say what is right: write `reference` and `check`."""

import numpy as np


def ceildiv(a, b):
    return -(-a // b)


def make_inputs(problem, seed):
    generator = np.random.Generator(np.random.SFC64(seed))  # noqa: F841 - not every kernel has random inputs
    inputs = {{}}
{inputs}    return inputs


def reference(problem, inputs):
    return None


def check(problem, inputs, expected, outputs):
    return {{"ok": False, "cause": "reference.py does not say yet what is right: write reference() and check()"}}
'''


def _input(one: Argument) -> tuple[str, str]:
    size, dtype = f"int({python_of(one.shape)})", f"np.{one.dtype if one.dtype != 'bool' else 'bool_'}"
    if one.fill == "Random":
        if one.dtype.startswith("float"):
            return one.name, f"(generator.random({size}, dtype=np.float32) * {one.fill_value!r}).astype({dtype})"
        most = max(1, int(one.fill_value))
        return one.name, f"generator.integers(0, {most}, {size}, endpoint=True).astype({dtype})"
    return one.name, f"np.full({size}, {one.fill_value!r}).astype({dtype})"


def _argument(one: Argument) -> dict[str, Any]:
    if one.role == "scalar":
        return {"role": one.role, "dtype": one.dtype, "value": one.value}
    return {"role": one.role, "dtype": one.dtype, "shape": [one.shape]}


def notes(one: Imported, origin: Mapping[str, str]) -> str:
    """IMPORT.md: where it comes from, and what could not be carried."""
    lines = [
        f"# {one.name}",
        "",
        *(f"- {what}: {one_line(text)}" for what, text in origin.items()),
        "",
        "Not carried:",
        "",
    ]
    return "\n".join([*lines, *(f"- {one_line(each)}" for each in one.lost), ""])
