"""All groups of a run at work side by side, and what reaches all of them: stop, cancel, leave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.session.seats import Ledger
from tunetui.store.atomic import StoreError
from tunetui_agent.messages import NoticeRaised

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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

    def seats(self) -> Iterator[Seat]:
        """Every place of every group."""
        for crew in self.crews:
            yield from crew.seats

    def adopt(self, alive: Sequence[Alive]) -> set[str]:
        """Give each agent found at work to the seat of its device; the trials that they have in hand."""
        ledger = Ledger(self._recording.journal.recovered.records, [each.source for each in alive])
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
    def is_stopped_by_others(self) -> bool:
        """Whether somebody else ended an agent's run."""
        return any(crew.stopped_by_others for crew in self.crews)

    async def run(self) -> bool:
        """Until all is done, nobody is left to do it, or a stop was carried out; False where it was left instead.

        Raises:
            TunetuiError: no group could work, or nothing more can be kept.
        """
        syncing = asyncio.create_task(self._sync_often())
        leaving = asyncio.create_task(self._leaving.wait())
        working = [asyncio.create_task(crew.run()) for crew in self.crews]
        try:
            return await self._wait(working, leaving)
        finally:
            for task in (*working, syncing, leaving):
                task.cancel()
            await asyncio.gather(*working, syncing, leaving, return_exceptions=True)

    def stop(self) -> None:
        """Have every agent end after its present trial."""
        for crew in self.crews:
            crew.stop()
        for seat in self.seats():
            seat.agents.stop()
            self._tell_if_lost(seat)

    def cancel(self) -> None:
        """Have every agent end at once."""
        for crew in self.crews:
            crew.stop()
        for seat in self.seats():
            seat.agents.cancel()
            self._tell_if_lost(seat)

    def leave(self) -> None:
        """Have `run` return soon; the agents go on."""
        self._leaving.set()

    # ------------------------------------------------------------------ details

    async def _wait(self, working: list[asyncio.Task[None]], leaving: asyncio.Task[bool]) -> bool:
        pending: set[asyncio.Task[None]] = set(working)
        errors: list[TunetuiError] = []
        while pending:
            done, _ = await asyncio.wait([*pending, leaving], return_when=asyncio.FIRST_COMPLETED)
            for task in pending & done:
                pending.discard(task)
                errors += self._error_of(task)
            if leaving.done() and pending:
                await self._deliver()
                return False
        if errors and len(errors) == len(working):
            raise errors[0]
        for error in errors:
            self._recording.say(
                NoticeRaised(code="group-lost", text=f"a part of the run was left out: {error.message}")
            )
        return True

    @staticmethod
    def _error_of(task: asyncio.Task[None]) -> list[TunetuiError]:
        try:
            task.result()
        except StoreError:
            raise
        except TunetuiError as error:
            return [error]
        return []

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

    def _tell_if_lost(self, seat: Seat) -> None:
        if seat.agents.is_lost:
            self._links.wish_waits(seat.place.host)
