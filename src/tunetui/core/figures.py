"""Figures as text: no digit that the uncertainty does not support, units left to the header."""

from __future__ import annotations

import math

NOT_MEASURED = "n/a"
"""What stands where a figure is missing."""

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_DIGITS_WITHOUT_INTERVAL = 3
_MAX_DECIMALS = 12
_MINUTE, _HOUR = 60, 3600


def with_uncertainty(value: float | None, half_width: float | None) -> str:
    """``value`` to the last digit that ``half_width`` (same unit) leaves meaning.

    The last digit shown is the first one that the half-width moves, or the second where the first is a 1
    (the usual rule of two digits below 20).  Without a half-width three significant digits are shown.
    """
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    return _fixed(value, _decimals(value, half_width))


def relative_half_width_percent(value: float | None, low: float | None, high: float | None) -> float | None:
    """The wider side of an interval, in percent of the value; None without an interval."""
    if value is None or low is None or high is None or not value:
        return None
    return max(high - value, value - low) / abs(value) * 100


def percent(value: float | None) -> str:
    """A percentage to two significant digits: ``0.42``, ``1.3``, ``12``."""
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    if value == 0:
        return "0"
    return _fixed(value, min(2, max(0, 1 - math.floor(math.log10(abs(value))))))


def quality(value: float | None) -> str:
    """A figure of merit such as recall or an error: exact where it is whole, never rounded up to 1."""
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    shown = f"{value:.3f}"
    if float(shown) == 1 and value < 1:
        return "0.999"
    return shown


def count(number: int) -> str:
    """A whole number with thousands separated: ``349,853``."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 trial``, ``2 trials``."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def clock(seconds: float) -> str:
    """Elapsed or remaining time as ``m:ss`` or ``h:mm:ss``."""
    whole = max(0, int(seconds + 0.5))
    if whole >= _HOUR:
        return f"{whole // _HOUR}:{whole % _HOUR // _MINUTE:02}:{whole % _MINUTE:02}"
    return f"{whole // _MINUTE}:{whole % _MINUTE:02}"


def rough_duration(seconds: float) -> str:
    """An estimate as words, without false precision: ``under a minute``, ``about 4 min``, ``about 2 h``."""
    if seconds < 10:
        return "a few seconds"
    if seconds < 1.5 * _MINUTE:
        return f"about {round(seconds / 5) * 5} s"
    if seconds < 1.5 * _HOUR:
        return f"about {round(seconds / _MINUTE)} min"
    return f"about {seconds / _HOUR:.1f} h"


def memory(size_bytes: float) -> str:
    """A size as binary units: ``32 KiB``, ``15.6 GiB``."""
    size, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.1f}".removesuffix(".0") + f" {unit}"


def prefix_for(values: list[float | None]) -> tuple[float, str]:
    """One SI prefix for a whole column, so that its figures compare at a glance: ``(1e6, "M")``."""
    largest = max((abs(value) for value in values if value is not None and math.isfinite(value)), default=0.0)
    for factor, letter in _PREFIXES:
        if largest >= factor:
            return factor, letter
    return 1.0, ""


def setting(value: object) -> str:
    """The value of an axis or a problem field, as TOML spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)


def _decimals(value: float, half_width: float | None) -> int:
    if half_width is None or not math.isfinite(half_width) or half_width <= 0:
        if value == 0:
            return 0
        exponent = math.floor(math.log10(abs(value)))
        return max(0, _DIGITS_WITHOUT_INTERVAL - 1 - exponent)
    exponent = math.floor(math.log10(half_width))
    leading = half_width / 10.0**exponent
    return min(_MAX_DECIMALS, -exponent + (1 if leading < 2 else 0))


def _fixed(value: float, decimals: int) -> str:
    if decimals > 0:
        return f"{value:.{decimals}f}"
    return f"{round(value, decimals):.0f}"
