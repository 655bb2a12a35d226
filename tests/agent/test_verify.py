from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.agent.kernel_folders import DOUBLE, DOUBLE_REFERENCE, double_spec, double_trial, failed, measured
from tunetui_agent.devices import open_device
from tunetui_agent.devices.cpu import CpuDevice
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.faults import TrialFault
from tunetui_agent.messages import TrialFailed, TrialMeasured
from tunetui_agent.verify import ALIGNMENT, Oracle, aligned_empty, derived_seed


@pytest.fixture(scope="module")
def cpu() -> CpuDevice:
    device = open_device("cpu")
    assert isinstance(device, CpuDevice)
    return device


def outcome_of(cpu: CpuDevice, source: str, reference: str = DOUBLE_REFERENCE) -> TrialMeasured | TrialFailed:
    return Evaluator(double_spec(source, reference), cpu).evaluate(double_trial(), None, lambda _: None)


def kernel(*lines: str) -> str:
    return "import numpy as np\ndef double(x, y, *, unroll):\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("lines", "status", "cause"),
    [
        (["pass"], "wrong", "'y': every element is NaN, or nothing was written"),
        (["y[:] = np.nan"], "wrong", "'y': every element is NaN"),
        (["y[:500] = 2 * x[:500]"], "wrong", "500 of 1000 elements are NaN or were not written"),
        (["y[:] = 2 * x; y[7] += 1"], "wrong", "off by 1"),
        (["y[:] = 2 * x; x[3] = 0"], "wrong", "changed its input 'x'"),
        (["y[:] = 2 * x; x[:] = x[::-1].copy()"], "wrong", "changed its input 'x'"),
        (["y[:] = 2 * x; x.sort(); raise KeyError('late')"], "errored", "KeyError: 'late'"),
        (["raise ValueError('no such\\n tile')"], "errored", "ValueError: no such tile"),
        (["raise SystemExit(3)"], "errored", "SystemExit: 3"),
        (["return 1 / 0"], "errored", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_kernel_is_refused_with_its_cause(cpu: CpuDevice, lines: list[str], status: str, cause: str) -> None:
    outcome = failed(outcome_of(cpu, kernel(*lines)))
    assert outcome.status == status
    assert cause in outcome.cause
    assert "\n" not in outcome.cause


@pytest.mark.parametrize("offset", [-4, 4000])
def test_writing_beside_the_output_is_found(cpu: CpuDevice, offset: int) -> None:
    # 1000 float32 are 4000 bytes: one element before the array, or one after it.
    source = kernel(
        "y[:] = 2 * x",
        "import ctypes",
        f"ctypes.memset(y.ctypes.data + {offset}, 0, 4)",
    )
    outcome = failed(outcome_of(cpu, source))
    assert outcome.cause == "wrote outside its output 'y'"


def test_a_traceback_shows_the_kernels_own_line(cpu: CpuDevice) -> None:
    outcome = failed(outcome_of(cpu, kernel("raise ValueError('here')")))
    assert "<kernel>/double.py" in outcome.detail
    assert "raise ValueError('here')" in outcome.detail


def test_a_source_that_does_not_parse_is_that_trials_failure(cpu: CpuDevice) -> None:
    outcome = failed(outcome_of(cpu, "def double(:\n"))
    assert outcome.status == "errored"
    assert outcome.cause.startswith("loading double.py: SyntaxError")


def test_a_missing_entry_is_named(cpu: CpuDevice) -> None:
    assert failed(outcome_of(cpu, "x = 1\n")).cause == "double.py defines no function 'double'"


def test_a_kernel_that_goes_wrong_only_while_timed_is_wrong(cpu: CpuDevice) -> None:
    source = "calls = []\n" + kernel("calls.append(1)", "y[:] = 2 * x if len(calls) < 3 else 3 * x")
    outcome = failed(outcome_of(cpu, source))
    assert outcome.status == "wrong"
    assert outcome.cause.startswith("after timing: off by")


def test_a_kernel_that_stops_writing_while_timed_is_wrong(cpu: CpuDevice) -> None:
    source = "calls = []\n" + kernel("calls.append(1)", "if len(calls) < 3: y[:] = 2 * x")
    outcome = failed(outcome_of(cpu, source))
    assert "nothing was written" in outcome.cause


def test_an_answer_remembered_from_the_trial_before_is_wrong(cpu: CpuDevice) -> None:
    source = "import builtins\n" + kernel(
        "if not hasattr(builtins, 'tunetui_test_answer'): builtins.tunetui_test_answer = 2 * x",
        "y[:] = builtins.tunetui_test_answer",
    )
    evaluator = Evaluator(double_spec(source), cpu)
    outcomes = [evaluator.evaluate(double_trial(), None, lambda _: None) for _ in range(2)]
    assert all(failed(outcome).status == "wrong" for outcome in outcomes)


def test_damaged_inputs_are_made_anew_for_the_next_trial(cpu: CpuDevice) -> None:
    source = kernel("y[:] = 2 * x", "if unroll == 2: x[0] = -5", "if unroll == 3: x[1] = -5; raise ValueError")
    evaluator = Evaluator(double_spec(source), cpu)
    for unroll in (2, 2, 3, 3):
        failed(evaluator.evaluate(double_trial(unroll=unroll), None, lambda _: None))
    for _ in range(2):
        measured(evaluator.evaluate(double_trial(unroll=1), None, lambda _: None))


def test_a_reference_that_raises_blames_the_reference(cpu: CpuDevice) -> None:
    reference = DOUBLE_REFERENCE.replace("return 2 * inputs", "raise ValueError('bad day')\n    return 2 * inputs")
    outcome = failed(outcome_of(cpu, DOUBLE, reference))
    assert (outcome.status, outcome.cause) == ("errored", "reference reference: ValueError: bad day")


def test_inputs_of_another_shape_than_declared_are_refused(cpu: CpuDevice) -> None:
    reference = DOUBLE_REFERENCE.replace('problem["size"], dtype', "3, dtype")
    outcome = failed(outcome_of(cpu, DOUBLE, reference))
    assert "make_inputs: x is [3], expected [1000]" in outcome.cause


def test_integers_that_were_not_written_are_found(cpu: CpuDevice) -> None:
    trial = replace(double_trial(), dtypes={"y": "int32"})
    outcome = failed(Evaluator(double_spec(kernel("pass")), cpu).evaluate(trial, None, lambda _: None))
    assert outcome.cause == "output 'y': nothing was written"


def test_verification_sets_alternate_and_differ_from_the_timing_set() -> None:
    oracle = Oracle(double_spec())
    first, second, third = (oracle.verification_inputs(double_trial()) for _ in range(3))
    timing = oracle.timing_inputs(double_trial())
    assert first is third
    assert not np.array_equal(first.arrays["x"], second.arrays["x"])
    assert not np.array_equal(first.arrays["x"], timing.arrays["x"])


def test_the_same_seed_makes_the_same_inputs_in_another_run() -> None:
    one, other = (Oracle(double_spec()).timing_inputs(double_trial()).arrays["x"] for _ in range(2))
    assert np.array_equal(one, other)
    assert derived_seed(0, "timing", {"size": 1}) != derived_seed(1, "timing", {"size": 1})


def test_the_reference_is_computed_once_per_set() -> None:
    reference = "calls = []\n" + DOUBLE_REFERENCE.replace(
        "return 2 * inputs", "calls.append(1)\n    return len(calls) * inputs"
    )
    inputs = Oracle(double_spec(reference=reference)).timing_inputs(double_trial())
    assert inputs.expected is inputs.expected
    assert float(inputs.expected[0]) == pytest.approx(float(inputs.arrays["x"][0]))


def test_cached_inputs_stay_within_their_bound() -> None:
    oracle = Oracle(double_spec(), limit_bytes=40_000)
    for size in range(1000, 3000, 100):
        oracle.timing_inputs(double_trial(size))
    assert sum(held.size_bytes() for held in oracle._sets.values()) <= 40_000
    assert len(oracle._sets) >= 3


@pytest.mark.parametrize(("shape", "dtype"), [((7, 3), "float32"), ((1,), "int8"), ((0,), "float64"), ((), "int64")])
def test_arrays_are_aligned_and_guarded_on_both_sides(shape: tuple[int, ...], dtype: str) -> None:
    array, raw = aligned_empty(shape, dtype, guard_bytes=4096)
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.size == 0 or array.ctypes.data % ALIGNMENT == 0
    assert raw.nbytes == array.nbytes + 8192
    assert array.size == 0 or array.ctypes.data - raw.ctypes.data == 4096


def test_a_fault_takes_only_known_statuses() -> None:
    with pytest.raises(ValueError, match="no failure status"):
        TrialFault("broken", "cause")


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        ('"max_abs_error": error}', '"max_abs_error": error, "note": "fine"}', "reference check: ValueError"),
        ('"max_abs_error": error}', '"max_abs_error": None}', "reference check: TypeError"),
        ('return {"x": np', 'return {"x": 1j * np', "reference make_inputs: TypeError"),
        ("    return {", "    return 3\n    return {", "make_inputs must return a dict"),
    ],
)
def test_a_reference_that_answers_with_something_else_costs_the_trial_and_not_the_worker(
    cpu: CpuDevice, before: str, after: str, cause: str
) -> None:
    assert before in DOUBLE_REFERENCE
    outcome = failed(outcome_of(cpu, DOUBLE, DOUBLE_REFERENCE.replace(before, after, 1)))
    assert outcome.status == "errored"
    assert cause in outcome.cause
