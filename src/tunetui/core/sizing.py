"""How many devices carry a load: from measured batches, a bound on waiting, and a price.

`docs/deciding.md` derives the formulas.  Only the kernel's own time was measured: what a service adds around it is
the caller's to state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from tunetui.core.errors import InputError
from tunetui.core.host_prices import price_of_host
from tunetui.core.leaderboard import Entry, Leaderboard
from tunetui.core.snapshot import MEASURED
from tunetui_agent.messages import Value

BATCH_FIELD = "queries"
"""The problem field that says how many queries one execution answers."""

FORMULAS = (
    "queries/s per device = batch / upper end of the median's interval x (1 - headroom)",
    "devices = the fewest N with qps / N within that and p99 within the bound",
    (
        "p99 <= fill + wait + slowest execution + overhead, for random (Poisson) arrivals at qps / N: "
        "fill: 99.5 % of the time in which batch - 1 queries arrive; wait: ln(200) / theta by Kingman's inequality, "
        "theta x slowest = batch x ln(1 + theta / (qps / N))"
    ),
    "USD per million queries = hosts x USD per host and hour / 3600 / qps x 1e6, hosts = N / devices per host, rounded up",
)

_TAIL = 0.005
"""Of each of the two waits: together one in a hundred."""
_MS_PER_S = 1e3
_NS_PER_MS = 1e6
_SECONDS_PER_HOUR = 3600.0
_MILLION = 1e6
_MOST_DEVICES = 1_000_000


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be carried: queries per second, a bound on the 99th percentile, and what is kept free."""

    qps: float
    p99_ms: float
    headroom_percent: float = 30.0
    overhead_ms: float = 0.0
    """What each query takes beside the kernel: network, copying, code."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One model of device at one batch size; ``devices`` is absent where it cannot be done, and ``reason`` says why."""

    device: str
    problem: dict[str, Value]
    """Without the batch."""
    batch: int
    implementation: str
    configuration: dict[str, Value]
    execution_ms: float
    """The median's upper end."""
    slowest_ms: float
    qps_per_device: float
    """With the headroom kept free."""
    devices: int | None = None
    p99_ms: float | None = None
    utilisation_percent: float | None = None
    hosts: int | None = None
    """That have so many devices; whole ones are paid."""
    usd_per_hour: float | None = None
    """Of all hosts."""
    usd_per_million: float | None = None
    reason: str = ""
    best: bool = False
    """The cheapest of its problem, or where prices are missing the one with the fewest devices; of several the quickest."""


class _Measured(msgspec.Struct, frozen=True):
    device: str
    problem: dict[str, Value]
    batch: int
    row: Entry
    usd: float | None
    """Of a host."""


def size(
    leaderboards: Sequence[Leaderboard], load: Load, usd_per_hour: Mapping[str, float], devices_per_host: int = 1
) -> list[Plan]:
    """Every way to carry ``load`` with what was measured, by problem, device and batch.

    ``usd_per_hour`` is for a host with ``devices_per_host`` devices, by their model's name, its host's name, or "" for all others.

    Raises:
        InputError: nothing was measured.
    """
    found: dict[tuple[str, str, int], _Measured] = {}
    for leaderboard in leaderboards:
        for each in _measured(leaderboard, usd_per_hour):
            key = (repr(sorted(each.problem.items())), each.device, each.batch)
            if key not in found or _upper_ms(each.row) < _upper_ms(found[key].row):
                found[key] = each
    if not found:
        raise InputError("nothing was measured, so there is nothing to size from")
    plans = [_plan(each, load, devices_per_host) for _, each in sorted(found.items(), key=lambda item: item[0])]
    return _with_best(plans)


def p99_bound_ms(qps: float, batch: int, slowest_ms: float) -> float | None:
    """A bound on the 99th percentile of waiting and execution at one device; None where it cannot keep up."""
    slowest = slowest_ms / _MS_PER_S
    if qps * slowest >= batch:
        return None
    wait = math.log(1.0 / _TAIL) / _decay(qps, batch, slowest)
    return (_fill(qps, batch) + wait + slowest) * _MS_PER_S


def _decay(qps: float, batch: int, slowest: float) -> float:
    """The positive root of batch ln(1 + theta / qps) = theta slowest (Kingman's exponent), from below."""
    low, high = 0.0, qps
    while batch * math.log1p(high / qps) > high * slowest:
        low, high = high, 2.0 * high
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if batch * math.log1p(middle / qps) > middle * slowest else (low, middle)
    return low if low > 0 else high


def _fill(qps: float, batch: int) -> float:
    """The time in which batch - 1 further queries arrive but for `_TAIL`: a quantile of Erlang's distribution."""
    if batch <= 1:
        return 0.0
    low, high = 0.0, (batch + 10.0 * math.sqrt(batch) + 10.0) / qps
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _fewer_than(batch - 1, middle * qps) > _TAIL else (low, middle)
    return high


