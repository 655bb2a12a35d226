"""How the link to each host is, and the notices that a run's journal keeps of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from tunetui.core.links import LinkPhase, LinkState
from tunetui.core.routes import LOCAL
from tunetui.engines.allowances import TOLD_AFTER_SECONDS
from tunetui_agent.messages import NoticeRaised

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui.session.recording import Recording
    from tunetui.session.seats import Seat


class Links:
    """The newest state of each host's link; an outage is told once when it begins and once when it is over."""

    def __init__(self) -> None:
        self.states: dict[str, LinkState] = {}
        self._asked: dict[str, tuple[str, float]] = {}  # by host, what it has not answered for a while, and since when
        self.on_wait: Callable[[str, str], None] = lambda *_: None  # told of the same as `wait`
        self._lost_since: dict[str, float] = {}
        self._broken: dict[str, str] = {}  # by host, what is said of a link that broke while it was made; once
        self._begun = False
        self._recording: Recording | None = None
        self._ending = False

    def told_to(self, recording: Recording) -> None:
        """From here on there is a journal to keep notices in."""
        self._recording = recording

    def tell(self, state: LinkState) -> None:
        """A link changed; tried again in vain it is lost since it was lost first, for the reason last heard of."""
        if state.state == "lost" and (began := self._lost_since.get(state.host)) is not None:
            text = state.text or self.states[state.host].text
            self.states[state.host] = replace(state, since=began, text=text)
            return
        if state.state == "connecting":
            self._connecting(state)
            return
        self.states[state.host] = state
        if state.host == LOCAL or self._recording is None:
            return
        if state.state == "lost":
            self._lost_since[state.host] = state.since
            self._say("link-lost", f"the link to {state.host} is lost; the run goes on there")
            self._say_what_waits(state.host)
        elif state.state == "ready" and (since := self._lost_since.pop(state.host, None)) is not None:
            seconds = max(0.0, state.since - since)
            self._say("link-back", f"the link to {state.host} is back after {seconds:.0f} s")

    def wait(self, host: str, words: str) -> None:
        """A host that is reached was asked for what ``words`` say and takes its time; no words: that is over."""
        if words:
            self._asked[host] = words, time.time() - TOLD_AFTER_SECONDS
        else:
            self._asked.pop(host, None)
        self.on_wait(host, words)

    @property
    def shown(self) -> dict[str, LinkState]:
        """The states, with what hosts are waited for."""
        if not self._asked:
            return self.states
        none = ("", 0.0)
        return {
            host: replace(state, asked=asked, asked_at=at)
            for host, state in self.states.items()
            for asked, at in [self._asked.get(host, none)]
        }

    def followed(self, seat: Seat, said: str) -> None:
        """Whoever follows an agent lost it or is attached again."""
        self.host_followed(seat.place.host, said)

    def host_followed(self, host: str, said: str) -> None:
        """The same, of an agent without a seat."""
        before = self.states.get(host)
        state: LinkPhase = "ready" if said == "attached" else "lost"
        if before is None or before.state != state:
            self.tell(LinkState(host=host, state=state, since=time.time(), text=before.text if before else ""))

    def begun(self) -> None:
        """The run begins: what broke on the way to it is told."""
        self._begun = True
        for text in self._broken.values():
            self._say("link-broke", text)

    def dead(self, host: str, why: str) -> None:
        """A host takes no part."""
        self.tell(LinkState(host=host, state="dead", since=time.time(), text=why))

    def away(self, host: str, why: str) -> None:
        """A host takes no part yet: it is tried again."""
        before = self.states.get(host)
        since = before.since if before is not None and before.state == "connecting" else time.time()
        self.states[host] = LinkState(host=host, state="connecting", since=since, text=why)

    def ready(self, host: str) -> None:
        """A host answers."""
        if host not in self.states or self.states[host].state == "connecting":
            self.tell(LinkState(host=host, state="ready", since=time.time()))

    def end_is_wished(self) -> None:
        """Somebody wants the run to end: what a link that is down, or goes down meanwhile, means for that is said."""
        self._ending = True
        for host, state in self.states.items():
            if state.state == "lost" and host != LOCAL:
                self._say_what_waits(host)

    def _connecting(self, state: LinkState) -> None:
        """For the first time, or again; with a text where it broke and is tried once more."""
        if state.text and state.host not in self._broken:
            self._broken[state.host] = state.text
            if self._begun:
                self._say("link-broke", state.text)
        before = self.states.get(state.host)
        if before is not None and before.state == "connecting":
            state = replace(state, since=before.since, text=state.text or before.text)
        self.states[state.host] = state

    def _say_what_waits(self, host: str) -> None:
        if self._ending:
            self._say("wish-waits", f"the link to {host} is down: the run there is told to end when it is back")

    def _say(self, code: str, text: str) -> None:
        if self._recording is not None:
            self._recording.say(NoticeRaised(code=code, text=text))
