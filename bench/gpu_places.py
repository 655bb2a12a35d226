"""What moves a small kernel's median on a GPU: where its inputs, outputs, code or the flush buffer lie, or the process; and what turns leave of it.

    python bench/gpu_places.py [--seconds 60] [--output bench/results/gpu_places.json]

Ten configurations are visited in random order at several levels of one factor, the others held: a few executions that are not timed,
then 48 samples at that one place, of which the median is kept.  Outputs are judged at every level.  Then the same in fresh processes, at
the first place of each and, as tunetui ships, in turns over sixteen.  Processes that allocate alike get like places, so each takes
memory of random sizes first and prepares the configurations in an order of its own, as runs of other grids do.

Printed is the one-way random-effects model of the logarithms, pooled over configurations that were seen to move from run to run on an
H200 and over others that were not: sd between levels, sd of a visit, and the chance of so large an F where levels do not matter.
Takes up to 8 GB of the GPU's memory.
"""
# ruff: noqa: SLF001 - a bench looks inside to exchange one part of an execution and hold the others

from __future__ import annotations

import argparse
import json
import math
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that it also runs by its path

from bench.gpu_lab import RESULTS, SEARCH, Job, Lab, circumstances, open_gpu, plan
from tunetui_agent.devices.gpu import GpuDevice
from tunetui_agent.devices.gpu_buffers import GpuBuffers
from tunetui_agent.devices.gpu_loading import LoadedLaunch, load_launches
from tunetui_agent.messages import Method, Trial

Key = tuple[int, ...]
AXES = ("tile_size", "block_size", "shared_memory_kb")
MOVED: list[Key] = [  # rows of the corpus, then the axes
    (10_000, 16, 32, 4), (10_000, 16, 32, 8), (10_000, 16, 64, 16), (25_000, 16, 32, 4), (25_000, 32, 32, 8),
    (50_000, 48, 32, 8), (50_000, 64, 32, 8),
]  # fmt: skip
STILL: list[Key] = [(10_000, 32, 256, 16), (10_000, 96, 32, 16), (50_000, 32, 256, 16)]
SETS = {"moved": MOVED, "still": STILL}
PLACES = Method().placements
SAMPLES, WARMUPS, VISITS, PROCESSES = 3 * PLACES, 3, 3, 6
FACTORS_SHARE = 0.5  # of the time, so that there is some for the processes
ONE_PLACE, IN_TURNS = "process at one place", "process in turns"
GRID = f"""\
name = "gpu-places"
kernel = {json.dumps(str(SEARCH))}
device = "gpu"
implementations = ["cuda"]
baselines = false
[axes]
tile_size = [16, 32, 48, 64, 96]
block_size = [32, 64, 256]
shared_memory_kb = [4, 8, 16]
[problem]
corpus_size = [10_000, 25_000, 50_000]
dims = 768
queries = 1
k = 10
dtype = "float32"
[method]
occupancy = "theoretical"
placements = 1
"""


def key_of(trial: Trial) -> Key:
    """What a configuration is called here."""
    return (int(trial.problem["corpus_size"]), *(int(trial.configuration[axis]) for axis in AXES))


def chosen(trials: list[Trial]) -> list[Trial]:
    """The configurations of both sets."""
    return [trial for trial in trials if key_of(trial) in MOVED + STILL]


@dataclass(frozen=True)
class Level:
    """What a configuration works with at one level of a factor."""

    inputs: dict[str, Any]
    buffers: GpuBuffers  # outputs, scratch and counters
    launches: list[LoadedLaunch]
    flush: Any


class Subject:
    """One configuration, ready to run, whose parts can be exchanged."""

    def __init__(self, lab: Lab, trial: Trial) -> None:
        self._lab, self._trial = lab, trial
        self.key = key_of(trial)
        self.execution = lab.prepare(trial)
        own = self.execution
        self.first = Level(own._inputs, own._buffers[0], own._launches, lab.device._flush_buffer)

    def use(self, level: Level) -> None:
        """From now on these parts, at one place."""
        own = self.execution
        own._inputs, own._buffers, own._launches = level.inputs, [level.buffers], level.launches
        own._call = own._bound_call(level.inputs, level.buffers)
        own._bound = own._turns = None  # the samples find no other copies of the inputs than these
        self._lab.device._flush_buffer = level.flush

    def take_turns(self, places: int) -> None:
        """From now on as tunetui does it by itself, with ``places`` as the method's placements; not after `use`."""
        spec = self._lab.job.spec
        self.execution._spec = replace(spec, method=replace(spec.method, placements=places))
        self.execution._turns = None

    def copied_inputs(self) -> dict[str, Any]:
        """As `GpuDevice.placed` copies them."""
        return {name: array.copy() for name, array in self.first.inputs.items()}

    def loaded_again(self) -> list[LoadedLaunch]:
        """The same build from another folder: CuPy keeps one module for each path."""
        job = self._lab.job
        folder = Path(job.folder(self._trial))
        elsewhere = Path(tempfile.mkdtemp(dir=job.cache.parent)) / folder.name
        shutil.copytree(folder, elsewhere)
        made = load_launches(self._lab.device, job.implementation(self._trial), self._trial, str(elsewhere))
        for launch in made:
            launch.allow_shared()
        return made

    def check(self) -> None:
        """Every place's outputs are right.  Raises `TrialFault`."""
        self.execution.samples(PLACES, float("inf"))
        inputs = self._lab.oracle.timing_inputs(self._trial)
        for outputs in self.execution.outputs():
            self._lab.oracle.judge(self._trial, inputs, outputs)

    def visit(self) -> list[int]:
        """Nanoseconds of one visit's samples."""
        for _ in range(WARMUPS):
            self.execution.run()
        return self.execution.samples(SAMPLES, float("inf"))


