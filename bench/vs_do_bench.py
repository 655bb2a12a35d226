"""Our cold median of a CUDA kernel against `triton.testing.do_bench` of the same launches, in one process, in turn.

    python -m bench.vs_do_bench [--rounds 5] [--samples 100] [--output bench/results/vs_do_bench.json]

Both clear the L2 before every sample and time with CUDA events.  They differ in how they clear it: do_bench overwrites 256 MB, tunetui
overwrites twice the L2 and reads it back, so that the kernel under the clock does not pay for writing back what the clearing left.
So each is also run with the other's clearing, which tells the policy from the method; a plain loop (clear, event, launches, event) with
do_bench's clearing, and tunetui's own loop with all samples queued at once, show what do_bench's queueing changes, and what tunetui's wait
of 40 us between the clearing and the first event does.
Needs torch and triton 3.x beside CuPy.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from bench.gpu_lab import RESULTS, SEARCH, Job, Lab, call_of, circumstances, open_gpu, plan, sample
from tunetui_agent.devices.gpu import GpuDevice
from tunetui_agent.devices.gpu_execution import GpuExecution
from tunetui_agent.messages import Trial
from tunetui_agent.stopping import median_interval

TRITON_CLEARED_BYTES = 256 << 20  # triton/backends/nvidia/driver.py, get_empty_cache_for_benchmark (3.6)
QUERIES = {1: 3, 100: 2}  # queries to configurations
CLEARING_MS = 0.1  # about; do_bench counts it into the milliseconds that it was given
ROUND_WARMUPS = 5
GRID = f"""\
name = "vs-do-bench"
kernel = {json.dumps(str(SEARCH))}
device = "gpu"
implementations = ["cuda"]
baselines = false
[problem]
corpus_size = 50_000
dims = 768
queries = {json.dumps(list(QUERIES))}
k = 10
dtype = "float32"
[method]
cache = "cold"
placements = 1
"""


@dataclass(frozen=True)
class Ways:
    """Every way to time one execution; each returns milliseconds of ``samples`` executions."""

    device: GpuDevice
    execution: GpuExecution
    samples: int

    def tunetui(self) -> list[float]:
        """As shipped."""
        taken: list[int] = []
        while len(taken) < self.samples:
            taken += self.execution.samples(self.samples - len(taken), float("inf"))
        return [ns / 1e6 for ns in taken]

    def tunetui_cleared_as_do_bench(self) -> list[float]:
        """As shipped, but for what is done to the L2."""
        with overwriting(self.device, TRITON_CLEARED_BYTES):
            return self.tunetui()

    def queued_and_cleared_as_do_bench(self) -> list[float]:
        """Ours, but every sample queued before the first is waited for, as do_bench does, and its clearing."""
        cupy, stream, call = self.device.cupy, self.device.stream, call_of(self.execution)
        pairs = [(cupy.cuda.Event(), cupy.cuda.Event()) for _ in range(self.samples)]
        with overwriting(self.device, TRITON_CLEARED_BYTES):
            for start, stop in pairs:
                self.device.flush()
                self.device.harness.wait(0.0)
                start.record(stream)
                call()
                stop.record(stream)
        return [cupy.cuda.get_elapsed_time(start, stop) for start, stop in pairs]

    def plain_loop_cleared_as_do_bench(self) -> list[float]:
        """Clear, event, launches, event: nothing in between."""
        cupy, stream, call = self.device.cupy, self.device.stream, call_of(self.execution)
        pairs = [(cupy.cuda.Event(), cupy.cuda.Event()) for _ in range(self.samples)]
        with overwriting(self.device, TRITON_CLEARED_BYTES):
            for start, stop in pairs:
                self.device.flush()
                start.record(stream)
                call()
                stop.record(stream)
        return [cupy.cuda.get_elapsed_time(start, stop) for start, stop in pairs]

    def do_bench(self) -> list[float]:
        """Triton's own; it takes milliseconds to spend where tunetui takes a number of samples."""
        testing = import_module("triton.testing")
        call = call_of(self.execution)
        rough_ms = min(testing.do_bench(call, warmup=1, rep=1, return_mode="all")) + CLEARING_MS
        found = testing.do_bench(call, warmup=5 * rough_ms, rep=self.samples * rough_ms, return_mode="all")
        return [float(ms) for ms in found]

    def do_bench_cleared_as_tunetui(self) -> list[float]:
        """Triton's own, but for what is done to the L2."""
        driver = import_module("triton.runtime").driver.active
        before = driver.clear_cache
        driver.clear_cache = lambda _: self.device.flush()
        try:
            return self.do_bench()
        finally:
            driver.clear_cache = before


