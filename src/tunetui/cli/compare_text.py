"""A comparison as text: tables for a terminal, or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from tunetui.cli.narration import Face
from tunetui.cli.tables import Column, lay_out
from tunetui.core import figures
from tunetui.core.changes import Change
from tunetui.core.claims import REALITY, REALITY_FORMULA, SAME_WORK, SAME_WORK_FORMULA, Cell, ClaimTable
from tunetui.core.compare import FASTER, SAME, SLOWER, UNDECIDED, ComparedBoard, ComparedRow, Comparison
from tunetui.core.gate import PASSED, Gate, interval_in_words
from tunetui.core.labels import assignments, one_line
from tunetui.core.text_fitting import fit, wrapped

_ORDER = (SLOWER, FASTER, UNDECIDED, SAME)
_SHOWN = 20
"""Rows of a board that are listed, decided ones first, unless all are asked for."""
_LONGEST_CHANGE = 40


def comparison_lines(
    found: Comparison, judged: Gate | None, form: str, face: Face, *, everything: bool = False
) -> list[str]:
    """The whole comparison: what changed first, then every board, then the gate."""
    markdown = form == "markdown"
    lines = [_title(f"{found.kernel}: second against first", face, markdown=markdown)]
    for name, one in (("first", found.first), ("second", found.second)):
        ended = "" if one.ended == "done" else f", {one.ended}"
        words = f"{name}: {one_line(one.run)}, {one_line(', '.join(one.devices))}, {one.started}{ended}"
        lines.append(f"- {words}" if markdown else f"  {words}")
    lines += ["", *_changes(found.changes, face, markdown=markdown)]
    for board in found.boards:
        lines += ["", *_board(board, face, markdown=markdown, everything=everything)]
    lines += ["", *[f"not compared, {one_line(name)}" for name in found.unpaired]]
    counted = ", ".join(f"{found.counts[verdict]} {verdict.upper()}" for verdict in (SAME, FASTER, SLOWER, UNDECIDED))
    lines += [f"{counted}  (margin of SAME: {found.margin_percent:g} %)", *_wrapped(f"method: {found.method}", face)]
    lines += _wrapped(found.caution, face) if found.caution else []
    return [*lines, *(["", *_gate(judged, face)] if judged is not None else [])]


def claim_lines(tables: Sequence[ClaimTable], form: str) -> list[str]:
    """Claims beside what was measured, one table for each claim."""
    lines: list[str] = []
    for table in tables:
        lines += [""] * bool(lines) + _claim(table, markdown=form == "markdown")
    return lines


def change_lines(changes: Sequence[Change], face: Face) -> list[str]:
    """What is not what it was, as a table for a terminal."""
    return _changes(changes, face, markdown=False)


# ---------------------------------------------------------------------------------- parts of a comparison


def _changes(changes: Sequence[Change], face: Face, *, markdown: bool) -> list[str]:
    if not changes:
        return ["changed between them: nothing that is recorded"]
    rows = [(one.what, fit(one.first, _LONGEST_CHANGE), fit(one.second, _LONGEST_CHANGE)) for one in changes]
    head = ("changed", "first", "second")
    return _table(head, rows, face, markdown=markdown)


def _board(board: ComparedBoard, face: Face, *, markdown: bool, everything: bool) -> list[str]:
    devices = one_line(" against ".join(dict.fromkeys([board.first_device, board.second_device])))
    lines = [_title(f"{' '.join(assignments(board.problem))}, {devices}", face, markdown=markdown)]
    if board.best is not None:
        best = board.best
        lines.append(f"best against best: {best.row.verdict.upper()} {interval_in_words(best.row)}")
        lines.append(f"  first   {_ms(best.row.first_ms)} ms  {best.first}")
        lines.append(f"  second  {_ms(best.row.second_ms)} ms  {best.second}")
        if not best.same_configuration:
            still = "still in" if best.first_still_leads else "no longer in"
            lines.append(f"  the first's best configuration is {still} the second's winning group")
    for noise in board.noise:
        found = noise.smallest_found_percent
        could = "hardly any change would be found"
        if found is not None:
            could = f"a change of {found:.1f} % is found half of the time"
        if noise.shift_percent is not None:
            could += f"; all rows together moved by {noise.shift_percent:+.2f} %"
        words = f"noise of {one_line(noise.implementation)}: ±{noise.sd_percent:.2f} % between runs, {noise.source}; {could}"
        lines += _wrapped(words, face)
    if not board.rows:
        return [*lines, "no configuration that both have"]
    ordered = sorted(board.rows, key=lambda row: (_ORDER.index(row.verdict), -_size(row)))
    shown = ordered if everything else ordered[:_SHOWN]
    head = ("verdict", "change (95 %)", "first ms", "second ms", "implementation", "configuration")
    lines += ["", *_table(head, [_cells(row) for row in shown], face, markdown=markdown)]
    if len(shown) < len(ordered):
        lines.append(f"and {figures.counted(len(ordered) - len(shown), 'row')} more (--all lists them)")
    for name, only in (("first", board.only_first), ("second", board.only_second)):
        if only:
            lines.append(f"only in the {name}: {figures.counted(len(only), 'row')}, such as {only[0]}")
    return lines


def _cells(row: ComparedRow) -> tuple[str, ...]:
    settings = " ".join(assignments(row.configuration)) or "-"
    change = interval_in_words(row) if row.difference is not None else fit(one_line(row.reason), _LONGEST_CHANGE)
    named = one_line(row.implementation)
    return row.verdict.upper(), change, _ms(row.first_ms), _ms(row.second_ms), named, settings


def _size(row: ComparedRow) -> float:
    return abs(row.difference.percent) if row.difference is not None else 0.0


def _gate(gate: Gate, face: Face) -> list[str]:
    asked = f"--fail-over {gate.over_percent:g}% (--gate {gate.judged}): {gate.outcome.upper()}"
    if gate.outcome == PASSED:
        return [f"{asked}; none of {figures.counted(gate.rows, 'row')} is slower by more than that"]
    lines = [face.heading(asked)]
    for word, names in (("regressed", gate.regressed), ("undecided", gate.undecided)):
        lines += [f"  {word}: {name}" for name in names[:_SHOWN]]
        if len(names) > _SHOWN:
            lines.append(f"  {word}: and {len(names) - _SHOWN} more")
    return lines + _wrapped(f"method: {gate.method}", face)


# ---------------------------------------------------------------------------------- claims


def _claim(table: ClaimTable, *, markdown: bool) -> list[str]:
    fields = list(dict.fromkeys([*(n for cell in table.cells for n in cell.problem), *table.facts]))
    head = ["", one_line(table.label), *(["measured"] * len(table.cells))]
    rows = [["latency_ms", _ms(table.latency_ms), *(_with_interval(cell) for cell in table.cells)]]
    for name in fields:
        stated = figures.setting(table.facts[name]) if name in table.facts else "not stated"
        ours = [figures.setting(cell.problem[name]) if name in cell.problem else "-" for cell in table.cells]
        rows.append([name, stated, *ours])
    rows.append(["GPU testing", table.gpu_testing, *(cell.device for cell in table.cells)])
    rows.append([REALITY, "-", *(_factor(cell.reality_factor) for cell in table.cells)])
    rows.append([SAME_WORK, "-", *(_factor(cell.same_work_factor) for cell in table.cells)])
    rows.append(["configuration", "-", *(cell.winner for cell in table.cells)])
    texts = [[one_line(cell) for cell in row] for row in rows]
    lines = _markdown(head, texts) if markdown else _standing(head, texts)
    shared = next((cell.same_work_fields for cell in table.cells if cell.same_work_fields), [])
    lines += ["", f"{REALITY} = {REALITY_FORMULA}"]
    if shared:
        lines.append(f"{SAME_WORK} = {SAME_WORK_FORMULA.format(fields=' x '.join(shared))}")
    what = "simulated by its author" if table.simulated else "stated by its author"
    return [*lines, f"the claim was {what} and not measured by tunetui"]


def _standing(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """One block for each measured board where columns side by side would be too wide to read."""
    lines: list[str] = []
    for place in range(2, len(head)) if len(head) > 2 else [1]:
        chosen = [[row[0], row[1], *([row[place]] if place > 1 else [])] for row in rows]
        header = [head[0], head[1], *([head[place]] if place > 1 else [])]
        columns = [
            Column(key=str(index), header=(name,), cells=[row[index] for row in chosen]) for index, name in enumerate(header)
        ]  # fmt: skip
        table = lay_out(columns, None)
        lines += [""] * bool(lines) + table.header + table.body
    return lines


def _with_interval(cell: Cell) -> str:
    if cell.low_ms is None or cell.high_ms is None:
        return f"{_ms(cell.measured_ms)} (no interval)"
    half = max(cell.high_ms - cell.measured_ms, cell.measured_ms - cell.low_ms)
    return f"{figures.with_uncertainty(cell.measured_ms, half)} ±{figures.percent(100 * half / cell.measured_ms)} %"


def _factor(value: float | None) -> str:
    return figures.NOT_MEASURED if value is None else f"{value:.3g}x"


# ---------------------------------------------------------------------------------- text


def _ms(value: float | None) -> str:
    return figures.NOT_MEASURED if value is None else f"{value:.4g}"


def _title(text: str, face: Face, *, markdown: bool) -> str:
    return f"### {_escaped(text)}" if markdown else face.heading(one_line(text))


def _wrapped(text: str, face: Face) -> list[str]:
    return wrapped(text.split(" "), face.width, indent="  ", first="")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], face: Face, *, markdown: bool) -> list[str]:
    if markdown:
        return _markdown(head, rows)
    columns = [
        Column(key=name, header=(name,), cells=[row[index] for row in rows],
               align="right" if name.endswith(" ms") else "left", gives_way=10 if name in {"first ms", "second ms"} else 0)
        for index, name in enumerate(head)
    ]  # fmt: skip
    table = lay_out(columns, face.width)
    return [*(face.faint(line) for line in table.header), *table.body]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    width = len(head)
    lines = ["| " + " | ".join(map(_escaped, head)) + " |", "|" + "---|" * width]
    padded = [[cell for cell, _ in zip_longest(row, range(width), fillvalue="")] for row in rows]
    return [*lines, *("| " + " | ".join(_escaped(str(cell)) for cell in row) + " |" for row in padded)]


def _escaped(text: str) -> str:
    """Text in a Markdown cell: nothing in it is markup."""
    plain = one_line(text)
    for mark in "\\|*_`<>[]":
        plain = plain.replace(mark, "\\" + mark)
    return plain
