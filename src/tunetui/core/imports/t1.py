"""T1 files of the autotuning schema, Kernel Tuner and BAT, read as far as they say enough; what they lack is named."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tunetui.core.imports.t1_values import LISTS, PROBLEM_FIELDS, NotUnderstood, list_of, rewritten
from tunetui.core.mistakes import Mistakes, Path, describe, literal, one_of
from tunetui.core.tables import INT64, Table
from tunetui_agent.messages import Value

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MACRO = re.compile(r"[A-Za-z0-9_]{1,100}")
_TAKEN = ("seconds", "min", "max", "abs", "ceildiv", *PROBLEM_FIELDS)
_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,), "uint": (int,), "float": (float, int), "bool": (bool,), "string": (str,),
}  # fmt: skip
DTYPES = {
    "float": "float32", "double": "float64", "half": "float16", "bool": "bool", "int": "int32", "uint": "uint32",
    **{name: name for name in ("float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32",
                               "int64", "uint64")},
}  # fmt: skip
_VECTOR = re.compile(r"(float|double|int|uint)([234])")
_AXES_OF = "XYZ"
_OPTIONS = re.compile(r"-D[A-Za-z_][A-Za-z0-9_]*(=[A-Za-z0-9_.+-]*)?|-{1,2}use_fast_math|-{1,2}maxrregcount=[0-9]+")


class Argument(msgspec.Struct, frozen=True, kw_only=True):
    """One argument of the kernel; ``shape`` and ``value`` are expressions."""

    name: str
    role: str
    dtype: str
    shape: str = ""
    value: str = ""
    fill: str = ""
    """"Constant", "Random", or "" for an output."""
    fill_value: float = 0.0


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What a T1 file says of a CUDA kernel."""

    name: str
    entry: str
    source: str
    """KernelFile, as written."""
    axes: dict[str, list[Value]]
    where: list[str]
    problem: dict[str, int]
    grid: list[str]
    block: list[str]
    shared_bytes: int
    options: list[str]
    arguments: list[Argument]
    minutes: float | None = None
    trials: int | None = None
    lost: list[str] = []
    """What could not be carried, in words."""


def read_t1(data: Mapping[str, Any], source: str, name: str = "") -> Imported:
    """Read a T1 file's root table; ``name`` is what the kernel shall be called.

    Raises:
        InputError: every mistake, one a line: file, key path, expected, found.
    """
    mistakes = Mistakes(source)
    root = Table(dict(data), (), mistakes)
    space, spec = root.table("ConfigurationSpace"), root.table("KernelSpecification")
    spec.text("Language", choices=["CUDA"])
    entry = spec.text("KernelName")
    if entry and not _NAME.fullmatch(entry):
        spec.wrong("KernelName", "the name of a function")
    reader = _Reader(mistakes, _axes(space, mistakes))
    problem, where = reader.problem(spec), reader.conditions(space)
    block = reader.block(spec)
    minutes, trials = reader.budget(root)
    found = Imported(
        name=name or _called(root.table("General"), spec), entry=entry, source=spec.text("KernelFile"),
        axes=reader.axes, where=where, problem=problem, block=block, grid=reader.grid(spec, problem, block),
        shared_bytes=reader.shared_bytes(spec), arguments=reader.arguments(spec), options=reader.options(spec),
        minutes=minutes, trials=trials,
    )  # fmt: skip
    reader.leftovers(root, spec)
    for table in (space, spec):
        table.names()  # other keys than ours are no mistakes: many dialects are about
        table.finish()
    mistakes.raise_if_any()
    return msgspec.structs.replace(found, lost=list(dict.fromkeys(reader.lost)))


def _called(general: Table, spec: Table) -> str:
    """The benchmark's name, made one that folders and kernels may have."""
    words = general.take("BenchmarkName") or spec.take("BenchmarkName") or spec.take("KernelName")
    return re.sub(r"[^A-Za-z0-9_-]+", "-", words).strip("-")[:64] if isinstance(words, str) else ""


