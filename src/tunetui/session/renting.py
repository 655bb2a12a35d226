"""A machine from Lambda Cloud, from the account to the first kernel that ran on it.  Nothing here prints or asks for consent."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.labels import one_line
from tunetui.core.starting import answer_of, start_process
from tunetui.hosts.lambda_cloud.account import POLL_SECONDS, Account, Offer, Order
from tunetui.hosts.lambda_cloud.api import Clock, LambdaApi, SystemClock
from tunetui.hosts.lambda_cloud.key import load_key
from tunetui.hosts.lambda_cloud.refusals import LambdaError
from tunetui.hosts.lambda_cloud.wire import BASE, VARIABLE, Wire, server_of
from tunetui.session.linking import LinkOptions, open_link
from tunetui.session.rented import open_ledger
from tunetui.settings import settings_path

if TYPE_CHECKING:
    from tunetui.core.asking import Asker
    from tunetui.engines.channel import Link
    from tunetui.hosts.lambda_cloud.ledger import Entry
    from tunetui.hosts.lambda_cloud.shapes import AccountKey

    Say = Callable[[str], None]

BOOT_SECONDS, SSH_SECONDS, CUDA_SECONDS = 1500.0, 300.0, 180.0
"""How long is waited for an address, then for a login, then for a GPU that computes."""
_TRY_EVERY_SECONDS = 5.0
PREFERRED_IMAGES = ("lambda-stack-24-04", "gpu-base-24-04")
"""With a driver that runs CUDA 13; the default image's was too old when this was written."""
_FINAL = ("host-key-unknown", "host-key-declined", "host-key-changed", "host-key-revoked", "no-python")
_PATIENCE_SECONDS = {**dict.fromkeys(_FINAL, -1.0), "refused-keys": 60.0, "too-many-keys": 60.0}
"""With what SSH says no with: some of it passes while a machine starts, some does not."""
_LONGEST_KEY_NAME = 64


@dataclass(frozen=True)
class Wanted:
    """What the user asked for, before it is known what there is."""

    type: str
    region: str = ""  # "": the first that has one
    max_usd_per_hour: float | None = None
    ssh_key: str = ""  # the account's name of a key, or the file of a public key; "": one whose other half is here
    image_family: str = ""  # "": one of `PREFERRED_IMAGES` where there is one
    user: str = "ubuntu"


class NotReadyError(TunetuiError):
    """A machine that is rented, costs, and cannot be used (yet); ``advice`` is the hint but for what it says of the cost."""

    def __init__(self, name: str, message: str, *, advice: str = "") -> None:
        end = f"it costs until it is terminated: tunetui lambda terminate {name}\nto wait longer: tunetui lambda wait {name}"
        super().__init__(message, hint="\n".join(part for part in (advice, end) if part))
        self.advice = advice


def parse_wanted(text: str) -> Wanted:
    """``TYPE`` or ``TYPE@REGION``.  Raises InputError."""
    kind, at, region = text.partition("@")
    if not kind or (at and not region) or not (kind + region).replace("_", "").replace("-", "").isalnum():
        raise InputError(
            f"{clean(text[:80])!r} is no type of machine", hint="TYPE or TYPE@REGION: gpu_1x_a10@us-west-1"
        )
    return Wanted(kind, region)


def open_account() -> Account:
    """The account whose key the environment or the settings folder holds.  Raises InputError."""
    key = load_key(settings_path().parent)
    server = server_of(os.environ.get(VARIABLE) or BASE)
    clock = SystemClock()
    return Account(LambdaApi(Wire(server, key), clock=clock), open_ledger(), key.mark, clock=clock)


async def offer_for(account: Account, wanted: Wanted) -> Offer:
    """What Lambda asks for it now.

    Raises:
        InputError: no such type, no price, or the price is above the cap.
        LambdaError: none is free, or the account cannot be asked.
    """
    offer = await account.offer(wanted.type, wanted.region)
    cap = wanted.max_usd_per_hour
    if cap is not None and offer.usd_per_hour > cap:
        raise InputError(
            f"{offer.type.name} costs ${offer.usd_per_hour:.2f} an hour, more than the ${cap:.2f} of --max-usd-per-hour",
            hint="nothing was launched",
        )
    return offer


