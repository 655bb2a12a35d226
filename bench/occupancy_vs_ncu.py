"""Achieved occupancy as tunetui traces it against Nsight Compute's, for twenty launches of different shapes.

    python -m bench.occupancy_vs_ncu [--ncu /usr/local/cuda/bin/ncu] [--output bench/results/occupancy_vs_ncu.json]

ncu profiles a second process that makes the same launches, of the timed build and of the traced one, each after the same L2 flush,
in one pass and without touching clocks or caches.  Beside tunetui's own figure the trace is turned into a percentage by other
definitions, so that one can see which of them the profiler's counter follows; where the two are more than a point apart, both builds'
counters and what every multiprocessor did are kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from bench.gpu_lab import RESULTS, ROOT, SEARCH, Job, Lab, circumstances, launches_of, open_gpu, plan, sample
from tunetui_agent.devices.gpu_loading import LoadedLaunch, load_kernels
from tunetui_agent.devices.gpu_trace import NAME, REASON

if TYPE_CHECKING:
    from tunetui_agent.devices.gpu import GpuDevice
    from tunetui_agent.devices.gpu_execution import GpuExecution
    from tunetui_agent.messages import Trial

COUNTER = "sm__warps_active.avg.pct_of_peak_sustained_active"
METRICS = [
    COUNTER, "sm__warps_active.sum", "sm__cycles_active.sum", "sm__cycles_active.min", "sm__cycles_active.max",
    "sm__cycles_elapsed.max", "launch__registers_per_thread",
]  # fmt: skip
TRACES, PROFILES = 5, 3
FAR_APART = 1.0  # points
# block, unroll, blocks, shared_kb.  One wave, a wave and a half, tails, idle multiprocessors, residency by shared memory.
SHAPES = [
    (64, 2, 528, 0), (64, 2, 792, 0), (128, 3, 1056, 0), (128, 3, 1584, 0), (256, 3, 528, 0), (256, 3, 792, 0),
    (256, 2, 1056, 0), (256, 2, 1584, 0), (512, 3, 264, 0), (512, 3, 396, 0), (128, 2, 1584, 27), (128, 1, 66, 0),
    (256, 2, 133, 0), (1024, 2, 132, 0),
]  # fmt: skip
AXES = ["block", "unroll", "blocks", "shared_kb"]
SHAPES_GRID = "\n".join([
    'name = "shapes"', f"kernel = {json.dumps(str(ROOT / 'bench' / 'shapes'))}", 'device = "gpu"', "[axes]",
    *(f"{axis} = {json.dumps(sorted({shape[place] for shape in SHAPES}))}" for place, axis in enumerate(AXES)),
])  # fmt: skip
SEARCH_GRID = f"""\
name = "searches"
kernel = {json.dumps(str(SEARCH))}
device = "gpu"
implementations = ["cuda"]
baselines = false
[problem]
corpus_size = 50_000
dims = 768
queries = [1, 100]
k = 10
dtype = "float32"
"""


def pick_shapes(trials: list[Trial]) -> list[Trial]:
    """The shapes of the list, in its order."""
    known = {tuple(trial.configuration[axis] for axis in AXES): trial for trial in trials}
    return [known[shape] for shape in SHAPES]


def pick_searches(trials: list[Trial]) -> list[Trial]:
    """Four configurations for one query, two for a hundred."""
    by_queries = {number: [t for t in trials if t.problem["queries"] == number] for number in (1, 100)}
    return sample(by_queries[1], 4) + sample(by_queries[100], 2)


# ------------------------------------------------------------------------------------------- tunetui's side


def traced_twin(device: GpuDevice, job: Job, trial: Trial, launch: LoadedLaunch) -> LoadedLaunch:
    """The traced build of an execution's only launch."""
    from tunetui_agent.build.cuda import traced_key

    folder = Path(job.folder(trial))
    kernels, _ = load_kernels(device, folder.with_name(traced_key(folder.name)))
    twin = LoadedLaunch(device, launch.entry, launch.arguments, launch.geometry, kernels[launch.entry])
    twin.allow_shared()
    return twin


