"""Where a Run screen's snapshots come from: a session at work, a journal played again, or a run that is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tunetui.core.errors import TunetuiError

if TYPE_CHECKING:
    from tunetui.core.links import LinkState
    from tunetui.core.snapshot import Run
    from tunetui.session import Session
    from tunetui.session.replaying import Replay
    from tunetui.session.sharing import Shared

_LEAVE_SECONDS = 5.0
"""How long leaving waits for the session to let go of its links."""


class RunSource(Protocol):
    """What a Run screen shows and may steer."""

    journal: Path | None

    @property
    def snapshot(self) -> Run:
        """The newest state, immutable; asking for it is cheap."""

    @property
    def now(self) -> float:
        """Unix seconds by the clock of the run."""

    @property
    def label(self) -> str:
        """What must stand on every screen; empty for what is live."""

    @property
    def links(self) -> Mapping[str, LinkState]:
        """The state of every link, by host."""

    @property
    def alive(self) -> bool:
        """Whether this app has something at work that would be left behind."""

    def close(self) -> None:
        """Let go of everything."""


class Steering(Protocol):
    """What can be asked of a run that is at work; each raises TunetuiError where it cannot be done."""

    def request_pause(self) -> None: ...
    def request_resume(self) -> None: ...
    def skip(self, trial_ids: Iterable[str]) -> None: ...
    def requeue(self, trial_ids: Iterable[str]) -> None: ...
    def remeasure(self, trial_id: str, precision_percent: float) -> None: ...
    def race_now(self) -> None: ...
    def request_stop(self) -> None: ...


class LiveRun:
    """A run in hand, as a task of its own: neither a screen nor the app going away ends it by accident."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.journal = shared.resume.journal
        self.failure: TunetuiError | None = None
        self.saved: list[Path] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def session(self) -> Session:
        """How the run is in hand now; more than `Shared` offers is asked for only where it can be steered."""
        return self.shared.hand  # type: ignore[return-value]

    @property
    def can_steer(self) -> bool:
        """Whether more can be asked of it than to stop: a run that another deals, or without its grid, only goes on."""
        return self.shared.is_dealt_here

    @property
    def snapshot(self) -> Run:
        return self.shared.snapshot

    @property
    def now(self) -> float:
        return time.time()

    @property
    def label(self) -> str:
        return ""

    @property
    def links(self) -> Mapping[str, LinkState]:
        return self.shared.links

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done()

    async def attend(self) -> None:
        """Begin, and wait for the end; to be called once.  Being cancelled ends the waiting, not the run."""
        self._task = asyncio.create_task(self._run(), name="session")
        await asyncio.shield(self._task)

    async def leave(self) -> None:
        """Go away; the agents go on without this app."""
        self.shared.detach()
        await self._settled(_LEAVE_SECONDS)

    async def finish(self) -> None:
        """Wait until the run has ended as it was asked to."""
        await self._settled(None)

    def close(self) -> None:
        self.shared.close()

    async def _settled(self, seconds: float | None) -> None:
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=seconds)
        if not done:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        """The whole of it; the hosts are let go of when it is over, however long its screen stays open."""
        try:
            await self._measure_and_save()
        finally:
            await self.shared.disconnect()

    async def _measure_and_save(self) -> None:
        """What came out is saved whatever ended it."""
        try:
            await self.shared.run()
        except TunetuiError as error:
            self.failure = error
        if not self.shared.ended or self.shared.snapshot.plan is None:
            return  # left to the agents, or nothing was begun
        try:
            self.saved = self.shared.save()
        except TunetuiError as error:
            self.failure = self.failure or error


class ReplayedRun:
    """A journal played again."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.journal: Path | None = replay.journal

    @property
    def snapshot(self) -> Run:
        return self.replay.snapshot

    @property
    def now(self) -> float:
        return self.replay.t

    @property
    def label(self) -> str:
        return self.replay.label

    @property
    def links(self) -> Mapping[str, LinkState]:
        return {}

    @property
    def alive(self) -> bool:
        return False

    def close(self) -> None:
        self.replay.close()
