"""Hands bundles of artifacts that were built elsewhere to the host that measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError
from tunetui.engines.channel import ask_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tunetui.core.definitions import Kernel
    from tunetui.engines.channel import Link

MAX_BUNDLE_BYTES = 1 << 30

T = TypeVar("T")


class Arrived(msgspec.Struct, frozen=True):
    """What a bundle brought to a host."""

    kernel: str
    languages: dict[str, str]
    architectures: list[str]
    artifacts: int
    added: int


async def send_bundles(link: Link, paths: Iterable[Path], kernel: Kernel) -> list[Arrived]:
    """Hand bundles of this kernel to a host's agent, which keeps what they hold.

    Raises:
        InputError: a file that is no bundle, or of another kernel.
        TunetuiError: the host cannot take it.
    """
    arrived = []
    for path in paths:
        answer = await ask_json(link, ["unpack", "--kernel", kernel.name], _read(path))
        if not answer.get("ok"):
            kind = InputError if answer.get("error") == "bundle" else TunetuiError
            raise kind(clean(f"{path}: {str(answer.get('text', answer))[:1000]}"))
        arrived.append(understood(answer, Arrived, link))
    return arrived


def languages_of(arrived: Iterable[Arrived]) -> list[str]:
    """The languages that bundles were sent for, each once."""
    return sorted({language for each in arrived for language in each.languages})


def understood(answer: dict[str, Any], kind: type[T], link: Link) -> T:
    """An agent's answer as a struct.  Raises TunetuiError."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise TunetuiError(f"the agent on {link.host} answered with something else than expected: {error}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(clean(f"{path}: the bundle cannot be read: {reason}")) from None
    if len(data) > MAX_BUNDLE_BYTES:
        raise InputError(clean(f"{path}: a bundle is at most {MAX_BUNDLE_BYTES >> 20} MiB"))
    return data
