from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.tui.cockpit import opened, shown, until
from tunetui.tui.screens.text import TextScreen
from tunetui.tui.spans import plain, spread, text_of, toned
from tunetui.tui.text_view import TextView, _parts

WORDS = st.lists(st.text("abc ", min_size=1, max_size=30), min_size=2, max_size=4)


@given(WORDS, st.integers(8, 60))
def test_no_part_of_a_line_is_wider_than_the_view_and_no_letter_is_lost(words: list[str], width: int) -> None:
    line = tuple((word, None) for word in words)
    parts = [text_of(part) for part in _parts(line, width)]
    assert all(len(part.rstrip()) <= width for part in parts)
    assert "".join("".join(parts).split()) == "".join("".join(words).split())


def test_a_long_help_line_goes_on_below_its_second_column() -> None:
    line = (("  p     ", "accent"), ("one two three four", None))
    assert [text_of(part).rstrip() for part in _parts(line, 18)] == ["  p     one two", "        three four"]  # type: ignore[arg-type]


def test_a_sentence_is_broken_between_its_words_and_what_has_none_anywhere() -> None:
    assert [text_of(part).rstrip() for part in _parts(plain("one two three"), 8)] == ["one two", "three"]
    assert [text_of(part).rstrip() for part in _parts(plain("  one two three"), 8)] == ["  one", "  two", "  three"]
    assert [text_of(part) for part in _parts(plain("abcdefghij"), 4)] == ["abcd", "efgh", "ij"]
    assert [text_of(part) for part in _parts(plain("数数数数"), 4)] == ["数数数数"]


def test_both_ends_of_a_title_share_a_line_and_the_left_one_gives_way() -> None:
    assert text_of(spread(plain("left"), plain("right"), 12)) == "left   right"
    assert text_of(spread(plain("a long left end"), plain("right"), 12)) == "a lon… right"
    assert text_of(spread(plain("left"), toned("much too long", "muted"), 8)) == "much too long"


async def test_what_is_not_laid_out_yet_is_not_wrapped_to_nothing() -> None:
    view = TextView()
    view.show([plain("a word and another")])
    assert view._wrapped == []
    async with opened(TextScreen("Short", []), size=(80, 24)) as pilot:
        await pilot.app.screen.mount(view)
        await until(pilot, lambda: "a word and another" in shown(pilot))


async def test_a_long_text_can_be_read_to_its_end() -> None:
    lines = [plain(f"line {number}") for number in range(500)]
    async with opened(TextScreen("Long", lines), size=(80, 24)) as pilot:
        await until(pilot, lambda: "line 0" in shown(pilot))
        await pilot.press("end")
        await until(pilot, lambda: "line 499" in shown(pilot))
        await pilot.press("home", "j", "j")
        await until(pilot, lambda: "line 2" in shown(pilot).splitlines()[1])
