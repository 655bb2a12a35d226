"""Hardware counters of rows that were measured, read by NVIDIA Nsight Compute (ncu) from a process that replays them.

The replay loads the same artifacts, passes the same arguments and inputs, and is profiled for one execution of each row, after a warm-up.
ncu runs every kernel several times, flushes caches before each and serialises launches: its times are not ours and
are never shown.  Clocks are left alone (``--clock-control none``).  Source: Nsight Compute CLI documentation, "Command Line Options".
"""

from __future__ import annotations

import csv
import json
import subprocess
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui_agent.children import agent_command, agent_environment
from tunetui_agent.doctor.compilers import find_tool
from tunetui_agent.doctor.libraries import NCU_PLACES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tunetui_agent.devices import OpenDevice
    from tunetui_agent.messages import RunSpec, Trial, Value

REASON = "ncu_reason"
TIME = "gpu__time_duration.sum"
METRICS = {
    "sm__warps_active.avg.pct_of_peak_sustained_active": "ncu_occupancy_achieved_percent",
    "sm__throughput.avg.pct_of_peak_sustained_elapsed": "ncu_sm_throughput_percent",
    "dram__throughput.avg.pct_of_peak_sustained_elapsed": "ncu_dram_throughput_percent",
    "lts__t_sector_hit_rate.pct": "ncu_l2_hit_percent",
}
"""ncu's names to ours."""
_MOST_PERCENT = 100.0
MARKER = "tunetui_empty"
"""Launched before each row, so that ncu's list of kernels can be told apart."""
_FORBIDDEN = "ERR_NVGPUCTRPERM"
_LOOK_SECONDS = 0.2
_START_SECONDS, _ROW_SECONDS = 120.0, 60.0


class Profiler:
    """One look at the counters of several rows."""

    def __init__(self, spec: RunSpec, device: OpenDevice) -> None:
        self._spec, self._device = spec, device

    def profile(
        self, trials: Sequence[tuple[Trial, str | None]], goes_on: Callable[[], bool]
    ) -> dict[str, dict[str, Value]]:
        """Figures by trial id, or why there are none.  ``goes_on`` is asked often; on False the profiler is killed."""
        ncu = find_tool("ncu", NCU_PLACES)
        if self._device.device.kind != "gpu":
            return _nothing(trials, "hardware counters are read of NVIDIA GPUs alone")
        if ncu is None:
            return _nothing(trials, "ncu (NVIDIA Nsight Compute) was not found on this host")
        getattr(self._device, "release", lambda: None)()  # the replay needs the memory that this process does not
        with tempfile.TemporaryDirectory(prefix="tunetui-ncu-") as name:
            folder = Path(name)
            task, log = folder / "task.json", folder / "ncu.csv"
            task.write_text(json.dumps({
                "spec": asdict(self._spec),
                "trials": [asdict(trial) for trial, _ in trials],
                "artifacts": [artifact for _, artifact in trials],
            }))  # fmt: skip
            # ncu wants a folder of its own for its lock, and may not write to the one of another user.
            environment = {**agent_environment(), "TMPDIR": name}
            command = [*_ncu_command(str(ncu), log), *agent_command("replay", "--task", str(task))]
            limit_seconds = _START_SECONDS + _ROW_SECONDS * len(trials)
            why, said = _run(command, environment, folder / "output", limit_seconds, goes_on)
            text = log.read_text(errors="replace") if log.exists() else ""
        if _FORBIDDEN in text + said:
            return _nothing(
                trials, f"this user may not read the GPU's counters ({_FORBIDDEN}); tunetui doctor says more"
            )
        if why:
            return _nothing(trials, why)
        return read_rows([trial.id for trial, _ in trials], text, said)


def _ncu_command(ncu: str, log: Path) -> list[str]:
    return [
        ncu, "--clock-control", "none", "--cache-control", "all", "--target-processes", "application-only",
        "--profile-from-start", "off", "--metrics", ",".join([*METRICS, TIME]), "--csv", "--page", "raw",
        "--print-units", "base", "--log-file", str(log),
    ]  # fmt: skip


def _run(
    command: list[str], environment: dict[str, str], output: Path, limit_seconds: float, goes_on: Callable[[], bool]
) -> tuple[str, str]:
    """Why it did not work out, and what was printed."""
    deadline = time.monotonic() + limit_seconds
    why = ""
    with output.open("wb") as file:
        try:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        except OSError as error:
            return f"ncu cannot be started: {error.strerror or error}", ""
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    why = f"ncu took longer than {limit_seconds:g} s"
                elif not goes_on():
                    why = "the run was asked to end"
                if why:
                    break
                time.sleep(_LOOK_SECONDS)
        finally:
            process.kill()  # the replay below it dies with it; both are of this worker's process group
            process.wait()
    said = output.read_text(errors="replace")
    if not why and process.returncode != 0:
        why = f"ncu ended with status {process.returncode}: {_last_line(said)}"
    return why, said


def read_rows(trials: Sequence[str], text: str, said: str = "") -> dict[str, dict[str, Value]]:
    """Figures by trial id from ncu's raw page as CSV.

    An execution of several kernels gets their mean, each weighted by its share of the time, and ``ncu_kernels`` says how many.
    """
    groups: list[list[dict[str, str]]] = []
    for row in _kernels(text):
        if MARKER in row.get("Kernel Name", ""):
            groups.append([])
        elif groups:
            groups[-1].append(row)
    found: dict[str, dict[str, Value]] = {}
    for place, trial in enumerate(trials):
        kernels = groups[place] if place < len(groups) else []
        found[trial] = _figures(kernels, said)
    return found


def _kernels(text: str) -> list[dict[str, str]]:
    """One dictionary for each profiled kernel; the row below the header holds units and has no ID."""
    lines = [line for line in text.splitlines() if line.startswith('"')]
    begin = next((place for place, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    return [row for row in csv.DictReader(lines[begin:]) if (row.get("ID") or "").strip().isdigit()]


def _figures(kernels: list[dict[str, str]], said: str) -> dict[str, Value]:
    if not kernels:
        return {REASON: f"n/a: ncu profiled nothing of it: {_last_line(said)}"}
    weights = [_number(row.get(TIME)) or 0.0 for row in kernels]
    figures: dict[str, Value] = {}
    for metric, name in METRICS.items():
        values = [(_number(row.get(metric)), weight) for row, weight in zip(kernels, weights, strict=True)]
        known = [(value, weight) for value, weight in values if value is not None and weight > 0]
        if known:
            mean = sum(v * w for v, w in known) / sum(w for _, w in known)
            if mean <= _MOST_PERCENT:  # more: the passes in which ncu counted did not see the same
                figures[name] = round(mean, 2)
    if not figures:
        return {REASON: "n/a: ncu gave no figures for this GPU"}
    return {**figures, "ncu_kernels": len(kernels)}


def _number(text: str | None) -> float | None:
    """A finite number, thousands separated or not."""
    try:
        value = float((text or "").replace(",", ""))
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 - NaN


def _nothing(trials: Sequence[tuple[Trial, str | None]], why: str) -> dict[str, dict[str, Value]]:
    return {trial.id: {REASON: f"n/a: {why}"} for trial, _ in trials}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
