"""A grid and its kernel made into a plan: which trials, in which order, what was left out and why."""

from __future__ import annotations

import difflib
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunetui.core.applying import constraints_of, problems_of, without_device
from tunetui.core.definitions import (
    Grid,
    ImplementationDefinition,
    Kernel,
    chosen_axes,
    chosen_implementations,
    joining_baselines,
)
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.events import Exclusion
from tunetui.core.identity import content_hash, provenance_fields
from tunetui.core.joining import build_space, sample_space
from tunetui.core.resolving import Resolver
from tunetui.core.space import Sample, Space, TooLargeError
from tunetui_agent.messages import Device, Toolchain, Trial, Value

MAX_TRIALS = 1_000_000
"""A plan holds no more; at 0.1 s each that would be a day on the device already."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How one implementation's configurations add up over all problems.

    ``cartesian`` = ``valid`` + the sum of ``excluded``, unless the space was only sampled: then ``valid`` is None
    and ``excluded`` is empty.
    """

    cartesian: int
    valid: int | None
    excluded: dict[str, int]
    planned: int
    """Trials in the plan; fewer than ``valid`` where ``budget.trials`` samples."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that will be measured, resolved; a pure function of grid, kernel, device and toolchains."""

    problems: list[dict[str, Value]]
    axes: dict[str, dict[str, list[Value]]]
    """Every implementation that takes part, with its axes and their values."""
    left_out: dict[str, str]
    """Implementations that were asked for and cannot take part, with the reason."""
    counts: dict[str, Counts]
    trials: list[Trial]
    """In the order of measuring: problem after problem, shuffled inside each by ``seed``."""
    provenances: dict[str, dict[str, Any]]
    """Provenance hash of a trial to the fields behind it."""
    notices: list[str]
    seed: int
    sampled: bool
    sampling_seconds_at_most: float
    seconds_at_most: float

    @property
    def excluded(self) -> list[Exclusion]:
        """Every constraint's share, as the journal records it."""
        return [
            Exclusion(implementation=name, constraint=constraint, configurations=number)
            for name, counts in self.counts.items()
            for constraint, number in counts.excluded.items()
        ]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a plan would hold, counted and not made; ``device_known`` is False where the device's constraints are left out."""

    counts: dict[str, Counts]
    problems: int
    trials: int
    left_out: dict[str, str]
    device_known: bool
    emptied_by: dict[str, str]
    """Implementations that have no configuration for some problem, with the constraint that excludes the last."""
    sampling_seconds_at_most: float


def make_plan(grid: Grid, kernel: Kernel, device: Device, toolchains: Sequence[Toolchain]) -> Plan:
    """The plan of ``grid`` on ``device``.

    Constraints of the kernel, the implementation and the grid apply together; one that reads an axis that only other
    implementations have does not speak for this one.  With ``budget.trials``, every problem and implementation gets
    an equal share of random configurations, and what one cannot use goes to the others.

    Time: ``sampling_seconds_at_most`` is trials x (2 x ``max_seconds``): warming up and sampling each end there.
    ``seconds_at_most`` is trials x ``trial_timeout_seconds``, what a device could be busy if every trial hung.
    Builds run beside the measuring and are in neither.  ``budget.minutes`` caps both.

    Raises:
        InputError: nothing to measure (the constraints are named), an unknown axis or name, too many configurations.
        TunetuiError: no implementation's toolchain is there.
    """
    cells, usable, left_out = _cells(grid, kernel, device, toolchains)
    shares = _shares([cell.most for cell in cells], grid.budget.trials)
    if sum(shares) > MAX_TRIALS:
        raise InputError(
            f"{sum(shares):,} configurations are too many for one run (the limit is {MAX_TRIALS:,})",
            hint="set budget.trials to measure a random sample, or tighten axes and constraints",
        )
    fields = {
        name: provenance_fields(kernel, definition, device, toolchain, grid.method)
        for name, (definition, toolchain) in usable.items()
    }
    trials = _trials(kernel, cells, shares, {name: content_hash(one) for name, one in fields.items()}, grid.method.seed)
    return Plan(
        problems=problems_of(grid, kernel),
        axes={name: chosen_axes(grid, name, definition) for name, (definition, _) in usable.items()},
        left_out=left_out,
        counts={name: _count(name, cells, shares) for name in usable},
        trials=trials,
        provenances={content_hash(one): one for one in fields.values()},
        notices=[said for cell in cells for said in cell.notices()],
        seed=grid.method.seed,
        sampled=any(cell.space is None or share < cell.most for cell, share in zip(cells, shares, strict=True)),
        sampling_seconds_at_most=_capped(grid, len(trials) * 2 * grid.method.max_seconds),
        seconds_at_most=_capped(grid, len(trials) * grid.method.trial_timeout_seconds),
    )