WAYS: dict[str, Callable[[Ways], list[float]]] = {
    "tunetui": Ways.tunetui,
    "do_bench": Ways.do_bench,
    "tunetui_cleared_as_do_bench": Ways.tunetui_cleared_as_do_bench,
    "do_bench_cleared_as_tunetui": Ways.do_bench_cleared_as_tunetui,
    "queued_and_cleared_as_do_bench": Ways.queued_and_cleared_as_do_bench,
    "plain_loop_cleared_as_do_bench": Ways.plain_loop_cleared_as_do_bench,
}
RATIOS = {
    "both_cleared_as_do_bench": ("tunetui_cleared_as_do_bench", "do_bench"),
    "both_cleared_as_tunetui": ("tunetui", "do_bench_cleared_as_tunetui"),
    "both_queued_and_cleared_as_do_bench": ("queued_and_cleared_as_do_bench", "do_bench"),
    "each_as_shipped": ("tunetui", "do_bench"),
    "plain_loop_over_do_bench": ("plain_loop_cleared_as_do_bench", "do_bench"),
}


@contextmanager
def overwriting(device: GpuDevice, size_bytes: int) -> Iterator[None]:
    """The device clears its L2 as do_bench does."""
    runtime, memory = device.cupy.cuda.runtime, device.cupy.cuda.alloc(size_bytes)
    vars(device)["flush"] = lambda: runtime.memsetAsync(memory.ptr, 0, size_bytes, device.stream.ptr)
    try:
        yield
        device.synchronize()
    finally:
        del vars(device)["flush"]


def compare(lab: Lab, trial: Trial, rounds: int, samples: int) -> dict[str, Any]:
    """One configuration, all ways in turn, in rotated order."""
    execution = lab.prepare(trial)
    ways = Ways(lab.device, execution, samples)
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    by_round: dict[str, list[float]] = {name: [] for name in WAYS}
    names = list(WAYS)
    for _ in range(ROUND_WARMUPS):
        execution.run()
    for place in range(rounds):
        turn = place % len(names)
        for name in names[turn:] + names[:turn]:
            found = WAYS[name](ways)
            taken[name] += found
            by_round[name].append(median(found))
    medians = {name: median(found) for name, found in taken.items()}
    return {
        "queries": trial.problem["queries"],
        "configuration": trial.configuration,
        "ratios": {name: round(medians[ours] / medians[theirs], 4) for name, (ours, theirs) in RATIOS.items()},
        "empty_launch_between_events_us": round(execution.overhead_ns() / 1e3, 3),
        "ways_ms": {name: summary(found, by_round[name]) for name, found in taken.items()},
    }


def summary(taken_ms: list[float], by_round_ms: list[float]) -> dict[str, Any]:
    """Median, its interval, and how far single rounds lie apart: the noise that a ratio has to be held against."""
    interval = median_interval([round(ms * 1e6) for ms in taken_ms], 95.0)
    middle = median(taken_ms)
    return {
        "median": round(middle, 6),
        "interval_95": [round(interval.low / 1e6, 6), round(interval.high / 1e6, 6)] if interval else None,
        "min": round(min(taken_ms), 6),
        "n": len(taken_ms),
        "rounds_apart_percent": round(100 * (max(by_round_ms) - min(by_round_ms)) / middle, 2),
    }


def pick(trials: list[Trial]) -> list[Trial]:
    """A few configurations of each number of queries."""
    return [
        trial
        for queries, count in QUERIES.items()
        for trial in sample([each for each in trials if each.problem["queries"] == queries], count)
    ]


def report(job: Job, rounds: int, samples: int) -> dict[str, Any]:
    """Everything that is kept."""
    lab = Lab(job, open_gpu())
    results = [compare(lab, trial, rounds, samples) for trial in job.trials]
    return {
        "what": "median by CUDA events of the same launches: tunetui over triton.testing.do_bench, cold L2",
        **circumstances(lab.device),
        "torch": import_module("torch").__version__,
        "triton": import_module("triton").__version__,
        "cleared_bytes": {
            "tunetui": max(2 * lab.device.device.attributes["l2_bytes"], 32 << 20),
            "do_bench": TRITON_CLEARED_BYTES,
        },
        "largest_difference_percent": {
            name: round(max(abs(each["ratios"][name] - 1) for each in results) * 100, 2) for name in RATIOS
        },
        "results": results,
    }


def main() -> int:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--output", type=Path, default=RESULTS / "vs_do_bench.json")
    asked = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="vs-do-bench-") as folder:
        found = report(plan(GRID, Path(folder), pick), asked.rounds, asked.samples)
    asked.output.write_text(json.dumps(found, indent=1) + "\n")
    for each in found["results"]:
        print(f"Q={each['queries']} {each['configuration']}\n  ratios {each['ratios']}")
        for name, way in each["ways_ms"].items():
            print(
                f"  {name:<32} {way['median'] * 1e3:9.2f} us  n {way['n']}  rounds {way['rounds_apart_percent']} % apart"
            )
    print(f"largest differences, percent: {found['largest_difference_percent']}")
    print(f"{time.perf_counter() - begun:.0f} s; {asked.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