def _axes(space: Table, mistakes: Mistakes) -> dict[str, list[Value]]:
    """Every tuning parameter with its values, in the file's order."""
    given = space.take("TuningParameters")
    if not isinstance(given, list) or not given:
        space.wrong("TuningParameters", "a list of parameters")
        return {}
    found: dict[str, list[Value]] = {}
    for position, item in enumerate(given):
        path: Path = (*space.path, "TuningParameters", position)
        if not isinstance(item, dict):
            mistakes.add(path, f"expected a table, found {describe(item)}")
            continue
        table = Table(item, path, mistakes)
        name = table.text("Name")
        if name and (
            not _NAME.fullmatch(name) or keyword.iskeyword(name) or name.startswith("device_") or name in _TAKEN
        ):
            table.wrong("Name", "a name of letters, digits and _ that expressions do not know already")
        elif name.upper() in {each.upper() for each in found}:
            table.wrong("Name", "a name that differs from the others by more than case: it becomes a macro")
        kind = table.text("Type", choices=list(_KINDS))
        values = _values_of(table, kind)
        if name and name not in found:
            found[name] = values
        table.names()
        table.finish()
    return found


def _values_of(table: Table, kind: str) -> list[Value]:
    text = table.text("Values")
    if not text or not kind:
        return []
    try:
        values = list_of(text)
    except NotUnderstood as error:
        table.mistakes.add((*table.path, "Values"), f"expected {LISTS}, found {literal(str(error))}")
        return []
    for value in values:
        fits = isinstance(value, _KINDS[kind]) and (kind == "bool" or not isinstance(value, bool))
        if not fits or (kind == "uint" and value < 0) or (isinstance(value, str) and not _MACRO.fullmatch(value)):  # type: ignore[operator]
            wanted = "letters, digits and _ only, as it becomes a macro" if kind == "string" else f"{kind} values"
            table.mistakes.add((*table.path, "Values"), f"expected {wanted}, found {describe(value)}")
            return []
    if not values or len(set(map(repr, values))) < len(values):
        table.mistakes.add((*table.path, "Values"), f"expected different values, at least one, found {literal(text)}")
        return []
    return [float(value) for value in values] if kind == "float" else values