def forecast(grid: Grid, kernel: Kernel, device: Device | None, toolchains: Sequence[Toolchain]) -> Forecast:
    """How large the plan of ``grid`` would be, also where that is nothing; much cheaper than the plan.

    Without a device, constraints that read one are not applied, and no baseline joins.  Raises as `make_plan`, but
    for a plan without a trial.
    """
    left_out: dict[str, str] = {}
    if device is None:
        definitions = chosen_implementations(grid, kernel, grid.device or "cpu")
        _refuse_unknown_axes(grid, definitions)
    else:
        usable, left_out = _usable(grid, kernel, device, toolchains)
        definitions = {name: definition for name, (definition, _) in usable.items()}
    cells = _opened_all(grid, kernel, definitions, None if device is None else _attributes(device))
    shares = _shares([cell.most for cell in cells], grid.budget.trials)
    return Forecast(
        counts={name: _count(name, cells, shares) for name in definitions},
        problems=len(problems_of(grid, kernel)),
        trials=sum(shares),
        left_out=left_out,
        device_known=device is not None,
        emptied_by={
            cell.name: cell.space.emptied_by
            for cell in cells
            if cell.space is not None and cell.space.emptied_by is not None
        },
        sampling_seconds_at_most=_capped(grid, sum(shares) * 2 * grid.method.max_seconds),
    )


def provenances_on(
    grid: Grid, kernel: Kernel, device: Device, toolchains: Sequence[Toolchain]
) -> dict[str, dict[str, Any]]:
    """How figures of each usable implementation come about on a device.  Raises as `make_plan`."""
    usable, _ = _usable(grid, kernel, device, toolchains)
    return {
        name: provenance_fields(kernel, definition, device, toolchain, grid.method)
        for name, (definition, toolchain) in usable.items()
    }


_Usable = dict[str, tuple[ImplementationDefinition, Toolchain]]


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """One implementation on one problem: its space, or a sample where the space is too large to build."""

    name: str
    definition: ImplementationDefinition
    problem: dict[str, Value]
    device: dict[str, Value]
    space: Space | None
    sample: Sample | None

    @property
    def most(self) -> int:
        """How many trials it can give."""
        if self.space is not None:
            return self.space.valid
        return len(self.sample.configurations) if self.sample is not None else 0

    @property
    def cartesian(self) -> int:
        found = self.space if self.space is not None else self.sample  # an empty space is false
        return found.cartesian if found is not None else 0

    def chosen(self, share: int, seed: int) -> Iterable[dict[str, Value]]:
        """``share`` configurations; all of them in the order of the space, fewer drawn by ``seed``."""
        if self.sample is not None:
            return self.sample.configurations[:share]
        if self.space is None or share < self.most:
            return self.space.sample(share, seed) if self.space is not None else []
        return self.space

    def notices(self) -> Iterable[str]:
        """What the operator should know of this cell."""
        on = ", ".join(f"{name} = {value}" for name, value in self.problem.items())
        if self.space is not None and self.space.emptied_by is not None:
            yield f"{self.name} has no configuration for {on}: {self.space.emptied_by!r} excludes the last"
        if self.sample is not None and not self.sample.complete:
            yield (
                f"{self.name}: {len(self.sample.configurations):,} of {self.sample.asked:,} asked configurations were "
                f"found in {self.sample.draws:,} random draws for {on}"
            )


def _cells(
    grid: Grid, kernel: Kernel, device: Device, toolchains: Sequence[Toolchain]
) -> tuple[list[_Cell], _Usable, dict[str, str]]:
    usable, left_out = _usable(grid, kernel, device, toolchains)
    definitions = {name: definition for name, (definition, _) in usable.items()}
    cells = _opened_all(grid, kernel, definitions, _attributes(device))
    if not any(cell.most for cell in cells):
        emptied = {(cell.name, cell.space.emptied_by) for cell in cells if cell.space is not None}
        raise InputError(
            "no configuration is left to measure: "
            + "; ".join(f"{constraint!r} excludes the last of {name}" for name, constraint in sorted(emptied, key=str)),
            hint="loosen that constraint, or give the axes other values",
        )
    return cells, usable, left_out


def _opened_all(
    grid: Grid,
    kernel: Kernel,
    definitions: Mapping[str, ImplementationDefinition],
    attributes: dict[str, Value] | None,
) -> list[_Cell]:
    return [
        _opened(grid, kernel, name, definition, problem, attributes)
        for problem in problems_of(grid, kernel)
        for name, definition in definitions.items()
    ]


def _attributes(device: Device) -> dict[str, Value]:
    """What expressions call the facts of a device."""
    return {f"device_{name}": value for name, value in device.attributes.items()}


