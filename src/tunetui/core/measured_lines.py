"""The lines that journals have most of, those of measured trials, read in one pass instead of three."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from msgspec.structs import asdict

from tunetui.core.events import APP_SOURCE, Record
from tunetui_agent.messages import TrialMeasured, TrialRef, Value

_Duration = Annotated[float, msgspec.Meta(ge=0.0)]
_Nanoseconds = Annotated[int, msgspec.Meta(gt=0, le=(1 << 63) - 1)]


class _Trial(msgspec.Struct, gc=False):
    """As `TrialRef`."""

    id: str
    implementation: str
    problem: dict[str, Value]
    configuration: dict[str, Value]
    provenance: str


class _Measured(msgspec.Struct, kw_only=True, gc=False, tag_field="kind", tag="TrialMeasured"):
    """As `TrialMeasured`, every field of it, with what may not be in it; before them those that every record has."""

    seq: Annotated[int, msgspec.Meta(ge=0)]
    t: float
    trial: _Trial
    samples_ns: Annotated[list[_Nanoseconds], msgspec.Meta(min_length=1)]
    stopped_by: str
    warmups: int
    quality: dict[str, float]
    build_seconds: _Duration | None
    seconds: _Duration
    sampling_seconds: _Duration
    verify_seconds: _Duration
    stage: str = "sweep"
    artifact: str = ""
    resources: dict[str, Value] = {}
    telemetry: dict[str, Value] = {}
    tags: list[str] = []
    process: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Line(msgspec.Struct, rename={"source": "from"}, gc=False):
    source: str
    record: _Measured


_HINT = b'"kind":"TrialMeasured"'
_RECORD = msgspec.json.Decoder(_Measured)
_LINE = msgspec.json.Decoder(_Line)


def is_plain(raw: bytes) -> bool:
    """Whether no string in ``raw`` can hold anything but printable ASCII; most lines pass this quick look."""
    return raw.isascii() and b"\\" not in raw and b"\x7f" not in raw


def measured_record(source: str, raw: bytes, at: int) -> Record | None:
    """The record in one raw line of ``source``; None: it is to be read as all others are, which also says what is wrong."""
    if _HINT not in raw or source == APP_SOURCE or not is_plain(raw) or not is_plain(source.encode()):
        return None
    try:
        found = _RECORD.decode(raw)
    except msgspec.DecodeError:
        return None
    return _record(source, found, at)


def measured_line(line: bytes, at: int) -> Record | None:
    """The same of one line of the app's journal."""
    if _HINT not in line or not is_plain(line):
        return None
    try:
        found = _LINE.decode(line)
    except msgspec.DecodeError:
        return None
    return None if found.source == APP_SOURCE else _record(found.source, found.record, at)


def _record(source: str, found: _Measured, at: int) -> Record | None:
    if not math.isfinite(found.t):
        return None
    # what was checked as it was read becomes a message as it is: to make one of its fields takes as long as reading it
    trial, event = object.__new__(TrialRef), object.__new__(TrialMeasured)
    object.__setattr__(trial, "__dict__", asdict(found.trial))
    fields = asdict(found)
    del fields["seq"], fields["t"]
    fields["trial"] = trial
    object.__setattr__(event, "__dict__", fields)
    return Record(source, found.seq, found.t, event, at)
