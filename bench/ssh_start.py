"""How soon a run over SSH begins, whether a slow or dead host holds up others, and whether the device ever waits for the link.

    python bench/ssh_start.py [--repeats 10] [--part warm cold hosts idle] [--output bench/results/ssh_start.json]

Real sshds on loopback, roads made long by a proxy, tunetui started as a user starts it.  A run begins when the agent notes that its
first trial has started; times are from the moment before the app's process is made.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.link_torture import circumstances  # noqa: E402
from tests.e2e.workplace import Workplace  # noqa: E402
from tests.ssh.proxy import Proxy  # noqa: E402
from tests.ssh.sshd import Sshd  # noqa: E402
from tests.ssh.torture import resting  # noqa: E402

PARTS = ("warm", "cold", "hosts", "idle")
GOALS = {"warm": 1.0, "cold": 2.0}
HOSTS = 8
SLOW_RTT_SECONDS = 1.0
TRIALS_OF_A_START, TRIALS_OF_HOSTS, TRIALS_OF_IDLE = 4, 240, 200


class Lab:
    """Servers, roads to them, and runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: dict[str, Sshd] = {}
        self._runs = 0

    def server(self, name: str) -> Sshd:
        """The one of this name."""
        if name not in self.servers:
            self.servers[name] = Sshd(self.folder / name)
        return self.servers[name]

    def run(self, trials: int, ports: dict[str, int]) -> dict[str, Any]:
        """One run to its end on the named hosts, reached by these ports; when it began and what its agents noted."""
        self._runs += 1
        place = self._place(trials, ports)
        hosts = [word for name in ports for word in ("--host", name)]
        began = time.time()
        command = [sys.executable, "-m", "tunetui", "--batch", "grid.toml", "--format", "none", *hosts]
        ended = subprocess.run(command, cwd=place.folder, env=place.environment, capture_output=True, text=True)
        if ended.returncode:
            sys.exit(f"a run failed:\n{ended.stderr[-3000:]}")
        return {"began": began, "seconds": time.time() - began, "records": place.records(), "said": ended.stderr}

    def stop(self) -> None:
        """Take everything down."""
        for server in self.servers.values():
            server.stop()

    def _place(self, trials: int, ports: dict[str, int]) -> Workplace:
        folder = self.folder / f"run-{self._runs}"
        folder.mkdir()
        place = resting(folder, trials)
        blocks = [
            self.servers[name].ssh_config(name, port=port) if name in self.servers else f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n"
            for name, port in ports.items()
        ]  # fmt: skip
        (folder / "ssh_config").write_text("".join(blocks))
        place.environment["TUNETUI_SSH_CONFIG"] = str(folder / "ssh_config")
        return place


def first_trials(run: dict[str, Any]) -> dict[str, float]:
    """Host to the seconds until its first trial started."""
    hosts = {e["record"]["agent"]: e["record"]["host"] for e in run["records"] if e["record"]["kind"] == "AgentPlaced"}
    found: dict[str, float] = {}
    for envelope in run["records"]:
        if envelope["record"]["kind"] == "TrialStarted":
            found.setdefault(hosts[envelope["from"]], envelope["record"]["t"] - run["began"])
    return found


def starts(lab: Lab, rtt: float, repeats: int, *, cold: bool) -> dict[str, Any]:
    """Runs on one host that has the agent, or has it no more."""
    server = lab.server("box")
    seconds = []
    with Proxy(server.port, rtt_seconds=rtt) as road:
        lab.run(TRIALS_OF_A_START, {"box": road.port})
        for _ in range(repeats):
            if cold:
                shutil.rmtree(server.cache / "tunetui")
            seconds.append(first_trials(lab.run(TRIALS_OF_A_START, {"box": road.port}))["box"])
            progress(f"{'cold' if cold else 'warm'} start at RTT {1000 * rtt:.0f} ms: {seconds[-1]:.2f} s")
    return {"rtt_seconds": rtt, "goal_seconds": GOALS["cold" if cold else "warm"], **spread(seconds)}


@contextlib.contextmanager
def dead_port() -> Iterator[int]:
    """A port where connections are made and nothing is ever said: a machine that hangs."""
    with Proxy(1) as road:
        road.go_silent()
        yield road.port


