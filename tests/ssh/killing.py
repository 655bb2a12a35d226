"""Runs of tunetui on a real sshd of which app, agent or worker is killed (SIGKILL) again and again at random moments."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.workplace import Workplace
from tests.ssh.accounts import settle
from tests.ssh.reaching import config
from tests.ssh.sshd import Sshd
from tests.ssh.torture import resting, started_on

WHO = ("app", "agent", "worker")
LOOK_SECONDS = 0.002
GONE_SECONDS = 120.0
PATIENCE_SECONDS = 300.0


@dataclass
class Deaths:
    """What a series of runs went through, and what was wrong at its end."""

    who: str
    kills: int = 0
    runs: int = 0
    starts: int = 0  # of the app: one for each run, and one after each end that was not the run's
    events: int = 0
    agents: int = 0
    outcomes: int = 0
    lock_free_seconds: list[float] = field(default_factory=list)  # after each death of an agent
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


class Killing:
    """One host and the app: runs until so many processes of one sort were killed."""

    def __init__(self, folder: Path, *, who: str, seed: int, trials: int = 300) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.deaths = Deaths(who)
        self._who, self._folder, self._trials = who, folder, trials
        self._random = random.Random(seed)
        self._server = Sshd(folder / "host")
        self._place = Workplace(folder)
        self._app: subprocess.Popen[bytes] | None = None

    def run(self, kills: int, on_kill: Callable[[Deaths], None] = lambda _: None) -> Deaths:
        """Kill so many.  Takes everything down at the end."""
        try:
            while self.deaths.kills < kills:
                self._begin()
                while self.deaths.kills < kills and not self._is_done:
                    if self._kill_one():
                        self.deaths.kills += 1
                        on_kill(self.deaths)
                self._finish()
        finally:
            if self._app is not None and self._app.poll() is None:
                self._app.kill()
            self._server.stop()
        return self.deaths

    # ------------------------------------------------------------------ one run

    def _begin(self) -> None:
        self.deaths.runs += 1
        folder = self._folder / f"run-{self.deaths.runs}"
        folder.mkdir()
        self._place = resting(folder, self._trials)
        self._place.environment["TUNETUI_SSH_CONFIG"] = str(config(self._server))
        self._start()

    def _start(self) -> None:
        self.deaths.starts += 1
        with (self._place.folder / "said").open("ab") as said:
            self._app = subprocess.Popen(
                [sys.executable, "-m", "tunetui", "--batch", "grid.toml", "--host", "box", "--format", "none"],
                cwd=self._place.folder, env=self._place.environment, stdout=said, stderr=said,
            )  # fmt: skip

    @property
    def _is_done(self) -> bool:
        """Whether the run is over; an app that gave up on agents that were killed too often is started again."""
        assert self._app is not None
        code = self._app.poll()
        if code is None or code == 0:
            return code == 0
        self._start()
        return False

    def _finish(self) -> None:
        """To the end of the run, and its accounts."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._is_done:
            if time.monotonic() > until:
                raise AssertionError(f"run {self.deaths.runs} does not end: {self._said()}")
            time.sleep(0.02)
        accounts = settle(self._place.journal, self._server.cache)
        self.deaths.events += accounts.events
        self.deaths.agents += accounts.agents
        self.deaths.outcomes += accounts.outcomes
        self.deaths.wrong += accounts.wrong
        if accounts.outcomes != self._trials:
            self.deaths.wrong.append(f"{accounts.outcomes} of {self._trials} trials have an outcome: {self._said()}")
        until = time.monotonic() + GONE_SECONDS
        while (left := started_on(self._server)) and time.monotonic() < until:
            time.sleep(0.05)
        if left:
            self.deaths.wrong.append(f"{len(left)} processes are left on the host")

    def _said(self) -> str:
        return (self._place.folder / "said").read_text(errors="replace")[-2000:]

    # ------------------------------------------------------------------ one death

    def _kill_one(self) -> bool:
        """Wait for a random moment and kill; False where there was nobody to kill.

        One moment in three is right after the last death, while what it left is being taken over; the others are at work.
        """
        if self._random.random() > 1 / 3:
            self._wait_for_a_trial()
        time.sleep(self._random.expovariate(1 / 0.2))
        assert self._app is not None
        if self._who == "app":
            if self._app.poll() is not None:
                return False
            self._app.kill()
            self._app.wait()
            self._start()
            return True
        victims = self._server.processes({"agent": "start", "worker": "worker"}[self._who])
        locks = self._locked()
        if not victims or (self._who == "agent" and not locks):
            return False
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._who == "agent":
            self.deaths.lock_free_seconds.append(self._until_free(locks))
        return True

    def _wait_for_a_trial(self) -> None:
        """Until the app has kept one more outcome, or the run is over."""
        before, until = self._kept(), time.monotonic() + PATIENCE_SECONDS
        while self._kept() == before and not self._is_done:
            if time.monotonic() > until:
                raise AssertionError(f"run {self.deaths.runs} does not go on: {self._said()}")
            time.sleep(0.01)

    def _kept(self) -> int:
        try:
            return self._place.journal.read_bytes().count(b'"kind":"TrialMeasured"')
        except FileNotFoundError:
            return 0

    def _locked(self) -> set[tuple[str, str]]:
        """Who holds a device's lock, and which: read from the kernel, as trying the lock would be in the way of others."""
        nodes = {str(path.stat().st_ino) for path in (self._server.cache / "tunetui" / "locks").glob("*.lock")}
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return {(row[4], row[5]) for row in rows if "->" not in row and row[5].rpartition(":")[2] in nodes}

    def _until_free(self, before: set[tuple[str, str]]) -> float:
        began = time.monotonic()
        while before & self._locked():
            if time.monotonic() > began + PATIENCE_SECONDS:
                raise AssertionError("the lock of a killed agent is still held")
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began
