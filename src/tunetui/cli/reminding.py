"""At the end of a command, a line for every rented machine that costs and has no work, or none that is heard of."""

from __future__ import annotations

import os
import time

IDLE_MINUTES, SILENT_MINUTES = 10.0, 60.0
_SECONDS_PER_MINUTE = 60.0


def remind() -> None:
    """Say it on stderr.  Where nothing is rented, which is the rule, this looks at one file and loads nothing."""
    if _is_anything_rented():
        from tunetui.cli.narration import stderr_face
        from tunetui.core.errors import TunetuiError

        try:
            stderr_face().lines(reminders(time.time()))
        except TunetuiError as error:
            stderr_face().lines([f"reminder    {error.message}"])


def reminders(now: float) -> list[str]:
    """The lines.  Raises LedgerError."""
    from tunetui.cli.narration import literal
    from tunetui.cli.renting import cost, price
    from tunetui.session.rented_work import unattended

    lines = []
    for work in unattended(now, idle_minutes=IDLE_MINUTES, silent_minutes=SILENT_MINUTES):
        name, money = literal(work.entry.name), f"{price(work.entry)} an hour, {cost(work.entry)} so far"
        if work.idle_since is not None:
            state, what_to_do = (
                f"has had no work for {lasting(now - work.idle_since)}",
                f"tunetui lambda terminate {name}",
            )
        else:
            run = literal(work.runs[0])
            state = f"was last heard of {lasting(now - work.heard_at)} ago, with {run} at work"
            what_to_do = f"tunetui attach {run}   follows it to its end, or tunetui runs {name}"
        lines += [f"reminder    {name} {state}; it costs {money}", f"            {what_to_do}"]
    return lines


def lasting(seconds: float) -> str:
    """``43 min``, ``5 h``."""
    minutes = seconds / _SECONDS_PER_MINUTE
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _is_anything_rented() -> bool:
    """Whether the file beside the ledger (`tunetui.settings.rented_hosts_path`) names a machine."""
    home = os.environ.get("XDG_DATA_HOME", "")
    base = home if home.startswith("/") else os.path.join(os.path.expanduser("~"), ".local", "share")  # noqa: PTH111, PTH118
    try:
        return os.stat(os.path.join(base, "tunetui", "lambda", "hosts.toml")).st_size > 0  # noqa: PTH116, PTH118
    except OSError:
        return False
