"""Links to the test's own servers, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ssh.sshd import Sshd
from tunetui.core.asking import HostKeyQuestion
from tunetui.core.errors import TunetuiError
from tunetui.core.links import LinkState
from tunetui.engines.ssh.link import SshLink
from tunetui.session.linking import LinkOptions, open_link


class Person:
    """Answers what the test says, and remembers what was asked."""

    def __init__(self, *, accepts: bool = True, passphrases: tuple[str | None, ...] = ()) -> None:
        self.accepts, self.passphrases = accepts, list(passphrases)
        self.questions: list[HostKeyQuestion] = []
        self.asked_for: list[tuple[str, int]] = []

    async def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        self.questions.append(question)
        return self.accepts

    async def passphrase(self, what: str, attempt: int) -> str | None:
        self.asked_for.append((what, attempt))
        return self.passphrases.pop(0) if self.passphrases else None


def config(server: Sshd, *lines: str, name: str = "box", port: int | None = None, known: bool = True) -> Path:
    """An SSH configuration that knows one server by a name; ``lines`` win over what it says."""
    path = server.folder / "ssh_config"
    path.write_text(server.ssh_config(name, *lines, port=port, known=known))
    return path


async def reached(
    config_file: Path,
    person: Person | None = None,
    *,
    name: str = "box",
    states: list[LinkState] | None = None,
    host_keys: tuple[str, ...] = (),
    accept_new_host_key: bool = False,
    connect_seconds: float = 10.0,
) -> SshLink:
    """The link, connected."""
    options = LinkOptions(
        config_file=config_file,
        connect_seconds=connect_seconds,
        host_keys=host_keys,
        accept_new_host_key=accept_new_host_key,
    )
    link = await open_link(name, options, person, (states if states is not None else []).append)
    assert isinstance(link, SshLink)
    return link


async def listed(link: SshLink) -> bytes:
    """What the host's agent says of its runs, and the link let go."""
    try:
        return await link.ask(["list"])
    finally:
        await link.close()


async def said(config_file: Path, person: Person | None = None, **options: object) -> str:
    """What the user is told: the message, then the hint, of a host that cannot be reached or used."""
    with pytest.raises(TunetuiError) as caught:
        await listed(await reached(config_file, person, **options))  # type: ignore[arg-type]
    assert caught.value.exit_code in (2, 3)
    return f"{caught.value.message}\n{caught.value.hint}"
