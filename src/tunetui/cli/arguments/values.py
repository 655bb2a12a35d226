"""Values on the command line, each with what is expected in its place."""

from __future__ import annotations

import argparse
import math


def whole_number(text: str) -> int:
    """``12`` as 12; no sign, ASCII digits alone."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def place(text: str) -> int:
    """The number of one of several, counted from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected the number of a board, 1 or more, found {text!r}")
    return int(text)


def at_least_one(text: str) -> int:
    """How many there are, 1 or more."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, 1 or more, found {text!r}")
    return int(text)


def positive(text: str) -> float:
    """A finite number above 0."""
    value = number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return value


def not_negative(text: str) -> float:
    """A finite number, 0 or more."""
    value = number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number, 0 or more, found {text!r}")
    return value


def share(text: str) -> float:
    """``30%`` or ``30`` as 30.0; 0 or more and less than 100."""
    value = number(text.strip().removesuffix("%"))
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"expected a percentage, 0 or more and below 100, found {text!r}")
    return value


def percentage(text: str) -> float:
    """``3%`` or ``3`` as 3.0; more than 0 and less than 1000."""
    value = number(text.strip().removesuffix("%"))
    if not 0 < value < 1000:
        raise argparse.ArgumentTypeError(f"expected a percentage above 0 such as 3%, found {text!r}")
    return value


def priced(text: str) -> tuple[str, float]:
    """``NAME=2.49`` as that name and USD an hour, ``2.49`` with an empty name."""
    name, _, usd = text.rpartition("=")
    return name, not_negative(usd)


def number(text: str) -> float:
    """A number, or NaN where the text is none (no bound holds for it)."""
    try:
        return float(text)
    except ValueError:
        return math.nan
