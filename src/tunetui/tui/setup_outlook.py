"""What a grid in the making would come to, found beside the screen: looked at a moment after the last change, in a thread."""

from __future__ import annotations

import asyncio
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.core.labels import host_name, one_line
from tunetui.core.models import model_of
from tunetui.session.host_answers import HostAnswer, NamedHost, ask_host, named_hosts
from tunetui.session.probing import required_modules
from tunetui.session.setting_up import Prospect, SettingUp
from tunetui.tui.aside import aside
from tunetui.tui.grid_draft import GridDraft
from tunetui.tui.setup_fields import chosen_hosts, kind_of, read_plain

if TYPE_CHECKING:
    from tunetui.tui.app import Cockpit
    from tunetui_agent.messages import Device, Toolchain

DEBOUNCE_SECONDS = 0.12


class SetupOutlook:
    """One look at a time, always at the newest text; and what hosts answered."""

    def __init__(self, cockpit: Cockpit, draft: GridDraft, show: Callable[[], None]) -> None:
        self._cockpit, self._draft, self._show = cockpit, draft, show
        self._setting = SettingUp(cockpit.batch.overrides)
        self._wanted = draft.text
        self._changed = asyncio.Event()
        self.prospect: Prospect | None = None
        self.wrong = ""
        """What is typed and cannot even be put into the grid."""
        self.is_counting = False
        batch = cockpit.batch
        known = named_hosts(batch.preparing.settings, batch.hosts)
        self.hosts: list[NamedHost] = [
            replace(host, usd_per_hour=batch.usd_per_hour.get(host.name, host.usd_per_hour)) for host in known
        ]
        self.host_options = shlex.join(word for name in batch.hosts for word in ("--host", name))
        """What of the command line takes the place of the grid's hosts, and below of its values."""
        self.set_options = shlex.join(word for text in batch.overrides for word in ("--set", text))
        self.answers: dict[str, HostAnswer] = {}
        self.asking: list[str] = []

    # ------------------------------------------------------------------------------------------- looking

    def look(self, text: str) -> None:
        """Look at this text before long."""
        self._wanted, self.wrong = text, ""
        self._changed.set()

    def complain(self, error: TunetuiError) -> None:
        """What is typed is no value at all."""
        self.wrong = one_line(error.message)
        self._show()

    async def keep_looking(self) -> None:
        """For ever; looks that were overtaken are not shown."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(DEBOUNCE_SECONDS)
            if self._changed.is_set():
                continue
            text, (device, toolchains) = self._wanted, self._device()
            self.is_counting = True
            slow = asyncio.get_running_loop().call_later(DEBOUNCE_SECONDS, self._show)
            path = self._draft.path
            try:
                found = await aside(lambda: self._setting.look(text, path, device, toolchains))  # noqa: B023 - awaited
            finally:
                slow.cancel()
                self.is_counting = False
            if not self._changed.is_set():
                self.prospect = found
                self._show()

    # --------------------------------------------------------------------------------------------- hosts

    @property
    def hosts_chosen(self) -> list[str]:
        """Those of the command line, else those of the grid."""
        return list(self._cockpit.batch.hosts) or chosen_hosts(read_plain(self._draft.text))

    @property
    def prices(self) -> dict[str, float | None]:
        """USD per hour of each chosen host."""
        known = {host.name: host.usd_per_hour for host in self.hosts}
        return {name: known.get(name) for name in self.hosts_chosen}

    @property
    def devices(self) -> int:
        """How many devices share the trials: of models that differ, as many as of the rarest; a host not asked has one."""
        kernel = self._draft.kernel
        kind = kind_of(read_plain(self._wanted), kernel) if kernel is not None else ""
        answered = [self.answers[name] for name in self.hosts_chosen if name in self.answers]
        models = Counter(
            model_of(device) for answer in answered for device in answer.devices
            if device.kind == kind and self._is_used(answer.host, device)
        )  # fmt: skip
        if len(models) > 1:
            return min(models.values())
        return max(models.total() + len(self.hosts_chosen) - len(answered), 1)

    def _is_used(self, host: str, device: Device) -> bool:
        own = self._cockpit.batch.preparing.settings.get(host)
        return own is None or not own.devices or device.id in own.devices

    @property
    def counting_for(self) -> str:
        """Which device the figures are for, or that none is known."""
        device = self.prospect.device if self.prospect is not None else None
        if device is None:
            kernel = self._draft.kernel
            kind = kind_of(read_plain(self._wanted), kernel) if kernel is not None else ""
            lacking = [host_name(name) for name in self.hosts_chosen if name in self.answers]
            why = f"{', '.join(lacking)} has no {kind}" if lacking and kind else "none is known yet"
            return f"counted without the constraints that read a device: {why}"
        host = next((name for name, answer in self.answers.items() if device in answer.devices), "")
        return f"counted for {one_line(device.name)} of {host_name(host)}"

    async def ask(self, name: str) -> None:
        """Ask one host for its devices; its questions are put on the screen."""
        if name in self.asking:
            return
        self.asking.append(name)
        self._show()
        kernel = self._draft.kernel
        kind = kind_of(read_plain(self._draft.text), kernel) if kernel is not None else "cpu"
        options = self._cockpit.measuring(self._draft.path)
        try:
            self.answers[name] = await ask_host(
                name, kind, required_modules(kernel) if kernel is not None else (), links=options.links,
                preparing=replace(options.preparing), asker=options.asker,
            )  # fmt: skip
        finally:
            self.asking.remove(name)
        self.look(self._wanted)
        self._show()

    def _device(self) -> tuple[Device | None, list[Toolchain]]:
        """The first device of the wanted kind that a chosen host has, and what it can build with."""
        kernel = self._draft.kernel
        if kernel is None:
            return None, []
        kind = kind_of(read_plain(self._wanted), kernel)
        for name in self.hosts_chosen:
            answer = self.answers.get(name)
            device = answer.device(kind) if answer is not None else None
            if answer is not None and device is not None:
                return device, answer.toolchains.get(kind, [])
        return None, []
