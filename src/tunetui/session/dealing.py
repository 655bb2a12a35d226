"""Which device of a group measures which trials: dealt at the start, moved from the slow to the idle; performs no I/O.

Every device holds its own queue, so that a link that drops idles nobody.  A trial is in one hand at a time: what waits
at a slow device goes to an idle one only after the slow one's agent has said, in its journal, that it gave it back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tunetui_agent.messages import TrialFailed, TrialMeasured, TrialsRequeued, TrialsSkipped, TrialStarted

STAGES_HELD = frozenset({"sweep", "remeasured"})
"""Stages of trials that a device holds because it was given them: not the agent's own looks and races."""
LOW_WATER = 3
"""Trials that wait at a device when it is given more: enough to build ahead of it while they are on their way."""


@dataclass
class Hand:
    """What one device has to do."""

    waiting: dict[str, None] = field(default_factory=dict)  # ids in the order of measuring, none begun
    present: str = ""  # begun, without an outcome
    able: Callable[[str], bool] = lambda _: True  # whether it can measure a trial
    gone: bool = False  # gets nothing any more
    asked: str = ""  # command of a withdrawal that was not answered yet
    taker: str = ""  # who gets what is given back
    seconds: float = 0.0  # of measuring
    finished: int = 0

    @property
    def has_work(self) -> bool:
        return bool(self.waiting or self.present)


@dataclass(frozen=True)
class Withdrawal:
    """Ask ``giver`` to give these back; they are then for ``taker``."""

    giver: str
    taker: str
    trials: list[str]


class Dealing:
    """The hands of one group, by the name of their device."""

    def __init__(self, hands: Mapping[str, Callable[[str], bool]]) -> None:
        """``hands`` is device to whether it can measure a trial, by its id."""
        self.hands = {name: Hand(able=able) for name, able in hands.items()}
        self.refused: list[str] = []  # trials that no device is left for

    @property
    def is_over(self) -> bool:
        """Whether nothing waits, nothing is being measured and nothing is on its way from one to another."""
        return not any(hand.has_work or hand.asked for hand in self.hands.values() if not hand.gone)

    def join(self, name: str, able: Callable[[str], bool]) -> None:
        """One more device, with nothing in hand."""
        self.hands[name] = Hand(able=able)

    def has(self, trial: str) -> bool:
        """Whether a device has it in hand."""
        return any(trial in hand.waiting or hand.present == trial for hand in self.hands.values())

    def hold(self, name: str, trials: Iterable[str], present: str = "") -> None:
        """A device has these already, from before this start."""
        hand = self.hands[name]
        hand.waiting.update(dict.fromkeys(trials))
        hand.present = present
        hand.waiting.pop(present, None)

    def deal(self, trials: Sequence[str]) -> dict[str, list[str]]:
        """Deal out trials in their order, each to the able device that has the fewest; what each got."""
        dealt: dict[str, list[str]] = {}
        for trial in trials:
            able = [name for name, hand in self.hands.items() if not hand.gone and hand.able(trial)]
            if not able:
                self.refused.append(trial)
                continue
            name = min(able, key=lambda each: len(self.hands[each].waiting))
            self.hands[name].waiting[trial] = None
            dealt.setdefault(name, []).append(trial)
        return dealt

    def give_up(self, name: str) -> list[str]:
        """A device is lost: what it held, to be dealt to others."""
        hand = self.hands[name]
        left = [*([hand.present] if hand.present else []), *hand.waiting]
        hand.waiting.clear()
        hand.present, hand.asked, hand.gone = "", "", True
        return left

    def restart(self, name: str) -> list[str]:
        """The agent of a device died: what it held, which is its own still."""
        hand = self.hands[name]
        if hand.present:
            first = {hand.present: None, **hand.waiting}
            hand.waiting.clear()
            hand.waiting.update(first)
        hand.present, hand.asked = "", ""
        return list(hand.waiting)

    def saw(self, name: str, event: object) -> None:
        """A record of the device's agent."""
        hand = self.hands[name]
        if isinstance(event, TrialStarted):
            if event.stage in STAGES_HELD:
                hand.waiting.pop(event.trial.id, None)
                hand.present = event.trial.id
        elif isinstance(event, TrialMeasured | TrialFailed):
            if event.stage in STAGES_HELD:
                self._done(hand, event.trial.id)
                hand.finished += 1
                hand.seconds += event.seconds
        elif isinstance(event, TrialsSkipped):
            for trial in event.trials:
                self._done(hand, trial)
        elif isinstance(event, TrialsRequeued):
            hand.waiting.update(dict.fromkeys(event.trials))

    def withdrawals(self) -> list[Withdrawal]:
        """What should be asked back now, for devices that run out of trials; call `asked` with each command sent."""
        found = []
        for name, hand in self.hands.items():
            takes = any(other.asked and other.taker == name for other in self.hands.values())
            if hand.gone or takes or hand.asked or len(hand.waiting) > LOW_WATER:
                continue
            givers = [
                (self._left_seconds(other), giver)
                for giver, other in self.hands.items()
                if giver != name and not other.gone and not other.asked and other.waiting
            ]
            for _, giver in sorted(givers, reverse=True):
                trials = self._share(giver, name)
                if trials:
                    found.append(Withdrawal(giver, name, trials))
                    self.hands[giver].asked, self.hands[giver].taker = "?", name
                    break
        return found

    def asked(self, giver: str, command: str) -> None:
        """A withdrawal was sent with this command."""
        self.hands[giver].asked = command

    def given_back(self, giver: str, command: str, trials: Collection[str]) -> dict[str, list[str]]:
        """A device gave these back: who gets them now."""
        hand = self.hands[giver]
        for trial in trials:
            hand.waiting.pop(trial, None)
        taker = hand.taker
        if hand.asked == command:
            hand.asked = hand.taker = ""
        other = self.hands.get(taker)
        if other is None or other.gone:
            return self.deal(list(trials))
        ordered = list(trials)
        other.waiting.update(dict.fromkeys(ordered))
        return {taker: ordered} if ordered else {}

    # ------------------------------------------------------------------ how much to move

    def _share(self, giver: str, taker: str) -> list[str]:
        """As many from the giver's tail as make both end at about the same time."""
        give, take = self.hands[giver], self.hands[taker]
        slow, fast = self._pace(give), self._pace(take)
        gap = self._left_seconds(give) - self._left_seconds(take)
        most = int(gap / (slow + fast))
        able = [trial for trial in give.waiting if take.able(trial)]
        return able[len(able) - min(most, len(able)) :] if most else []

    def _left_seconds(self, hand: Hand) -> float:
        return self._pace(hand) * (len(hand.waiting) + bool(hand.present))

    def _pace(self, hand: Hand) -> float:
        """Seconds of one trial; that of all where the device finished none yet."""
        if hand.finished:
            return max(hand.seconds / hand.finished, 1e-6)
        finished = sum(each.finished for each in self.hands.values())
        return max(sum(each.seconds for each in self.hands.values()) / finished, 1e-6) if finished else 1.0

    @staticmethod
    def _done(hand: Hand, trial: str) -> None:
        hand.waiting.pop(trial, None)
        if hand.present == trial:
            hand.present = ""
