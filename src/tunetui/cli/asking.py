"""Asks whoever sits at the terminal: a key's passphrase, never echoed and never written anywhere."""

from __future__ import annotations

import asyncio
import getpass
import sys
from typing import TYPE_CHECKING, TypeVar

from tunetui.cli.narration import literal
from tunetui.core.asking import HostKeyQuestion

if TYPE_CHECKING:
    from collections.abc import Callable

_Answer = TypeVar("_Answer")


def terminal_asker() -> TerminalAsker | None:
    """Whoever sits there; None where nobody does (a pipe, a file, cron)."""
    return TerminalAsker() if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() else None


class TerminalAsker:
    """Questions on stderr, answers from the terminal."""

    open_questions = 0
    """Of all of them: nothing is to be redrawn below a question."""

    async def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        lines = [
            f"{question.host}: the host key of {question.place} is not known:",
            f"  {question.algorithm} {question.fingerprint}",
            f"it would be kept in {question.stored_in}" if question.stored_in else "it would be kept for this run only",
        ]
        answer = await _answered(_line, "\n".join(map(literal, lines)) + "\nIs it the right one (yes/no)? ")
        return answer.strip().lower() == "yes"

    async def passphrase(self, what: str, attempt: int) -> str | None:
        again = "that was not it; " if attempt > 1 else ""
        return await _answered(_secret, literal(f"{again}passphrase of {what} (empty: leave it out): "))


async def _answered(ask: Callable[[str], _Answer], prompt: str) -> _Answer:
    TerminalAsker.open_questions += 1
    try:
        return await asyncio.to_thread(ask, prompt)
    finally:
        TerminalAsker.open_questions -= 1


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline()


def _secret(prompt: str) -> str | None:
    try:
        return getpass.getpass(prompt, sys.stderr) or None
    except EOFError:
        return None
