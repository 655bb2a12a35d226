"""What can be done with a table of rows, on the Run screen and on the Leaderboard screen alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.screens.board_screen import BoardScreen


class SortNext(Command["BoardScreen"]):
    """Sort by the next column that is shown."""

    key, name, footer = "s", "Sort by the next column", "sort"

    def run(self, place: BoardScreen) -> None:
        place.sort_next()


class ReverseSort(Command["BoardScreen"]):
    """Turn the order around."""

    key, name = "S", "Reverse the order"

    def run(self, place: BoardScreen) -> None:
        place.reverse_sort()


class FilterRows(Command["BoardScreen"]):
    """Show only the rows for which an expression holds, such as block_size >= 128 and recall == 1."""

    key, name, footer = "slash", "Filter", "filter"

    def run(self, place: BoardScreen) -> None:
        place.ask_filter()


class OpenRow(Command["BoardScreen"]):
    """Open the row under the cursor: samples, interval, resources, build log, provenance, journal."""

    key, name, footer = "o", "Open row", "open"

    def enabled(self, place: BoardScreen) -> bool:
        return place.board_table.cursor_key is not None

    def run(self, place: BoardScreen) -> None:
        place.open_row()


class ShowHeatmap(Command["BoardScreen"]):
    """Show the best latency over any two axes."""

    key, name, footer = "h", "Heatmap", "heatmap"

    def run(self, place: BoardScreen) -> None:
        place.show_heatmap()


class ChooseColumns(Command["BoardScreen"]):
    """Choose which figures are columns."""

    key, name, footer = "v", "Choose columns", "columns"

    def run(self, place: BoardScreen) -> None:
        place.choose_columns()


class NextTab(Command["BoardScreen"]):
    """Show the next device or problem alone; after the last one, all."""

    key, name = "right_square_bracket", "Next tab"

    def run(self, place: BoardScreen) -> None:
        place.next_tab(1)


class PreviousTab(Command["BoardScreen"]):
    """Show the device or problem before."""

    key, name = "left_square_bracket", "Previous tab"

    def run(self, place: BoardScreen) -> None:
        place.next_tab(-1)


BOARD = (SortNext, ReverseSort, FilterRows, OpenRow, ShowHeatmap, ChooseColumns, NextTab, PreviousTab)
