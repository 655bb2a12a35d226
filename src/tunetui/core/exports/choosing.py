"""Which part of a leaderboard is exported, and the words that say where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.core.errors import InputError
from tunetui.core.labels import assignments, latency_ms, one_line
from tunetui.core.leaderboard import Board, DevicePart, Entry, Leaderboard
from tunetui.core.snapshot import MEASURED
from tunetui_agent.messages import Value

_NS_PER_MS = 1e6
_HASH_DIGITS = 12


def one_board(leaderboard: Leaderboard, asked: int | None) -> Board:
    """The board of this number (from 1), or the only one.

    Raises:
        InputError: there are several and none was asked for, or none of that number; the hint lists them.
    """
    boards = leaderboard.boards
    if asked is None and len(boards) == 1:
        return boards[0]
    if asked is not None and 1 <= asked <= len(boards):
        return boards[asked - 1]
    listed = "\n".join(boards_listed(leaderboard))
    if asked is not None:
        raise InputError(f"there is no board {asked}", hint=listed or "the leaderboard has none")
    many = f"this leaderboard has {len(boards)} boards, and the format holds one" if boards else "nothing was measured"
    raise InputError(many, hint=listed)


def boards_listed(leaderboard: Leaderboard) -> list[str]:
    """What can be asked for: ``--board 1: n=7 NVIDIA H200``, a line each."""
    return [
        f"--board {place}: {' '.join(assignments(board.problem))} {one_line(device_name(leaderboard, board))}"
        for place, board in enumerate(leaderboard.boards, start=1)
    ]


def one_implementation(leaderboard: Leaderboard, boards: Sequence[Board], asked: str | None, language: str = "") -> str:
    """The implementation that is exported: the asked one, else the fastest in ``language``, else the fastest.

    Raises:
        InputError: it has no measured row in these boards, or nothing was measured.
    """
    rows = [row for board in boards for row in measured(board)]
    known = list(dict.fromkeys(row.implementation for row in rows))
    if asked is not None:
        if asked not in known:
            raise InputError(f"nothing was measured of {asked!r}", hint=f"there is: {', '.join(map(one_line, known))}")
        return asked
    if not known:
        raise InputError("nothing was measured, so there is nothing to export")
    own = [row for row in rows if row.configuration] or rows  # a library without axes has nothing to be set
    spoken = [row for row in own if language_of(leaderboard, row) == language]
    return (spoken or own)[0].implementation


def measured(board: Board) -> list[Entry]:
    """Measured rows, fastest first."""
    rows = [row for row in board.rows if row.status == MEASURED and row.latency_ms is not None]
    return sorted(rows, key=lambda row: (row.latency_ms.median if row.latency_ms else 0.0, row.trial))


def best_of(board: Board, implementation: str) -> Entry | None:
    """The fastest row of an implementation."""
    return next((row for row in measured(board) if row.implementation == implementation), None)


def language_of(leaderboard: Leaderboard, row: Entry) -> str:
    """The language that a row's implementation is written in; empty where it is not recorded."""
    return str(leaderboard.provenances.get(row.provenance, {}).get("language", ""))


def device_of(leaderboard: Leaderboard, board: Board) -> DevicePart | None:
    """What a board was measured on."""
    return next((device for device in leaderboard.devices if device.id == board.device), None)


def device_name(leaderboard: Leaderboard, board: Board) -> str:
    """The name of what a board was measured on."""
    device = device_of(leaderboard, board)
    return device.name if device is not None else board.device


def provenance_lines(leaderboard: Leaderboard, boards: Sequence[Board]) -> list[str]:
    """Where the figures come from, one fact a line, without line ends or anything a terminal obeys."""
    run = leaderboard.run
    lines = [
        f"Measured by {leaderboard.generator}; run {run.id} ({run.name}), {run.started} to {run.finished}, {run.ended}",
        f"kernel {leaderboard.kernel.name}",
    ]
    for device in {device.id: device for board in boards if (device := device_of(leaderboard, board))}.values():
        driver = f", driver {device.driver}" if device.driver else ""
        lines.append(f"device {device.name} ({device.id}){driver}; {device.platform}")
        lines += [f"compiler {language}: {version}" for language, version in sorted(device.compilers.items())]
    lines += [
        f"source {name}: sha256 {h[:_HASH_DIGITS]}" for name, h in sorted(leaderboard.kernel.source_hashes.items())
    ]
    settings = leaderboard.method.settings
    said = [
        f"{name}={settings[name]}" for name in ("cache", "precision_percent", "confidence_percent") if name in settings
    ]
    lines.append(f"method {' '.join(said)}; {leaderboard.method.interval}")
    return [one_line(line) for line in lines]


def provenance_of_row(leaderboard: Leaderboard, board: Board, row: Entry) -> dict[str, Value]:
    """Where a row's figures come from, as columns of a table that has no comments."""
    device = next((each for each in leaderboard.devices if each.id == (row.device or board.device)), None)
    fields = leaderboard.provenances.get(row.provenance, {})
    found = {
        "device_name": device.name if device else "", "driver": device.driver if device else "",
        "language": str(fields.get("language", "")), "compiler": str(fields.get("compiler", "")),
        "kernel_source": str(fields.get("kernel_source", "")), "provenance": row.provenance,
        "measured_at": row.measured_at, "generator": leaderboard.generator, "run_id": leaderboard.run.id,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def row_words(board: Board, row: Entry) -> str:
    """A row with its problem, median, interval and trial, in one line."""
    found = row.latency_ms
    figure = "n/a"
    if found is not None:
        low, high = found.ci_low, found.ci_high
        figure = latency_ms(
            found.median * _NS_PER_MS,
            None if low is None else low * _NS_PER_MS,
            None if high is None else high * _NS_PER_MS,
        )
    problem = " ".join(assignments(board.problem))
    return one_line(f"{problem}: {figure}, n={found.n if found else 0}, trial {row.trial}, provenance {row.provenance}")
