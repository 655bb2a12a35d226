"""Grid files as people write them, right and wrong, in the words that they are answered with."""

from __future__ import annotations

import pytest

from tests.core.definition_texts import GRID, KERNEL, SOURCES
from tunetui.core.axis_values import MAX_VALUES
from tunetui.core.decoding import decode_grid, grid_to_dict
from tunetui.core.definitions import (
    Budget,
    Compare,
    Grid,
    Target,
    chosen_axes,
    chosen_implementations,
    chosen_problem,
)
from tunetui.core.errors import InputError
from tunetui.core.kernel_decoding import decode_kernel
from tunetui.core.matching import check_grid_against_kernel, resolve_grid
from tunetui.core.mistakes import Mistakes
from tunetui.core.targeting import parse_target
from tunetui_agent.messages import Method, Value

HEAD = 'name = "x"\nkernel = "rows"\n'


def mistakes_of(text: str, *overrides: str) -> list[str]:
    """The lines that a grid's text is refused with."""
    with pytest.raises(InputError) as caught:
        decode_grid(text, "g.toml", overrides)
    return caught.value.message.split("\n")


def misfits_of(text: str, kernel_text: str = KERNEL) -> list[str]:
    """The lines that a grid is refused with once its kernel is known."""
    mistakes = Mistakes("g.toml")
    kernel = decode_kernel(kernel_text, "kernel.toml", SOURCES)
    mistakes.extend(check_grid_against_kernel(decode_grid(text, "g.toml"), kernel))
    with pytest.raises(InputError) as caught:
        mistakes.raise_if_any()
    return caught.value.message.split("\n")


def axis(values: str) -> list[Value]:
    return decode_grid(f"{HEAD}[axes]\ntile = {values}", "g.toml").axes["tile"]


def test_a_full_grid_file_becomes_a_grid() -> None:
    assert decode_grid(GRID, "g.toml") == Grid(
        name="full-1",
        kernel="rows",
        implementations=["numpy", "mojo"],
        device="cpu",
        axes={"threads": [1, 2, 4, 8]},
        implementation_axes={"numpy": {"tile": [16, 32]}, "mojo": {"tile": [8, 16, 24]}},
        where=["tile * threads <= 128"],
        problem={"rows": [1000, 2000], "dtype": ["float32"]},
        method=Method(cache="hot", precision_percent=2.0, min_samples=6),
        targets={"latency_ms.p95": "< 50", "success_rate": ">= 0.95"},
        budget=Budget(minutes=1.5, trials=10),
        compare=Compare(label="V1", simulated=True, latency_ms=2.99, facts={"rows": 3651, "note": "made up"}),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("[4]", [4]),
        ("{ start = 1, stop = 7, step = 3 }", [1, 4, 7]),
        ("{ start = 1, stop = 8, step = 3 }", [1, 4, 7]),
        ("{ start = 8, stop = 2, step = -3 }", [8, 5, 2]),
        ("{ start = 0.1, stop = 0.3, step = 0.1 }", [0.1, 0.2, 0.3]),
        ("{ start = 1, stop = 100, factor = 10 }", [1, 10, 100]),
        ("{ start = 3, stop = 100, factor = 2 }", [3, 6, 12, 24, 48, 96]),
        ("{ start = 1.0, stop = 1.21, factor = 1.1 }", [1.0, 1.1, 1.21]),
        ("{ start = 5, stop = 5, step = 1 }", [5]),
        ("[true, false]", [True, False]),
        ('["sort", "argpartition"]', ["sort", "argpartition"]),
        ("[0.5, 1.0]", [0.5, 1.0]),
    ],
)
def test_axis_values_are_listed_or_spelled_out_from_a_range(written: str, meant: list[Value]) -> None:
    values = axis(written)
    assert values == meant
    assert [type(value) for value in values] == [type(value) for value in meant]


def test_the_longest_axis_is_a_million_values() -> None:
    assert len(axis(f"{{ start = 1, stop = {MAX_VALUES}, step = 1 }}")) == MAX_VALUES


