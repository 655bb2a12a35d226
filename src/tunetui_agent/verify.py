"""Says whether a kernel's outputs are right: fresh inputs, a float64 reference, and the kernel's own check.

Inputs and references are cached per problem, within a bound on memory: two sets for verification, used in turn, and one for
timing.  Every set comes from a seed derived from the method's, so that a run can be repeated.
"""

from __future__ import annotations

import json
import traceback
import zlib
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from tunetui_agent.faults import TrialFault
from tunetui_agent.loaders import function_of, load_python, one_line
from tunetui_agent.messages import RunSpec, Trial
from tunetui_agent.references import References

ALIGNMENT = 64
"""Bytes to which every array is aligned: a cache line, and the widest vector load."""

GiB = 1 << 30
_VERIFICATION, _TIMING = ("verify-0", "verify-1"), "timing"


def aligned_empty(shape: tuple[int, ...], dtype: str, guard_bytes: int = 0) -> tuple[Any, Any]:
    """An uninitialised C-ordered array aligned to 64 bytes, and the bytes that hold it with a guard zone on either side.

    Returns:
        ``(array, raw)``: ``raw`` is uint8 and exactly ``guard_bytes`` longer on each side than the array.
    """
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    memory = np.empty(size + 2 * guard_bytes + ALIGNMENT, np.uint8)
    start = (-(memory.ctypes.data + guard_bytes)) % ALIGNMENT
    raw = memory[start : start + size + 2 * guard_bytes]
    return raw[guard_bytes : guard_bytes + size].view(kind).reshape(shape), raw


def poison_value(dtype: Any) -> Any:
    """What an output holds before a run: NaN for floats, the smallest value for integers."""
    return np.nan if np.dtype(dtype).kind in "fc" else (np.iinfo(dtype).min if np.dtype(dtype).kind in "iu" else False)


class InputSet:
    """The inputs of one problem from one seed, with the reference computed when first asked for."""

    def __init__(
        self,
        arrays: dict[str, Any],
        problem: dict[str, Any],
        reference: Callable[..., Any],
        kept: References | None = None,
    ) -> None:
        self.arrays = arrays
        self._problem = problem
        self._reference = reference
        self._kept = kept or References(None, {})
        self._expected: Any = None
        self._copies: list[dict[str, Any]] = []
        self._sums = {name: _checksum(array) for name, array in arrays.items()}

    @property
    def expected(self) -> Any:
        """The float64 reference, computed once, be it by an earlier process of the run."""
        if self._expected is None:
            key = self._kept.key(self._problem, self._sums)
            self._expected = self._kept.read(key)
            if self._expected is None:
                self._expected = _call("reference", self._reference, dict(self._problem), dict(self.arrays))
                self._kept.write(key, self._expected)
        return self._expected

    def places(self, count: int) -> list[dict[str, Any]]:
        """The arrays, and copies of them in memory of their own, so many in all."""
        while len(self._copies) < count - 1:
            self._copies.append({name: _copied(array, array.dtype) for name, array in self.arrays.items()})
        return [self.arrays, *self._copies[: count - 1]]

    def changed(self) -> str | None:
        """The name of an input whose bytes are no longer what they were, at any of its places, or None."""
        for name, total in self._sums.items():
            if _checksum(self.arrays[name]) != total:
                return name
            as_bytes = _bytes(self.arrays[name])
            if not all(np.array_equal(_bytes(copy[name]), as_bytes) for copy in self._copies):
                return name
        return None

    def size_bytes(self) -> int:
        """Memory held, reference and copies included."""
        return (1 + len(self._copies)) * _nbytes(self.arrays) + _nbytes(self._expected)


