"""One trial's kernel in this process: its arrays with guard zones, its call, and the clock around the call."""

from __future__ import annotations

import ctypes
import time
import traceback
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from tunetui_agent.devices import CHANGED_INPUT
from tunetui_agent.devices.placing import Turns, placements_of
from tunetui_agent.faults import TrialFault
from tunetui_agent.loaders import C_SCALARS, function_of, load_python, load_shared, one_line
from tunetui_agent.messages import Argument, Implementation, RunSpec, Trial, Value
from tunetui_agent.verify import InputSet, aligned_empty, poison_value

GUARD_BYTES = 4096
GUARD_BYTE = 0xA5
"""What the zones before and after every array that the kernel may write hold."""

_OVERHEAD_CALLS = 200


class CpuExecution:
    """A Python function or a function of a shared library, with its arguments, ready to be called again and again."""

    def __init__(
        self,
        spec: RunSpec,
        implementation: Implementation,
        trial: Trial,
        artifact: str | None,
        evict: Callable[[], None] | None,
        room_bytes: int,
    ) -> None:
        """``evict`` makes the caches cold before each sample; None measures them hot.  ``room_bytes`` is for copies of inputs."""
        if len(implementation.launches) != 1:
            raise TrialFault("unsupported", f"{implementation.name}: a CPU implementation has exactly one entry")
        self._spec, self._implementation, self._trial = spec, implementation, trial
        self._evict, self._room_bytes = evict, room_bytes
        self._declared = {argument.name: argument for argument in spec.kernel.arguments}
        self._written: dict[str, Any] = {}
        self._guarded: dict[str, Any] = {}
        self._inputs: InputSet | None = None
        self._allocate()
        self._native = implementation.language != "python"
        self._function = self._load(artifact)
        self._call: Callable[[], Any] = _nothing
        self._turns: Turns[Callable[[], Any]] | None = None
        self._arguments: list[Any] = []

    def bind(self, inputs: InputSet) -> None:
        """The next runs read these inputs, in place: a kernel that writes to them is found out by `damage`."""
        self._inputs, self._turns = inputs, None
        self._arguments = self._arguments_of(inputs.arrays)
        self._call = self._bound(self._function)

    def poison(self) -> None:
        """Fills outputs and scratch with values that no kernel writes, renews the guard zones; counters stay as they are."""
        for name, array in self._written.items():
            raw = self._guarded[name]
            raw[:GUARD_BYTES] = GUARD_BYTE
            raw[GUARD_BYTES + array.nbytes :] = GUARD_BYTE
        self._fill_with_poison("output", "scratch")

    def run(self) -> None:
        """One execution.  Raises `TrialFault` (errored) with what a Python kernel raised."""
        self._guard(self._call)

    def outputs(self) -> list[dict[str, Any]]:
        """The output arrays themselves, which are the same at every place of the inputs; the next run overwrites them."""
        return [{name: array for name, array in self._written.items() if self._declared[name].role == "output"}]

    def damage(self) -> str | None:
        """A guard zone, an input or a counter that is not as it was."""
        for name, raw in self._guarded.items():
            size, role = self._written[name].nbytes, self._declared[name].role
            if not (np.all(raw[:GUARD_BYTES] == GUARD_BYTE) and np.all(raw[GUARD_BYTES + size :] == GUARD_BYTE)):
                return f"wrote outside its {role} {name!r}"
            if role == "counter" and self._written[name].any():
                return f"left its counter {name!r} other than zero"
        changed = self._inputs.changed() if self._inputs else None
        return f"{CHANGED_INPUT} {changed!r}" if changed else None

    def samples(self, count: int, deadline: float) -> list[int]:
        """Nanoseconds of up to ``count`` executions, each with cold caches if so asked."""
        self._fill_with_poison("output")
        taken: list[int] = []
        turns = self._placed()
        self._guard(lambda: self._fill(taken, count, deadline, turns))
        return taken

    def placements(self) -> int:
        """How many places of the inputs the samples took turns over."""
        return len(self._turns) if self._turns else 1

    def tags(self) -> list[str]:
        """None: the host is the device."""
        return []

    def repeat(self, count: int) -> str:
        """Executions back to back; on a CPU nothing is evicted between them."""
        self._guard(lambda: [self._call() for _ in range(count)])
        return "as the executions leave them"

    def resources(self) -> dict[str, Value]:
        """Nothing is known of a CPU kernel's registers; the bytes that it works on are."""
        inputs = self._inputs.arrays.values() if self._inputs else ()
        return {"working_set_bytes": sum(int(a.nbytes) for a in [*inputs, *self._written.values()])}

    def overhead_ns(self) -> float:
        """Median time of a call with the same arguments to a function that does nothing."""
        call = self._bound(ctypes.CDLL(None).labs if self._native else _nothing)
        taken: list[int] = []
        clock = time.perf_counter_ns
        for _ in range(_OVERHEAD_CALLS):
            begun = clock()
            call()
            taken.append(clock() - begun)
        return float(median(taken))

    def _fill_with_poison(self, *roles: str) -> None:
        for name, array in self._written.items():
            if self._declared[name].role in roles:
                array.fill(poison_value(array.dtype))

    def _placed(self) -> Turns[Callable[[], Any]]:
        if self._turns is None:
            places = self._places()
            self._turns = Turns([self._bound(self._function, self._arguments_of(arrays)) for arrays in places])
        return self._turns

    def _places(self) -> list[dict[str, Any]]:
        if self._inputs is None:
            return [{}]
        size = sum(int(array.nbytes) for array in self._inputs.arrays.values())
        try:
            return self._inputs.places(placements_of(self._spec.method, size, self._room_bytes))
        except MemoryError:
            return [self._inputs.arrays]

    def _fill(self, taken: list[int], count: int, deadline: float, turns: Turns[Callable[[], Any]]) -> None:
        """The timed loop: nothing but the call stands between the two readings of the clock."""
        evict, clock = self._evict, time.perf_counter_ns
        while len(taken) < count:
            call = turns.take()
            if evict is not None:
                evict()
            begun = clock()
            call()
            ended = clock()
            taken.append(ended - begun)
            if time.perf_counter() >= deadline:
                return

    def _guard(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except (Exception, SystemExit) as error:  # a stranger's kernel may raise anything
            raise TrialFault("errored", one_line(error), traceback.format_exc()) from error

    def _allocate(self) -> None:
        for name in self._implementation.launches[0].arguments:
            argument = self._declared.get(name)
            if argument is None:
                raise TrialFault("errored", f"{self._implementation.name} passes {name!r}, which [arguments] lacks")
            if argument.role not in ("output", "scratch", "counter"):
                continue
            shape = self._trial.shapes.get(name)
            if shape is None:
                raise TrialFault("errored", f"the trial gives no shape for {name!r}")
            dtype = self._trial.dtypes.get(name, argument.dtype)
            try:
                self._written[name], self._guarded[name] = aligned_empty(tuple(shape), dtype, GUARD_BYTES)
            except MemoryError as error:
                raise TrialFault("errored", f"out of memory: {name} is {shape} of {dtype}") from error
            if argument.role == "counter":
                self._written[name].fill(0)

    def _load(self, artifact: str | None) -> Any:
        entry = self._implementation.launches[0].entry
        if self._native:
            if artifact is None:
                raise TrialFault("errored", f"{self._implementation.name} was not built")
            return load_shared(artifact)
        source = self._implementation.source
        return function_of(load_python(self._spec.kernel.files, source), entry, source)

    def _arguments_of(self, arrays: dict[str, Any]) -> list[Any]:
        return [self._argument(name, arrays) for name in self._implementation.launches[0].arguments]

    def _argument(self, name: str, arrays: dict[str, Any]) -> Any:
        argument = self._declared[name]
        if argument.role == "scalar":
            return self._scalar(argument)
        array = self._written[name] if name in self._written else arrays[name]
        return ctypes.c_void_p(array.ctypes.data) if self._native else array

    def _scalar(self, argument: Argument) -> Any:
        if argument.name not in self._trial.scalars:
            raise TrialFault("errored", f"the trial gives no value for scalar {argument.name!r}")
        value = self._trial.scalars[argument.name]
        dtype = self._trial.dtypes.get(argument.name, argument.dtype)
        if not self._native:
            return value
        if dtype not in C_SCALARS:
            raise TrialFault("unsupported", f"scalar {argument.name!r} has dtype {dtype}; use {', '.join(C_SCALARS)}")
        return C_SCALARS[dtype](value)

    def _bound(self, function: Any, arguments: list[Any] | None = None) -> Callable[[], Any]:
        """A call without arguments; a Python kernel gets its parameters by keyword."""
        arguments = self._arguments if arguments is None else arguments
        if self._native:
            return lambda: function(*arguments)
        known = {**self._trial.problem, **self._trial.configuration}
        keywords = {name: known[name] for name in self._implementation.parameters if name in known}
        return lambda: function(*arguments, **keywords)


def _nothing(*arguments: Any, **keywords: Any) -> None:
    """The empty call whose time is the harness's own."""
