"""What a host offers, as its agent tells: devices, compilers, modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError
from tunetui.engines.channel import ask_json
from tunetui.session.preparing import probe_arguments
from tunetui_agent.messages import Device, Toolchain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.core.definitions import Kernel
    from tunetui.engines.channel import Link


@dataclass(frozen=True)
class Found:
    """What a host offers, as its agent tells."""

    devices: list[Device]
    toolchains: dict[str, list[Toolchain]]  # by kind of device
    host: str


def required_modules(kernel: Kernel) -> list[str]:
    """Every Python module that an implementation needs on the host."""
    return sorted(
        {name for kinds in kernel.implementations.values() for own in kinds.values() for name in own.requires}
    )


async def probe(link: Link, modules: Sequence[str] = (), prefer_prebuilt: Sequence[str] = ()) -> Found:
    """The devices, compilers and asked modules of a host; ``prefer_prebuilt`` are languages that a bundle was sent for.

    Raises TunetuiError where the answer cannot be understood.
    """
    answer = await ask_json(link, probe_arguments(modules, prefer_prebuilt))
    if not answer.get("ok"):
        raise TunetuiError(f"the agent on {link.host} cannot work: {clean(str(answer.get('text', answer)))}")
    try:
        devices = msgspec.convert(answer.get("devices"), list[Device])
        toolchains: dict[str, list[Toolchain]] = {}
        for each in msgspec.convert(answer.get("toolchains"), list[dict[str, Any]]):
            toolchains.setdefault(str(each.get("kind", "")), []).append(msgspec.convert(each, Toolchain))
    except msgspec.ValidationError as error:
        raise TunetuiError(f"the agent on {link.host} answered with something else than expected: {error}") from None
    return Found(devices, toolchains, clean(str(answer.get("host", link.host))))


def choose_devices(found: Found, kind: str) -> list[Device]:
    """All devices of a kind.  Raises TunetuiError where there is none."""
    devices = [device for device in found.devices if device.kind == kind]
    if devices:
        return devices
    there = ", ".join(clean(device.name) for device in found.devices) or "nothing"
    raise TunetuiError(
        f"no {kind.upper()} that could be used on {found.host}; found {there}",
        hint="tunetui doctor says why" if kind == "gpu" else "",
    )
