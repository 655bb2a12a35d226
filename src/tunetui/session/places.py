"""Where a run can measure: every device of the wanted kind on every host, and which of them are alike."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunetui.core.errors import TunetuiError
from tunetui.core.identity import content_hash
from tunetui.core.models import model_of
from tunetui.core.planning import Counts, Plan, make_plan, provenances_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tunetui.core.definitions import Grid, Kernel
    from tunetui.core.snapshot import Run
    from tunetui.engines.channel import Link
    from tunetui_agent.messages import Device, Toolchain, Trial


@dataclass(frozen=True)
class Place:
    """One device that measures."""

    link: Link
    host: str  # as the user named it; "local" for this machine
    device: Device  # its id is unique in the run
    agent_device: str  # its id as its own host's agent knows it
    toolchains: list[Toolchain]
    prebuilt: list[str] = field(default_factory=list)  # languages of bundles that were sent there
    listed: dict[str, str] | None = None  # agents' runs there and their states, where they were asked for on the way

    @property
    def model(self) -> str:
        return model_of(self.device)

    @property
    def name(self) -> str:
        """Unique in the run."""
        return self.device.id


@dataclass(frozen=True)
class Group:
    """Devices of one model: they share one queue, and their rows one leaderboard."""

    model: str
    places: list[Place]
    plan: Plan  # with the provenance of the first place
    provenances: dict[str, dict[str, str]]  # place's name to implementation to provenance id
    suffix: str = ""  # of its trials' ids

    def able(self, name: str) -> frozenset[str]:
        """The implementations that a place can measure."""
        return frozenset(self.provenances[name])

    def at(self, trial: Trial, name: str) -> Trial:
        """The trial as a place measures it: with that place's compiler, driver and device behind it."""
        provenance = self.provenances[name].get(trial.implementation, trial.provenance)
        return trial if provenance == trial.provenance else dataclasses.replace(trial, provenance=provenance)


def group_places(places: Sequence[Place], grid: Grid, kernel: Kernel) -> tuple[list[Group], list[str]]:
    """Places by model, each group with its plan; and what is to be said of places that can measure nothing.

    Raises:
        TunetuiError: no place can measure anything; of one place, why.
    """
    by_model: dict[str, list[Place]] = {}
    for place in places:
        by_model.setdefault(place.model, []).append(place)
    groups, said, first_error = [], [], None
    for model, alike in by_model.items():
        plans: dict[str, Plan] = {}
        for place in alike:
            try:
                plans[place.name] = _plan_for(place, grid, kernel, plans, alike)
            except TunetuiError as error:
                first_error = first_error or error
                said.append(f"{place.device.name} of {place.host} measures nothing: {error.message}")
        able = [place for place in alike if place.name in plans]
        if able:
            groups.append(_group(model, able, plans, grid, kernel))
    if not groups and first_error is not None:
        raise first_error
    return groups, said


def with_place(group: Group, place: Place, grid: Grid, kernel: Kernel) -> Group:
    """The group with one more device of its model, and what only that one can measure.

    Raises:
        TunetuiError: it can measure nothing.
    """
    plan = group.plan
    if not any(_usable(other) == _usable(place) for other in group.places):
        plan = _joined(plan, _suffixed(make_plan(grid, kernel, place.device, place.toolchains), group.suffix))
    fields = provenances_on(grid, kernel, place.device, place.toolchains)
    ids = {name: content_hash(one) for name, one in fields.items()}
    recorded = plan.provenances | {content_hash(one): one for one in fields.values()}
    return dataclasses.replace(
        group,
        places=[*group.places, place],
        plan=dataclasses.replace(plan, provenances=recorded),
        provenances=group.provenances | {place.name: ids},
    )


def with_more(group: Group, place: Place, grid: Grid, kernel: Kernel) -> Group:
    """The group with one of its places, which can measure more than before."""
    more = make_plan(grid, kernel, place.device, place.toolchains)
    plan = _joined(group.plan, _suffixed(more, group.suffix))
    fields = provenances_on(grid, kernel, place.device, place.toolchains)
    recorded = plan.provenances | {content_hash(one): one for one in fields.values()}
    return dataclasses.replace(
        group,
        places=[place if each.name == place.name else each for each in group.places],
        plan=dataclasses.replace(plan, provenances=recorded),
        provenances=group.provenances | {place.name: {name: content_hash(one) for name, one in fields.items()}},
    )


def with_suffixes(groups: Sequence[Group], run: Run) -> list[Group]:
    """The groups with ids that are unique in the run; what an earlier start called a model's trials, they stay.

    The first model of a run has plain ids.  Where that one takes no part and a device of its kind and name does whose
    attributes are others (a newer driver or agent tells more), that device takes its place: its rows are stale.
    """
    known = dict(run.suffixes) or dict.fromkeys(list(run.models)[:1], "")
    present = {group.model for group in groups}
    plain = next((model for model, suffix in known.items() if not suffix), "")
    numbered: list[Group] = []
    for group in groups:
        suffix = known.get(group.model)
        if suffix is None:
            heir = plain and plain not in present and _is_named_like(run, plain, group)
            suffix = "" if not known or heir else f"@{group.model}"
            if heir:
                plain = ""
        if any(other.suffix == suffix for other in numbered):
            suffix = f"@{group.model}"
        known[group.model] = suffix
        numbered.append(_renamed(group, suffix))
    return numbered


