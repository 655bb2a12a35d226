"""T1 files made into kernel folders and grids: published ones, and hostile ones."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunetui.cli import main
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.imports.t1_values import NotUnderstood, list_of, rewritten
from tunetui.session.importing import ImportedFiles, import_t1
from tunetui.store.definitions import load_definitions
from tunetui_agent.build.cuda import STANDARD_OPTIONS, macro
from tunetui_agent.build.nvrtc import NvrtcError, find_nvrtc

ROOT = Path(__file__).parents[2]
T1 = ROOT / "tests" / "data" / "t1"
SPACES = ROOT / "bench" / "spaces"


def small(**changes: Any) -> dict[str, Any]:
    """A T1 file of our own; changes are of the kernel's specification."""
    arguments = [
        {"Name": "x", "Type": "float", "MemoryType": "Vector", "AccessType": "ReadOnly", "FillType": "Random", "Size": "n_blocks", "FillValue": 2.0},
        {"Name": "y", "Type": "float2", "MemoryType": "Vector", "AccessType": "WriteOnly", "FillType": "Constant", "Size": 64, "FillValue": 0},
        {"Name": "n", "Type": "int32", "MemoryType": "Scalar", "AccessType": "ReadOnly", "FillValue": 64},
    ]  # fmt: skip
    arguments[0]["Size"] = 64
    return {
        "General": {"BenchmarkName": "small one"},
        "ConfigurationSpace": {
            "TuningParameters": [
                {"Name": "block_size_x", "Type": "int", "Values": "[32, 64]"},
                {"Name": "layout", "Type": "string", "Values": "['row', 'column']"},
                {"Name": "scale", "Type": "float", "Values": "[0.5, 1]"},
            ],
            "Conditions": [{"Expression": "block_size_x > 32 or scale == 0.5", "Parameters": ["block_size_x", "scale"]}],
        },
        "Budget": [{"Type": "TuningDuration", "BudgetValue": 120}, {"Type": "ConfigurationCount", "BudgetValue": 3}],
        "KernelSpecification": {
            "Language": "CUDA", "KernelName": "scaled", "KernelFile": "scaled.cu", "GlobalSizeType": "OpenCL",
            "GlobalSize": {"X": "64", "Y": "1", "Z": "1"}, "LocalSize": {"X": "block_size_x", "Y": "1", "Z": "1"},
            "SharedMemory": 128, "CompilerOptions": ["-std=c++11", "-DFAST=1", "-Xcompiler", "-O3"], "Arguments": arguments,
        } | changes,
    }  # fmt: skip


def imported(data: Any, folder: Path, **options: Any) -> ImportedFiles:
    folder.mkdir(exist_ok=True)
    path = folder / "kernel.T1.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return import_t1(path, folder / "made", **options)


def mistakes(data: Any, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        imported(data, folder)
    assert not (folder / "made").exists()
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "configurations"), [("pnpoly", 4_092), ("convolution_milo", 4_362), ("kernel_tuner_test", 2_359_296)]
)
def test_published_files_load_and_leave_as_many_configurations_as_were_published(
    name: str, configurations: int, tmp_path: Path
) -> None:
    done = import_t1(T1 / f"{name}.T1.json", tmp_path / name)
    assert done.configurations == configurations
    definitions = load_definitions(done.grid)
    assert definitions.grid.device == "gpu"
    assert list(definitions.kernel.implementations) == ["cuda"]


@pytest.mark.parametrize("name", ["hotspot", "expdist"])
def test_published_spaces_written_as_t1_keep_their_published_size(name: str, tmp_path: Path) -> None:
    space = json.loads((SPACES / f"{name}.json").read_text())
    data = small(LocalSize={"X": "1"}, Arguments=[])
    data["ConfigurationSpace"] = {
        "TuningParameters": [{"Name": axis, "Type": "int", "Values": str(values)} for axis, values in space["axes"].items()],
        "Conditions": [{"Expression": text, "Parameters": []} for text in space["constraints"]],
    }  # fmt: skip
    assert imported(data, tmp_path).configurations == space["paper_valid"]


def test_geometry_arguments_and_budget_are_carried(tmp_path: Path) -> None:
    grid, kernel, _ = load_definitions(imported(small(), tmp_path).grid)
    definition = kernel.implementations["cuda"]["gpu"]
    (launch,) = definition.launches
    assert (launch.entry, launch.grid, launch.block) == ("scaled", ["ceildiv(64, block_size_x)"], ["block_size_x"])
    assert (launch.shared_bytes, launch.arguments) == ("128", ["x", "y", "n"])
    assert definition.options == ["-DFAST=1"]
    assert kernel.arguments["y"].shape == ["(64) * 2"]
    assert (kernel.arguments["y"].role, kernel.arguments["n"].value) == ("output", "64")
    assert definition.axes["scale"] == [0.5, 1.0]
    assert (grid.budget.minutes, grid.budget.trials) == (2.0, 3)
    problem = load_definitions(import_t1(T1 / "convolution_milo.T1.json", tmp_path / "c").grid).kernel
    launch = problem.implementations["cuda"]["gpu"].launches[0]
    assert launch.grid == [f"ceildiv(problem_size_{side}, block_size_{side} * tile_size_{side})" for side in "xy"]
    assert problem.arguments["input_image"].shape == ["(problem_size_x + 15 - 1) * (problem_size_y + 15 - 1)"]


