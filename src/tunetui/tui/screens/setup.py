"""The Setup screen: a grid field by field, what it would come to as one types, and its start."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.widgets import Input

from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.labels import one_line
from tunetui.session.setting_up import Prospect, kernel_choices
from tunetui.tui import setup_edits
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.setup import SETUP
from tunetui.tui.entry_line import EntryLine
from tunetui.tui.grid_draft import GridDraft
from tunetui.tui.screens.kernels import KernelScreen
from tunetui.tui.screens.saving import SavingScreen
from tunetui.tui.setup_fields import Field
from tunetui.tui.setup_outlook import SetupOutlook
from tunetui.tui.setup_text import by_words, form_lines, summary_lines
from tunetui.tui.spans import LinesPane, toned
from tunetui.tui.text_view import TextView
from tunetui.tui.widgets.form import Form
from tunetui.tui.widgets.keys_line import KeysLine

_WIDE_CELLS = 120
_SUMMARY_LINES = {48: 9, 24: 6, 0: 4}
"""From so many lines of the terminal on, so many for the summary below the form."""


class SetupScreen(SavingScreen):
    """A draft, its form, and an outlook that is made anew whenever the draft changes."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = SETUP
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Setup"

    def __init__(self, draft: GridDraft) -> None:
        super().__init__(draft)
        self.fields: list[Field] = []
        self.heading = LinesPane(classes="title")
        self.form = Form(id="form")
        self.summary = TextView(id="outlook")
        self.entry = EntryLine()
        self.typed_into: Field | None = None
        """The field that is being typed into; None while a name to save under is, or nothing."""
        self._enabled: list[bool] = []

    def compose(self) -> ComposeResult:
        yield self.heading
        with Horizontal(id="setup"):
            yield self.form
            yield self.summary
        yield self.entry
        yield KeysLine()

    def on_mount(self) -> None:
        self.outlook = SetupOutlook(self.cockpit, self.draft, self.show_outlook)
        self.form.focus()
        self.show_draft()
        self.run_worker(self.outlook.keep_looking(), name="outlook", group="outlook", exclusive=True)
        if self.outlook.hosts_chosen[:1] == ["local"]:
            self.ask_host("local")

    def on_resize(self, event: Resize) -> None:
        """The summary stands beside the form where there is room, else below it."""
        wide = event.size.width >= _WIDE_CELLS
        self.query_one("#setup").styles.layout = "horizontal" if wide else "vertical"
        lines = next(each for least, each in _SUMMARY_LINES.items() if event.size.height >= least)
        self.summary.styles.width = 52 if wide else "100%"
        self.summary.styles.height = "1fr" if wide else lines
        self.call_after_refresh(self.show_outlook)

    # ------------------------------------------------------------------------------------------- showing

    @property
    def prospect(self) -> Prospect | None:
        """The latest outlook."""
        return self.outlook.prospect

    @property
    def field(self) -> Field | None:
        """The field that the cursor is on."""
        place = self.form.place
        found = self.fields[place] if place < len(self.fields) else None
        return None if found is None or found.kind == "heading" else found

    def show_draft(self) -> None:
        """The form anew, from the draft's text."""
        outlook = self.outlook
        self.fields = self.draft.fields([(host.name, host.source) for host in outlook.hosts], outlook.host_options)
        state = "" if self.draft.opened is not None else " (new)"
        state = " (changed)" if self.draft.is_changed and not state else state
        told = ((f" · with {one_line(outlook.set_options)}", "warning"),) if outlook.set_options else ()
        self.heading.show([(*self.titled(f"Setup · {one_line(self.draft.path.name)}{state}"), *told)])
        self.show_outlook()
        self.outlook.look(self.draft.text)

    def show_outlook(self) -> None:
        """What is known by now, in the form and beside it."""
        outlook = self.outlook
        prices = {host.name: host.usd_per_hour for host in outlook.hosts}
        self.form.show(form_lines(self.fields, outlook.prospect, outlook.answers, outlook.asking, prices))
        self.show_summary()
        self._refresh_keys()

    @on(Form.Moved)
    def show_summary(self) -> None:
        """What it comes to, behind what is wrong and what the present line has no room for."""
        outlook, line = self.outlook, self.form.present
        lines = summary_lines(
            outlook.prospect,
            outlook.counting_for,
            outlook.prices,
            counting=outlook.is_counting,
            devices=outlook.devices,
        )
        if outlook.wrong:
            lines = [toned(f"✗ {outlook.wrong}", "bad"), *lines]
        elif line is not None and self.form.is_cut:
            lines = [toned(line.note or line.text, line.tone), *lines]
        self.summary.show(by_words(lines, self.summary.size.width - 3))

    @on(Form.Moved)
    def _refresh_keys(self) -> None:
        """The footer anew only where another command is grey."""
        enabled = [command().enabled(self) for command in self.OFFERS]
        if enabled != self._enabled:
            self._enabled = enabled
            self.refresh_bindings()

    @on(Form.Pressed)
    def _pressed(self, event: Form.Pressed) -> None:
        (self.switch_value if event.choice else self.change_line)()

    # ------------------------------------------------------------------------------------------- changing

    def take(self, text: str) -> None:
        """Another text, unless it is the same."""
        if self.draft.change(text):
            self.show_draft()

    def switch_value(self) -> None:
        """The value under the cursor on or off."""
        field = self.field
        if field is not None and field.values:
            self.take(setup_edits.switched(self.draft.text, field, self.form.turn, self.draft.kernel))

    def change_line(self) -> None:
        """The usual way to change a line."""
        field = self.field
        if field is None or field.kind == "fact":
            return
        if field.kind == "kernel":
            self.app.push_screen(KernelScreen(kernel_choices(self.draft.path.parent)), self._kernel_chosen)
        elif field.kind in {"one", "flag"} or (field.kind == "host" and field.values):
            self.switch_value()
        else:
            self.type_values()

    def _kernel_chosen(self, name: str | None) -> None:
        if name is not None and self.field is not None:
            self.take(setup_edits.typed(self.draft.text, self.field, name))

    def leave_out(self) -> None:
        """The line under the cursor."""
        if self.field is not None:
            self.take(setup_edits.left_out(self.draft.text, self.field))

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return self.draft.can_undo

    def undo(self) -> None:
        """The draft before the last change."""
        self.draft.undo()
        self.show_draft()

    # --------------------------------------------------------------------------------------------- typing

    def type_values(self) -> None:
        """Show the entry line with what the field says."""
        field = self.field
        if field is not None and field.kind not in {"fact", "flag"}:
            text = "" if field.kind == "host" else field.text
            self._begin_typing(field, text, f"{field.keys[-1] or field.label}")

    def _begin_typing(self, field: Field | None, text: str, title: str) -> None:
        self.typed_into = field
        self.entry.begin(title, text)

    @on(Input.Changed, "#entry")
    def _typed(self, event: Input.Changed) -> None:
        if self.typed_into is None or not self.entry.display:
            return
        try:
            self.outlook.look(setup_edits.typed(self.draft.text, self.typed_into, event.value))
        except InputError as error:
            self.outlook.complain(error)

    @on(Input.Submitted, "#entry")
    def _typing_done(self, event: Input.Submitted) -> None:
        try:
            if self.typed_into is not None:
                text = setup_edits.typed(self.draft.text, self.typed_into, event.value)
                self.end_typing()
                self.take(text)
            else:
                path = self.draft.path_of(event.value)
                self.end_typing()
                self.write(path if path != self.draft.path else None)
        except TunetuiError as error:
            self.cockpit.tell_error(error)

    @on(EntryLine.GivenUp)
    def end_typing(self) -> None:
        """Back to the form; what was typed counts only where it was taken."""
        self.typed_into = None
        self.entry.display = False
        self.form.focus()
        self.outlook.look(self.draft.text)

    # --------------------------------------------------------------------------------------------- hosts

    def ask_present_host(self) -> None:
        """The host under the cursor, else the first chosen one."""
        field = self.field
        name = field.label if field is not None and field.kind == "host" and field.values else ""
        self.ask_host(name or self.outlook.hosts_chosen[0])

    def ask_host(self, name: str) -> None:
        """Beside everything else; a host that does not answer delays nothing."""
        self.run_worker(self.outlook.ask(name), name=f"ask {name}", group=f"ask {name}", exclusive=True)

    def save_as(self) -> None:
        """Ask for a name."""
        self._begin_typing(None, str(self.draft.path), "save as")