@dataclass(frozen=True)
class Stop:
    """A subject at one level; ``enter`` brings it there."""

    subject: Subject
    factor: str
    level: int
    enter: Callable[[], None]


def visited(device: GpuDevice, stops: list[Stop], draw: random.Random) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row for each of several visits to every stop, in random order; and what the device was like meanwhile."""
    for stop in stops:
        stop.enter()
        stop.subject.check()
    watch, begun = device.watch(), time.monotonic()
    rows: list[dict[str, Any]] = []
    taken: list[int] = []
    for stop in draw.sample(stops * VISITS, len(stops) * VISITS):
        stop.enter()
        samples = stop.subject.visit()
        taken += samples
        rows.append({
            "factor": stop.factor, "configuration": list(stop.subject.key), "level": stop.level,
            "places": stop.subject.execution.placements(), "median_us": median(samples) / 1e3,
        })  # fmt: skip
    telemetry, tags = watch.finish(taken)
    factors = sorted({stop.factor for stop in stops})
    about = {"factors": factors, "visits": len(rows), "seconds": round(time.monotonic() - begun, 1), "tags": tags}
    print(f"{', '.join(factors)}: {len(rows)} visits in {about['seconds']} s", file=sys.stderr, flush=True)
    return rows, {**about, **telemetry}


def factors(device: GpuDevice) -> dict[str, tuple[int, Callable[[Subject, int], Level]]]:
    """How many levels each factor has, the first placement among them, and what makes another one."""
    flushes = [device.cupy.empty_like(device._flush_buffer) for _ in range(8)]
    return {
        "inputs": (8, lambda s, _: replace(s.first, inputs=s.copied_inputs())),
        "buffers": (8, lambda s, _: replace(s.first, buffers=s.first.buffers.another())),
        "code": (6, lambda s, _: replace(s.first, launches=s.loaded_again())),
        "flush buffer": (6, lambda s, n: replace(s.first, flush=flushes[n])),
        "all": (8, lambda s, n: Level(s.copied_inputs(), s.first.buffers.another(), s.loaded_again(), flushes[n])),
    }


def compare_factors(lab: Lab, subjects: list[Subject], draw: random.Random, seconds: float) -> dict[str, Any]:
    """One factor after the other, while there is time; all levels of one are there before its first visit."""
    rows, notes, end = [], [], time.monotonic() + seconds
    for name, (count, make) in factors(lab.device).items():
        if time.monotonic() > end:
            print(f"no time left for {name}", file=sys.stderr)
            continue
        stops = []
        for subject in subjects:
            levels = [subject.first, *(make(subject, n) for n in range(1, count))]
            stops += [Stop(subject, name, n, partial(subject.use, level)) for n, level in enumerate(levels)]
        found, about = visited(lab.device, stops, draw)
        rows += found
        notes.append(about)
        for subject in subjects:
            subject.use(subject.first)
        stops, levels = [], []  # so that the memory of this factor's levels goes back
        lab.device.cupy.get_default_memory_pool().free_all_blocks()
    return {"rows": rows, "telemetry": notes}


def one_process(job: Job, number: int, seconds: float) -> dict[str, Any]:
    """What a process of its own does: number 0 compares the factors, each other one is a level itself."""
    device, draw = open_gpu(), random.Random(number)
    lab, subjects, held = Lab(job, device), [], []
    for trial in draw.sample(job.trials, len(job.trials)):
        if number:
            held.append(device.cupy.empty(int(2 ** draw.uniform(10, 26)), "uint8"))  # 1 KiB to 64 MiB
        subjects.append(Subject(lab, trial))
    if number == 0:
        found = compare_factors(lab, subjects, draw, seconds)
    else:
        ways = ((ONE_PLACE, 1), (IN_TURNS, PLACES))
        stops = [Stop(s, way, number, partial(s.take_turns, places)) for s in subjects for way, places in ways]
        rows, about = visited(device, stops, draw)
        found = {"rows": rows, "telemetry": [{"process": number, **about}]}
    return {"circumstances": circumstances(device), **found}


def component(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """How far levels lie apart beyond what visits to one level do: method of moments, pooled over configurations.

    None where there are not two levels and a second visit.
    """
    by: dict[Key, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by[tuple(row["configuration"])][row["level"]].append(math.log(row["median_us"]))
    between = within = weight = 0.0
    levels_df = visits_df = 0
    for levels in by.values():
        groups = list(levels.values())
        count, grand = sum(map(len, groups)), mean(value for group in groups for value in group)
        between += sum(len(group) * (mean(group) - grand) ** 2 for group in groups)
        within += sum((value - mean(group)) ** 2 for group in groups for value in group)
        weight += count - sum(len(group) ** 2 for group in groups) / count
        levels_df += len(groups) - 1
        visits_df += count - len(groups)
    if not levels_df or not visits_df or not within:
        return None
    visit_variance = within / visits_df
    level_variance = max(0.0, (between - levels_df * visit_variance) / weight)
    f = between / levels_df / visit_variance
    return {
        "sd_between_levels_percent": round(100 * math.sqrt(level_variance), 3),
        "sd_of_a_visit_percent": round(100 * math.sqrt(visit_variance), 3),
        "f": round(f, 2), "degrees_of_freedom": [levels_df, visits_df], "p": f_tail(f, levels_df, visits_df),
    }  # fmt: skip


def f_tail(f: float, above: int, below: int) -> float:
    """The chance of a larger F where levels do not matter, to about 0.0005: out of 200,000 draws, for want of SciPy."""
    draw = np.random.default_rng(0)
    drawn = draw.chisquare(above, 200_000) / above / (draw.chisquare(below, 200_000) / below)
    return round(float(np.mean(drawn >= f)), 4)


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each factor and set of configurations, in the order in which they were measured."""
    lines = []
    for factor in dict.fromkeys(row["factor"] for row in rows):
        for name, keys in SETS.items():
            own = [row for row in rows if row["factor"] == factor and tuple(row["configuration"]) in keys]
            found = component(own)
            if found:
                places = min(row["places"] for row in own)
                lines.append({"factor": factor, "configurations": name, "places": places, **found})
    return sorted(lines, key=lambda line: line["factor"] == IN_TURNS)  # both ways were visited in one random order