def _usable(
    grid: Grid, kernel: Kernel, device: Device, toolchains: Sequence[Toolchain]
) -> tuple[_Usable, dict[str, str]]:
    """The chosen implementations whose toolchain is there, and the others with the reason."""
    chosen = chosen_implementations(grid, kernel, device.kind)
    _refuse_unknown_axes(grid, chosen)
    by_language = {toolchain.language: toolchain for toolchain in toolchains}
    usable: _Usable = {}
    left_out = {
        name: f"kernel {kernel.name} has no {name} implementation for a {device.kind}"
        for name in grid.implementations or []
        if name not in chosen
    }
    for name, definition in {**chosen, **joining_baselines(grid, kernel, device.kind)}.items():
        toolchain = _toolchain(definition, by_language)
        if toolchain.available:
            usable[name] = (definition, toolchain)
        else:
            left_out[name] = toolchain.reason
    if not chosen:
        raise InputError(f"kernel {kernel.name} has no implementation for a {device.kind} among those chosen")
    if not usable.keys() & chosen.keys():
        raise TunetuiError(
            f"no implementation can be built on {device.name}",
            hint="; ".join(f"{name}: {reason}" for name, reason in left_out.items()),
        )
    return usable, left_out


def _toolchain(definition: ImplementationDefinition, found: Mapping[str, Toolchain]) -> Toolchain:
    """The language's own with the versions of the required modules beside it, or the first that is missing, with the reason."""
    own = found.get(definition.language)
    if own is None:
        return Toolchain(
            language=definition.language, available=False, reason=f"no {definition.language} toolchain was found"
        )
    versions = [own.version]
    for name in definition.requires:
        module = found.get(f"module:{name}")
        if module is None or not module.available:
            reason = module.reason if module is not None else f"the host was not asked for the Python module {name}"
            return Toolchain(language=own.language, available=False, reason=reason)
        versions.append(f"{name} {module.version}".rstrip())
    reason = own.reason or f"no {own.language} toolchain was found"
    return Toolchain(language=own.language, available=own.available, version=", ".join(versions), reason=reason)


def _refuse_unknown_axes(grid: Grid, chosen: Mapping[str, ImplementationDefinition]) -> None:
    declared = {axis for definition in chosen.values() for axis in definition.axes}
    for axis in grid.axes:
        if axis not in declared:
            near = difflib.get_close_matches(axis, sorted(declared), 1, 0.6)
            raise InputError(
                f"axes.{axis}: no chosen implementation has this axis",
                hint=f"did you mean {near[0]}?" if near else f"they have: {', '.join(sorted(declared))}",
            )


def _opened(
    grid: Grid,
    kernel: Kernel,
    name: str,
    definition: ImplementationDefinition,
    problem: dict[str, Value],
    attributes: dict[str, Value] | None,
) -> _Cell:
    axes, fixed = chosen_axes(grid, name, definition), {**(attributes or {}), **problem}
    where = constraints_of(grid, kernel, name, definition)
    if attributes is None:  # nobody knows the device yet
        where = without_device(where)
    space, sample = None, None
    try:
        space = build_space(axes, where, fixed)
    except TooLargeError as error:
        if grid.budget.trials is None:
            raise InputError(f"{name}: {error.message}", hint=error.hint) from None
        sample = sample_space(axes, where, fixed, grid.budget.trials, grid.method.seed)
    return _Cell(name=name, definition=definition, problem=problem, device=attributes or {}, space=space, sample=sample)


def _shares(most: Sequence[int], limit: int | None) -> list[int]:
    """How many trials each cell gets: all, or under a limit equal shares, and what one cannot use to the others."""
    if limit is None or sum(most) <= limit:
        return list(most)
    shares, left = [0] * len(most), limit
    while left > 0:
        hungry = [number for number, share in enumerate(shares) if share < most[number]]
        fair = max(1, left // len(hungry))
        for number in hungry:
            more = min(fair, most[number] - shares[number], left)
            shares[number] += more
            left -= more
    return shares


def _trials(
    kernel: Kernel, cells: Sequence[_Cell], shares: Sequence[int], provenances: Mapping[str, str], seed: int
) -> list[Trial]:
    trials: list[Trial] = []
    for _, group in itertools.groupby(zip(cells, shares, strict=True), key=lambda pair: id(pair[0].problem)):
        block: list[Trial] = []
        for cell, share in group:
            resolver = Resolver(kernel, cell.name, cell.definition, cell.problem, cell.device, provenances[cell.name])
            block += [resolver.trial(configuration) for configuration in cell.chosen(share, seed)]
        random.Random(f"{seed} {len(trials)}").shuffle(block)
        trials += block
    return trials


def _count(name: str, cells: Sequence[_Cell], shares: Sequence[int]) -> Counts:
    mine = [(cell, share) for cell, share in zip(cells, shares, strict=True) if cell.name == name]
    excluded: dict[str, int] = {}
    for cell, _ in mine:
        for item in cell.space.excluded if cell.space is not None else ():
            excluded[item.constraint] = excluded.get(item.constraint, 0) + item.combinations
    sampled = any(cell.space is None for cell, _ in mine)
    return Counts(
        cartesian=sum(cell.cartesian for cell, _ in mine),
        valid=None if sampled else sum(cell.most for cell, _ in mine),
        excluded={} if sampled else excluded,
        planned=sum(share for _, share in mine),
    )


def _capped(grid: Grid, seconds: float) -> float:
    return seconds if grid.budget.minutes is None else min(seconds, grid.budget.minutes * 60)
