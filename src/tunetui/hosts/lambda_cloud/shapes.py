"""What Lambda Cloud answers, taken apart field by field: new statuses, regions and fields do no harm, nor do missing ones."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunetui.core.labels import one_line

_ID = re.compile(r"[0-9a-fA-F][0-9a-fA-F-]{7,63}")
_LONGEST_TEXT = 300
ENDED = frozenset({"terminated", "preempted"})
"""Statuses of instances that cost nothing any more.  Any other, also one that is not known yet, may cost."""


@dataclass(frozen=True)
class Region:
    """A place with machines."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class InstanceType:
    """A machine that can be rented as a whole, and the regions that say they have one now."""

    name: str
    description: str = ""
    gpu: str = ""
    usd_per_hour: float | None = None  # None: Lambda did not say
    gpus: int | None = None
    vcpus: int | None = None
    memory_gib: int | None = None
    storage_gib: int | None = None
    regions: tuple[Region, ...] = ()

    @property
    def region_names(self) -> list[str]:
        """Names of the regions that say they have one."""
        return [region.name for region in self.regions]


@dataclass(frozen=True)
class Instance:
    """A rented machine.  Secrets that Lambda sends along (the address of its notebook) are not taken over."""

    id: str
    status: str = "unknown"
    name: str = ""
    ip: str = ""
    region: str = ""
    type: str = ""
    usd_per_hour: float | None = None

    @property
    def costs(self) -> bool:
        """Whether it has to be taken for one that costs."""
        return self.status not in ENDED


@dataclass(frozen=True)
class AccountKey:
    """A public SSH key that the account knows."""

    id: str
    name: str
    public_key: str = ""


def instance_types(data: Any) -> list[InstanceType]:
    """Of the answer to ``GET /instance-types``, by name; what cannot be understood is left out."""
    found = []
    for key, item in _mapping(data).items():
        own = _mapping(_mapping(item).get("instance_type"))
        specs = _mapping(own.get("specs"))
        found.append(
            InstanceType(
                name=_text(own.get("name")) or one_line(key),
                description=_text(own.get("description")),
                gpu=_text(own.get("gpu_description")),
                usd_per_hour=_price(own),
                gpus=_whole(specs.get("gpus")),
                vcpus=_whole(specs.get("vcpus")),
                memory_gib=_whole(specs.get("memory_gib")),
                storage_gib=_whole(specs.get("storage_gib")),
                regions=tuple(_region(each) for each in _items(_mapping(item).get("regions_with_capacity_available"))),
            )
        )
    return sorted(found, key=lambda each: each.name)


def instances(data: Any) -> list[Instance] | None:
    """Of the answer to ``GET /instances``; None where it is no list, so that nothing is concluded from it."""
    if not isinstance(data, list):
        return None
    return [found for item in data if (found := instance(item)) is not None]


def instance(item: Any) -> Instance | None:
    """One instance; None where it has not even an id."""
    own = _mapping(item)
    if not is_id(own.get("id")):
        return None
    kind = _mapping(own.get("instance_type"))
    return Instance(
        id=own["id"],
        status=_text(own.get("status")) or "unknown",
        name=_text(own.get("name")),
        ip=_address(own.get("ip")),
        region=_region(own.get("region")).name,
        type=_text(kind.get("name")),
        usd_per_hour=_price(kind),
    )


def account_keys(data: Any) -> list[AccountKey]:
    """Of the answer to ``GET /ssh-keys``."""
    return [
        AccountKey(_text(item.get("id")), item["name"], _text(item.get("public_key"), 8192))
        for item in map(_mapping, _items(data))
        if isinstance(item.get("name"), str)
    ]


def image_families(data: Any, region: str) -> set[str]:
    """Of the answer to ``GET /images``: families in a region."""
    found = [each for each in map(_mapping, _items(data)) if _region(each.get("region")).name == region]
    return {_text(each.get("family")) for each in found} - {""}


def launched_ids(data: Any) -> list[str]:
    """Of the answer to a launch."""
    return [each for each in _items(_mapping(data).get("instance_ids")) if is_id(each)]


def ended_ids(data: Any) -> list[str]:
    """Of the answer to a request for an end."""
    found = [instance(each) for each in _items(_mapping(data).get("terminated_instances"))]
    return [each.id for each in found if each is not None]


def is_id(text: Any) -> bool:
    """Whether it looks like an instance's id: nothing else becomes part of an address."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def _price(kind: Mapping[str, Any]) -> float | None:
    cents = kind.get("price_cents_per_hour")
    if isinstance(cents, bool) or not isinstance(cents, int | float) or not 0 <= cents < 1e9:
        return None
    return float(cents) / 100


def _address(value: Any) -> str:
    """An IP address as it is usually written; a name is none."""
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _region(item: Any) -> Region:
    own = _mapping(item)
    return Region(_text(own.get("name")), _text(own.get("description")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any, longest: int = _LONGEST_TEXT) -> str:
    return one_line(value)[:longest] if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
