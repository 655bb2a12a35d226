"""Pictures of screens as small SVG files of our own: one line of the file for each line of the terminal.

They depend on no version of an exporter, can be looked at in a browser, and a difference can be read as text.
"""

from __future__ import annotations

import difflib
import html
import os
import re
from pathlib import Path
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.screen import Screen

PICTURES = Path(__file__).parent / "pictures"
UPDATE = "TUNETUI_UPDATE_PICTURES"
_CELL, _LINE = 8, 17  # pixels
_ROW = re.compile(r"<text[^>]*>(.*)</text>")
_TAG = re.compile(r"<[^>]+>")


def picture_of(screen: Screen[Any]) -> str:
    """The screen as SVG."""
    strips = screen._compositor.render_strips()
    classes: dict[str, str] = {}
    rows = [_row(number, list(strip), classes) for number, strip in enumerate(strips)]
    width, height = screen.size
    rules = "".join(f".{name}{{{rule}}}" for rule, name in classes.items())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width * _CELL} {height * _LINE}">\n'
        f"<style>text{{font:13px monospace;white-space:pre}}{rules}</style>\n"
    )
    return head + "\n".join(rows) + "\n</svg>\n"


def _row(number: int, segments: list[Segment], classes: dict[str, str]) -> str:
    """Backgrounds first, then the text in runs of one look, each put where its cells are."""
    boxes: list[tuple[str, int, int]] = []
    runs: list[tuple[str, int, str]] = []
    at = 0
    for segment in Segment.simplify(segments):
        style, cells = segment.style or Style(), segment.cell_length
        front, back = _colours(style)
        if boxes and boxes[-1][0] == back:
            boxes[-1] = (back, boxes[-1][1], boxes[-1][2] + cells)
        else:
            boxes.append((back, at, cells))
        look = f"fill:{front}" + ";font-weight:bold" * bool(style.bold) + ";font-style:italic" * bool(style.italic)
        look += ";text-decoration:underline" * bool(style.underline) + ";opacity:.6" * bool(style.dim)
        if runs and runs[-1][0] == look:
            runs[-1] = (look, runs[-1][1], runs[-1][2] + segment.text)
        else:
            runs.append((look, at, segment.text))
        at += cells
    top = number * _LINE
    drawn = "".join(
        f'<rect class="{_named(f"fill:{colour}", classes)}" x="{x * _CELL}" y="{top}" width="{cells * _CELL}" height="{_LINE}"/>'
        for colour, x, cells in boxes
    )
    spans = "".join(
        f'<tspan class="{_named(look, classes)}" x="{x * _CELL}">{html.escape(text, quote=False)}</tspan>'
        for look, x, text in runs
    )
    return f'{drawn}<text y="{top + 13}">{spans}</text>'


def _colours(style: Style) -> tuple[str, str]:
    front = style.color.get_truecolor().hex if style.color else "#ffffff"
    back = style.bgcolor.get_truecolor().hex if style.bgcolor else "#000000"
    return (back, front) if style.reverse else (front, back)


def _named(rule: str, classes: dict[str, str]) -> str:
    return classes.setdefault(rule, f"c{len(classes)}")


def text_of(picture: str) -> list[str]:
    """The lines of text in a picture."""
    return [html.unescape(_TAG.sub("", line)).rstrip() for line in _ROW.findall(picture)]


def looks_of(picture: str) -> list[str]:
    """The lines of a picture with what each class stands for, so that the numbers of classes do not matter."""
    rules = dict(re.findall(r"\.(c\d+)\{([^}]*)\}", picture))
    return [
        re.sub(r'class="(c\d+)"', lambda found: rules[found[1]], line)
        for line in picture.splitlines()
        if "<text " in line
    ]


def difference(before: str, now: str) -> str:
    """What is not the same, to be read; empty where all is."""
    if before == now:
        return ""
    texts = text_of(before), text_of(now)
    if texts[0] != texts[1]:
        return "\n".join(difflib.unified_diff(*texts, "the picture that is kept", "the screen now", lineterm="", n=1))
    looks = zip(texts[0], looks_of(before), looks_of(now), strict=True)
    other = [f"line {number}, other colours: {text}" for number, (text, a, b) in enumerate(looks, 1) if a != b]
    return "\n".join(other) or "other colours where there is no text"


def check_picture(name: str, screen: Screen[Any]) -> str:
    """Compare with the picture that is kept under this name; with `UPDATE` set in the environment, keep it anew."""
    file, now = PICTURES / f"{name}.svg", picture_of(screen)
    if os.environ.get(UPDATE):
        file.parent.mkdir(exist_ok=True)
        file.write_text(now, encoding="utf-8")
        return ""
    if not file.exists():
        return f"no picture is kept of {name}: set {UPDATE}=1 to keep this one"
    found = difference(file.read_text(encoding="utf-8"), now)
    return found and f"{file.name} (set {UPDATE}=1 where this is meant):\n{found}"