def medians(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each configuration and factor: the visits' medians in microseconds by level."""
    by: dict[tuple[Key, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by[tuple(row["configuration"]), row["factor"]][row["level"]].append(row["median_us"])
    return [
        {"configuration": list(key), "factor": factor, "medians_us": dict(sorted(levels.items()))}
        for (key, factor), levels in sorted(by.items())
    ]


def print_table(lines: list[dict[str, Any]]) -> None:
    """As people read it."""
    print(
        f"{'factor':<22}{'configurations':<16}{'places':>6}{'sd between levels':>19}{'sd of a visit':>15}{'F':>8}{'p':>9}"
    )
    for line in lines:
        p = f"{line['p']:.4f}" if line["p"] else "<0.0001"
        print(
            f"{line['factor']:<22}{line['configurations']:<16}{line['places']:>6}"
            f"{line['sd_between_levels_percent']:>17.2f} %{line['sd_of_a_visit_percent']:>13.2f} %{line['f']:>8.1f}{p:>9}"
        )


def processes(job: Job, folder: Path, seconds: float) -> list[dict[str, Any]]:
    """What each process said, one after the other; one that fails costs what it would have said."""
    path, said, begun = folder / "job.pickle", [], time.monotonic()
    path.write_bytes(pickle.dumps(job))
    for number in range(PROCESSES + 1):
        if time.monotonic() - begun > seconds:
            print(f"no time left for process {number}", file=sys.stderr)
            break
        command = [sys.executable, str(Path(__file__).resolve()), "--seconds", str(FACTORS_SHARE * seconds)]
        ended = subprocess.run([*command, "--visit", str(path), str(number)], stdout=subprocess.PIPE, check=False)
        if ended.returncode:
            print(f"process {number} failed", file=sys.stderr)
            continue
        said.append(json.loads(ended.stdout.splitlines()[-1]))
    return said


def main() -> int:
    """Build here, visit in processes of their own, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="once built, nothing more is begun after so many")
    parser.add_argument("--output", type=Path, default=RESULTS / "gpu_places.json")
    parser.add_argument("--visit", nargs=2, metavar=("JOB", "NUMBER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.visit:
        job = pickle.loads(Path(asked.visit[0]).read_bytes())  # noqa: S301 - written by the process that started this one
        print(json.dumps(one_process(job, int(asked.visit[1]), asked.seconds)))
        return 0
    with tempfile.TemporaryDirectory(prefix="gpu-places-") as name:
        said = processes(plan(GRID, Path(name), chosen), Path(name), asked.seconds)
    if not said:
        return 1
    rows = [row for each in said for row in each["rows"]]
    result = {
        "what": "medians of repeated visits while one thing lies elsewhere; levels of a process are processes",
        **said[0]["circumstances"], "samples": SAMPLES, "visits": VISITS, "summary": summary(rows),
        "telemetry": [note for each in said for note in each["telemetry"]], "medians": medians(rows),
    }  # fmt: skip
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    print_table(result["summary"])
    print(asked.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
