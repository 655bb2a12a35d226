from __future__ import annotations

import math
from itertools import count
from time import monotonic
from typing import Any

import pytest
from textual.screen import Screen

from tests.tui.drawing import Stage, columns, lines_on_screen, rows
from tunetui.tui.widgets.columns import Column, number_column, text_column
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.table import LiveTable

MUCH_LATER_S = count(1000, 1000)


def later() -> float:
    """A time at which nothing holds the order any more, each later than the one before."""
    return monotonic() + next(MUCH_LATER_S)


class TableStage(Stage):
    def __init__(self, table: LiveTable) -> None:
        super().__init__(table)
        self.table = table

    def on_live_table_row_highlighted(self, event: LiveTable.RowHighlighted) -> None:
        self.heard.append(("highlighted", event.key))

    def on_live_table_row_chosen(self, event: LiveTable.RowChosen) -> None:
        self.heard.append(("chosen", event.key))

    def on_live_table_sorted(self, event: LiveTable.Sorted) -> None:
        self.heard.append(("sorted", event.key, event.descending))


class LayoutCount:
    """How often a screen is laid out from now on."""

    def __init__(self, screen: Screen[Any]) -> None:
        self.count, self._refresh_layout = 0, screen._refresh_layout
        screen._refresh_layout = self.refresh_layout  # type: ignore[method-assign]

    def refresh_layout(self, *arguments: Any, **named: Any) -> None:
        self.count += 1
        self._refresh_layout(*arguments, **named)


def staged(count: int = 300, *, sort_key: str = "speed", fixed: int = 1) -> TableStage:
    table = LiveTable(rows(count), columns(), fixed=fixed)
    table.ordering.sort_by(sort_key)
    return TableStage(table)


async def test_rows_are_shown_in_order_with_what_is_not_known_last() -> None:
    app = staged(3)
    app.table.store.upsert("unknown", {"name": "odd", "speed": None, "note": "failed"})
    async with app.run_test(size=(44, 6)) as pilot:
        await pilot.pause()
        assert lines_on_screen(app) == [
            " name       speed▲   size note",
            "▸r2            1.0      2",
            " r1            2.0      1",
            " r0            3.0      0",
            " odd           n/a    n/a failed",
            "",
        ]
        app.table.sort_by("speed")
        await pilot.pause()
        assert [line[1:4].strip() for line in lines_on_screen(app)[1:5]] == ["r0", "r1", "r2", "odd"]


async def test_the_cursor_stays_on_its_row_when_others_overtake_it() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("down", "down", "down")
        key = app.table.cursor_key
        app.table.store.upsert("new", {"name": "new", "speed": 0.5})
        app.table.tick(later())
        await pilot.pause()
        assert (app.table.cursor_position, app.table.cursor_key) == (4, key)
        assert lines_on_screen(app)[1].startswith(" new")
        assert lines_on_screen(app)[5].startswith(f"▸{key}")


async def test_before_it_is_moved_the_cursor_is_on_whatever_is_first() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.table.store.upsert("new", {"name": "new", "speed": 0.5})
        app.table.tick(later())
        await pilot.pause()
        assert app.table.cursor_key == "new"
        assert app.heard == [("highlighted", "r299"), ("highlighted", "new")]
        await pilot.press("end", "home")
        app.table.store.upsert("newer", {"name": "newer", "speed": 0.1})
        app.table.tick(later())
        assert app.table.cursor_key == "newer"


async def test_values_change_at_once_and_the_order_when_its_time_has_come() -> None:
    app = staged(5)
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        start = later()
        app.table.tick(start)
        app.table.store.upsert("r0", {"speed": 0.1})
        app.table.tick(start)
        assert app.table.ordering.rows.tolist()[0] == 0
        app.table.store.upsert("r0", {"speed": 9.0})
        app.table.tick(start + 0.1)
        await pilot.pause()
        assert lines_on_screen(app)[1].startswith("▸r0")
        assert "9.0" in lines_on_screen(app)[1]
        app.table.tick(start + 0.5)
        assert app.table.ordering.rows.tolist() == [4, 3, 2, 1, 0]


async def test_the_order_waits_while_the_user_moves_about() -> None:
    app = staged(5)
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("down")
        app.table.store.upsert("r0", {"speed": 0.1})
        app.table.tick(monotonic() + 1.0)
        assert app.table.ordering.rows.tolist()[-1] == 0
        app.table.tick(monotonic() + 2.0)
        assert app.table.ordering.rows.tolist()[0] == 0


