"""A grid file's text made into a `Grid`, and a `Grid` back into plain data; all mistakes are told at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import msgspec

from tunetui.core.axis_values import is_range, read_values
from tunetui.core.definitions import DEVICE_KINDS, Budget, Compare, Grid
from tunetui.core.errors import ExpressionError
from tunetui.core.expressions import parse
from tunetui.core.mistakes import Mistakes, Path, describe
from tunetui.core.overrides import apply_overrides, overridden_paths, parse_override
from tunetui.core.tables import Table, is_scalar, parse_toml
from tunetui.core.targeting import parse_target
from tunetui_agent.messages import Method, Value
from tunetui_agent.messages import reliability as agent

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

METHOD_LIMITS: dict[str, dict[str, Any]] = {
    "precision_percent": {"above": 0, "high": 100},
    "confidence_percent": {"low": 50, "below": 100},
    "min_samples": {"whole": True, "low": 6},  # fewer cannot hold the median in 95 % of cases
    "max_samples": {"whole": True, "low": 6, "high": 1_000_000},
    "max_seconds": {"above": 0, "high": 86_400},
    "placements": {"whole": True, "low": 1, "high": 64},
    "warmup_samples": {"whole": True, "low": 0, "high": 1_000_000},
    "warmup_seconds": {"low": 0, "high": 3600},
    "trial_timeout_seconds": {"above": 0, "high": 86_400},
    "build_timeout_seconds": {"above": 0, "high": 86_400},
    "finalists": {"whole": True, "low": 0, "high": 64},
    "finalists_seconds": {"above": 0, "high": 3600},
    "revisit_percent": {"low": 0, "high": 100},
    "sentinel_seconds": {"low": 0, "high": 86_400},
    "energy_seconds": {"above": 0, "high": 600},
    "throttle_retries": {"whole": True, "low": 0, "high": 10},
    "seed": {"whole": True, "low": 0},
}
METHOD_CHOICES = {
    "cache": ("cold", "hot"),
    "occupancy": ("traced", "theoretical"),
    "energy": ("leaders", "all", "none"),
    "ceilings": ("measured", "none"),
}


def decode_grid(text: str, source: str, overrides: Sequence[str] = ()) -> Grid:
    """A grid from TOML text, with ``--set`` options (``KEY=VALUE``) put in first.

    Raises:
        InputError: every mistake, one a line: file or option, key path, expected, found.
    """
    return decode_grid_with_mistakes(text, source, overrides)[0]


def decode_grid_with_mistakes(text: str, source: str, overrides: Sequence[str] = ()) -> tuple[Grid, Mistakes]:
    """As `decode_grid`; the `Mistakes` (empty so far) still know which keys came from which option."""
    given = [parse_override(option) for option in overrides]
    data = parse_toml(text, source)
    mistakes = Mistakes(source, overridden_paths(data, given))
    grid = _read_grid(Table(apply_overrides(data, given), (), mistakes))
    mistakes.raise_if_any()
    return grid, mistakes


def grid_from_dict(data: dict[str, Any], source: str) -> Grid:
    """A grid from what `grid_to_dict` made, as a journal or a leaderboard keeps it.

    Raises:
        InputError: as `decode_grid`.
    """
    mistakes = Mistakes(source)
    grid = _read_grid(Table(data, (), mistakes))
    mistakes.raise_if_any()
    return grid


def grid_to_dict(grid: Grid) -> dict[str, Any]:
    """The grid as plain data in the layout of the file, every range spelled out; `grid_from_dict` reads it."""
    plain: dict[str, Any] = msgspec.to_builtins(grid)
    result = {key: plain[key] for key in ("name", "kernel", "implementations", "device") if plain[key] is not None}
    result["baselines"] = plain["baselines"]
    result["axes"] = plain["axes"] | plain["implementation_axes"]
    result["constraints"] = {"where": plain["where"]}
    result |= {key: plain[key] for key in ("problem", "method", "targets")}
    result["budget"] = {key: value for key, value in plain["budget"].items() if value is not None}
    if grid.reliability.seconds:
        result["reliability"] = {key: value for key, value in plain["reliability"].items() if value}
    if plain["hosts"]:
        result["hosts"] = {"use": plain["hosts"]}
    if plain["compare"] is not None:
        compare = plain["compare"]
        result["compare"] = compare.pop("facts") | {key: value for key, value in compare.items() if value is not None}
    return result


def check_expression(text: str, path: Path, mistakes: Mistakes) -> None:
    """Report an expression that cannot be parsed."""
    if not text:
        return  # reported already
    try:
        parse(text)
    except ExpressionError as error:
        what, _, where = error.message.partition("\n")
        hint = f" ({error.hint})" if error.hint else ""
        mistakes.add(path, f"expected an expression, found a mistake: {what}{hint}" + (f"\n{where}" if where else ""))


def read_where(table: Table) -> list[str]:
    """``[constraints] where`` of a grid or kernel, each expression parsed once to see that it can be."""
    constraints = table.table("constraints")
    where = constraints.texts("where") or []
    for position, text in enumerate(where):
        check_expression(text, (*constraints.path, "where", position), table.mistakes)
    constraints.finish()
    return where


def _read_grid(table: Table) -> Grid:
    axes, implementation_axes = _read_axes(table.table("axes"))
    grid = Grid(
        name=_read_name(table),
        kernel=table.text("kernel"),
        implementations=_read_implementations(table),
        baselines=table.flag("baselines", True),
        device=table.text("device", choices=DEVICE_KINDS) if "device" in table else table.take("device"),
        axes=axes,
        implementation_axes=implementation_axes,
        where=read_where(table),
        problem=_read_problem(table.table("problem")),
        method=_read_method(table.table("method")),
        reliability=_read_reliability(table.table("reliability")),
        targets=_read_targets(table.table("targets")),
        budget=_read_budget(table.table("budget")),
        compare=_read_compare(table.table("compare")) if "compare" in table else table.take("compare"),
        hosts=_read_hosts(table.table("hosts")),
    )
    table.finish()
    return grid


def _read_hosts(table: Table) -> list[str]:
    """``[hosts] use``: names as `--host` takes them; whether they lead anywhere shows when they are reached."""
    hosts = table.texts("use") or []
    table.finish()
    return list(dict.fromkeys(hosts))


def _read_name(table: Table) -> str:
    """The run's name; it becomes part of file names."""
    name = table.text("name")
    if name and not _NAME.fullmatch(name):
        table.wrong("name", 'letters, digits, ".", "_" and "-", at most 64')
    return name


