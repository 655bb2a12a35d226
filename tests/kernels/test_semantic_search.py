from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.agent.kernel_folders import KERNELS, folder_spec, folder_trial, measured
from tunetui_agent.build import open_builder
from tunetui_agent.build.mojo_toolchain import find_toolchain
from tunetui_agent.devices import open_device
from tunetui_agent.devices.cpu import target
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.messages import Value

FOLDER = KERNELS / "semantic-search"

PROBLEM: dict[str, Any] = {"corpus_size": 500, "dims": 24, "queries": 3, "k": 5, "dtype": "float32"}


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load("reference")


def right_answer(inputs: dict[str, Any]) -> dict[str, Any]:
    scores = inputs["query_rows"] @ inputs["corpus"].T
    order = np.argsort(-scores, axis=1, kind="stable")[:, : PROBLEM["k"]].astype(np.int32)
    return {"scores": np.take_along_axis(scores, order.astype(np.int64), axis=1), "indices": order}


def verdict_on(outputs: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    return dict(reference.check(PROBLEM, inputs, reference.reference(PROBLEM, inputs), outputs))


@pytest.fixture
def inputs() -> dict[str, Any]:
    return dict(reference.make_inputs(PROBLEM, 5))


def test_inputs_are_unit_vectors_that_a_seed_repeats(inputs: dict[str, Any]) -> None:
    again = reference.make_inputs(PROBLEM, 5)
    for name, array in inputs.items():
        assert array.dtype == np.float32
        assert np.allclose(np.linalg.norm(array, axis=1), 1.0, atol=1e-6)
        assert np.array_equal(array, again[name])
    assert not np.array_equal(inputs["corpus"], reference.make_inputs(PROBLEM, 6)["corpus"])


def test_the_reference_agrees_with_a_plain_loop(inputs: dict[str, Any]) -> None:
    found = reference.reference(PROBLEM, inputs)
    for q, query in enumerate(inputs["query_rows"].astype(np.float64)):
        every = sorted((float(query @ row) for row in inputs["corpus"].astype(np.float64)), reverse=True)
        assert np.allclose(found[q], every[:5], atol=1e-15)


def in_float64(inputs: dict[str, Any], k: int) -> Any:
    scores = inputs["query_rows"].astype(np.float64) @ inputs["corpus"].astype(np.float64).T
    return -np.sort(-scores, axis=1)[:, :k]


@pytest.mark.parametrize(
    ("corpus_size", "queries", "k", "dtype"),
    [(5000, 70, 10, np.float32), (5000, 3, 10, np.float16), (2049, 1, 1, np.float32), (20, 2, 20, np.float32)],
)
def test_the_reference_is_that_of_float64_throughout(corpus_size: int, queries: int, k: int, dtype: Any) -> None:
    problem = {"corpus_size": corpus_size, "dims": 40, "queries": queries, "k": k}
    inputs = {name: array.astype(dtype) for name, array in reference.make_inputs(problem, 3).items()}
    found = reference.reference(problem, inputs)
    assert found.shape == (queries, k)
    assert np.abs(found - in_float64(inputs, k)).max() < 1e-14


def test_rows_too_near_for_float32_to_choose_among_are_decided_in_float64() -> None:
    problem = {"corpus_size": 3000, "dims": 32, "queries": 4, "k": 5}
    inputs = reference.make_inputs(problem, 2)
    query = inputs["query_rows"][0]
    for place in range(100):  # more than there are spare candidates, apart by less than float32 rounds
        inputs["corpus"][1000 + 7 * place] = query * np.float32(1 + place % 3 * 2.0**-23)
    found = reference.reference(problem, inputs)
    assert np.abs(found - in_float64(inputs, 5)).max() < 1e-15


def test_the_right_answer_is_accepted(inputs: dict[str, Any]) -> None:
    verdict = verdict_on(right_answer(inputs), inputs)
    assert verdict["ok"], verdict["cause"]
    assert verdict["recall"] == 1.0
    assert verdict["max_abs_error"] < 1e-6


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda out: out["indices"].__setitem__((0, 0), -1), "1 of 15 indices lie outside"),
        (lambda out: out["indices"].__setitem__((2, 4), 500), "1 of 15 indices lie outside"),
        (lambda out: out["indices"].__setitem__((1, 1), out["indices"][1, 0]), "returned twice"),
        (lambda out: out["scores"].__setitem__((0, 2), out["scores"][0, 2] + 0.01), "differs from its row's"),
        (lambda out: [part.__setitem__(0, part[0, ::-1].copy()) for part in out.values()], "not sorted"),
    ],
)
def test_a_wrong_answer_is_refused_with_its_cause(inputs: dict[str, Any], change: Any, cause: str) -> None:
    outputs = right_answer(inputs)
    change(outputs)
    verdict = verdict_on(outputs, inputs)
    assert not verdict["ok"]
    assert cause in verdict["cause"]


