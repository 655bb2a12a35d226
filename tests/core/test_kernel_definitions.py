"""Kernel files as people write them, right and wrong, in the words that they are answered with."""

from __future__ import annotations

import pytest

from tests.core.definition_texts import KERNEL, SOURCES
from tunetui.core.definitions import ArgumentDefinition, ImplementationDefinition, LaunchDefinition, ProblemField
from tunetui.core.errors import InputError
from tunetui.core.kernel_decoding import decode_kernel


def test_a_kernel_file_becomes_a_kernel() -> None:
    kernel = decode_kernel(KERNEL, "kernel.toml", SOURCES)
    assert (kernel.name, kernel.reference, kernel.files) == ("rows", "reference.py", SOURCES)
    assert kernel.problem["rows"] == ProblemField(type="int", default=1000, min=1, max=100000)
    assert kernel.arguments["x"] == ArgumentDefinition(
        role="input", dtype={"float32": "float32", "float16": "float16"}, shape=["rows", "128"]
    )
    assert kernel.arguments["count"] == ArgumentDefinition(role="scalar", dtype="int64", value="rows")
    assert kernel.metrics == {"rows_per_s": "rows / seconds"}
    assert {name: list(kinds) for name, kinds in kernel.implementations.items()} == {
        "numpy": ["cpu"], "mojo": ["cpu", "gpu"], "cuda": ["gpu"],
    }  # fmt: skip


def test_an_entry_on_a_cpu_is_its_one_launch() -> None:
    mojo = decode_kernel(KERNEL, "kernel.toml", SOURCES).implementations["mojo"]["cpu"]
    assert mojo == ImplementationDefinition(
        language="mojo",
        source="rows.mojo",
        launches=[LaunchDefinition(entry="sums", arguments=["x", "sums", "count"])],
        parameters=["tile"],
        axes={"threads": [1, 2], "tile": [8, 16]},
    )


