"""What a short run spends its time on, from the start of the app's process to its end: a timeline, here or over SSH.

    python bench/start_up.py [--rtt 0.05] [--cold] [--repeats 5] [--trials 4] [--nice -10] [--output FILE]

Without ``--rtt`` the run is on this machine; with it, on a real sshd at the end of a road that is that long.  ``--cold`` takes the
agent away before every run.  `bench/ssh_start.py` measures whether the goals are met; this says where the time goes.  What the app
does is told by wrappers around its functions, put there as its modules are loaded; what the agent does by its journal.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.abc
import importlib.machinery
import inspect
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WATCHED = {
    "tunetui.cli.batch": ["run_batch", "Batch._open", "Batch._carry_out"],
    "tunetui.session.reaching": ["open_link"],
    "tunetui.session.opening": ["load_definitions", "open_groups", "prepared", "probe", "group_places"],
    "tunetui.session.batch": ["RunFolder", "Session._catch_up", "Session.run", "Session.save", "Session.disconnect"],
    "tunetui.session.agents": ["ask_json", "Agents.follow"],
}
FIRSTS = (
    "AgentStarted",
    "CommandAccepted",
    "DeviceFound",
    "BuildStarted",
    "BuildFinished",
    "TrialStarted",
    "TrialMeasured",
)
LASTS = ("BuildFinished", "TrialMeasured", "RunEnded", "RunFinished")
BEGAN, MARKS = "TUNETUI_BENCH_BEGAN", "TUNETUI_BENCH_MARKS"


class Marking(importlib.abc.MetaPathFinder):
    """Wraps the watched functions of each module right after it is loaded."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.marks: list[tuple[str, float]] = []

    def mark(self, what: str) -> None:
        """It is now."""
        self.marks.append((what, round(time.time() - self.began, 4)))

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The usual one, with a loader that wraps."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target) if name in WATCHED else None
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            for dotted in WATCHED[name]:
                owner, _, attribute = dotted.rpartition(".")
                where = getattr(module, owner) if owner else module
                if hasattr(where, attribute):
                    setattr(where, attribute, self._wrapped(getattr(where, attribute), attribute))

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec

    def _wrapped(self, function: Any, name: str) -> Any:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*arguments: Any, **named: Any) -> Any:
                self.mark(f"{name} ...")
                try:
                    return await function(*arguments, **named)
                finally:
                    self.mark(f"{name} done")

            return awaited

        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            self.mark(f"{name} ...")
            try:
                return function(*arguments, **named)
            finally:
                self.mark(f"{name} done")

        return called


def run_app(arguments: list[str]) -> int:
    """The app itself, in a process of its own, with marks."""
    marking = Marking(float(os.environ[BEGAN]))
    marking.mark("interpreter")
    sys.meta_path.insert(0, marking)
    from tunetui.cli import main as app

    try:
        return app(arguments)
    finally:
        marking.mark("main done")
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {"marks": marking.marks, "cpu_seconds": used.ru_utime + used.ru_stime}
        Path(os.environ[MARKS]).write_text(json.dumps(told))


def one_run(place: Any, hosts: list[str]) -> dict[str, Any]:
    """A run to its end, and when what happened, in seconds from before the app's process."""
    marks = place.folder / "marks.json"
    began = time.time()
    environment = {**place.environment, BEGAN: repr(began), MARKS: str(marks)}
    command = [sys.executable, __file__, "--app", "--batch", "grid.toml", "--format", "none", *hosts]
    ended = subprocess.run(command, cwd=place.folder, env=environment, capture_output=True, text=True, check=False)
    seconds = time.time() - began
    if ended.returncode:
        sys.exit(f"the run failed:\n{ended.stderr[-3000:]}")
    told = json.loads(marks.read_text())
    times: dict[str, float] = {}
    for what, at in told["marks"]:
        while what in times:
            what += "'"
        times[what] = at
    times |= noted(place.records(), began)
    return {"times": times | {"exit": seconds}, "cpu_seconds": told["cpu_seconds"]}


def noted(records: list[dict[str, Any]], began: float) -> dict[str, float]:
    """When the first and the last of what the journal tells happened."""
    found: dict[str, float] = {}
    for envelope in records:
        kind, at = envelope["record"]["kind"], envelope["record"]["t"] - began
        if kind in FIRSTS:
            found.setdefault(f"  first {kind}", at)
        if kind in LASTS:
            found[f"  last {kind}"] = at
    return found


def timeline(runs: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """The median of every moment, in order."""
    moments = {what: median(run["times"][what] for run in runs if what in run["times"]) for what in runs[0]["times"]}
    return sorted(moments.items(), key=lambda item: item[1])


def runs_of(asked: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """As many as asked, after one that is not counted."""
    from tests.ssh.proxy import Proxy
    from tests.ssh.sshd import Sshd
    from tests.ssh.torture import resting

    with contextlib.ExitStack() as stack:
        hosts, config, cache = [], None, folder / "cache" / "tunetui"
        if asked.rtt is not None:
            server = Sshd(folder / "box")
            stack.callback(server.stop)
            road = stack.enter_context(Proxy(server.port, rtt_seconds=asked.rtt))
            config = folder / "ssh_config"
            config.write_text(server.ssh_config("box", port=road.port))
            hosts, cache = ["--host", "box"], server.cache / "tunetui"
        done = []
        for number in range(asked.repeats + 1):
            if asked.cold and number:
                shutil.rmtree(cache)
            (room := folder / f"run-{number}").mkdir()
            place = resting(room, asked.trials)
            if config:
                place.environment["TUNETUI_SSH_CONFIG"] = str(config)
            else:
                place.environment["XDG_CACHE_HOME"] = str(cache.parent)
            done.append(one_run(place, hosts))
        return done[1:]


def main() -> int:
    """Measure and print."""
    if sys.argv[1:2] == ["--app"]:
        return run_app(sys.argv[2:])
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtt", type=float, help="seconds to the host and back; without it: this machine")
    parser.add_argument("--cold", action="store_true", help="the agent is not there yet")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument(
        "--nice", type=int, default=0, help="priority; -10 keeps other jobs of a busy machine out of it"
    )
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    os.nice(asked.nice)
    with tempfile.TemporaryDirectory(prefix="tunetui-start-up-") as name:
        runs = runs_of(asked, Path(name))
    moments = timeline(runs)
    cpu = median(run["cpu_seconds"] for run in runs)
    for what, at in moments:
        print(f"{at:8.3f}  {what}")
    print(f"{cpu:8.3f}  seconds of CPU in the app's process")
    if asked.output:
        asked.output.write_text(json.dumps({"moments": moments, "app_cpu_seconds": cpu, "runs": runs}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
