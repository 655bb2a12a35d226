"""When an app under test is at rest: nothing is queued, all is drawn, and what was due soon has been done.

Textual's own waiting takes a process that used little of its processor for a fiftieth of a second for one that has nothing to
do, which on a busy machine is one that was not let to work.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from textual._context import active_app
from textual.app import App

SOON_SECONDS = 0.02
"""Timers that are due before this are waited for: a frame is."""
_LOOK_SECONDS = 0.005
_MOST_CPU_SECONDS, _MOST_SECONDS = 3.0, 300.0
"""An app that never rests is left so when this thread has worked for so long, not when others have."""


async def at_rest(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Takes the place of ``textual._wait.wait_for_idle``."""
    loop: Any = asyncio.get_running_loop()
    app = active_app.get(None)
    soon, most_cpu, end = (
        loop.time() + SOON_SECONDS,
        time.thread_time() + _MOST_CPU_SECONDS,
        time.monotonic() + _MOST_SECONDS,
    )
    while time.thread_time() < most_cpu and time.monotonic() < end:
        await asyncio.sleep(0)
        if loop._ready or _draws(app):
            continue
        due = [handle.when() for handle in loop._scheduled if not handle.cancelled() and handle.when() <= soon]
        if due:
            await asyncio.sleep(max(0.0, min(due) - loop.time()))
        elif _holds_back(app):
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return


def _draws(app: App[Any] | None) -> bool:
    """Whether something waited to be laid out or drawn, which is begun now."""
    if app is None or not app._running or not app.screen_stack:
        return False
    screen = app.screen
    waits = (
        screen._layout_required, screen._scroll_required, screen._repaint_required, screen._recompose_required,
        bool(screen._dirty_widgets), bool(screen._callbacks),
    )  # fmt: skip
    if not screen.is_current or not (screen._callbacks if app._batch_count else any(waits)):
        return False
    screen._on_timer_update()
    return True


def _holds_back(app: App[Any] | None) -> bool:
    """Whether a screen is still to be shown: a new one is held back until it is laid out."""
    if app is None or not app._running or not app.screen_stack:
        return False
    return bool(app._batch_count) or not getattr(app.screen, "_was_seen", True)
