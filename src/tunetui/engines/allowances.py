"""How long a host may say nothing to each command of ours, what is said while that lasts, and when it has been too long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunetui.core.errors import AwayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    OnWait = Callable[[str, str], None]
    """Told of a host and of what it is waited for, in words, once that lasts; of no words when it is over."""

TOLD_AFTER_SECONDS = 1.0
ALONE_SECONDS = 600
"""A command that may be asked again lives no longer on its host: where it hangs and we are gone nobody else would end it."""


@dataclass(frozen=True)
class Allowance:
    """What a command may take; a silence is counted anew with whatever the host says or takes of what it is sent."""

    words: str  # what the host was asked to do
    silent_seconds: float
    again: bool = False  # to ask once more does no harm: it changes nothing, or what it changes is the same

    @property
    def alone_seconds(self) -> int:
        """How long it may live on a host; 0: without end."""
        return ALONE_SECONDS if self.again else 0


ALLOWANCES = {
    "list": Allowance("list its runs", 20.0, again=True),
    "recount": Allowance("tell what it keeps of a run", 30.0, again=True),
    "stop": Allowance("end a run", 20.0, again=True),
    "start": Allowance("start an agent", 60.0, again=True),  # a device is waited for whose worker still leaves it
    "probe": Allowance("say what it can measure with", 120.0, again=True),  # drivers of many GPUs wake up slowly
    "environment": Allowance(
        "look for a Python that can measure", 300.0
    ),  # every candidate is tried, 30 s at most each
    "doctor": Allowance("examine itself", 600.0),  # so long may its parts take, one after the other
    "unpack": Allowance("take in what was built", 120.0),
    "gc": Allowance("clear old runs away", 300.0),
    "attach": Allowance("show what an agent wrote", 20.0),
}
"""By the agent's command.  What lasts minutes (building, making an environment) is no question: it tells how far it is."""
_ANY = Allowance("carry out a command", 120.0)


def allowance(arguments: Sequence[str]) -> Allowance:
    """Of an agent command."""
    return ALLOWANCES.get(arguments[0], _ANY)


class SilentError(AwayError, TimeoutError):
    """A host that is reached, where a command hangs; a `TimeoutError`, so that whoever follows a run attaches again."""

    def __init__(self, host: str, words: str, seconds: float, *, twice: bool = False) -> None:
        times = ", twice," if twice else ""
        super().__init__(
            f"{host} said nothing for {seconds:g} s{times} when it was asked to {words}",
            hint="it is reached, so something there hangs: a file system that does not answer, a process table that is full?\n"
            "what was asked of it has been given up; agents at work there go on",
        )

    def __str__(self) -> str:
        return self.message


class Wait:
    """Says what a host is waited for once that lasts, and that it is over."""

    def __init__(self, host: str, words: str, on_wait: OnWait) -> None:
        self._host, self._words, self._on_wait = host, words, on_wait
        self._is_told = False

    def __enter__(self) -> Self:
        self._timer = asyncio.get_running_loop().call_later(TOLD_AFTER_SECONDS, self._say, self._words)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._is_told:
            self._on_wait(self._host, "")

    def again(self) -> None:
        """It is asked once more."""
        self._timer.cancel()
        self._say(f"{self._words}, for the second time")

    def _say(self, words: str) -> None:
        self._is_told = True
        self._on_wait(self._host, words)
