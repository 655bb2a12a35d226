"""What the Run screen says of devices: which is which, how each is doing, and how its link is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tunetui.core.figures import clock, memory, percent
from tunetui.core.labels import host_name, one_line
from tunetui.core.links import LinkState
from tunetui.core.routes import LOCAL
from tunetui.core.snapshot import Run, Telemetry
from tunetui.tui.spans import Part, Spans, fitting
from tunetui.tui.widgets.tones import Tone
from tunetui_agent.messages import Device

SPARK_CELLS = 12
_BARS = "▁▂▃▄▅▆▇█"
_STALE_SECONDS = 5.0
"""Telemetry comes about once a second; older than this it is shown with its age."""
_QUIET = frozenset({"lost", "connecting", "dead"})
"""States of a link in which nothing is heard."""


def device_names(run: Run) -> dict[str, str]:
    """Device id to what it is called where it stands beside the others: ``box: NVIDIA H200 #2``."""
    hosts = {device: host_of(run, device) for device in run.devices}
    placed = {each.device for each in run.placed.values()}
    apart = len(set(hosts.values())) > 1
    called = {}
    for ident, device in run.devices.items():
        says_host = apart or (ident in placed and hosts[ident] != LOCAL)
        name = one_line(device.name or ident)
        called[ident] = f"{host_name(hosts[ident])}: {name}" if says_host else name
    alike, number = Counter(called.values()), Counter[str]()
    for ident, name in called.items():
        if alike[name] > 1:
            number[name] += 1
            called[ident] = f"{name} #{number[name]}"
    return called


def all_devices(run: Run) -> str:
    """What the run is on, in short: ``box, box-two: 8 x NVIDIA H200``."""
    models = Counter(one_line(device.name or ident) for ident, device in run.devices.items())
    words = ", ".join(name if number == 1 else f"{number} x {name}" for name, number in models.items())
    placed = dict.fromkeys(each.host for each in run.placed.values())
    hosts = [host_name(host) for host in placed] if set(placed) - {LOCAL} else []
    return f"{', '.join(hosts)}: {words}" if hosts and words else words


def host_of(run: Run, device: str) -> str:
    """The host that a device is on, as the user named it where that is known."""
    placed = next((p for p in run.placed.values() if p.device == device), None)
    if placed is not None:
        return placed.host
    return next((agent.host for agent in reversed(run.agents.values()) if agent.device == device), "")


def out_of_touch(run: Run, links: Mapping[str, LinkState]) -> dict[str, float]:
    """Devices of which nothing is heard now, with since when in Unix seconds."""
    quiet = {host: link.since for host, link in links.items() if link.state in _QUIET}
    hosts = {device: host_of(run, device) for device in run.devices} if quiet else {}
    return {device: quiet[host] for device, host in hosts.items() if host in quiet}


# ---------------------------------------------------------------------------------- one line for each


def rail_line(
    run: Run, device: Device, now: float, link: LinkState | None = None, *, name: str = "", width: int = 0
) -> Spans:
    """One device: load, clock, power, temperature, what slows it down, and how old that is where it is old.

    Where that is more than ``width`` cells (0: no limit), what matters least gives way.
    """
    name = name or one_line(device.name or device.id)
    if link is not None and link.state != "ready":
        return ((f" {name}  ", "muted"), (link_words(link, now), "bad" if link.state == "dead" else "warning"))
    source = next((a.source for a in reversed(run.agents.values()) if a.device == device.id), "")
    samples = [sample for sample in run.telemetry if sample.source == source]
    if not samples:
        return ((f" {name}  no telemetry yet", "muted"), *_waited_for(link, now))
    age = now - samples[-1].t
    old = age > _STALE_SECONDS and run.ended is None
    tone: Tone | None = "muted" if old or run.ended is not None else None
    parts: list[Part] = [(0, (f" {name}", "strong" if tone is None else "muted")), *_parts(samples, tone)]
    if old:
        parts.append((0, (f"  {clock(age)} old", "warning")))
    parts += [(0, part) for part in _waited_for(link, now)]
    return fitting(parts, width)