class Oracle:
    """Inputs, references and verdicts for the kernel of one run."""

    def __init__(self, spec: RunSpec, limit_bytes: int = 2 * GiB, references: Path | None = None) -> None:
        """``references`` is the folder that keeps references for the run's other processes."""
        self._spec = spec
        self._kept = References(references, spec.kernel.files)
        self._limit_bytes = limit_bytes
        self._sets: OrderedDict[str, InputSet] = OrderedDict()
        self._turns: dict[str, int] = {}
        self._module: Any = None

    def verification_inputs(self, trial: Trial) -> InputSet:
        """One of the problem's two verification sets, in turn, so that no trial can live off the one before."""
        key = json.dumps(trial.problem, sort_keys=True)
        turn = self._turns[key] = (self._turns.get(key, -1) + 1) % len(_VERIFICATION)
        return self._inputs(trial, _VERIFICATION[turn])

    def timing_inputs(self, trial: Trial) -> InputSet:
        """The set that every trial of the problem is timed on."""
        return self._inputs(trial, _TIMING)

    def foresee(self, trial: Trial) -> None:
        """Makes the problem's three sets with their references, before anybody waits for them."""
        for purpose in (*_VERIFICATION, _TIMING):
            _ = self._inputs(trial, purpose).expected

    def discard_damaged(self) -> None:
        """Forgets every set that a failed kernel has written to; it is made anew when next asked for."""
        for key in [key for key, known in self._sets.items() if known.changed()]:
            del self._sets[key]

    def judge(self, trial: Trial, inputs: InputSet, outputs: dict[str, Any]) -> dict[str, float]:
        """The check's figures, such as ``recall``.

        Raises:
            TrialFault: (wrong) with the reason; (errored) where the reference itself raised.
        """
        for name, array in outputs.items():
            _refuse_poison(name, array)
        check = function_of(self._reference(), "check", self._spec.kernel.reference)
        verdict = _call("check", check, dict(trial.problem), dict(inputs.arrays), inputs.expected, dict(outputs))
        if not isinstance(verdict, dict) or "ok" not in verdict:
            raise TrialFault("errored", f"{self._spec.kernel.reference}: check must return a dict with 'ok'")
        figures: dict[str, float] = _call("check", _figures, verdict)
        if not verdict["ok"]:
            raise TrialFault("wrong", str(verdict.get("cause") or "the check refused the output"), quality=figures)
        return figures

    def _reference(self) -> Any:
        if self._module is None:
            self._module = load_python(self._spec.kernel.files, self._spec.kernel.reference)
        return self._module

    def _inputs(self, trial: Trial, purpose: str) -> InputSet:
        wanted = {a.name: _declared(trial, a.name, a.dtype) for a in self._spec.kernel.arguments if a.role == "input"}
        key = json.dumps([purpose, trial.problem, wanted], sort_keys=True)
        if key not in self._sets:
            seed = derived_seed(self._spec.method.seed, purpose, trial.problem)
            self._sets[key] = self._make(trial, wanted, seed)
        self._sets.move_to_end(key)
        self._evict(keep=3)
        return self._sets[key]

    def _make(self, trial: Trial, wanted: dict[str, tuple[list[int], str]], seed: int) -> InputSet:
        file = self._spec.kernel.reference
        make = function_of(self._reference(), "make_inputs", file)
        reference = function_of(self._reference(), "reference", file)
        made = _call("make_inputs", make, dict(trial.problem), seed)
        if not isinstance(made, dict):
            raise TrialFault("errored", f"{file}: make_inputs must return a dict of arrays by name")
        arrays: dict[str, Any] = {}
        for name, (shape, dtype) in wanted.items():
            if name not in made:
                raise TrialFault("errored", f"{file}: make_inputs made no {name!r}")
            source = np.asarray(made.pop(name))
            if list(source.shape) != shape:
                raise TrialFault("errored", f"{file}: make_inputs: {name} is {list(source.shape)}, expected {shape}")
            arrays[name] = _call("make_inputs", _copied, source, dtype)
        return InputSet(arrays, trial.problem, reference, self._kept)

    def _evict(self, keep: int) -> None:
        """Drops the least recently used sets over the limit, but never the ones that the present problem needs."""
        while len(self._sets) > keep and sum(s.size_bytes() for s in self._sets.values()) > self._limit_bytes:
            self._sets.popitem(last=False)


def _copied(source: Any, dtype: str) -> Any:
    """Raises TypeError where that would lose more than precision, MemoryError where there is no room."""
    array, _ = aligned_empty(source.shape, dtype)
    np.copyto(array, source, casting="same_kind")
    return array


def _figures(verdict: dict[str, Any]) -> dict[str, float]:
    """What a check measured.  Raises ValueError or TypeError at what is no number."""
    numbers = {name: float(value) for name, value in verdict.items() if name not in ("ok", "cause")}
    return {name: number for name, number in numbers.items() if np.isfinite(number)}


def derived_seed(seed: int, purpose: str, problem: dict[str, Any]) -> int:
    """A 63-bit seed that differs by purpose and problem."""
    text = json.dumps([seed, purpose, problem], sort_keys=True).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 1


def _declared(trial: Trial, name: str, dtype: str) -> tuple[list[int], str]:
    if name not in trial.shapes:
        raise TrialFault("errored", f"the trial gives no shape for {name!r}")
    return list(trial.shapes[name]), trial.dtypes.get(name, dtype)


def _refuse_poison(name: str, array: Any) -> None:
    """Raises where an output still holds what it was poisoned with."""
    may_be_nan = array.dtype.kind in "fc"
    untouched = np.isnan(array) if may_be_nan else array == poison_value(array.dtype)
    count = int(np.count_nonzero(untouched))
    if array.size and count == array.size and array.dtype.kind in "fciu":
        what = "every element is NaN, or nothing was written" if may_be_nan else "nothing was written"
        raise TrialFault("wrong", f"output {name!r}: {what}")
    if count and may_be_nan:
        raise TrialFault("wrong", f"output {name!r}: {count} of {array.size} elements are NaN or were not written")


def _call(what: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # the kernel's own reference may raise anything
        raise TrialFault("errored", f"reference {what}: {one_line(error)}", traceback.format_exc()) from error


def _checksum(array: Any) -> int:
    """Adler-32 of the bytes: it sees values that changed place, and runs at memory speed."""
    return zlib.adler32(_bytes(array)) if array.size else 1


def _bytes(array: Any) -> Any:
    return array.reshape(-1).view(np.uint8)


def _nbytes(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(_nbytes(part) for part in value.values())
    return sum(_nbytes(part) for part in value) if isinstance(value, (list, tuple)) else 0
