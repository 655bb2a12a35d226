"""Hashes that say whether two trials are the same one, and whether two results came about in the same way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from tunetui.core.definitions import ImplementationDefinition, Kernel
from tunetui_agent import HARNESS_VERSION
from tunetui_agent.messages import Device, Method, Toolchain, Value

_NOT_MEASURED_BY = (
    "trial_timeout_seconds", "build_timeout_seconds",  # they end a trial, they do not change a figure
    "occupancy", "energy", "energy_seconds", "ceilings",  # looked at beside the samples
    "finalists", "finalists_seconds", "revisit_percent", "sentinel_seconds", "throttle_retries",  # which figure stands, as its row says
)  # fmt: skip
"""Fields of the method under which one trial's samples are taken all the same."""


def content_hash(content: Any) -> str:
    """16 hexadecimal digits of BLAKE2b over the canonical JSON of ``content``."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def trial_id(implementation: str, problem: Mapping[str, Value], configuration: Mapping[str, Value]) -> str:
    """The same on every machine and in every run for the same work; the order of the names does not matter."""
    return content_hash({"implementation": implementation, "problem": problem, "configuration": configuration})


def provenance_fields(
    kernel: Kernel,
    definition: ImplementationDefinition,
    device: Device,
    toolchain: Toolchain,
    method: Method,
) -> dict[str, Any]:
    """How a figure of this implementation comes about; where a field differs from before, the row is stale.

    ``kernel_source`` covers the implementation's own source and what it may include: every file that is neither the
    reference nor another implementation's source.  ``definition`` covers its arguments, launches and parameters.
    """
    measuring = {name: value for name, value in asdict(method).items() if name not in _NOT_MEASURED_BY}
    assembler = {"assembler": toolchain.assembler} if toolchain.assembler else {}
    return {
        "kernel_source": _source_hash(kernel, definition),
        "reference": hashlib.sha256(kernel.files.get(kernel.reference, "").encode()).hexdigest(),
        "definition": _definition_hash(kernel, definition),
        "options": list(definition.options),
        "language": definition.language,
        "compiler": toolchain.version,
        **assembler,
        "device": f"{device.id} {device.name}",
        "driver": device.driver,
        "harness": HARNESS_VERSION,
        "method": content_hash(measuring),
    }


def _source_hash(kernel: Kernel, definition: ImplementationDefinition) -> str:
    others = {other.source for kinds in kernel.implementations.values() for other in kinds.values()}
    left_out = (others | {kernel.reference}) - {definition.source}
    whole = hashlib.sha256()
    for name, text in sorted(kernel.files.items()):
        if name not in left_out:
            whole.update(f"{name}\0{len(text)}\0{text}".encode())
    return whole.hexdigest()


def _definition_hash(kernel: Kernel, definition: ImplementationDefinition) -> str:
    used = {name for launch in definition.launches for name in launch.arguments}
    arguments = {name: argument for name, argument in kernel.arguments.items() if name in used}
    return content_hash(msgspec.to_builtins([definition.launches, definition.parameters, arguments]))
