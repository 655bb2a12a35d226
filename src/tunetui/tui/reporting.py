"""Where the app keeps what a user may want after it is gone: reports of its own failures, and what was copied."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import datetime
from pathlib import Path

import tunetui


def state_folder() -> Path:
    """``$XDG_STATE_HOME/tunetui``, else ``~/.local/state/tunetui``; a relative XDG_STATE_HOME is ignored."""
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "state") / "tunetui"


def write_report(error: BaseException, folder: Path | None = None) -> Path | None:
    """Write down a failure of the app itself: the call stack, without any value of a variable.

    Returns:
        The file; None where it cannot be written, which must not be a failure of its own.
    """
    now = datetime.now().astimezone()
    text = "".join(traceback.format_exception(error))
    head = f"tunetui {tunetui.__version__}, Python {sys.version.split()[0]}, {sys.platform}, {now.isoformat(' ', 'seconds')}\n\n"
    file = (folder or state_folder()) / f"report-{now.strftime('%Y%m%d-%H%M%S-%f')}.txt"
    return file if _write_private(file, head + text) else None


def keep_copy(text: str, folder: Path | None = None) -> Path | None:
    """Keep what was copied in a file too: not every terminal takes OSC 52.  None where that cannot be written."""
    file = (folder or state_folder()) / "copied.txt"
    return file if _write_private(file, text + "\n") else None


def _write_private(file: Path, text: str) -> bool:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as opened:
            opened.write(text)
    except OSError:
        return False
    return True
