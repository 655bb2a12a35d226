"""Whatever stands in a file: it is understood, or refused with an InputError; and what is written reads back."""

from __future__ import annotations

import json
import math
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.definition_texts import GRID, KERNEL, SOURCES
from tunetui.core.axis_values import read_values
from tunetui.core.cleaning import clean
from tunetui.core.decoding import decode_grid, grid_from_dict, grid_to_dict
from tunetui.core.definitions import Budget, Compare, Grid
from tunetui.core.errors import InputError
from tunetui.core.kernel_decoding import decode_kernel
from tunetui.core.matching import check_grid_against_kernel, resolve_grid
from tunetui.core.mistakes import Mistakes
from tunetui.core.tables import parse_toml
from tunetui_agent.messages import Method, Value

KERNEL_STRUCT = decode_kernel(KERNEL, "kernel.toml", SOURCES)

texts = st.text(max_size=20)
scalars = (
    st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.dates()
    | st.sampled_from(["rows", "tile > 1", "< 5", "cpu"])
)
keys = texts | st.sampled_from(
    [
        "name",
        "kernel",
        "device",
        "implementations",
        "axes",
        "constraints",
        "where",
        "problem",
        "method",
        "targets",
        "budget",
        "compare",
        "start",
        "stop",
        "step",
        "factor",
        "tile",
        "threads",
        "mojo",
        "numpy",
        "rows",
        "cpu",
        "gpu",
        "launches",
        "source",
        "entry",
        "arguments",
        "dtype",
        "shape",
        "label",
    ]
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)


@st.composite
def mutilated(draw: st.DrawFn, text: str) -> str:
    """A right file with a few parts of it cut, doubled or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 12))
        new = draw(
            st.sampled_from(["", "0", '"', "[", "]", "-1", "nan", "{}", "= 1\n", "[x]\n", "1e400", "\n"]) | texts
        )
        text = text[:at] + new + text[at + length :]
    return text


@st.composite
def replaced(draw: st.DrawFn, text: str) -> str:
    """A right file with some values, anywhere in it, replaced by others of any type."""
    data = parse_toml(text, "")
    for _ in range(draw(st.integers(1, 3))):
        inner: Any = data
        while True:
            places = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            if not places:
                break
            place = draw(st.sampled_from(places))
            if not isinstance(inner[place], dict | list) or draw(st.integers(0, 3)) == 0:
                inner[place] = draw(anything)
                break
            inner = inner[place]
    return tomli_w.dumps(data)


def understood_or_refused(text: str, *options: str) -> None:
    """Decode a grid and all that follows before a run; anything but success or InputError fails the test."""
    said = ""
    try:
        grid = decode_grid(text, "g.toml", options)
    except InputError as error:
        said = error.message
    if said:
        assert clean(said) == said
        return
    assert decode_grid(tomli_w.dumps(grid_to_dict(grid)), "again") == grid
    if not check_grid_against_kernel(grid, KERNEL_STRUCT):
        resolved = resolve_grid(grid, KERNEL_STRUCT)
        assert check_grid_against_kernel(resolved, KERNEL_STRUCT) == []


@given(texts | mutilated(GRID))
@settings(deadline=None)
def test_any_text_is_a_grid_or_an_input_error(text: str) -> None:
    understood_or_refused(text)


@given(replaced(GRID) | st.dictionaries(keys, anything, max_size=6).map(tomli_w.dumps))
@settings(deadline=None)
def test_any_toml_is_a_grid_or_an_input_error(text: str) -> None:
    understood_or_refused(text)


@given(st.lists(texts | st.tuples(keys, keys, texts).map(lambda part: f"{part[0]}.{part[1]}={part[2]}"), max_size=3))
@settings(deadline=None)
def test_any_option_is_understood_or_an_input_error(options: list[str]) -> None:
    understood_or_refused(GRID, *options)


@given(texts | mutilated(KERNEL) | replaced(KERNEL))
@settings(deadline=None)
def test_any_text_is_a_kernel_or_an_input_error(text: str) -> None:
    said = "kernel.toml: "
    try:
        decode_kernel(text, "kernel.toml", SOURCES)
    except InputError as error:
        said = error.message
    assert said.startswith("kernel.toml: ")


@given(st.floats() | st.integers(), st.floats() | st.integers(), st.floats() | st.integers(), st.booleans())
@settings(deadline=None)
def test_a_range_stays_within_its_ends_and_never_repeats(start: Any, stop: Any, width: Any, by_factor: bool) -> None:
    mistakes = Mistakes("g.toml")
    written = {"start": start, "stop": stop, "factor" if by_factor else "step": width}
    values = read_values(written, ("axes", "x"), mistakes)
    assert bool(values) != bool(mistakes.found)
    assert len(set(values)) == len(values)
    low, high = min(start, stop), max(start, stop)
    assert all(isinstance(value, int | float) and low <= value <= high for value in values)


names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=20)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)
values_of: st.SearchStrategy[list[Value]] = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5, unique=True),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5, unique=True),
    st.lists(words, min_size=1, max_size=5, unique=True),
    st.lists(st.booleans(), min_size=1, max_size=2, unique=True),
)
facts = st.dictionaries(
    names.filter(lambda name: name not in ("label", "simulated", "latency_ms")),
    st.integers(-(2**63), 2**63 - 1) | words | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
    max_size=3,
)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    axes = draw(st.dictionaries(names, values_of, max_size=3))
    own = draw(st.dictionaries(names, st.dictionaries(names, values_of, max_size=3), max_size=2))
    return Grid(
        name=draw(names),
        kernel=draw(words),
        implementations=draw(st.none() | st.lists(words, min_size=1, max_size=3, unique=True)),
        device=draw(st.sampled_from([None, "cpu", "gpu"])),
        axes=axes,
        implementation_axes={name: inner for name, inner in own.items() if name not in axes},
        where=draw(st.lists(names.map(lambda name: f"x_{name} * 4 <= 2"), max_size=2)),
        problem=draw(st.dictionaries(names, values_of, max_size=3)),
        method=Method(precision_percent=draw(st.floats(0.001, 100)), seed=draw(st.integers(0, 2**63 - 1))),
        targets=draw(st.dictionaries(words, st.integers().map(lambda bound: f">= {bound}"), max_size=2)),
        budget=Budget(minutes=draw(st.none() | positive), trials=draw(st.none() | st.integers(1, 2**62))),
        compare=draw(
            st.none()
            | st.builds(Compare, label=words, latency_ms=st.none() | positive, simulated=st.booleans(), facts=facts)
        ),
    )


@given(grids())
@settings(deadline=None)
def test_a_grid_written_as_toml_or_json_reads_back_equal(grid: Grid) -> None:
    assert decode_grid(tomli_w.dumps(grid_to_dict(grid)), "g.toml") == grid
    assert grid_from_dict(json.loads(json.dumps(grid_to_dict(grid))), "g.json") == grid


def test_a_range_of_floats_has_the_digits_that_were_written() -> None:
    values = read_values({"start": 0.0, "stop": 1.0, "step": 0.1}, ("x",), Mistakes("g.toml"))
    assert values == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert all(isinstance(value, float) and math.isfinite(value) for value in values)
