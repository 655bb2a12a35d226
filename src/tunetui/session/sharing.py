"""A run that several tunetui may want: one deals its trials, the others follow, and one of them takes over when it is gone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tunetui.session.batch import Session
from tunetui.session.hands import deals
from tunetui.session.reaching import Reach
from tunetui.store.runs import RunHeldError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tunetui.core.leaderboard import Leaderboard
    from tunetui.core.links import LinkState
    from tunetui.core.snapshot import Run
    from tunetui.session.attaching import Attached
    from tunetui.session.batch import ResumeSummary
    from tunetui.session.looking_on import Onlooker
    from tunetui.session.opening import BatchOptions

    Hand = Session | Attached | Onlooker
    """How we have a run: dealt by us, followed on its hosts, or looked on as another process here writes it down."""
    Open = Callable[[], Awaitable[Session | Attached]]


@dataclass(frozen=True)
class Ways:
    """How a run comes into our hands."""

    again: Open  # once whoever had it is gone
    reach: Reach
    stem: Path | None = None  # of the outputs; None: as begun
    command: str = ""


class Shared:
    """What `Session` offers of following, ending and saving, whoever deals the run at the moment; ``hand`` is how we have it."""

    def __init__(self, hand: Hand, ways: Ways) -> None:
        self.hand, self._ways = hand, ways
        self.on_change: Callable[[str], None] = lambda _: None
        """Told in one line when the run passes from one tunetui to another."""
        self._leaving = False

    @classmethod
    async def open(cls, ways: Ways, first: Awaitable[Session | Attached] | None = None) -> Shared:
        """Take the run in hand, or look on while another tunetui of this machine has it.  Raises as ``first`` does."""
        return cls(await _opened(first or ways.again()), ways)

    @property
    def is_dealt_here(self) -> bool:
        """Whether it can be steered from here."""
        return isinstance(self.hand, Session)

    @property
    def follows_only(self) -> bool:
        """Whether another tunetui deals it: to stop means to leave then."""
        return self.hand.follows_only

    @property
    def why(self) -> str:
        """Why it is only followed; empty where it is dealt here."""
        return "" if isinstance(self.hand, Session) else self.hand.why

    @property
    def snapshot(self) -> Run:
        """The newest state of the run."""
        return self.hand.snapshot

    @property
    def links(self) -> dict[str, LinkState]:
        """The state of the link to each host."""
        return self.hand.links

    @property
    def ended(self) -> str:
        """How it ended; empty where it goes on without us."""
        return self.hand.ended

    @property
    def resume(self) -> ResumeSummary:
        """What an earlier start left."""
        return self.hand.resume

    @property
    def untold(self) -> list[str]:
        """Hosts that were not told yet what was asked last."""
        return self.hand.untold

    async def run(self, on_record: Callable[[bytes], None] | None = None) -> None:
        """Until the run ends, or somebody asks to leave.  Raises TunetuiError as `Session.run` does."""
        await self.hand.run(on_record)
        while (change := self._change()) is not None:
            open_, said = change
            self.hand.close()
            await self.hand.disconnect()
            self.hand = await _opened(open_())
            self._tell(said)
            if self._leaving:
                return
            await self.hand.run(on_record)

    def request_stop(self) -> None:
        """Finish the present trials, then end; leave, where another deals it."""
        self._leaving = self.follows_only
        self.hand.request_stop()

    def request_cancel(self) -> None:
        """End at once; leave, where another deals it."""
        self._leaving = self.follows_only
        self.hand.request_cancel()

    def detach(self) -> None:
        """Leave; the agents go on."""
        self._leaving = True
        self.hand.detach()

    def leaderboard(self) -> Leaderboard:
        """The leaderboard of what is measured so far."""
        return self.hand.leaderboard()

    def save(self) -> list[Path]:
        """Write the leaderboard, where that is ours to write.  Raises StoreError, InputError."""
        return self.hand.save()

    def close(self) -> None:
        """Let go of the run; whatever agents still do goes on."""
        self.hand.close()

    async def disconnect(self) -> None:
        """Let go of the hosts."""
        await self.hand.disconnect()

    # ------------------------------------------------------------------ from hand to hand

    def _change(self) -> tuple[Open, str] | None:
        """How the run is to be taken in hand now, and what is said of that; None where it is over, or left."""
        hand = self.hand
        if self._leaving:
            return None
        if isinstance(hand, Session):
            why = deals(hand.dealt_by)
            return (partial(self._follow, str(hand.folder), why), why) if hand.dealt_by else None
        said = "is done" if hand.snapshot.ended else "is gone: it is dealt from here now"
        return (self._ways.again, f"whoever dealt this run {said}") if hand.is_free else None

    def _tell(self, said: str) -> None:
        """What has become of the run; that it is ours not before it is: whoever dealt it may be back first."""
        if isinstance(self.hand, Session):
            self.hand.on_claimed = partial(self.on_change, said)
        else:
            self.on_change(self.why or said)

    async def _follow(self, folder: str, why: str) -> Attached:
        from tunetui.session.attaching import Attached, Why  # where one tunetui is alone nothing waits for this

        reach, stem, command = self._ways.reach, self._ways.stem, self._ways.command
        return await Attached.open(folder, reach, stem=stem, command=command, why=Why(why, in_other_hands=True))


def ways_of(options: BatchOptions) -> Ways:
    """How a grid's run is taken in hand again as these options say; it is not begun anew for that."""
    again = replace(options, fresh=False)
    return Ways(
        lambda: Session.open(again),
        Reach(options.links, options.asker, on_wait=options.on_wait or (lambda *_: None)),
        options.stem,
        options.command,
    )


async def _opened(opening: Awaitable[Session | Attached]) -> Hand:
    try:
        return await opening
    except RunHeldError as held:
        from tunetui.session.looking_on import Onlooker

        return Onlooker(held)
