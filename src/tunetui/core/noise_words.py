"""What a comparison took for noise, in the same words wherever it is said."""

from __future__ import annotations

import math

from tunetui.core.compare import NoiseUsed


def noise_in_words(noise: NoiseUsed) -> str:
    """How large it was taken to be and from what, which changes would be found, and what all rows did together."""
    parts = [f"{_size(noise)}; from {noise.source}"]
    found = noise.smallest_found_percent
    parts.append(
        "hardly any change would be found" if found is None else f"a change of {found:.1f} % is found half of the time"
    )
    if noise.shift_percent is not None:
        parts.append(f"all rows together moved by {noise.shift_percent:+.2f} %")
    return "; ".join(parts)


def _size(noise: NoiseUsed) -> str:
    """A bound is never rounded down, and one of 0 is told as what it means: samples explain all that is seen."""
    if noise.sd_percent <= 0:
        return f"no more between runs than samples within them show (±{_up(noise.samples_sd_percent)} %)"
    if noise.bound_percent is None:
        return f"±{noise.sd_percent:.2f} % between runs"
    return f"at most ±{_up(noise.sd_percent)} % between runs (upper bound, {noise.bound_percent:g} %)"


def _up(percent: float) -> str:
    return f"{math.ceil(round(100.0 * percent, 6)) / 100.0:.2f}"
