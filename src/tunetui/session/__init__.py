"""The one place that knows plan, engines and store: what the command line and the app call.

Its modules are loaded when something of them is asked for: the way to a host is begun before most of them are there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunetui.session.batch import ResumeSummary, Session
    from tunetui.session.linking import LinkOptions
    from tunetui.session.opening import BatchOptions
    from tunetui.session.preparing import Preparing
    from tunetui.store.leaderboard import read_leaderboard
    from tunetui.store.shipped import shipped_folder

__all__ = ["BatchOptions", "LinkOptions", "Preparing", "ResumeSummary", "Session", "read_leaderboard", "shipped_folder"]

_HOMES = {
    "BatchOptions": "tunetui.session.opening", "LinkOptions": "tunetui.session.linking",
    "Preparing": "tunetui.session.preparing", "ResumeSummary": "tunetui.session.batch",
    "Session": "tunetui.session.batch", "read_leaderboard": "tunetui.store.leaderboard",
    "shipped_folder": "tunetui.store.shipped",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
