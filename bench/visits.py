"""Where two measurements of one kernel differ: samples queued all at once or one at a time, the same buffers or fresh ones, another process.

    python -m bench.visits [--processes 2] [--output bench/results/visits.json]

Each process visits every configuration several times, in random order: a few executions that are not timed, then 60 samples, of which the
median is kept.  The figures are standard deviations of those medians, pooled over configurations, beside what the samples themselves say.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median
from typing import Any

from bench.gpu_lab import RESULTS, SEARCH, Job, Lab, call_of, circumstances, open_gpu, plan, sample
from tunetui_agent.devices.gpu import GpuDevice
from tunetui_agent.devices.gpu_execution import GpuExecution
from tunetui_agent.messages import Trial
from tunetui_agent.stopping import median_interval

SIZES, EACH, SAMPLES, VISITS, WARMUPS = (10_000, 50_000), 6, 60, 4, 5
QUEUED, ALONE, FRESH = "all queued at once", "one at a time", "one at a time, fresh buffers"
GRID = f"""\
name = "visits"
kernel = {json.dumps(str(SEARCH))}
device = "gpu"
implementations = ["cuda"]
baselines = false
[axes]
tile_size = [16, 32, 64, 128]
block_size = [32, 64, 128, 256]
shared_memory_kb = [4, 8, 16, 32]
[problem]
corpus_size = {list(SIZES)}
dims = 768
queries = 1
k = 10
dtype = "float32"
[method]
occupancy = "theoretical"
"""


def chosen(trials: list[Trial]) -> list[Trial]:
    """The same few configurations of every size."""
    return [t for size in SIZES for t in sample([t for t in trials if t.problem["corpus_size"] == size], EACH)]


def queued(device: GpuDevice, execution: GpuExecution) -> list[int]:
    """Every sample queued before the first is waited for, each as tunetui takes it."""
    cupy, stream, call = device.cupy, device.stream, call_of(execution)
    pairs = [(cupy.cuda.Event(), cupy.cuda.Event()) for _ in range(SAMPLES)]
    for start, stop in pairs:
        device.flush()
        device.harness.wait(0.0)
        start.record(stream)
        call()
        stop.record(stream)
    device.synchronize()
    return [round(cupy.cuda.get_elapsed_time(start, stop) * 1e6) for start, stop in pairs]


def visit(device: GpuDevice, execution: GpuExecution, way: str) -> dict[str, float]:
    """One visit's median in microseconds, and half its interval's width in percent."""
    for _ in range(WARMUPS):
        execution.run()
    samples = queued(device, execution) if way == QUEUED else execution.samples(SAMPLES, float("inf"))
    found = median_interval(samples, 95.0)
    if found is None:
        raise SystemExit("too few samples for an interval")
    return {"median_us": found.median / 1e3, "half_width_percent": found.half_width_percent}


def one_process(job: Job, number: int) -> dict[str, Any]:
    """All visits of one process."""
    device, draw, rows = open_gpu(), random.Random(number), []
    lab, trials = Lab(job, device), list(job.trials)
    ready = {trial.id: lab.prepare(trial) for trial in trials}
    for way in (QUEUED, ALONE, FRESH):
        for _ in range(VISITS):
            held = None
            if way == FRESH:
                ready.clear()
                device.release()
                held = device.cupy.empty(draw.randrange(1 << 20, 200 << 20), "uint8")  # so that memory lies elsewhere
            for trial in draw.sample(trials, len(trials)):
                execution = ready.get(trial.id) or lab.prepare(trial)
                found = visit(device, execution, way)
                rows.append(
                    {"trial": trial.id, "size": trial.problem["corpus_size"], "way": way, "process": number, **found}
                )
            del held
    return {"circumstances": circumstances(device), "rows": rows}


def pooled_sd_percent(groups: Iterable[list[float]]) -> float:
    """Of logarithms around the mean of their own group."""
    squares = freedom = 0.0
    for group in groups:
        logs = [math.log(each) for each in group]
        squares += sum((each - mean(logs)) ** 2 for each in logs)
        freedom += len(logs) - 1
    return round(100 * math.sqrt(squares / freedom), 3) if freedom else float("nan")


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each size and way."""
    lines = []
    for size in SIZES:
        for way in (QUEUED, ALONE, FRESH):
            own = [row for row in rows if (row["size"], row["way"]) == (size, way)]
            visits: dict[tuple[str, int], list[float]] = defaultdict(list)
            for row in own:
                visits[row["trial"], row["process"]].append(row["median_us"])
            means: dict[str, list[float]] = defaultdict(list)
            for (trial, _), medians in visits.items():
                means[trial].append(math.exp(mean(map(math.log, medians))))
            lines.append({
                "corpus_size": size, "samples": way,
                "mean_us": round(mean(row["median_us"] for row in own), 3),
                "sd_between_visits_percent": pooled_sd_percent(visits.values()),
                "sd_expected_from_samples_percent": round(median(row["half_width_percent"] for row in own) / 1.96, 3),
                "sd_between_processes_percent": pooled_sd_percent(means.values()),
            })  # fmt: skip
    return lines


def main() -> int:
    """Build here, visit in processes of their own, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS / "visits.json")
    parser.add_argument("--visit", nargs=2, metavar=("JOB", "NUMBER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.visit:
        job = pickle.loads(Path(asked.visit[0]).read_bytes())  # noqa: S301 - written by the process that started this one
        print(json.dumps(one_process(job, int(asked.visit[1]))))
        return 0
    with tempfile.TemporaryDirectory(prefix="visits-") as name:
        path = Path(name) / "job.pickle"
        path.write_bytes(pickle.dumps(plan(GRID, Path(name), chosen)))
        command = [sys.executable, "-m", "bench.visits", "--visit", str(path)]
        said = [
            json.loads(
                subprocess.run([*command, str(number)], stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1]
            )
            for number in range(asked.processes)
        ]
    rows = [row for each in said for row in each["rows"]]
    result = {
        "what": "medians of repeated visits",
        **said[0]["circumstances"],
        "samples": SAMPLES,
        "summary": summary(rows),
    }
    asked.output.write_text(json.dumps({**result, "rows": rows}, indent=1) + "\n")
    for line in result["summary"]:
        print(line)
    print(asked.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
