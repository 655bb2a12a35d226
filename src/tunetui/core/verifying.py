"""Whether winners still hold where they were measured again: right, as fast as they were, and the same kernel; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tunetui.core.another_run import outlook_of_entry
from tunetui.core.changes import NONE, Change, changes_between
from tunetui.core.compare import FASTER, SAME, SLOWER, ComparedRow, compare, in_words, row_key
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.labels import assignments
from tunetui.core.leaderboard import Board, Entry, Leaderboard, VisitsPart
from tunetui.core.snapshot import MEASURED
from tunetui_agent.messages import Value

HOLDS, WRONG, OTHER_KERNEL, NOT_MEASURED = "holds", "wrong", "other kernel", "not measured"
SLOWER_NOW, UNCERTAIN = "slower", "undecided"

EXIT_CODES = {
    HOLDS: ExitCode.OK, WRONG: ExitCode.WRONG, OTHER_KERNEL: ExitCode.OTHER_KERNEL,
    NOT_MEASURED: ExitCode.NOTHING_MEASURED, SLOWER_NOW: ExitCode.TARGET_MISSED, UNCERTAIN: ExitCode.UNDECIDED,
}  # fmt: skip
_WORST_FIRST = (WRONG, OTHER_KERNEL, NOT_MEASURED, SLOWER_NOW, UNCERTAIN, HOLDS)
_KERNEL_FIELDS = ("kernel_source", "definition", "reference")
_LEAST_REVISIT_PERCENT = 5.0
_OWN_SETTINGS = {"finalists": 0, "energy": "none"}
"""A winner is measured alone, and for its time."""


class Winner(msgspec.Struct, frozen=True, kw_only=True):
    """A row to be measured again, of the board on which it stands."""

    board: Board
    entry: Entry


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """One winner, then and now."""

    problem: dict[str, Value]
    row: str
    """Implementation and configuration in words."""
    outcome: str
    """One of the keys of `EXIT_CODES`."""
    latency: str
    """`SAME`, `FASTER`, `SLOWER` or `UNDECIDED`, as `tunetui compare` has it."""
    reason: str = ""
    then_ms: float | None = None
    now_ms: float | None = None
    repeat_ms: tuple[float, float] | None = None
    """Where the first leaderboard says that another run's median lies; absent where it cannot, or on another device."""
    in_repeat_interval: bool | None = None
    """Whether it does.  The outcome does not depend on it."""
    compared: ComparedRow | None = None
    quality: dict[str, float] = {}
    kernel_changed: list[str] = []
    """Provenance fields of the kernel itself that are not what they were."""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer."""

    kernel: str
    outcome: str
    margin_percent: float
    changes: list[Change]
    winners: list[Verified]
    noise: str = ""
    """What the variation between visits was taken from, where the first leaderboard does not tell its own."""

    @property
    def exit_code(self) -> ExitCode:
        """That of the worst winner."""
        return EXIT_CODES[self.outcome]


def winners_of(leaderboard: Leaderboard, trial: str = "", place: int | None = None) -> list[Winner]:
    """The row that every board says to take, or of one board; or the row of a trial (the beginning of its id is enough).

    Raises:
        InputError: there is none.
    """
    if place is not None and not 1 <= place <= len(leaderboard.boards):
        raise InputError(f"there is no board {place}", hint=f"the leaderboard has {len(leaderboard.boards)}")
    boards = leaderboard.boards if place is None else [leaderboard.boards[place - 1]]
    found = []
    for board in boards:
        measured = [row for row in board.rows if row.status == MEASURED and row.latency_ms is not None]
        if trial:
            found += [Winner(board=board, entry=row) for row in measured if row.trial.startswith(trial)]
            continue
        first = board.judged or (board.winner[0] if board.winner else "")
        found += [Winner(board=board, entry=row) for row in measured if row.trial == first]
    if not found:
        raise InputError(
            f"no measured row of trial {trial!r}" if trial else "this leaderboard has no winner to verify",
            hint="tunetui show FILE --columns rank,trial lists them",
        )
    if trial and len(found) > 1:
        raise InputError(f"several rows begin with {trial!r}", hint=", ".join(each.entry.trial for each in found))
    return found


def grid_of(leaderboard: Leaderboard, winner: Winner, kernel: str) -> dict[str, Any]:
    """A grid, as its file has it, that measures one row again by the same method; ``kernel`` is its folder or name."""
    entry, board = winner.entry, winner.board
    device = next((each.kind for each in leaderboard.devices if each.id == (entry.device or board.device)), "")
    settings = dict(leaderboard.method.settings)
    settings |= _OWN_SETTINGS
    # Second visits tell how far two visits lie apart, without which nothing can be decided.
    settings["revisit_percent"] = max(_LEAST_REVISIT_PERCENT, float(settings.get("revisit_percent", 0.0)))
    grid = leaderboard.run.grid
    targets = {name: text for name, text in grid.get("targets", {}).items() if not name.startswith("reliability_")}
    axes = {axis: [value] for axis, value in entry.configuration.items()}
    return {
        "name": f"verify-{leaderboard.run.name}"[:64],
        "kernel": kernel,
        "implementations": [entry.implementation],
        "baselines": False,
        **({"device": device} if device else {}),
        "axes": {entry.implementation: axes} if axes else {},
        "problem": {name: [value] for name, value in board.problem.items()},
        "method": settings,
        "targets": targets,
    }


def only(leaderboard: Leaderboard, winners: Sequence[Winner]) -> Leaderboard:
    """The leaderboard with these rows alone."""
    chosen: dict[int, tuple[Board, list[Entry]]] = {}
    for winner in winners:
        chosen.setdefault(id(winner.board), (winner.board, []))[1].append(winner.entry)
    boards = [
        msgspec.structs.replace(board, rows=rows, winner=[row.trial for row in rows], judged="", targets=[])
        for board, rows in chosen.values()
    ]
    used = {row.provenance for _, rows in chosen.values() for row in rows}
    provenances = {name: fields for name, fields in leaderboard.provenances.items() if name in used}
    return msgspec.structs.replace(leaderboard, boards=boards, provenances=provenances)


def together(parts: Sequence[Leaderboard]) -> Leaderboard:
    """Several small leaderboards of one kernel, measured one after the other, as one."""
    last = parts[-1]
    devices = {device.id: device for part in parts for device in part.devices}
    run = msgspec.structs.replace(
        last.run,
        started=parts[0].run.started,
        trials_planned=sum(part.run.trials_planned for part in parts),
        trials_measured=sum(part.run.trials_measured for part in parts),
        trials_failed=sum(part.run.trials_failed for part in parts),
    )
    provenances = {name: fields for part in parts for name, fields in part.provenances.items()}
    tried = run.trials_measured + run.trials_failed
    return msgspec.structs.replace(
        last,
        schema_version=max(part.schema_version for part in parts),
        success_rate=run.trials_measured / tried if tried else None,
        run=run,
        devices=list(devices.values()),
        notices=[notice for part in parts for notice in part.notices],
        boards=[board for part in parts for board in part.boards],
        provenances=provenances,
    )


def verify(before: Leaderboard, winners: Sequence[Winner], after: Leaderboard, margin_percent: float) -> Verification:
    """Hold the winners against what was measured again.

    Raises:
        InputError: they have no problem in common.
    """
    then = only(before, winners)
    noise = ""
    if lent := _with_lent_visits(then, after):
        then, noise = lent, "second visits of this verification, for both"
    found = compare(then, after, margin_percent=margin_percent)
    verified = [_verified(then, after, winner, found.boards) for winner in winners]
    outcomes = {each.outcome for each in verified}
    return Verification(
        kernel=before.kernel.name,
        outcome=next(outcome for outcome in _WORST_FIRST if outcome in outcomes),
        margin_percent=margin_percent,
        changes=_that_matter(changes_between(then, after), then, winners),
        winners=verified,
        noise=noise,
    )


def _that_matter(changes: Sequence[Change], then: Leaderboard, winners: Sequence[Winner]) -> list[Change]:
    """Without what a verification does otherwise by itself, and without compilers that no winner needs."""
    provenances = (then.provenances.get(winner.entry.provenance, {}) for winner in winners)
    languages = {str(fields["language"]) for fields in provenances if "language" in fields}
    own = {f"method.{name}" for name in _OWN_SETTINGS}

    def matters(change: Change) -> bool:
        kind, _, language = change.what.partition(" ")
        foreign = (
            kind == "compiler"
            and bool(languages)
            and language not in languages
            and NONE in (change.first, change.second)
        )
        return change.what not in own and not foreign

    return [change for change in changes if matters(change)]


def _with_lent_visits(then: Leaderboard, after: Leaderboard) -> Leaderboard | None:
    """The first with the second's variation between visits where its own is not known; None where nothing is lent."""
    known: dict[str, VisitsPart] = {
        part.implementation: part
        for board in after.boards
        for part in board.visits
        if part.half_width_percent is not None
    }
    boards, is_lent = [], False
    for board in then.boards:
        own = {part.implementation: part for part in board.visits}
        lacking = [
            name for name in {row.implementation for row in board.rows}
            if name in known and (name not in own or own[name].half_width_percent is None)
        ]  # fmt: skip
        is_lent = is_lent or bool(lacking)
        visits = [part for name, part in own.items() if name not in lacking] + [known[name] for name in lacking]
        boards.append(msgspec.structs.replace(board, visits=visits))
    return msgspec.structs.replace(then, boards=boards) if is_lent else None


