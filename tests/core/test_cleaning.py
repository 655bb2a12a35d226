"""What `clean` lets through to a terminal, and what it shows instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunetui.core.cleaning import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb\x00c\x07", "a\\x0db\\x00c\\x07"),
        ("\x7f \x9b31m", "\\x7f \\x9b31m"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\u2066a\u2069", "\\u2066a\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028end", "line\\u2028end"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone\ud800", "lone\\ud800"),
    ],
)
def test_what_could_steer_a_terminal_is_shown_instead(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    "text", ["", "plain", "two\nlines\tand a tab", "5 µs ± 1 %, Größe, 東京, 🙂", "[red]markup[/]", "a\\x1b"]
)
def test_what_people_read_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@given(st.text(st.characters(codec=None)))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not any(ord(c) < 32 and c not in "\n\t" for c in once)
