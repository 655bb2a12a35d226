"""``tunetui size``: what to provision for a load, from measured leaderboards."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import msgspec

from tunetui.cli.exports import plain_json
from tunetui.cli.narration import Face, stdout_face
from tunetui.cli.tables import Column, lay_out
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.figures import NOT_MEASURED
from tunetui.core.labels import assignments, one_line
from tunetui.core.sizing import FORMULAS, Load, Plan, size
from tunetui.core.text_fitting import wrapped


def run_size(parsed: argparse.Namespace) -> int:
    """Print every measured way to carry the load; 1 where there is none for some problem."""
    from tunetui.session import read_leaderboard

    load = Load(qps=parsed.qps, p99_ms=parsed.p99, headroom_percent=parsed.headroom, overhead_ms=parsed.overhead_ms)
    plans = size([read_leaderboard(path) for path in parsed.files], load, prices_per_device(parsed))
    face = stdout_face(no_color=parsed.no_color)
    if parsed.format == "json":
        data = {"load": load, "plans": plans, "formulas": FORMULAS}
        face.lines([plain_json(msgspec.json.encode(data))])
    else:
        face.lines(_report(plans, load, face))
    able = {_problem(plan) for plan in plans if plan.devices is not None}
    return ExitCode.OK if able == {_problem(plan) for plan in plans} else ExitCode.TARGET_MISSED


def prices_per_device(parsed: argparse.Namespace) -> dict[str, float]:
    """USD per device and hour: of hosts as the settings say, then as the command line does."""
    from tunetui.settings import load_settings

    hosts = load_settings().hosts
    prices = {name: host.usd_per_hour for name, host in hosts.items() if host.usd_per_hour is not None}
    found = {name: usd / parsed.devices_per_host for name, usd in prices.items()}
    for text in parsed.usd_per_hour:
        name, _, number = text.rpartition("=")
        try:
            usd = float(number)
        except ValueError:
            usd = -1.0
        if not 0 <= usd < float("inf"):
            raise InputError(
                f"--usd-per-hour: expected USD per hour, found {text!r}",
                hint="2.49 for every device, or for one model: 'NVIDIA A10=0.75'",
            )
        found[name] = usd / parsed.devices_per_host
    return found


def _problem(plan: Plan) -> str:
    return " ".join(assignments(plan.problem))


def _report(plans: Sequence[Plan], load: Load, face: Face) -> list[str]:
    lines = [
        face.heading(f"{load.qps:g} queries/s, p99 below {load.p99_ms:g} ms"),
        f"headroom: {load.headroom_percent:g} % of every device is kept free; overhead: {load.overhead_ms:g} ms a query",
    ]
    for problem in dict.fromkeys(map(_problem, plans)):
        own = [plan for plan in plans if _problem(plan) == problem]
        table = lay_out(_columns(own), face.width)
        lines += ["", face.heading(problem), *map(face.faint, table.header), *table.body]
        chosen = next((plan for plan in own if plan.best), None)
        if chosen is not None:
            words = " ".join([one_line(chosen.implementation), *assignments(chosen.configuration)])
            lines.append(f"* {_in_short(chosen)}; {words}")
        for plan in own:
            if plan.reason:
                lines.append(f"  batch {plan.batch} on {one_line(plan.device)}: {plan.reason}")
        if any(plan.devices is not None and plan.usd_per_hour is None for plan in own):
            lines.append("  prices are missing: --usd-per-hour, or usd_per_hour under [hosts.NAME] in settings.toml")
    lines.append("")
    for formula in FORMULAS:
        lines += wrapped(formula.split(" "), face.width, indent="  ")
    return [*lines, *wrapped(_CAVEAT.split(" "), face.width, indent="  ")]


_CAVEAT = (
    "measured is the kernel alone, as its method says (cold caches unless it says hot): what a service adds belongs "
    "into --overhead-ms; prices are as stated, not an invoice"
)


def _in_short(plan: Plan) -> str:
    devices = f"{plan.devices} x {one_line(plan.device)} with batches of {plan.batch}"
    if plan.usd_per_million is None:
        return f"fewest devices: {devices}"
    return f"cheapest: {devices}, {plan.usd_per_million:.3g} USD per million queries"


def _columns(plans: Sequence[Plan]) -> list[Column]:
    def number(key: str, header: tuple[str, ...], values: Sequence[float | None], way: int, digits: str) -> Column:
        cells = [NOT_MEASURED if value is None else format(value, digits) for value in values]
        return Column(key=key, header=header, cells=cells, align="point", gives_way=way)

    marks = ["*" if plan.best else "" for plan in plans]
    names = [one_line(plan.device) for plan in plans]
    return [
        Column(key="best", header=("",), cells=marks),
        Column(key="device", header=("device",), cells=names),
        Column(key="batch", header=("batch",), cells=[str(plan.batch) for plan in plans], align="right"),
        number("execution", ("execution", "ms"), [plan.execution_ms for plan in plans], 50, ".4g"),
        number("per_device", ("per device", "queries/s"), [plan.qps_per_device for plan in plans], 40, ",.0f"),
        number("devices", ("devices",), [plan.devices for plan in plans], 0, ",d"),
        number("p99", ("p99 <=", "ms"), [plan.p99_ms for plan in plans], 30, ".3g"),
        number("busy", ("busy", "%"), [plan.utilisation_percent for plan in plans], 20, ".1f"),
        number("usd", ("USD/h",), [plan.usd_per_hour for plan in plans], 10, ".2f"),
        number("million", ("USD per", "1M queries"), [plan.usd_per_million for plan in plans], 0, ".3g"),
    ]
