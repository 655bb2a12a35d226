"""The part of the fold that says what trials run on: the device, its toolchains, what it can do at most."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec

from tunetui.core.draft import Draft
from tunetui.core.events import Record
from tunetui.core.models import device_id, model_of
from tunetui_agent.messages import CeilingsMeasured, Device, DeviceFound

_CEILING = "ceiling_"


def _device_found(draft: Draft, record: Record, event: DeviceFound) -> None:
    device = event.device
    placed = draft.changes.get("placed", draft.run.placed).get(record.source)
    if placed is not None:
        device = dataclasses.replace(device, id=device_id(device, placed.host))
    devices = draft.value("devices")
    devices[device.id] = _with_ceilings(device, devices[device.id].details) if device.id in devices else device
    draft.value("models").setdefault(model_of(device), device.id)
    draft.value("toolchains").update({found.language: found for found in event.toolchains})
    agents = draft.value("agents")
    if record.source in agents:
        changed = {"device": device.id, "eviction": event.eviction}
        agents[record.source] = msgspec.structs.replace(agents[record.source], **changed)
    draft.say(record, event.device.name)


def _ceilings_measured(draft: Draft, record: Record, event: CeilingsMeasured) -> None:
    devices, device = draft.value("devices"), draft.device_of(record.source)
    if device in devices:
        known = devices[device]
        devices[device] = dataclasses.replace(known, details={**known.details, **event.figures})


def _with_ceilings(device: Device, before: dict[str, Any]) -> Device:
    """The device with what it was found able to do by an earlier agent, until it is measured again."""
    ceilings = {name: value for name, value in before.items() if name.startswith(_CEILING)}
    return dataclasses.replace(device, details={**ceilings, **device.details})


FOUND: dict[type[Any], Callable[[Draft, Record, Any], None]] = {
    DeviceFound: _device_found,
    CeilingsMeasured: _ceilings_measured,
}
"""What each of these records does to a run."""