def _verified(then: Leaderboard, after: Leaderboard, winner: Winner, compared: Sequence[Any]) -> Verified:
    entry, problem = winner.entry, winner.board.problem
    key, fields = row_key(entry), frozenset(problem.items())
    now = next(
        (row for board in after.boards if frozenset(board.problem.items()) == fields for row in board.rows
         if row_key(row) == key), None,
    )  # fmt: skip
    row = next(
        (row for board in compared if frozenset(board.problem.items()) == fields for row in board.rows
         if (row.implementation, frozenset(row.configuration.items())) == key), None,
    )  # fmt: skip
    changed = _kernel_changed(then, after, entry, now)
    outcome, reason = _outcome(now, row, changed)
    now_ms = now.latency_ms.median if now is not None and now.latency_ms else None
    repeat_ms = outlook_of_entry(winner.board, entry).repeat if _same_devices(then, after) else None
    return Verified(
        problem=problem,
        row=in_words(entry),
        outcome=outcome,
        latency=row.verdict if row is not None else "undecided",
        reason=reason,
        then_ms=entry.latency_ms.median if entry.latency_ms else None,
        now_ms=now_ms,
        repeat_ms=repeat_ms,
        in_repeat_interval=None if repeat_ms is None or now_ms is None else repeat_ms[0] <= now_ms <= repeat_ms[1],
        compared=row,
        quality=now.quality if now is not None else {},
        kernel_changed=changed,
    )