def merged(plans: Sequence[Plan]) -> Plan:
    """Everything that several groups measure, as one plan."""
    if len(plans) == 1:
        return plans[0]
    first = plans[0]
    axes: dict[str, Any] = {}
    provenances: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for plan in plans:
        axes |= {name: values for name, values in plan.axes.items() if name not in axes}
        provenances |= plan.provenances
        left_out |= plan.left_out
    return Plan(
        problems=first.problems,
        axes=axes,
        left_out={name: why for name, why in left_out.items() if name not in axes},
        counts={name: _sum([plan.counts[name] for plan in plans if name in plan.counts]) for name in axes},
        trials=[trial for plan in plans for trial in plan.trials],
        provenances=provenances,
        notices=list(dict.fromkeys(notice for plan in plans for notice in plan.notices)),
        seed=first.seed,
        sampled=any(plan.sampled for plan in plans),
        # They work side by side.
        sampling_seconds_at_most=max(plan.sampling_seconds_at_most for plan in plans),
        seconds_at_most=max(plan.seconds_at_most for plan in plans),
    )


def accepted(group: Group, run: Run) -> dict[str, set[str]]:
    """Provenance id in the group's plan to those under which a row stands: of any device of the model, else the same."""
    names = {f"{place.device.id} {place.device.name}" for place in group.places}
    names |= {f"{d.id} {d.name}" for d in run.devices.values() if model_of(d) == group.model}
    recorded = run.provenances | group.plan.provenances
    found: dict[str, set[str]] = {}
    for own, fields in group.plan.provenances.items():
        found[own] = {
            other
            for other, known in recorded.items()
            if known.get("device") in names and _but_device(known) == _but_device(fields)
        }
    by_implementation: dict[str, set[str]] = {}
    for ids in group.provenances.values():
        for name, identity in ids.items():
            by_implementation.setdefault(name, set()).update(found.get(identity, {identity}))
    first = group.provenances[group.places[0].name]
    planned = {trial.implementation: trial.provenance for trial in group.plan.trials} | first
    return {identity: by_implementation.get(name, set()) for name, identity in planned.items()}


# ---------------------------------------------------------------------------------- details


def _plan_for(place: Place, grid: Grid, kernel: Kernel, plans: Mapping[str, Plan], alike: Iterable[Place]) -> Plan:
    """As `make_plan`; the trials are resolved once for all places with the same languages."""
    usable = _usable(place)
    for other in alike:
        if other.name in plans and _usable(other) == usable:
            return plans[other.name]
    return make_plan(grid, kernel, place.device, place.toolchains)


def _usable(place: Place) -> set[str]:
    return {toolchain.language for toolchain in place.toolchains if toolchain.available}


def _group(model: str, places: list[Place], plans: Mapping[str, Plan], grid: Grid, kernel: Kernel) -> Group:
    fields = {place.name: provenances_on(grid, kernel, place.device, place.toolchains) for place in places}
    ids = {name: {n: content_hash(one) for n, one in found.items()} for name, found in fields.items()}
    plan = plans[places[0].name]
    distinct = list({id(each): each for each in plans.values()}.values())
    for other in distinct:
        plan = _joined(plan, other)
    recorded = {content_hash(one): one for found in fields.values() for one in found.values()}
    plan = dataclasses.replace(plan, provenances=plan.provenances | recorded)
    return Group(model, places, plan, ids)


def _joined(plan: Plan, other: Plan) -> Plan:
    """``plan`` with the implementations that only another place has."""
    more = set(other.axes) - set(plan.axes)
    if not more:
        return plan
    return dataclasses.replace(
        plan,
        axes=plan.axes | {name: other.axes[name] for name in other.axes if name in more},
        left_out={name: why for name, why in plan.left_out.items() if name not in more},
        counts=plan.counts | {name: other.counts[name] for name in other.counts if name in more},
        trials=plan.trials + [trial for trial in other.trials if trial.implementation in more],
        provenances=plan.provenances | other.provenances,
    )


def _is_named_like(run: Run, model: str, group: Group) -> bool:
    device = run.devices.get(run.models.get(model, ""))
    own = group.places[0].device
    return device is not None and (device.kind, device.name) == (own.kind, own.name)


def _renamed(group: Group, suffix: str) -> Group:
    return dataclasses.replace(group, suffix=suffix, plan=_suffixed(group.plan, suffix)) if suffix else group


def _suffixed(plan: Plan, suffix: str) -> Plan:
    if not suffix:
        return plan
    return dataclasses.replace(plan, trials=[dataclasses.replace(trial, id=trial.id + suffix) for trial in plan.trials])


def _sum(counts: Sequence[Counts]) -> Counts:
    excluded: dict[str, int] = {}
    for each in counts:
        for constraint, number in each.excluded.items():
            excluded[constraint] = excluded.get(constraint, 0) + number
    valid = [each.valid for each in counts]
    return Counts(
        cartesian=sum(each.cartesian for each in counts),
        valid=None if None in valid else sum(number or 0 for number in valid),
        excluded=excluded,
        planned=sum(each.planned for each in counts),
    )


def _but_device(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "device"}
