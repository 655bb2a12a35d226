"""What agents on hosts that take no part may have of a run, from an earlier start: kept for those that may come, or told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.figures import counted
from tunetui.session.resuming import died
from tunetui.session.seats import Ledger
from tunetui_agent.messages import NoticeRaised

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tunetui.session.recording import Recording


class HeldBack:
    """Trials by the host whose agents may have them in hand, or have measured them since they were heard of last."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._by_host: dict[str, set[str]] = {}
        self.given_away: set[str] = set()  # hosts whose trials others measure now

    @property
    def trials(self) -> set[str]:
        """All that nobody else is to measure now."""
        return set().union(*self._by_host.values())

    @property
    def hosts(self) -> list[str]:
        """For whom something is kept."""
        return [host for host, trials in self._by_host.items() if trials]

    def keep_for(self, hosts: Iterable[str], away: Collection[str] = ()) -> None:
        """From here on these hosts may come; of those that do not answer it is said what is kept for them."""
        self._by_host = {host: self._may_have(host) for host in hosts}
        for host in self.hosts:
            if host in away:
                held = _held(len(self._by_host[host]), host)
                self._say("kept-for-host", f"{held}: measured by others only once there is nothing else to do")

    def release(self, host: str) -> set[str]:
        """A host is there, or will not be: what was kept for it."""
        return self._by_host.pop(host, set())

    def tell_of_absent(self, present: Iterable[str], missing: Iterable[str]) -> None:
        """What is measured again because hosts take no part that an earlier start had at work."""
        run, left = self._recording.snapshot, set(missing)
        absent = {placed.host for placed in run.placed.values()} - {*present, *self._by_host}
        for host in sorted(absent):
            self.tell(host, len(self._may_have(host) & left), "takes no part")

    def tell(self, host: str, number: int, why: str) -> None:
        """So many trials are measured by others though an agent may have done, or do, the same."""
        if number:
            self._say("measured-again", f"{_held(number, host)}: measured by others, as {host} {why}")

    def may_be_at_work(self, host: str) -> bool:
        """Whether agents of this run were at work there when they were heard of last."""
        return bool(self._sources(host))

    def _may_have(self, host: str) -> set[str]:
        sources = self._sources(host)
        ledger = Ledger(self._recording.journal.recovered.records, {source: {} for source in sources})
        return {trial for source in sources for trial in ledger.held(source)}

    def _sources(self, host: str) -> list[str]:
        run = self._recording.snapshot
        buried = {notice.text for notice in run.notices}
        return [
            source
            for source, placed in run.placed.items()
            if placed.host == host
            and not (source in run.agents and run.agents[source].ended)
            and died(source) not in buried
        ]

    def _say(self, code: str, text: str) -> None:
        self._recording.say(NoticeRaised(code=code, text=text))


def _held(number: int, host: str) -> str:
    return (
        f"{counted(number, 'trial')} that agents on {host} may have in hand, or have measured since they were heard of"
    )
