"""Rented machines at the command line: a price agreed to, a wait that shows how far it is, and one question at the end."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.cli.narration import Face, literal, stderr_face
from tunetui.core.errors import ExitCode, InputError, TunetuiError

if TYPE_CHECKING:
    from tunetui.cli.asking import TerminalAsker
    from tunetui.core.asking import HostKeyQuestion
    from tunetui.hosts.lambda_cloud.account import Account, Offer
    from tunetui.hosts.lambda_cloud.ledger import Entry
    from tunetui.session import LinkOptions
    from tunetui.session.renting import Wanted

PREFIX = "lambda:"
_OURS = "tunetui-"
_LOG_EVERY_SECONDS = 30.0
_YES = ("yes", "y")


def is_rented(hosts: Sequence[str]) -> bool:
    """Whether machines of Lambda Cloud are among the hosts that were named."""
    return any(host.startswith((PREFIX, _OURS)) for host in hosts)


def measured_on_rented(parsed: argparse.Namespace, measure: Callable[[], int]) -> int:
    """Launch what is to be launched, measure, and settle what becomes of the machines.

    Raises:
        TunetuiError: nothing could be launched, or as ``measure`` does; then the machines are settled first.
    """
    _check(parsed)
    parsed.hosts = asyncio.run(Renting(parsed).arrived(parsed.hosts))
    if parsed.detach or parsed.dry_run:
        return measure()
    try:
        code = measure()
    except TunetuiError:
        settled(parsed, parsed.hosts, ExitCode.UNAVAILABLE)
        raise
    return settled(parsed, parsed.hosts, code)


def settled(parsed: argparse.Namespace, hosts: Sequence[str], code: int) -> int:
    """The exit code of a run on these hosts, once it is settled what becomes of the rented ones among them."""
    names = [host for host in hosts if host.startswith(_OURS)]
    sure = not names or asyncio.run(Renting(parsed).settle(names))
    return code if sure or code != ExitCode.OK else ExitCode.UNAVAILABLE


def _check(parsed: argparse.Namespace) -> None:
    """What would be wrong after the launch is said before it."""
    launches = any(host.startswith(PREFIX) for host in parsed.hosts)
    if not is_rented(parsed.hosts):
        raise InputError(
            "--terminate-when-done ends rented machines, and none of these hosts is one",
            hint="--host lambda:TYPE rents one; tunetui lambda list shows those that are there",
        )
    if parsed.detach and parsed.terminate_when_done:
        raise InputError(
            "--terminate-when-done waits for the run, --detach does not", hint="tunetui lambda gc ends it afterwards"
        )
    if not launches:
        return
    if parsed.dry_run:
        raise InputError(
            "a dry run launches nothing", hint="name a machine that is there, or leave --host lambda:... away"
        )
    from tunetui.session.setting_up import check_grid

    check_grid(parsed.batch, parsed.overrides, parsed.output)


class Renting:
    """One command line's dealings with rented machines: words on stderr, questions at the terminal."""

    def __init__(self, parsed: argparse.Namespace) -> None:
        self.parsed = parsed
        self.err: Face = stderr_face(no_color=parsed.no_color)
        self.asks = sys.stdin is not None and sys.stdin.isatty() and self.err.is_terminal
        self.line = ProgressLine(self.err)

    # ---------------------------------------------------------------------------------- launching

    async def arrived(self, hosts: Sequence[str]) -> list[str]:
        """The hosts, with every ``lambda:TYPE`` launched, ready, and under the name that it was given."""
        from tunetui.session.renting import NotReadyError, parse_wanted

        wanted = {
            position: self.as_told(parse_wanted(host.removeprefix(PREFIX)))
            for position, host in enumerate(hosts)
            if host.startswith(PREFIX)
        }
        names: dict[int, str] = {}
        try:
            for position, each in wanted.items():
                names[position] = (await self.launch(each)).name
            for name in names.values():
                await self.wait(name)
        except TunetuiError as error:
            await self.settle(list(names.values()))
            if isinstance(error, NotReadyError):
                error.hint = error.advice  # what it costs, and until when, was said just now
            raise
        return [names.get(position, host) for position, host in enumerate(hosts)]

    def as_told(self, wanted: Wanted) -> Wanted:
        """With what the options say."""
        told = self.parsed
        return replace(
            wanted,
            max_usd_per_hour=told.max_usd_per_hour,
            ssh_key=told.ssh_key,
            image_family=told.image,
            user=told.user,
        )

    async def launch(self, wanted: Wanted) -> Entry:
        """Rent one machine, once its price is agreed to.

        Raises:
            InputError: nobody agreed, or an option is wrong; nothing was launched.
            TunetuiError: it was refused, or it is not known what became of it.
        """
        from tunetui.session.renting import offer_for, open_account, order_for

        self._check_consent(wanted)
        account = open_account()
        offer = await offer_for(account, wanted)
        order = await order_for(account, wanted, offer)
        await self._agree(offer)
        launching = asyncio.ensure_future(account.launch(order, self.line.say))
        try:
            entry = await asyncio.shield(launching)
        except asyncio.CancelledError:
            self.line.say("the launch is on its way: its answer is waited for")
            entry = await launching
            self.line.end()
            self._kept(entry, "")
            raise
        finally:
            self.line.end()
        self.err.lines([f"launched    {literal(entry.name)}: ${order.usd_per_hour:.2f} an hour from now on"])
        return entry

    def _check_consent(self, wanted: Wanted) -> None:
        if self.parsed.yes and wanted.max_usd_per_hour is None:
            raise InputError("--yes agrees to a price: which?", hint="--max-usd-per-hour 1.50 says up to where")
        if not self.parsed.yes and not self.asks:
            raise InputError(
                "a launch costs money and nobody can be asked: this is no terminal",
                hint="--yes --max-usd-per-hour USD agrees to any price up to USD an hour",
            )
        if not self.asks and not self.parsed.accept_new_host_key and not self.parsed.host_keys:
            raise InputError(
                "a new machine has a host key that nobody knows, and nobody can be asked about it",
                hint="--accept-new-host-key takes the one that it shows the first time; nothing was launched",
            )

    async def _agree(self, offer: Offer) -> None:
        kind = offer.type
        size = f"{kind.gpu or kind.description}, {kind.vcpus or '?'} cores, {kind.memory_gib or '?'} GiB"
        self.err.lines([
            f"price       {literal(kind.name)} in {literal(offer.region)} ({literal(size)}): ${offer.usd_per_hour:.2f} an hour",
            "            before tax, by the minute, from now until it is terminated, also while it does nothing",
        ])  # fmt: skip
        if self.parsed.yes:
            return
        if not await self.asked(f"Launch it for ${offer.usd_per_hour:.2f} an hour (yes/no)? "):
            raise InputError("nobody agreed to the price: nothing was launched")

    # ---------------------------------------------------------------------------------- waiting

    async def wait(self, name: str) -> None:
        """Until SSH and CUDA have answered.  Raises TunetuiError; Ctrl-C leaves the machine as it is, and says so."""
        from tunetui.session.renting import open_account, wait_until_ready

        begun = time.monotonic()
        try:
            entry = await wait_until_ready(open_account(), name, self.line.say, self.links(), self._asker())
        except asyncio.CancelledError:
            self.line.end()
            self.err.lines([f"{literal(name)} is kept and costs: tunetui lambda wait, or terminate, {literal(name)}"])
            raise
        finally:
            self.line.end()
        proof = "SSH answers and a kernel ran on it" if entry.gpus else "SSH answers; it has no GPU"
        self.err.lines([f"ready       {literal(name)}: {proof}, after {_duration(time.monotonic() - begun)}"])

    def _asker(self) -> TerminalAsker | None:
        from tunetui.cli.asking import TerminalAsker, terminal_asker

        line = self.line

        class BelowTheLine(TerminalAsker):
            async def confirm_host_key(self, question: HostKeyQuestion) -> bool:
                line.end()
                return await super().confirm_host_key(question)

            async def passphrase(self, what: str, attempt: int) -> str | None:
                line.end()
                return await super().passphrase(what, attempt)

        return BelowTheLine() if terminal_asker() is not None else None

    def links(self) -> LinkOptions:
        """How rented machines are reached; the key of a new one is asked about where somebody sits there."""
        from tunetui.cli.preparing import link_options
        from tunetui.settings import load_settings

        return replace(link_options(self.parsed, load_settings()), ask_about_host_keys=self.asks)

    # ---------------------------------------------------------------------------------- the end

    async def settle(self, names: Sequence[str]) -> bool:
        """Keep or terminate, as asked or told; False where an end could not be confirmed."""
        from tunetui.session.rented_work import at_work

        settled = True
        for name in names:
            work = at_work(name)
            if work is None:
                continue
            if work.runs:
                self._kept(work.entry, f"{', '.join(work.runs)} is at work there")
            elif self.parsed.terminate_when_done or await self._to_be_ended(work.entry):
                settled = await self.end(name) and settled
            else:
                self._kept(work.entry, "")
        return settled

    async def _to_be_ended(self, entry: Entry) -> bool:
        if not self.asks:
            return False
        answer = await self.answered(
            f"{literal(entry.name)} has cost {cost(entry)} and costs {price(entry)} an hour. Terminate it, or keep it "
            "(terminate/keep)? "
        )
        return answer in ("terminate", "t")

    def _kept(self, entry: Entry, why: str) -> None:
        self.err.lines([
            f"kept        {literal(entry.name)} goes on costing {price(entry)} an hour{f': {literal(why)}' if why else ''}",
            f"            tunetui lambda terminate {literal(entry.name)}",
        ])  # fmt: skip

    async def end(self, name: str, account: Account | None = None) -> bool:
        """Terminate a machine and say that it is gone; False, with the reason said, where that is not sure."""
        from tunetui.session.renting import open_account

        try:
            entry = await (account or open_account()).terminate(name, self.line.say)
        except TunetuiError as error:
            self.line.end()
            self.err.lines(
                [f"NOT ENDED   {literal(error.message)}", *(f"            {x}" for x in error.hint.splitlines())]
            )
            return False
        self.line.end()
        self.err.lines([f"terminated  {literal(entry.name)}: gone; it cost {cost(entry)}"])
        return True

    # ---------------------------------------------------------------------------------- questions

    async def asked(self, prompt: str) -> bool:
        """Whether somebody says yes."""
        return await self.answered(prompt) in _YES

    async def answered(self, prompt: str) -> str:
        """One line from the terminal, in small letters; empty where there is none."""
        self.err.stream.write(prompt)
        self.err.stream.flush()
        line: str = await asyncio.to_thread(sys.stdin.readline)
        return line.strip().lower()