def _same_devices(then: Leaderboard, after: Leaderboard) -> bool:
    """Whether it was measured again where it had been, which is what an interval for another run is for."""
    # a GPU's id is its own wherever it is asked for; every host's processor is "cpu"
    ours, theirs = (
        {(part.id, part.name, part.host if part.kind == "cpu" else "") for part in each.devices}
        for each in (then, after)
    )
    return theirs <= ours


def _outcome(now: Entry | None, row: ComparedRow | None, changed: list[str]) -> tuple[str, str]:
    if now is None:
        return NOT_MEASURED, "it was not measured again"
    if now.status == "wrong":
        return WRONG, now.cause
    if changed:
        return OTHER_KERNEL, f"changed since: {', '.join(changed)}"
    if now.status != MEASURED or row is None:
        return NOT_MEASURED, f"{now.status}: {now.cause}" if now.cause else now.status
    if row.verdict in {SAME, FASTER}:
        return HOLDS, ""
    return (SLOWER_NOW, "") if row.verdict == SLOWER else (UNCERTAIN, row.reason)


def _kernel_changed(then: Leaderboard, after: Leaderboard, entry: Entry, now: Entry | None) -> list[str]:
    ours = then.provenances.get(entry.provenance, {})
    theirs = after.provenances.get(now.provenance, {}) if now is not None else {}
    if ours and theirs:
        return [name.replace("_", " ") for name in _KERNEL_FIELDS if ours.get(name) != theirs.get(name)]
    files = then.kernel.source_hashes
    return [name for name, digest in files.items() if after.kernel.source_hashes.get(name) != digest]


def problem_words(problem: dict[str, Value]) -> str:
    """A problem as one line."""
    return " ".join(assignments(problem)) or "the problem without fields"
