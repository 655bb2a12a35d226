"""Runs of tunetui on a real sshd whose link is cut again and again; what came over is held against what was written there."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.workplace import Workplace
from tests.ssh.accounts import settle
from tests.ssh.proxy import Proxy
from tests.ssh.reaching import config
from tests.ssh.sshd import Sshd
from tests.ssh.stopwatch import Mark, marks

KINDS = ("reset", "inside a packet", "silence", "session killed", "session stopped")
LOOK_SECONDS = 0.005
PATIENCE_SECONDS = 300.0
GONE_SECONDS = 120.0
_OUR_PATH = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("src", "."))
RESTS = "\n    if how == 'rests':\n        time.sleep(0.004)"


@dataclass
class Cut:
    """One cut; times in seconds."""

    kind: str
    rtt_seconds: float
    noticed_seconds: float  # from the cut until the app knew
    reattached_seconds: float  # from then until the run was followed again


@dataclass
class Toll:
    """What a series of runs went through, and what was wrong at its end."""

    rtt_seconds: float
    cuts: list[Cut] = field(default_factory=list)
    uncounted: int = 0  # cuts that the end of a run hid: nobody had to attach again
    runs: int = 0
    events: int = 0
    outcomes: int = 0
    attachments: int = 0
    wrong: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


class Torture:
    """One host, the road to it, and the app: runs until so many cuts were survived."""

    def __init__(self, folder: Path, *, rtt_seconds: float, seed: int, trials: int = 400) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.toll = Toll(rtt_seconds)
        self._folder, self._trials = folder, trials
        self._random = random.Random(seed)
        self._server = Sshd(folder / "host", used=True)  # nothing is cut before a run is followed
        self._road = Proxy(self._server.port, rtt_seconds=rtt_seconds, seed=seed)
        self._app: subprocess.Popen[bytes] | None = None
        self._place = Workplace(folder)
        self._notes = folder / "stopwatch"

    def run(self, kinds: list[str], on_cut: Callable[[Toll], None] = lambda _: None) -> Toll:
        """Cut in these ways, one after the other, over as many runs as that takes.  Takes everything down at the end."""
        left = list(reversed(kinds))
        try:
            with self._road:
                while left:
                    self._begin()
                    self._cut_often(left, on_cut)
                    self._finish()
        finally:
            if self._is_running and self._app is not None:
                self._app.kill()
            self._place.end()
            self._server.stop()
        return self.toll

    # ------------------------------------------------------------------ one run

    def _begin(self) -> None:
        """The next run; each has its own name, folder and leaderboard."""
        self.toll.runs += 1
        name = f"run-{self.toll.runs}"
        folder = self._folder / name
        folder.mkdir()
        self._place = resting(folder, self._trials)
        self._place.environment["TUNETUI_SSH_CONFIG"] = str(config(self._server, port=self._road.port))
        self._notes = folder / "stopwatch"
        with (folder / "said").open("wb") as said:
            self._app = subprocess.Popen(
                [sys.executable, "-m", "tests.ssh.stopwatch", str(self._notes), "--batch", "grid.toml", "--host", "box",
                 "--format", "none"],
                cwd=folder, env=self._place.environment | {"PYTHONPATH": _OUR_PATH},
                stdout=said, stderr=said,
            )  # fmt: skip
        self._wait(lambda: any(mark.said == "attached" for mark in marks(self._notes)))

    def _cut_often(self, left: list[str], on_cut: Callable[[Toll], None]) -> None:
        while left and self._is_running:
            time.sleep(self._random.expovariate(1 / 0.2))
            if not self._is_running:
                return
            cut = self._cut(left[-1])
            if cut is None:
                self.toll.uncounted += 1
                continue
            left.pop()
            self.toll.cuts.append(cut)
            on_cut(self.toll)

    def _finish(self) -> None:
        """Wait for the end of the run and settle its accounts."""
        assert self._app is not None
        code = self._app.wait(600)
        if code:
            said = (self._place.folder / "said").read_text(errors="replace")
            self.toll.wrong.append(f"run {self.toll.runs} ended with exit code {code}: {said[-2000:]}")
        accounts = settle(self._place.journal, self._server.cache)
        self.toll.events += accounts.events
        self.toll.outcomes += accounts.outcomes
        self.toll.wrong += accounts.wrong
        if accounts.outcomes != self._trials:
            self.toll.wrong.append(f"{accounts.outcomes} of {self._trials} trials have an outcome")
        self.toll.attachments += sum(mark.said == "attached" for mark in marks(self._notes))
        remaining = self._remaining()
        if remaining:
            self.toll.wrong.append(f"{len(remaining)} processes are left on the host: {remaining}")

    def _remaining(self) -> list[str]:
        until = time.monotonic() + GONE_SECONDS
        while (pids := started_on(self._server)) and time.monotonic() < until:
            time.sleep(0.05)
        return [_words(pid) for pid in pids]

    # ------------------------------------------------------------------ one cut

    def _cut(self, kind: str) -> Cut | None:
        """Do it, and wait until the app has found its way back; None where the run ended instead."""
        before = len(marks(self._notes))
        cut_at = time.monotonic()
        repair = self._do(kind)
        lost = self._next("lost", before)
        for work in repair:
            work()
        back = self._next("attached", before) if lost else None
        if lost is None or back is None:
            return None
        return Cut(kind, self._road.rtt_seconds, lost.at - cut_at, back.at - lost.at)

    def _do(self, kind: str) -> list[Callable[[], object]]:
        """The cut itself; what is to be done once it was noticed."""
        if kind == "reset":
            self._road.reset()
        elif kind == "inside a packet":
            self._road.cut_inside_packet()
        elif kind == "silence":
            self._road.go_silent()
            return [self._road.speak_again]
        elif kind == "session killed":
            self._server.signal_sessions(signal.SIGKILL)
        else:
            stopped = self._server.signal_sessions(signal.SIGSTOP)  # some of them only when they have a processor
            return [lambda: _signal_all(stopped, self._random.choice([signal.SIGCONT, signal.SIGKILL]))]
        return []

    def _next(self, said: str, before: int) -> Mark | None:
        """The first such note after the first ``before``, or None at the end of the run."""
        found: list[Mark] = []

        def look() -> bool:
            found[:] = [mark for mark in marks(self._notes)[before:] if mark.said == said]
            return bool(found)

        self._wait(lambda: look() or not self._is_running)
        return found[0] if found or look() else None

    @property
    def _is_running(self) -> bool:
        return self._app is not None and self._app.poll() is None

    def _wait(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > until or not (self._is_running or condition()):
                said = (self._place.folder / "said").read_text(errors="replace")
                raise AssertionError(f"run {self.toll.runs} does not go on: {said[-3000:]}")
            time.sleep(LOOK_SECONDS)


def resting(folder: Path, trials: int) -> Workplace:
    """A sweep of so many trials of a kernel that mostly sleeps: many events, and a processor that is free for the link.

    A workplace's grids have no sentinels: on a busy machine they would have trials measured again, and each is to have
    one outcome.
    """
    place = Workplace(folder)
    before = '\n    if how == "writes nothing"'
    place.edit("kernel/double.py", before, f"{RESTS}{before}")
    place.grid(how='["rests"]', number=f"{{ start = 1, stop = {trials}, step = 1 }}")
    return place


def shuffled_kinds(count: int, seed: int) -> list[str]:
    """``count`` kinds of cuts, equally many of each, in a random order."""
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    random.Random(seed).shuffle(kinds)
    return kinds


def _signal_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def started_on(server: Sshd) -> list[int]:
    """Every process that was started through a server, whatever it is called and whoever is its parent now."""
    mark = b"XDG_CACHE_HOME=" + os.fsencode(server.cache)
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:200]
    except OSError:
        return ""


def percentile(values: list[float], share: float) -> float:
    """The smallest value that so large a share of ``values`` is not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(cuts: list[Cut]) -> Iterator[tuple[str, dict[str, float]]]:
    """By kind and for all of them: how soon they were noticed and how soon the run was followed again."""
    for kind in (*KINDS, "all"):
        those = [cut for cut in cuts if kind in ("all", cut.kind)]
        if not those:
            continue
        noticed, back = [cut.noticed_seconds for cut in those], [cut.reattached_seconds for cut in those]
        yield (
            kind,
            {
                "cuts": len(those),
                "noticed_p50_seconds": round(percentile(noticed, 0.5), 3),
                "noticed_max_seconds": round(max(noticed), 3),
                "reattached_p50_seconds": round(percentile(back, 0.5), 3),
                "reattached_p90_seconds": round(percentile(back, 0.9), 3),
                "reattached_max_seconds": round(max(back), 3),
            },
        )
