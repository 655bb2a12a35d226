"""A form of lines to walk through by keyboard: headings, texts, and values to switch on and off side by side."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip

from tunetui.tui.widgets.line_view import LineView
from tunetui.tui.widgets.literal import literal
from tunetui.tui.widgets.tones import Tone, tone_styles
from tunetui.tui.widgets.whole_line import whole_line

_NARROW, _LABEL_CELLS, _LABEL_CELLS_NARROW = 70, 22, 16
_PRESENT = Style(reverse=True)
_MORE_LEFT, _MORE_RIGHT = "‹ ", " ›"


@dataclass(frozen=True)
class Choice:
    """One value of a line; ``one`` of several, or on and off by itself."""

    text: str
    on: bool
    one: bool = False

    @property
    def shown(self) -> str:
        """With its mark, which needs no colour."""
        if self.one:
            return f"({'•' if self.on else ' '}) {self.text}"
        return f"[{'x' if self.on else ' '}] {self.text}"


@dataclass(frozen=True)
class FormLine:
    """A line; a heading is walked past.  ``note`` stands behind the rest where there is room."""

    key: Hashable
    label: str
    text: str = ""
    choices: tuple[Choice, ...] = ()
    note: str = ""
    tone: Tone | None = None  # of the note
    heading: bool = False


class Form(LineView):
    """Shows `FormLine`s; knows which of them is the present one, and which of its choices."""

    class Moved(Message):
        """Another line is the present one."""

    class Pressed(Message):
        """The present line was clicked again, or one of its choices was."""

        def __init__(self, *, choice: bool) -> None:
            super().__init__()
            self.choice = choice

    DEFAULT_CSS = "Form { background: $background; }"
    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)", "Line up", id="form.up", show=False),
        Binding("down,j", "move(1)", "Line down", id="form.down", show=False),
        Binding("left", "turn(-1)", "Value to the left", id="form.left", show=False),
        Binding("right", "turn(1)", "Value to the right", id="form.right", show=False),
        Binding("pageup", "page(-1)", "Page up", id="form.pageup", show=False),
        Binding("pagedown", "page(1)", "Page down", id="form.pagedown", show=False),
        Binding("home", "move(-100000)", "First line", id="form.home", show=False),
        Binding("end", "move(100000)", "Last line", id="form.end", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.form_lines: list[FormLine] = []
        self.place = 0
        """The present line."""
        self._turns: dict[Hashable, int] = {}
        self._styles_now: dict[Tone | None, Style] = {}

    # --------------------------------------------------------------------------------------- what is shown

    def show(self, lines: Sequence[FormLine]) -> None:
        """Other lines; the present one stays where it is by its key, or near."""
        key = self.present.key if self.present is not None else None
        self.form_lines = list(lines)
        places = [at for at, line in enumerate(self.form_lines) if line.key == key and not line.heading]
        self.place = places[0] if places else min(self.place, max(len(self.form_lines) - 1, 0))
        self.set_content_size(self.size.width, len(self.form_lines))
        if self.present is not None and self.present.heading:
            self._step(1)
        self.repaint_changed()

    @property
    def present(self) -> FormLine | None:
        """The line that the cursor is on."""
        return self.form_lines[self.place] if self.place < len(self.form_lines) else None

    @property
    def is_cut(self) -> bool:
        """Whether there is no room for all of the present line."""
        line, room = self.present, self.view_size.width - self._label_cells
        used = sum(cell_len(text) for text, _, _ in self._body(line, room, present=False)) if line is not None else 0
        return line is not None and used + (2 + cell_len(line.note) if line.note else 0) > room

    @property
    def turn(self) -> int:
        """Which of its choices the cursor is on."""
        line = self.present
        return 0 if line is None else min(self._turns.get(line.key, 0), max(len(line.choices) - 1, 0))

    def go_to(self, key: Hashable, turn: int = 0) -> None:
        """Make the line of this key the present one."""
        for place, line in enumerate(self.form_lines):
            if line.key == key and not line.heading:
                self.place, self._turns[key] = place, turn
                self._follow()

    # ------------------------------------------------------------------------------------------- moving

    def action_move(self, step: int) -> None:
        """Up or down, past headings."""
        before = self.place
        direction = 1 if step > 0 else -1
        for _ in range(min(abs(step), len(self.form_lines))):
            if not self._step(direction):
                break
        if self.place != before:
            self._follow()

    def action_page(self, step: int) -> None:
        """As many lines as are seen."""
        self.action_move(step * max(self.page_lines - 1, 1))

    def action_turn(self, step: int) -> None:
        """To the value beside, around the end."""
        line = self.present
        if line is not None and line.choices:
            self._turns[line.key] = (self.turn + step) % len(line.choices)
            self.repaint_changed()

    def _step(self, direction: int) -> bool:
        place = self.place + direction
        while 0 <= place < len(self.form_lines) and self.form_lines[place].heading:
            place += direction
        if not 0 <= place < len(self.form_lines):
            return False
        self.place = place
        return True

    def _follow(self) -> None:
        top = self.scroll_offset.y
        first = self.place - 1 if self.place and self.form_lines[self.place - 1].heading else self.place
        if first < top:
            self.scroll_quietly(first)
        elif self.place >= top + self.page_lines:
            self.scroll_quietly(self.place - self.page_lines + 1)
        self.repaint_changed()
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """A line becomes the present one; a click on a choice, or on the present line, is told."""
        place = event.y + self.scroll_offset.y
        if place >= len(self.form_lines) or self.form_lines[place].heading:
            return
        was_present, self.place = place == self.place, place
        turn = self._choice_at(event.x)
        if turn is not None:
            self._turns[self.form_lines[place].key] = turn
        self._follow()
        if turn is not None or was_present:
            self.post_message(self.Pressed(choice=turn is not None))

    # ------------------------------------------------------------------------------------------ drawing

    def on_resize(self) -> None:
        self.set_content_size(self.size.width, len(self.form_lines))
        self.forget_drawing()

    def on_focus(self) -> None:
        self.repaint_changed()

    def on_blur(self) -> None:
        self.repaint_changed()

    def notify_style_update(self) -> None:
        self._styles_now = {}
        super().notify_style_update()

    def line_key(self, y: int) -> Hashable:
        place = y + self.scroll_offset.y
        line = self.form_lines[place] if place < len(self.form_lines) else None
        return line, self.turn if place == self.place else -1, place == self.place and self.has_focus

    def draw_line(self, y: int) -> Strip:
        place, width = y + self.scroll_offset.y, self.view_size.width
        base = self._style(None)
        if place >= len(self.form_lines):
            return Strip.blank(width, base)
        line, present = self.form_lines[place], place == self.place
        if line.heading:
            text = Segment(literal(f" {line.label}"), self._style("strong"))
            note = Segment(literal(f"  {line.note}"), self._style(line.tone or "muted"))
            return whole_line([text, note], width, base)
        mark = "›" if present else " "
        cells = self._label_cells
        label = Segment(literal(_fit(f" {mark} {line.label}", cells)), self._style("strong" if present else None))
        body = [Segment(literal(text), style) for text, style, _ in self._body(line, width - cells, present=present)]
        used = cells + sum(cell_len(segment.text) for segment in body)
        note = Segment(literal(f"  {line.note}"), self._style(line.tone or "muted"))
        return whole_line([label, *body, *([note] if line.note and used < width else [])], width, base)

    @property
    def _label_cells(self) -> int:
        return _LABEL_CELLS_NARROW if self.view_size.width < _NARROW else _LABEL_CELLS

    def _body(self, line: FormLine, room: int, *, present: bool) -> list[tuple[str, Style, int]]:
        """Text, style and the place of the choice (-1: none) of what stands behind the label."""
        if not line.choices:
            style = self._style(None) + (_PRESENT if present and self.has_focus else Style())
            return [(line.text or " ", style, -1)]
        first, last = self._window(line, room, self.turn if present else 0)
        pieces: list[tuple[str, Style, int]] = [(_MORE_LEFT, self._style("muted"), -1)] if first else []
        for place in range(first, last):
            choice = line.choices[place]
            style = self._style("accent" if choice.on else "muted")
            if present and place == self.turn and self.has_focus:
                style += _PRESENT
            pieces += [(choice.shown, style, place), ("  ", self._style(None), -1)]
        return pieces + ([(_MORE_RIGHT, self._style("muted"), -1)] if last < len(line.choices) else [])

    def _window(self, line: FormLine, room: int, turn: int) -> tuple[int, int]:
        """The choices that fit around one: from, to."""
        cells = [cell_len(choice.shown) + 2 for choice in line.choices]
        room -= len(_MORE_LEFT) + len(_MORE_RIGHT)
        if sum(cells) <= room + len(_MORE_LEFT) + len(_MORE_RIGHT) + 2:
            return 0, len(cells)
        first = 0
        while sum(cells[first : turn + 1]) > room and first < turn:
            first += 1
        last = turn + 1
        while last < len(cells) and sum(cells[first : last + 1]) <= room:
            last += 1
        return first, last

    def _choice_at(self, x: int) -> int | None:
        line = self.present
        end = self._label_cells
        for text, _, place in self._body(line, self.view_size.width - end, present=True) if line is not None else []:
            end += cell_len(text)
            if x < end:
                return place if place >= 0 else None
        return None

    def _style(self, tone: Tone | None) -> Style:
        if not self._styles_now:
            base = self.rich_style
            self._styles_now = {None: base, **{name: base + style for name, style in tone_styles(self).items()}}
        return self._styles_now[tone]


def _fit(text: str, cells: int) -> str:
    """Exactly so many cells, cut with a mark."""
    size = cell_len(text)
    if size < cells:
        return text + " " * (cells - size)
    while cell_len(text) > cells - 2:
        text = text[:-1]
    return text + "…" + " " * (cells - 1 - cell_len(text))
