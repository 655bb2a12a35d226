"""Tunes the CUDA search with Kernel Tuner and with tunetui: same source, grid, geometry, inputs, GPU and number of samples.

    python bench/vs_kernel_tuner.py [--repeats 3] [--kernel-tuner-python PYTHON] [--output bench/results/vs_kernel_tuner.json]

Wall clock of whole commands, from the start of the interpreter to the written results, in turn, every time with empty caches.
Kernel Tuner (``pip install kernel_tuner==1.5.0 cupy-cuda13x[ctk]``, in this or another environment) runs its brute force over its
CuPy backend.  It is spared what tunetui does beside: verifying every configuration twice, a cold L2 before every sample,
telemetry.  Neither races finalists, visits rows twice, measures energy or what the device can do at most, nor traces occupancy.  tunetui may use every core for compiling.  Its samples are therefore of warm caches and not comparable to tunetui's; the time that tuning takes is what is compared.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "kernels" / "semantic-search"
SAMPLES, SEED = 32, 1
GRID = f"""\
name = "vs-kernel-tuner"
kernel = {json.dumps(str(FOLDER))}
device = "gpu"
implementations = ["cuda"]
baselines = false

[axes]
tile_size = [16, 32, 48, 64, 96, 128]
block_size = [32, 64, 128, 256]
shared_memory_kb = [4, 8, 16, 32]

[problem]
corpus_size = 50_000
dims = 768
queries = 1
k = 10
dtype = "float32"

