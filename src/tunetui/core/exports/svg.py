"""Pieces of the HTML page's pictures: text made literal, figures with a caption, axes with ticks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from tunetui.core.figures import setting, with_uncertainty
from tunetui.core.labels import one_line
from tunetui.core.leaderboard import Entry

BLUE, RED, GREEN = "#69c", "#c33", "#2a7"
_LONGEST_NAME = 38


def text(words: str) -> str:
    """Words from anywhere, as text."""
    return escape(one_line(words))


def svg(parts: Sequence[str], width: int, height: int, label: str) -> str:
    """A drawing that shrinks with its page."""
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{text(label)}">{"".join(parts)}</svg>'


def figure(caption: str, picture: str, note: str = "") -> str:
    """A picture under its caption."""
    below = f"<figcaption>{text(note)}</figcaption>" if note else ""
    return f"<figure><h3>{text(caption)}</h3>{picture}{below}</figure>"


def short(row: Entry, axes: Sequence[str]) -> str:
    """Implementation and the values of these axes, cut where they are long; one that the row lacks is left out."""
    known = (setting(row.configuration[axis]) for axis in axes if axis in row.configuration)
    words = " ".join(one_line(word) for word in (row.implementation, *known))
    return escape(words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1] + "…")


class LogPlane:
    """Two logarithmic axes from decade-wise ticks; x and y in any unit, drawn into a box of pixels."""

    def __init__(self, xs: tuple[float, float], ys: tuple[float, float], box: tuple[int, int, int, int]) -> None:
        self.xs, self.ys, self.box = xs, ys, box
        self.across = _scale(xs, box[0], box[2])
        self.up = _scale(ys, box[3], box[1])

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies, in pixels."""
        return self.across(x), self.up(y)

    def frame(self, x_name: str, y_name: str) -> list[str]:
        """Axes, ticks and their names."""
        left, top, right, bottom = self.box
        parts = [f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="currentColor"/>']
        for value in _ticks(self.xs):
            x = self.across(value)
            parts.append(f'<path d="M{x:.1f} {bottom}v-{bottom - top}" stroke="#8883"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{value:g}</text>')
        for value in _ticks(self.ys):
            y = self.up(value)
            parts.append(f'<path d="M{left} {y:.1f}h{right - left}" stroke="#8883"/>')
            parts.append(f'<text x="{left - 4}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        parts.append(f'<text x="{right}" y="{bottom + 28}" text-anchor="end">{text(x_name)}</text>')
        parts.append(f'<text x="{left}" y="{top - 6}">{text(y_name)}</text>')
        return parts


def tick(value: float, span: float) -> str:
    """An end of an axis, with the digits that tell it from the other one, ``span`` away."""
    return with_uncertainty(value, span / 20)


def line(start: tuple[float, float], end: tuple[float, float], colour: str = GREEN) -> str:
    """A straight line between two places."""
    return f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{colour}" stroke-width="2"/>'


def _scale(ends: tuple[float, float], start: int, end: int) -> Callable[[float], float]:
    low, high = (math.log10(each) for each in ends)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return start + (math.log10(value) - low) / span * (end - start)

    return place


def _ticks(ends: tuple[float, float]) -> list[float]:
    """Powers of ten within; where there are fewer than three, their doubles and fives too."""
    low, high = ends
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    tens = [10.0**power for power in decades if low <= 10.0**power <= high]
    if len(tens) >= 3:
        return tens[:: -(-len(tens) // 8)]
    return [step * 10.0**power for power in decades for step in (1, 2, 5) if low <= step * 10.0**power <= high]