class _Reader:
    """The parts of a kernel specification; what cannot be carried is noted in ``lost``."""

    def __init__(self, mistakes: Mistakes, axes: dict[str, list[Value]]) -> None:
        self.mistakes, self.axes = mistakes, axes
        self.names: set[str] = set(axes)
        self.lost: list[str] = []

    def expression(self, text: object, path: Path) -> str:
        """An expression over axes and problem fields, or "" after a mistake."""
        if isinstance(text, int) and not isinstance(text, bool):
            return str(text)
        if not isinstance(text, str) or not text.strip():
            self.mistakes.add(path, f"expected an expression or an int, found {describe(text)}")
            return ""
        try:
            return rewritten(text, self.names, self.axes)
        except NotUnderstood as error:
            names = f"an expression of numbers, operators, min, max, abs and {one_of(sorted(self.names))}"
            self.mistakes.add(path, f"expected {names}, found {literal(text)}: {error}")
            return ""

    def conditions(self, space: Table) -> list[str]:
        found = []
        given = space.take("Conditions") or []
        if not isinstance(given, list):
            space.wrong("Conditions", "a list")
            return []
        for position, item in enumerate(given):
            path: Path = (*space.path, "Conditions", position)
            if not isinstance(item, dict):
                self.mistakes.add(path, f"expected a table, found {describe(item)}")
            elif text := self.expression(item.get("Expression"), (*path, "Expression")):
                found.append(text)
        return found

    def problem(self, spec: Table) -> dict[str, int]:
        """Kernel Tuner's problem size, a number or up to three, as problem fields."""
        given = spec.take("ProblemSize")
        sizes = given if isinstance(given, list) else [] if given is None else [given]
        if len(sizes) > len(PROBLEM_FIELDS) or not all(
            type(size) is int and size > 0 and size in INT64 for size in sizes
        ):
            spec.wrong("ProblemSize", "one to three ints above 0")
            return {}
        found = dict(zip(PROBLEM_FIELDS, sizes, strict=False))
        self.names |= set(found)
        return found

    def block(self, spec: Table) -> list[str]:
        sizes = self._xyz(spec, "LocalSize")
        if not sizes:
            sizes = [name if name in self.axes else "1" for name in (f"block_size_{axis.lower()}" for axis in _AXES_OF)]
        return _trimmed(sizes)

    def grid(self, spec: Table, problem: Mapping[str, int], block: Sequence[str]) -> list[str]:
        """Blocks in every direction: Kernel Tuner's problem size over its divisors, else T1's own global size."""
        divisors = [self._divisors(spec, axis) for axis in _AXES_OF]
        if problem:
            spec.take("GlobalSize")
            fields = [*problem, *["1"] * (3 - len(problem))]
            return _trimmed([_divided(field, by) for field, by in zip(fields, divisors, strict=True)])
        sizes = self._xyz(spec, "GlobalSize")
        if not sizes:
            spec.wrong("GlobalSize", "the size of the grid: GlobalSize with X, Y and Z, or ProblemSize")
        if spec.take("GlobalSizeType") == "OpenCL":  # counts threads, not blocks
            threads = [*block, *["1"] * (3 - len(block))]
            sizes = [_divided(size, [] if by == "1" else [by]) for size, by in zip(sizes, threads, strict=False)]
        return _trimmed(sizes)

    def _divisors(self, spec: Table, axis: str) -> list[str]:
        key = f"GridDiv{axis}"
        given = spec.take(key) or []
        if not isinstance(given, list):
            spec.wrong(key, "a list of parameters")
            return []
        found = [self.expression(item, (*spec.path, key, position)) for position, item in enumerate(given)]
        usual = f"block_size_{axis.lower()}"
        return found or ([usual] if usual in self.axes else [])

    def _xyz(self, spec: Table, key: str) -> list[str]:
        given = spec.take(key)
        if given is None:
            return []
        if not isinstance(given, dict):
            spec.wrong(key, "a table with X, Y and Z")
            return []
        return [self.expression(given.get(axis, 1), (*spec.path, key, axis)) for axis in _AXES_OF]

    def shared_bytes(self, spec: Table) -> int:
        found = spec.number("SharedMemory", whole=True, low=0)
        return int(found or 0)

    def options(self, spec: Table) -> list[str]:
        """Compiler options that NVRTC knows too; C++17 is the standard whatever the file says."""
        given = [each for each in spec.texts("CompilerOptions") or [] if each]
        kept = [each for each in given if _OPTIONS.fullmatch(each)]
        lost = [each for each in given if each not in kept]
        if lost:
            self.lost.append(f"compiler options {', '.join(lost)}: kernels are compiled by NVRTC as C++17")
        return kept

    def arguments(self, spec: Table) -> list[Argument]:
        """Arguments in the order of the call; those in constant memory are none of the call's."""
        given = spec.take("Arguments") or []
        if not isinstance(given, list):
            spec.wrong("Arguments", "a list of arguments")
            return []
        found: list[Argument] = []
        for position, item in enumerate(given):
            path: Path = (*spec.path, "Arguments", position)
            if not isinstance(item, dict):
                self.mistakes.add(path, f"expected a table, found {describe(item)}")
                continue
            one = self._argument(Table(item, path, self.mistakes), {each.name for each in found})
            found += [one] if one is not None else []
        if not found:
            self.lost.append("arguments: the file names none, so the kernel is launched without any")
        return found

    def _argument(self, table: Table, others: set[str]) -> Argument | None:
        name, kind = table.text("Name"), table.text("Type")
        memory = "Symbol" if table.take("MemType") == "Constant" else table.text(
            "MemoryType", choices=["Vector", "Scalar", "Local", "Symbol"])  # fmt: skip
        if name and (not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in others):
            table.wrong("Name", "a name of letters, digits and _ that no other argument has")
        vector = _VECTOR.fullmatch(kind)
        dtype = DTYPES.get(vector[1] if vector else kind, "")
        if kind and not dtype:
            table.wrong("Type", one_of(DTYPES))
        table.names()
        table.finish()
        if memory in {"Symbol", "Local"}:
            what = {"Symbol": "constant memory is not filled: the kernel reads zeros from it",
                    "Local": "shared memory is not an argument of a CUDA kernel; its size belongs into shared_bytes"}  # fmt: skip
            self.lost.append(f"argument {name}: {what[memory]}")
            return None
        if memory == "Scalar":
            value = table.number("FillValue")
            if value is None:
                table.wrong("FillValue", "a number, the scalar's value")
            whole = isinstance(given := table.take("FillValue"), int)
            return Argument(name=name, role="scalar", dtype=dtype, value=repr(given if whole else value or 0.0))
        shape = self.expression(table.take("Size"), (*table.path, "Size"))
        if vector and shape:
            shape = f"({shape}) * {vector[2]}"
        return self._array(table, name, dtype, shape)

    def _array(self, table: Table, name: str, dtype: str, shape: str) -> Argument:
        access, fill = table.take("AccessType"), table.take("FillType")
        if access in {"WriteOnly", "ReadWrite"} or table.take("Output"):
            if access != "WriteOnly":
                self.lost.append(
                    f"argument {name}: what an output holds before the kernel runs; outputs are filled with NaN, "
                    "and a kernel that reads them first will be wrong"
                )
            return Argument(name=name, role="output", dtype=dtype, shape=shape)
        reads = {axis for axis in self.axes if re.search(rf"\b{axis}\b", shape)}
        if reads:
            found = f"{literal(shape)}, which reads {', '.join(sorted(reads))}"
            self.mistakes.add(
                (*table.path, "Size"), f"expected a size that no axis changes: inputs are made once; found {found}"
            )
        if fill not in {"Constant", "Random"}:
            self.lost.append(f"argument {name}: its data ({fill or 'no FillType'}); reference.py fills it with zeros")
        number = table.number("FillValue")
        number = 1.0 if number is None else number
        return Argument(name=name, role="input", dtype=dtype, shape=shape, fill=fill if isinstance(fill, str) else "",
                        fill_value=number if fill in {"Constant", "Random"} else 0.0)  # fmt: skip

    def budget(self, root: Table) -> tuple[float | None, int | None]:
        """Minutes and trials; T1 has a list, BAT one table."""
        given = root.take("Budget")
        minutes = trials = None
        for position, item in enumerate(given if isinstance(given, list) else [] if given is None else [given]):
            path: Path = ("Budget", position) if isinstance(given, list) else ("Budget",)
            kind, value = (item.get("Type"), item.get("BudgetValue")) if isinstance(item, dict) else (None, None)
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1e9:
                self.mistakes.add(path, f"expected a table with Type and a BudgetValue above 0, found {describe(item)}")
            elif kind == "TuningDuration":
                minutes = float(value) / 60.0
            elif kind == "ConfigurationCount":
                trials = int(value)
            else:
                self.lost.append(
                    f"budget {literal(str(kind))}: only TuningDuration and ConfigurationCount have a counterpart"
                )
        return minutes, trials

    def leftovers(self, root: Table, spec: Table) -> None:
        """What nobody asked for."""
        if root.take("Search"):
            self.lost.append("the search strategy: tunetui measures every configuration, or budget.trials random ones")
        for key, why in (("ReferenceArguments", "reference arguments: write reference.py"), ("Device", "the device"),
                         ("Profiling", "profiling"), ("Stream", "the stream"), ("SimulationInput", "simulated input")):  # fmt: skip
            if spec.take(key):
                self.lost.append(why)
        known = {"General", "ConfigurationSpace", "KernelSpecification", "Search", "Budget"}
        others = [literal(key) for key in root.names() if key not in known]
        if others:
            self.lost.append(f"keys that T1 does not have: {', '.join(others)}")
        self.lost.append(
            "what is right: T1 has no reference that could be run; until you write one, every row is wrong"
        )


def _divided(size: str, divisors: Sequence[str]) -> str:
    return (
        f"ceildiv({size}, {' * '.join(f'({each})' if ' ' in each else each for each in divisors)})"
        if divisors
        else size
    )


def _trimmed(sizes: Sequence[str]) -> list[str]:
    """Without the ones at the end."""
    found = list(sizes)
    while len(found) > 1 and found[-1] == "1":
        found.pop()
    return found
