"""A kernel's own figures (vectors/s, GB/s, ...) computed from measured time, for many rows at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunetui.core.errors import ExpressionError
from tunetui.core.expressions import parse
from tunetui.core.kernel_names import ENERGY
from tunetui.core.snapshot import Row
from tunetui_agent.messages import Device, Value

_ENERGY_REASON = "energy_reason"


def evaluate(
    metrics: Mapping[str, str], rows: Sequence[Row], seconds: NDArray[np.float64], device: Device | None
) -> tuple[list[dict[str, float]], list[dict[str, str]]]:
    """Every metric of every row, given the time of one execution in seconds, and why some have none.

    Expressions see the row's axes and problem fields, ``device_<attribute>``, the measured ``ceiling_<what>`` of the
    device, ``seconds``, and ``energy_mj`` of one execution where it was measured.
    """
    found: list[dict[str, float]] = [{} for _ in rows]
    missing: list[dict[str, str]] = [{} for _ in rows]
    alike: dict[tuple[str, str, tuple[str, ...]], list[int]] = {}
    for index, row in enumerate(rows):
        alike.setdefault((row.implementation, row.problem_key, row.axes), []).append(index)
    for members in alike.values():
        group = [rows[index] for index in members]
        settings = dict(zip(group[0].axes, zip(*[row.settings for row in group], strict=True), strict=True))
        energies = {ENERGY: list(map(_energy, group))}
        columns = columns_of(group[0], {**settings, **energies}, seconds[members], device)
        for name, text in metrics.items():
            for index, figure in zip(members, _figures(text, columns, len(members)), strict=True):
                why = _energy_lacks(text, rows[index], device)
                if why or isinstance(figure, str):
                    missing[index][name] = why or str(figure)
                else:
                    found[index][name] = figure
    return found, missing


def of_alike(metrics: Mapping[str, str], columns: Mapping[str, Any], count: int) -> dict[str, NDArray[np.float64]]:
    """Every metric of ``count`` rows with one `Row.subject` and `Row.circumstances`; NaN where one has no such figure.

    ``columns`` are theirs as `columns_of` makes them.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for name, text in metrics.items():
        if ENERGY not in text or ENERGY in columns:
            try:
                found[name] = _evaluated(text, columns, count)
            except (ExpressionError, ValueError):
                figures = _figures(text, columns, count)
                found[name] = np.array([np.nan if isinstance(each, str) else each for each in figures])
            found[name][~np.isfinite(found[name])] = np.nan
    return found


def columns_of(
    first: Row, known: Mapping[str, Sequence[Any]], seconds: NDArray[np.float64], device: Device | None
) -> dict[str, Any]:
    """What expressions see of rows like ``first``: ``known`` holds a value of each row for every axis, and energies."""
    columns: dict[str, Any] = {f"device_{name}": value for name, value in (device.attributes if device else {}).items()}
    columns |= {n: v for n, v in (device.details if device else {}).items() if n.startswith("ceiling_")}
    columns |= first.problem
    for axis in first.axes:
        kinds = set(map(type, known[axis]))
        columns[axis] = np.array(known[axis]) if len(kinds) == 1 else _objects(known[axis])
    if ENERGY in known:
        columns[ENERGY] = np.array([_number(value) for value in known[ENERGY]])
    return columns | {"seconds": seconds}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def _energy(row: Row) -> float:
    return _number(row.telemetry.get(ENERGY)) if ENERGY in row.circumstances.telemetry else np.nan


def _energy_lacks(text: str, row: Row, device: Device | None) -> str:
    """Why a metric that reads the energy has none to read; empty where it has, or reads none."""
    if ENERGY not in text or ENERGY in row.circumstances.telemetry:
        return ""
    why = row.telemetry.get(_ENERGY_REASON) or (device.details.get(_ENERGY_REASON) if device else None)
    return str(why).removeprefix("n/a: ") if why else "its energy was not measured (method.energy says whose is)"


def _figures(text: str, columns: Mapping[str, Any], count: int) -> list[float | str]:
    """Each row's figure, or why it has none."""
    try:
        figures = _evaluated(text, columns, count)
    except (ExpressionError, ValueError) as error:  # ValueError: the result is text
        if count == 1:
            return [str(error)]
        return _one_by_one(text, columns, count)
    finite = np.isfinite(figures)
    found: list[float | str] = figures.tolist()
    if not finite.all():
        found = [figure if known else "not a finite number" for figure, known in zip(found, finite, strict=True)]
    return found


def _evaluated(text: str, columns: Mapping[str, Any], count: int) -> NDArray[np.float64]:
    """Each row's figure, finite or not.

    Raises:
        ExpressionError: some row has none.
        ValueError: the result is text.
    """
    result = parse(text, columns).column(columns, count)
    with np.errstate(all="ignore"):
        return result.astype(np.float64)


def _one_by_one(text: str, columns: Mapping[str, Any], count: int) -> list[float | str]:
    """One row that divides by zero must not cost the others their figure."""
    figures: list[float | str] = []
    for index in range(count):
        single = {n: v[index : index + 1] if isinstance(v, np.ndarray) else v for n, v in columns.items()}
        figures += _figures(text, single, 1)
    return figures


def _objects(values: Sequence[Value]) -> NDArray[Any]:
    column = np.empty(len(values), object)
    column[:] = values
    return column