async def order_for(account: Account, wanted: Wanted, offer: Offer) -> Order:
    """Everything that a launch at this price takes: the key to log in with, and the image.

    Raises:
        InputError: there is no key to log in with.
        LambdaError: the account cannot be asked.
    """
    key_name, identity = await choose_ssh_key(account, wanted.ssh_key)
    return Order(
        type=offer.type.name,
        region=offer.region,
        usd_per_hour=offer.usd_per_hour,
        ssh_key=key_name,
        user=wanted.user,
        identity_file=identity,
        image_family=wanted.image_family or await _image(account, offer.region),
        gpus=1 if offer.type.gpus is None else offer.type.gpus,
    )


async def wait_until_ready(
    account: Account,
    name: str,
    say: Say,
    links: LinkOptions | None = None,
    asker: Asker | None = None,
) -> Entry:
    """Come back when a rented machine can be logged into and a kernel has run on each of its GPUs.

    Raises:
        NotReadyError: it is there, costs, and does not get so far; the message says how far.
        TunetuiError: it is gone, or the account cannot be asked.
    """
    entry = await _booted(account, name, say)
    link = await _logged_in(entry, say, links, asker, account.clock)
    try:
        if entry.gpus:
            await _computing(entry, link, say, account.clock)
    finally:
        await link.close()
    return account.ready(name)


# -------------------------------------------------------------------------------------- until it is ready


async def _booted(account: Account, name: str, say: Say) -> Entry:
    """Until it is active and has an address."""
    clock = account.clock
    begun = clock.now()
    while True:
        try:
            found = await account.look(name)
        except LambdaError as error:
            if not error.passes:
                raise
            say(error.message)
        else:
            entry = account.ledger.entries()[name]
            if found is None and not entry.is_open:
                raise TunetuiError(f"{name} is gone: {entry.text}", hint="it costs nothing any more")
            status = found.status if found is not None else "not to be found yet"
            if found is not None and status == "active" and found.ip:
                return entry
            if status in {"unhealthy", "terminating"}:
                raise NotReadyError(name, f"{name} is {status}")
            say(f"{name} is {status}{'' if status != 'active' else ', without an address'}")
        if clock.now() - begun > BOOT_SECONDS:
            raise NotReadyError(name, f"{name} is not active after {BOOT_SECONDS / 60:.0f} min")
        await clock.sleep(POLL_SECONDS)


async def _logged_in(entry: Entry, say: Say, links: LinkOptions | None, asker: Asker | None, clock: Clock) -> Link:
    """Until SSH lets us in; a server that starts refuses for a while."""
    begun = clock.now()
    while True:
        try:
            link = await open_link(entry.name, links, asker)
            try:
                await link.ask(["list"])
            except TunetuiError:
                await link.close()
                raise
            return link
        except InputError:
            raise
        except TunetuiError as error:
            if clock.now() - begun > _PATIENCE_SECONDS.get(getattr(error, "code", ""), SSH_SECONDS):
                raise NotReadyError(entry.name, error.message, advice=error.hint) from None
            say(f"SSH does not answer yet: {one_line(error.message)}")
        await clock.sleep(_TRY_EVERY_SECONDS)


async def _computing(entry: Entry, link: Link, say: Say, clock: Clock) -> None:
    """Until a kernel has run on every GPU: an instance may be active, and its GPUs not."""
    from tunetui.session.doctoring import examine

    begun = clock.now()
    while True:
        problem = ""
        try:
            found = await examine(link=link)
        except TunetuiError as error:
            problem, hint = error.message, error.hint
        else:
            proofs = [check for check in found.checks if check.name == "CUDA runs"]
            failed = next((check for check in proofs if check.status != "ok"), None)
            working = sum(check.status == "ok" for check in proofs)
            if working >= entry.gpus and failed is None:
                say(f"a kernel ran on {working} GPU{'s' if working != 1 else ''}")
                return
            problem = failed.found if failed is not None else f"{working} of {entry.gpus} GPUs are there"
            hint = failed.advice if failed is not None else f"tunetui doctor {entry.name}"
        if clock.now() - begun > CUDA_SECONDS:
            raise NotReadyError(entry.name, f"{entry.name}: CUDA does not run: {problem}", advice=hint)
        say(f"CUDA does not run yet: {one_line(problem)}")
        await clock.sleep(_TRY_EVERY_SECONDS)


