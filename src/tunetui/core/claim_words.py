"""A claim beside what was measured, as rows of text: for terminals, Markdown and HTML."""

from __future__ import annotations

from tunetui.core import figures
from tunetui.core.claims import REALITY, REALITY_FORMULA, SAME_WORK, SAME_WORK_FORMULA, Cell, ClaimTable
from tunetui.core.labels import one_line

_NOTHING = "-"


def claim_head(table: ClaimTable) -> list[str]:
    """What stands above its columns: the claim, then one for each measured board."""
    return ["", "simulated claim" if table.simulated else "claim", *(["measured"] * len(table.cells))]


def claim_rows(table: ClaimTable) -> list[list[str]]:
    """Latency, the shape of the work, what it was tested on, both reality factors, and the configuration measured."""
    fields = list(dict.fromkeys([*(name for cell in table.cells for name in cell.problem), *table.facts]))
    rows = [["latency_ms", _ms(table.latency_ms), *(_with_interval(cell) for cell in table.cells)]]
    for name in fields:
        stated = figures.setting(table.facts[name]) if name in table.facts else "not stated"
        ours = [figures.setting(cell.problem[name]) if name in cell.problem else _NOTHING for cell in table.cells]
        rows.append([name, stated, *ours])
    rows.append(["GPU testing", table.gpu_testing, *(cell.device for cell in table.cells)])
    rows.append([REALITY, _NOTHING, *(_factor(cell.reality_factor) for cell in table.cells)])
    rows.append([SAME_WORK, _NOTHING, *(_factor(cell.same_work_factor) for cell in table.cells)])
    rows.append(["configuration", _NOTHING, *(cell.winner for cell in table.cells)])
    return [[one_line(text) for text in row] for row in rows]


def claim_notes(table: ClaimTable) -> list[str]:
    """What the factors are, and what the claim is not."""
    shared = next((cell.same_work_fields for cell in table.cells if cell.same_work_fields), [])
    notes = [f"{REALITY} = {REALITY_FORMULA}"]
    if shared:
        notes.append(f"{SAME_WORK} = {SAME_WORK_FORMULA.format(fields=' x '.join(shared))}")
    what = "simulated by its author" if table.simulated else "stated by its author"
    return [*notes, f"the claim was {what} and not measured by tunetui"]


def _with_interval(cell: Cell) -> str:
    if cell.low_ms is None or cell.high_ms is None:
        return f"{_ms(cell.measured_ms)} (no interval)"
    half = max(cell.high_ms - cell.measured_ms, cell.measured_ms - cell.low_ms)
    return f"{figures.with_uncertainty(cell.measured_ms, half)} ±{figures.percent(100 * half / cell.measured_ms)} %"


def _ms(value: float | None) -> str:
    return figures.with_uncertainty(value, None)


def _factor(value: float | None) -> str:
    return figures.NOT_MEASURED if value is None else f"{value:.3g}x"