async def test_a_held_order_waits_until_it_is_let_go() -> None:
    app = staged(5)
    async with app.run_test(size=(60, 10)):
        app.table.order_held = True
        app.table.store.upsert("r0", {"speed": 0.1})
        app.table.tick(later())
        assert app.table.ordering.rows.tolist()[-1] == 0
        app.table.order_held = False
        app.table.tick(later())
        assert app.table.ordering.rows.tolist()[0] == 0


async def test_a_change_out_of_sight_paints_nothing_and_one_in_sight_paints_its_line() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        table = app.table
        painted = table.lines_repainted
        table.store.upsert("r0", {"size": 99.0})
        table.tick(later())
        assert table.lines_repainted == painted
        table.store.upsert("r298", {"size": 99.0})
        table.tick(later())
        assert table.lines_repainted == painted + 1
        await pilot.pause()
        assert "99" in lines_on_screen(app)[2]


async def test_a_change_that_no_shown_column_tells_paints_nothing() -> None:
    app = staged()
    async with app.run_test(size=(30, 20)) as pilot:
        await pilot.pause()
        assert app.table.shown_keys == ["name", "speed"]
        painted = app.table.lines_repainted
        app.table.store.upsert("r299", {"note": "not on show"})
        app.table.tick(later())
        assert app.table.lines_repainted == painted


async def test_moving_the_cursor_paints_two_lines() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        painted = app.table.lines_repainted
        await pilot.press("down")
        assert app.table.lines_repainted == painted + 2


async def test_new_rows_neither_lay_the_screen_out_nor_paint_what_they_do_not_show_on() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        layouts = LayoutCount(app.screen)
        painted = app.table.lines_repainted
        for number in range(50):
            app.table.store.upsert(f"slow{number}", {"name": "slow", "speed": 1e6 + number})
            app.table.tick(later())
            await pilot.pause()
        assert app.table.lines_repainted == painted
        assert layouts.count == 0
        assert app.table.max_scroll_y == 350 + 1 - 20


async def test_clicking_a_header_sorts_and_again_turns_the_direction() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.click(LiveTable, offset=(24, 0))
        assert app.heard[-1] == ("sorted", "size", False)
        await pilot.click(LiveTable, offset=(24, 0))
        assert app.heard[-1] == ("sorted", "size", True)
        assert "size▼" in lines_on_screen(app)[0]


async def test_clicking_a_row_puts_the_cursor_there_and_twice_opens_it() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.click(LiveTable, offset=(5, 7))
        assert app.table.cursor_position == 6
        await pilot.click(LiveTable, offset=(5, 7), times=2)
        assert app.heard[-1] == ("chosen", "r293")
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.heard[-1] == ("chosen", "r292")


async def test_a_click_below_the_last_row_does_nothing() -> None:
    app = staged(3)
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.click(LiveTable, offset=(5, 15), times=2)
        assert app.table.cursor_position == 0
        assert [name for name, *_ in app.heard] == ["highlighted"]


async def test_a_filter_keeps_the_view_within_what_is_left() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("end")
        assert app.table.scroll_offset.y == 281
        app.table.filter_by(lambda store, at: store.sort_values("speed", at) <= 3)
        await pilot.pause()
        assert [line[1:5] for line in lines_on_screen(app)[1:4]] == ["r299", "r298", "r297"]
        assert app.table.cursor_position == 2
        app.table.filter_by(None)
        await pilot.pause()
        assert app.table.cursor_key == "r0"


async def test_no_rows_at_all_is_a_table_too() -> None:
    app = staged(0)
    async with app.run_test(size=(60, 6)) as pilot:
        await pilot.press("down", "end", "home", "enter", "pagedown")
        assert app.table.cursor_row is None
        assert app.table.cursor_key is None
        assert app.heard == []
        app.table.store.upsert("first", {"name": "first", "speed": 1.0})
        app.table.tick(later())
        await pilot.pause()
        assert lines_on_screen(app)[1].startswith("▸first")


async def test_search_marks_what_it_finds_and_goes_from_one_to_the_next() -> None:
    app = staged(40)
    async with app.run_test(size=(60, 10)) as pilot:
        app.table.search("R1")
        await pilot.pause()
        assert app.table.find_next()
        assert app.table.cursor_key == "r19"
        assert app.table.find_next(-1)
        assert app.table.cursor_key == "r1"
        assert app.table.find_next()
        await pilot.pause()
        line = next(strip for strip in app.screen._compositor.render_strips() if strip.text.startswith(" r18"))
        assert [(piece.text, bool(piece.style and piece.style.underline)) for piece in line][:2][-1] == ("r1", True)
        app.table.search("nowhere")
        assert not app.table.find_next()


