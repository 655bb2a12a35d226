"""How trials, problems and devices are called in a line of text; everything from outside made literal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunetui.core.cleaning import clean
from tunetui.core.figures import NOT_MEASURED, count, memory, percent, setting, with_uncertainty
from tunetui.core.routes import LOCAL
from tunetui_agent.messages import Device, Toolchain, Value

_NS_PER_MS = 1e6


def assignments(values: Mapping[str, Value]) -> list[str]:
    """``name=value`` words, in the order of the mapping."""
    return [one_line(f"{name}={setting(value)}") for name, value in values.items()]


def trial_label(implementation: str, configuration: Mapping[str, Value]) -> str:
    """``mojo row_block=2 threads=1``."""
    return " ".join([one_line(implementation), *assignments(configuration)])


def one_line(text: object) -> str:
    """Text from outside as one literal line."""
    return clean(str(text)).replace("\n", " ").replace("\t", " ").strip()


def host_name(name: str) -> str:
    """A host as people call it."""
    return "this machine" if name == LOCAL else one_line(name)


def varying(problems: Sequence[Mapping[str, Value]]) -> list[str]:
    """The fields in which problems differ, in their order."""
    if not problems:
        return []
    return [name for name in problems[0] if any(other.get(name) != problems[0][name] for other in problems[1:])]


def short_problem(problem: Mapping[str, Value], fields: Sequence[str]) -> str:
    """Only the fields that tell this problem from the others; empty where there is one problem."""
    return " ".join(assignments({name: problem[name] for name in fields if name in problem}))


def latency_ms(median_ns: float | None, low_ns: float | None, high_ns: float | None) -> str:
    """``0.3101 ms ±0.4 %``, as precise as the interval allows."""
    if median_ns is None:
        return NOT_MEASURED
    if low_ns is None or high_ns is None:
        return f"{with_uncertainty(median_ns / _NS_PER_MS, None)} ms (no interval)"
    half_width = max(high_ns - median_ns, median_ns - low_ns)
    figure = with_uncertainty(median_ns / _NS_PER_MS, half_width / _NS_PER_MS)
    return f"{figure} ms ±{percent(half_width / median_ns * 100 if median_ns else None)} %"


def device_label(device: Device) -> str:
    """``AMD EPYC 7B13 (cpu: 2 cores, 15.6 GiB)``."""
    facts = []
    for attribute, noun in (("cores", "cores"), ("multiprocessors", "multiprocessors")):
        if attribute in device.attributes:
            facts.append(f"{count(device.attributes[attribute])} {noun}")
    if "memory_bytes" in device.attributes:
        facts.append(memory(device.attributes["memory_bytes"]))
    if device.driver:
        facts.append(f"driver {device.driver}")
    about = f"{device.kind}: {', '.join(facts)}" if facts else device.kind
    return one_line(f"{device.name or device.id} ({about})")


def toolchain_label(toolchain: Toolchain) -> str:
    """``mojo: Mojo 1.2.0``, with a remark such as "built elsewhere", or why it is not there."""
    if toolchain.available:
        return one_line(", ".join(filter(None, [f"{toolchain.language}: {toolchain.version}", toolchain.reason])))
    return one_line(f"{toolchain.language}: not available: {toolchain.reason or 'no reason given'}")
