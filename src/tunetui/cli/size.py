"""``tunetui size``: what to provision for a load, from measured leaderboards."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import msgspec

from tunetui.cli.exports import plain_json
from tunetui.cli.narration import Face, stdout_face
from tunetui.cli.tables import Column, lay_out
from tunetui.core import figures
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.host_prices import refuse_strange_names
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.sizing import FORMULAS, Load, Plan, size
from tunetui.core.text_fitting import wrapped


def run_size(parsed: argparse.Namespace) -> int:
    """Print every measured way to carry the load; 1 where there is none for some problem."""
    from tunetui.session import read_leaderboard

    load = Load(qps=parsed.qps, p99_ms=parsed.p99, headroom_percent=parsed.headroom, overhead_ms=parsed.overhead_ms)
    leaderboards = [read_leaderboard(path) for path in parsed.files]
    plans = size(leaderboards, load, prices_of_hosts(parsed, leaderboards), parsed.devices_per_host)
    face = stdout_face(no_color=parsed.no_color)
    if parsed.format == "json":
        data = {"load": load, "plans": plans, "formulas": FORMULAS}
        face.lines([plain_json(msgspec.json.encode(data))])
    else:
        face.lines(_report(plans, load, face))
    able = {_problem(plan) for plan in plans if plan.devices is not None}
    return ExitCode.OK if able == {_problem(plan) for plan in plans} else ExitCode.TARGET_MISSED


def prices_of_hosts(parsed: argparse.Namespace, leaderboards: Sequence[Leaderboard]) -> dict[str, float]:
    """USD an hour of a whole host: as the settings say, then as the command line does.

    Raises:
        InputError: a price that is none, or one for a name that is not in ``leaderboards``.
    """
    from tunetui.settings import load_settings

    hosts = load_settings().hosts
    found = {name: host.usd_per_hour for name, host in hosts.items() if host.usd_per_hour is not None}
    for text in parsed.usd_per_hour:
        name, _, number = text.rpartition("=")
        try:
            usd = float(number)
        except ValueError:
            usd = -1.0
        if not 0 <= usd < float("inf"):
            raise InputError(
                f"--usd-per-hour: expected USD per hour, found {text!r}",
                hint="2.49 for every host, or for one model of device: 'NVIDIA A10=0.75'",
            )
        refuse_strange_names(leaderboards, [name])
        found[name] = usd
    return found


def _problem(plan: Plan) -> str:
    return " ".join(assignments(plan.problem))


def _report(plans: Sequence[Plan], load: Load, face: Face) -> list[str]:
    lines = [
        face.heading(f"{_plainly(load.qps)} queries/s, p99 below {load.p99_ms:g} ms"),
        f"headroom: {load.headroom_percent:g} % of every device is kept free; overhead: {load.overhead_ms:g} ms a query",
    ]
    for problem in dict.fromkeys(map(_problem, plans)):
        own = [plan for plan in plans if _problem(plan) == problem]
        table = lay_out(_columns(own), face.width)
        lines += ["", face.heading(problem), *map(face.faint, table.header), *table.body]
        chosen = next((plan for plan in own if plan.best), None)
        if chosen is not None:
            words = " ".join([one_line(chosen.implementation), *assignments(chosen.configuration)])
            lines += wrapped(f"* {_in_short(chosen)}; {words}".split(" "), face.width, indent="    ", first="")
        for plan in own:
            if plan.reason:
                said = f"batch {plan.batch} on {one_line(plan.device)}: {plan.reason}"
                lines += wrapped(said.split(" "), face.width, indent="    ", first="  ")
        if any(plan.devices is not None and plan.usd_per_hour is None for plan in own):
            said = "prices are missing: --usd-per-hour, or usd_per_hour under [hosts.NAME] in settings.toml"
            lines += wrapped(said.split(" "), face.width, indent="    ", first="  ")
    lines.append("")
    for formula in FORMULAS:
        lines += wrapped(formula.split(" "), face.width, indent="  ")
    return [*lines, *wrapped(_CAVEAT.split(" "), face.width, indent="  ")]


_READABLE = 1e12
_CAVEAT = (
    "measured is the kernel alone, as its method says (cold caches unless it says hot): what a service adds belongs "
    "into --overhead-ms; prices are as stated, not an invoice"
)


def _plainly(value: float) -> str:
    """A load as it was asked for, with its thousands set apart."""
    return f"{value:,.0f}" if value.is_integer() and value < _READABLE else f"{value:g}"


def _rate(value: float) -> str:
    """Three digits: it follows from a median."""
    return f"{float(f'{value:.3g}'):,g}" if value < 1 else f"{float(f'{value:.3g}'):,.0f}"


def _in_short(plan: Plan) -> str:
    devices = f"{plan.devices:,} x {one_line(plan.device)} with batches of {plan.batch}"
    if plan.hosts is not None and plan.hosts != plan.devices:
        devices = f"{devices} ({figures.counted(plan.hosts, 'host')})"
    if plan.usd_per_million is None:
        return f"fewest devices: {devices}"
    return f"cheapest: {devices}, {figures.with_uncertainty(plan.usd_per_million, None)} USD per million queries"


def _columns(plans: Sequence[Plan]) -> list[Column]:
    def number(
        key: str, header: tuple[str, ...], values: Sequence[float | None], way: int, write: Callable[[float], str]
    ) -> Column:
        cells = [figures.NOT_MEASURED if value is None else write(value) for value in values]
        return Column(key=key, header=header, cells=cells, align="point", gives_way=way)

    def three(value: float) -> str:
        return figures.with_uncertainty(value, None)

    marks = ["*" if plan.best else "" for plan in plans]
    names = [one_line(plan.device) for plan in plans]
    return [
        Column(key="best", header=("",), cells=marks),
        Column(key="device", header=("device",), cells=names),
        Column(key="batch", header=("batch",), cells=[str(plan.batch) for plan in plans], align="right"),
        number("execution", ("execution", "ms"), [plan.execution_ms for plan in plans], 50, three),
        number("per_device", ("per device", "queries/s"), [plan.qps_per_device for plan in plans], 40, _rate),
        number("devices", ("devices",), [plan.devices for plan in plans], 0, "{:,.0f}".format),
        number("p99", ("p99 <=", "ms"), [plan.p99_ms for plan in plans], 30, three),
        number("busy", ("busy", "%"), [plan.utilisation_percent for plan in plans], 20, "{:.1f}".format),
        number("usd", ("USD/h",), [plan.usd_per_hour for plan in plans], 10, "{:,.2f}".format),
        number("million", ("USD per", "1M queries"), [plan.usd_per_million for plan in plans], 0, three),
    ]
