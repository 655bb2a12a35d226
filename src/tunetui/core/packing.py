"""How a row is packed into bytes: a head of fixed length, its id, the values of its axes, its samples, and what was told."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from struct import Struct
from threading import Lock
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from tunetui_agent.messages import FAILURES, Value

QUEUED, RUNNING, MEASURED, STALE, SKIPPED = "queued", "running", "measured", "stale", "skipped"
STATUSES = (QUEUED, RUNNING, MEASURED, STALE, SKIPPED, *FAILURES)
"""Every status that a row can have."""

T = TypeVar("T")


class Shared(Generic[T]):
    """What many rows say alike, each kept once and named by a number; like `sys.intern` it never forgets."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self.code_of: dict[Any, int] = {}
        self._adding = Lock()

    def add(self, key: Any, value: T) -> int:
        with self._adding:
            if key not in self.code_of:
                self.values.append(value)
                self.code_of[key] = len(self.values) - 1
            return self.code_of[key]


class Subject(NamedTuple):
    """What a row is of, but for the values of its axes."""

    implementation: str
    problem: dict[str, Value]
    problem_key: str
    provenance: str
    axes: tuple[str, ...]


class Circumstances(NamedTuple):
    """How it was measured, and which figures came of it."""

    device: str
    stage: str
    stopped_by: str
    tags: tuple[str, ...]
    quality: tuple[str, ...]
    resources: tuple[str, ...]
    telemetry: tuple[str, ...]


SUBJECTS: Final = Shared[Subject]()
CIRCUMSTANCES: Final = Shared[Circumstances]()
CAUSES: Final = Shared[str]()
VALUES: Final = Shared[Value]()
STATUS_CODES = {status: code for code, status in enumerate(STATUSES)}

HEAD = Struct("<BBHIIIIIiddd3dq")
"""Status, bytes of a sample, number of axes, samples, subject, circumstances, cause, times measured, plan; then floats:
median and the ends of its interval, when it was measured, how long it took to build, and in all (NaN: not known); last
where the journal tells its outcome, counted from 1, below 0 where its samples and what was told stand only there."""
AXES_AT, _CODES, PLAN, MEDIAN_AT, INTERVAL_AT, TIMES_AT, TOLD_AT = 2, 4, 24, 28, 36, 52, 76
ID_BYTES_AT, ID_AT = HEAD.size, HEAD.size + 4
standing: Callable[[bytes], tuple[int, int, int, int, int, float]] = Struct("<B7xII4xIid").unpack_from
"""For looking at all rows: the numbers of a row's status, subject and circumstances, times measured, plan, and median.

The numbers say whether two rows have the same; the median is NaN where it is not known.
"""
_OUTLINE = Struct("<2xH72xqI")
SHORT, INT, UNSIGNED, LONG = Struct("<H"), Struct("<i"), Struct("<I"), Struct("<q")
FLOAT, TWO_FLOATS = Struct("<d"), Struct("<2d")
SAMPLES_AT, SUBJECT_AT, CIRCUMSTANCES_AT, CAUSE_AT, TIMES_MEASURED_AT = range(_CODES, PLAN, 4)
NAN = float("nan")
_PLAIN = frozenset({int, str})
_WIDTHS = ((1 << 8, "B"), (1 << 16, "H"), (1 << 32, "I"), (1 << 64, "Q"))
TYPECODES = {array(code).itemsize: code for _, code in _WIDTHS}
_encode = msgspec.msgpack.Encoder().encode
_BIG_INT: Final = 1
decode_told = msgspec.msgpack.Decoder(
    list[Any], ext_hook=lambda _, data: int.from_bytes(data, "little", signed=True)
).decode


def packed_id(trial: str) -> bytes:
    """The id of a row as it stands from `ID_BYTES_AT` on, its length before it."""
    written = trial.encode()
    return UNSIGNED.pack(len(written)) + written


def known_number(value: float) -> float | None:
    """A float as it stands in the head; None where it is NaN."""
    return value if value == value else None  # noqa: PLR0124 (NaN)


def bare(packed: bytes) -> bytes:
    """A row without what the journal tells; all of it where it does not."""
    axes, told_at, id_bytes = _OUTLINE.unpack_from(packed)
    if told_at <= 0:
        return packed
    return b"".join((packed[:TOLD_AT], LONG.pack(-told_at), packed[ID_BYTES_AT : ID_AT + id_bytes + 4 * axes]))


def subject_code(
    implementation: str, problem: dict[str, Value], key: str, provenance: str, axes: tuple[str, ...]
) -> int:
    """The number of a subject; equal keys are taken for equal problems."""
    parts = (implementation, key, provenance, axes, tuple(problem))  # in the order in which the fields were written
    code = SUBJECTS.code_of.get(parts)
    if code is None:
        code = SUBJECTS.add(parts, Subject(implementation, problem, key, provenance, axes))
    return code


def circumstances_code(how: tuple[Any, ...]) -> int:
    """The number of circumstances, given as the fields of `Circumstances`."""
    code = CIRCUMSTANCES.code_of.get(how)
    return CIRCUMSTANCES.add(how, Circumstances(*how)) if code is None else code


def cause_code(text: str) -> int:
    """The number of a cause."""
    code = CAUSES.code_of.get(text)
    return CAUSES.add(text, text) if code is None else code


def packed_values(values: Iterable[Value]) -> bytes:
    """The values of a configuration: a number for each, which stands for it in `VALUES`."""
    known = VALUES.code_of
    codes = [known[value] if type(value) in _PLAIN and value in known else _value(value) for value in values]
    return packing(len(codes)).pack(*codes)


@lru_cache
def packing(count: int) -> Struct:
    """Of the values of so many axes."""
    return Struct(f"<{count}I")


def _value(value: Value) -> int:
    # equal keys are not always the same value: 1, 1.0 and True, 0.0 and -0.0
    key = value if type(value) in _PLAIN else (type(value), repr(value))
    code = VALUES.code_of.get(key)
    return VALUES.add(key, value) if code is None else code


def packed_samples(samples_ns: Sequence[int]) -> tuple[int, bytes]:
    """Bytes of each, as few as the largest needs, and all of them."""
    if not len(samples_ns):
        return 0, b""
    largest = max(samples_ns)
    packed = array("I" if 1 << 16 <= largest < 1 << 32 else _typecode(largest), samples_ns)
    return packed.itemsize, packed.tobytes()


def _typecode(largest: int) -> str:
    return next(code for limit, code in _WIDTHS if largest < limit)


def packed_told(values: list[Value]) -> bytes:
    """Artifact and detail, then qualities, resources and telemetry without their names."""
    try:
        return _encode(values)
    except OverflowError:  # JSON knows whole numbers of any length
        return _encode([_extended(value) for value in values])


def _extended(value: Value) -> Value | msgspec.msgpack.Ext:
    if type(value) is not int:
        return value
    return msgspec.msgpack.Ext(_BIG_INT, value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


NOTHING_TOLD: list[Any] = ["", ""]

IN_HEAD: dict[str, tuple[int, Any]] = {
    "status": (0, STATUS_CODES.__getitem__),
    "cause": (6, cause_code),
    "times_measured": (7, int),
    "plan": (8, int),
}
"""Parts that can be changed without a look at the rest: their place in the head, and what stands there."""
