"""One trial's row, packed: what is known of 100,000 of them must fit into some tens of megabytes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tunetui.core.packing import (
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
    MEDIAN_AT,
    NAN,
    NOTHING_TOLD,
    PLAN,
    SAMPLES_AT,
    STANDING,
    STATUS_CODES,
    STATUSES,
    SUBJECT_AT,
    SUBJECTS,
    TIMES_AT,
    TIMES_MEASURED_AT,
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


class Row(msgspec.Struct, frozen=True, gc=False):
    """What is known of one trial.  Times in nanoseconds unless the name says otherwise.

    Everything is packed into one string of bytes, from which each property is read when it is asked for: dicts and
    samples are new ones every time, so ask once.
    """

    packed: bytes

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
    ) -> Row:
        """A row of its parts, named as its properties."""
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
        )
        told = b""
        if artifact or detail or quality or resources or telemetry:
            told = packed_told([artifact, detail, *quality.values(), *resources.values(), *telemetry.values()])
        return cls(b"".join((head, packed_id(trial), packed_values(configuration.values()), samples, told)))

    def but(self, **changes: Any) -> Row:
        """The same row with some of its parts changed."""
        if not changes.keys() <= IN_HEAD.keys():
            return Row.of(**{name: getattr(self, name) for name in _PARTS} | changes)
        head = list(HEAD.unpack_from(self.packed))
        for name, value in changes.items():
            place, code = IN_HEAD[name]
            head[place] = code(value)
        return Row(HEAD.pack(*head) + self.packed[HEAD.size :])

    def __repr__(self) -> str:
        return f"Row({', '.join(f'{name}={getattr(self, name)!r}' for name in _PARTS)})"

    # ------------------------------------------------------------------------------------------- what it is of

    @property
    def trial(self) -> str:
        """Its id."""
        packed = self.packed
        return packed[ID_AT : ID_AT + UNSIGNED.unpack_from(packed, ID_BYTES_AT)[0]].decode(errors="surrogatepass")

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
        """Samples and all that was reported with them."""
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
        return ID_AT + self._unsigned(ID_BYTES_AT) + 4 * len(self.axes)

    def _unsigned(self, at: int) -> int:
        found: int = UNSIGNED.unpack_from(self.packed, at)[0]
        return found


_PARTS = (
    "trial", "implementation", "problem", "problem_key", "configuration", "provenance", "status", "plan", "device",
    "samples_ns", "median_ns", "ci_low_ns", "ci_high_ns", "stopped_by", "stage", "quality", "build_seconds", "seconds",
    "artifact", "resources", "telemetry", "tags", "cause", "detail", "measured_at", "times_measured",
)  # fmt: skip


class Opened(NamedTuple):
    """Columns of rows of one subject and circumstances: as the properties of each, for a fraction of the time."""

    settings: list[list[Value]]
    causes: list[str]
    medians_ns: list[float | None]
    ci_low_ns: list[float | None]
    ci_high_ns: list[float | None]
    build_seconds: list[float | None]
    samples_ns: list[array[int]]
    told: list[tuple[Value, ...]]
    """One column for each name in their circumstances: of qualities, then resources, then telemetry."""


def opened_alike(rows: Sequence[Row]) -> Opened:
    """The columns of rows that share their `Row.subject` and `Row.circumstances`."""
    packed = [row.packed for row in rows]
    axes = packing(len(rows[0].axes))
    _, widths, _, counts, _, _, causes, _, _, medians, lows, highs, _, built, _ = zip(
        *map(HEAD.unpack_from, packed), strict=True
    )
    begins = [ID_AT + UNSIGNED.unpack_from(each, ID_BYTES_AT)[0] + axes.size for each in packed]
    ends = [begin + width * count for begin, width, count in zip(begins, widths, counts, strict=True)]
    codes = zip(
        *[axes.unpack_from(each, begin - axes.size) for each, begin in zip(packed, begins, strict=True)], strict=True
    )
    told = [
        decode_told(each[end:]) if end < len(each) else NOTHING_TOLD for each, end in zip(packed, ends, strict=True)
    ]
    return Opened(
        settings=[list(map(VALUES.values.__getitem__, column)) for column in codes],
        causes=list(map(CAUSES.values.__getitem__, causes)),
        medians_ns=list(map(known_number, medians)),
        ci_low_ns=list(map(known_number, lows)),
        ci_high_ns=list(map(known_number, highs)),
        build_seconds=list(map(known_number, built)),
        samples_ns=[
            array("q", array(TYPECODES[width], each[begin:end]) if width else ())
            for each, width, begin, end in zip(packed, widths, begins, ends, strict=True)
        ],
        told=list(zip(*told, strict=True))[2:],
    )