def test_what_is_lost_is_named_and_stands_beside_the_kernel(tmp_path: Path) -> None:
    done = imported(small(), tmp_path)
    said = "\n".join(done.lost)
    for words in ("scaled.cu", "-std=c++11, -Xcompiler, -O3", "what is right"):
        assert words in said
    assert all(each in (done.kernel / "IMPORT.md").read_text() for each in done.lost)
    symbol = small()
    symbol["KernelSpecification"]["Arguments"][0]["MemoryType"] = "Symbol"
    assert "argument x: constant memory" in "\n".join(imported(symbol, tmp_path / "b").lost)


def test_the_sources_macros_are_made_of_ours_and_its_entries_can_be_looked_up(tmp_path: Path) -> None:
    (tmp_path / "scaled.cu").write_text("__global__ void scaled(const float* x, float* y, int n) {}\n")
    done = imported(small(), tmp_path)
    text = (done.kernel / "tuned.cu").read_text()
    assert "#define block_size_x BLOCK_SIZE_X\n" in text
    assert "#ifdef LAYOUT_COLUMN\n#define layout column\n#endif\n" in text
    assert 'extern "C" {\n#include "scaled.cu"\n}' in text
    assert "__global__" in (done.kernel / "scaled.cu").read_text()
    (tmp_path / "scaled.cu").write_text('extern "C" __global__ void scaled() {}\n')
    (other := tmp_path / "other").mkdir()
    again = imported(small(), other, kernel_file=tmp_path / "scaled.cu")
    assert "{" not in (again.kernel / "tuned.cu").read_text()


def test_an_imported_kernel_compiles_with_every_kind_of_macro(tmp_path: Path) -> None:
    try:
        compiler = find_nvrtc()
    except NvrtcError as error:
        pytest.skip(str(error))
    (tmp_path / "scaled.cu").write_text(
        "enum { row, column };\n"
        "__global__ void scaled(const float* x, float2* y, int n) {\n"
        "    int at = blockIdx.x * block_size_x + threadIdx.x;\n"
        "    if (at < n) y[at] = make_float2(x[at] * scale, layout == column ? kernel_tuner : FAST);\n}\n"
    )
    folder = imported(small(), tmp_path).kernel
    macros = [macro("block_size_x", 64), macro("layout", "column"), macro("scale", 0.5)]
    options = ["-arch=sm_90", *STANDARD_OPTIONS, "-DFAST=1", *macros]
    headers = {"scaled.cu": (folder / "scaled.cu").read_text()}
    compiled = compiler.compile((folder / "tuned.cu").read_text(), "tuned.cu", headers, options)
    assert compiled.cubin is not None
    assert "Compiling entry function 'scaled'" in compiled.log  # and not the C++ name, which nobody could look up


def test_inputs_are_made_as_the_file_fills_them_and_nothing_is_right_until_somebody_says_what(tmp_path: Path) -> None:
    done = imported(small(), tmp_path)
    spec = importlib.util.spec_from_file_location("imported_reference", done.kernel / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs = module.make_inputs({}, 1)
    assert inputs["x"].shape == (64,)
    assert inputs["x"].dtype == np.float32
    assert 1.0 < inputs["x"].max() <= 2.0
    assert module.check({}, inputs, None, {})["ok"] is False


def test_a_source_elsewhere_on_this_machine_is_not_read_because_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "secret.cu").write_text("a secret")
    done = imported(small(KernelFile="../secret.cu"), tmp_path / "inside")
    assert "a secret" not in "".join(each.read_text() for each in done.kernel.iterdir())
    assert "#error" in (done.kernel / "secret.cu").read_text()


@pytest.mark.parametrize("values", [
    "__import__('os').system('id')", "[().__class__]", "open('/etc/passwd').read()", "[i for i in range(10**12)]",
    "[x for x in [1] for y in [2]]", "[1, 'a'.join([])]", "{1: 2}", "[1] * 10**9", "[2**99999]", "range(0, 5, 0)", "lambda: 1",
    "[1, 2, 2]", "['a b']", "[]", "[1.5]", "", "(" * 300, "+".join(["[1]"] * 660), "[1e999]", "[True]",
])  # fmt: skip
def test_values_outside_the_language_are_refused_with_their_place(values: str, tmp_path: Path) -> None:
    data = small()
    data["ConfigurationSpace"]["TuningParameters"][0]["Values"] = values
    said = mistakes(data, tmp_path)
    assert "kernel.T1.json: ConfigurationSpace.TuningParameters[0].Values: expected " in said
    assert ", found " in said