def test_launches_on_a_gpu_keep_their_geometry_as_expressions() -> None:
    cuda = decode_kernel(KERNEL, "kernel.toml", SOURCES).implementations["cuda"]["gpu"]
    assert cuda.options == ["--use_fast_math"]
    assert cuda.launches == [
        LaunchDefinition(
            entry="sums",
            arguments=["x", "sums", "count"],
            grid=["ceildiv(rows, block)", "1"],
            block=["block"],
            shared_bytes="block * 4",
        )
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "rows"', 'name = "ro ws"', ('name: expected letters, digits, "_" and "-", at most 64, '
         'found "ro ws" (str)')),
        ('type = "int"', 'type = "integer"', ('problem.rows.type: expected "int", "float", "bool" or "str" '
         '(did you mean "int"?), found "integer" (str)')),
        ("default = 1000", "default = 0", "problem.rows.default: expected int >= 1 and <= 100000, found 0 (int)"),
        ("default = 1000", "", "problem.rows.default: expected int, found nothing: the key is missing"),
        ("[problem.rows]", "[problem.seconds]\ntype = 'int'\ndefault = 1\n[problem.rows]",
         'problem.seconds: expected another name: expressions already know "seconds"'),
        ("[problem.rows]", "[problem.a-b]\ntype = 'int'\ndefault = 1\n[problem.rows]",
         "problem.a-b: expected a name of letters, digits and _, usable in expressions"),
        ('role = "input"', 'role = "inputs"', ('arguments.x.role: expected "input", "output", "scratch", "counter" '
         'or "scalar" (did you mean "input"?), found "inputs" (str)')),
        ('float16 = "float16" }', 'float61 = "float16" }', ("arguments.x.dtype.float61: unknown value of the problem's "
         'dtype "float61"; did you mean "float16"?')),
        ('shape = ["rows", 128]', 'shape = ["row", 128]', ("arguments.x.shape[0]: expected names that are known here, "
         'found unknown name for numpy.cpu: "row"; did you mean "rows"?')),
        ('value = "rows"', 'value = "rows +"', "arguments.count.value: expected an expression, found a mistake: "),
        ('rows_per_s = "rows / seconds"', 'rows_per_s = "rows / secods"', ("metrics.rows_per_s: expected names that are "
         'known here, found unknown name "secods"; did you mean "seconds"?')),
        ('source = "rows.py"', 'source = "row.py"', ("implementations.numpy.cpu.source: expected a file of the kernel's "
         'folder, found unknown file "row.py"; did you mean "rows.py"?')),
        ('source = "rows.py"', 'source = "../rows.py"', ("implementations.numpy.cpu.source: expected a file of the "
         'kernel\'s folder, found unknown file "../rows.py"; did you mean "rows.py"?')),
        ('language = "python"', 'language = "cuda"', ('implementations.numpy.cpu.language: expected "python" or "mojo", '
         'found "cuda" (str)')),
        ('arguments = ["x", "sums"]', 'arguments = ["x", "sum"]', ("implementations.numpy.cpu.arguments[1]: unknown "
         'argument "sum"; did you mean "sums"?')),
        ('parameters = ["tile", "threads", "alpha"]', 'parameters = ["tyle"]', ("implementations.numpy.cpu."
         'parameters[0]: unknown axis or problem field "tyle"; did you mean "tile"?')),
        ('where = ["threads <= device_cores"]', 'where = ["thread <= device_cores"]', ("implementations.numpy.cpu."
         'where[0]: expected names that are known here, found unknown name "thread"; did you mean "threads"?')),
        ("threads = [1, 2], tile = [16, 32, 64]", "threads = 2, tile = [16, 32, 64]", ("implementations.numpy.cpu.axes."
         "threads: expected a list, { start, stop, step } or { start, stop, factor }, found 2 (int)")),
        ("alpha = [0.5]", "rows = [1], alpha = [0.5]", ("implementations.numpy.cpu.axes.rows: expected another name: "
         '"rows" is a problem field')),
        ('layout = ["row", "column"]', 'layout = ["row", "a;b"]', ("implementations.cuda.gpu.axes.layout[1]: "
         "expected letters, digits and _ only, as cuda builds with it")),
        ('block = ["block"]\nshared', "block = []\nshared", ("implementations.cuda.gpu.launches[0].block: expected a "
         "list of 1 to 3 expressions, found an empty list")),
        ('shared_bytes = "block * 4"', 'shared_bytes = "blok * 4"', ("implementations.cuda.gpu.launches[0]."
         'shared_bytes: expected names that are known here, found unknown name "blok"; did you mean "block"?')),
        ('shared_bytes = "block * 4"', "shared_byte = 4", ("implementations.cuda.gpu.launches[0].shared_byte: unknown "
         'key; did you mean "shared_bytes"?')),
        ("[implementations.cuda.gpu]", "[implementations.cuda.tpu]", ("implementations.cuda.tpu: unknown key; "
         'did you mean "gpu"?')),
        ('[implementations.numpy.cpu]\nlanguage = "python"', "[implementations.numpy.cpu]", ("implementations.numpy.cpu."
         'language: expected "python" or "mojo", found nothing: the key is missing')),
    ],
)  # fmt: skip
def test_a_wrong_kernel_file_is_told_with_its_key_path(old: str, new: str, said: str) -> None:
    assert old in KERNEL
    with pytest.raises(InputError) as caught:
        decode_kernel(KERNEL.replace(old, new, 1), "kernel.toml", SOURCES)
    assert any(line.startswith(f"kernel.toml: {said}") for line in caught.value.message.split("\n")), (
        caught.value.message
    )


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ("", "problem.dtype: expected choices, as mojo builds with it, found none"),
        (
            'choices = ["float32", "float16", "a b"]',
            'problem.dtype.choices[2]: expected letters, digits and _ only, as mojo builds with it, found "a b" (str)',
        ),
    ],
)
def test_text_of_the_problem_that_reaches_generated_code_is_limited(choices: str, said: str) -> None:
    text = KERNEL.replace('parameters = ["tile"]', 'parameters = ["tile", "dtype"]')
    text = text.replace('dtype = { float32 = "float32", float16 = "float16" }', 'dtype = "float32"')
    with pytest.raises(InputError) as caught:
        decode_kernel(text.replace('choices = ["float32", "float16"]', choices), "kernel.toml", SOURCES)
    assert caught.value.message == f"kernel.toml: {said}"


def test_all_mistakes_of_a_kernel_file_are_told_at_once() -> None:
    text = KERNEL.replace('type = "int"', 'type = "in"').replace('"rows.py"', '"x"').replace('role = "output"', "")
    with pytest.raises(InputError) as caught:
        decode_kernel(text, "kernel.toml", SOURCES)
    assert [line.split(": ")[1] for line in caught.value.message.split("\n")] == [
        "problem.rows.type",
        "arguments.sums.role",
        "implementations.numpy.cpu.source",
    ]
