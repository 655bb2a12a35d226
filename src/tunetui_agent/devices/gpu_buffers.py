"""What one trial's kernel may write on a GPU, at one place in memory: outputs, scratch and counters between guard zones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunetui_agent.faults import TrialFault
from tunetui_agent.messages import Argument, Trial
from tunetui_agent.verify import poison_value

if TYPE_CHECKING:
    from tunetui_agent.devices.gpu import GpuDevice

GUARD_BYTES = 4096
GUARD_BYTE = 0xA5
"""What the zones before and after every buffer hold."""


class GpuBuffers:
    """One of each.

    ``is_written`` once an execution used them after the outputs were poisoned, ``is_used`` once one did after all were.
    """

    def __init__(self, device: GpuDevice, arguments: Sequence[Argument], trial: Trial) -> None:
        """``arguments`` are the declared ones that the kernel is passed; inputs and scalars are left out.  Raises `TrialFault`."""
        self._device, self._trial = device, trial
        self._arguments = [each for each in arguments if each.role not in ("scalar", "input")]
        self._roles = {each.name: each.role for each in self._arguments}
        self._raw: dict[str, Any] = {}  # with their guard zones, uint8
        self._poisoned: dict[str, Any] = {}  # what is copied there, the same for all places
        self.arrays: dict[str, Any] = {}
        self.is_written = self.is_used = False
        for argument in self._arguments:
            shape = trial.shapes.get(argument.name)
            if shape is None:
                raise TrialFault("errored", f"the trial gives no shape for {argument.name!r}")
            dtype = trial.dtypes.get(argument.name, argument.dtype)
            self.arrays[argument.name], self._raw[argument.name] = device.allocate(tuple(shape), dtype, GUARD_BYTES)

    @property
    def size_bytes(self) -> int:
        """Without guard zones."""
        return sum(int(array.nbytes) for array in self.arrays.values())

    def another(self) -> GpuBuffers:
        """The same at a place of its own.  Raises `TrialFault`."""
        made = GpuBuffers(self._device, self._arguments, self._trial)
        made._poisoned = self._poisoned
        made.poison()
        return made

    def used(self) -> None:
        """An execution works here."""
        self.is_written = self.is_used = True

    def poison(self) -> None:
        """Outputs and scratch get values that no kernel writes; guard zones are renewed; counters stay as they are."""
        self.is_written = self.is_used = False
        for name, raw in self._raw.items():
            if self._roles[name] == "counter":
                self._device.fill(raw[:GUARD_BYTES], GUARD_BYTE)
                self._device.fill(raw[GUARD_BYTES + self.arrays[name].nbytes :], GUARD_BYTE)
            else:
                self._device.copy(self._poisoned_for(name), raw)

    def poison_outputs(self) -> None:
        """Outputs get values that no kernel writes; guard zones keep what was done to them."""
        self.is_written = False
        for name, raw in self._raw.items():
            if self._roles[name] == "output":
                self._device.copy(_inside(self._poisoned_for(name)), _inside(raw))

    def _poisoned_for(self, name: str) -> Any:
        if name not in self._poisoned:
            array, raw = self._device.allocate(self.arrays[name].shape, self.arrays[name].dtype, GUARD_BYTES)
            self._device.fill(raw, GUARD_BYTE)
            if self._roles[name] == "output":
                array.set(np.full(array.shape, poison_value(array.dtype), array.dtype))
            else:
                self._device.fill(raw[GUARD_BYTES : GUARD_BYTES + array.nbytes], 0xFF)  # NaN, or -1
            self._poisoned[name] = raw
        return self._poisoned[name]

    def outputs(self) -> dict[str, Any]:
        """Copies of the outputs on the host."""
        return {name: array.get() for name, array in self.arrays.items() if self._roles[name] == "output"}

    def guards(self) -> list[Any]:
        """The zones before and after every buffer."""
        return [zone for raw in self._raw.values() for zone in (raw[:GUARD_BYTES], raw[-GUARD_BYTES:])]

    def counters(self) -> list[Any]:
        """As uint8; between executions they are zero."""
        names = [name for name, role in self._roles.items() if role == "counter"]
        return [_inside(self._raw[name]) for name in names]

    def damage(self) -> str | None:
        """A guard zone or a counter that is not as it was."""
        for name, raw in self._raw.items():
            size, role = self.arrays[name].nbytes, self._roles[name]
            zones = (raw[:GUARD_BYTES].get(), raw[GUARD_BYTES + size :].get())
            if not all(np.all(zone == GUARD_BYTE) for zone in zones):
                return f"wrote outside its {role} {name!r}"
            if role == "counter" and self.arrays[name].get().any():
                return f"left its counter {name!r} other than zero"
        return None


def _inside(raw: Any) -> Any:
    """A buffer without its guard zones."""
    return raw[GUARD_BYTES:-GUARD_BYTES]
