"""A grid while it is being set up: its text opened and saved, what is wrong with it, how large and how long it would be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.definitions import Grid, Kernel
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.planning import Forecast, forecast
from tunetui.core.snapshot import MEASURED
from tunetui.core.toml_editing import toml_value
from tunetui.session.library import kept_grids, kept_runs, read_run
from tunetui.store.atomic import check_writable, write_atomically
from tunetui.store.definitions import (
    KERNEL_FILE,
    definitions_of,
    find_kernel,
    load_definitions,
    load_kernel,
    read_text,
    shipped_kernels,
)
from tunetui_agent.messages import Device, Toolchain

RUNS_LOOKED_AT = 12
LONGEST_JOURNAL_BYTES = 8 << 20
"""Earlier runs are only read for their speed: the latest few, and none that takes long to read."""
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Speed:
    """What trials of this kernel took on this model of device before, all told: sampling, verifying, waiting."""

    seconds_per_trial: float
    trials: int


@dataclass(frozen=True)
class Prospect:
    """What the text of a grid would lead to; ``error`` is the first thing that is wrong with it, and where."""

    text: str
    grid: Grid | None = None
    kernel: Kernel | None = None
    forecast: Forecast | None = None
    speed: Speed | None = None
    device: Device | None = None
    error: str = ""
    hint: str = ""


@dataclass
class SettingUp:
    """Looks at texts one after the other and keeps what was expensive to learn; every method may run in a thread."""

    overrides: Sequence[str] = ()
    _counted: tuple[bytes, Forecast] | None = None
    _speeds: dict[tuple[str, str], Speed | None] = field(default_factory=dict)
    _read: dict[Path, tuple[float, tuple[str, dict[str, tuple[int, float]]]]] = field(default_factory=dict)

    def look(
        self, text: str, path: Path, device: Device | None = None, toolchains: Sequence[Toolchain] = ()
    ) -> Prospect:
        """Everything that can be said of ``text`` as the grid file ``path``, for a device or before one is known."""
        kernel = kernel_of(text, path)
        try:
            definitions = definitions_of(text, path, self.overrides)
            grid, kernel = definitions.grid, definitions.kernel
            if device is not None and device.kind != grid.device:
                device, toolchains = None, ()
            with definitions.named():
                counted = self._forecast(grid, kernel, device, toolchains)
        except TunetuiError as error:
            first, *more = error.message.replace(str(path), path.name).splitlines()
            hint = error.hint or (f"and {len(more)} more" if more and not more[0].startswith(" ") else "")
            return Prospect(text, kernel=kernel, device=device, error=clean(first), hint=clean(hint))
        empty = "; ".join(f"{why!r} excludes the last of {name}" for name, why in counted.emptied_by.items())
        error_text = "" if counted.trials else f"{path.name}: no configuration is left to measure: {empty}"
        speed = self._speed(kernel.name, device.name) if device is not None else None
        return Prospect(text, grid, kernel, counted, speed, device, clean(error_text))

    def _forecast(self, grid: Grid, kernel: Kernel, device: Device | None, toolchains: Sequence[Toolchain]) -> Forecast:
        """Counted anew only where something changed that counts."""
        asked = msgspec.structs.replace(grid, targets={}, compare=None, name="x")
        key = msgspec.json.encode([asked, kernel, device, list(toolchains)])
        if self._counted is None or self._counted[0] != key:
            self._counted = key, forecast(grid, kernel, device, toolchains)
        return self._counted[1]

    def _speed(self, kernel: str, device: str) -> Speed | None:
        """From the rows measured in the latest runs kept here."""
        if (kernel, device) not in self._speeds:
            spent = [self._spent(run.journal, run.updated) for run in kept_runs()[:RUNS_LOOKED_AT]
                     if run.bytes <= LONGEST_JOURNAL_BYTES]  # fmt: skip
            mine = [by_device[device] for name, by_device in spent if name == kernel and device in by_device]
            trials = sum(number for number, _ in mine)
            seconds = math.fsum(total for _, total in mine)
            self._speeds[kernel, device] = Speed(seconds / trials, trials) if trials else None
        return self._speeds[kernel, device]

    def _spent(self, journal: Path, updated: float) -> tuple[str, dict[str, tuple[int, float]]]:
        """The kernel of a run, and by name of device how many trials it measured in how many seconds."""
        known = self._read.get(journal)
        if known is not None and known[0] == updated:
            return known[1]
        found: dict[str, tuple[int, float]] = {}
        name = ""
        try:
            run = read_run(journal)
            name = run.plan.kernel.name if run.plan is not None else ""
            for row in run.rows.values():
                device = run.devices.get(row.device)
                if row.status == MEASURED and row.seconds > 0 and device is not None:
                    number, total = found.get(device.name, (0, 0.0))
                    found[device.name] = number + 1, total + row.seconds
        except TunetuiError:
            pass
        self._read[journal] = updated, (name, found)
        return name, found


def kernel_of(text: str, path: Path) -> Kernel | None:
    """The kernel that a grid's text names, also where the rest of the text is wrong; None where there is none."""
    import tomllib

    try:
        name = tomllib.loads(text).get("kernel")
        return load_kernel(find_kernel(name, path.parent)) if isinstance(name, str) and name else None
    except (TunetuiError, ValueError, RecursionError):
        return None