SHAPES = "a list, { start, stop, step } or { start, stop, factor }"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[]", "axes.tile: expected at least one value, found an empty list"),
        ("5", f"axes.tile: expected {SHAPES}, found 5 (int)"),
        ('[16, "32"]', 'axes.tile[1]: expected int like the first value, found "32" (str)'),
        ("[1, 2, 3.0]", "axes.tile[2]: expected int like the first value, found 3.0 (float)"),
        ("[true, 1]", "axes.tile[1]: expected bool like the first value, found 1 (int)"),
        ("[16, 32, 16]", "axes.tile[2]: expected every value once, found 16 again"),
        ("[1.0, nan]", "axes.tile[1]: expected a finite number of 64 bits, bool or str, found nan (float)"),
        ("[inf]", "axes.tile[0]: expected a finite number of 64 bits, bool or str, found inf (float)"),
        ("[[1]]", "axes.tile[0]: expected a finite number of 64 bits, bool or str, found a list of 1"),
        ('["\\u001b[2J"]', 'axes.tile[0]: expected 1 to 100 printable characters, found "\\u001b[2J" (str)'),
        ("{ start = 1, stop = 5, step = 0 }", "axes.tile.step: expected a number other than 0, found 0 (int)"),
        ("{ start = 1, stop = 5, factor = 1 }", "axes.tile.factor: expected a number > 1, found 1 (int)"),
        ("{ start = 0, stop = 5, factor = 2 }", "axes.tile.start: expected a number > 0 with factor, found 0 (int)"),
        (
            "{ start = 1, stop = 5 }",
            "axes.tile: expected start, stop and either step or factor, found only start, stop",
        ),
        ("{ start = 1, stop = 5, step = 1, factor = 2 }", "axes.tile: expected either step or factor, found both"),
        ("{ strat = 1, stop = 5, step = 1 }", 'axes.tile.strat: unknown key; did you mean "start"?'),
        ('{ start = "a", stop = 5, step = 1 }', 'axes.tile.start: expected a number, found "a" (str)'),
        ("{ start = 1, stop = nan, step = 1 }", "axes.tile.stop: expected a number, found nan (float)"),
        (
            "{ start = 5, stop = 1, step = 1 }",
            "axes.tile: expected at least one value, found a range that is empty: stop is before start",
        ),
        (
            "{ start = 1, stop = 1_000_001, step = 1 }",
            "axes.tile: expected at most 1,000,000 values, found a range of 1,000,001",
        ),
        (
            "{ start = 1e-300, stop = 1e300, step = 1e-300 }",
            "axes.tile: expected at most 1,000,000 values, found a range of over 10^18",
        ),
        (
            "{ start = 1e-300, stop = 1e300, factor = 10 }",
            "axes.tile.stop: expected a number at most 1e300 times start, found 1e+300 (float)",
        ),
    ],
)
def test_a_wrong_axis_is_told_with_its_key_path(written: str, said: str) -> None:
    assert mistakes_of(f"{HEAD}[axes]\ntile = {written}") == [f"g.toml: {said}"]


def test_an_axis_of_one_implementation_is_named_in_full() -> None:
    said = mistakes_of(f"{HEAD}[axes.mojo]\nthreads = []")
    assert said == ["g.toml: axes.mojo.threads: expected at least one value, found an empty list"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("kernal = 1", 'kernal: unknown key; did you mean "kernel"?'),
        ("[axs]\ntile = [1]", 'axs: unknown key; did you mean "axes"?'),
        ('device = "gpus"', 'device: expected "cpu" or "gpu" (did you mean "gpu"?), found "gpus" (str)'),
        ("implementations = []", ("implementations: expected at least one name, or no such key for all of them, "
                                 "found an empty list")),
        ('implementations = ["a", "a"]', 'implementations[1]: expected every name once, found "a" (str) again'),
        ("[method]\nprecision_percent = 0", "method.precision_percent: expected a number > 0 and <= 100, found 0 (int)"),
        ("[method]\nprecison_percent = 1", 'method.precison_percent: unknown key; did you mean "precision_percent"?'),
        ("[method]\nmin_samples = 5", "method.min_samples: expected an int >= 6, found 5 (int)"),
        ("[method]\nmin_samples = 2000", "method.max_samples: expected at least min_samples = 2000, found 1000"),
        ('[method]\ncache = "warm"', 'method.cache: expected "cold" or "hot", found "warm" (str)'),
        ("[method]\nseed = 1.5", "method.seed: expected an int >= 0, found 1.5 (float)"),
        ("[budget]\nminutes = -1", "budget.minutes: expected a number > 0, found -1 (int)"),
        ("[budget]\ntrials = 0", "budget.trials: expected an int >= 1, found 0 (int)"),
        ('[budget]\nusd = "1"', 'budget.usd: expected a number > 0, found "1" (str)'),
        ("[problem]\nrows = []", "problem.rows: expected at least one value, found an empty list"),
        ("[problem]\nrows = 2024-01-01", ("problem.rows: expected a finite number of 64 bits, bool or str, "
                                         "found 2024-01-01 (date or time)")),
        ("[compare]\nlatency_ms = 1", ("compare.label: expected a str that is not empty, found nothing: "
                                      "the key is missing")),
        ("axes = 3", "axes: expected a table, found 3 (int)"),
        ("[constraints]\nwere = []", 'constraints.were: unknown key; did you mean "where"?'),
        ("[constraints]\nwhere = [3]", "constraints.where[0]: expected a str that is not empty, found 3 (int)"),
        ('[targets]\n"latency_ms.p95" = "around 50"',
         ('targets."latency_ms.p95": expected <, <=, >, >= or == and a number, such as "< 50", '
         'found "around 50" (str)')),
        ("[targets]\nsuccess_rate = 0.9", ("targets.success_rate: expected <, <=, >, >= or == and a number, "
                                          'such as "< 50", found 0.9 (float)')),
    ],
)  # fmt: skip
def test_a_wrong_key_is_told_with_what_was_expected_and_found(written: str, said: str) -> None:
    assert mistakes_of(HEAD + written) == [f"g.toml: {said}"]


