"""Commands that hang on a host for real, on a file that does not answer, and silences that a test cuts short."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from pathlib import Path

import pytest

from tunetui.core import waiting
from tunetui.core.waiting import Silence
from tunetui.engines import local
from tunetui.engines.ssh import link

PATIENCE_SECONDS = 300.0


class Hang:
    """A file of the host's folder whose reader waits for ever; what was there is put back by `release`."""

    def __init__(self, path: Path) -> None:
        self._path, self._before = path, path.with_name("before")
        self._open: int | None = None
        if path.exists():
            path.replace(self._before)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.mkfifo(path)

    async def has_a_victim(self) -> None:
        """Until a command reads it, and so hangs."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self._open is None:
                try:
                    self._open = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
                except OSError as error:
                    if error.errno != errno.ENXIO:  # nobody yet
                        raise
                    await asyncio.sleep(0.01)

    def release(self) -> None:
        """Whoever reads it from here on finds what was there before; who reads it now stays as they are."""
        if self._before.exists():
            self._before.replace(self._path)
        else:
            self._path.unlink()

    def close(self) -> None:
        """Let those go on who hang on it."""
        if self._path.is_fifo():
            self.release()
        if self._open is not None:
            os.close(self._open)
            self._open = None


def hung_list(root: Path) -> Hang:
    """Nobody can list the runs of the host with this folder."""
    return Hang(root / "runs" / "stuck" / "meta.json")


class Silences:
    """The silences of one host's commands under way; the first and the second of those that hang are over when the test says.

    On a busy machine other hosts are silent for a while as well, which nobody may hold against them.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, host: str = "") -> None:
        """Of ``host``; of all where there is but one."""
        self.begun: list[Silence] = []
        begun = self.begun

        class Told(Silence):
            def __init__(self, seconds: float) -> None:
                super().__init__(PATIENCE_SECONDS)
                if host in ("", sys._getframe(1).f_locals["self"].host):  # the link's, which asks
                    begun.append(self)

        monkeypatch.setattr(waiting, "_STEP_SECONDS", 0.02)  # in which it is seen that it has been long enough
        for module in (local, link):
            monkeypatch.setattr(module, "Silence", Told)

    def have_been_long_enough(self) -> None:
        """Whoever is silent now has been for too long."""
        for each in self.begun:
            each.seconds = 0.0
        self.begun.clear()

    async def twice(self, hang: Hang) -> None:
        """Of a command that hangs and is asked once more."""
        await hang.has_a_victim()
        self.have_been_long_enough()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not self.begun:  # noqa: ASYNC110 - nobody says so
                await asyncio.sleep(0.01)
        self.have_been_long_enough()
