"""Claims on the HTML page: each beside what was measured, always labelled as what it is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tunetui.core.claim_words import claim_head, claim_notes, claim_rows
from tunetui.core.claims import ClaimTable, claim_tables, claims_in
from tunetui.core.exports.svg import text
from tunetui.core.leaderboard import Board, Leaderboard


def claims(leaderboard: Leaderboard, boards: Sequence[Board]) -> str:
    """The leaderboard's own claims against these boards; empty where it makes none."""
    of_these = msgspec.structs.replace(leaderboard, boards=list(boards))
    tables = "".join(map(_table, claim_tables(of_these, claims_in(leaderboard))))
    return f"<h2>Claims, not measurements</h2>{tables}" if tables else ""


def _table(table: ClaimTable) -> str:
    head = "".join(f"<th>{text(name)}</th>" for name in claim_head(table))
    rows = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in claim_rows(table))
    notes = "".join(f"<br>{text(note)}" for note in claim_notes(table)).removeprefix("<br>")
    return (
        f'<figure><h3>{text(table.label)}</h3><table class="axes claim"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table><figcaption>{notes}</figcaption></figure>"
    )