def test_a_misspelt_required_key_is_one_mistake() -> None:
    assert mistakes_of('name = "x"\nkernal = "rows"') == ['g.toml: kernal: unknown key; did you mean "kernel"?']


def test_a_missing_required_key_is_told() -> None:
    said = mistakes_of('name = "x"')
    assert said == ["g.toml: kernel: expected a str that is not empty, found nothing: the key is missing"]


def test_a_name_that_cannot_be_a_file_name_is_refused() -> None:
    said = mistakes_of('name = "../x"\nkernel = "rows"')
    assert said == ['g.toml: name: expected letters, digits, ".", "_" and "-", at most 64, found "../x" (str)']


def test_a_bad_constraint_is_told_with_its_place_before_anything_runs() -> None:
    said = mistakes_of(f'{HEAD}[constraints]\nwhere = ["tile > 1", "tile && 2"]')
    assert said[0].startswith("g.toml: constraints.where[1]: expected an expression, found a mistake: && ")
    assert "  tile && 2" in said


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    said = mistakes_of('nam = "x"\nkernel = 3\n[axes]\na = []\nb = [1, "x"]\n[budget]\nusd = 0')
    assert {line.split(": ")[1] for line in said} == {"nam", "kernel", "axes.a", "axes.b[1]", "budget.usd"}


def test_a_thousand_mistakes_do_not_fill_the_screen() -> None:
    said = mistakes_of(HEAD + "\n".join(f"zzz{i:04} = 1" for i in range(1000)))
    assert len(said) == 51
    assert said[-1] == "g.toml: and 950 more mistakes"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "x"\ntile_size 16\n', [("g.toml: line 2, column 11: not TOML: Expected '=' after a key in a key/value "
                                        "pair"), "    tile_size 16"]),
        ('name = "x', ["g.toml: line 1, column 10: not TOML: Unterminated string", '    name = "x']),
        ("a = " + "[" * 9000, ["g.toml: not TOML that can be read: nested too deeply"]),
    ],
)  # fmt: skip
def test_text_that_is_not_toml_is_told_with_line_and_column(text: str, said: list[str]) -> None:
    assert mistakes_of(text) == said


def test_hidden_characters_of_a_file_do_not_reach_the_terminal() -> None:
    said = "\n".join(mistakes_of(HEAD + '"\\u001b[2J\\u202e" = 1'))
    assert said.startswith("g.toml: ")
    assert "\x1b" not in said
    assert "\u202e" not in said


# ---------------------------------------------------------------------------------- --set


