"""What a host offers: its devices and its compilers, without starting a run."""

from __future__ import annotations

import platform
import socket
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tunetui_agent import __version__
from tunetui_agent.build import open_builder
from tunetui_agent.devices import probe as probe_devices
from tunetui_agent.messages import PROTOCOL
from tunetui_agent.modules import find_module

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LANGUAGES = ("python", "mojo", "cuda")


def probe(cache: Path, modules: Iterable[str] = ()) -> dict[str, Any]:
    """One JSON object; ``toolchains`` names a language once for every kind of device it is built for, and every module."""
    devices = probe_devices()
    toolchains = []
    for kind in sorted({device.kind for device in devices}):
        for language in LANGUAGES:
            try:
                builder = open_builder(language, cache, kind)
            except LookupError:  # this language is not for this kind of device
                continue
            toolchains.append({"kind": kind, **asdict(builder.toolchain())})
        toolchains += [{"kind": kind, **asdict(find_module(name))} for name in sorted(set(modules))]
    return {
        "devices": [asdict(device) for device in devices],
        "toolchains": toolchains,
        "agent": __version__,
        "protocol": PROTOCOL,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "host": socket.gethostname(),
    }
