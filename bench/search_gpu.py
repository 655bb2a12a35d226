"""The figures of the GPU search out of leaderboard files: the best of each language and library, and how far from the floor.

    python bench/search_gpu.py FILE.leaderboard.json ... [--output bench/results/search_gpu.json]

The floor is a time that this very device cannot beat: reading what has to be read once at the faster of the measured copy and read
rates, or, where tensor cores do the work, the arithmetic at the measured rate of a large matrix product, whichever is larger.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

SHOWN = ("cuda", "mojo", "torch", "cupy")
PROBLEM = ("corpus_size", "queries", "dtype", "dims", "k")
MATMUL = "ceiling_matmul_tflop_per_s"


def best_rows(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fastest measured row of each implementation."""
    found: dict[str, dict[str, Any]] = {}
    for row in board.get("rows", []):  # a run that was interrupted has boards without any
        if row["status"] == "measured" and "latency_ms" in row:
            known = found.get(row["implementation"])
            if known is None or row["latency_ms"]["median"] < known["latency_ms"]["median"]:
                found[row["implementation"]] = row
    return found


def figures(row: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a row."""
    latency = row["latency_ms"]
    return {
        "median_ms": latency["median"],
        "interval_ms": [latency.get("ci_low"), latency.get("ci_high")],
        "p95_ms": latency["p95"],
        "samples": latency["n"],
        "rank": row.get("rank"),
        "stage": row.get("stage", ""),
        "configuration": row["configuration"],
        "quality": row.get("quality", {}),
        "occupancy_theoretical_percent": row.get("resources", {}).get("occupancy_theoretical_percent"),
        "occupancy_achieved_percent": row.get("resources", {}).get("occupancy_achieved_percent"),
        "registers": row.get("resources", {}).get("registers"),
        "spill_bytes": row.get("resources", {}).get("spill_bytes"),
        "sm_clock_mhz": row.get("telemetry", {}).get("sm_clock_mhz"),
        "call_overhead_us": (row.get("telemetry", {}).get("call_overhead_ns") or 0) / 1e3,
        "tags": row.get("tags", []),
    }


def floors(problem: dict[str, Any], device: dict[str, Any], rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Milliseconds at the measured ceilings; empty where there are none."""
    rows_read, dims, queries, k = (int(problem[name]) for name in ("corpus_size", "dims", "queries", "k"))
    size = 2 if problem["dtype"] == "float16" else 4
    moved = (rows_read + queries) * dims * size + queries * k * 8
    details = device.get("details", {})
    rates_of_memory = {name: details.get(f"ceiling_{name}_gb_per_s") for name in ("copy", "read")}
    found = {f"memory_{name}_ms": round(moved / rate / 1e6, 5) for name, rate in rates_of_memory.items() if rate}
    rates = [row["resources"][MATMUL] for row in rows.values() if MATMUL in row.get("resources", {})]
    if rates and problem["dtype"] in ("tf32", "float16"):
        found["arithmetic_ms"] = round(2 * rows_read * dims * queries / max(rates) / 1e9, 5)
    if found:
        memory = [ms for name, ms in found.items() if name.startswith("memory")]
        found["floor_ms"] = max(min(memory, default=0.0), found.get("arithmetic_ms", 0.0))
    return found


def line(board: dict[str, Any], devices: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One problem: bests, ratios, floors."""
    rows = best_rows(board)
    device = devices.get(board.get("device", ""), {})
    medians = {name: row["latency_ms"]["median"] for name, row in rows.items()}
    own = [medians[name] for name in ("cuda", "mojo") if name in medians]
    floor = floors(board["problem"], device, rows)
    ratios: dict[str, float] = {}
    for name in ("torch", "cupy"):
        if name in medians and own:
            ratios[f"{name}_over_ours"] = round(medians[name] / min(own), 3)
    if "mojo" in medians and "cuda" in medians:
        ratios["mojo_over_cuda"] = round(medians["mojo"] / medians["cuda"], 3)
    if own and floor:
        ratios["ours_over_floor"] = round(min(own) / floor["floor_ms"], 3)
    tried: dict[str, list[str]] = {}
    for row in board.get("rows", []):  # a run that was interrupted has boards without any
        tried.setdefault(row["implementation"], []).append(row["status"])
    return {
        "problem": {name: board["problem"].get(name) for name in PROBLEM},
        "device": device.get("name", ""),
        "driver": device.get("driver", ""),
        "floor": floor,
        "ratios": ratios,
        "best": {name: figures(row) for name, row in rows.items()},
        "measured_of_tried": {name: [all_.count("measured"), len(all_)] for name, all_ in tried.items()},
    }


def table(lines: list[dict[str, Any]]) -> str:
    """For people: microseconds."""
    head = ["corpus", "queries", "dtype", *SHOWN, "floor", "ours/floor", "torch/ours", "mojo/cuda", "recall"]
    cells = [head]
    for each in lines:
        problem, best = each["problem"], each["best"]
        micro = [f"{best[name]['median_ms'] * 1e3:.1f}" if name in best else "-" for name in SHOWN]
        recalls = [best[name]["quality"].get("recall") for name in ("cuda", "mojo") if name in best]
        known = [recall for recall in recalls if recall is not None]
        cells.append([
            f"{problem['corpus_size']:,}", str(problem["queries"]), str(problem["dtype"]), *micro,
            f"{each['floor']['floor_ms'] * 1e3:.1f}" if each["floor"] else "-",
            *(str(each["ratios"].get(name, "-")) for name in ("ours_over_floor", "torch_over_ours", "mojo_over_cuda")),
            f"{min(known):.4f}" if known else "-",
        ])  # fmt: skip
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def main() -> int:
    """Read, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "search_gpu.json")
    asked = parser.parse_args()
    lines: dict[str, dict[str, Any]] = {}
    runs = []
    for path in asked.files:
        leaderboard = json.loads(path.read_bytes())
        devices = {device["id"]: device for device in leaderboard.get("devices", [])}
        run = leaderboard["run"]
        runs.append({
            "name": run["name"], "started": run["started"], "finished": run["finished"], "ended": run["ended"],
            "method": leaderboard["method"].get("settings", {}), "generator": leaderboard["generator"],
            "sources": leaderboard["kernel"].get("source_hashes", {}),
            "ceilings": {device["name"]: {k: v for k, v in device.get("details", {}).items() if k.startswith("ceiling")}
                         for device in devices.values()},
            "compilers": [device.get("compilers", {}) for device in devices.values()],
        })  # fmt: skip
        for board in leaderboard["boards"]:
            found = line(board, devices)
            if found["best"]:
                lines[json.dumps([found["problem"], found["device"]], sort_keys=True)] = {"run": run["name"], **found}
    ordered = sorted(lines.values(), key=lambda each: [str(each["problem"]["dtype"]), *map(int, (
        each["problem"]["corpus_size"], each["problem"]["queries"]))])  # fmt: skip
    asked.output.write_text(json.dumps({"what": "search on a GPU", "runs": runs, "problems": ordered}, indent=1) + "\n")
    print(table(ordered))
    print(asked.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
