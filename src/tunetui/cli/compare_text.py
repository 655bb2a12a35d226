"""A comparison as text: tables for a terminal, or Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from tunetui.cli.narration import Face
from tunetui.cli.tables import Column, lay_out
from tunetui.core import figures
from tunetui.core.changes import Change
from tunetui.core.claim_words import claim_head, claim_notes, claim_rows
from tunetui.core.claims import ClaimTable
from tunetui.core.compare import (
    FASTER,
    SAME,
    SLOWER,
    UNDECIDED,
    Best,
    ComparedBoard,
    ComparedRow,
    Comparison,
)
from tunetui.core.gate import OF_ITSELF, PASSED, Gate, interval_in_words, medians_in_words, of_itself
from tunetui.core.labels import assignments, one_line, varying
from tunetui.core.noise_words import noise_in_words
from tunetui.core.text_fitting import fit, wrapped

_ORDER = (SLOWER, FASTER, UNDECIDED, SAME)
_SHOWN = 20
"""Rows of a board that are listed, decided ones first, unless all are asked for."""
_LONGEST_CHANGE = 40


def comparison_lines(
    found: Comparison, judged: Gate | None, form: str, face: Face, *, everything: bool = False
) -> list[str]:
    """The whole comparison: what changed first, then every board, then the gate."""
    page = _Page(face, markdown=form == "markdown")
    lines = [page.title(f"{found.kernel}: second against first")]
    for name, one in (("first", found.first), ("second", found.second)):
        ended = "" if one.ended == "done" else f", {one.ended}"
        lines += page.said(f"{name}: {one.run}, {', '.join(one.devices)}, {one.started}{ended}", indent="  ")
    lines += page.said(f"CAUTION: {OF_ITSELF}") if of_itself(found) else []
    lines += ["", *_changes(found.changes, page)]
    for board in found.boards:
        lines += ["", *_board(board, page, everything=everything)]
    lines += [""]
    for name in found.unpaired:
        lines += page.said(f"not compared, {name}")
    lines += page.said(f"{_counted(found.counts)}  (margin of SAME: {found.margin_percent:g} %)")
    lines += page.said(f"method: {found.method}")
    lines += page.said(found.caution) if found.caution else []
    return [*lines, *(["", *_gate(judged, page)] if judged is not None else [])]


def claim_lines(tables: Sequence[ClaimTable], form: str, face: Face) -> list[str]:
    """Claims beside what was measured, one table for each claim."""
    page = _Page(face, markdown=form == "markdown")
    lines: list[str] = []
    for table in tables:
        lines += [""] * bool(lines) + _claim(table, page)
    return lines


def change_lines(changes: Sequence[Change], face: Face) -> list[str]:
    """What is not what it was, as a table for a terminal."""
    return _changes(changes, _Page(face, markdown=False))


# ---------------------------------------------------------------------------------- parts of a comparison


def _changes(changes: Sequence[Change], page: _Page) -> list[str]:
    if not changes:
        return ["changed between them: nothing that is recorded"]
    rows = [(one.what, fit(one.first, _LONGEST_CHANGE), fit(one.second, _LONGEST_CHANGE)) for one in changes]
    return page.table(("changed", "first", "second"), rows)


def _board(board: ComparedBoard, page: _Page, *, everything: bool) -> list[str]:
    devices = one_line(" against ".join(dict.fromkeys([board.first_device, board.second_device])))
    lines = [page.title(f"{' '.join(assignments(board.problem))}, {devices}")]
    lines += _best(board.best, page) if board.best is not None else []
    for noise in board.noise:
        lines += page.said(f"noise of {noise.implementation}: {noise_in_words(noise)}")
    if not board.rows:
        return [*lines, "no configuration that both have"]
    verdicts = Counter(row.verdict for row in board.rows)
    lines += page.said(f"{figures.counted(len(board.rows), 'row')} that both have: {_counted(verdicts)}")
    reasons = Counter(row.reason for row in board.rows if row.difference is not None and row.reason)
    for reason, count in reasons.most_common():
        lines += page.said(f"undecided in {figures.counted(count, 'row')}: {reason}", indent="  ")
    lines += ["", *_rows(board, page, everything=everything)]
    for name, only in (("first", board.only_first), ("second", board.only_second)):
        if only:
            lines += page.said(f"only in the {name}: {figures.counted(len(only), 'row')}, such as {only[0]}")
    return lines


def _best(best: Best, page: _Page) -> list[str]:
    first, second = medians_in_words(best.row)
    lines = page.said(f"best against best: {best.row.verdict.upper()} {interval_in_words(best.row)}")
    lines += page.said(f"first   {first} ms  {best.first}", indent="  ")
    lines += page.said(f"second  {second} ms  {best.second}", indent="  ")
    if not best.same_configuration:
        still = "still in" if best.first_still_leads else "no longer in"
        lines += page.said(f"the first's best configuration is {still} the second's winning group", indent="  ")
    return lines


def _rows(board: ComparedBoard, page: _Page, *, everything: bool) -> list[str]:
    """The table: what is decided first; an axis that is the same in every row is said once."""
    ordered = sorted(board.rows, key=lambda row: (_ORDER.index(row.verdict), -_size(row)))
    shown = ordered if everything else ordered[:_SHOWN]
    tuned = [row.configuration for row in board.rows if row.configuration]
    apart = varying(tuned) if len(tuned) > 1 else list(tuned[0]) if tuned else []
    apart += [axis for configuration in tuned for axis in configuration if axis not in tuned[0]]
    said_once = {axis: value for axis, value in tuned[0].items() if axis not in apart} if tuned else {}
    head = ("verdict", "change (95 %)", "first ms", "second ms", "implementation", "configuration")
    lines = page.table(head, [_cells(row, set(said_once)) for row in shown])
    if said_once:
        lines += page.said(f"in every row that has axes: {' '.join(assignments(said_once))}")
    left = len(ordered) - len(shown)
    return [*lines, *(page.said(f"and {figures.counted(left, 'more row')} (--all lists them)") if left else [])]


def _cells(row: ComparedRow, said_once: set[str]) -> tuple[str, ...]:
    own = {axis: value for axis, value in row.configuration.items() if axis not in said_once}
    change = interval_in_words(row) if row.difference is not None else fit(one_line(row.reason), _LONGEST_CHANGE)
    first, second = medians_in_words(row)
    return row.verdict.upper(), change, first, second, one_line(row.implementation), " ".join(assignments(own)) or "-"


def _size(row: ComparedRow) -> float:
    return abs(row.difference.percent) if row.difference is not None else 0.0


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{figures.count(counts.get(verdict, 0))} {verdict.upper()}" for verdict in _ORDER)


def _gate(gate: Gate, page: _Page) -> list[str]:
    asked = f"--fail-over {gate.over_percent:g}% (--gate {gate.judged}): {gate.outcome.upper()}"
    if gate.outcome == PASSED:
        whom = "the one row is not" if gate.rows == 1 else f"none of {figures.count(gate.rows)} rows is"
        return page.said(f"{asked}; {whom} slower by more than that")
    lines = [page.title(asked)]
    for word, names in (("regressed", gate.regressed), ("undecided", gate.undecided)):
        for name in names[:_SHOWN]:
            lines += page.said(f"{word}: {name}", indent="  ")
        if len(names) > _SHOWN:
            lines += page.said(f"{word}: and {len(names) - _SHOWN} more", indent="  ")
    return lines + page.said(f"method: {gate.method}")


# ---------------------------------------------------------------------------------- claims


def _claim(table: ClaimTable, page: _Page) -> list[str]:
    head, rows = claim_head(table), claim_rows(table)
    notes = [line for note in claim_notes(table) for line in page.said(note)]
    if page.markdown:
        return [page.title(table.label), "", *_markdown(head, rows), "", *notes]
    return [page.title(table.label), *_standing(head, rows, page.face.width), "", *notes]


def _standing(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """One table; one block for each measured board where columns side by side would be too wide to read."""
    side_by_side = _plain_table(head, rows)
    if width is None or max(map(len, side_by_side)) <= width or len(head) < 3:
        return side_by_side
    *figures_of_it, last = rows  # the configuration: long, and no figure
    lines: list[str] = []
    for place in range(2, len(head)):
        block = _plain_table([*head[:2], head[place]], [[*row[:2], row[place]] for row in figures_of_it])
        measured = wrapped(f"{last[0]}: {last[place]}".split(" "), width, indent="  ", first="")
        lines += [""] * bool(lines) + block + measured
    return lines


def _plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    columns = [Column(key=str(at), header=(name,), cells=[row[at] for row in rows]) for at, name in enumerate(head)]
    table = lay_out(columns, None)
    return [*table.header, *table.body]


# ---------------------------------------------------------------------------------- text


class _Page:
    """Where it is written: a terminal, or Markdown, in which nothing is markup but what stands here."""

    def __init__(self, face: Face, *, markdown: bool) -> None:
        self.face, self.markdown = face, markdown

    def title(self, text: str) -> str:
        """A heading."""
        return f"### {_escaped(text)}" if self.markdown else self.face.heading(one_line(text))

    def said(self, text: str, indent: str = "") -> list[str]:
        """A sentence: lines of a terminal, or a point of a list."""
        words = one_line(text)
        if self.markdown:
            return [f"{indent}- {_escaped(words)}"]
        return wrapped(words.split(" "), self.face.width, indent=f"{indent}  ", first=indent)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
        """Cells below their heads; in a terminal the medians give way where there is no room, which is said."""
        if self.markdown:
            return ["", *_markdown(head, rows), ""]
        columns = [
            Column(key=name, header=(name,), cells=[row[index] for row in rows],
                   align="point" if name.endswith(" ms") else "left", gives_way=10 if name in {"first ms", "second ms"} else 0)
            for index, name in enumerate(head)
        ]  # fmt: skip
        table = lay_out(columns, self.face.width)
        lines = [*(self.face.faint(line) for line in table.header), *table.body]
        left_out = f"left out for width: {', '.join(table.left_out)} (--format json has all)"
        return [*lines, *map(self.face.faint, self.said(left_out) if table.left_out else [])]


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
