"""A kernel as the agent is given it: its files, its arguments, its implementations for one kind of device."""

from __future__ import annotations

from dataclasses import field

from tunetui_agent.message import message

Value = bool | int | float | str
"""One value of an axis or of a problem field."""


@message(frozen=True, kw_only=True)
class Argument:
    """One argument of the kernel; shapes and scalar values arrive resolved with each trial."""

    name: str
    role: str  # "input" | "output" | "scratch" | "counter" (zero before and after every execution) | "scalar"
    dtype: str  # a NumPy dtype name


@message(frozen=True, kw_only=True)
class Launch:
    """One entry point that an execution calls, in order; CPU implementations have exactly one."""

    entry: str
    arguments: list[str]


@message(frozen=True, kw_only=True)
class Implementation:
    """The kernel in one language, for one kind of device."""

    name: str
    language: str  # "python" | "mojo" | "cuda"
    source: str  # a key of KernelSpec.files
    parameters: list[str] = field(default_factory=list)  # axes and problem fields fixed at build time
    options: list[str] = field(default_factory=list)  # extra compiler options
    launches: list[Launch] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)  # Python modules that the host must have
    baseline: bool = False  # a library to measure the others against: its rows are tagged so


@message(frozen=True, kw_only=True)
class KernelSpec:
    """A kernel folder as data; ``files`` maps relative names to their text."""

    name: str
    reference: str
    files: dict[str, str]
    arguments: list[Argument]
    implementations: list[Implementation]
