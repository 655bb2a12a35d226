"""The command palette: every command of the screen and of the app, columns, themes and saved runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from tunetui.core.labels import one_line
from tunetui.tui.screens.command_screen import CommandScreen, PaletteEntry, carry_out

_SHOWN_AT_FIRST = 60


class SafePalette(CommandPalette):
    """Textual 8.2.8 ends the app when Enter comes twice: the second one would dismiss what is gone already."""

    def dismiss(self, result: Any = None) -> AwaitComplete:
        """Only once."""
        return super().dismiss(result) if self.is_current else AwaitComplete()


class CockpitCommands(Provider):
    """Everything that can be done here, by name; names from files and hosts are shown as they are, not as markup."""

    def entries(self) -> Iterable[PaletteEntry]:
        """Every line there is now."""
        app: Any = self.app
        screen = self.screen
        if isinstance(screen, CommandScreen):
            for command in screen.OFFERS:
                if command().enabled(screen):
                    yield PaletteEntry(command.name, command.help(), partial(carry_out, screen, command, app))
            yield from screen.palette_entries()
        for command in app.OFFERS:
            if command().enabled(app):
                yield PaletteEntry(command.name, command.help(), partial(carry_out, app, command, app))
        yield from app.palette_entries()

    async def discover(self) -> Hits:
        """The first lines, before anything is typed."""
        for place, entry in enumerate(self.entries()):
            if place >= _SHOWN_AT_FIRST:
                return
            name = one_line(entry.name)
            yield DiscoveryHit(Content(name), entry.run, text=name, help=_unmarked(entry.help))

    async def search(self, query: str) -> Hits:
        """The lines that match."""
        matcher = self.matcher(query)
        for entry in self.entries():
            name = one_line(entry.name)
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, Content(name), entry.run, text=name, help=_unmarked(entry.help))


def _unmarked(text: str) -> str:
    """Textual reads a hit's help as markup; nothing in it may be."""
    return one_line(text).replace("[", "\\[")
