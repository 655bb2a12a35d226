"""What is remembered of links while they are lost and tried again."""

from __future__ import annotations

from typing import Any, cast

from tunetui.core.links import LinkPhase, LinkState
from tunetui.session.links import Links
from tunetui.session.recording import Recording


class Journal:
    """Keeps the notices that a run's journal would."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, event: Any) -> None:
        self.said.append(event.text)


def test_an_outage_is_one_state_from_its_beginning_however_often_it_is_tried_again() -> None:
    links, journal = Links(), Journal()
    links.told_to(cast(Recording, journal))

    def tell(state: LinkPhase, since: float, text: str = "") -> LinkState:
        links.tell(LinkState(host="box", state=state, since=since, text=text))
        return links.states["box"]

    assert tell("ready", 100.0).since == 100.0
    assert tell("lost", 110.0).since == 110.0
    assert tell("lost", 112.0, "nothing listens") == LinkState("box", "lost", 110.0, "nothing listens")
    assert tell("lost", 115.0) == LinkState("box", "lost", 110.0, "nothing listens")
    assert tell("ready", 130.0).since == 130.0
    assert tell("lost", 140.0).since == 140.0
    assert journal.said == [
        "the link to box is lost; the run goes on there",
        "the link to box is back after 20 s",
        "the link to box is lost; the run goes on there",
    ]


def test_what_a_host_is_waited_for_is_shown_until_it_answers_and_is_no_state_of_its_link() -> None:
    links = Links()
    told: list[tuple[str, str]] = []
    links.on_wait = lambda host, words: told.append((host, words))
    links.tell(LinkState("box", "ready", 100.0))
    links.tell(LinkState("den", "ready", 100.0))
    links.wait("box", "list its runs")
    assert {host: state.asked for host, state in links.shown.items()} == {"box": "list its runs", "den": ""}
    links.tell(LinkState("box", "lost", 110.0))
    links.wait("box", "")
    assert links.shown["box"] == LinkState("box", "lost", 110.0)
    assert told == [("box", "list its runs"), ("box", "")]
