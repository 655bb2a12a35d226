"""Python texts in T1 files, read without ever running them: lists of values, sizes, conditions.

A list is taken apart by its syntax tree: literals, ``range``, ``list(range(...))``, ``+`` of lists, and comprehensions with
one ``for``.  Every other expression goes through tunetui's own, with its names checked.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Mapping, Sequence

from tunetui.core.errors import ExpressionError
from tunetui.core.expressions import MAX_CHARACTERS, parse
from tunetui_agent.messages import Value

MOST_VALUES = 10_000
PROBLEM_FIELDS = ("problem_size_x", "problem_size_y", "problem_size_z")
"""What `ProblemSize[0]` and the next are called in a kernel."""

LISTS = "a list such as [16, 32], list(range(32, 1025, 32)) or [2 * i for i in range(1, 11)]"


class NotUnderstood(Exception):
    """A text outside the allowed language; ``args[0]`` says what was found."""


def list_of(text: str) -> list[Value]:
    """The values that a T1 ``Values`` text stands for.

    Raises:
        NotUnderstood: anything but what the module's docstring names, or more than `MOST_VALUES`.
    """
    try:
        values = _sequence(_tree(text))
    except RecursionError:
        raise NotUnderstood("a list nested too deeply") from None
    for value in values:
        if isinstance(value, float) and not abs(value) < float("inf"):
            raise NotUnderstood("a number that is not finite")
    return values


def rewritten(text: str, names: Collection[str], axes: Mapping[str, Sequence[Value]] | None = None) -> str:
    """An expression as tunetui writes it: ``ProblemSize[0]`` by name, ``max(axis)`` as the largest of the axis's values.

    Raises:
        NotUnderstood: not in the language of `tunetui.core.expressions`, or another name than ``names``.
    """
    try:
        written = ast.unparse(ast.fix_missing_locations(_Rewriter(axes or {}).visit(_tree(text))))
        parse(written, names)
    except ExpressionError as error:
        raise NotUnderstood(error.message) from None
    except RecursionError:
        raise NotUnderstood("an expression nested too deeply") from None
    return written


def python_of(text: str) -> str:
    """An expression without text in it as Python that reads its names from a dict ``problem``; it must have passed `rewritten`."""
    return ast.unparse(ast.fix_missing_locations(_Looked().visit(_tree(text))))


def _tree(text: str) -> ast.expr:
    if len(text) > MAX_CHARACTERS:
        raise NotUnderstood(f"more than {MAX_CHARACTERS:,} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotUnderstood(f"no Python expression: {error.args[0] if error.args else error}") from None


def _sequence(node: ast.expr) -> list[Value]:
    """The values of a list, whatever way it is written."""
    found: list[Value]
    if isinstance(node, ast.List | ast.Tuple):
        found = [_value(item, {}) for item in node.elts]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        found = [*_sequence(node.left), *_sequence(node.right)]
    elif isinstance(node, ast.ListComp):
        found = _comprehension(node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        found = _call(node.func.id, node.args)
    else:
        raise NotUnderstood(ast.unparse(node))
    if len(found) > MOST_VALUES:
        raise NotUnderstood(f"{len(found):,} values")
    return found


def _call(name: str, arguments: list[ast.expr]) -> list[Value]:
    if name in {"list", "sorted"} and len(arguments) == 1:
        found = _sequence(arguments[0])
        return sorted(found, key=lambda value: (isinstance(value, str), value)) if name == "sorted" else found
    if name != "range" or not 1 <= len(arguments) <= 3:
        raise NotUnderstood(f"{name}(...)")
    bounds = [_value(each, {}) for each in arguments]
    if not all(type(each) is int for each in bounds):
        raise NotUnderstood("a range of other than whole numbers")
    start, stop, step = (
        (*map(int, bounds), 1) if len(bounds) == 2 else (0, int(bounds[0]), 1) if len(bounds) == 1 else map(int, bounds)
    )
    if step == 0:
        raise NotUnderstood("a range with step 0")
    steps = range(start, stop, step)
    if steps and (abs(steps[-1] - steps[0]) // abs(step)) >= MOST_VALUES:
        raise NotUnderstood(f"a range of more than {MOST_VALUES:,} values")
    return list(steps)


def _comprehension(node: ast.ListComp) -> list[Value]:
    loop = node.generators[0]
    if len(node.generators) != 1 or not isinstance(loop.target, ast.Name) or loop.is_async:
        raise NotUnderstood("a comprehension with more than one for")
    found = []
    for value in _sequence(loop.iter):
        scope = {loop.target.id: value}
        if all(_value(condition, scope) for condition in loop.ifs):
            found.append(_value(node.elt, scope))
    return found


def _value(node: ast.expr, scope: Mapping[str, Value]) -> Value:
    try:
        return parse(ast.unparse(node), scope).value(scope)
    except ExpressionError as error:
        raise NotUnderstood(error.message) from None


class _Rewriter(ast.NodeTransformer):
    """Kernel Tuner's two idioms that are no expressions of ours."""

    def __init__(self, axes: Mapping[str, Sequence[Value]]) -> None:
        self._axes = axes

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        place = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if (
            isinstance(node.value, ast.Name)
            and node.value.id == "ProblemSize"
            and type(place) is int
            and place in range(3)
        ):
            return ast.Name(id=PROBLEM_FIELDS[place], ctx=ast.Load())
        raise NotUnderstood(ast.unparse(node))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        only = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if isinstance(node.func, ast.Name) and node.func.id in {"max", "min"} and isinstance(only, ast.Name):
            numbers = [value for value in self._axes.get(only.id, ()) if isinstance(value, int | float)]
            if not numbers:
                raise NotUnderstood(ast.unparse(node))
            return ast.Constant(value=max(numbers) if node.func.id == "max" else min(numbers))
        return self.generic_visit(node)  # type: ignore[return-value]


class _Looked(ast.NodeTransformer):
    """Names as items of ``problem``; functions keep theirs."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Subscript(
            value=ast.Name(id="problem", ctx=ast.Load()), slice=ast.Constant(value=node.id), ctx=ast.Load()
        )

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return ast.Call(func=node.func, args=[self.visit(each) for each in node.args], keywords=[])

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, str):
            raise NotUnderstood("text in a size")
        return node
