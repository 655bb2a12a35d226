"""One trial's kernel on a GPU: its buffers with guard zones, its launches, and CUDA events around them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from tunetui_agent.devices import CHANGED_INPUT
from tunetui_agent.devices.gpu_buffers import GUARD_BYTE, GpuBuffers
from tunetui_agent.devices.gpu_faults import cuda_faults
from tunetui_agent.devices.gpu_loading import LoadedLaunch, load_launches
from tunetui_agent.devices.gpu_rotation import Rotation, rotation_of
from tunetui_agent.devices.gpu_trace import REASON, Tracer
from tunetui_agent.devices.placing import Turns
from tunetui_agent.faults import TrialFault
from tunetui_agent.messages import Implementation, RunSpec, Trial, Value
from tunetui_agent.verify import InputSet

if TYPE_CHECKING:
    from tunetui_agent.devices.gpu import GpuDevice

HOST_BOUND = "host-bound"
"""The tag of samples that the host was part of."""

_OVERHEAD_LAUNCHES = 50
_HOST_BOUND_SHARE = 0.1


@dataclass(frozen=True)
class _Place:
    """The kernel with its arguments at one place in memory."""

    call: Callable[[], None]
    buffers: GpuBuffers


class GpuExecution:
    """Launches of built kernels, or a Python function over CuPy arrays, on one stream."""

    def __init__(
        self, device: GpuDevice, spec: RunSpec, implementation: Implementation, trial: Trial, artifact: str | None
    ) -> None:
        self._device, self._cupy = device, device.cupy
        self._spec, self._implementation, self._trial = spec, implementation, trial
        self._declared = {argument.name: argument for argument in spec.kernel.arguments}
        self._inputs: dict[str, Any] = {}
        self._bound: InputSet | None = None
        self._queueing_seconds = 0.0  # what the host takes to queue one execution
        self._sampled = self._begun_early = 0  # samples; those that began before the host had queued all of them
        with self._faults():
            self._buffers = [self._allocated()]  # one for each place; all but the samples use the first
            self._launches = load_launches(device, implementation, trial, artifact)
            for launch in self._launches:
                launch.allow_shared()
        self._artifact = artifact
        self._call: Callable[[], None] = lambda: None
        self._bound_arguments: list[tuple[Any, ...]] = []  # of each launch, at the first place
        self._rotation: Rotation | None = None
        self._turns: Turns[_Place] | None = None

    def bind(self, inputs: InputSet) -> None:
        """The next runs read these inputs, uploaded once and kept on the device."""
        with self._faults():
            self._bound = inputs
            self._inputs, self._rotation, self._turns = self._device.upload(inputs), None, None
            if self._implementation.language != "python":
                self._bound_arguments = self._arguments(self._inputs, self._buffers[0])
            self._call = self._bound_call(self._inputs, self._buffers[0])

    def poison(self) -> None:
        """Outputs and scratch get values that no kernel writes, at every place; guard zones are renewed; counters stay as they are."""
        with self._faults():
            for buffers in self._buffers:
                buffers.poison()

    def run(self) -> None:
        """One execution, waited for."""
        with self._faults():
            begun = time.perf_counter()
            self._call()
            self._buffers[0].used()
            self._queueing_seconds = time.perf_counter() - begun
            self._device.synchronize()

    def outputs(self) -> list[dict[str, Any]]:
        """Copies of the outputs on the host, of every place that was written since they were poisoned; where alike, once."""
        with self._faults():
            written = [each.outputs() for each in self._buffers if each.is_written] or [self._buffers[0].outputs()]
        return list({tuple(array.tobytes() for array in each.values()): each for each in written}.values())

    def damage(self) -> str | None:
        """A guard zone, an input or a counter that is not as it was."""
        with self._faults():
            harness = self._device.harness
            guards = [zone for buffers in self._buffers for zone in buffers.guards()]
            counters = [counter for buffers in self._buffers for counter in buffers.counters()]
            if harness.bytes_other_than(GUARD_BYTE, guards) or harness.bytes_other_than(0, counters):
                return next(filter(None, (buffers.damage() for buffers in self._buffers)), None)
            changed = self._device.changed_input(self._bound) if self._bound else None
            return f"{CHANGED_INPUT} {changed!r}" if changed else None

    def samples(self, count: int, deadline: float) -> list[int]:
        """Nanoseconds of up to ``count`` executions by CUDA events, each after an L2 flush where the method says cold.

        A wait kernel, and where caches are cold the flush before it, still runs while the host queues the launches, so
        that no sample contains the host's own time.  Nothing is queued behind a sample before it is over: what the
        device has fetched of later work decides up to a microsecond of a sample, and differs from queue to queue.

        Scratch memory is not poisoned again: where a kernel looks at what lies there before it writes, the first execution
        after that is another than all later ones.  For the same reason the first at each place is not timed.
        """
        taken: list[int] = []
        with self._faults():
            turns = self._placed()
            for buffers in self._buffers:
                buffers.poison_outputs()
            while len(taken) < count and (not taken or time.perf_counter() < deadline):
                taken.append(self._sample(turns.take()))
        return taken

    def placements(self) -> int:
        """How many places in memory the samples took turns over."""
        return len(self._turns) if self._turns else 1

    def _placed(self) -> Turns[_Place]:
        if self._turns is None:
            size = self._buffers[0].size_bytes
            inputs = self._device.placed(self._bound, self._spec.method, size) if self._bound else [self._inputs]
            while len(self._buffers) < len(inputs):
                self._buffers.append(self._buffers[0].another())
            pairs = zip(inputs, self._buffers, strict=False)  # another set of inputs may have had room for more places
            self._turns = Turns([_Place(self._bound_call(arrays, buffers), buffers) for arrays, buffers in pairs])
        return self._turns

    def _sample(self, place: _Place) -> int:
        (start, stop), stream = self._device.events, self._device.stream
        if not place.buffers.is_used:
            place.call()
            place.buffers.poison_outputs()
        if self._spec.method.cache == "cold":
            self._device.flush()
        # Twice what the last execution took to queue: a library's call is many launches and Python between them.
        self._device.harness.wait(2 * self._queueing_seconds)
        start.record(stream)
        place.call()
        stop.record(stream)
        place.buffers.used()
        self._sampled += 1
        self._begun_early += bool(start.done)
        self._device.synchronize()
        elapsed_ms: float = self._cupy.cuda.get_elapsed_time(start, stop)
        return round(elapsed_ms * 1e6)

    def tags(self) -> list[str]:
        """`HOST_BOUND` where the device had begun before the host had queued everything: a call that waits for the device itself."""
        return [HOST_BOUND] if self._begun_early > _HOST_BOUND_SHARE * self._sampled else []

    def repeat(self, count: int) -> str:
        """Executions back to back; where the method says cold, over copies of the inputs that together exceed the L2."""
        with self._faults():
            if self._rotation is None:
                self._rotation = self._rotated()
            self._rotation.run(count)
            self._buffers[0].used()
            self._device.synchronize()
        return self._rotation.caches

    def _rotated(self) -> Rotation:
        own = self._inputs
        cold = self._spec.method.cache == "cold"
        copies, caches = rotation_of(self._device.device.attributes["l2_bytes"], own.values(), cold=cold)
        others = [{name: array.copy() for name, array in own.items()} for _ in range(copies - 1)]
        return Rotation([self._bound_call(arrays, self._buffers[0]) for arrays in (own, *others)], caches)

    def resources(self) -> dict[str, Value]:
        """Registers, memory and occupancy: of the first launch by plain names, of later ones prefixed by their entry."""
        figures: dict[str, Value] = {"working_set_bytes": self._working_set()}
        for place, launch in enumerate(self._launches):
            prefix = "" if place == 0 else f"{launch.entry}."
            figures.update({prefix + name: value for name, value in launch.resources().items()})
        with self._faults():
            figures.update(self._device.matmul_ceiling(str(self._trial.problem.get("dtype", ""))))
            if self._spec.method.occupancy == "traced":
                figures.update(Tracer(self._device, self._launches, self._artifact).measure(self._bound_arguments))
            else:
                figures[REASON] = "n/a: not asked for (method.occupancy)"
        return figures

    def overhead_ns(self) -> float:
        """Median event time around as many empty launches as this execution makes."""
        with self._faults():
            start, stop = self._device.events
            taken = []
            for _ in range(_OVERHEAD_LAUNCHES):
                self._device.harness.wait(0.0)
                start.record(self._device.stream)
                for _ in range(max(1, len(self._launches))):
                    self._device.harness.empty()
                stop.record(self._device.stream)
                self._device.synchronize()
                taken.append(self._cupy.cuda.get_elapsed_time(start, stop) * 1e6)
            return float(median(taken))

    def _faults(self) -> Any:
        return cuda_faults(self._device)

    def _working_set(self) -> int:
        return sum(int(array.nbytes) for array in self._inputs.values()) + self._buffers[0].size_bytes

    def _allocated(self) -> GpuBuffers:
        names = dict.fromkeys(n for launch in self._implementation.launches for n in launch.arguments)
        for name in names:
            if name not in self._declared:
                raise TrialFault("errored", f"{self._implementation.name} passes {name!r}, which [arguments] lacks")
        return GpuBuffers(self._device, [self._declared[name] for name in names], self._trial)

    def _bound_call(self, inputs: dict[str, Any], buffers: GpuBuffers) -> Callable[[], None]:
        arguments = self._arguments(inputs, buffers)
        if self._implementation.language == "python":
            return self._python_call(arguments[0])
        return _sequence(list(zip(self._launches, arguments, strict=True)))

    def _arguments(self, inputs: dict[str, Any], buffers: GpuBuffers) -> list[tuple[Any, ...]]:
        at_hand = {**inputs, **buffers.arrays}
        return [tuple(self._argument(n, at_hand) for n in launch.arguments) for launch in self._implementation.launches]

    def _argument(self, name: str, arrays: dict[str, Any]) -> Any:
        argument = self._declared[name]
        if argument.role != "scalar":
            return arrays[name]
        if name not in self._trial.scalars:
            raise TrialFault("errored", f"the trial gives no value for scalar {name!r}")
        dtype = self._trial.dtypes.get(name, argument.dtype)
        return np.dtype(dtype).type(self._trial.scalars[name])

    def _python_call(self, arguments: tuple[Any, ...]) -> Callable[[], None]:
        """A Python function over CuPy arrays, queued on the same stream: how libraries are measured under the same rules."""
        function = self._launches[0].function
        known = {**self._trial.problem, **self._trial.configuration}
        keywords = {name: known[name] for name in self._implementation.parameters if name in known}

        return lambda: function(*arguments, **keywords)


def _sequence(launches: list[tuple[LoadedLaunch, tuple[Any, ...]]]) -> Callable[[], None]:
    def call() -> None:
        for launch, arguments in launches:
            launch(arguments)

    return call
