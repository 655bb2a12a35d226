"""Production targets as a grid states them: `"latency_ms.p95" = "< 50"`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from tunetui.core.definitions import Target

OPERATORS = ("<=", ">=", "==", "<", ">")

LATENCY_METRICS = tuple(f"latency_ms.{figure}" for figure in ("median", "p5", "p95", "p99", "min"))
QUALITY_METRICS = ("recall", "max_abs_error")
DEVICE_METRICS = (
    "occupancy_theoretical_percent",
    "occupancy_achieved_percent",
    "bandwidth_percent_of_ceiling",
    "power_w",
    "energy_mj_per_query",
    "temperature_c",
    "registers_per_thread",
    "shared_memory_bytes",
    "spilled_bytes",
)
RUN_METRICS = ("success_rate", "build_seconds", "usd_per_million_queries")
RELIABILITY_METRICS = tuple(
    f"reliability_{figure}"
    for figure in (
        "failures", "errors", "wrong", "p50_ms", "p95_ms", "p99_ms", "worst_ms", "executions", "seconds", "temperature_max_c",
    )
)  # fmt: skip
"""Of a row's run under load."""
NO_FAILURES = Target(metric="reliability_failures", op="==", bound=0.0)
"""What is asked of every run under load, whether a target says so or not."""
QUALITY_PREFIX = "quality."
"""Any figure that a kernel's `check` returns can be named behind this prefix."""

_TARGET = re.compile(r"\s*(<=|>=|==|<|>)\s*([-+]?[0-9][0-9_]*(?:\.[0-9_]+)?(?:[eE][-+]?[0-9]+)?)\s*")


def parse_target(metric: str, text: str) -> Target:
    """A target from its text, such as ``< 50``, ``>= 0.95`` or ``== 1``.

    Raises:
        ValueError: what was expected, for people.
    """
    match = _TARGET.fullmatch(text)
    if match is None or not math.isfinite(float(match[2].replace("_", ""))):
        raise ValueError('expected <, <=, >, >= or == and a number, such as "< 50"')
    return Target(metric=metric, op=match[1], bound=float(match[2].replace("_", "")))


def target_metrics(kernel_metrics: Iterable[str]) -> list[str]:
    """Every metric that a target can name for a kernel with these metrics of its own."""
    return [*LATENCY_METRICS, *kernel_metrics, *QUALITY_METRICS, *RUN_METRICS, *RELIABILITY_METRICS, *DEVICE_METRICS]
