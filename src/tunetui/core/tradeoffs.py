"""What speed costs: rows that no other beats in both, and the cheapest of those as good as the fastest; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tunetui.core.figures import quality, with_uncertainty
from tunetui.core.host_prices import devices_beside, price_of_host
from tunetui.core.importance import overlap
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui.core.snapshot import MEASURED
from tunetui_agent.messages import Value

ENERGY, USD, SHARED, REGISTERS, BUILD = "energy", "price", "shared memory", "registers", "build time"

WITHIN_PERCENT = 1.0
"""As good as the fastest."""

_MS_PER_HOUR = 3.6e6
_MILLION = 1e6
_EXACT, _SMALL = 1e15, 1e-3
_QUALITY = "quality."
_SMALLER = ("error", "loss", "distance")
"""In the name of a quality of which less is better; of all others more is."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One row in the plane of its median and something else."""

    device: str
    implementation: str
    configuration: dict[str, Value]
    trial: str
    median_ms: float
    half_width_ms: float | None = None
    """Of the median's interval, its wider side; absent where there is none."""
    value: float


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that no other row beats in both the median and ``what``, fastest first."""

    what: str
    unit: str
    more_is_better: bool = False
    rows: int
    """That have both figures."""
    points: list[Point]


class Cheapest(msgspec.Struct, frozen=True, kw_only=True):
    """Of the rows within some percent of the fastest median, the one that costs least."""

    what: str
    unit: str
    within_percent: float
    rows: int
    """Within it, and with the figure."""
    lacking: int
    """Within it, of which the figure was not measured."""
    point: Point
    is_fastest: bool
    """Whether it is the fastest itself."""
    slower_percent: float
    """Than the fastest of all; 0 too for another row with the very same median."""
    tied: bool
    """Whether its interval overlaps the fastest's."""
    fastest: float | None = None
    """What the fastest itself costs; absent where it was not measured."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A measured row with where it ran and what an hour there costs."""

    device: str
    usd_per_hour: float | None
    entry: Entry
    median_ms: float


_Figure = Callable[[Candidate], float | None]


def candidates(
    leaderboard: Leaderboard, board: Board, prices: Mapping[str, float], devices_per_host: int = 1
) -> list[Candidate]:
    """The measured rows of a board; ``prices`` are USD an hour of a host with so many devices, by model, host, or "" for all."""
    found = []
    for entry in board.rows:
        if entry.status != MEASURED or entry.latency_ms is None or entry.latency_ms.median <= 0:
            continue
        device = next((d for d in leaderboard.devices if d.id == (entry.device or board.device)), None)
        host = price_of_host(leaderboard, device, prices)
        usd = None if host is None else host / max(devices_per_host, devices_beside(leaderboard, device))
        called = device.name if device is not None else board.device
        found.append(Candidate(device=called, usd_per_hour=usd, entry=entry, median_ms=entry.latency_ms.median))
    return found


def fronts(rows: Sequence[Candidate]) -> list[Front]:
    """Of the median against energy, each quality that differs between rows, and price where it differs between devices."""
    found = []
    qualities = dict.fromkeys(name for row in rows for name in row.entry.quality)
    for what, unit, more, figure in [
        (ENERGY, "mJ", False, _energy),
        *((name, "", not any(word in name for word in _SMALLER), _quality(name)) for name in qualities),
        (USD, "USD per million", False, _usd),
    ]:
        points = _points(rows, figure)
        several = {point.value for point in points} if what != USD else {row.usd_per_hour for row in rows}
        if len(several) > 1:
            found.append(
                Front(what=what, unit=unit, more_is_better=more, rows=len(points), points=_front(points, more))
            )
    return found


def cheapest(rows: Sequence[Candidate], within_percent: float = WITHIN_PERCENT) -> list[Cheapest]:
    """For every cost that is known: the cheapest row whose median is within some percent of the fastest's."""
    if not rows:
        return []
    fastest = min(rows, key=lambda row: (row.median_ms, row.entry.trial))
    near = [row for row in rows if row.median_ms <= fastest.median_ms * (1.0 + within_percent / 100.0)]
    found = []
    for what, unit, figure in _COSTS:
        known = [(value, row.median_ms, row.entry.trial, row) for row in near if (value := figure(row)) is not None]
        if not known:
            continue
        value, _, _, row = min(known, key=lambda each: each[:3])
        found.append(
            Cheapest(
                what=what, unit=unit, within_percent=within_percent, rows=len(known), lacking=len(near) - len(known),
                point=_point(row, value), is_fastest=row is fastest, slower_percent=100.0 * (row.median_ms / fastest.median_ms - 1.0),
                tied=row is fastest or overlap(row.entry, fastest.entry), fastest=figure(fastest),
            )
        )  # fmt: skip
    return found


def quantity(value: float, unit: str) -> str:
    """A cost with its unit."""
    if unit.startswith("USD "):
        return f"USD {with_uncertainty(value, None)} {unit[4:]}"
    whole = float(value).is_integer() and abs(value) < _EXACT
    text = f"{value:,.0f}" if whole else quality(value) if abs(value) < _SMALL else with_uncertainty(value, None)
    return f"{text} {unit}".strip()


def slower(one: Cheapest) -> str:
    """How much slower than the fastest it is; ``=`` where it cannot be told from it."""
    if one.is_fastest:
        return "the fastest itself"
    if one.slower_percent == 0:
        return "just as fast"
    return f"{one.slower_percent:.1f} % slower{'=' if one.tied else ''}"


def _front(points: Sequence[Point], more_is_better: bool) -> list[Point]:
    sign = -1.0 if more_is_better else 1.0
    found: list[Point] = []
    for point in sorted(points, key=lambda each: (each.median_ms, sign * each.value, each.trial)):
        if not found or sign * point.value < sign * found[-1].value:
            found.append(point)
    return found


def _points(rows: Sequence[Candidate], figure: _Figure) -> list[Point]:
    return [_point(row, value) for row in rows if (value := figure(row)) is not None]


def _point(row: Candidate, value: float) -> Point:
    entry = row.entry
    return Point(
        device=row.device, implementation=entry.implementation, configuration=entry.configuration, trial=entry.trial,
        median_ms=row.median_ms, half_width_ms=half_width_ms(entry), value=value,
    )  # fmt: skip


def half_width_ms(entry: Entry) -> float | None:
    """The wider side of a median's interval."""
    found = entry.latency_ms
    if found is None or found.ci_low is None or found.ci_high is None:
        return None
    return max(found.ci_high - found.median, found.median - found.ci_low)


def _energy(row: Candidate) -> float | None:
    return _number(row.entry.telemetry.get("energy_mj"))


def _usd(row: Candidate) -> float | None:
    return None if row.usd_per_hour is None else row.usd_per_hour * row.median_ms / _MS_PER_HOUR * _MILLION


def _shared(row: Candidate) -> float | None:
    found = [_number(row.entry.resources.get(name)) for name in ("static_shared_bytes", "dynamic_shared_bytes")]
    known = [value for value in found if value is not None]
    return sum(known) if known else None


def _registers(row: Candidate) -> float | None:
    return _number(row.entry.resources.get("registers"))


def _build(row: Candidate) -> float | None:
    return row.entry.build_seconds


def _quality(name: str) -> _Figure:
    return lambda row: _number(row.entry.quality.get(name))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


_COSTS: list[tuple[str, str, _Figure]] = [
    (ENERGY, "mJ", _energy),
    (USD, "USD per million", _usd),
    (SHARED, "B", _shared),
    (REGISTERS, "", _registers),
    (BUILD, "s", _build),
]
