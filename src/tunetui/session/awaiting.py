"""Hosts that a run waits for, or only tries again, while it is on: until when, and what is said of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tunetui_agent.messages import NoticeRaised

if TYPE_CHECKING:
    from tunetui.core.snapshot import Run
    from tunetui.session.holding_back import HeldBack
    from tunetui.session.recording import Recording
    from tunetui.session.visiting import Arrival, Visits


class Awaiting:
    """How a session waits for hosts that are not ready when it begins.

    Those that are on their way are waited for; those that do not answer are tried again as long as there is something to do.
    """

    _visits: Visits
    _coming: dict[str, None]  # hosts that take no part yet
    _arriving: list[Arrival]  # to be taken in, or just being taken in
    _held_back: HeldBack
    _recording: Recording

    @property
    def snapshot(self) -> Run:
        raise NotImplementedError

    async def _take_in(self, arrival: Arrival) -> None:
        raise NotImplementedError

    def _share_out(self, reserved: set[str], held: set[str]) -> int:
        raise NotImplementedError

    @property
    def expected(self) -> list[str]:
        """Hosts that are still on their way: each joins the run when it is ready."""
        return list(self._coming)

    async def _receive(self) -> None:
        """Take hosts in as they are ready, until no more will come.  Raises StoreError, DealtElsewhereError."""
        try:
            while not self._visits.are_over:
                async with asyncio.TaskGroup() as taking:
                    while not self._visits.are_over:
                        arrivals = await self._visits.next()
                        self._arriving += arrivals
                        for arrival in arrivals:
                            taking.create_task(self._take_in(arrival))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        await self._visits.close()

    def _is_over(self, idle_seconds: float) -> bool:
        """Nothing has been left to do for so long: whether nobody is waited for.

        What was kept for hosts that do not answer is given to the others in the end.
        """
        if self._visits.are_awaited or self._arriving or not self._visits.hoped_for:
            return False
        if not (hosts := self._held_back.hosts):
            return True
        if idle_seconds >= self._visits.hope.kept_seconds:
            for host in hosts:
                self._give_away(host, "does not answer")
        return False

    def _give_away(self, host: str, why: str) -> None:
        """The others measure what was kept for a host."""
        self._held_back.given_away.add(host)
        self._held_back.tell(host, self._share_out(self._held_back.release(host), set()), why)

    def _say_who_is_missing(self) -> None:
        for host in self.expected:
            left = "; agents of this run may be at work there" if self._held_back.may_be_at_work(host) else ""
            why = "it did not answer" if host in self._visits.hoped_for else "it was not ready"
            self._leave_out(f"{host} took no part: {why} before the run ended or was left{left}")

    def _leave_out(self, text: str) -> None:
        if text not in {notice.text for notice in self.snapshot.notices if notice.t >= (self.snapshot.resumed or 0.0)}:
            self._recording.say(NoticeRaised(code="place-left-out", text=text))
