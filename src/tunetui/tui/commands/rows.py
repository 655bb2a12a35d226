"""What can be looked at of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.boards import NextTab, PreviousTab
from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.screens.heatmap import HeatmapScreen
    from tunetui.tui.screens.row import RowScreen


class ShowSamples(Command["RowScreen"]):
    """Show the samples: how they spread, and how they came over time."""

    key, name, footer = "1", "Samples", "samples"

    def run(self, place: RowScreen) -> None:
        place.show_page("samples")


class ShowFigures(Command["RowScreen"]):
    """Show every figure of the row by its name."""

    key, name, footer = "2", "Figures", "figures"

    def run(self, place: RowScreen) -> None:
        place.show_page("figures")


class ShowResources(Command["RowScreen"]):
    """Show what the kernel takes of the device, and what limits its occupancy."""

    key, name, footer = "3", "Resources", "resources"

    def run(self, place: RowScreen) -> None:
        place.show_page("resources")


class ShowBuildLog(Command["RowScreen"]):
    """Show what the compiler said."""

    key, name, footer = "4", "Build log", "build log"

    def run(self, place: RowScreen) -> None:
        place.show_page("build")


class ShowProvenance(Command["RowScreen"]):
    """Show what the row was measured with: sources, compiler, driver, device, method."""

    key, name, footer = "5", "Provenance", "provenance"

    def run(self, place: RowScreen) -> None:
        place.show_page("provenance")


class ShowRecords(Command["RowScreen"]):
    """Show the raw records of the journal that the row was made from."""

    key, name, footer = "6", "Journal records", "journal"

    def run(self, place: RowScreen) -> None:
        place.show_page("records")


ROW = (ShowSamples, ShowFigures, ShowResources, ShowBuildLog, ShowProvenance, ShowRecords)


class NextX(Command["HeatmapScreen"]):
    """Take the next figure for the columns."""

    key, name, footer = "x,right", "Next columns", "columns"

    def run(self, place: HeatmapScreen) -> None:
        place.turn_x()


class NextY(Command["HeatmapScreen"]):
    """Take the next figure for the rows."""

    key, name, footer = "w,down", "Next rows", "rows"

    def run(self, place: HeatmapScreen) -> None:
        place.turn_y()


class SwapAxes(Command["HeatmapScreen"]):
    """Swap rows and columns."""

    key, name, footer = "s", "Swap rows and columns", "swap"

    def run(self, place: HeatmapScreen) -> None:
        place.swap()


HEATMAP = (NextX, NextY, SwapAxes, NextTab, PreviousTab)
