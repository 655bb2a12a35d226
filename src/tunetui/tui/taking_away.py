"""What a user takes away from a screen: a row or a figure, copied, and a picture of all of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tunetui.core.board_figures import MEDIAN
from tunetui.tui.widgets.table import LiveTable

if TYPE_CHECKING:
    from textual.app import App

    from tunetui.tui.app import Cockpit

    _Mixed = App[None]
else:
    _Mixed = object


class TakingAway(_Mixed):
    """The part of the app that copies and saves what is seen."""

    def copyable(self) -> LiveTable | None:
        """The table whose row would be copied."""
        screen = cast("Cockpit", self).present_screen
        table = screen.table if screen is not None else None
        return table if table is not None and table.cursor_key is not None else None

    def copy(self, *, cell: bool) -> None:
        """The row under the cursor, or the figure that the table is sorted by."""
        from tunetui.tui.row_detail import as_text
        from tunetui.tui.screens.board_screen import BoardScreen

        table, screen = self.copyable(), cast("Cockpit", self).present_screen
        if table is None or table.cursor_key is None or not isinstance(screen, BoardScreen):
            return
        detail = screen.detail_of(table.cursor_key)
        if detail is None:
            return
        name = table.ordering.sort_key or MEDIAN
        if cell:
            self.copy_text(str(detail.figures.get(name, "n/a")), name)
        else:
            self.copy_text(as_text(detail), "row")

    def save_picture(self) -> None:
        """The screen as SVG, in the working directory."""
        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        path = Path.cwd() / f"tunetui-{stamp}.svg"
        try:
            path.write_text(self.export_screenshot(), encoding="utf-8")
        except OSError as error:
            cast("Cockpit", self).tell(f"{path}: {error.strerror or error}", "error")
        else:
            cast("Cockpit", self).tell(f"wrote {path}")

    def copy_text(self, text: str, what: str) -> None:
        """To the terminal's clipboard and to a file."""
        from tunetui.tui.reporting import keep_copy

        self.copy_to_clipboard(text)
        kept = keep_copy(text)
        cast("Cockpit", self).tell(f"{what} copied" + (f"; also in {kept}" if kept else ""))
