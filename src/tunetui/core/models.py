"""Which devices are alike: those of one model share a queue and a leaderboard."""

from __future__ import annotations

from functools import lru_cache

from tunetui.core.identity import content_hash
from tunetui.core.routes import LOCAL
from tunetui_agent.messages import Device

_GIB = 1 << 30


def model_of(device: Device) -> str:
    """8 hexadecimal digits: the same for devices of one kind and name whose attributes are the same.

    Memory counts in whole GiB on a GPU, and not at all on a CPU: what a system leaves of it differs from boot to boot.
    """
    attributes = tuple(sorted(device.attributes.items()))
    return _model(device.kind, device.name, attributes)


@lru_cache(maxsize=256)
def _model(kind: str, name: str, attributes: tuple[tuple[str, int], ...]) -> str:
    known = dict(attributes)
    memory_bytes = known.pop("memory_bytes", 0)
    if kind == "gpu":
        known["memory_gib"] = round(memory_bytes / _GIB)
    return content_hash({"kind": kind, "name": name, "attributes": known})[:8]


def device_id(device: Device, host: str) -> str:
    """The device's id in a run over several hosts: every CPU calls itself "cpu"; a GPU's id is its own everywhere."""
    return device.id if device.kind == "gpu" or host == LOCAL else f"{device.id}@{host}"
