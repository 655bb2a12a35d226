"""How fast the screen may change: what the link to the terminal bears, told by when its acknowledgements come back."""

from __future__ import annotations

from dataclasses import dataclass

ACK_TIMEOUT_S = 2.0
"""After this long without an answer a frame counts as arrived: not every terminal answers."""
SILENT_AFTER_TIMEOUTS = 2
"""A terminal that never answered; one that did is slow rather than silent, and is waited for longer."""
SILENT_AFTER_TIMEOUTS_ONCE_HEARD = 6
ASK_A_SILENT_TERMINAL_EVERY_S = 30.0

SLOW_ROUND_TRIP_S = 0.2
GOOD_ROUND_TRIP_S = 0.1
FRAMES_TO_BELIEVE = 5
FIRST_STAY_S = 10.0
LONGEST_STAY_S = 160.0

SHARE_OF_A_CORE = 0.08
SHARE_FOR_PLOTS = 0.02
"""What beats, and apart from them the plots, may cost: with a great many rows they come less often instead."""
LONGEST_WAIT_FOR_PLOTS_S = 5.0
LONGEST_WAIT_FOR_A_BEAT = 4
"""Times its usual interval: most of what a beat costs are the results that came since the last one."""

_SMOOTHING = 0.3


class FrameAcks:
    """At most one unanswered question to the terminal; its answer says that every byte before it has arrived.

    The question is `ESC[6n` (where is the cursor?), which terminals and tmux have always answered.  It bounds what
    lies in buffers anywhere on the way, which no look at our own queue could.  All times: seconds, one clock.
    """

    def __init__(self) -> None:
        self.round_trip_s: float | None = None
        """Smoothed time from a frame to its answer; None before the first one."""
        self.answered_count = 0
        self._asked_at: float | None = None
        self._timeouts = 0

    @property
    def is_silent(self) -> bool:
        """The terminal does not answer: frames are sent without asking, but for one now and then."""
        patience = SILENT_AFTER_TIMEOUTS_ONCE_HEARD if self.answered_count else SILENT_AFTER_TIMEOUTS
        return self._timeouts >= patience

    def may_ask(self, now: float) -> bool:
        """Whether the frame just sent is one to ask after."""
        if self._asked_at is None:
            return True
        return self.is_silent and now - self._asked_at >= ASK_A_SILENT_TERMINAL_EVERY_S

    def asked(self, now: float) -> None:
        self._asked_at = now

    def answered(self, now: float) -> None:
        """An answer came; one that nobody waits for any more says only that the terminal does answer."""
        self._timeouts = 0
        if self._asked_at is None:
            return
        took_s, self._asked_at = now - self._asked_at, None
        self.answered_count += 1
        before = took_s if self.round_trip_s is None else self.round_trip_s
        self.round_trip_s = before + _SMOOTHING * (took_s - before)

    def is_waiting(self, now: float) -> bool:
        """Whether the last frame is still on its way; gives up on an answer that is overdue."""
        if self._asked_at is None or self.is_silent:
            return False
        if now - self._asked_at < ACK_TIMEOUT_S:
            return True
        self._timeouts += 1
        if not self.is_silent:
            self._asked_at = None
        return False

    @property
    def is_reliable(self) -> bool:
        """Every question so far got its answer: even keys may wait for one."""
        return self.answered_count > 0 and self._timeouts == 0


class LiteMode:
    """Whether to show less because the link is slow.  Entered after a few slow frames, left after a stay with good ones.

    Frames are smaller in lite mode, so a good round trip in it promises little: each time it had to be entered again
    the next stay is twice as long.
    """

    def __init__(self) -> None:
        self.on = False
        self._slow_frames = 0
        self._entered_at = 0.0
        self._stay_s = FIRST_STAY_S / 2

    def saw(self, round_trip_s: float, now: float) -> None:
        """One more frame was acknowledged, with this smoothed round trip."""
        self._slow_frames = self._slow_frames + 1 if round_trip_s > SLOW_ROUND_TRIP_S else 0
        if not self.on and self._slow_frames >= FRAMES_TO_BELIEVE:
            self.on, self._entered_at = True, now
            self._stay_s = min(2 * self._stay_s, LONGEST_STAY_S)
        elif self.on and round_trip_s < GOOD_ROUND_TRIP_S and now - self._entered_at >= self._stay_s:
            self.on = False


@dataclass(frozen=True)
class Rates:
    """How often what is redrawn, in seconds between two times."""

    beat_s: float
    order_s: float
    plots_s: float | None
    """None: not at all."""


FULL = Rates(beat_s=0.1, order_s=0.5, plots_s=0.5)
LITE = Rates(beat_s=0.25, order_s=1.0, plots_s=None)


@dataclass(frozen=True)
class Beat:
    """One turn of the ticker, in which what is new may be drawn."""

    now: float
    """Seconds on the monotonic clock."""
    draw_plots: bool
    """Plots and other large panes may be drawn anew."""
    rates: Rates


class Ticker:
    """Turns time and acknowledgements into beats: never more often than the rates say, never ahead of the terminal."""

    def __init__(self) -> None:
        self.acks = FrameAcks()
        self.lite = LiteMode()
        self.held_back = 0
        """Times at which a beat was due and the terminal was not ready for it."""
        self._beat_at = self._plots_at = float("-inf")
        self._beat_costs_s = self._plots_cost_s = 0.0

    @property
    def rates(self) -> Rates:
        return LITE if self.lite.on else FULL

    def acknowledged(self, now: float) -> None:
        self.acks.answered(now)
        if self.acks.round_trip_s is not None:
            self.lite.saw(self.acks.round_trip_s, now)

    def spent(self, beat: Beat, cpu_s: float) -> None:
        """What drawing a beat took, CPU of this thread."""
        if beat.draw_plots:
            self._plots_cost_s += _SMOOTHING * (max(cpu_s - self._beat_costs_s, 0.0) - self._plots_cost_s)
        else:
            self._beat_costs_s += _SMOOTHING * (cpu_s - self._beat_costs_s)

    def due(self, now: float, *, queue_is_full: bool = False) -> Beat | None:
        """The beat to draw now, if there is one; ``queue_is_full``: our own writer has not got rid of the last frames."""
        rates = self.rates
        wait_s = _affordable(rates.beat_s, self._beat_costs_s / SHARE_OF_A_CORE, LONGEST_WAIT_FOR_A_BEAT * rates.beat_s)
        if now - self._beat_at < wait_s * 0.9:  # a timer that fires a little early is not a beat lost
            return None
        if queue_is_full or self.acks.is_waiting(now):
            self.held_back += 1
            return None
        self._beat_at = now
        draw_plots = rates.plots_s is not None and (
            now - self._plots_at
            >= _affordable(rates.plots_s, self._plots_cost_s / SHARE_FOR_PLOTS, LONGEST_WAIT_FOR_PLOTS_S) * 0.9
        )
        if draw_plots:
            self._plots_at = now
        return Beat(now, draw_plots, rates)


def _affordable(wanted_s: float, earned_s: float, longest_s: float) -> float:
    """The time between two drawings whose cost is earned in ``earned_s``."""
    return min(max(wanted_s, earned_s), longest_s)