@pytest.mark.parametrize(
    ("option", "path", "value"),
    [
        ("axes.tile=16,32", ("axes", "tile"), [16, 32]),
        ("axes.tile=16", ("axes", "tile"), [16]),
        ("axes.tile=[16, 32]", ("axes", "tile"), [16, 32]),
        ("axes.tile={ start = 1, stop = 3, step = 1 }", ("axes", "tile"), [1, 2, 3]),
        ("axes.select=sort,argpartition", ("axes", "select"), ["sort", "argpartition"]),
        ("axes.alpha=0.5,1.0", ("axes", "alpha"), [0.5, 1.0]),
        ("axes.flag=true,false", ("axes", "flag"), [True, False]),
        ("axes.mojo.threads=1", ("axes", "mojo", "threads"), [1]),
        ("problem.queries=10", ("problem", "queries"), [10]),
        ("problem.queries=1,10", ("problem", "queries"), [1, 10]),
        ("problem.dtype=float16", ("problem", "dtype"), ["float16"]),
        ("method.precision_percent=2", ("method", "precision_percent"), 2),
        ("implementations=numpy", ("implementations",), ["numpy"]),
        ("implementations=numpy,mojo", ("implementations",), ["numpy", "mojo"]),
        ("budget.minutes=5", ("budget", "minutes"), 5),
        ("name=x", ("name",), "x"),
        ("name=2024", ("name",), "2024"),
        ("constraints.where=min(a, b) > 1", ("constraints", "where"), ["min(a, b) > 1"]),
        ("targets.latency_ms.p95=< 50", ("targets", "latency_ms.p95"), "< 50"),
        ("targets.success_rate=>=0.9", ("targets", "success_rate"), ">=0.9"),
    ],
)
def test_an_option_puts_its_value_in_place(option: str, path: tuple[str, ...], value: object) -> None:
    found = grid_to_dict(decode_grid('name = "y"\nkernel = "rows"', "g.toml", [option]))
    for key in path:
        found = found[key]
    assert found == value


def test_later_options_win_over_earlier_ones_and_over_the_file() -> None:
    grid = decode_grid(GRID, "g.toml", ["axes.threads=3", "axes.threads=5"])
    assert grid.axes == {"threads": [5]}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("axes.tile", "expected KEY=VALUE, such as axes.tile_size=16,32"),
        ("=3", "expected KEY=VALUE, such as axes.tile_size=16,32"),
        ("axes.tile=1,,2", "expected a value between commas, found none"),
        ("axes.tile=", "axes.tile: expected at least one value, found an empty list"),
        ("axes.tile=1,x", 'axes.tile[1]: expected int like the first value, found "x" (str)'),
        ("axe.tile=1", 'axe: unknown key; did you mean "axes"?'),
        ("method.precison_percent=1", 'method.precison_percent: unknown key; did you mean "precision_percent"?'),
        ("budget.minutes=five", 'budget.minutes: expected a number > 0, found "five" (str)'),
        ("name.first=1", 'name: expected a table, found "x" (str)'),
    ],
)
def test_a_wrong_option_is_told_by_the_option_not_the_file(option: str, said: str) -> None:
    assert mistakes_of(HEAD, option) == [f"--set {option}: {said}"]


# ---------------------------------------------------------------------------------- grid against kernel


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('implementations = ["numpi"]\ndevice = "cpu"', ('implementations[0]: expected one of kernel rows, '
         'found unknown implementation "numpi"; did you mean "numpy"?')),
        ("", 'device: expected "cpu" or "gpu", found nothing: kernel rows has implementations for both'),
        ('implementations = ["mojo"]', ('device: expected "cpu" or "gpu", found nothing: mojo has implementations '
         "for both")),
        ('implementations = ["numpy", "cuda"]', ("implementations: expected implementations for one kind of device, "
         "found numpy: cpu; cuda: gpu")),
        ('implementations = ["mojo", "cuda"]\ndevice = "cpu"', ('device: expected a device that the implementations '
         'have, found "cpu" (str): cuda cannot run there')),
        ('implementations = ["numpy"]\n[axes]\ntiel = [1]', ('axes.tiel: expected an axis that a chosen implementation '
         'declares, found unknown axis "tiel"; did you mean "tile"?')),
        ('implementations = ["numpy"]\n[axes]\nblock = [1]', ("axes.block: expected an axis that a chosen "
         "implementation declares, found one that only mojo (gpu), cuda (gpu) declares, which is not chosen")),
        ('implementations = ["numpy"]\n[axes.mojo]\ntiel = [1]', ('axes.mojo.tiel: expected an axis that a chosen '
         'implementation declares, found unknown axis "tiel"; did you mean "tile"?')),
        ('implementations = ["numpy"]\n[axes.mojoo]\ntile = [1]', ('axes.mojoo: expected a range, or the axes of a chosen '
         'implementation; found unknown axis or implementation "mojoo"; did you mean "mojo"?')),
        ('implementations = ["numpy"]\n[axes]\ntile = ["a"]', ("axes.tile[0]: expected int like the kernel's own "
         'values, found "a" (str)')),
        ('implementations = ["numpy"]\n[problem]\nrosw = 1', ('problem.rosw: expected a problem field of kernel rows, '
         'found unknown problem field "rosw"; did you mean "rows"?')),
        ('implementations = ["numpy"]\n[problem]\nrows = [1, 0]', ("problem.rows[1]: expected int >= 1 and <= 100000, "
         "found 0 (int)")),
        ('implementations = ["numpy"]\n[problem]\nrows = 1.5', "problem.rows: expected int, found 1.5 (float)"),
        ('implementations = ["numpy"]\n[problem]\ndtype = "float61"', ('problem.dtype: expected "float32" or "float16", '
         'found "float61" (str)')),
        ('implementations = ["numpy"]\n[constraints]\nwhere = ["tiles > 1"]', ("constraints.where[0]: expected names "
         'that are known here, found unknown name "tiles"; did you mean "tile"?')),
        ('implementations = ["numpy"]\n[targets]\n"latency_ms.meidan" = "< 1"', ('targets."latency_ms.meidan": expected a '
         'metric, found unknown metric "latency_ms.meidan"; did you mean "latency_ms.median"?')),
        ('implementations = ["cuda"]\n[axes]\nlayout = ["a b"]', ("axes.layout[0]: expected letters, digits and _ only, "
         'as cuda builds with it, found "a b" (str)')),
    ],
)  # fmt: skip
def test_a_grid_that_does_not_fit_its_kernel_is_told_where_and_why(written: str, said: str) -> None:
    assert misfits_of(f"{HEAD}{written}") == [f"g.toml: {said}"]