def new_grid(kernel: str, base: Path) -> str:
    """The text of a small grid for a kernel, by its name or a path from ``base``.  Raises InputError."""
    own = load_kernel(find_kernel(kernel, base))
    kinds = {kind for kinds in own.implementations.values() for kind in kinds}
    kind = "gpu" if "gpu" in kinds and (NVIDIA_DRIVER.exists() or kinds == {"gpu"}) else "cpu"
    head = {"name": own.name, "kernel": kernel, "device": kind}
    lines = [f"{key} = {toml_value(value)}" for key, value in head.items()]
    return "\n".join([*lines, "", "[budget]", "minutes = 10", ""])


def check_grid(path: Path, overrides: Sequence[str], output_stem: Path | None) -> None:
    """Find out what is wrong with a run before anything is paid for.

    Raises:
        InputError: a file or an option is wrong.
        StoreError: its files could not be written.
    """
    load_definitions(path, overrides)
    check_writable((output_stem or Path(path.name)).absolute())


def open_grid(path: Path) -> str:
    """The text of a grid file.  Raises InputError."""
    return read_text(path)


def save_grid(path: Path, text: str, opened: str | None) -> None:
    """Write a grid file; ``opened`` is what stood there when it was opened, None where nothing should stand there.

    Raises:
        InputError: something else stands there by now.
        StoreError: it cannot be written.
    """
    there = read_text(path) if path.exists() else None
    if there == text:
        return
    if there is not None and there != opened:
        what = "is there already" if opened is None else "was changed by somebody else meanwhile"
        raise InputError(clean(f"{path} {what}"), hint="save under another name")
    write_atomically({path: text.encode()})


def kernel_choices(folder: Path) -> list[str]:
    """Kernels to choose from, as a grid in ``folder`` would name them: shipped, lying near, named by grids here, used lately."""
    names = list(shipped_kernels())
    near = [*folder.glob(f"*/{KERNEL_FILE}"), *folder.glob(f"kernels/*/{KERNEL_FILE}")]
    shipped = {path.resolve() for path in shipped_kernels().values()}
    names += [f"./{path.parent.relative_to(folder)}" for path in sorted(near) if path.parent.resolve() not in shipped]
    for grid in kept_grids(folder):
        names += _kernel_named_in(grid, folder)
    for run in kept_runs()[:RUNS_LOOKED_AT]:
        names += _kernel_used_by(run.folder, folder)
    return list(dict.fromkeys(names))


class _GridAsked(msgspec.Struct):
    kernel: str


class _Asked(msgspec.Struct):
    """What of `tunetui.session.asked.Asked` says which kernel it was."""

    grid: _GridAsked
    grid_path: str


def _kernel_used_by(run: Path, folder: Path) -> list[str]:
    from tunetui.session.asked import FILE

    try:
        asked = msgspec.json.decode((run / FILE).read_bytes(), type=_Asked)
    except (OSError, ValueError):  # msgspec's errors are ValueErrors
        return []
    return _as_named_from(folder, asked.grid.kernel, Path(asked.grid_path).parent)


def _kernel_named_in(grid: Path, folder: Path) -> list[str]:
    import tomllib

    try:
        name = str(tomllib.loads(read_text(grid)).get("kernel", ""))
    except (TunetuiError, ValueError, RecursionError):
        return []
    return _as_named_from(folder, name, grid.parent)


def _as_named_from(folder: Path, name: str, base: Path) -> list[str]:
    """A kernel that is called ``name`` in ``base``, as it is called in ``folder``; nothing where there is none."""
    import os

    try:
        found = find_kernel(name, base)
    except TunetuiError:
        return []
    if name in shipped_kernels():
        return [name]
    path = os.path.relpath(found, folder)
    return [path if path.startswith("..") else f"./{path}"]
