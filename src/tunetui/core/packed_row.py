"""What a packed row says of its trial, read from its bytes when it is asked for."""

from __future__ import annotations

import msgspec

from tunetui.core.packing import (
    AXES_AT,
    CAUSE_AT,
    CAUSES,
    CIRCUMSTANCES,
    CIRCUMSTANCES_AT,
    FLOAT,
    ID_AT,
    ID_BYTES_AT,
    INT,
    INTERVAL_AT,
    LONG,
    MEDIAN_AT,
    PLAN,
    SAMPLES_AT,
    SHORT,
    STATUSES,
    SUBJECT_AT,
    SUBJECTS,
    TIMES_AT,
    TIMES_MEASURED_AT,
    TOLD_AT,
    TWO_FLOATS,
    UNSIGNED,
    VALUES,
    Circumstances,
    Subject,
    known_number,
    packing,
    standing,
)
from tunetui_agent.messages import Value


class PackedRow(msgspec.Struct, frozen=True, gc=False, eq=False):
    """All but what stands behind the figures, which `tunetui.core.row.Row` knows."""

    packed: bytes

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

    @property
    def told_at(self) -> int:
        """Where the journal tells of its outcome, in bytes; -1: that is not known, or it tells only a part."""
        return abs(self._told_at) - 1

    @property
    def is_bare(self) -> bool:
        """Whether samples and all that was reported with them stand in the journal alone."""
        return self._told_at < 0

    @property
    def standing(self) -> tuple[int, int, int, int, int, float]:
        """As `tunetui.core.packing.standing`."""
        return standing(self.packed)

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
