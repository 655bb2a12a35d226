"""Winners measured again: found in a leaderboard or behind an exported file, each in a small run of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tunetui.core.errors import ExitCode, InputError, TunetuiError
from tunetui.core.leaderboard import SUFFIXES
from tunetui.core.publishing import build_leaderboard
from tunetui.core.verifying import Winner, grid_of, together, winners_of
from tunetui.session.batch import Session
from tunetui.session.library import find_journal, read_run
from tunetui.store.definitions import KERNEL_FILE, load_definitions, read_text, shipped_kernels
from tunetui.store.leaderboard import read_leaderboard, write_leaderboard
from tunetui.store.toml_writing import dumps

if TYPE_CHECKING:
    from tunetui.core.leaderboard import Board, Entry, Leaderboard
    from tunetui.session.opening import BatchOptions

_RUN = re.compile(r"\brun ([A-Za-z0-9_.-]+-[0-9a-f]{8})\b")
_TRIAL = re.compile(r"\btrial ([0-9a-f]{16}(?:@[0-9a-f]+)?)")

Measure = Callable[[Session], Awaitable[None]]
"""Has a session run, shown to the user."""


class OtherKernelError(TunetuiError):
    """The kernel here does not have what won."""

    exit_code = ExitCode.OTHER_KERNEL


class NotMeasurableError(TunetuiError):
    """What won cannot be measured here at all."""

    exit_code = ExitCode.NOTHING_MEASURED


def read_winners(path: Path, trial: str = "", place: int | None = None) -> tuple[Leaderboard, list[Winner]]:
    """The winners that a file names: a leaderboard's own, or those of an exported file, out of the run that it names.

    Raises:
        InputError: the file names none, or the run behind an exported file is not kept here.
    """
    if path.suffix in SUFFIXES and not _is_export(path):
        leaderboard = read_leaderboard(path)
        return leaderboard, winners_of(leaderboard, trial, place)
    text = read_text(path)
    run, trials, wise = _RUN.search(text), list(dict.fromkeys(_TRIAL.findall(text))), _wisdom(text)
    if run is None or not (trials or wise):
        raise InputError(
            f"{path}: neither a leaderboard nor a winner that tunetui exported",
            hint="a leaderboard is called STEM.leaderboard.toml or .json; exported files name their run and trials",
        )
    try:
        leaderboard = build_leaderboard(read_run(find_journal(run[1])))
    except InputError as error:
        raise InputError(
            f"{path}: its samples are not in it, and run {run[1]} is not kept here",
            hint="verify the leaderboard that it was exported from",
        ) from error
    trials += [row.trial for board in leaderboard.boards for row in board.rows if _is_told_by(wise, board, row)]
    wanted = [each for each in trials if each.startswith(trial)]
    if not wanted:
        raise InputError(f"{path}: there is no trial {trial!r}", hint=f"it has {', '.join(trials) or 'none'}")
    return leaderboard, [winner for each in wanted for winner in winners_of(leaderboard, each, place)]


def _wisdom(text: str) -> list[tuple[dict[str, Any], list[Any], float]]:
    """Settings, problem and milliseconds of every line of wisdom, which names no trials."""
    names: list[str] = []
    found = []
    for line in text.splitlines():
        try:
            told = json.loads(line) if line.startswith("{") else None
        except ValueError:
            continue
        if isinstance(told, dict):
            names = told.get("tunable_parameters", names)
            config, problem, time_ms = told.get("config"), told.get("problem_size"), told.get("time")
            if isinstance(config, list) and isinstance(problem, list) and isinstance(time_ms, int | float):
                told = {str(name): value for name, value in zip(names, config, strict=False) if value is not None}
                found.append((told, problem, float(time_ms)))
    return found


def _is_told_by(wise: Iterable[tuple[dict[str, Any], list[Any], float]], board: Board, row: Entry) -> bool:
    latency = row.latency_ms
    return latency is not None and any(
        row.configuration == settings
        and set(problem) <= set(board.problem.values())
        and abs(time_ms - latency.median) <= 1e-5
        for settings, problem, time_ms in wise
    )


def kernel_of(leaderboard: Leaderboard, path: Path, named: Path | None) -> str:
    """The kernel's folder, or the name of one that ships: as ``named``, as the grid had it, beside the file, or here.

    Raises:
        InputError: it is nowhere.
    """
    if named is not None:
        return str(named.absolute())
    asked = str(leaderboard.run.grid.get("kernel", leaderboard.kernel.name))
    if asked in shipped_kernels():
        return asked
    for base in (path.absolute().parent, Path.cwd()):
        if (base / asked / KERNEL_FILE).is_file():
            return str((base / asked).resolve())
    raise InputError(f"the kernel {asked!r} is not found from here", hint="--kernel FOLDER names it")


async def measure_again(
    leaderboard: Leaderboard,
    winners: Sequence[Winner],
    kernel: str,
    options: BatchOptions,
    measure: Measure,
) -> Leaderboard:
    """A small leaderboard of the same rows, saved as ``options`` say; every winner has a run of its own.

    Raises:
        OtherKernelError: the kernel here has no such implementation, axis, value or problem.
        NotMeasurableError: no device here takes it.
        TunetuiError: as `Session.open` and `Session.run`.
    """
    parts = []
    with TemporaryDirectory(prefix="tunetui-verify-") as folder:
        for number, winner in enumerate(winners):
            path = Path(folder) / f"verify-{number}.toml"
            path.write_text(dumps(grid_of(leaderboard, winner, kernel)), encoding="utf-8")
            _check(path, kernel)
            stem = options.stem.with_name(f"{options.stem.name}-{number + 1}")
            parts.append(await _one(replace(options, grid_path=path, output_stem=stem, fresh=True), measure))
            if parts[-1].run.ended == "interrupted":
                break
    merged = together(parts)
    write_leaderboard(merged, options.stem)
    return merged


async def _one(options: BatchOptions, measure: Measure) -> Leaderboard:
    try:
        session = await Session.open(options)
    except InputError as error:
        raise NotMeasurableError(f"it cannot be measured here: {error.message}", hint=error.hint) from None
    try:
        await measure(session)
        return session.leaderboard()
    finally:
        session.close()
        await session.disconnect()


def _check(path: Path, kernel: str) -> None:
    try:
        load_definitions(path)
    except InputError as error:
        words = error.message.replace(str(path), "the winner")
        raise OtherKernelError(f"the kernel {kernel} is not the one that won:\n{words}", hint=error.hint) from None


def _is_export(path: Path) -> bool:
    """Whether a JSON or TOML file is one that was exported for another program, and no leaderboard."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return False  # whoever reads it next says why
    return b"schema_version" not in head and _RUN.search(head.decode(errors="replace")) is not None
