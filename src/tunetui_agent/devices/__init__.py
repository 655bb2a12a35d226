"""Finds the devices of this host and opens one of them; every kind of device offers the same protocol.

A new kind of device is one module with ``probe() -> list[Device]`` and ``open_device(id) -> OpenDevice``,
named in `_MODULES`.  Nothing here imports NumPy; opening a device may.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from tunetui_agent.messages import Device, Implementation, RunSpec, Trial, Value

if TYPE_CHECKING:
    from tunetui_agent.build import Target
    from tunetui_agent.devices.energy import EnergyMeter
    from tunetui_agent.verify import InputSet

CHANGED_INPUT = "changed its input"
"""How `Execution.damage` begins where a kernel wrote to what it must only read."""

_MODULES = ("tunetui_agent.devices.cpu", "tunetui_agent.devices.gpu")


class Execution(Protocol):
    """One trial's kernel, loaded, with its buffers on the device.  Faults are raised as `TrialFault`."""

    def bind(self, inputs: InputSet) -> None:
        """The next runs read these inputs."""

    def poison(self) -> None:
        """Fills outputs and scratch with values that no kernel writes: NaN, or the smallest integer."""

    def run(self) -> None:
        """One execution, waited for, not timed."""

    def outputs(self) -> list[dict[str, Any]]:
        """The outputs as NumPy arrays, valid until the next run: at each place written since they were poisoned; alike ones once."""

    def damage(self) -> str | None:
        """What the kernel wrote that it must not have (outside its outputs, into its inputs), or None."""

    def samples(self, count: int, deadline: float) -> list[int]:
        """Nanoseconds of up to ``count`` executions, at least one, none begun after ``deadline`` (perf_counter seconds).

        Outputs are poisoned before the first; scratch memory holds what the execution before left, as it does where a kernel
        is used.  Each is preceded by cache eviction where the method says cold, and then works at the next of the places in memory.
        """

    def placements(self) -> int:
        """How many places in memory the samples took turns over."""

    def tags(self) -> list[str]:
        """What the samples so far showed of the way in which they are taken, such as ``host-bound``."""

    def repeat(self, count: int) -> str:
        """So many executions back to back, waited for, not timed; what the caches held meanwhile, in words."""

    def resources(self) -> dict[str, Value]:
        """Registers, shared memory, occupancy and the like; empty where the device has none."""

    def overhead_ns(self) -> float:
        """Median time of an empty call made in the same way.  Reported, never subtracted."""


class Watch(Protocol):
    """What went on beside the measurement, from `OpenDevice.watch` until `finish`."""

    def finish(self, samples_ns: list[int]) -> tuple[dict[str, Value], list[str]]:
        """Figures of the stretch, and tags such as ``noisy``."""


class OpenDevice(Protocol):
    """A device that this process holds."""

    device: Device
    target: Target
    eviction: str  # how cold caches are made here, for people

    def prepare(self, spec: RunSpec, implementation: Implementation, trial: Trial, artifact: str | None) -> Execution:
        """Loads the kernel and allocates its buffers.  ``artifact`` is the artifact's folder, None for Python."""

    def watch(self) -> Watch:
        """Begins to watch the device and the host."""

    def ceilings(self) -> dict[str, Value]:
        """``ceiling_<what>`` of this very device, measured now; takes some tenths of a second."""

    def energy_meter(self) -> EnergyMeter:
        """The device's counter of energy.  Raises OSError with the reason where it has none that can be read."""


def probe() -> list[Device]:
    """Every device of this host that a trial could run on, the CPU first."""
    return [device for name in _MODULES for device in import_module(name).probe()]


def open_device(device_id: str) -> OpenDevice:
    """Opens the device for measuring.

    Raises:
        LookupError: no such device on this host.
    """
    for name in _MODULES:
        module = import_module(name)
        if any(device.id == device_id for device in module.probe()):
            opened: OpenDevice = module.open_device(device_id)
            return opened
    found = ", ".join(device.id for device in probe())
    raise LookupError(f"no device {device_id!r} on this host; found {found}")