def start_guard(name: str, minutes: float) -> tuple[Path, subprocess.Popen[bytes]]:
    """Leave ``tunetui lambda guard`` at work, apart from this terminal; where its words go, and the process."""
    from tunetui.session.rented import rented_folder

    path = rented_folder() / f"guard-{name}.log"
    with path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tunetui", "lambda", "guard", name, "--after", f"{minutes:g}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    return path, process


class ProgressLine:
    """How far something is: one line that is redrawn in a terminal; elsewhere a line for what is new, and now and then."""

    def __init__(self, face: Face) -> None:
        self._face, self._text, self._at, self._begun, self._drawn = face, "", 0.0, time.monotonic(), False

    def say(self, text: str) -> None:
        """What is waited for."""
        now = time.monotonic()
        if self._face.is_terminal:
            line = f"{literal(text)}, {_duration(now - self._begun)}".replace("\n", " ")
            self._face.stream.write(f"\r\x1b[K{line[: (self._face.width or 80) - 1]}")
            self._face.stream.flush()
            self._drawn = True
        elif text != self._text or now - self._at >= _LOG_EVERY_SECONDS:
            self._face.lines([f"waiting     {literal(text)}"])
            self._text, self._at = text, now

    def end(self) -> None:
        """Leave the terminal's line as it was."""
        if self._drawn:
            self._face.stream.write("\r\x1b[K")
            self._face.stream.flush()
            self._drawn = False
        self._begun = time.monotonic()


def price(entry: Entry) -> str:
    """``$1.29``."""
    return "an unknown price" if entry.usd_per_hour is None else f"${entry.usd_per_hour:.2f}"


def cost(entry: Entry) -> str:
    """``about $0.43``: at most, before tax."""
    usd = entry.usd_until(time.time())
    return "an unknown amount" if usd is None else f"about ${usd:.2f}"


def _duration(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
