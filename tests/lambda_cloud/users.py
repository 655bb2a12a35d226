"""A user of ``tunetui lambda`` in a home of their own, with a cloud that takes their key."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.lambda_cloud.cloud import KEY, TOKEN, Cloud
from tunetui.cli import main
from tunetui.hosts.lambda_cloud.ledger import Ledger

YES = ("--yes", "--max-usd-per-hour", "1.50", "--accept-new-host-key")
PUBLIC = "ssh-ed25519 AAAAC3Nz me@here"


class Terminal(io.StringIO):
    """Somebody who sits there, with answers ready."""

    def isatty(self) -> bool:
        return True


class User:
    """Runs commands in a home of their own."""

    def __init__(
        self, folder: Path, cloud: Cloud, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.folder, self.cloud, self._capsys, self._patch = folder, cloud, capsys, patch
        self.out = self.err = ""

    def run(self, *words: str, answers: str | None = None) -> int:
        """One command; with ``answers`` at a terminal."""
        terminal = Terminal()
        with self._patch.context() as patch:
            patch.setattr("sys.stdin", io.StringIO() if answers is None else Terminal(answers))
            if answers is not None:
                patch.setattr("sys.stderr", terminal)
            code = main(list(words))
        self.out, self.err = self._capsys.readouterr()
        self.err += terminal.getvalue()
        assert not any(secret in self.out + self.err for secret in (KEY, TOKEN))
        return code

    def launched(self) -> str:
        """A machine, by a command of its own."""
        assert self.run("lambda", "launch", "gpu_1x_a10", "--no-wait", *YES) == 0
        return self.out.strip()

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder / "data" / "tunetui" / "lambda")
