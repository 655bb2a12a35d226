"""A leaderboard as one HTML page that needs nothing else: tables, heatmaps, distributions, a roofline, provenance."""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.core import figures
from tunetui.core.board_figures import lines_of
from tunetui.core.claims import claim_tables, claims_in
from tunetui.core.exports.choosing import device_name, device_of, measured, provenance_lines
from tunetui.core.exports.html_insight import heatmap, sensitivity, tradeoffs
from tunetui.core.exports.html_page import PAGE, SCRIPT, STYLE
from tunetui.core.exports.html_pictures import distributions, roofline
from tunetui.core.exports.html_table import table
from tunetui.core.exports.svg import text
from tunetui.core.importance import METHOD
from tunetui.core.insight import importances
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Leaderboard
from tunetui.core.readiness import readiness
from tunetui.core.targets import MET, MISSED
from tunetui.core.tradeoffs import candidates, cheapest, fronts


def html(leaderboard: Leaderboard, boards: Sequence[Board]) -> str:
    """The whole page; every figure is of the leaderboard, and everything from outside is escaped."""
    models = ", ".join(dict.fromkeys(device_name(leaderboard, board) for board in boards))
    run = leaderboard.run
    return PAGE.format(
        title=text(f"{run.name}: {leaderboard.kernel.name} on {models}"),
        style=STYLE,
        script=SCRIPT,
        about=text(
            f"{run.started} to {run.finished}, {run.ended}; {run.trials_measured} of {run.trials_planned} measured"
        ),
        boards="\n".join(_board(leaderboard, board, place) for place, board in enumerate(boards)),
        claims=_claims(leaderboard),
        method=_listed(_method(leaderboard)),
        provenance=_listed(provenance_lines(leaderboard, boards)),
    )


def _board(leaderboard: Leaderboard, board: Board, place: int) -> str:
    shown = lines_of(board)
    title = f"{' '.join(assignments(board.problem))}, {device_name(leaderboard, board)}"
    if not shown:
        return f"<section><h2>{text(title)}</h2><p>nothing was measured</p></section>"
    device = device_of(leaderboard, board)
    parts = [f"<h2>{text(title)}</h2>", _winner(board), _targets(leaderboard, board), '<div class="pictures">']
    parts += [distributions(board), roofline(board, device)]
    known = importances(leaderboard, board)
    parts += [heatmap(board, each) for each in known] + [sensitivity(each) for each in known]
    rows = candidates(leaderboard, board, {})
    parts += [tradeoffs(fronts(rows), cheapest(rows)), "</div>", table(leaderboard, board, shown, place)]
    return f'<section id="board-{place}">{"".join(parts)}</section>'


def _winner(board: Board) -> str:
    """The fastest row in words, and how many cannot be told from it."""
    best = next(iter(measured(board)), None)
    if best is None or best.latency_ms is None:
        return "<p>no row was measured</p>"
    found = best.latency_ms
    ends = (
        f" ({found.ci_low:.4g} to {found.ci_high:.4g})"
        if found.ci_low is not None and found.ci_high is not None
        else ""
    )
    tied = len(board.winner) - 1
    others = f"; {figures.counted(tied, 'other row')} cannot be told from it" if tied > 0 else ""
    words = " ".join([one_line(best.implementation), *assignments(best.configuration)])
    return f'<p class="winner"><b>{found.median:.4g} ms</b> {text(f"{ends}: {words}{others}")}</p>'


def _targets(leaderboard: Leaderboard, board: Board) -> str:
    rows = []
    for verdict in board.targets:
        tone = {MET: "good", MISSED: "bad"}.get(verdict.verdict, "open")
        value = figures.NOT_MEASURED if verdict.value is None else f"{verdict.value:.6g}"
        asked = f"{verdict.metric} {verdict.op} {verdict.bound:g}"
        why = f" ({verdict.reason})" if verdict.reason else ""
        rows.append(f'<li class="{tone}"><b>{text(verdict.verdict)}</b> {text(asked)}: {text(value + why)}</li>')
    ready = f'<p class="winner">{text(readiness(leaderboard, board))}</p>'
    return f'{ready}<ul class="targets">{"".join(rows)}</ul>' if rows else ""


def _claims(leaderboard: Leaderboard) -> str:
    lines = []
    for claim in claim_tables(leaderboard, claims_in(leaderboard)):
        stated = figures.NOT_MEASURED if claim.latency_ms is None else f"{claim.latency_ms:g} ms"
        factors = [
            f"{' '.join(assignments(cell.problem))}: {cell.reality_factor:.3g}x"
            for cell in claim.cells
            if cell.reality_factor is not None
        ]
        lines.append(f"{claim.label}: {stated}; measured latency over it: {', '.join(factors) or figures.NOT_MEASURED}")
    return f"<h2>Claims, not measurements</h2>{_listed(lines)}" if lines else ""


def _method(leaderboard: Leaderboard) -> list[str]:
    method = leaderboard.method
    said = [f"{name} = {value}" for name, value in method.settings.items()]
    others = (method.eviction, method.percentiles, method.interval, method.test, method.ranking, method.race)
    return [", ".join(said), *(said_too for said_too in (*others, method.visits, method.drift, METHOD) if said_too)]


def _listed(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>"
