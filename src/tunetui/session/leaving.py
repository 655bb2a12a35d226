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
    hint = "\n".join(filter(None, [error.hint, how_to_come_back(run, hosts)]))
    left = TunetuiError(error.message, hint=hint)
    left.exit_code = error.exit_code
    return left