async def test_columns_give_way_in_the_order_they_state() -> None:
    app = staged()
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert app.table.shown_keys == ["name", "speed", "size", "note"]
        await pilot.resize_terminal(34, 10)
        await pilot.pause()
        assert app.table.shown_keys == ["name", "speed", "note"]
        await pilot.resize_terminal(26, 10)
        await pilot.pause()
        assert app.table.shown_keys == ["name", "speed"]
        await pilot.resize_terminal(60, 10)
        await pilot.pause()
        assert app.table.shown_keys == ["name", "speed", "size", "note"]


async def test_chosen_columns_stay_and_scroll_beside_the_fixed_ones() -> None:
    app = staged()
    async with app.run_test(size=(30, 10)) as pilot:
        app.table.choose_columns(["name", "size", "speed", "note"])
        await pilot.pause()
        await pilot.press("right")
        await pilot.pause()
        header, first, *_ = lines_on_screen(app)
        assert header.startswith(" name")
        assert first.startswith("▸r299")
        assert "speed" in header
        assert "size" not in header
        with pytest.raises(KeyError):
            app.table.choose_columns(["name", "colour"])
        assert app.table.shown_keys == ["name", "size", "speed", "note"]
        app.table.choose_columns(None)
        await pilot.pause()
        assert app.table.shown_keys == ["name", "speed"]


async def test_a_figure_that_the_line_has_no_room_for_is_marked_and_never_cut_to_another_one() -> None:
    app = staged(3)
    async with app.run_test(size=(23, 6)) as pilot:
        app.table.choose_columns(["name", "speed", "size"])
        await pilot.pause()
        assert lines_on_screen(app)[1].split() == ["▸r2", "1.0", "…"]
        await pilot.press("right")
        await pilot.pause()
        assert lines_on_screen(app)[1].split() == ["▸r2", "…", "2"]


async def test_a_wide_character_takes_two_cells_and_is_never_cut_in_half() -> None:
    app = staged(1)
    async with app.run_test(size=(60, 4)) as pilot:
        app.table.store.upsert("r0", {"name": "日本語日本語", "note": "日本"})
        app.table.tick(later())
        await pilot.pause()
        strip = app.screen._compositor.render_strips()[1]
        assert strip.cell_length == 60
        assert strip.text.startswith("▸日本語 … ")
        app.table.choose_columns(["name", "speed"])


async def test_another_store_is_shown_with_the_same_order() -> None:
    app = staged(20)
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("end")
        other = ColumnStore(["speed", "size"], ["name", "note"])
        other.extend(["x", "y"], {"name": ["x", "y"], "speed": [2.0, 1.0]})
        app.table.show(other)
        await pilot.pause()
        assert [line[:2] for line in lines_on_screen(app)[1:4]] == ["▸y", " x", ""]


async def test_tones_colour_a_cell_and_a_row_but_leave_the_text_as_it_is() -> None:
    bad = Column("speed", "speed", 8, lambda *_: "✗ slow", tone=lambda *_: "bad")
    name = text_column("name", "name", 8)
    table = LiveTable(rows(2), [name, bad], row_tone=lambda _, row: "muted" if row else None)
    app = TableStage(table)
    async with app.run_test(size=(30, 5)) as pilot:
        await pilot.press("down")
        await pilot.pause()
        first, second = (list(strip) for strip in app.screen._compositor.render_strips()[1:3])
        toned = [piece for piece in first if "slow" in piece.text]
        assert toned[0].style != first[0].style
        assert "".join(piece.text for piece in second).startswith("▸r1         ✗ slow")


async def test_a_row_that_leaves_the_page_takes_the_view_with_it() -> None:
    app = staged()
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.press("down")
        key = app.table.cursor_key
        app.table.store.upsert(str(key), {"speed": 150.5})
        app.table.tick(later())
        await pilot.pause()
        assert app.table.cursor_key == key
        assert any(line.startswith(f"▸{key}") for line in lines_on_screen(app))


def test_a_number_that_is_not_known_says_so() -> None:
    store = rows(1)
    store.upsert("r0", {"speed": math.nan})
    assert number_column("speed", "speed", 8).cell(store, 0) == "n/a"
