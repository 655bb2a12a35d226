"""What a host cannot compile is built here and brought there: before it measures, or while it measures what needs none of that."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.core.planning import provenances_on
from tunetui.core.routes import LOCAL
from tunetui.session.building_here import explained
from tunetui.session.delivery import languages_of, send_bundles
from tunetui.session.probing import Found, probe, required_modules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.engines.channel import Link
    from tunetui.session.building_here import BuildingHere
    from tunetui.session.delivery import Arrived
    from tunetui.session.visiting import Completion
    from tunetui_agent.messages import Device

AT_ONCE_SECONDS = 0.5
"""What is built in less is waited for."""
ON_ITS_WAY = "it is being built on this machine, and joins the run when it has arrived"


def completion_of(
    kind: str, link: Link, here: BuildingHere, found: Found, devices: Sequence[Device], sent: Sequence[str]
) -> Completion | None:
    """How a host is completed that lacks something; None where nothing is built here for it."""
    if kind != "gpu" or link.host == LOCAL:
        return None
    lacking = here.lacking(found.toolchains.get("gpu", []), sent)
    return Building(link, here, found, devices, sent, lacking) if lacking else None


class Building:
    """One host's build; it begins with the first question."""

    def __init__(
        self,
        link: Link,
        here: BuildingHere,
        found: Found,
        devices: Sequence[Device],
        sent: Sequence[str],
        lacking: set[str],
    ) -> None:
        self._link, self._here, self._found, self._devices = link, here, found, devices
        self._sent, self._lacking = sent, lacking

    async def is_worth_beginning_without(self) -> bool:
        """Whether it takes a while, in which every device has something else to measure."""
        toolchains = self.meanwhile.toolchains["gpu"]
        try:
            for device in self._devices:
                provenances_on(self._here.grid, self._here.kernel, device, toolchains)
        except TunetuiError:  # nothing to measure without it
            return False
        building = asyncio.create_task(self._here.bundles(self._link.host, self._devices, self._lacking))
        done, _ = await asyncio.wait({building}, timeout=AT_ONCE_SECONDS)
        building.cancel()  # only this waiting: what is built is built for all hosts
        await asyncio.gather(building, return_exceptions=True)
        return not done

    @property
    def meanwhile(self) -> Found:
        """What the host offers until then."""
        told = [
            dataclasses.replace(each, available=False, reason=ON_ITS_WAY) if each.language in self._lacking else each
            for each in self._found.toolchains.get("gpu", [])
        ]
        return dataclasses.replace(self._found, toolchains={**self._found.toolchains, "gpu": told})

    async def completed(self) -> tuple[Found, list[Arrived]]:
        """What the host offers with it, as far as it could be built."""
        built = await self._here.bundles(self._link.host, self._devices, self._lacking)
        arrived = await send_bundles(self._link, [each.path for each in built if each.path], self._here.kernel)
        found = self._found
        if arrived:
            languages = [*self._sent, *languages_of(arrived)]
            found = await probe(self._link, required_modules(self._here.kernel), languages)
        why = next((each.why for each in built if each.why), "")
        told = explained(found.toolchains.get("gpu", []), dict.fromkeys(self._lacking, why) if why else {})
        return dataclasses.replace(found, toolchains={**found.toolchains, "gpu": told}), arrived
