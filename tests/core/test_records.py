from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.journals import AGENT, measured, planned, ref
from tunetui.core import measured_lines
from tunetui.core.events import APP_EVENTS, Record, TrialsStaled, UnknownEvent
from tunetui.core.measured_lines import measured_line, measured_record
from tunetui.core.records import (
    RecordError,
    decode_envelope,
    decode_record,
    encode_app_record,
    split_envelope,
    wrap,
)
from tunetui_agent.messages import EVENTS, NoticeRaised, TrialFailed, TrialMeasured, TrialRef, encode_event

MEASURED = encode_event(4, 12.5, measured(1, [5, 6, 7]))


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(MEASURED) | fields).encode()


def test_an_agents_line_comes_back_as_the_event_it_was() -> None:
    record = decode_record(AGENT, MEASURED)
    assert (record.source, record.seq, record.t, record.event) == (AGENT, 4, 12.5, measured(1, [5, 6, 7]))


def test_an_app_event_comes_back_as_the_event_it_was() -> None:
    event = planned()
    assert decode_record("app", encode_app_record(3, 1.25, event)).event == event


def test_the_agents_bytes_stand_unchanged_inside_the_envelope() -> None:
    raw = b'{ "seq" : 4,"t":1e1,  "kind":"CommandAccepted","command":"\\u0061" }'
    assert split_envelope(wrap(AGENT, raw + b"\n")) == (AGENT, raw)


def test_a_record_of_a_later_version_is_unknown_not_an_error() -> None:
    assert decode_record(AGENT, b'{"seq":0,"t":1,"kind":"Later","x":1}').event == UnknownEvent(kind="Later")


def test_an_agent_cannot_speak_for_the_app() -> None:
    stolen = encode_app_record(0, 1.0, TrialsStaled(reasons={"x": "y"}))
    assert decode_record(AGENT, stolen).event == UnknownEvent(kind="TrialsStaled")
    assert set(APP_EVENTS) & set(EVENTS) == {"NoticeRaised", "TrialsSkipped"}


@pytest.mark.parametrize(
    "fields",
    [
        {"samples_ns": []},
        {"samples_ns": [5, 0]},
        {"samples_ns": [-5]},
        {"samples_ns": [5.5]},
        {"samples_ns": [1 << 63]},
        {"samples_ns": "5"},
        {"seconds": -1.0},
        {"build_seconds": -0.5},
        {"trial": {"id": 5}},
        {"seq": -1},
        {"seq": "4"},
        {"t": None},
        {"tags": [1]},
    ],
    ids=str,
)
def test_what_cannot_be_a_measurement_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        decode_record(AGENT, changed(**fields))


@pytest.mark.parametrize("figure", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_figures_that_are_no_numbers_are_refused(figure: bytes) -> None:
    with pytest.raises(RecordError):
        decode_record(AGENT, MEASURED.replace(b"1e-07", figure))
    with pytest.raises(RecordError):
        decode_record(AGENT, MEASURED.replace(b"12.5", figure))


def test_a_failure_of_an_unheard_of_status_is_refused() -> None:
    with pytest.raises(RecordError, match="status must be one of"):
        decode_record(AGENT, encode_event(0, 1.0, TrialFailed(trial=ref(1), status="sad", cause="?")))


def test_hostile_text_is_shown_not_obeyed() -> None:
    raw = encode_event(0, 1.0, NoticeRaised(code="x", text="\x1b[2Jgone\u202etxt"))
    event = decode_record(AGENT, raw).event
    assert isinstance(event, NoticeRaised)
    assert event.text.isprintable()
    failed = encode_event(0, 1.0, TrialFailed(trial=ref(1), status="wrong", cause="a\x07b", detail="one\ntwo"))
    event = decode_record(AGENT, failed).event
    assert isinstance(event, TrialFailed)
    assert (event.cause, event.detail) == ("a\\x07b", "one\ntwo")


@given(st.binary())
def test_any_bytes_are_a_record_or_clearly_refused(raw: bytes) -> None:
    with pytest.raises(RecordError):
        decode_envelope(raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_is_a_record_or_clearly_refused(value: object) -> None:
    raw = json.dumps({"from": AGENT, "record": value}).encode()
    with pytest.raises(RecordError):
        decode_envelope(raw)


_STRANGE = st.none() | st.booleans() | st.integers(-1, 1 << 70) | st.floats() | st.text() | st.lists(st.integers(-1, 9))
_FIELDS = st.sampled_from([*json.loads(MEASURED), *(f"trial.{name}" for name in json.loads(MEASURED)["trial"]), "new"])


@given(
    st.dictionaries(_FIELDS, _STRANGE | st.dictionaries(st.text(), _STRANGE), max_size=3),
    st.sampled_from([AGENT, "app"]),
)
def test_a_measured_trial_read_in_one_pass_is_what_it_is_read_otherwise(fields: dict[str, object], source: str) -> None:
    made = json.loads(MEASURED)
    for name, value in fields.items():
        holder, _, last = name.rpartition(".")
        (made[holder] if holder and isinstance(made[holder], dict) else made)[last] = value
    quick = json.dumps(made, separators=(",", ":")).encode()
    slow = json.dumps(made, separators=(", ", ": ")).encode()  # with spaces in it, it is read as all other records are
    assert read_or_refused(decode_record, source, quick, 7) == read_or_refused(decode_record, source, slow, 7)
    lines = wrap(source, quick), wrap(source, slow)
    assert read_or_refused(decode_envelope, lines[0], 7) == read_or_refused(decode_envelope, lines[1], 7)


def read_or_refused(read: Callable[..., Record], *arguments: object) -> Record | None:
    try:
        return read(*arguments)
    except RecordError:
        return None


def test_a_line_of_a_measured_trial_is_read_in_one_pass() -> None:
    assert measured_record(AGENT, MEASURED.rstrip(), 7) == decode_record(AGENT, MEASURED, 7)
    assert measured_line(wrap(AGENT, MEASURED), 7) == decode_record(AGENT, MEASURED, 7)
    assert measured_record("app", MEASURED, 7) is measured_line(wrap("app", MEASURED), 7) is None


def test_the_quick_way_to_read_a_measured_trial_knows_every_field_of_it() -> None:
    quick, quick_trial = (
        {each.name for each in msgspec.structs.fields(kind)}
        for kind in (measured_lines._Measured, measured_lines._Trial)
    )
    assert quick == {"seq", "t"} | {each.name for each in dataclasses.fields(TrialMeasured)}
    assert quick_trial == {each.name for each in dataclasses.fields(TrialRef)}


def test_a_second_visit_is_read_with_the_process_that_made_it() -> None:
    raw = encode_event(4, 1.0, measured(1, [5, 6, 7], stage="revisit", process=3))
    found = decode_record(AGENT, raw).event
    assert isinstance(found, TrialMeasured)
    assert found.process == 3