# -------------------------------------------------------------------------------------- keys and images


async def choose_ssh_key(account: Account, wanted: str) -> tuple[str, str]:
    """The account's name of the key to put on a machine, and the file of its other half here ("": the agent's).

    A public key file that the account does not know is told to it.

    Raises:
        InputError: there is no such key, or none whose other half is here.
        LambdaError: the account cannot be asked.
    """
    known = await account.api.ssh_keys()
    path = Path(wanted).expanduser()
    if wanted and (wanted.endswith(".pub") or "/" in wanted):
        public = _public_key(path)
        for key in known:
            if _same(key, public):
                return key.name, _other_half(path)
        name = f"tunetui-{socket.gethostname()}-{hashlib.sha256(public.encode()).hexdigest()[:8]}"[-_LONGEST_KEY_NAME:]
        await account.api.add_ssh_key(name, public)
        return name, _other_half(path)
    here = {file: text for file in sorted((Path.home() / ".ssh").glob("*.pub")) if (text := _read(file))}
    if wanted:
        found = next((key for key in known if key.name == wanted), None)
        if found is None:
            raise InputError(f"the account knows no SSH key {clean(wanted)!r}", hint=f"it knows {_names(known)}")
        return found.name, next((_other_half(file) for file, text in here.items() if _same(found, text)), "")
    for key in known:
        for file, text in here.items():
            if _same(key, text) and _other_half(file):
                return key.name, _other_half(file)
    held = await _keys_of_agent()
    for key in known:
        if any(_same(key, text) for text in held):
            return key.name, ""
    raise InputError(
        f"of the SSH keys that the account knows ({_names(known)}) none has its other half here",
        hint="--ssh-key ~/.ssh/id_ed25519.pub takes that one, and tells the account of it; --ssh-key NAME takes that one",
    )


async def _image(account: Account, region: str) -> str:
    """The family of the image to start from; "" where Lambda is to choose."""
    try:
        families = await account.api.image_families(region)
    except LambdaError:
        return ""
    return next((family for family in PREFERRED_IMAGES if family in families), "")


async def _keys_of_agent() -> list[str]:
    if not os.environ.get("SSH_AUTH_SOCK"):
        return []
    import asyncio

    try:
        asked = await start_process(
            "ssh-add", "-L", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return []
    out, _ = await answer_of(asked)
    return [line for line in out.decode(errors="replace").splitlines() if len(line.split()) >= 2]


def _public_key(path: Path) -> str:
    text = _read(path)
    if "PRIVATE KEY" in text:
        raise InputError(
            f"{clean(str(path))} is a private key, which is sent nowhere", hint=f"name {clean(str(path))}.pub"
        )
    if len(text.split()) < 2 or not text.startswith(("ssh-", "ecdsa-", "sk-")) or len(text) > 4096:
        raise InputError(f"{clean(str(path))} is no file of a public SSH key", hint="such as ~/.ssh/id_ed25519.pub")
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:8192].strip()
    except OSError:
        return ""


def _other_half(public: Path) -> str:
    private = public.with_suffix("") if public.suffix == ".pub" else public
    return str(private.absolute()) if private != public and private.is_file() else ""


def _same(key: AccountKey, text: str) -> bool:
    """Type and key; comments may differ."""
    return key.public_key.split()[:2] == text.split()[:2] != []


def _names(keys: list[AccountKey]) -> str:
    return clean(", ".join(key.name for key in keys)) or "none"
