"""``tunetui lambda``: what can be rented, what is, and the end of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from tunetui.cli.narration import literal, stderr_face, stdout_face
from tunetui.cli.reminding import IDLE_MINUTES, lasting
from tunetui.cli.renting import Renting, cost, price, start_guard
from tunetui.cli.tables import Column, lay_out
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.figures import NOT_MEASURED

if TYPE_CHECKING:
    from tunetui.hosts.lambda_cloud.ledger import Entry
    from tunetui.hosts.lambda_cloud.shapes import InstanceType
    from tunetui.session.rented_list import Machine
    from tunetui.session.rented_work import AtWork

_STARTING_MINUTES = 30.0


def run_lambda(parsed: argparse.Namespace) -> int:
    """One action; returns the exit code."""
    action = {
        "types": _types, "list": _list, "launch": _launch, "wait": _wait, "guard": _guard, "terminate": _terminate, "gc": _gc,
    }  # fmt: skip
    return asyncio.run(action[parsed.action](parsed))


async def _types(parsed: argparse.Namespace) -> int:
    from tunetui.session.renting import open_account

    found = await open_account().api.types()
    shown = [each for each in found if each.regions or not parsed.available]
    out = stdout_face(no_color=parsed.no_color)
    if parsed.json:
        out.lines(json.dumps({"types": [asdict(each) for each in shown]}, indent=2).splitlines())
        return ExitCode.OK
    if not shown:
        out.lines(["nothing is free just now" if found else "Lambda Cloud names no types"])
        return ExitCode.OK
    table = lay_out(_type_columns(shown), out.width)
    out.lines([*map(out.faint, table.header), *table.body])
    return ExitCode.OK


async def _list(parsed: argparse.Namespace) -> int:
    from tunetui.session.rented_list import list_machines
    from tunetui.session.renting import open_account

    found = await list_machines(open_account())
    out, err = stdout_face(no_color=parsed.no_color), stderr_face(no_color=parsed.no_color)
    if parsed.json:
        out.lines(json.dumps({"machines": [asdict(each) for each in found.machines]}, indent=2).splitlines())
    elif found.machines:
        table = lay_out(_machine_columns(found.machines), out.width)
        out.lines([*map(out.faint, table.header), *table.body])
    else:
        out.lines(["no machines"])
    err.lines([literal(line) for line in found.remarks])
    return ExitCode.OK


async def _launch(parsed: argparse.Namespace) -> int:
    from tunetui.session.renting import parse_wanted

    renting = Renting(parsed)
    entry = await renting.launch(renting.as_told(parse_wanted(parsed.type)))
    if parsed.terminate_after_idle is not None:
        log, _ = start_guard(entry.name, parsed.terminate_after_idle)
        words = f"after {parsed.terminate_after_idle:g} min without a run it is terminated, by a guard on this machine"
        renting.err.lines([f"guarded     {words}: {literal(log)}"])
    if not parsed.no_wait:
        await renting.wait(entry.name)
    stdout_face(no_color=parsed.no_color).lines([entry.name])
    renting.err.lines([f"use it with --host {entry.name}; it costs until: tunetui lambda terminate {entry.name}"])
    return ExitCode.OK


async def _wait(parsed: argparse.Namespace) -> int:
    from tunetui.hosts.lambda_cloud.account import entry_named
    from tunetui.session.rented import open_ledger

    await Renting(parsed).wait(entry_named(open_ledger(), parsed.name).name)
    return ExitCode.OK


async def _guard(parsed: argparse.Namespace) -> int:
    from tunetui.hosts.lambda_cloud.account import entry_named
    from tunetui.session.guarding import end_when_idle
    from tunetui.session.rented import open_ledger
    from tunetui.session.renting import open_account

    renting = Renting(parsed)
    name = entry_named(open_ledger(), parsed.name).name
    over = await end_when_idle(open_account(), name, parsed.after, renting.line.say, links=renting.links())
    renting.line.end()
    renting.err.lines([f"{literal(name)} is gone: {literal(over.text)}"])
    return ExitCode.OK


async def _terminate(parsed: argparse.Namespace) -> int:
    from tunetui.session.rented_work import at_work
    from tunetui.session.renting import open_account

    renting, account = Renting(parsed), open_account()
    entries = list(dict.fromkeys(account.named(name) for name in parsed.names))
    await account.survey()
    sure = True
    for entry in entries:
        work = at_work(entry.name)
        if work is None:
            renting.err.lines([f"{literal(entry.name)} is gone already"])
        elif await _agreed(renting, work.entry, work.runs):
            sure = await renting.end(entry.name, account) and sure
    return ExitCode.OK if sure else ExitCode.UNAVAILABLE


async def _gc(parsed: argparse.Namespace) -> int:
    from tunetui.session.rented_list import remarks
    from tunetui.session.rented_work import at_work
    from tunetui.session.renting import open_account

    renting, account = Renting(parsed), open_account()
    found = await account.survey()
    out, sure, left = stdout_face(no_color=parsed.no_color), True, 0
    for entry in found.entries:
        work = at_work(entry.name)
        if work is None or entry.instance not in found.instances:
            continue
        left += 1
        why = _why_left(work, account.clock.now(), _least_idle_minutes(parsed))
        if why:
            out.lines([f"{literal(entry.name)} is left: {literal(why)}"])
        elif parsed.dry_run:
            out.lines([f"{literal(entry.name)} would be terminated: {price(entry)} an hour, {cost(entry)} so far"])
        elif await _agreed(renting, entry, ()):
            sure = await renting.end(entry.name, account) and sure
    if not left:
        out.lines(["nothing that was launched from here is still there"])
    renting.err.lines([literal(line) for line in remarks(found)])
    return ExitCode.OK if sure else ExitCode.UNAVAILABLE


def _least_idle_minutes(parsed: argparse.Namespace) -> float:
    if parsed.idle is not None:
        return float(parsed.idle)
    return IDLE_MINUTES if parsed.yes else 0.0  # whoever is asked sees what it is


def _why_left(work: AtWork, now: float, least_minutes: float) -> str:
    """Why gc ends nothing here, or ""."""
    if work.idle_since is None:
        return f"{', '.join(work.runs)} is at work there"
    if work.entry.ready_at is None and least_minutes and now - work.entry.asked_at < _STARTING_MINUTES * 60:
        return "it may be starting; --idle 0 ends it all the same"
    if now - work.idle_since < least_minutes * 60:
        return f"it has had no work for {lasting(now - work.idle_since)} only; --idle 0 ends it all the same"
    return ""


async def _agreed(renting: Renting, entry: Entry, runs: tuple[str, ...]) -> bool:
    """Whether a machine may be ended.  Raises InputError where nobody can be asked."""
    if renting.parsed.yes:
        return True
    if not renting.asks:
        raise InputError("this is no terminal, and nobody can be asked", hint="--yes terminates without a question")
    work = f"{', '.join(runs)} is at work there and will be lost. " if runs else ""
    question = (
        f"{entry.name} ({entry.type}, {price(entry)} an hour, {cost(entry)} so far): {work}Terminate it (yes/no)? "
    )
    return await renting.asked(literal(question))


# -------------------------------------------------------------------------------------- tables


def _type_columns(types: list[InstanceType]) -> list[Column]:
    def number(key: str, header: tuple[str, ...], values: list[int | None], way: int) -> Column:
        cells = [NOT_MEASURED if value is None else str(value) for value in values]
        return Column(key=key, header=header, cells=cells, align="right", gives_way=way)

    prices = [NOT_MEASURED if each.usd_per_hour is None else f"{each.usd_per_hour:.2f}" for each in types]
    return [
        Column(key="type", header=("type",), cells=[literal(each.name) for each in types]),
        Column(key="price", header=("USD/h",), cells=prices, align="point"),
        Column(key="gpu", header=("GPUs",), cells=[literal(each.description) for each in types], gives_way=20),
        number("cores", ("cores",), [each.vcpus for each in types], 30),
        number("memory", ("memory", "GiB"), [each.memory_gib for each in types], 40),
        number("disk", ("disk", "GiB"), [each.storage_gib for each in types], 50),
        Column(key="regions", header=("free in",), cells=[", ".join(each.region_names) or "-" for each in types]),
    ]


def _machine_columns(machines: list[Machine]) -> list[Column]:
    def column(key: str, header: str, cells: list[str], way: int = 0) -> Column:
        return Column(key=key, header=(header,), cells=[literal(cell) or "-" for cell in cells], gives_way=way)

    def money(key: str, header: str, values: list[float | None]) -> Column:
        cells = [NOT_MEASURED if value is None else f"{value:.2f}" for value in values]
        return Column(key=key, header=(header,), cells=cells, align="point")

    return [
        column("name", "name", [each.name for each in machines]),
        column("status", "status", [each.status for each in machines]),
        column("type", "type", [each.type for each in machines], 30),
        column("region", "region", [each.region for each in machines], 40),
        column("ip", "address", [each.ip for each in machines], 50),
        money("usd_per_hour", "USD/h", [each.usd_per_hour for each in machines]),
        money("usd_so_far", "USD so far", [each.usd_so_far for each in machines]),
        column("work", "work", [_work(each) for each in machines]),
    ]


def _work(machine: Machine) -> str:
    from tunetui.session.rented_list import BOOTING

    if not machine.launched_here:
        return "not launched from here"
    if machine.runs:
        return ", ".join(machine.runs)
    if machine.idle_since is None:
        return "-"
    doing = "starting" if machine.status == BOOTING else "idle"
    return f"{doing} for {lasting(time.time() - machine.idle_since)}"