def look(lab: Lab, trial: Trial) -> dict[str, Any]:
    """Our figure for one launch, and the same trace by every definition."""
    execution = lab.prepare(trial)
    figures = execution.resources()
    ((launch, arguments),) = launches_of(execution)
    twin = traced_twin(lab.device, lab.job, trial, launch)
    trace = lab.device.cupy.zeros((launch.blocks * -(-launch.threads // 32), 3), lab.device.cupy.uint64)
    looks = []
    for _ in range(TRACES):
        lab.device.flush()
        twin((*arguments, trace))
        lab.device.synchronize()
        looks.append(definitions(lab.device, trace.get()))
    return {
        "kernel": launch.entry,
        "problem": trial.problem,
        "configuration": trial.configuration,
        "registers": figures["registers"],
        "blocks": launch.blocks,
        "blocks_per_multiprocessor": figures["blocks_per_multiprocessor"],
        "theoretical": figures["occupancy_theoretical_percent"],
        "traced": figures.get(NAME),
        "reason": figures.get(REASON, ""),
        "by_definition": {
            name: round(median(each[name] for each in looks), 2) for name in looks[0] if name != "multiprocessors"
        },
        "multiprocessors": looks[-1]["multiprocessors"],
    }


def definitions(device: GpuDevice, rows: Any) -> dict[str, Any]:
    """Occupancy in percent from a trace of (start ns, stop ns, multiprocessor), by every definition that comes to mind."""
    import numpy as np

    attributes = device.device.attributes
    most = attributes["max_threads_per_multiprocessor"] // attributes["warp_size"]
    busy, windows, active, counts = [], [], [], []
    for where in np.unique(rows[:, 2]):
        own = rows[rows[:, 2] == where]
        own = own[np.argsort(own[:, 0])]
        start, stop = own[:, 0].astype(np.int64), own[:, 1].astype(np.int64)
        busy.append(int((stop - start).sum()))
        windows.append(int(stop.max() - start.min()))
        reached = np.maximum.accumulate(stop)
        active.append(windows[-1] - int(np.maximum(start[1:] - reached[:-1], 0).sum()))  # less the gaps without a warp
        counts.append(len(own))
    whole = int(rows[:, 1].max()) - int(rows[:, 0].min())
    stamps = np.unique(rows[:, :2])
    return {
        "mean_of_ratios": 100 * mean(b / (w * most) for b, w in zip(busy, windows, strict=True) if w),
        "ratio_of_sums": 100 * sum(busy) / (sum(windows) * most),
        "ratio_of_sums_without_gaps": 100 * sum(busy) / (sum(active) * most),
        "whole_kernel_used_multiprocessors": 100 * sum(busy) / (whole * len(busy) * most),
        "whole_kernel_all_multiprocessors": 100 * sum(busy) / (whole * attributes["multiprocessors"] * most),
        "multiprocessors": {
            "with_warps": len(busy),
            "warps_each": {str(warps): number for warps, number in sorted(Counter(counts).items())},
            "window_ns": [min(windows), round(median(windows)), max(windows)],
            "without_warp_inside_window_ns": max(w - a for w, a in zip(windows, active, strict=True)),
            "whole_kernel_ns": whole,
            "timer_step_ns": int(np.diff(stamps).min()) if len(stamps) > 1 else 0,
        },
    }


# ----------------------------------------------------------------------------------------------- ncu's side


def profile(ncu: str, jobs: list[Job], folder: Path) -> list[dict[str, float]]:
    """The metrics of every profiled launch, in order of launching."""
    task, log = folder / "task.pickle", folder / "ncu.csv"
    task.write_bytes(pickle.dumps(jobs))
    given = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *map(os.path.abspath, given)])}
    command = [
        ncu, "--clock-control", "none", "--cache-control", "none", "--target-processes", "application-only",
        "--kernel-name-base", "function", "--kernel-name", "regex:^(shapes|search)$", "--metrics", ",".join(METRICS),
        "--csv", "--page", "raw", "--print-units", "base", "--log-file", str(log),
        sys.executable, "-m", "bench.occupancy_vs_ncu", "--launch", str(task),
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    text = log.read_text() if log.exists() else ""
    if done.returncode != 0 or '"ID"' not in text:
        raise SystemExit(
            f"ncu failed ({done.returncode}):\n{text[-3000:]}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        )
    return read_csv(text)


def read_csv(text: str) -> list[dict[str, float]]:
    """The metrics of each launch; a row without an ID is the one of units."""
    lines = [line for line in text.splitlines() if line.startswith('"')]
    begin = next(place for place, line in enumerate(lines) if line.startswith('"ID"'))
    rows = [row for row in csv.DictReader(lines[begin:]) if (row["ID"] or "").strip().isdigit()]
    return [{name: float((row[name] or "nan").replace(",", "")) for name in METRICS} for row in rows]


def launch_all(task: Path) -> None:
    """Under ncu: every trial once for its inputs, then the timed build and the traced one several times."""
    jobs: list[Job] = pickle.loads(task.read_bytes())  # noqa: S301 - written by the process that started this one
    device = open_gpu()
    for job in jobs:
        lab = Lab(job, device)
        for trial in job.trials:
            launch_one(lab, trial, lab.prepare(trial))


def launch_one(lab: Lab, trial: Trial, execution: GpuExecution) -> None:
    """`PROFILES` launches of each build."""
    ((launch, arguments),) = launches_of(execution)
    twin = traced_twin(lab.device, lab.job, trial, launch)
    trace = lab.device.cupy.zeros((launch.blocks * -(-launch.threads // 32), 3), lab.device.cupy.uint64)
    for kernel, given in ((launch, arguments), (twin, (*arguments, trace))):
        for _ in range(PROFILES):
            lab.device.flush()
            kernel(given)
            lab.device.synchronize()


# ------------------------------------------------------------------------------------------------- together


def join(looks: list[dict[str, Any]], counters: list[dict[str, float]], most_warps: int) -> list[dict[str, Any]]:
    """Each look with ncu's figures for both builds.  The first launch of each trial was for its inputs."""
    each = 1 + 2 * PROFILES
    if len(counters) != each * len(looks):
        raise SystemExit(f"ncu profiled {len(counters)} launches, expected {each * len(looks)}")
    joined = []
    for place, ours in enumerate(looks):
        own = counters[place * each + 1 : (place + 1) * each]
        sides = {"timed": own[:PROFILES], "traced": own[PROFILES:]}
        ncu = {name: median(row[COUNTER] for row in rows) for name, rows in sides.items()}
        difference = None if ours["traced"] is None else round(ours["traced"] - ncu["timed"], 2)
        row = {
            **ours,
            "ncu": round(ncu["timed"], 2),
            "ncu_of_traced_build": round(ncu["traced"], 2),
            "difference": difference,
        }
        if difference is None or abs(difference) <= FAR_APART:
            row.pop("multiprocessors")
        else:
            row["ncu_launches"] = {name: [counted(one, most_warps) for one in rows] for name, rows in sides.items()}
        joined.append(row)
    return joined


def counted(row: dict[str, float], most_warps: int) -> dict[str, float]:
    """What ncu counted in one launch, and its percentage worked out from the sums."""
    by_sums = 100 * row["sm__warps_active.sum"] / (row["sm__cycles_active.sum"] * most_warps)
    return {**row, "warps_active.sum over cycles_active.sum, percent": round(by_sums, 2)}


def agreement(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Per definition, how far it is from ncu's figure for the build that was timed and for the one that was traced."""
    found = {}
    for name in rows[0]["by_definition"]:
        apart = {
            against: [abs(row["by_definition"][name] - row[against]) for row in rows]
            for against in ("ncu", "ncu_of_traced_build")
        }
        found[name] = {
            f"{what}_points_from_{against}": round(of(values), 2)
            for against, values in apart.items()
            for what, of in (("mean", mean), ("most", max))
        }
    return found


def main() -> int:
    """Look, profile, join, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ncu", default="/usr/local/cuda/bin/ncu")
    parser.add_argument("--output", type=Path, default=RESULTS / "occupancy_vs_ncu.json")
    parser.add_argument("--launch", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.launch:
        launch_all(asked.launch)
        return 0
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="occupancy-vs-ncu-") as name:
        folder = Path(name)
        jobs = [plan(SHAPES_GRID, folder, pick_shapes), plan(SEARCH_GRID, folder, pick_searches)]
        device = open_gpu()
        looks = [look(lab, trial) for lab in (Lab(job, device) for job in jobs) for trial in lab.job.trials]
        attributes = device.device.attributes
        most = attributes["max_threads_per_multiprocessor"] // attributes["warp_size"]
        rows = join(looks, profile(asked.ncu, jobs, folder), most)
    version = subprocess.run([asked.ncu, "--version"], capture_output=True, text=True, check=False)
    said = [row for row in rows if row["difference"] is not None]
    result = {
        "what": f"achieved occupancy in percent: traced by tunetui, and ncu's {COUNTER}",
        **circumstances(device),
        "ncu": version.stdout.strip().splitlines()[-1:],
        "launches": len(rows),
        "not_available": len(rows) - len(said),
        "within_1_point": sum(abs(row["difference"]) <= FAR_APART for row in said),
        "largest_difference": max((abs(row["difference"]) for row in said), default=None),
        "definitions": agreement(rows),
        "rows": rows,
    }
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    for row in rows:
        print(f"{row['kernel']:<7} traced {row['traced']}  ncu {row['ncu']}  ncu of the traced build "
              f"{row['ncu_of_traced_build']}  {row['by_definition']}  {row['configuration']} {row['reason']}")  # fmt: skip
    print(json.dumps(result["definitions"], indent=1))
    print(f"{result['within_1_point']} of {len(said)} within a point, {result['not_available']} n/a; "
          f"{time.perf_counter() - begun:.0f} s; {asked.output}")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
