from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Any

import msgspec
import pytest

from tunetui_agent.message import message


@message(frozen=True, kw_only=True)
class Sent:
    name: str
    count: int = 1
    parts: list[int] = field(default_factory=list)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standard:
    name: str
    count: int = 1
    parts: list[int] = field(default_factory=list)


def test_a_message_is_a_dataclass_to_everything_that_asks() -> None:
    sent = Sent(name="a", parts=[2])
    assert dataclasses.asdict(sent) == {"name": "a", "count": 1, "parts": [2]}
    assert dataclasses.replace(sent, count=3) == Sent(name="a", count=3, parts=[2])
    assert repr(sent) == "Sent(name='a', count=1, parts=[2])"
    assert sent != Sent(name="b", parts=[2])
    other: Any = Standard(name="a", parts=[2])
    assert sent != other
    assert Sent(name="a").parts is not Sent(name="a").parts
    with pytest.raises(TypeError):
        hash(sent)


def test_it_stays_as_it_was_made() -> None:
    sent: Any = Sent(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        sent.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del sent.name


@pytest.mark.parametrize("values", [{}, {"count": 2}, {"name": "a", "colour": "red"}])
def test_what_does_not_fit_is_refused_as_by_any_dataclass(values: dict[str, Any]) -> None:
    for cls in (Sent, Standard):
        with pytest.raises(TypeError):
            cls(**values)


@pytest.mark.parametrize("text", [b'{"name":"a"}', b'{"name":"a","count":4,"parts":[1,2]}'])
def test_msgspec_reads_it_as_any_dataclass(text: bytes) -> None:
    read, standard = msgspec.json.decode(text, type=Sent), msgspec.json.decode(text, type=Standard)
    assert dataclasses.asdict(read) == dataclasses.asdict(standard)
    assert read == Sent(**dataclasses.asdict(standard))
    assert msgspec.json.encode(read) == msgspec.json.encode(standard)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"name":1}', type=Sent)
