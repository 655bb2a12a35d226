"""Leaderboards for other tuners: Kernel Tuner's cachefile, T4 results and metadata, kernel_launcher's wisdom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tunetui.core.errors import InputError
from tunetui.core.exports.choosing import best_of, boards_listed, device_name, device_of, provenance_lines
from tunetui.core.labels import one_line
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui.core.snapshot import MEASURED, SKIPPED, STALE
from tunetui_agent.messages import Value

_NS_PER_MS = 1e6
_MS_PER_S = 1e3
_KT_COMPILE, _KT_RUN = "CompilationFailedConfig", "RuntimeFailedConfig"
_T4_VERSION = "1.0.0"
_T4_INVALIDITY = {
    MEASURED: "correct", "wrong": "correctness", "build_failed": "compile", "timed_out": "timeout",
    "unsupported": "constraints",
}  # fmt: skip
_UNITS = {"_ms": "ms", "_percent": "%", "_gb_per_s": "GB/s", "_mj": "mJ", "_w": "W", "_mhz": "MHz", "_bytes": "B"}


def kernel_tuner_cache(leaderboard: Leaderboard, board: Board, implementation: str) -> str:
    """A closed cachefile that Kernel Tuner 1.5.0 and its dashboard read: ``time`` is the median in milliseconds.

    Failed rows have their status where Kernel Tuner expects a time; what it has no word for (a wrong result, a
    timeout) is ``RuntimeFailedConfig`` with ours in ``tunetui_status``.
    """
    rows = [row for row in board.rows if row.implementation == implementation and row.status not in {STALE, SKIPPED}]
    keys = list(dict.fromkeys(axis for row in rows for axis in row.configuration)) or ["implementation"]
    settings = [{name: row.configuration.get(name, implementation) for name in keys} for row in rows]
    head = {
        "device_name": device_name(leaderboard, board),
        "kernel_name": leaderboard.kernel.name,
        "problem_size": problem_size(board),
        "tune_params_keys": keys,
        "tune_params": {name: _distinct(each[name] for each in settings) for name in keys},
        "objective": "time",
        "tunetui": {
            "provenance": provenance_lines(leaderboard, [board]),
            "problem": board.problem,
            "implementation": implementation,
        },
    }
    lines = [
        f"{json.dumps(','.join(str(value) for value in each.values()))}: {json.dumps(_kt_row(each, row))}"
        for each, row in zip(settings, rows, strict=True)
    ]
    opened = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items())
    return "{\n" + opened + ',\n"cache": {\n' + ",\n".join(lines) + "\n}\n}"


def _kt_row(settings: Mapping[str, Value], row: Entry) -> dict[str, Any]:
    found: dict[str, Any] = dict(settings)
    if row.status == MEASURED and row.latency_ms is not None:
        found |= {"time": row.latency_ms.median, "times": [sample / _NS_PER_MS for sample in row.samples_ns]}
        found |= {f"time_{name}": value for name, value in _interval(row).items()}
        found |= {name: value for name, value in {**row.metrics, **row.quality}.items() if name not in found}
        found |= {n: v for n, v in row.resources.items() if n not in found and _is_number(v)}
    else:
        failure = _KT_COMPILE if row.status == "build_failed" else _KT_RUN
        found |= {"time": failure, "__error__": failure, "tunetui_status": row.status, "tunetui_cause": row.cause}
    if row.build_seconds is not None:
        found["compile_time"] = row.build_seconds * _MS_PER_S
    return found | {"timestamp": row.measured_at.replace("T", " ").replace("Z", "+00:00"), "tunetui_trial": row.trial}


def t4_results(leaderboard: Leaderboard, board: Board) -> str:
    """T4 results 1.0.0 of one problem; the implementation is a parameter beside the axes."""
    rows = [row for row in board.rows if row.status not in {STALE, SKIPPED}]
    return _pretty({
        "schema_version": _T4_VERSION,
        "metadata": {
            "timeunit": "milliseconds", "kernel": leaderboard.kernel.name, "problem": board.problem,
            "provenance": provenance_lines(leaderboard, [board]),
        },
        "results": [_t4_row(row) for row in rows],
    })  # fmt: skip


def _t4_row(row: Entry) -> dict[str, Any]:
    times: dict[str, Any] = {"runtimes": [sample / _NS_PER_MS for sample in row.samples_ns]}
    if row.build_seconds is not None:  # the schema's name, and the one that Kernel Tuner writes
        times["compilation_time"] = times["compilation"] = row.build_seconds * _MS_PER_S
    found: dict[str, Any] = {
        "timestamp": row.measured_at,
        "configuration": {"implementation": row.implementation, **row.configuration},
        "objectives": ["time"],
        "times": times,
        "invalidity": _T4_INVALIDITY.get(row.status, "runtime"),
        "correctness": row.quality.get("recall", 1.0 if row.status == MEASURED else 0.0),
    }
    if row.latency_ms is not None:
        figures = {"time": row.latency_ms.median, **{f"time_{name}": value for name, value in _interval(row).items()}}
        numbers = {n: v for n, v in {**row.metrics, **row.quality, **row.resources}.items() if _is_number(v)}
        found["measurements"] = [
            {"name": name, "value": value, "unit": _unit(name)} for name, value in {**figures, **numbers}.items()
        ]
    return found


def t4_metadata(leaderboard: Leaderboard) -> str:
    """T4 metadata 1.0.0: devices as they were recorded, compilers as requirements; no ``lshw`` was run."""
    compilers = {
        f"{name}: {version}": None for device in leaderboard.devices for name, version in device.compilers.items()
    }
    hardware = [
        {
            "class": device.kind, "id": device.id, "product": device.name, "attributes": device.attributes,
            "details": device.details,
        }
        for device in leaderboard.devices
    ]  # fmt: skip
    system = next((device.platform for device in leaderboard.devices if device.platform), "")
    queried = {device.id: {"driver": device.driver, "host": device.host} for device in leaderboard.devices}
    return _pretty({
        "schema_version": _T4_VERSION,
        "metadata": {
            "operating_system": system,
            "hardware": {"hardware_description": hardware, "operating_system": system},
            "environment": {"device_query": queried, "requirements": list(compilers)},
            "provenance": provenance_lines(leaderboard, leaderboard.boards),
        },
    })  # fmt: skip


def wisdom(leaderboard: Leaderboard, boards: Sequence[Board], implementation: str) -> str:
    """kernel_launcher's wisdom: the fastest configuration of every problem and device, ``time`` in milliseconds.

    Raises:
        InputError: problems that differ in what wisdom does not hold, text such as a dtype: whoever reads it could not tell them apart.
    """
    found = [(board, row) for board in boards if (row := best_of(board, implementation)) is not None]
    _refuse_alike(leaderboard, [board for board, _ in found])
    keys = list(dict.fromkeys(axis for _, row in found for axis in row.configuration))
    head = {"version": "1.0", "objective": "time", "tunable_parameters": keys, "key": leaderboard.kernel.name}
    lines = [json.dumps(head), *(f"# {line}" for line in provenance_lines(leaderboard, boards))]
    for board, row in found:
        device = device_of(leaderboard, board)
        environment = {"device_name": device_name(leaderboard, board)} | ({"device_uuid": device.id} if device else {})
        lines.append(
            json.dumps(
                {
                    "config": [row.configuration.get(name) for name in keys],
                    "problem_size": problem_size(board),
                    "time": row.latency_ms.median if row.latency_ms else None,
                    "environment": environment,
                }
            )
        )
    return "\n".join(lines) + "\n"


def _refuse_alike(leaderboard: Leaderboard, boards: Sequence[Board]) -> None:
    seen: dict[tuple[str, tuple[int, ...]], Board] = {}
    for board in boards:
        other = seen.setdefault((board.device, tuple(problem_size(board))), board)
        if other is not board:
            apart = [name for name, value in board.problem.items() if other.problem.get(name) != value]
            raise InputError(
                f"these problems differ in {one_line(', '.join(apart))} alone, for which wisdom has no place: its reader "
                "would take the one for the other",
                hint="\n".join(["export one board, or a leaderboard of fewer problems", *boards_listed(leaderboard)]),
            )


def problem_size(board: Board) -> list[int]:
    """The whole-number fields of the problem, in its order."""
    return [value for value in board.problem.values() if isinstance(value, int) and not isinstance(value, bool)]


def _interval(row: Entry) -> dict[str, float]:
    found = row.latency_ms
    if found is None:
        return {}
    ends = {"ci_lo": found.ci_low, "ci_hi": found.ci_high, "p95": found.p95, "p99": found.p99}
    ends |= {"repeat_lo": found.repeat_low, "repeat_hi": found.repeat_high}
    return {name: value for name, value in ends.items() if value is not None}


def _distinct(values: Any) -> list[Value]:
    return list(dict.fromkeys(values))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unit(name: str) -> str:
    if name.startswith("time"):
        return "ms"
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), "")


def _pretty(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=1) + "\n"
