"""What differs between two runs beside their figures: driver, device, compiler, source, method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tunetui.core.labels import one_line
from tunetui.core.leaderboard import Leaderboard

_OF_METHOD = ("eviction", "percentiles", "interval", "test", "ranking")
NONE = "none"
"""What stands for something that a run does not have."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not what it was; what a run does not have is said as "none"."""

    what: str
    first: str
    second: str


def changes_between(first: Leaderboard, second: Leaderboard) -> list[Change]:
    """Everything recorded that differs and may move a latency, in the order in which it most often does."""
    ours, theirs = _recorded(first), _recorded(second)
    names = list(dict.fromkeys([*ours, *theirs]))
    pairs = [(name, ours.get(name, NONE), theirs.get(name, NONE)) for name in names]
    return [Change(what=name, first=a, second=b) for name, a, b in pairs if a != b]


def _recorded(leaderboard: Leaderboard) -> dict[str, str]:
    """Name to value, as text, of all that is recorded around the rows."""
    devices = leaderboard.devices
    found = {
        "device": _joined(device.name for device in devices),
        "device id": _joined(device.id for device in devices),
        "driver": _joined(device.driver for device in devices),
        "host": _joined(device.reached_as or device.host for device in devices),
        "platform": _joined(device.platform for device in devices),
    }
    compilers: dict[str, list[str]] = {}
    for device in devices:
        for language, version in device.compilers.items():
            compilers.setdefault(language, []).append(version)
    found |= {f"compiler {name}": _joined(versions) for name, versions in sorted(compilers.items())}
    found |= {f"source {name}": digest[:12] for name, digest in sorted(leaderboard.kernel.source_hashes.items())}
    found |= {f"metric {name}": formula for name, formula in sorted(leaderboard.kernel.metrics.items())}
    found |= _of_provenances(leaderboard.provenances)
    method = leaderboard.method
    found |= {f"method.{name}": str(value) for name, value in sorted(method.settings.items())}
    found |= {f"method {name}": getattr(method, name) for name in _OF_METHOD}
    found["tunetui"] = leaderboard.run.tunetui_version
    return {one_line(name): one_line(value) for name, value in found.items() if value}


def _of_provenances(provenances: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Options and measuring code of each language; files hold the rest elsewhere."""
    found: dict[str, list[str]] = {}
    for fields in provenances.values():
        language = fields.get("language", "")
        for name in ("options", "harness", "definition", "reference"):
            if name in fields:
                where = f"{name} ({language})" if language else name
                found.setdefault(where, []).append(str(fields[name]))
    return {name: _joined(sorted(values)) for name, values in sorted(found.items())}


def _joined(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))
