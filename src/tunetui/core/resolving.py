"""Turns one configuration of one implementation into a `Trial` with every expression worked out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunetui.core.definitions import ArgumentDefinition, ImplementationDefinition, Kernel
from tunetui.core.errors import InputError
from tunetui.core.expressions import parse
from tunetui.core.identity import trial_id
from tunetui_agent.messages import Geometry, Trial, Value


class Resolver:
    """Makes the trials of one implementation on one problem.

    ``device`` holds the ``device_<attribute>`` names.  Trials that agree in every axis that an expression reads are
    worked out once and share their shapes, scalars and geometry.
    """

    def __init__(
        self,
        kernel: Kernel,
        name: str,
        definition: ImplementationDefinition,
        problem: dict[str, Value],
        device: Mapping[str, Value],
        provenance: str,
    ) -> None:
        self._name = name
        self._problem = problem
        self._provenance = provenance
        constants = {**device, **problem}
        used = {argument for launch in definition.launches for argument in launch.arguments}
        arguments = {key: argument for key, argument in kernel.arguments.items() if key in used}

        read: set[str] = set()

        def formula(text: str, place: str) -> _Formula:
            made = _Formula(text, constants, definition.axes, f"kernel {kernel.name}: {place}")
            read.update(made.axes)
            return made

        self._dtypes = {key: _dtype(argument, problem) for key, argument in arguments.items()}
        self._shapes = {
            key: [formula(text, f"arguments.{key}.shape") for text in argument.shape]
            for key, argument in arguments.items()
            if argument.role != "scalar"
        }
        self._scalars = {
            key: formula(argument.value, f"arguments.{key}.value")
            for key, argument in arguments.items()
            if argument.role == "scalar"
        }
        place = f"implementations.{name} launch"
        self._launches = [
            (
                [formula(text, f"{place}.grid") for text in launch.grid],
                [formula(text, f"{place}.block") for text in launch.block],
                formula(launch.shared_bytes, f"{place}.shared_bytes"),
            )
            for launch in definition.launches
            if launch.grid or launch.block
        ]
        self._axes = sorted(read)
        self._resolved: dict[tuple[Value, ...], dict[str, Any]] = {}

    def trial(self, configuration: dict[str, Value]) -> Trial:
        """The trial of one configuration.

        Raises:
            InputError: a shape, scalar or launch expression fails, or is no whole number where one is needed.
        """
        key = tuple(configuration[name] for name in self._axes)
        if key not in self._resolved:
            self._resolved[key] = self._work_out(configuration)
        return Trial(
            id=trial_id(self._name, self._problem, configuration),
            implementation=self._name,
            problem=self._problem,
            configuration=configuration,
            provenance=self._provenance,
            dtypes=self._dtypes,
            **self._resolved[key],
        )

    def _work_out(self, configuration: dict[str, Value]) -> dict[str, Any]:
        return {
            "shapes": {key: [part.size(configuration) for part in shape] for key, shape in self._shapes.items()},
            "scalars": {key: part.scalar(configuration, self._dtypes[key]) for key, part in self._scalars.items()},
            "geometry": [
                Geometry(
                    grid=[part.size(configuration) for part in grid],
                    block=[part.size(configuration) for part in block],
                    shared_bytes=shared.size(configuration),
                )
                for grid, block, shared in self._launches
            ],
        }


class _Formula:
    """One expression of the kernel file, and the ``axes`` that it reads."""

    def __init__(self, text: str, constants: Mapping[str, Value], axes: Mapping[str, Any], place: str) -> None:
        self._expression = parse(text, {*constants, *axes})
        self._constants = {name: constants[name] for name in self._expression.names & constants.keys()}
        self.axes = sorted(self._expression.names & axes.keys())
        self._place = place
        self._known: dict[tuple[Value, ...], Value] = {}

    def value(self, configuration: Mapping[str, Value]) -> Value:
        key = tuple([configuration[name] for name in self.axes])
        if key not in self._known:
            self._known[key] = self._expression.value({**self._constants, **dict(zip(self.axes, key, strict=True))})
        return self._known[key]

    def size(self, configuration: Mapping[str, Value]) -> int:
        found = self.value(configuration)
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            raise self._wrong("a whole number of 0 or more", found, configuration)
        return found

    def scalar(self, configuration: Mapping[str, Value], dtype: str) -> int | float:
        found = self.value(configuration)
        if isinstance(found, str):
            raise self._wrong("a number", found, configuration)
        if not dtype.startswith("float") and isinstance(found, float):
            raise self._wrong(f"a whole number for {dtype}", found, configuration)
        return found if isinstance(found, float) else int(found)

    def _wrong(self, expected: str, found: Value, configuration: Mapping[str, Value]) -> InputError:
        at = ", ".join(f"{name} = {configuration[name]!r}" for name in self.axes)
        return InputError(
            f"{self._place}: expected {expected}, found {found!r} from {self._expression.text!r}"
            + (f" at {at}" if at else ""),
            hint="write // or ceildiv(a, b) for a whole number" if isinstance(found, float) else "",
        )


def _dtype(argument: ArgumentDefinition, problem: Mapping[str, Value]) -> str:
    if isinstance(argument.dtype, str):
        return argument.dtype
    wanted = str(problem.get("dtype", ""))
    if wanted not in argument.dtype:
        known = ", ".join(argument.dtype)
        raise InputError(f"an argument has no dtype for problem dtype {wanted!r}", hint=f"it has them for: {known}")
    return argument.dtype[wanted]