def many_hosts(lab: Lab, repeats: int) -> dict[str, Any]:
    """Six good hosts alone, and with a slow and a dead one beside them."""
    names = [f"host-{number}" for number in range(HOSTS - 1)]
    ports = {name: lab.server(name).port for name in names}
    slow = names[-1]
    good = {name: port for name, port in ports.items() if name != slow}
    alone, beside, slow_ones = [], [], []
    with Proxy(ports[slow], rtt_seconds=SLOW_RTT_SECONDS) as road, dead_port() as dead:
        lab.run(TRIALS_OF_HOSTS, good | {slow: ports[slow]})
        for _ in range(repeats):
            alone.append(first_trials(lab.run(TRIALS_OF_HOSTS, good)))
            beside.append(first_trials(lab.run(TRIALS_OF_HOSTS, good | {slow: road.port, "dead": dead})))
            slow_ones += [beside[-1].pop(slow)] if slow in beside[-1] else []
            progress(f"{len(good)} hosts: all at work after {max(alone[-1].values()):.2f} s alone, "
                     f"{max(beside[-1].values()):.2f} s beside a slow and a dead one")  # fmt: skip
    return {
        "good_hosts": len(good),
        "slow_rtt_seconds": SLOW_RTT_SECONDS,
        "alone_last_first_trial": spread([max(each.values()) for each in alone]),
        "beside_last_first_trial": spread([max(each.values()) for each in beside]),
        "slow_first_trial": spread(slow_ones) if slow_ones else None,
    }


def idle(lab: Lab, rtt: float, repeats: int) -> dict[str, Any]:
    """The time between the end of a trial and the beginning of the next, over a long road and on this machine."""
    gaps: dict[str, list[float]] = {"local": [], "ssh": []}
    trials: dict[str, list[float]] = {"local": [], "ssh": []}
    with Proxy(lab.server("box").port, rtt_seconds=rtt) as road:
        for _ in range(repeats):
            for where, ports in (("local", {}), ("ssh", {"box": road.port})):
                more, lasted = _gaps(lab.run(TRIALS_OF_IDLE, ports)["records"])
                gaps[where] += more
                trials[where] += lasted
            progress(
                f"between trials: {1000 * median(gaps['local']):.2f} ms here, {1000 * median(gaps['ssh']):.2f} ms over SSH"
            )
    return {
        "rtt_seconds": rtt,
        "trial_seconds": {where: spread(values) for where, values in trials.items()},
        "gap_seconds": {where: spread(values) for where, values in gaps.items()},
        "ratio_of_medians": round(median(gaps["ssh"]) / median(gaps["local"]), 3),
    }


def _gaps(records: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    gaps, lasted, ended = [], [], None
    for envelope in records:
        record = envelope["record"]
        if record["kind"] == "TrialMeasured":
            ended = record["t"]
            lasted.append(record["seconds"])
        elif record["kind"] == "TrialStarted" and ended is not None:
            gaps.append(record["t"] - ended)
            ended = None
    return gaps, lasted


def spread(values: list[float]) -> dict[str, Any]:
    """A few figures of many."""
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "min": round(ordered[0], 5),
        "p50": round(median(ordered), 5),
        "p90": round(ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))], 5),
        "max": round(ordered[-1], 5),
    }


def progress(text: str) -> None:
    """For whoever watches."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, write after each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "ssh_start.json")
    asked = parser.parse_args()
    report: dict[str, Any] = {
        "what": "starts over SSH: seconds from before the app's process to the first trial that starts", **circumstances()
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="tunetui-start-") as name:
        lab = Lab(Path(name))
        parts = {
            "warm": lambda: starts(lab, 0.05, asked.repeats, cold=False),
            "cold": lambda: starts(lab, 0.15, asked.repeats, cold=True),
            "idle": lambda: idle(lab, 0.15, max(1, asked.repeats // 3)),
            "hosts": lambda: many_hosts(lab, max(1, asked.repeats // 3)),
        }
        try:
            for part in asked.part:
                lab.server("box")
                report[part] = parts[part]()
                asked.output.write_text(json.dumps(report, indent=1) + "\n")
        finally:
            lab.stop()
    print(json.dumps({part: report[part] for part in asked.part}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
