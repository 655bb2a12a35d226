"""A record that a power cut tore is told from a whole one without parsing it."""

from __future__ import annotations

import json

import pytest

from tunetui_agent.attach import _is_whole


@pytest.mark.parametrize(
    "record",
    [
        {"seq": 1, "kind": "NoticeRaised", "text": "a brace { or two }} in a string"},
        {"text": "}", "b": {"c": 1}},
        {"text": 'a quote " and a backslash \\', "more": {"x": '}\\"{'}},
        {"text": "", "list": [{"a": "}"}, {"b": "{"}]},
    ],
)
def test_only_the_whole_of_a_record_is_whole(record: dict[str, object]) -> None:
    line = json.dumps(record, separators=(",", ":")).encode()
    assert _is_whole(line)
    assert [place for place in range(len(line)) if _is_whole(line[:place])] == []
