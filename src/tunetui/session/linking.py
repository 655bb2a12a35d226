"""Makes the link to a host that was named: this machine, or any that the user's SSH configuration leads to."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.routes import LOCAL
from tunetui.engines.ssh.knocking import Knock
from tunetui.hosts.ssh_config import resolve
from tunetui.session.rented import rented, route_to
from tunetui.settings import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tunetui.core.asking import Asker
    from tunetui.core.links import LinkState
    from tunetui.engines.allowances import OnWait
    from tunetui.engines.channel import Link

CONFIG_VARIABLE = "TUNETUI_SSH_CONFIG"
"""Names another file than ~/.ssh/config, as ``ssh -F`` does."""
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")


@dataclass(frozen=True)
class LinkOptions:
    """How hosts may be reached."""

    host_keys: tuple[str, ...] = ()  # fingerprints ("SHA256:...") of which an unknown host must show one
    accept_new_host_key: bool = False  # trust whatever key a host shows that was never seen
    ask_about_host_keys: bool = True  # headless runs refuse instead, also at a terminal
    config_file: Path | None = None  # instead of the user's own SSH configuration
    connect_seconds: float = 15.0  # where the SSH configuration sets no ConnectTimeout
    addresses: Mapping[str, str] = field(default_factory=dict)  # where a host is that the settings name


async def open_link(
    name: str,
    options: LinkOptions | None = None,
    asker: Asker | None = None,
    on_state: Callable[[LinkState], None] = lambda _: None,
    on_wait: OnWait = lambda *_: None,
) -> Link:
    """A link to "local" or to an SSH host, connected: whatever there is to ask or to say about a host comes first.

    ``on_wait`` is told what the host is waited for, in words, whenever that lasts, and of no words when it is over.
    Without an ``asker`` an unknown host is refused, and a key that needs a passphrase is passed over.

    Raises:
        InputError: no host name, no fingerprint, or an SSH configuration that ssh refuses.
        TunetuiError: the host cannot be reached, is not who it was, or accepts none of our keys.
    """
    options = options or LinkOptions()
    if name == LOCAL:
        from tunetui.engines.local import LocalLink

        return LocalLink(cache_folder(), on_wait=on_wait)
    fingerprints = tuple(_fingerprint(text) for text in options.host_keys)
    own, config_file = rented(name), options.config_file or _configured()
    found = route_to(own, config_file) if own is not None else resolve(options.addresses.get(name, name), config_file)
    route = replace(await found, name=name)
    knock = None if route.hops[0].proxy_command else Knock(route.hops[0], options.connect_seconds)
    try:
        await asyncio.to_thread(load_ssh)
    except BaseException:
        if knock is not None:
            knock.forget()
        raise
    from tunetui.engines.ssh.bootstrap import make_ready, make_stage
    from tunetui.engines.ssh.connecting import Patience
    from tunetui.engines.ssh.host_keys import HostKeyPolicy, HostKeys
    from tunetui.engines.ssh.link import SshLink

    policy = HostKeyPolicy(fingerprints, options.accept_new_host_key)
    host_keys = HostKeys(policy, asker if options.ask_about_host_keys else None)
    patience = Patience(connect_seconds=options.connect_seconds)
    link = SshLink(route, host_keys, asker, patience=patience, knock=knock, on_state=on_state, on_wait=on_wait)
    ready = asyncio.create_task(asyncio.to_thread(make_ready))  # while the host answers
    asyncio.get_running_loop().call_soon(make_stage)
    try:
        await link.connect()
    finally:
        await ready
    return link


def load_ssh() -> None:
    """Load what SSH takes, which is a part of the wait for a host.  Raises TunetuiError where it cannot be loaded."""
    try:
        import tunetui.engines.ssh.link  # noqa: F401
    except ImportError as error:
        raise TunetuiError(f"asyncssh cannot be loaded: {error}", hint="pip install --upgrade tunetui") from None


def _configured() -> Path | None:
    named = os.environ.get(CONFIG_VARIABLE, "")
    return Path(named) if named else None


def _fingerprint(text: str) -> str:
    if not _FINGERPRINT.fullmatch(text):
        raise InputError(
            f"{text[:80]!r} is no fingerprint of a host key",
            hint="it begins with SHA256: and is what ssh-keygen -lf shows of a key",
        )
    return text.rstrip("=")
