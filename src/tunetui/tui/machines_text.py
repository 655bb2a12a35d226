"""Machines of Lambda Cloud in words: a line for each, and everything that is known of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunetui.hosts.lambda_cloud.shapes import InstanceType
from tunetui.session.rented_list import BOOTING, Machine
from tunetui.tui.spans import Spans, plain, toned
from tunetui.tui.widgets.form import FormLine
from tunetui.tui.widgets.tones import Tone

_TONES: dict[str, Tone] = {"active": "good", "unhealthy": "bad", "unclear": "warning", "not seen": "warning"}
_MINUTE_SECONDS, _HOUR_MINUTES = 60, 60


def list_lines(
    machines: Sequence[Machine] | None, types: Sequence[InstanceType], busy: Mapping[str, str], now: float
) -> list[FormLine]:
    """What is rented (None: not known), then what could be, that which is free first."""
    lines = [FormLine("machines", "Rented", heading=True, note=busy.get("", "") or "t terminates, w waits")]
    for each in machines or ():
        text, tone = busy.get(each.id or each.name, ""), _TONES.get(each.status)
        lines.append(
            FormLine(
                ("machine", each.id or each.name), each.name, text or _in_short(each, now), note=each.type, tone=tone
            )
        )
    if not machines:
        known = "nothing is rented" if machines is not None else "not known; f5 asks again"
        lines.append(FormLine("none", known, heading=True))
    lines.append(FormLine("types", "To rent", heading=True, note="Enter asks for one, at its price"))
    for kind in sorted(types, key=lambda kind: (not kind.regions, kind.usd_per_hour or 0.0, kind.name)):
        free = ", ".join(kind.region_names) or "nowhere free just now"
        tone = None if kind.regions else "muted"
        text = busy.get(kind.name, "") or f"{money(kind.usd_per_hour)} an hour  {kind.description}"
        lines.append(FormLine(("type", kind.name), kind.name, text, note=free, tone=tone))
    return lines


def machine_lines(machine: Machine, now: float) -> list[Spans]:
    """Everything that is known of a machine."""
    lines: list[Spans] = [
        toned(machine.name or machine.id, "strong"),
        toned(machine.status, _TONES.get(machine.status)),
        plain(f"{machine.type} in {machine.region or '?'}, {machine.ip or 'without an address yet'}"),
        plain(f"{money(machine.usd_per_hour)} an hour"),
    ]
    if not machine.launched_here:
        return [*lines, toned("launched by other means: end it in Lambda's dashboard", "muted")]
    lines.append(plain(f"so far at most {money(machine.usd_so_far)}, before tax"))
    lines.append(plain(_work(machine, now)))
    return [*lines, plain(""), toned(f"measure on it: --host {machine.name}", "muted")]


def type_lines(kind: InstanceType) -> list[Spans]:
    """Everything that is known of a type."""
    lines: list[Spans] = [
        toned(kind.name, "strong"),
        plain(kind.description),
        plain(f"{money(kind.usd_per_hour)} an hour, by the minute, before tax, also while it does nothing"),
        plain(
            f"{kind.vcpus or '?'} cores, {kind.memory_gib or '?'} GiB of memory, {kind.storage_gib or '?'} GiB of disk"
        ),
        plain(""),
        toned("free just now, which is no promise:" if kind.regions else "no region has one just now", "muted"),
    ]
    return [*lines, *(plain(f"{region.name}  {region.description}") for region in kind.regions)]


def money(usd: float | None) -> str:
    """``$1.29``."""
    return "an unknown price" if usd is None else f"${usd:.2f}"


def _in_short(machine: Machine, now: float) -> str:
    cost = f", {money(machine.usd_so_far)} so far" if machine.usd_so_far is not None else ""
    return f"{machine.status}  {money(machine.usd_per_hour)} an hour{cost}  {_work(machine, now)}"


def _work(machine: Machine, now: float) -> str:
    if not machine.launched_here:
        return "not launched from here"
    if machine.runs:
        return f"at work: {', '.join(machine.runs)}"
    if machine.idle_since is None:
        return ""
    minutes = max(0, int(now - machine.idle_since)) // _MINUTE_SECONDS
    if machine.status == BOOTING:
        return f"starting for {minutes} min"
    return f"no work for {minutes} min" if minutes < 2 * _HOUR_MINUTES else f"no work for {minutes // _HOUR_MINUTES} h"


def question(kind: str, region: str, usd_per_hour: float) -> str:
    """What is asked before money is spent."""
    return (
        f"Rent {kind} in {region} for ${usd_per_hour:.2f} an hour?\n"
        "It costs from now until it is terminated, also while it does nothing."
    )
