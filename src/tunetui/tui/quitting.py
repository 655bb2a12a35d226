"""How the app is left: what becomes of a run at work, then of each machine that was rented; only then is it closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.core.figures import count
from tunetui.tui.screens.keeping import KeepingScreen
from tunetui.tui.screens.leaving import LeavingScreen

if TYPE_CHECKING:
    from tunetui.session.rented_work import AtWork
    from tunetui.tui.app import Cockpit


async def ask_and_quit(cockpit: Cockpit) -> None:
    """Ask and close the app, unless somebody would rather stay; to be awaited in a worker."""
    if any(isinstance(screen, LeavingScreen | KeepingScreen) for screen in cockpit.screen_stack):
        return
    leaving = await _fate_of_run(cockpit)
    if leaving is None:
        return
    if cockpit.rented.is_launching:
        cockpit.tell("a launch is on its way: its answer is waited for", "warning")
        await cockpit.rented.answered()
    to_end = await _machines_to_end(cockpit, leaving)
    if to_end is None:
        return
    cockpit.leaving, cockpit.rented.to_end = leaving, to_end
    cockpit.exit()


async def _fate_of_run(cockpit: Cockpit) -> str | None:
    """How it is left: empty where nothing is at work, None where somebody stays."""
    live = cockpit.live
    if live is None or not live.alive:
        return ""
    if live.shared.follows_only:
        return "leave"  # another tunetui deals it
    counts, plan = live.snapshot.counts, live.snapshot.plan
    progress = f"{count(counts.done)} of {count(counts.total)} done"
    choice = await cockpit.push_screen_wait(
        LeavingScreen(plan.name if plan is not None else "the run", progress, list(live.links))
    )
    return choice if choice in {"leave", "stop"} else None


async def _machines_to_end(cockpit: Cockpit, leaving: str) -> set[str] | None:
    """The names of those to be terminated; None where somebody stays.  One with work that goes on is kept, unasked."""
    live = cockpit.live
    over = live.snapshot.plan.run if live is not None and live.snapshot.plan is not None and leaving != "leave" else ""
    to_end = set()
    for work in _open(cockpit):
        if set(work.runs) - {over}:
            continue
        fate = await cockpit.push_screen_wait(KeepingScreen(work.entry))
        if fate not in {"keep", "terminate"}:
            return None
        if fate == "terminate":
            to_end.add(work.entry.name)
    return to_end


def _open(cockpit: Cockpit) -> list[AtWork]:
    try:
        return cockpit.rented.open(cockpit.live.links if cockpit.live is not None else ())
    except TunetuiError as error:
        cockpit.tell_error(error)
        return []
