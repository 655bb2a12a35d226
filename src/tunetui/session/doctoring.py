"""Asks hosts what a run would find there, from the way to them to a kernel on their GPUs, and what to do about it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.clocks import in_words
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.examination import Check, Examination, decode_examination
from tunetui.core.routes import LOCAL
from tunetui.engines.channel import ask_json
from tunetui.engines.local import LocalLink
from tunetui.session.linking import LinkOptions, open_link
from tunetui.session.preparing import Lines, Preparing, look, prepare_host, prepared_as, size_of_environment
from tunetui.settings import cache_folder

if TYPE_CHECKING:
    from tunetui.core.asking import Asker
    from tunetui.core.examination import Status
    from tunetui.core.links import Reached
    from tunetui.engines.channel import Link

CONNECTION, ENVIRONMENT = "Connection", "Environment"
ECHOES = 5
_LONG_WAY_MS = 400.0
_CLOCK_SECONDS = 30.0
_COMES_WITH_IT = frozenset({"NumPy", "CuPy", "NVML", "NVRTC"})
"""What the environment brings where the host itself lacks it."""


async def examine(device: str = "", link: Link | None = None) -> Examination:
    """Examines the host of ``link`` (this machine); ``device`` limits it to "cpu" or to one GPU's UUID.

    Raises:
        TunetuiError: the agent cannot be started there, or refuses.
    """
    arguments = ["doctor", *(["--device", device] if device else [])]
    answer = await ask_json(link or LocalLink(cache_folder()), arguments)
    if answer.get("ok") is not True:
        raise TunetuiError(f"the agent's doctor refused: {str(answer.get('text', answer))[:500]}")
    return decode_examination(answer)


async def examine_host(
    name: str,
    device: str = "",
    *,
    links: LinkOptions | None = None,
    asker: Asker | None = None,
    preparing: Preparing | None = None,
    prepare: bool = False,
) -> Examination:
    """Examines one host by name, the way there included; what stops the examination is its last check.

    With ``prepare`` the environment that a run needs is built first, and then proven too.

    Raises:
        InputError: the name is none, or an option is wrong.
    """
    if name == LOCAL:
        return await examine(device)
    visit = _Visit(name, device, preparing or Preparing(), prepare=prepare)
    try:
        link = await open_link(name, links, asker)
    except InputError:
        raise
    except TunetuiError as error:
        return visit.ended(CONNECTION, "SSH", error)
    try:
        return await visit.examine(link)
    finally:
        await link.close()


class _Visit:
    def __init__(self, name: str, device: str, preparing: Preparing, *, prepare: bool) -> None:
        self._name, self._device, self._preparing, self._prepare = name, device, preparing, prepare
        self._checks: list[Check] = []
        self._lacking = False  # the environment is still to be built

    async def examine(self, link: Link) -> Examination:
        """Everything, as far as it goes."""
        section = CONNECTION
        try:
            await self._connection(link)
            section = ENVIRONMENT
            link = await self._environment(link)
            section = "Agent"
            found = await examine(self._device, link)
        except TunetuiError as error:
            return self.ended(section, section.lower(), error)
        checks = [_later(check) if self._lacking else check for check in found.checks]
        own = f"{self._name}: {found.host}" if found.host != self._name else self._name
        return Examination(host=own, checks=[*self._checks, *checks])

    def ended(self, section: str, name: str, error: TunetuiError) -> Examination:
        """The examination, ended by what went wrong."""
        self._add(section, name, "failure", " ".join(error.message.split()), error.hint)
        return Examination(host=self._name, checks=self._checks)

    # ------------------------------------------------------------------ the way

    async def _connection(self, link: Link) -> None:
        reached: Reached | None = await link.reached() if hasattr(link, "reached") else None
        if reached is not None:
            via = f", by way of {', '.join(reached.via)}" if reached.via else ""
            server = f" ({reached.server})" if reached.server else ""
            self._add(CONNECTION, "address", "ok", f"{reached.address}{via}{server}")
            self._add(CONNECTION, "host key", "ok", reached.host_key or "checked")
            self._add(CONNECTION, "login", "ok", reached.login or "accepted")
        milliseconds, offset_seconds = await _echoes(link)
        found = f"{milliseconds:.1f} ms there and back"
        if milliseconds > _LONG_WAY_MS:
            self._add(CONNECTION, "distance", "warning", found, "figures do not suffer: the queue is on the host")
        else:
            self._add(CONNECTION, "distance", "ok", found)
        self._clock(offset_seconds)

    def _clock(self, offset_seconds: float) -> None:
        if abs(offset_seconds) < _CLOCK_SECONDS:
            self._add(CONNECTION, "clock", "ok", f"{offset_seconds:+.1f} s against this machine's")
            return
        found = f"{in_words(offset_seconds)} this machine's"
        advice = "no duration depends on it, and times are told by this machine's clock; switch NTP on\n$ timedatectl"
        self._add(CONNECTION, "clock", "warning", found, advice)

    # ------------------------------------------------------------------ its Python

    async def _environment(self, link: Link) -> Link:
        options = self._preparing.options(self._name)
        kind = "cpu" if self._device == "cpu" else "gpu"
        found = await look(link, kind, options.python)
        if found.get("how") == "no GPU":
            kind = "cpu"
            found = await look(link, kind, options.python)
        if found["state"] == "missing" and self._prepare:
            ready = await prepare_host(link, kind, options, self._preparing.on_progress)
            self._add(ENVIRONMENT, "Python", "ok", f"{ready.python}, built just now")
            return ready
        if found["state"] == "ready":
            modules = ", ".join(f"{name} {version}" for name, version in dict(found.get("modules", {})).items())
            self._add(
                ENVIRONMENT, "Python", "ok", clean(f"{found['version']} at {found['python']}; {modules or 'bare'}")
            )
            return prepared_as(link, found)
        self._lacking = True
        self._missing(found, kind, offline=options.offline_wheels)
        return link

    def _missing(self, found: dict[str, Any], kind: str, *, offline: bool) -> None:
        try:
            size = size_of_environment(self._name, kind, found)
        except TunetuiError as error:
            self._add(ENVIRONMENT, "Python", "failure", " ".join(error.message.split()), error.hint)
            return
        what = f"no Python there has what is needed; the first run builds one from {size / 1e6:,.0f} MB of wheels"
        advice = f"to build it now: tunetui doctor {self._name} --prepare"
        if found["host"].get("way_out") is False and not offline:
            what += ", but this host cannot reach pypi.org"
            advice = "give --offline-wheels to runs on it: the wheels are fetched here and sent over the link"
        self._add(ENVIRONMENT, "Python", "warning", what, advice)

    def _add(self, section: str, name: str, status: Status, found: str, advice: str = "") -> None:
        self._checks.append(Check(section=section, name=name, status=status, found=clean(found), advice=clean(advice)))


async def _echoes(link: Link) -> tuple[float, float]:
    """Milliseconds there and back, the shortest of a few; the host's clock against ours, in seconds.

    Raises TunetuiError.
    """
    stream = await link.open(["echo"])
    lines, best, offset = Lines(stream), float("inf"), 0.0
    try:
        for _ in range(ECHOES):
            begun, wall = time.perf_counter(), time.time()
            await stream.write(b"\n")
            said = await lines.next()
            seconds = time.perf_counter() - begun
            if said is None:
                raise TunetuiError(f"the agent on {link.host} ended in the middle")
            if seconds < best:
                best, offset = seconds, float(said["time"]) - (wall + seconds / 2)
    except (KeyError, TypeError, ValueError):
        raise TunetuiError(f"the agent on {link.host} answered with something else than expected") from None
    except (TimeoutError, OSError) as error:
        raise TunetuiError(f"the link to {link.host} was lost: {clean(str(error))}") from None
    finally:
        await stream.close()
    return best * 1e3, offset


def _later(check: Check) -> Check:
    """What is missing now and comes with the environment is no failure."""
    if check.name in _COMES_WITH_IT and check.status in ("failure", "warning"):
        return msgspec.structs.replace(check, status="n/a", advice="comes with the environment")
    return check


async def examine_hosts(names: list[str], **options: Any) -> list[Examination]:
    """Several hosts side by side: a slow one delays no other's check, only the answer."""
    return list(await asyncio.gather(*(examine_host(name, **options) for name in names)))
