"""Which hosts there are to choose from, and what one answers when it is asked for its devices and compilers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.core.labels import one_line
from tunetui.core.routes import LOCAL
from tunetui.hosts.ssh_aliases import aliases
from tunetui.session.linking import CONFIG_VARIABLE, LinkOptions, open_link
from tunetui.session.preparing import Preparing, look, prepared_as, size_of_environment
from tunetui.session.probing import probe
from tunetui.settings import HostSettings
from tunetui_agent.messages import Device, Toolchain

if TYPE_CHECKING:
    from tunetui.core.asking import Asker
    from tunetui.engines.channel import Link


@dataclass(frozen=True)
class NamedHost:
    """A host by the name that the user gave it."""

    name: str
    source: str  # "this machine" | "settings" | "rented" | "ssh config" | "named"
    usd_per_hour: float | None = None


@dataclass(frozen=True)
class HostAnswer:
    """What a host said, or why it said nothing: then ``problem`` is not empty."""

    host: str
    devices: list[Device] = field(default_factory=list)
    toolchains: dict[str, list[Toolchain]] = field(default_factory=dict)  # by kind of device
    text: str = ""  # of its environment
    problem: str = ""
    hint: str = ""

    def device(self, kind: str) -> Device | None:
        """The first of a kind."""
        return next((each for each in self.devices if each.kind == kind), None)


def named_hosts(settings: Mapping[str, HostSettings], named: Sequence[str] = ()) -> list[NamedHost]:
    """The local machine, what the settings and the SSH configuration name, and what the command line did; each once."""
    found = {LOCAL: NamedHost(LOCAL, "this machine", settings[LOCAL].usd_per_hour if LOCAL in settings else None)}
    for name, own in settings.items():
        found.setdefault(name, NamedHost(name, "rented" if own.usd_source else "settings", own.usd_per_hour))
    config = os.environ.get(CONFIG_VARIABLE, "")
    for name in aliases(Path(config) if config else None):
        found.setdefault(name, NamedHost(name, "ssh config"))
    for name in named:
        found.setdefault(name, NamedHost(name, "named"))
    return list(found.values())


async def ask_host(
    name: str,
    kind: str,
    modules: Sequence[str] = (),
    *,
    links: LinkOptions | None = None,
    preparing: Preparing | None = None,
    asker: Asker | None = None,
) -> HostAnswer:
    """A host's devices and toolchains as far as it has them now; nothing is installed.  Never raises TunetuiError."""
    try:
        link = await open_link(name, links, asker)
        try:
            return await _answer(link, kind, modules, preparing or Preparing())
        finally:
            await link.close()
    except TunetuiError as error:
        return HostAnswer(name, problem=one_line(error.message), hint=one_line(error.hint or ""))


async def _answer(link: Link, kind: str, modules: Sequence[str], preparing: Preparing) -> HostAnswer:
    name, options, text = link.host, preparing.options(link.host), ""
    if name != LOCAL or options.python:
        found = await look(link, kind, options.python)
        if found["state"] == "ready":
            link = prepared_as(link, found)
        elif found.get("how") == "no GPU":
            text = "no GPU there"
        else:
            megabytes = size_of_environment(name, kind, found) / 1e6
            text = f"the first run builds its environment from {megabytes:,.0f} MB of wheels"
    said = await probe(link, modules)
    return HostAnswer(name, said.devices, said.toolchains, text)
