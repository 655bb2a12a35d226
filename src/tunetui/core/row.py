"""One trial's row, packed: what is known of 100,000 of them must fit into some tens of megabytes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from tunetui.core.packed_row import PackedRow
from tunetui.core.packing import (
    HEAD,
    IN_HEAD,
    MEASURED,
    NAN,
    NOTHING_TOLD,
    STATUS_CODES,
    TOLD_AT,
    TYPECODES,
    bare,
    cause_code,
    circumstances_code,
    decode_told,
    packed_id,
    packed_samples,
    packed_told,
    packed_values,
    subject_code,
)
from tunetui_agent.messages import TrialMeasured, Value

NO_SAMPLES: array[int] = array("q")
NO_FIGURES: dict[str, Any] = {}

_ENCODER = msgspec.json.Encoder(order="sorted")


def problem_key(problem: Mapping[str, Value]) -> str:
    """One text per problem, whatever the order of its fields; 1, 1.0 and true stay apart."""
    return _ENCODER.encode(problem).decode()


class Evidence(NamedTuple):
    """What stands behind a row's figures."""

    samples_ns: array[int]
    quality: dict[str, float]
    resources: dict[str, Value]
    telemetry: dict[str, Value]
    artifact: str
    detail: str


class Archive(Protocol):
    """The journal that rows came from: what stands behind their figures can be read there again."""

    def evidence(self, at: int, trial: str) -> Evidence:
        """What the line at ``at`` (bytes) tells of this trial.  Raises TunetuiError: it is not there any more."""


class Row(PackedRow, frozen=True, gc=False, eq=False):
    """What is known of one trial.  Times in nanoseconds unless the name says otherwise.

    Everything is packed into one string of bytes, from which each property is read when it is asked for: dicts and
    samples are new ones every time, so ask once.  Of most rows what stands behind the figures is left in the journal.
    """

    archive: Archive | None = None

    @classmethod
    def of(
        cls,
        *,
        trial: str,
        implementation: str,
        problem: dict[str, Value],
        problem_key: str,
        configuration: Mapping[str, Value],
        provenance: str,
        status: str,
        plan: int,
        device: str = "",
        samples_ns: Sequence[int] = NO_SAMPLES,
        median_ns: float | None = None,
        ci_low_ns: float | None = None,
        ci_high_ns: float | None = None,
        stopped_by: str = "",
        stage: str = "",
        quality: Mapping[str, float] = NO_FIGURES,
        build_seconds: float | None = None,
        seconds: float = 0.0,
        artifact: str = "",
        resources: Mapping[str, Value] = NO_FIGURES,
        telemetry: Mapping[str, Value] = NO_FIGURES,
        tags: Iterable[str] = (),
        cause: str = "",
        detail: str = "",
        measured_at: float | None = None,
        times_measured: int = 0,
        told_at: int = -1,
    ) -> Row:
        """A row of its parts, named as its properties; ``told_at``: where the journal tells of its outcome, in bytes."""
        how = (device, stage, stopped_by, tuple(tags), tuple(quality), tuple(resources), tuple(telemetry))
        subject = subject_code(implementation, problem, problem_key, provenance, tuple(configuration))
        figures = (
            NAN if median_ns is None else median_ns,
            NAN if ci_low_ns is None else ci_low_ns,
            NAN if ci_high_ns is None else ci_high_ns,
            NAN if measured_at is None else measured_at,
            NAN if build_seconds is None else build_seconds,
            seconds,
        )
        told = b""
        if artifact or detail or quality or resources or telemetry:
            told = packed_told([artifact, detail, *quality.values(), *resources.values(), *telemetry.values()])
        shared = (subject, circumstances_code(how), cause_code(cause), times_measured, plan)
        return cls(_packed(STATUS_CODES[status], shared, figures, told_at, trial, configuration, samples_ns, told))

    def but(self, **changes: Any) -> Row:
        """The same row with some of its parts changed."""
        if not changes.keys() <= IN_HEAD.keys() | _SHARED.keys():
            return Row.of(**{name: getattr(self, name) for name in _PARTS} | self.evidence._asdict() | changes)
        head = list(HEAD.unpack_from(self.packed))
        shared = {name: made_of(changes[name]) for name, made_of in _SHARED.items() if name in changes}
        if shared:
            head[_CIRCUMSTANCES] = circumstances_code(tuple(self.circumstances._replace(**shared)))
        for name in changes.keys() - shared.keys():
            place, code = IN_HEAD[name]
            head[place] = code(changes[name])
        return Row(HEAD.pack(*head) + self.packed[HEAD.size :], self.archive)

    def bare(self) -> bytes:
        """Its bytes without what the journal tells; all of them where it does not."""
        return bare(self.packed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        if self.packed == other.packed:
            return True
        return self.is_bare != other.is_bare and self.bare() == other.bare()

    def __ne__(self, other: object) -> bool:  # the one that it would have instead compares every byte
        return not self == other

    def __hash__(self) -> int:
        return hash(self.packed[:TOLD_AT])

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in _PARTS} | ({} if self.is_bare else self.evidence._asdict())
        return f"Row({', '.join(f'{name}={value!r}' for name, value in parts.items())})"

    # ------------------------------------------------------------------------------------------- what stands behind

    @property
    def evidence(self) -> Evidence:
        """Samples and all that was reported with them.

        Raises:
            TunetuiError: they stand in the journal alone, which cannot be read any more.
        """
        if self.is_bare and self.archive is not None:
            return self.archive.evidence(self.told_at, self.trial)
        artifact, detail, *values = self._told
        how, rest = self.circumstances, iter(values)
        quality, resources, telemetry = (
            dict(zip(names, rest, strict=False)) for names in (how.quality, how.resources, how.telemetry)
        )
        return Evidence(self.samples_ns, quality, resources, telemetry, artifact, detail)

    @property
    def samples_ns(self) -> array[int]:
        """Raw samples in the order they were taken, int64; ``np.frombuffer(samples_ns, np.int64)`` copies nothing."""
        width, count, begin = self.packed[1], self.count, self._samples_at
        if not count:
            return NO_SAMPLES
        if self.is_bare:
            return self.evidence.samples_ns
        return array("q", array(TYPECODES[width], self.packed[begin : begin + width * count]))

    @property
    def quality(self) -> dict[str, float]:
        return self.evidence.quality

    @property
    def resources(self) -> dict[str, Value]:
        return self.evidence.resources

    @property
    def telemetry(self) -> dict[str, Value]:
        return self.evidence.telemetry

    @property
    def artifact(self) -> str:
        return self.evidence.artifact

    @property
    def detail(self) -> str:
        return self.evidence.detail

    @property
    def _told(self) -> list[Any]:
        begin = self._samples_at + self.packed[1] * self.count
        return decode_told(self.packed[begin:]) if begin < len(self.packed) else NOTHING_TOLD


