"""What a test leaves behind fails that test: processes that it began, and asyncio's pipes and sockets of a loop that is gone.

Without this the collector finds them later, in the middle of a test that has done nothing wrong.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import Counter
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

_DYING_SECONDS = 60.0
"""A process that was told to end, and is not waited for, is gone by then; one that was forgotten is not."""
_THREADS = Path("/proc/self/task")
_made: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()


def watch_transports() -> None:
    """From here on every transport is known."""
    begin = asyncio.BaseTransport.__init__

    def begin_known(self: asyncio.BaseTransport, extra: Any = None) -> None:
        begin(self, extra)
        _made.add(self)

    asyncio.BaseTransport.__init__ = begin_known  # type: ignore[method-assign]


def children() -> dict[int, str]:
    """The processes that this one began and that are at work, with their names; none where there is no /proc."""
    threads = list(_THREADS.iterdir()) if _THREADS.exists() else []
    found = {int(pid) for thread in threads for pid in _read(thread / "children").split()}
    found.discard(resource_tracker._resource_tracker._pid)  # type: ignore[attr-defined]  # which multiprocessing keeps as long as we live
    states = {pid: _read(Path(f"/proc/{pid}/stat")) for pid in found}
    return {
        pid: text[text.index("(") + 1 : text.rindex(")")]
        for pid, text in states.items()
        if text and text.rpartition(")")[2].split()[0] != "Z"
    }


def left_behind(before: dict[int, str]) -> list[str]:
    """What is there now that should not be, in words; ``before``: the `children` that may stay."""
    forgotten = [each for each in list(_made) if _is_forgotten(each)]
    found = [repr(each) for each in forgotten]
    for each in forgotten:
        _bury(each)
    until = time.monotonic() + _DYING_SECONDS
    while (new := _new(before)) and time.monotonic() < until:
        time.sleep(0.01)
    return found + [f"process {pid}: {_read(Path(f'/proc/{pid}/cmdline')).replace(chr(0), ' ')[:200]}" for pid in new]


def _new(before: dict[int, str]) -> list[int]:
    """Processes that were not there, but for those that took the place of another: a server that was started anew."""
    now = children()
    gone = Counter(name for pid, name in before.items() if pid not in now)
    new = []
    for pid, name in now.items():
        if pid in before:
            continue
        if gone[name]:
            gone[name] -= 1
        else:
            new.append(pid)
    return new


def _is_forgotten(transport: Any) -> bool:
    """Whether the collector would complain of it."""
    loop = getattr(transport, "_loop", None)
    if loop is None or not loop.is_closed():
        return False
    is_open = isinstance(transport, asyncio.SubprocessTransport) and not transport._closed  # type: ignore[attr-defined]
    return is_open or any(getattr(transport, held, None) is not None for held in ("_pipe", "_sock"))


def _bury(transport: Any) -> None:
    """It is told once."""
    _made.discard(transport)
    process = getattr(transport, "_proc", None)
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
    for mark in ("_closed", "_closing"):
        if hasattr(transport, mark):
            setattr(transport, mark, True)
    for held in ("_pipe", "_sock"):
        if getattr(transport, held, None) is not None:
            getattr(transport, held).close()
            setattr(transport, held, None)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
