"""What a user takes away from a screen: a row or a figure, copied, and a picture of all of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from textual.app import App

    from tunetui.tui.app import Cockpit

    _Mixed = App[None]
else:
    _Mixed = object


class TakingAway(_Mixed):
    """The part of the app that copies and saves what is seen."""

    @property
    def can_copy(self) -> bool:
        """Whether the present screen has a row to copy."""
        screen = cast("Cockpit", self).present_screen
        return screen is not None and screen.can_copy

    def copy(self, *, figure: bool) -> None:
        """The present row, or one figure of it."""
        screen = cast("Cockpit", self).present_screen
        copied = screen.copied(figure=figure) if screen is not None else None
        if copied is not None:
            self.copy_text(*copied)

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