@pytest.mark.parametrize("expression", [
    "__import__('os')", "block_size_x.__class__", "[c for c in ()]", "unknown > 3", "block_size_x == = 3", "ProblemSize[0]()",
    "ProblemSize[9] > 1", "max(layout) > 1", "lambda: 1", "1 if", "(" * 500, "block_size_x if layout else exit()",
])  # fmt: skip
def test_conditions_outside_the_language_are_refused_with_their_place(expression: str, tmp_path: Path) -> None:
    data = small()
    data["ConfigurationSpace"]["Conditions"][0]["Expression"] = expression
    assert "kernel.T1.json: ConfigurationSpace.Conditions[0].Expression: expected " in mistakes(data, tmp_path)


@pytest.mark.parametrize(("change", "place"), [
    ({"Language": "OpenCL"}, 'Language: expected "CUDA", found "OpenCL"'),
    ({"KernelName": "scaled<float>"}, "KernelName: expected the name of a function"),
    ({"GlobalSize": {"X": "system('id')"}}, "GlobalSize.X: expected an expression"),
    ({"LocalSize": "no"}, "LocalSize: expected a table with X, Y and Z"),
    ({"ProblemSize": [1, 2, 3, 4]}, "ProblemSize: expected one to three ints above 0"),
    ({"ProblemSize": [10**30]}, "ProblemSize: expected one to three ints above 0"),
    ({"SharedMemory": "1; rm"}, "SharedMemory: expected an int"),
    ({"Arguments": [{"Name": "x\ny", "Type": "float", "MemoryType": "Scalar", "FillValue": 1}]}, "Arguments[0].Name: expected a name"),
    ({"Arguments": [{"Name": "x", "Type": "matrix", "MemoryType": "Scalar", "FillValue": 1}]}, "Arguments[0].Type: expected"),
    ({"Arguments": [{"Name": "x", "Type": "int", "MemoryType": "Scalar", "FillValue": "x"}]}, "Arguments[0].FillValue: expected a number"),
    ({"Arguments": [{"Name": "x", "Type": "int", "MemoryType": "Vector", "AccessType": "ReadOnly", "Size": "block_size_x"}]},
     "Arguments[0].Size: expected a size that no axis changes"),
])  # fmt: skip
def test_a_specification_that_says_nonsense_is_refused_with_its_place(
    change: dict[str, Any], place: str, tmp_path: Path
) -> None:
    assert f"kernel.T1.json: KernelSpecification.{place}" in mistakes(small(**change), tmp_path)


def test_files_that_are_no_t1_are_refused(tmp_path: Path) -> None:
    for text, words in (("[1]", "expected a table"), ("{", "not JSON"), ('{"a": NaN}', "not JSON"), ("[" * 100_000, "nested too deeply"),
                        ("{}", "KernelSpecification.KernelName: expected a str that is not empty, found nothing")):  # fmt: skip
        assert words in mistakes(text, tmp_path)


def test_names_that_would_be_one_macro_are_refused(tmp_path: Path) -> None:
    data = small()
    data["ConfigurationSpace"]["TuningParameters"][1]["Name"] = "BLOCK_SIZE_X"
    assert "TuningParameters[1].Name: expected a name that differs from the others by more than case" in mistakes(
        data, tmp_path
    )


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    data = small(Language="HIP", SharedMemory=-1)
    data["ConfigurationSpace"]["TuningParameters"][0]["Values"] = "exit()"
    assert len(mistakes(data, tmp_path).splitlines()) == 3


def test_an_import_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    data = small()
    data["ConfigurationSpace"]["Conditions"] = [{"Parameters": [], "Expression": "9 ** 9 ** 9 ** 9 > 1"}]
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"odd\.json: the result does not fit into 64 bits"):
        import_t1(path, tmp_path / "made" / "odd")
    assert not list((tmp_path / "made").iterdir())


def test_the_command_writes_nothing_over_and_says_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["import", str(T1 / "pnpoly.T1.json"), "-o", str(tmp_path / "pnpoly")]
    assert main(argv) == 0
    said = capsys.readouterr().err
    assert "4,092 combinations, of which its conditions leave 4,092" in said
    assert "not carried:" in said
    assert main(argv) == ExitCode.BAD_INPUT
    assert "is there already" in capsys.readouterr().err


def test_lists_mean_what_python_means() -> None:
    for text in ("[1] + [2*i for i in range(1,11)]", "list(range(32, 1000+1, 32))", "[2**i for i in range(6)]", "range(5, 0, -2)",
                 "[i for i in range(3, 35, 2) if i % 3 != 0]", "(16, 32)", "sorted([3, 1, 2])", "[-1, +2, 3 // 2]"):  # fmt: skip
        assert list_of(text) == list(eval(text))  # noqa: S307 - the test's own texts
    with pytest.raises(NotUnderstood):
        list_of("f()")
    assert (
        rewritten("max(w) * ProblemSize[1] + min(a, 3)", {"problem_size_y", "a", "w"}, {"w": [3, 9, 5]})
        == "9 * problem_size_y + min(a, 3)"
    )
