"""A leaderboard as one HTML page that needs nothing else: tables, heatmaps, distributions, a roofline, provenance."""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.core import figures
from tunetui.core.another_run import in_words, outlook_of_entry
from tunetui.core.board_figures import confidence_of, lines_of
from tunetui.core.exports.choosing import device_name, device_of, measured, provenance_lines
from tunetui.core.exports.html_claims import claims
from tunetui.core.exports.html_insight import heatmap, sensitivity, tradeoffs
from tunetui.core.exports.html_load import under_load_part
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
from tunetui.core.verdict_words import asked, cost, judged, targets_of_whom

_TONES = {MET: "good", MISSED: "bad"}


def html(leaderboard: Leaderboard, boards: Sequence[Board]) -> str:
    """The whole page; every figure is of the leaderboard, and everything from outside is escaped."""
    models = ", ".join(dict.fromkeys(device_name(leaderboard, board) for board in boards))
    run = leaderboard.run
    spent = cost(leaderboard)
    return PAGE.format(
        title=text(f"{run.name}: {leaderboard.kernel.name} on {models}"),
        style=STYLE,
        script=SCRIPT,
        about=text(
            f"{run.started} to {run.finished}, {run.ended}; {run.trials_measured} of {run.trials_planned} measured"
            + (f"; cost {spent}" if spent else "")
        ),
        boards="\n".join(_board(leaderboard, board, place) for place, board in enumerate(boards)),
        claims=claims(leaderboard, boards),
        method=_listed(_method(leaderboard)),
        provenance=_listed(provenance_lines(leaderboard, boards)),
    )


def _board(leaderboard: Leaderboard, board: Board, place: int) -> str:
    shown = lines_of(board)
    title = f"{' '.join(assignments(board.problem))}, {device_name(leaderboard, board)}"
    if not shown:
        return f"<section><h2>{text(title)}</h2><p>nothing was measured</p></section>"
    device = device_of(leaderboard, board)
    parts = [f"<h2>{text(title)}</h2>", _winner(leaderboard, board), _targets(leaderboard, board)]
    parts += [under_load_part(board), '<div class="pictures">']
    parts += [distributions(board), roofline(board, device)]
    known = importances(leaderboard, board)
    parts += [heatmap(board, each) for each in known] + [sensitivity(each) for each in known]
    rows = candidates(leaderboard, board, {})
    parts += [tradeoffs(fronts(rows), cheapest(rows)), "</div>", table(leaderboard, board, shown, place)]
    return f'<section id="board-{place}">{"".join(parts)}</section>'


def _winner(leaderboard: Leaderboard, board: Board) -> str:
    """The fastest row in words, how many cannot be told from it, and where its median will lie in another run."""
    best = next(iter(measured(board)), None)
    if best is None or best.latency_ms is None:
        return "<p>no row was measured</p>"
    found = best.latency_ms
    low, high = found.ci_low, found.ci_high
    half = None if low is None or high is None else max(high - found.median, found.median - low)
    median, *ends = (figures.with_uncertainty(each, half) for each in (found.median, low, high) if each is not None)
    tied = len(board.winner) - 1
    others = f"; {figures.counted(tied, 'other row')} cannot be told from it" if tied > 0 else ""
    words = " ".join([one_line(best.implementation), *assignments(best.configuration)])
    between = f"between {' and '.join(ends)}: " if half is not None else ""
    repeat = outlook_of_entry(board, best).repeat
    again = f"; {in_words(repeat, half, confidence_of(leaderboard))}" if repeat is not None else ""
    return f'<p class="winner"><b>{median} ms</b> {text(f"{between}{words}{others}{again}")}</p>'


def _targets(leaderboard: Leaderboard, board: Board) -> str:
    rows = [
        f'<li class="{_TONES.get(verdict.verdict, "open")}"><b>{text(verdict.verdict)}</b> '
        f"{text(f'{asked(verdict)}: {judged(verdict)}')}</li>"
        for verdict in board.targets
    ]
    if not rows:
        return ""
    ready = f'<p class="winner">{text(readiness(leaderboard, board))}</p>'
    return f'{ready}<p class="about">{text(targets_of_whom(board.targets))}</p><ul class="targets">{"".join(rows)}</ul>'


def _method(leaderboard: Leaderboard) -> list[str]:
    method = leaderboard.method
    said = [f"{name} = {value}" for name, value in method.settings.items()]
    others = (method.eviction, method.percentiles, method.interval, method.test, method.ranking, method.race)
    return [
        ", ".join(said),
        *(said_too for said_too in (*others, method.visits, method.repeat, method.drift, METHOD) if said_too),
    ]


def _listed(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>"
