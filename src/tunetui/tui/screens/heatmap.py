"""The best latency over any two figures, as large as the terminal is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from tunetui.core.labels import one_line
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.rows import HEATMAP
from tunetui.tui.figure_table import PROBLEM_TEXT, FigureTable
from tunetui.tui.heat_data import best_over, telling_axes
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.spans import LinesPane
from tunetui.tui.widgets.heatmap import Heatmap
from tunetui.tui.widgets.keys_line import KeysLine
from tunetui.tui.widgets.ordering import Filter

_REDRAW_SECONDS = 0.5


class HeatmapScreen(CommandScreen):
    """Fills in while a run goes on."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = HEATMAP
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Heatmap"

    def __init__(self, figures: FigureTable, axes: Sequence[str], shown: Filter | None) -> None:
        super().__init__()
        self.figures, self.shown = figures, shown
        axes = telling_axes(figures, axes)
        self.choices = [*axes, "implementation"]
        if PROBLEM_TEXT in figures.texts:
            self.choices.append(PROBLEM_TEXT)
        self.y_name, self.x_name = (self.choices[0], self.choices[1]) if axes else ("implementation", "implementation")
        self.heading = LinesPane(classes="title")
        self.picture = Heatmap(id="picture")

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.picture
        yield KeysLine()

    def on_mount(self) -> None:
        self.draw_again()
        self.set_interval(_REDRAW_SECONDS, self.draw_again)

    def draw_again(self) -> None:
        """With what is known now."""
        x, y = (one_line(name.lstrip("#")) for name in (self.x_name, self.y_name))
        self.heading.show([self.titled(f"best median ms: {y} down, {x} across")])
        self.picture.show(best_over(self.figures, self.x_name, self.y_name, self.shown))

    def turn_x(self) -> None:
        """Another figure across."""
        self.x_name = self._after(self.x_name)
        self.draw_again()

    def turn_y(self) -> None:
        """Another figure down."""
        self.y_name = self._after(self.y_name)
        self.draw_again()

    def swap(self) -> None:
        """Down and across."""
        self.x_name, self.y_name = self.y_name, self.x_name
        self.draw_again()

    def _after(self, name: str) -> str:
        return self.choices[(self.choices.index(name) + 1) % len(self.choices)]
