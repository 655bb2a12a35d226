"""The best latency over any two figures, as large as the terminal is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from tunetui.core.labels import one_line
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.rows import HEATMAP
from tunetui.tui.figure_table import PROBLEM_TEXT
from tunetui.tui.heat_data import best_over, telling_axes
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.spans import LinesPane
from tunetui.tui.widgets.heatmap import Heatmap
from tunetui.tui.widgets.keys_line import KeysLine

if TYPE_CHECKING:
    from tunetui.tui.screens.board_screen import BoardScreen
    from tunetui.tui.tabs import Tab

_REDRAW_SECONDS = 0.5


class HeatmapScreen(CommandScreen):
    """Fills in while a run goes on; of the rows that the board shows."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = HEATMAP
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Heatmap"

    def __init__(self, board: BoardScreen) -> None:
        super().__init__()
        self.board = board
        self.tab = board.tab
        if self.tab not in self._tabs:
            self.tab = self._tabs[0]
        axes = telling_axes(board.figures, board.facts.axes)
        self.choices = [*axes, "implementation"]
        if PROBLEM_TEXT in board.figures.texts:
            self.choices.append(PROBLEM_TEXT)
        self.y_name, self.x_name = (self.choices[0], self.choices[1]) if axes else ("implementation", "implementation")
        self.heading = LinesPane(classes="title")
        self.picture = Heatmap(id="picture")

    @property
    def _tabs(self) -> list[Tab]:
        """Of several problems one at a time: the best over all of them would only say which is the smallest."""
        tabs = self.board.tabs
        if not self.board.facts.problem_varies:
            return tabs
        return [tab for tab in tabs if tab.where and "device" not in tab.where] or tabs

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
        more = " (] next)" if len(self._tabs) > 1 else ""
        of = f", {one_line(self.tab.label)}{more}" if self.tab.where else ""
        typed = f" · {one_line(self.board.filter_text)}" if self.board.filter_text else ""
        self.heading.show([self.titled(f"best median ms{of}: {y} down, {x} across{typed}")])
        self.picture.show(best_over(self.board.figures, self.x_name, self.y_name, self.board.shown_in(self.tab)))

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

    def next_tab(self, step: int) -> None:
        """Another problem or device, around the end."""
        tabs = self._tabs
        self.tab = tabs[(tabs.index(self.tab) + step) % len(tabs)] if self.tab in tabs else tabs[0]
        self.draw_again()

    def _after(self, name: str) -> str:
        return self.choices[(self.choices.index(name) + 1) % len(self.choices)]
