"""The part of the messages that describes a trial: everything resolved to numbers, and what events carry of it."""

from __future__ import annotations

from dataclasses import field

from tunetui_agent.kernel_spec import Value
from tunetui_agent.message import message


@message(frozen=True, kw_only=True)
class Geometry:
    """Resolved launch geometry of one launch on a GPU."""

    grid: list[int]
    block: list[int]
    shared_bytes: int = 0


@message(frozen=True, kw_only=True)
class Trial:
    """One configuration of one implementation on one problem, with everything resolved to numbers."""

    id: str  # content hash of implementation, problem and configuration: stable between runs
    implementation: str
    problem: dict[str, Value]
    configuration: dict[str, Value]
    provenance: str  # hash of source, options, compiler, device, driver, harness and method
    shapes: dict[str, list[int]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    scalars: dict[str, float | int] = field(default_factory=dict)
    geometry: list[Geometry] = field(default_factory=list)


@message(frozen=True, kw_only=True)
class TrialRef:
    """Which trial an event speaks of; carried whole so that every record explains itself."""

    id: str
    implementation: str
    problem: dict[str, Value]
    configuration: dict[str, Value]
    provenance: str


def reference_to(trial: Trial) -> TrialRef:
    """What events carry of a trial."""
    return TrialRef(
        id=trial.id,
        implementation=trial.implementation,
        problem=trial.problem,
        configuration=trial.configuration,
        provenance=trial.provenance,
    )
