"""How fast and how small tunetui builds published search spaces, against Kernel Tuner 1.5.0 in the same run.

    python -m venv /tmp/kernel-tuner && /tmp/kernel-tuner/bin/pip install kernel-tuner==1.5.0
    python bench/space.py --kernel-tuner /tmp/kernel-tuner/bin/python

Each side builds each space in processes of its own, in turn, `ROUNDS` times.  A build ends when every valid
configuration is listed: for Kernel Tuner its `Searchspace` as `tune_kernel` makes it, for tunetui the space and one
index column per axis.  Time is the median of all builds; memory is the growth of the process's peak over what it
held before its first build, median of the rounds.  The two sets of configurations must be equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SPACES = ("hotspot", "expdist")
ROUNDS = 3
BUILDS = 3
KERNEL_TUNER = "1.5.0"
MAX_THREADS = 1024  # what Kernel Tuner's `tune_kernel` reads from the device


def main() -> None:
    """Run one side if asked to (in a child), else everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel-tuner", default=sys.executable, metavar="PYTHON", help="a Python that has it")
    parser.add_argument("--side", choices=("tunetui", "kernel_tuner"), help=argparse.SUPPRESS)
    parser.add_argument("--space", choices=SPACES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        problem = json.loads((HERE / "spaces" / f"{options.space}.json").read_text())
        print(json.dumps(_by_tunetui(problem) if options.side == "tunetui" else _by_kernel_tuner(problem)))
        return
    pythons = {"tunetui": sys.executable, "kernel_tuner": options.kernel_tuner}
    results = {space: _compared(space, pythons) for space in SPACES}
    target = HERE / "results" / "space.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({**_where(), "kernel_tuner": KERNEL_TUNER, "spaces": results}, indent=1) + "\n")
    print(f"written to {target}")


def _compared(space: str, pythons: dict[str, str]) -> dict[str, Any]:
    rounds: dict[str, list[dict[str, Any]]] = {side: [] for side in pythons}
    for _ in range(ROUNDS):
        for side, python in pythons.items():
            command = [python, str(Path(__file__)), "--side", side, "--space", space]
            rounds[side].append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    sides = {
        side: {
            "seconds": statistics.median(second for one in found for second in one["seconds"]),
            "all_seconds": [second for one in found for second in one["seconds"]],
            "megabytes": statistics.median(one["megabytes"] for one in found),
            "valid": found[0]["valid"],
        }
        for side, found in rounds.items()
    }
    ours, theirs = sides["tunetui"], sides["kernel_tuner"]
    equal = len({one["digest"] for found in rounds.values() for one in found}) == 1
    speed, size = theirs["seconds"] / ours["seconds"], theirs["megabytes"] / ours["megabytes"]
    print(
        f"{space}: {ours['valid']:,} configurations, sets {'equal' if equal else 'DIFFERENT'}; "
        f"{ours['seconds']:.4f} s against {theirs['seconds']:.3f} s: {speed:.0f} times faster; "
        f"{ours['megabytes']:.1f} MB against {theirs['megabytes']:.0f} MB: {size:.0f} times smaller"
    )
    return {"equal": equal, "times_faster": round(speed, 1), "times_smaller": round(size, 1), **sides}


def _by_tunetui(problem: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from tunetui.core.joining import build_space

    seconds, megabytes = [], 0.0
    for number in range(BUILDS):
        before = _memory("VmRSS", reset=True)
        started = time.perf_counter()
        space = build_space(problem["axes"], problem["constraints"])
        indices = space.indices()
        seconds.append(time.perf_counter() - started)
        if number == 0:
            megabytes = _memory("VmHWM") - before
    values = [np.array(problem["axes"][name])[column].tolist() for name, column in indices.items()]
    return _outcome(seconds, megabytes, list(zip(*values, strict=True)))


def _by_kernel_tuner(problem: dict[str, Any]) -> dict[str, Any]:
    from importlib.metadata import version

    from kernel_tuner.searchspace import Searchspace

    if version("kernel-tuner") != KERNEL_TUNER:
        raise SystemExit(f"this compares with kernel-tuner {KERNEL_TUNER}, found {version('kernel-tuner')}")
    seconds, megabytes = [], 0.0
    for number in range(BUILDS):
        axes, where = {name: list(values) for name, values in problem["axes"].items()}, list(problem["constraints"])
        before = _memory("VmRSS", reset=True)
        started = time.perf_counter()
        space = Searchspace(axes, where, MAX_THREADS)
        seconds.append(time.perf_counter() - started)
        if number == 0:
            megabytes = _memory("VmHWM") - before
        rows = [tuple(row) for row in space.list]
    return _outcome(seconds, megabytes, rows)


def _outcome(seconds: list[float], megabytes: float, rows: list[tuple[Any, ...]]) -> dict[str, Any]:
    digest = hashlib.sha256("\n".join(sorted(map(repr, rows))).encode()).hexdigest()
    return {"seconds": seconds, "megabytes": megabytes, "valid": len(rows), "digest": digest}


def _memory(field: str, *, reset: bool = False) -> float:
    """Megabytes of this process from Linux's own books; ``reset`` first sets the peak (``VmHWM``) to the present."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"{field} is not in /proc/self/status: this benchmark needs Linux")


def _where() -> dict[str, str]:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True).stdout.strip()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}",
        "commit": commit,
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


if __name__ == "__main__":
    main()
