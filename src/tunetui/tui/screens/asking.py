"""Questions that hosts and keys ask, put to whoever sits in front of the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from tunetui.core.asking import HostKeyQuestion
from tunetui.core.labels import one_line
from tunetui.tui.terminal_port import PacedDialog

if TYPE_CHECKING:
    from textual.app import App


class HostKeyScreen(PacedDialog[bool]):
    """A server's key that nobody has vouched for; Enter refuses, only y or the button trusts it."""

    BINDINGS: ClassVar = [("y", "answer(True)", "Trust it"), ("n,escape", "answer(False)", "Refuse")]

    def __init__(self, question: HostKeyQuestion) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        asked = self.question
        kept = f"It will be remembered in {asked.stored_in}." if asked.stored_in else "It will be trusted this once."
        lines = [
            f"{asked.host} ({asked.place}) is not known yet.", f"Its {asked.algorithm} key has the fingerprint", "",
            asked.fingerprint, "", f"Compare it with what its provider shows. {kept}",
        ]  # fmt: skip
        with Vertical(classes="dialog"):
            yield Static(Content("\n".join(one_line(line) for line in lines)), markup=False)
            yield Button(Content("(n) refuse"), id="refuse", compact=True)
            yield Button(Content("(y) this is the right key: trust it"), id="trust", compact=True)

    def on_mount(self) -> None:
        self.query_one("#refuse").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The same as the keys."""
        self.dismiss(event.button.id == "trust")

    def action_answer(self, trusted: bool) -> None:
        """By key."""
        self.dismiss(trusted)


class PassphraseScreen(PacedDialog[str | None]):
    """The passphrase of a key; it is handed over and kept nowhere."""

    BINDINGS: ClassVar = [("escape", "give_up", "None to give")]

    def __init__(self, what: str, attempt: int) -> None:
        super().__init__()
        self.what, self.attempt = what, attempt

    def compose(self) -> ComposeResult:
        again = "That was not it. " if self.attempt > 1 else ""
        with Vertical(classes="dialog"):
            yield Static(Content(one_line(f"{again}Passphrase of {self.what} (escape: none)")), markup=False)
            yield Input(password=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """What was typed."""
        self.dismiss(event.value)

    def action_give_up(self) -> None:
        """No answer."""
        self.dismiss(None)


class ScreenAsker:
    """An `Asker` of the app; to be awaited in a worker."""

    def __init__(self, app: App[Any]) -> None:
        self._app: Any = app

    async def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        """Whether this key is the right one."""
        return bool(await self._app.push_screen_wait(HostKeyScreen(question)))

    async def passphrase(self, what: str, attempt: int) -> str | None:
        """None where the user has none to give."""
        answer: str | None = await self._app.push_screen_wait(PassphraseScreen(what, attempt))
        return answer
