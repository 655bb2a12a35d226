"""One trial's row, packed: what is known of 100,000 of them must fit into some tens of megabytes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from tunetui.core.packing import (
    AXES_AT,
    CAUSE_AT,
    CAUSES,
    CIRCUMSTANCES,
    CIRCUMSTANCES_AT,
    FLOAT,
    HEAD,
    ID_AT,
    ID_BYTES_AT,
    IN_HEAD,
    INT,
    INTERVAL_AT,
    LONG,
    MEDIAN_AT,
    NAN,
    NOTHING_TOLD,
    PLAN,
    SAMPLES_AT,
    SHORT,
    STANDING,
    STATUS_CODES,
    STATUSES,
    SUBJECT_AT,
    SUBJECTS,
    TIMES_AT,
    TIMES_MEASURED_AT,
    TOLD_AT,
    TWO_FLOATS,
    TYPECODES,
    UNSIGNED,
    VALUES,
    Circumstances,
    Subject,
    cause_code,
    circumstances_code,
    decode_told,
    known_number,
    packed_id,
    packed_samples,
    packed_told,
    packed_values,
    packing,
    subject_code,
)
from tunetui_agent.messages import Value

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


class Row(msgspec.Struct, frozen=True, gc=False, eq=False):
    """What is known of one trial.  Times in nanoseconds unless the name says otherwise.

    Everything is packed into one string of bytes, from which each property is read when it is asked for: dicts and
    samples are new ones every time, so ask once.  Of most rows what stands behind the figures is left in the journal.
    """

    packed: bytes
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
        width, samples = packed_samples(samples_ns)
        how = (device, stage, stopped_by, tuple(tags), tuple(quality), tuple(resources), tuple(telemetry))
        head = HEAD.pack(
            STATUS_CODES[status],
            width,
            len(configuration),
            len(samples_ns),
            subject_code(implementation, problem, problem_key, provenance, tuple(configuration)),
            circumstances_code(how),
            cause_code(cause),
            times_measured,
            plan,
            NAN if median_ns is None else median_ns,
            NAN if ci_low_ns is None else ci_low_ns,
            NAN if ci_high_ns is None else ci_high_ns,
            NAN if measured_at is None else measured_at,
            NAN if build_seconds is None else build_seconds,
            seconds,
            told_at + 1,
        )
        told = b""
        if artifact or detail or quality or resources or telemetry:
            told = packed_told([artifact, detail, *quality.values(), *resources.values(), *telemetry.values()])
        return cls(b"".join((head, packed_id(trial), packed_values(configuration.values()), samples, told)))

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

    @property
    def told_at(self) -> int:
        """Where the journal tells of its outcome, in bytes; -1: that is not known, or it tells only a part."""
        return abs(self._told_at) - 1

    @property
    def is_bare(self) -> bool:
        """Whether samples and all that was reported with them stand in the journal alone."""
        return self._told_at < 0

    def bare(self) -> bytes:
        """Its bytes without what the journal tells; all of them where it does not."""
        if self._told_at <= 0:
            return self.packed
        return b"".join((self.packed[:TOLD_AT], LONG.pack(-self._told_at), self.packed[ID_BYTES_AT : self._samples_at]))

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

    # ------------------------------------------------------------------------------------------- what it is of

    @property
    def trial(self) -> str:
        """Its id."""
        packed = self.packed
        return packed[ID_AT : ID_AT + UNSIGNED.unpack_from(packed, ID_BYTES_AT)[0]].decode()

    @property
    def implementation(self) -> str:
        return self.subject.implementation

    @property
    def problem(self) -> dict[str, Value]:
        return self.subject.problem

    @property
    def problem_key(self) -> str:
        return self.subject.problem_key

    @property
    def provenance(self) -> str:
        return self.subject.provenance

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of its configuration, in order."""
        return self.subject.axes

    @property
    def configuration(self) -> dict[str, Value]:
        return dict(zip(self.axes, self.settings, strict=True))

    @property
    def settings(self) -> tuple[Value, ...]:
        """The values of its configuration, in the order of `axes`."""
        codes = packing(len(self.axes)).unpack_from(self.packed, ID_AT + self._unsigned(ID_BYTES_AT))
        return tuple(map(VALUES.values.__getitem__, codes))

    # ----------------------------------------------------------------------------------------- what came of it

    @property
    def status(self) -> str:
        return STATUSES[self.packed[0]]

    @property
    def plan(self) -> int:
        """Number of the plan that last asked for it; the row is current when that is `Run.plan_number`."""
        found: int = INT.unpack_from(self.packed, PLAN)[0]
        return found

    @property
    def device(self) -> str:
        """Id of the device that measured it."""
        return self.circumstances.device

    @property
    def stage(self) -> str:
        return self.circumstances.stage

    @property
    def stopped_by(self) -> str:
        return self.circumstances.stopped_by

    @property
    def tags(self) -> list[str]:
        return list(self.circumstances.tags)

    @property
    def circumstances(self) -> Circumstances:
        """What the row shares with all that were measured alike: rows with the same figures have the same object."""
        return CIRCUMSTANCES.values[self._unsigned(CIRCUMSTANCES_AT)]

    @property
    def cause(self) -> str:
        """One line: why it failed or is stale."""
        return CAUSES.values[self._unsigned(CAUSE_AT)]

    @property
    def median_ns(self) -> float | None:
        return known_number(FLOAT.unpack_from(self.packed, MEDIAN_AT)[0])

    @property
    def ci_low_ns(self) -> float | None:
        """Order-statistic interval of the median at the method's confidence; None where there are too few samples."""
        return known_number(TWO_FLOATS.unpack_from(self.packed, INTERVAL_AT)[0])

    @property
    def ci_high_ns(self) -> float | None:
        return known_number(TWO_FLOATS.unpack_from(self.packed, INTERVAL_AT)[1])

    @property
    def measured_at(self) -> float | None:
        """Unix seconds, by the clock of the host that measured it."""
        return known_number(FLOAT.unpack_from(self.packed, TIMES_AT)[0])

    @property
    def build_seconds(self) -> float | None:
        return known_number(FLOAT.unpack_from(self.packed, TIMES_AT + 8)[0])

    @property
    def seconds(self) -> float:
        found: float = FLOAT.unpack_from(self.packed, TIMES_AT + 16)[0]
        return found

    @property
    def times_measured(self) -> int:
        return self._unsigned(TIMES_MEASURED_AT)

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

    @property
    def standing(self) -> tuple[int, int, int, float]:
        """Subject and circumstances, as numbers that say whether two rows have the same, plan and median; for looking at all rows."""
        found: tuple[int, int, int, float] = STANDING.unpack_from(self.packed)
        return found

    @property
    def subject(self) -> Subject:
        """What the row shares with all of the same implementation, problem, provenance and axes: one object for all."""
        return SUBJECTS.values[self._unsigned(SUBJECT_AT)]

    @property
    def count(self) -> int:
        """How many samples it has."""
        return self._unsigned(SAMPLES_AT)

    @property
    def _samples_at(self) -> int:
        axes: int = SHORT.unpack_from(self.packed, AXES_AT)[0]
        return ID_AT + self._unsigned(ID_BYTES_AT) + 4 * axes

    @property
    def _told_at(self) -> int:
        found: int = LONG.unpack_from(self.packed, TOLD_AT)[0]
        return found

    def _unsigned(self, at: int) -> int:
        found: int = UNSIGNED.unpack_from(self.packed, at)[0]
        return found


_PARTS = (
    "trial", "implementation", "problem", "problem_key", "configuration", "provenance", "status", "plan", "device",
    "median_ns", "ci_low_ns", "ci_high_ns", "stopped_by", "stage", "build_seconds", "seconds", "tags", "cause",
    "measured_at", "times_measured",
)  # fmt: skip
"""All but those of `Evidence`."""
_SHARED: dict[str, Any] = {"device": str, "stage": str, "stopped_by": str, "tags": tuple}
"""Parts of a row's circumstances that can be changed without a look at the rest, and what they are kept as."""
_CIRCUMSTANCES = 5