def _packed(
    status: int,
    shared: tuple[int, int, int, int, int],
    figures: tuple[float, ...],
    told_at: int,
    trial: str,
    configuration: Mapping[str, Value],
    samples_ns: Sequence[int],
    told: bytes,
) -> bytes:
    """``shared`` and ``figures``: the numbers and floats of the head in their order."""
    width, samples = packed_samples(samples_ns)
    head = HEAD.pack(status, width, len(configuration), len(samples_ns), *shared, *figures, told_at + 1)
    return b"".join((head, packed_id(trial), packed_values(configuration.values()), samples, told))


def packed_measured(
    event: TrialMeasured,
    interval_ns: tuple[float, float, float],
    device: str,
    times_measured: int,
    plan: int,
    measured_at: float,
    told_at: int,
) -> bytes:
    """The bytes of `Row.of` what an event tells, in half the time; ``interval_ns``: median and ends, NaN where there is none."""
    ref, quality, resources, telemetry = event.trial, event.quality, event.resources, event.telemetry
    key, axes = problem_key(ref.problem), tuple(ref.configuration)
    subject = subject_code(ref.implementation, ref.problem, key, ref.provenance, axes)
    names = (tuple(event.tags), tuple(quality), tuple(resources), tuple(telemetry))
    how = circumstances_code((device, event.stage, event.stopped_by, *names))
    built = NAN if event.build_seconds is None else event.build_seconds
    told = b""
    if event.artifact or quality or resources or telemetry:
        told = packed_told([event.artifact, "", *quality.values(), *resources.values(), *telemetry.values()])
    shared = (subject, how, cause_code(""), times_measured, plan)
    figures = (*interval_ns, measured_at, built, event.seconds)
    return _packed(_MEASURED, shared, figures, told_at, ref.id, ref.configuration, event.samples_ns, told)


_MEASURED = STATUS_CODES[MEASURED]
_PARTS = (
    "trial", "implementation", "problem", "problem_key", "configuration", "provenance", "status", "plan", "device",
    "median_ns", "ci_low_ns", "ci_high_ns", "stopped_by", "stage", "build_seconds", "seconds", "tags", "cause",
    "measured_at", "times_measured",
)  # fmt: skip
"""All but those of `Evidence`."""
_SHARED: dict[str, Any] = {"device": str, "stage": str, "stopped_by": str, "tags": tuple}
"""Parts of a row's circumstances that can be changed without a look at the rest, and what they are kept as."""
_CIRCUMSTANCES = 5
