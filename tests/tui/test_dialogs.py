"""What hosts and keys ask, put on the screen and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.cockpit import leaderboard_screen, opened, shown, until
from tests.tui.hostile import NEVER_ON_A_TERMINAL
from tunetui.core.asking import HostKeyQuestion
from tunetui.tui.screens.asking import HostKeyScreen, PassphraseScreen, ScreenAsker

SECRET = "correct horse"  # noqa: S105 - of no key
QUESTION = HostKeyQuestion(
    host="box[b]\x1b[2J", place="10.0.0.7 port 22", known_as="10.0.0.7", algorithm="ssh-ed25519", fingerprint="SHA256:abcdefgh",
    stored_in="~/.ssh/known_hosts",
)  # fmt: skip


def asked(pilot: Pilot[None], asking: Awaitable[Any]) -> asyncio.Future[Any]:
    """The answer to be, asked for as a run does it: in a worker."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def ask() -> None:
        answer.set_result(await asking)

    pilot.app.run_worker(ask())
    return answer


async def test_a_passphrase_is_handed_over_and_never_shown() -> None:
    async with opened(leaderboard_screen(), (80, 24)) as pilot:
        answer = asked(pilot, ScreenAsker(pilot.app).passphrase("~/.ssh/id_[b]ed", 1))
        await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseScreen) and bool(shown(pilot).strip()))
        assert "Passphrase of ~/.ssh/id_[b]ed" in shown(pilot)
        pilot.app.screen.query_one(Input).value = SECRET
        await pilot.pause()
        assert SECRET not in shown(pilot)
        await pilot.press("enter")
        await until(pilot, answer.done)
        assert answer.result() == SECRET


async def test_a_wrong_passphrase_is_told_and_escape_gives_none() -> None:
    async with opened(leaderboard_screen(), (80, 24)) as pilot:
        answer = asked(pilot, ScreenAsker(pilot.app).passphrase("a key", 2))
        await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseScreen) and bool(shown(pilot).strip()))
        assert "That was not it." in shown(pilot)
        await pilot.press("q", "escape")  # q is a letter of it, and leaves nothing
        await until(pilot, answer.done)
        assert answer.result() is None


@pytest.mark.parametrize(("key", "trusted"), [("enter", False), ("n", False), ("escape", False), ("y", True)])
async def test_an_unknown_host_key_is_trusted_by_one_key_alone(key: str, trusted: bool) -> None:
    async with opened(leaderboard_screen(), (80, 24)) as pilot:
        answer = asked(pilot, ScreenAsker(pilot.app).confirm_host_key(QUESTION))
        await until(pilot, lambda: isinstance(pilot.app.screen, HostKeyScreen) and bool(shown(pilot).strip()))
        text = shown(pilot)
        assert "SHA256:abcdefgh" in text
        assert "10.0.0.7 port 22" in text
        assert "remembered in ~/.ssh/known_hosts" in " ".join(text.split())
        assert not set(NEVER_ON_A_TERMINAL) & set(text)
        await pilot.press(key)
        await until(pilot, answer.done)
        assert answer.result() is trusted