@pytest.mark.parametrize(
    ("written", "device", "implementations"),
    [
        ('implementations = ["numpy"]', "cpu", ["numpy"]),
        ('implementations = ["mojo", "numpy"]', "cpu", ["mojo", "numpy"]),
        ('implementations = ["mojo", "cuda"]', "gpu", ["mojo", "cuda"]),
        ('device = "cpu"', "cpu", ["numpy", "mojo"]),
        ('device = "gpu"', "gpu", ["mojo", "cuda"]),
    ],
)
def test_the_device_is_the_one_kind_that_the_implementations_share(
    written: str, device: str, implementations: list[str]
) -> None:
    kernel = decode_kernel(KERNEL, "kernel.toml", SOURCES)
    grid = decode_grid(HEAD + written, "g.toml")
    assert check_grid_against_kernel(grid, kernel) == []
    resolved = resolve_grid(grid, kernel)
    assert (resolved.device, resolved.implementations) == (device, implementations)


def test_whole_numbers_become_floats_where_the_kernel_has_floats() -> None:
    kernel = decode_kernel(KERNEL, "kernel.toml", SOURCES)
    grid = decode_grid(f'{HEAD}implementations = ["numpy"]\n[axes]\nalpha = [1, 2]', "g.toml")
    assert [type(value) for value in resolve_grid(grid, kernel).axes["alpha"]] == [float, float]


def test_the_axes_of_an_implementation_left_out_for_once_are_no_mistake() -> None:
    kernel = decode_kernel(KERNEL, "kernel.toml", SOURCES)
    grid = decode_grid(f'{HEAD}implementations = ["numpy"]\n[axes.mojo]\ntile = [8]', "g.toml")
    assert check_grid_against_kernel(grid, kernel) == []
    assert resolve_grid(grid, kernel).implementation_axes == {}


def test_an_implementations_own_axis_comes_before_the_shared_one_and_that_before_the_kernels() -> None:
    kernel = decode_kernel(KERNEL, "kernel.toml", SOURCES)
    grid = decode_grid(f"{HEAD}[axes]\ntile = [7]\n[axes.mojo]\ntile = [8]", "g.toml")
    chosen = chosen_implementations(grid, kernel, "cpu")
    assert chosen_axes(grid, "numpy", chosen["numpy"]) == {"threads": [1, 2], "tile": [7], "alpha": [0.5]}
    assert chosen_axes(grid, "mojo", chosen["mojo"]) == {"threads": [1, 2], "tile": [8]}
    assert chosen_problem(grid, kernel) == {"rows": [1000], "dtype": ["float32"]}


@pytest.mark.parametrize(
    ("text", "op", "bound"),
    [("< 50", "<", 50), (">= 0.95", ">=", 0.95), ("== 1", "==", 1), ("<=1e-3", "<=", 1e-3), ("> 2_000", ">", 2000)],
)
def test_a_target_is_an_operator_and_a_bound(text: str, op: str, bound: float) -> None:
    assert parse_target("recall", text) == Target(metric="recall", op=op, bound=bound)


@pytest.mark.parametrize("text", ["", "50", "< fifty", "=< 5", "< 1e999", "<< 5", "< 5 ms", "< ५"])
def test_a_target_that_says_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected <, <=, >, >= or == and a number"):
        parse_target("recall", text)
