"""All groups of a run at work side by side, and what reaches all of them: stop, cancel, leave."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from tunetui.core.errors import TunetuiError
from tunetui.session.hands import DealtElsewhereError
from tunetui.session.seats import Ledger
from tunetui.store.atomic import StoreError
from tunetui_agent.messages import NoticeRaised

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from tunetui.session.catching_up import Alive
    from tunetui.session.crews import Crew
    from tunetui.session.links import Links
    from tunetui.session.recording import Recording
    from tunetui.session.seats import Seat

SYNC_SECONDS = 0.05
_LEAVING_SECONDS = 30.0
_LOOK_SECONDS = 0.05


class Work:
    """The crews of one run."""

    def __init__(self, crews: Sequence[Crew], recording: Recording, links: Links) -> None:
        self.crews = list(crews)
        self._recording, self._links = recording, links
        self._leaving = asyncio.Event()
        self._working: dict[asyncio.Task[None], Crew] = {}
        self._joining: asyncio.Task[None] | None = None

    def seats(self) -> Iterator[Seat]:
        """Every place of every group."""
        for crew in self.crews:
            yield from crew.seats

    def adopt(self, alive: Sequence[Alive]) -> set[str]:
        """Give each agent found at work to the seat of its device; the trials that they have in hand."""
        told = {each.source: {dealt.command: [t.id for t in dealt.trials] for dealt in each.dealt} for each in alive}
        ledger = Ledger(self._recording.journal.recovered.records, told)
        held: set[str] = set()
        for each in alive:
            crew, seat = next(
                ((crew, seat) for crew in self.crews for seat in crew.seats if seat.name == each.device),
                (self.crews[0], self.crews[0].seats[0]),
            )
            crew.adopt(seat, each.source, ledger, closed=each.closed)
            held.update(ledger.held(each.source))
        return held

    @property
    def failed(self) -> str:
        """Why an agent gave up, if one did."""
        return next((seat.agents.failed for seat in self.seats() if seat.agents.failed), "")

    @property
    def left_at(self) -> list[str]:
        """Hosts whose agents were at work when they could no longer be followed."""
        return list(dict.fromkeys(seat.place.host for seat in self.seats() if seat.agents.is_left))

    @property
    def untold(self) -> list[str]:
        """Hosts whose agents have not accepted all that they were told."""
        return list(dict.fromkeys(seat.place.host for seat in self.seats() if seat.agents.undelivered))

    @property
    def is_stopped_by_others(self) -> bool:
        """Whether somebody else ended an agent's run."""
        return any(crew.stopped_by_others for crew in self.crews)

    async def run(self, joining: Coroutine[Any, Any, None], is_over: Callable[[float], bool]) -> bool:
        """Until all is done, nobody is left to do it, or a stop was carried out; False where it was left instead.

        ``joining`` brings those who come later; it ends when nobody else will, and is ended by a stop.  ``is_over`` is asked
        while there is nothing to do and somebody may come, with the seconds that it has been so: whether to end.

        Raises:
            TunetuiError: no group could work, or nothing more can be kept.
        """
        syncing = asyncio.create_task(self._sync_often())
        leaving = asyncio.create_task(self._leaving.wait())
        self._joining = asyncio.create_task(joining)
        for crew in self.crews:
            self.put_to_work(crew)
        try:
            return await self._wait(self._joining, leaving, is_over)
        finally:
            tasks = [*self._working, self._joining, syncing, leaving]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def put_to_work(self, crew: Crew) -> None:
        """A crew that came later, or has more to do: it may have been through with what it had."""
        if crew not in self.crews:
            self.crews.append(crew)
        if not any(other is crew and not task.done() for task, other in self._working.items()):
            self._working[asyncio.create_task(crew.run())] = crew

    def stop(self) -> None:
        """Have every agent end after its present trial."""
        self._expect_nobody()
        for crew in self.crews:
            crew.stop()
        for seat in self.seats():
            seat.agents.stop()
        self._links.end_is_wished()

    def cancel(self) -> None:
        """Have every agent end at once."""
        self._expect_nobody()
        for crew in self.crews:
            crew.stop()
        for seat in self.seats():
            seat.agents.cancel()
        self._links.end_is_wished()

    def leave(self) -> None:
        """Have `run` return soon; the agents go on."""
        self._leaving.set()

    # ------------------------------------------------------------------ details

    def _expect_nobody(self) -> None:
        if self._joining is not None:
            self._joining.cancel()

    async def _wait(
        self, joining: asyncio.Task[None], leaving: asyncio.Task[bool], is_over: Callable[[float], bool]
    ) -> bool:
        errors: dict[int, TunetuiError] = {}  # by crew; one that was put to work again has another chance
        busy = time.monotonic()  # until then
        while self._working or not joining.done():
            if not self._working and is_over(time.monotonic() - busy):
                self._expect_nobody()
            watched = [*self._working, leaving, *([] if joining.done() else [joining])]
            patience = None if self._working else _LOOK_SECONDS
            await asyncio.wait(watched, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            busy = time.monotonic() if self._working else busy
            for task in [task for task in self._working if task.done()]:
                crew = id(self._working.pop(task))
                errors.pop(crew, None)
                if (error := self._error_of(task)) is not None:
                    errors[crew] = error
            if joining.done() and not joining.cancelled():
                joining.result()
            if leaving.done() and (self._working or not joining.done()):
                self._expect_nobody()
                await self._deliver()
                return False
        if errors and len(errors) == len(self.crews):
            raise next(iter(errors.values()))
        for lost in errors.values():
            self._recording.say(NoticeRaised(code="group-lost", text=f"a part of the run was left out: {lost.message}"))
        return True

    @staticmethod
    def _error_of(task: asyncio.Task[None]) -> TunetuiError | None:
        try:
            task.result()
        except (StoreError, DealtElsewhereError):
            raise
        except TunetuiError as error:
            return error
        return None

    async def _deliver(self) -> None:
        """Wait until every agent is there and knows all that it has to; not for ever where a link is down."""
        try:
            async with asyncio.timeout(_LEAVING_SECONDS):
                await self._delivered()
                for crew in self.crews:
                    crew.leave()
                await self._delivered()
        except TimeoutError:
            late = sorted({seat.place.host for seat in self.seats() if seat.agents.undelivered})
            text = (
                f"left before everything had reached {', '.join(late) or 'every host'}: attach again to send the rest"
            )
            self._recording.say(NoticeRaised(code="left-early", text=text))

    async def _delivered(self) -> None:
        while not all(crew.is_delivered for crew in self.crews):  # noqa: ASYNC110 - outboxes are not worth an event
            await asyncio.sleep(_LOOK_SECONDS)

    async def _sync_often(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            self._recording.journal.sync()
