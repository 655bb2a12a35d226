"""Journal lines to typed records and back: nothing that does not fit its type gets past here."""

from __future__ import annotations

import dataclasses
import math
from array import array
from typing import Any, cast

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError
from tunetui.core.events import APP_EVENTS, APP_SOURCE, Event, Record, UnknownEvent
from tunetui.core.measured_lines import is_plain, measured_line, measured_record
from tunetui.core.row import Evidence
from tunetui_agent.messages import (
    EVENTS,
    FAILURES,
    DriftNoticed,
    TrialFailed,
    TrialMeasured,
    TrialProgressed,
    Value,
    reliability,
)


class RecordError(TunetuiError):
    """A line that is not a record: not JSON, or a field of the wrong type or value."""


class _Envelope(msgspec.Struct, rename={"source": "from"}):
    source: str
    record: msgspec.Raw


class _Head(msgspec.Struct):
    seq: int
    t: float
    kind: str


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_HEAD = msgspec.json.Decoder(_Head)
_AGENT = {kind: msgspec.json.Decoder(cls) for kind, cls in EVENTS.items()}
_APP = {kind: msgspec.json.Decoder(cls) for kind, cls in APP_EVENTS.items()}


def split_envelope(line: bytes) -> tuple[str, bytes]:
    """Source and raw record of one journal line; the raw bytes are the agent's own.

    Raises:
        RecordError: not an envelope.
    """
    try:
        envelope = _ENVELOPE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"not a journal record: {error}") from None
    return envelope.source, bytes(envelope.record)


def decode_envelope(line: bytes, at: int = -1) -> Record:
    """The record in one line of the app's journal, which stands ``at`` there.

    Raises:
        RecordError: not an envelope, or a record that `decode_record` refuses.
    """
    record = measured_line(line, at)
    return record if record is not None else decode_record(*split_envelope(line), at)


def decode_record(source: str, raw: bytes, at: int = -1) -> Record:
    """The record in one raw line of ``source``; free text comes out cleaned of what could steer a terminal.

    ``at`` says where it stands in the app's journal.

    Raises:
        RecordError: not JSON, wrong types, samples that are no times, or a negative place.
    """
    record = measured_record(source, raw, at)
    if record is not None:
        return record
    try:
        head = _HEAD.decode(raw)
        decoder = (_APP if source == APP_SOURCE else _AGENT).get(head.kind)
        event = decoder.decode(raw) if decoder is not None else UnknownEvent(kind=head.kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"not a record: {error}") from None
    if head.seq < 0 or not math.isfinite(head.t):
        raise RecordError(f"{head.kind}: seq must be 0 or more and t a time, found {head.seq} and {head.t}")
    _check(event)
    if not is_plain(raw):
        event = _cleaned(event)
    if not is_plain(source.encode()):
        source = clean(source)
    return Record(source, head.seq, head.t, event, at)


class _Outcome(msgspec.Struct):
    """What of a trial's outcome is not kept in its row."""

    trial: _Named
    samples_ns: list[int] = []
    quality: dict[str, float] = {}
    resources: dict[str, Value] = {}
    telemetry: dict[str, Value] = {}
    artifact: str = ""
    detail: str = ""


class _Named(msgspec.Struct):
    id: str


class _OutcomeLine(msgspec.Struct):
    record: _Outcome


_OUTCOME = msgspec.json.Decoder(_OutcomeLine)


def decode_evidence(line: bytes) -> tuple[str, Evidence]:
    """The trial whose outcome one line of the app's journal tells, and what stands behind its figures.

    Raises:
        RecordError: the line tells of no outcome.
    """
    try:
        found = _OUTCOME.decode(line).record
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"not the outcome of a trial: {error}") from None
    if not is_plain(line):
        found = cast("_Outcome", _cleaned(found))
    samples = array("q", found.samples_ns)
    return found.trial.id, Evidence(
        samples, found.quality, found.resources, found.telemetry, found.artifact, found.detail
    )


def encode_app_record(seq: int, t: float, event: Event) -> bytes:
    """One raw record of the app's own (``t`` in Unix seconds), without a newline."""
    fields = cast("dict[str, Any]", msgspec.to_builtins(event))
    return msgspec.json.encode({"seq": seq, "t": round(t, 6), "kind": type(event).__name__, **fields})


def wrap(source: str, raw: bytes) -> bytes:
    """One line of the app's journal, newline included, with ``raw`` in it byte for byte."""
    return b'{"from":' + msgspec.json.encode(source) + b',"record":' + raw.removesuffix(b"\n") + b"}\n"


def _check(event: Any) -> None:
    if isinstance(event, TrialMeasured):
        if not event.samples_ns or min(event.samples_ns) <= 0 or max(event.samples_ns) >= 1 << 63:
            raise RecordError("TrialMeasured: samples_ns must be whole nanoseconds, each more than 0, at least one")
        if min(event.seconds, event.sampling_seconds, event.verify_seconds, event.build_seconds or 0.0) < 0:
            raise RecordError("TrialMeasured: a duration is negative")
    elif isinstance(event, TrialFailed):
        if event.status not in FAILURES:
            raise RecordError(f"TrialFailed: status must be one of {', '.join(FAILURES)}, found {event.status[:40]!r}")
        if min(event.seconds, event.build_seconds or 0.0) < 0:
            raise RecordError("TrialFailed: a duration is negative")
    elif isinstance(event, TrialProgressed) and (event.samples < 0 or event.median_ns < 0):
        raise RecordError("TrialProgressed: samples and median_ns must be 0 or more")
    elif isinstance(event, reliability.ReliabilitySampled):
        _check_stretch(event)
    elif isinstance(event, DriftNoticed) and (event.reference_ns <= 0 or event.median_ns <= 0):
        raise RecordError("DriftNoticed: reference_ns and median_ns must be more than 0")


def _check_stretch(event: reliability.ReliabilitySampled) -> None:
    counted = (event.executions, event.verified, event.wrong, event.errors, event.worst_ns)
    if min(event.seconds, event.asked_seconds, event.executing_seconds, *counted) < 0:
        raise RecordError("ReliabilitySampled: a duration or a count is negative")
    fits = len(event.bins) == len(event.counts) and all(0 <= number <= reliability.LAST_BIN for number in event.bins)
    if not fits or min(event.counts, default=1) < 1:
        raise RecordError("ReliabilitySampled: every bin must be one of a time, with a count of at least 1")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: _cleaned(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(
            value, **{name: _cleaned(getattr(value, name)) for name in value.__struct_fields__}
        )
    return value
