"""What a user can do, as one class each: its key, palette entry, footer text and help all come from that class."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

from textual.binding import Binding

Place = TypeVar("Place")
"""The app or the screen that a command belongs to."""


class Command(Generic[Place]):
    """One thing that a user can do.  The docstring's first line is its help; a subclass says how it is done.

    ``key`` may be several, separated by commas; ``footer`` is shown at the bottom of the screen where it is not
    empty; ``name`` is its line in the palette.
    """

    key: ClassVar[str]
    name: ClassVar[str]
    footer: ClassVar[str] = ""
    id: ClassVar[str]
    """What a settings file calls it: ``pause_run`` for the class ``PauseRun``; set by Python when it is defined."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.id = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    def help(cls) -> str:
        """What it does, in one sentence."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    def enabled(self, place: Place) -> bool:
        """Whether it would do anything now."""
        return True

    def run(self, place: Place) -> Awaitable[None] | None:
        """Do it."""
        raise NotImplementedError


AnyCommand = type[Command[Any]]


def bindings_of(commands: Iterable[AnyCommand], action: str = "command") -> list[Binding]:
    """Key bindings that call ``action`` with the command's id, so that a keymap can name each."""
    return [
        Binding(
            command.key, f"{action}('{command.id}')", command.footer or command.name, show=bool(command.footer),
            id=command.id, tooltip=command.help(),
        )
        for command in commands
    ]  # fmt: skip


def by_id(commands: Iterable[AnyCommand]) -> dict[str, AnyCommand]:
    """Commands by what a settings file calls them."""
    return {command.id: command for command in commands}