def _waited_for(link: LinkState | None, now: float) -> Spans:
    return ((f"  {link_words(link, now)}", "warning"),) if link is not None and link.asked else ()


def _parts(samples: Sequence[Telemetry], tone: Tone | None) -> Iterator[Part]:
    figures = samples[-1].figures
    load = "utilisation_percent" if "utilisation_percent" in figures else "busy_percent"
    if load in figures:
        history = [sample.figures[load] for sample in samples if load in sample.figures]
        kind = "GPU" if load == "utilisation_percent" else "busy"
        yield 0, (f"  {kind} {figures[load]:3.0f}%", tone)
        yield 4, (f" {spark(history, 100.0)}", tone or "accent")
    for place, words in _device_words(figures):
        yield place, (f"  {words}", tone)
    yield from _slowed(samples[-1], tone)


def _device_words(figures: Mapping[str, float]) -> Iterator[tuple[int, str]]:
    if (mhz := figures.get("sm_clock_mhz", figures.get("clock_mhz"))) is not None:
        yield 1, f"{'SM ' if 'sm_clock_mhz' in figures else ''}{mhz:.0f} MHz"
    if (watts := figures.get("power_w")) is not None:
        yield 2, f"{watts:.0f} W"
    if (celsius := figures.get("temperature_c")) is not None:
        yield 2, f"{celsius:.0f} °C"
    if (used := figures.get("memory_used_bytes")) is not None:
        yield 6, f"{memory(used)} used"
    elif (free := figures.get("memory_available_bytes")) is not None:
        yield 6, f"{memory(free)} free"
    if (load := figures.get("load_average_1m")) is not None and "utilisation_percent" not in figures:
        yield 7, f"load {load:.2f}"


def _slowed(sample: Telemetry, tone: Tone | None) -> Iterator[Part]:
    """What slows the device down, in words; of a CPU nobody tells why its clock is what it is."""
    stolen, reasons = sample.figures.get("stolen_percent", 0.0), sample.throttle_reasons
    if reasons:
        yield 0, (f"  throttled: {one_line(reasons)}", "warning")
    if stolen >= 1.0:
        yield 3, (f"  {stolen:.0f}% stolen by other guests", "warning")
    if not reasons:
        yield 5 if reasons is None else 3, ("  throttling n/a" if reasons is None else "  no throttle", tone or "muted")


def spark(values: Sequence[float], top: float, cells: int = SPARK_CELLS) -> str:
    """The last ``cells`` values as bars between 0 and ``top``."""
    shown = values[-cells:]
    bars = (int(min(max(value / top, 0.0), 1.0) * (len(_BARS) - 1) + 0.5) for value in shown)
    return "".join(_BARS[bar] for bar in bars).rjust(cells)


def link_words(link: LinkState, now: float) -> str:
    """What a link that is not ready means for the run."""
    if link.state == "ready":
        return f"waiting for it to {link.asked}, {clock(now - link.asked_at)}"
    since = clock(now - link.since)
    said = {
        "connecting": f"connecting, {since}",
        "lost": f"link lost {since} ago; the run continues on the host",
        "catching-up": f"catching up with what happened meanwhile, {since}",
        "dead": f"not used any more, {since}",
    }.get(link.state, link.state)
    why = one_line(link.text.removeprefix(f"{link.host}: "))
    return f"{said} ({why})" if why else said


def method_line(run: Run) -> str:
    """``cold caches · ±2% · ceiling 25.3 GB/s``: how figures come about, for the rail's end."""
    if run.plan is None:
        return ""
    method = run.plan.method
    parts = [f"{method.get('cache', 'cold')} caches", f"±{percent(float(method.get('precision_percent', 1.0)))}%"]
    ceilings = {d.details.get("ceiling_read_gb_per_s") for d in run.devices.values()} - {None}
    if len(ceilings) == 1 and isinstance(ceiling := ceilings.pop(), int | float):
        parts.append(f"ceiling {ceiling:.4g} GB/s")
    return " · ".join(parts)