def _read_implementations(table: Table) -> list[str] | None:
    names = table.texts("implementations")
    if names is None:
        return None
    if not names and table.take("implementations") == []:
        table.wrong("implementations", "at least one name, or no such key for all of them")
    for position, name in enumerate(names):
        if name and name in names[:position]:
            table.mistakes.add(("implementations", position), f"expected every name once, found {describe(name)} again")
    return names


def _read_axes(table: Table) -> tuple[dict[str, list[Value]], dict[str, dict[str, list[Value]]]]:
    shared: dict[str, list[Value]] = {}
    own: dict[str, dict[str, list[Value]]] = {}
    for key, value in table.items():
        path = (*table.path, key)
        if isinstance(value, dict) and not is_range(value):
            own[key] = {axis: read_values(part, (*path, axis), table.mistakes) for axis, part in value.items()}
        else:
            shared[key] = read_values(value, path, table.mistakes)
    return shared, own


def _read_problem(table: Table) -> dict[str, list[Value]]:
    return {
        key: read_values(value, (*table.path, key), table.mistakes, scalar_allowed=True) for key, value in table.items()
    }


def _read_method(table: Table) -> Method:
    values: dict[str, Any] = {}
    for field in fields(Method):
        choices = METHOD_CHOICES.get(field.name)
        if choices:
            values[field.name] = table.text(field.name, str(field.default), choices=choices)
            continue
        limits = METHOD_LIMITS.get(field.name, {"whole": isinstance(field.default, int)})
        number = table.number(field.name, **limits)
        values[field.name] = field.default if number is None else number
    if values["max_samples"] < values["min_samples"]:
        table.mistakes.add(
            (*table.path, "max_samples"),
            f"expected at least min_samples = {values['min_samples']}, found {values['max_samples']}",
        )
    if values["finalists"] == 1:
        table.mistakes.add((*table.path, "finalists"), "expected 0 (no race) or at least 2, found 1")
    table.finish()
    return Method(**values)


def _read_reliability(table: Table) -> agent.Reliability:
    """``minutes`` or ``seconds`` of a run under load, 0 or neither for none."""
    minutes = table.number("minutes", low=0, high=10_080)
    seconds = table.number("seconds", low=0, high=604_800)
    verify_every = table.number("verify_every", whole=True, low=2)
    if minutes is not None and seconds is not None:
        table.mistakes.add((*table.path, "seconds"), "expected minutes or seconds, found both")
    table.finish()
    return agent.Reliability(seconds=float(60 * (minutes or 0) + (seconds or 0)), verify_every=int(verify_every or 0))


def _read_targets(table: Table) -> dict[str, str]:
    targets: dict[str, str] = {}
    for metric, text in table.items():
        try:
            parse_target(metric, text if isinstance(text, str) else "")
            targets[metric] = text
        except ValueError as error:
            table.mistakes.add((*table.path, metric), f"{error}, found {describe(text)}")
    return targets


def _read_budget(table: Table) -> Budget:
    budget = Budget(
        minutes=table.number("minutes", above=0),
        trials=table.number("trials", whole=True, low=1),
        usd=table.number("usd", above=0),
    )
    table.finish()
    return budget


def _read_compare(table: Table) -> Compare:
    label, simulated = table.text("label"), table.flag("simulated", False)
    latency_ms = table.number("latency_ms", above=0)
    facts: dict[str, Value] = {}
    for key, value in table.items():
        if key in ("label", "simulated", "latency_ms"):
            continue
        if not is_scalar(value):
            table.wrong(key, "a finite number, bool or str")
        facts[key] = value
    table.finish()
    return Compare(label=label, simulated=simulated, latency_ms=latency_ms, facts=facts)
