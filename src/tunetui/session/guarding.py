"""Ends a rented machine that has had no work for so long: watched from here, where the key to the account is.

Nothing on the machine itself could do it: only a call with the account's key ends the billing (shutting down does not), every key may do
everything, and so none is sent to a machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.core.labels import one_line
from tunetui.engines.channel import ask_json
from tunetui.hosts.lambda_cloud.refusals import LambdaError
from tunetui.session.linking import open_link
from tunetui.session.rented_work import at_work

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui.core.asking import Asker
    from tunetui.hosts.lambda_cloud.account import Account
    from tunetui.hosts.lambda_cloud.ledger import Entry
    from tunetui.session.linking import LinkOptions

LOOK_EVERY_SECONDS = 60.0
_SECONDS_PER_MINUTE = 60.0


async def end_when_idle(
    account: Account,
    name: str,
    minutes: float,
    say: Callable[[str], None],
    *,
    links: LinkOptions | None = None,
    asker: Asker | None = None,
) -> Entry:
    """Come back when the machine is gone, by us or by others.

    A run counts as work while the machine's agent says that it is running; where the machine does not answer, while the
    journals here do not know its end.  What is done there without tunetui does not count.

    Raises:
        LambdaError: the account refuses; an end that could not be confirmed is tried again.
    """
    clock = account.clock
    idle_since = clock.now()
    while True:
        work = at_work(name)
        if work is None:
            return account.ledger.entries()[name]
        busy = await _busy(name, say, links, asker)
        if busy if busy is not None else bool(work.runs):
            idle_since = clock.now()
        idle_seconds = clock.now() - max(idle_since, work.idle_since or 0.0)
        if idle_seconds >= minutes * _SECONDS_PER_MINUTE:
            say(f"{name} has had no work for {idle_seconds / _SECONDS_PER_MINUTE:.0f} min: terminating it")
            try:
                return await account.terminate(name, say)
            except LambdaError as error:
                if not error.passes:
                    raise
                say(error.message)
        await clock.sleep(LOOK_EVERY_SECONDS)


async def _busy(name: str, say: Callable[[str], None], links: LinkOptions | None, asker: Asker | None) -> bool | None:
    """Whether an agent there says that a run is at work; None where the machine does not answer."""
    try:
        link = await open_link(name, links, asker)
        try:
            answer = await ask_json(link, ["list"])
        finally:
            await link.close()
    except TunetuiError as error:
        say(f"{name} was not asked: {one_line(error.message)}")
        return None
    rows = answer.get("runs")
    return any(isinstance(row, dict) and row.get("state") == "running" for row in rows or [])
