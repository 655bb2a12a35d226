"""``tunetui compare``: one leaderboard held against another, or against what somebody claims."""

from __future__ import annotations

import argparse
from typing import Any

import msgspec

from tunetui.cli.compare_text import claim_lines, comparison_lines
from tunetui.cli.exports import plain_json
from tunetui.cli.narration import stdout_face
from tunetui.core.claims import claim_tables, claims_in
from tunetui.core.compare import compare
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.gate import OPEN, PASSED, REGRESSED, gate
from tunetui.core.leaderboard import Claim, Leaderboard

_CODES = {PASSED: ExitCode.OK, REGRESSED: ExitCode.TARGET_MISSED, OPEN: ExitCode.UNDECIDED}


def run_compare(parsed: argparse.Namespace) -> int:
    """Print how the second differs from the first; with ``--fail-over`` the exit code says whether it regressed."""
    from tunetui.session import read_leaderboard
    from tunetui.session.claiming import read_judged

    other = None if parsed.second is None else read_judged(parsed.second)
    first = read_leaderboard(parsed.first)
    if isinstance(other, Leaderboard):
        return _between(parsed, first, other)
    if parsed.fail_over is not None:
        raise InputError("--fail-over needs two leaderboards", hint="a claim is no measurement to regress from")
    claims = claims_in(first) if other is None else other
    if not claims:
        raise InputError(
            f"{parsed.first} claims nothing to compare it with",
            hint="name a second leaderboard, or a grid that has [compare]",
        )
    tables, face = claim_tables(first, claims), stdout_face(no_color=parsed.no_color)
    _show(parsed, {"claims": tables}, claim_lines(tables, parsed.format, face))
    return ExitCode.OK


def _between(parsed: argparse.Namespace, first: Leaderboard, second: Leaderboard) -> int:
    found = compare(first, second, margin_percent=parsed.margin)
    judged = None if parsed.fail_over is None else gate(found, parsed.fail_over, parsed.gate)
    claimed = claim_tables(second, _both(first, second))
    face = stdout_face(no_color=parsed.no_color)
    lines = comparison_lines(found, judged, parsed.format, face, everything=parsed.all)
    if claimed:
        lines += ["", *claim_lines(claimed, parsed.format, face)]
    _show(parsed, {"comparison": found, "gate": judged, "claims": claimed}, lines)
    return ExitCode.OK if judged is None else _CODES[judged.outcome]


def _both(first: Leaderboard, second: Leaderboard) -> list[Claim]:
    """The claims that either makes, each once."""
    return list({claim.label: claim for one in (first, second) for claim in claims_in(one)}.values())


def _show(parsed: argparse.Namespace, data: dict[str, Any], lines: list[str]) -> None:
    face = stdout_face(no_color=parsed.no_color)
    if parsed.format == "json":
        known = {name: value for name, value in data.items() if value is not None}
        face.lines([plain_json(msgspec.json.encode(known))])
    else:
        face.lines(lines)
