"""What is said to somebody who leaves a run behind: that it goes on, where, and how to come back to it or end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError

if TYPE_CHECKING:
    from collections.abc import Sequence


def how_to_come_back(run: str, hosts: Sequence[str]) -> str:
    """One sentence with both commands."""
    return f"the run goes on on {', '.join(hosts)}: tunetui attach {run} takes it up again, tunetui stop {run} ends it"


def left_behind(error: TunetuiError, run: str, hosts: Sequence[str]) -> TunetuiError:
    """The error that made us leave, with what became of the run."""
    return _with(error, how_to_come_back(run, hosts))


def not_told(error: TunetuiError, run: str) -> TunetuiError:
    """The error for which nobody could be told that a run is to end."""
    return _with(error, f"nobody was told: {run} goes on; the same command ends it when its host answers")


def _with(error: TunetuiError, more: str) -> TunetuiError:
    told = TunetuiError(error.message, hint="\n".join(filter(None, [error.hint, more])))
    told.exit_code = error.exit_code
    return told
