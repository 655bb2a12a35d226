"""A screen whose keys, palette entries and help come from the commands that it offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual.events import Resize

from tunetui.core.errors import TunetuiError
from tunetui.tui.commands.command import AnyCommand, by_id
from tunetui.tui.layout import LEAST_HEIGHT, LEAST_WIDTH, is_too_small
from tunetui.tui.pacing import Beat
from tunetui.tui.spans import LinesPane, Spans, toned
from tunetui.tui.terminal_port import PacedScreen

if TYPE_CHECKING:
    from tunetui.tui.app import Cockpit


_TOO_SMALL = "too-small"


class PaletteEntry(NamedTuple):
    """A line of the palette that is no command of its own: a column to sort by, a saved run to open."""

    name: str
    help: str
    run: Callable[[], Awaitable[None] | None]


class CommandScreen(PacedScreen):
    """Offers `OFFERS`; a subclass sets ``BINDINGS = bindings_of(OFFERS)``."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = ()
    TITLED: ClassVar[str] = ""
    """What the help screen calls it."""

    @property
    def cockpit(self) -> Cockpit:
        """The app."""
        app: Any = self.app
        return app  # type: ignore[no-any-return]

    @property
    def label(self) -> str:
        """What this screen must be labelled with, such as REPLAY with its device and date; empty for what is live."""
        return ""

    def titled(self, text: str) -> Spans:
        """A title, behind the label of the screen that this one was opened from."""
        label = self.cockpit.label
        head: Spans = ((f" {label} ", "warning"),) if label else ()
        return (*head, (f" {text}", "strong"))

    @property
    def can_copy(self) -> bool:
        """Whether there is a row to copy."""
        return False

    def copied(self, *, figure: bool) -> tuple[str, str] | None:
        """The text of the present row, or of one figure of it, and what that text is; None where there is none."""
        return None

    def beat(self, beat: Beat) -> Iterable[object] | None:
        """Draw what is new, in steps if it takes long; called while this screen is on top."""
        return None

    def held_back(self, go_on: Callable[[], object]) -> bool:
        """Whether leaving this screen would lose something; it then asks, and calls ``go_on`` where that is meant."""
        return False

    def palette_entries(self) -> Iterable[PaletteEntry]:
        """Further lines for the palette."""
        return ()

    def on_resize(self, event: Resize) -> None:
        """Where nothing fits, every screen says only that; Textual calls this beside what a subclass does."""
        width, height = event.size.width, event.size.height
        small = is_too_small(width, height)
        if small and not self.query(f"#{_TOO_SMALL}"):
            self.mount(LinesPane(id=_TOO_SMALL))
        for pane in self.query(f"#{_TOO_SMALL}").results(LinesPane):
            pane.display = small
            needed = f"needs {LEAST_WIDTH}x{LEAST_HEIGHT}"
            pane.show([toned(f"{width}x{height} is too small", "warning"), toned(needed, "muted")])

    async def action_command(self, name: str) -> None:
        """Carry out one of the commands that this screen offers; a refusal is shown, not raised."""
        await carry_out(self, by_id(self.OFFERS)[name], self.cockpit)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Commands that would do nothing now are grey."""
        if action == "command" and parameters:
            command = by_id(self.OFFERS).get(str(parameters[0]))
            return True if command is None or command().enabled(self) else None
        return super().check_action(action, parameters)


async def carry_out(place: Any, command: AnyCommand, cockpit: Cockpit) -> None:
    """Run a command at its place."""
    asked = command()
    if not asked.enabled(place):
        cockpit.tell(f"{asked.name}: nothing to do now")
        return
    try:
        answer = asked.run(place)
        if isawaitable(answer):
            await answer
    except TunetuiError as error:
        cockpit.tell_error(error)