def _fewer_than(count: int, mean: float) -> float:
    """P(Poisson(mean) < count)."""
    if mean <= 0:
        return 1.0
    return min(1.0, math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count)))


def _measured(leaderboard: Leaderboard, usd_per_hour: Mapping[str, float]) -> list[_Measured]:
    """The fastest row of every board, by the upper end of its median."""
    found = []
    for board in leaderboard.boards:
        rows = [row for row in board.rows if row.status == MEASURED and row.latency_ms and row.latency_ms.median > 0]
        best = min(rows, key=lambda row: (_upper_ms(row), row.trial), default=None)
        if best is None:
            continue
        device = next((each for each in leaderboard.devices if each.id == board.device), None)
        usd = price_of_host(leaderboard, device, usd_per_hour)
        batch = board.problem.get(BATCH_FIELD, 1)
        count = batch if isinstance(batch, int) and not isinstance(batch, bool) and batch > 0 else 1
        problem = {name: value for name, value in board.problem.items() if name != BATCH_FIELD}
        found.append(_Measured(device.name if device else board.device, problem, count, best, usd))
    return found


def _upper_ms(row: Entry) -> float:
    found = row.latency_ms
    if found is None:
        return math.inf
    return found.ci_high if found.ci_high is not None else max(row.samples_ns, default=0) / _NS_PER_MS or found.p99


def _plan(each: _Measured, load: Load, devices_per_host: int) -> Plan:
    execution = _upper_ms(each.row)
    slowest = max(max(each.row.samples_ns, default=0) / _NS_PER_MS, execution)
    per_device = each.batch / execution * _MS_PER_S * (1.0 - load.headroom_percent / 100.0)
    plan = Plan(
        device=each.device,
        problem=each.problem,
        batch=each.batch,
        implementation=each.row.implementation,
        configuration=each.row.configuration,
        execution_ms=execution,
        slowest_ms=slowest,
        qps_per_device=per_device,
    )
    room = load.p99_ms - load.overhead_ms
    devices, bound = _fewest(load.qps, each.batch, slowest, per_device, room)
    if devices is None:
        return msgspec.structs.replace(plan, reason=_why_not(plan, load, bound))
    hosts = -(-devices // devices_per_host)
    usd = None if each.usd is None else hosts * each.usd
    return msgspec.structs.replace(
        plan,
        devices=devices,
        hosts=hosts,
        p99_ms=None if bound is None else bound + load.overhead_ms,
        utilisation_percent=100.0 * load.qps / devices / (each.batch / execution * _MS_PER_S),
        usd_per_hour=usd,
        usd_per_million=None if usd is None else usd / _SECONDS_PER_HOUR / load.qps * _MILLION,
    )


def _why_not(plan: Plan, load: Load, best_ms: float | None) -> str:
    if best_ms is not None:
        return f"p99 of {load.p99_ms:g} ms cannot be promised: at best {best_ms + load.overhead_ms:.3g} ms"
    if plan.qps_per_device * _MOST_DEVICES < load.qps:
        return f"more than {_MOST_DEVICES:,} devices would be needed"
    return f"p99 of {load.p99_ms:g} ms cannot be promised: executions of {plan.slowest_ms:.3g} ms do not keep up"


def _fewest(
    qps: float, batch: int, slowest_ms: float, per_device: float, room_ms: float
) -> tuple[int | None, float | None]:
    """The fewest devices that keep up within ``room_ms``, and their bound; or None, and the best bound there is."""
    least = max(1, math.ceil(qps / per_device - 1e-9))
    best: float | None = None
    count = least
    while count <= min(_MOST_DEVICES, 64 * least):
        bound = p99_bound_ms(qps / count, batch, slowest_ms)
        if bound is not None and bound <= room_ms:
            return count, bound
        best = bound if best is None or (bound is not None and bound < best) else best
        if batch > 1 and best is not None and bound is not None and bound > 2.0 * best:
            break  # further devices only make batches fill more slowly
        count += max(1, count // 64)
    return None, best


def _with_best(plans: list[Plan]) -> list[Plan]:
    marked = list(plans)
    for problem in {repr(sorted(plan.problem.items())) for plan in plans}:
        able = [p for p in plans if repr(sorted(p.problem.items())) == problem and p.devices is not None]
        priced = [plan for plan in able if plan.usd_per_million is not None]
        order = (
            (plan.usd_per_million or 0.0, plan.devices or 0, plan.p99_ms or 0.0, plan.batch) for plan in priced or able
        )
        chosen = min(zip(order, priced or able, strict=True), key=lambda pair: pair[0], default=(None, None))[1]
        if chosen is not None:
            marked[plans.index(chosen)] = msgspec.structs.replace(chosen, best=True)
    return marked
