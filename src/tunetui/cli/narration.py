"""Where words go: the streams, their width and colour, and text from outside made literal."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import IO

_ASCII = str.maketrans({"±": "+-", "…": "~", "×": "x", "µ": "u"})
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"


def literal(text: object) -> str:
    """``text`` without anything that a terminal would obey; line ends and tabs stay."""
    from tunetui.core.cleaning import clean

    return clean(str(text))


@dataclass(frozen=True)
class Face:
    """One output stream as the reader sees it; ``width`` is None where lines may be as long as they like."""

    stream: IO[str]
    is_terminal: bool
    width: int | None
    colour: bool
    ascii_only: bool = False

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.stream.write((text.translate(_ASCII) if self.ascii_only else text) + "\n")

    def lines(self, texts: list[str]) -> None:
        """Write lines and let them be seen."""
        for text in texts:
            self.line(text)
        self.stream.flush()

    def heading(self, text: str) -> str:
        """``text`` made to stand out, where colour is wanted."""
        return f"{_BOLD}{text}{_RESET}" if self.colour and text else text

    def faint(self, text: str) -> str:
        """``text`` made to stand back, where colour is wanted."""
        return f"{_DIM}{text}{_RESET}" if self.colour and text else text


def face_of(stream: IO[str], *, no_color: bool = False) -> Face:
    """How ``stream`` is read: a terminal has a width and perhaps colour, a pipe or file neither."""
    terminal = stream.isatty()
    colour = terminal and not no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    encoding = (getattr(stream, "encoding", None) or "ascii").lower()
    return Face(stream, terminal, _width(terminal), colour, ascii_only=not encoding.startswith("utf"))


def stdout_face(*, no_color: bool = False) -> Face:
    """The face of stdout: data."""
    return face_of(sys.stdout, no_color=no_color)


def stderr_face(*, no_color: bool = False) -> Face:
    """The face of stderr: narration."""
    return face_of(sys.stderr, no_color=no_color)


def _width(terminal: bool) -> int | None:
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked) > 0:
        return int(asked)
    return shutil.get_terminal_size().columns if terminal else None
