"""What a host offers: its devices and its compilers, without starting a run."""

from __future__ import annotations

import contextlib
import platform
import socket
import sys
import threading
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tunetui_agent import __version__
from tunetui_agent.build import open_builder
from tunetui_agent.build.prebuilt import PrebuiltBuilder
from tunetui_agent.devices import probe as probe_devices
from tunetui_agent.devices.cuda_driver import kernel_driver_version
from tunetui_agent.messages import PROTOCOL
from tunetui_agent.modules import find_module
from tunetui_agent.system import system_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from tunetui_agent.build import Builder
    from tunetui_agent.messages import Device, Toolchain

LANGUAGES = ("python", "mojo", "cuda")


def probe(cache: Path, modules: Iterable[str] = (), prefer_prebuilt: Collection[str] = ()) -> dict[str, Any]:
    """One JSON object; ``toolchains`` names a language once for every kind of device it is built for, and every module.

    Which ``modules`` is asked last: they may still be on their way.
    """
    compiler = threading.Thread(target=_load_gpu_compiler, args=(cache,))
    if kernel_driver_version():  # which takes longer to start than a compiler to load
        compiler.start()
    devices = probe_devices()
    if compiler.ident:
        compiler.join()
    kinds = sorted({device.kind for device in devices})
    toolchains = []
    for kind in kinds:
        for language in LANGUAGES:
            try:
                builder = open_builder(language, cache, kind, prefer_prebuilt)
            except LookupError:  # this language is not for this kind of device
                continue
            found = _toolchain(builder, devices)
            if kind == "gpu":
                from tunetui_agent.build.assembling import assembler_of

                found = replace(found, assembler=assembler_of(language, kind))
            toolchains.append({"kind": kind, **asdict(found)})
    for name in sorted(set(modules)):
        found = find_module(name)
        toolchains += [{"kind": kind, **asdict(found)} for kind in kinds]
    return {
        "devices": [asdict(device) for device in devices],
        "toolchains": toolchains,
        "agent": __version__,
        "protocol": PROTOCOL,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": system_name(),
        "host": socket.gethostname(),
    }


def _load_gpu_compiler(cache: Path) -> None:
    """What comes of it is kept for who asks next."""
    with contextlib.suppress(LookupError):
        open_builder("cuda", cache, "gpu").toolchain()


def _toolchain(builder: Builder, devices: list[Device]) -> Toolchain:
    if not isinstance(builder, PrebuiltBuilder):
        return builder.toolchain()
    return builder.toolchain_for(
        {f"sm_{device.attributes['compute_capability']}" for device in devices if device.kind == "gpu"}
    )
