"""What somebody claims beside what was measured: latency, shape of the work, device, and how far they are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tunetui.core.figures import setting
from tunetui.core.leaderboard import Board, Claim, DevicePart, Entry, Leaderboard
from tunetui.core.snapshot import MEASURED
from tunetui_agent.messages import Value

REALITY = "reality factor"
SAME_WORK = "reality factor, same work"
REALITY_FORMULA = "measured latency / claimed latency, whatever the work of each was"
SAME_WORK_FORMULA = "(measured latency / product of {fields}) / (claimed latency / the same product of the claim)"

_WORK = ("corpus_size", "dims", "queries")
"""Fields that the work of a search is proportional to."""
_DEVICE_FACTS = ("device", "gpu", "hardware")
_NOT_STATED = "not stated"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One claim against the winner of one board."""

    problem: dict[str, Value]
    measured_ms: float
    low_ms: float | None = None
    high_ms: float | None = None
    winner: str
    device: str
    reality_factor: float | None = None
    same_work_factor: float | None = None
    same_work_fields: list[str] = []


class ClaimTable(msgspec.Struct, frozen=True, kw_only=True):
    """One claim, and what was measured for every board."""

    label: str
    """Ends with what it is: a simulation or a claim; never a measurement."""
    simulated: bool
    latency_ms: float | None = None
    facts: dict[str, Value] = {}
    gpu_testing: str
    cells: list[Cell] = []


def claim_tables(leaderboard: Leaderboard, claims: Sequence[Claim]) -> list[ClaimTable]:
    """Every claim held against the fastest row of every board."""
    return [_table(leaderboard, claim) for claim in claims]


def claims_in(leaderboard: Leaderboard) -> list[Claim]:
    """The leaderboard's own claims, with the facts that its grid states beside them."""
    return [msgspec.structs.replace(claim, facts=_facts(leaderboard, claim)) for claim in leaderboard.compare]


def label_of(label: str, *, simulated: bool) -> str:
    """A claim's label, which says that it is one."""
    return f"{label} [{'simulated claim' if simulated else 'claim'}, not measured]"


def _facts(leaderboard: Leaderboard, claim: Claim) -> dict[str, Value]:
    stated: Any = leaderboard.run.grid.get("compare")
    if not isinstance(stated, Mapping) or stated.get("label") != claim.label:
        return claim.facts
    known = {str(name): value for name, value in stated.items() if name not in {"label", "simulated", "latency_ms"}}
    return {name: v for name, v in known.items() if isinstance(v, int | float | str)} | claim.facts


def _table(leaderboard: Leaderboard, claim: Claim) -> ClaimTable:
    stated = next((str(claim.facts[name]) for name in _DEVICE_FACTS if name in claim.facts), "")
    testing = f"none: simulated{f' ({stated})' if stated else ''}" if claim.simulated else stated or _NOT_STATED
    found = [_cell(leaderboard, board, claim) for board in leaderboard.boards]
    return ClaimTable(
        label=label_of(claim.label, simulated=claim.simulated),
        simulated=claim.simulated,
        latency_ms=claim.latency_ms,
        facts=claim.facts,
        gpu_testing=testing,
        cells=[cell for cell in found if cell is not None],
    )


def _cell(leaderboard: Leaderboard, board: Board, claim: Claim) -> Cell | None:
    best = _fastest(board)
    if best is None or best.latency_ms is None:
        return None
    device = next((each for each in leaderboard.devices if each.id == board.device), None)
    measured = best.latency_ms
    claimed = claim.latency_ms if claim.latency_ms and claim.latency_ms > 0 else None
    work = {name: (_number(board.problem.get(name)), _number(claim.facts.get(name))) for name in _WORK}
    fields = {name: (ours / theirs) for name, (ours, theirs) in work.items() if ours and theirs}
    share = 1.0
    for ratio in fields.values():
        share *= ratio
    return Cell(
        problem=board.problem,
        measured_ms=measured.median,
        low_ms=measured.ci_low,
        high_ms=measured.ci_high,
        winner=" ".join([best.implementation, *(f"{k}={setting(v)}" for k, v in best.configuration.items())]),
        device=_tested_on(device),
        reality_factor=None if claimed is None else measured.median / claimed,
        same_work_factor=measured.median / claimed / share if claimed is not None and fields else None,
        same_work_fields=list(fields),
    )


def _tested_on(device: DevicePart | None) -> str:
    if device is None:
        return _NOT_STATED
    driver = f", driver {device.driver}" if device.driver else ""
    return f"measured on {device.name}{driver}" + (" (no GPU)" if device.kind == "cpu" else "")


def _fastest(board: Board) -> Entry | None:
    measured = [entry for entry in board.rows if entry.status == MEASURED and entry.latency_ms is not None]
    return min(measured, key=lambda entry: entry.latency_ms.median if entry.latency_ms else 0.0, default=None)


def _number(value: Value | None) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None
