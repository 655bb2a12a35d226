"""``tunetui`` without ``--batch``: what the command line and the settings say, handed to the app."""

from __future__ import annotations

import argparse
import os
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.errors import InputError

if TYPE_CHECKING:
    from tunetui.session import BatchOptions
    from tunetui.settings import Settings

_BATCH_ALONE = {"dry_run": "--dry-run", "check": "--check", "format": "--format", "events": "--events"}
_WITH_A_GRID = {
    "overrides": "--set", "fresh": "--fresh", "retry_failed": "--retry-failed", "output": "-o", "build_jobs":
    "--build-jobs", "profile": "--profile", "artifacts": "--artifacts",
}  # fmt: skip


def open_app(parsed: argparse.Namespace) -> int:
    """Open the app; returns the exit code.

    Raises:
        TunetuiError: no terminal, options that do not go together, or a file that cannot be opened.
    """
    _check(parsed)
    if parsed.no_color:
        os.environ["NO_COLOR"] = "1"  # Textual looks at nothing else
    from tunetui.settings import load_settings, settings_path
    from tunetui.tui.loading import load_quickly

    settings = load_settings()
    load_quickly()
    from tunetui.tui.opening import AppOptions, run_app

    options = AppOptions(
        file=parsed.file,
        replay=parsed.replay or "",
        speed=parsed.speed,
        theme=settings.theme.get("name", ""),
        keys=settings.keys,
        theme_folder=settings_path().parent / "themes",
        mouse=not parsed.no_mouse,
        batch=partial(_batch_options, parsed, settings),
        warnings=settings.warnings,
    )
    return run_app(options)


def _batch_options(parsed: argparse.Namespace, settings: Settings) -> BatchOptions:
    """How a grid is measured; made when that is asked for, because it loads most of the program."""
    from tunetui.cli.preparing import link_options
    from tunetui.session import BatchOptions, Preparing

    offline = parsed.offline_wheels
    return BatchOptions(
        grid_path=parsed.file or Path(),
        overrides=parsed.overrides,
        output_stem=parsed.output,
        fresh=parsed.fresh,
        retry_failed=parsed.retry_failed,
        build_jobs=parsed.build_jobs,
        profile=parsed.profile or "",
        artifacts=parsed.artifacts,
        hosts=parsed.hosts,
        usd_per_hour=dict(parsed.usd_per_hour),
        links=link_options(parsed, settings),
        preparing=Preparing(
            settings=settings.hosts,
            offline_wheels=offline is not None,
            wheels_folder=Path(offline).absolute() if offline else None,
        ),
        command=shlex.join(["tunetui", *parsed.argv]),
    )


def _check(parsed: argparse.Namespace) -> None:
    for name, option in _BATCH_ALONE.items():
        if getattr(parsed, name):
            raise InputError(f"{option} goes with --batch", hint="tunetui --batch GRID measures without the app")
    if any(host.startswith("lambda:") for host in parsed.hosts):
        hint = "tunetui lambda launch TYPE, then --host with the name that it prints"
        raise InputError("the app launches no machine that its command line names", hint=hint)
    grid = parsed.file is not None and not parsed.replay
    for name, option in _WITH_A_GRID.items():
        if getattr(parsed, name) and not grid:
            raise InputError("no grid is named", hint=f"{option} goes with one: tunetui GRID or tunetui --batch GRID")
    if parsed.file is not None and parsed.replay:
        raise InputError("one thing at a time", hint="either a file to open or a run to replay")
    if parsed.speed != 1.0 and not parsed.replay:
        raise InputError("--speed goes with --replay")
