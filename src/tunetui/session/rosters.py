"""The seats of one group, and which of them has what in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui.session.dealing import Dealing
    from tunetui.session.places import Group
    from tunetui.session.seats import Ledger, Seat
    from tunetui_agent.messages import Trial


class Roster:
    """What a crew is asked about its seats, and told of them; none of it waits."""

    group: Group
    seats: list[Seat]
    trials: dict[str, Trial]
    dealing: Dealing
    is_alone: bool
    _by_name: dict[str, Seat]

    @property
    def has_work(self) -> bool:
        """Whether there is something to measure, or an agent to be followed."""
        return not self.dealing.is_over or any(seat.adopted for seat in self.seats)

    def adopt(self, seat: Seat, source: str, ledger: Ledger, *, closed: bool) -> None:
        """An agent that an earlier start began is still at work."""
        held, present = ledger.held(source), ledger.present(source)
        seat.adopted, seat.closed, seat.held = source, closed, set(held)
        seat.resend = list(ledger.unheard(source, self.trials, lambda trial: self.group.at(trial, seat.name)))
        known = [trial for trial in held if trial in self.trials]
        self.dealing.hold(seat.name, known, present if present in self.trials else "")

    def extend(self, group: Group, name: str) -> None:
        """The same group, of which one place can measure more: its present agent cannot, and makes room for one that can."""
        self.group = group
        self.trials.update({trial.id: trial for trial in group.plan.trials})
        places = {place.name: place for place in group.places}
        for seat in self.seats:
            seat.group, seat.place = group, places[seat.name]
            self.dealing.hands[seat.name].able = self._ability(seat)
        self._by_name[name].close([], [])

    def seat_with(self, trial: str) -> Seat | None:
        """The seat that has a trial in hand."""
        for name, hand in self.dealing.hands.items():
            if trial in hand.waiting or hand.present == trial:
                return self._by_name[name]
        return None

    def drop(self, trial: str) -> None:
        """Nobody is to measure this one, which no agent has."""
        for hand in self.dealing.hands.values():
            hand.waiting.pop(trial, None)

    def open_seat(self, device: str = "", trial: str = "") -> Seat | None:
        """A seat whose agent can take more: that of ``device`` where it is one, and one that can measure ``trial``."""
        open_ = [
            seat
            for seat in self.seats
            if seat.agents.is_followed
            and (not seat.closed or self.is_alone)
            and (not trial or self.dealing.hands[seat.name].able(trial))
        ]
        return next((seat for seat in open_ if seat.name == device), open_[0] if open_ else None)

    def _ability(self, seat: Seat) -> Callable[[str], bool]:
        able = self.group.able(seat.name)
        return lambda trial: self.trials[trial].implementation in able