[method]
min_samples = {SAMPLES}
max_samples = {SAMPLES}
finalists = 0
revisit_percent = 0
sentinel_seconds = 0
occupancy = "theoretical"
energy = "none"
ceilings = "none"
seed = {SEED}
"""


def main() -> int:
    """Race both and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--kernel-tuner-python", default=sys.executable, help="an interpreter that has Kernel Tuner")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "vs_kernel_tuner.json")
    parser.add_argument("--kernel-tuner", nargs=2, type=Path, metavar=("TASK", "RESULT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.kernel_tuner:
        tune_with_kernel_tuner(*asked.kernel_tuner)
        return 0
    with tempfile.TemporaryDirectory(prefix="vs-kernel-tuner-") as name:
        folder = Path(name)
        (folder / "grid.toml").write_text(GRID)
        facts, task = asyncio.run(prepare(folder / "grid.toml"))
        (folder / "task.json").write_text(json.dumps(task))
        runs: dict[str, list[dict[str, Any]]] = {"tunetui": [], "kernel_tuner": []}
        for repeat in range(asked.repeats):
            for side in sorted(runs, reverse=bool(repeat % 2)):
                runs[side].append(run_side(side, folder, repeat, asked.kernel_tuner_python))
                print(
                    f"{side:<12} {runs[side][-1]['seconds']:7.2f} s  {runs[side][-1]['measured']} measured", flush=True
                )
    result = summary(facts, runs)
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"tunetui is {result['times_faster']:.1f} times faster; {asked.output}")
    return 0


async def prepare(grid: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts of the host, and the job as tunetui plans it, in plain data for the other side."""
    from tunetui.core.definitions import chosen_axes
    from tunetui.session.links import Links
    from tunetui.session.opening import BatchOptions, connector, let_go, open_groups
    from tunetui_agent.build.cuda import macro

    options, links = BatchOptions(grid_path=grid, output_stem=grid.with_name("plan")), Links()
    opened = await open_groups(options, links, connector(options, links))
    await let_go(opened.groups)
    trials, place = opened.groups[0].plan.trials, opened.groups[0].places[0]
    own = opened.kernel.implementations["cuda"]["gpu"]
    (launch,) = own.launches
    axes, first = chosen_axes(opened.grid, "cuda", own), trials[0]
    lists = {name: axes.get(name, [first.problem.get(name)]) for name in own.parameters}
    macros = {name: [macro(name, value)[2:].partition("=") for value in values] for name, values in lists.items()}
    text_macros = {name: {m[0] for m in made} for name, made in macros.items()}
    if any(len(names) > 1 for names in text_macros.values()):
        raise SystemExit("an axis of texts has a macro for each value: Kernel Tuner's parameters cannot say that")
    for trial in trials[1:]:
        if trial.scalars != first.scalars:
            raise SystemExit("scalar arguments differ between configurations: Kernel Tuner cannot do that")
    task = {
        "tune_params": {made[0][0]: [int(m[2]) for m in made] for made in macros.values()},
        "axes": {made[0][0]: name for name, made in macros.items() if name in axes},
        "block_name": macros["block_size"][0][0],
        "source": own.source,
        "entry": launch.entry,
        "options": list(own.options),
        "problem": first.problem,
        "arguments": [
            {
                "name": name,
                "role": opened.kernel.arguments[name].role,
                "dtype": first.dtypes.get(name, opened.kernel.arguments[name].dtype),
                "value": first.scalars.get(name),
                # Kernel Tuner has one set of buffers for all configurations: the largest that any of them asks for.
                "size": max(_size(trial.shapes.get(name, [])) for trial in trials),
            }
            for name in launch.arguments
        ],
        "geometry": [
            {"configuration": t.configuration, "grid": t.geometry[0].grid, "shared_bytes": t.geometry[0].shared_bytes}
            for t in trials
        ],
    }
    facts = {
        "device": place.device.name, "driver": place.device.driver, "host_cores": os.cpu_count(),
        "platform": platform.platform(), "python": platform.python_version(),
        "compilers": {t.language: t.version for t in place.toolchains if t.available},
        "configurations": len(trials), "samples": SAMPLES, "problem": first.problem,
    }  # fmt: skip
    return facts, task


def run_side(side: str, folder: Path, repeat: int, kernel_tuner_python: str) -> dict[str, Any]:
    """One whole command with caches of its own; its wall time and what it found."""
    room = folder / f"{side}-{repeat}"
    room.mkdir()
    names = ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "CUPY_CACHE_DIR", "CUDA_CACHE_PATH")
    environment = {**os.environ, **{name: str(room / name.lower()) for name in names}}
    result = room / "result.json"
    grid = str(folder / "grid.toml")
    if side == "tunetui":
        result = room / "out.leaderboard.json"
        command = [sys.executable, "-m", "tunetui", "--batch", grid, "-o", str(room / "out"), "--format", "none",
                   "--build-jobs", str(os.cpu_count() or 1)]  # fmt: skip
    else:
        task = str(folder / "task.json")
        command = [kernel_tuner_python, __file__, "--kernel-tuner", task, str(result)]
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=room, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode != 0 or not result.exists():
        raise SystemExit(f"{side} failed ({done.returncode}):\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found = json.loads(result.read_text())
    rows = _tunetui_rows(found) if side == "tunetui" else found["rows"]
    best = min(rows, key=lambda row: float(row["median_ms"]))
    compiling = sum(row["compile_seconds"] for row in rows)
    return {"seconds": seconds, "compile_seconds": compiling, "measured": len(rows), "samples": sorted({row["n"] for row in rows}), "best": best,
            **({"versions": found["versions"]} if "versions" in found else {})}  # fmt: skip


def _tunetui_rows(leaderboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "configuration": row["configuration"],
            "median_ms": row["latency_ms"]["median"],
            "n": row["latency_ms"]["n"],
            "compile_seconds": row.get("build_seconds", 0.0),
        }
        for board in leaderboard["boards"]
        for row in board["rows"]
        if row.get("latency_ms")
    ]


def summary(facts: dict[str, Any], runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What is kept: every run, and the ratio of the medians."""
    seconds = {side: median(run["seconds"] for run in found) for side, found in runs.items()}
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "what": "wall clock of tuning, interpreter start to written results, empty caches",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or os.environ.get("TUNETUI_COMMIT", ""),
        **facts,
        "median_seconds": seconds,
        "times_faster": seconds["kernel_tuner"] / seconds["tunetui"],
        # Compiling bounds both: Kernel Tuner does it in one process, tunetui in as many as there are cores, which then each
        # compile more slowly.  So much faster would a tuner be that did nothing else.
        "times_faster_if_only_compiling": _bound(runs, facts["host_cores"]),
        "kernel_tuner_measures": "warm caches, nothing verified",
        "tunetui_measures": "cold L2, every configuration verified twice",
        "runs": runs,
    }


def _bound(runs: dict[str, list[dict[str, Any]]], cores: int) -> float:
    alone, together = (median(run["compile_seconds"] for run in runs[side]) for side in ("kernel_tuner", "tunetui"))
    whole = median(run["seconds"] for run in runs["kernel_tuner"])
    return float(whole / (together / cores)) if alone and together else float("nan")


def tune_with_kernel_tuner(task_path: Path, result_path: Path) -> None:
    """The other side, through Kernel Tuner's public functions; runs in a process, and perhaps an environment, of its own."""
    import kernel_tuner
    import numpy as np
    from kernel_tuner.file_utils import store_output_file

    task = json.loads(task_path.read_text())
    given = _reference().make_inputs(task["problem"], SEED)
    arguments = []
    for each in task["arguments"]:
        if each["role"] == "input":
            arguments.append(given[each["name"]])
        elif each["role"] == "scalar":
            arguments.append(np.dtype(each["dtype"]).type(each["value"]))
        else:
            arguments.append(np.zeros(each["size"], each["dtype"]))
    axes: dict[str, str] = task["axes"]
    geometry = {_key(each["configuration"]): each for each in task["geometry"]}

    def of(params: dict[str, Any]) -> dict[str, Any]:
        return geometry[_key({axis: params[name] for name, axis in axes.items()})]

    def valid(params: dict[str, Any]) -> bool:
        return _key({axis: params[name] for name, axis in axes.items()}) in geometry

    every = 1
    for values in task["tune_params"].values():
        every *= len(values)
    results, _ = kernel_tuner.tune_kernel(
        task["entry"],
        (FOLDER / task["source"]).read_text(),
        lambda params: tuple(of(params)["grid"]),
        arguments,
        task["tune_params"],
        grid_div_x=[],
        grid_div_y=[],
        grid_div_z=[],
        block_size_names=[task["block_name"]],
        smem_args={"size": lambda params: of(params)["shared_bytes"]},
        restrictions=None if every == len(geometry) else valid,
        iterations=SAMPLES,
        lang="cupy",
        compiler_options=[f"-I{FOLDER}", "-std=c++17", *task["options"]],
        quiet=True,
    )
    rows = [
        {
            "configuration": {axis: row[name] for name, axis in axes.items()},
            "median_ms": median(row["times"]),
            "n": len(row["times"]),
            "compile_seconds": row["compile_time"] / 1e3,
        }
        for row in results
        if isinstance(row.get("time"), (int, float))
    ]
    store_output_file(str(result_path.with_name("t4.json")), results, task["tune_params"])
    versions = {name: _version(name) for name in ("kernel_tuner", "cupy-cuda13x", "cupy-cuda12x", "numpy")}
    result_path.write_text(json.dumps({"rows": rows, "versions": {n: v for n, v in versions.items() if v}}))


def _reference() -> Any:
    """The kernel's own reference module: both sides get the inputs that it makes."""
    spec = importlib.util.spec_from_file_location("search_reference", FOLDER / "reference.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{FOLDER / 'reference.py'} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _version(distribution: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _size(shape: list[int]) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size


def _key(configuration: dict[str, Any]) -> str:
    return json.dumps(configuration, sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