def test_a_consistent_answer_that_misses_a_row_is_refused_for_its_recall(inputs: dict[str, Any]) -> None:
    outputs = right_answer(inputs)
    scores = inputs["query_rows"][0] @ inputs["corpus"].T
    sixth = int(np.argsort(-scores)[5])
    outputs["indices"][0, 4], outputs["scores"][0, 4] = sixth, scores[sixth]
    verdict = verdict_on(outputs, inputs)
    assert not verdict["ok"]
    assert verdict["recall"] == pytest.approx(14 / 15)
    assert "recall 0.9333 is below 1.0" in verdict["cause"]


@pytest.mark.parametrize("dtype", ["float32", "tf32", "float16"])
def test_the_best_rows_are_right_in_every_arithmetic_however_their_exact_scores_are_summed(dtype: str) -> None:
    problem = {"corpus_size": 400, "dims": 768, "queries": 200, "k": 10, "dtype": dtype}
    inputs = reference.make_inputs(problem, 1)
    scores = inputs["query_rows"].astype(np.float64) @ inputs["corpus"].astype(np.float64).T
    order = np.argsort(-scores, axis=1)[:, :10]
    outputs = {"scores": np.take_along_axis(scores, order, 1).astype(np.float32), "indices": order.astype(np.int32)}
    for expected in (reference.reference(problem, inputs), np.take_along_axis(scores, order, 1)):
        assert reference.check(problem, inputs, expected, outputs)["recall"] == 1.0


def test_either_of_two_tied_rows_is_right(inputs: dict[str, Any]) -> None:
    best = right_answer(inputs)["indices"]
    fifth, spare = int(best[0, 4]), next(row for row in range(500) if row not in best)
    inputs["corpus"][spare] = inputs["corpus"][fifth]
    outputs = right_answer(inputs)
    chosen = outputs["indices"][0, 4]
    outputs["indices"][0, 4] = spare if chosen == fifth else fifth
    verdict = verdict_on(outputs, inputs)
    assert verdict["ok"], verdict["cause"]
    assert verdict["recall"] == 1.0


SHAPES: list[dict[str, Value]] = [
    {"corpus_size": 1000, "dims": 768, "queries": 1, "k": 10},
    {"corpus_size": 257, "dims": 100, "queries": 7, "k": 1},  # dims no multiple of a vector, ragged tiles
    {"corpus_size": 9, "dims": 768, "queries": 2, "k": 9},  # every row is an answer, fewer rows than a tile
]


@pytest.mark.parametrize("problem", SHAPES)
def test_every_numpy_configuration_is_right(problem: dict[str, Value]) -> None:
    spec = folder_spec(FOLDER)
    evaluator = Evaluator(spec, open_device("cpu"))
    for tile_rows in (4, 64, 4096):
        for select in ("argpartition", "sort"):
            for threads in (1, 2):
                configuration: dict[str, Value] = {"tile_rows": tile_rows, "select": select, "threads": threads}
                trial = folder_trial(FOLDER, "numpy", problem, configuration)
                assert measured(evaluator.evaluate(trial, None, lambda _: None)).quality["recall"] == 1.0


@pytest.mark.skipif(not find_toolchain().available, reason=f"the mojo extra is missing: {find_toolchain().reason}")
def test_every_mojo_configuration_is_right(tmp_path: Path) -> None:
    spec, builder = folder_spec(FOLDER), open_builder("mojo", tmp_path)
    mojo = next(each for each in spec.kernel.implementations if each.name == "mojo")
    trials = [
        folder_trial(
            FOLDER,
            "mojo",
            problem,
            {"row_block": rows, "query_block": columns, "tile_rows": tile_rows, "threads": threads},
        )
        for problem in SHAPES
        for rows, columns in ((1, 1), (6, 4))
        for tile_rows in (1, 24)
        for threads in (1, 3)
    ]
    assert all(record.ok for record in builder.build(spec, mojo, trials, target()))
    evaluator = Evaluator(spec, open_device("cpu"))
    for trial in trials:
        folder = str(builder.folder(str(builder.key(spec, mojo, trial, target()))))
        assert measured(evaluator.evaluate(trial, folder, lambda _: None)).quality["recall"] == 1.0
