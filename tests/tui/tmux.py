"""A real terminal for tests: a tmux server of its own, typed into and read as an operator would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

_PATIENCE_SECONDS = 300.0
_LOOK_EVERY_SECONDS = 0.03


def needs_tmux() -> None:
    """Skip the test where there is no tmux and none was installed."""
    if shutil.which("tmux") is None:
        pytest.skip("no tmux here (package tmux); .ci/run installs it where it is root")


class Tmux:
    """One window that runs one command; `kill` takes the terminal away from under it."""

    def __init__(
        self, command: Sequence[str], size: tuple[int, int], folder: Path, environment: Mapping[str, str]
    ) -> None:
        needs_tmux()
        settings = folder / "tmux.conf"
        settings.write_text("set -g status off\nset -g remain-on-exit on\n")
        self.base = ["tmux", "-u", "-L", f"tunetui-{uuid.uuid4().hex[:8]}", "-f", str(settings)]
        self.environment = {**os.environ, "LC_ALL": "C.UTF-8", **environment}
        self.environment.pop("TMUX", None)
        self._ask("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), "-c", str(folder), *command)
        self.resize(*size)

    def keys(self, *keys: str) -> None:
        """Press keys, by their names in tmux."""
        self._ask("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text as it is."""
        self._ask("send-keys", "-l", text)

    def resize(self, width: int, height: int) -> None:
        self._ask("resize-window", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        """What the terminal shows now, or showed last."""
        return self._ask("capture-pane", "-p")

    @property
    def alive(self) -> bool:
        """Whether the command still runs."""
        return self._ask("display-message", "-p", "#{pane_dead}").strip() != "1"

    def until(self, pattern: str, *, gone: bool = False) -> str:
        """The screen once it shows ``pattern``, or does not show it any more; it must before long."""
        shown = ""
        for _ in _looks():
            shown = self.screen()
            if bool(re.search(pattern, shown, re.MULTILINE)) != gone:
                return shown
            if not self.alive:
                break
        raise AssertionError(f"{'still' if gone else 'never'} {pattern!r}:\n{shown}")

    def ended(self) -> None:
        """Wait until the command has ended by itself."""
        for _ in _looks():
            if not self.alive:
                return
        raise AssertionError(f"still there:\n{self.screen()}")

    def kill(self) -> None:
        """The terminal goes away, as when its window is closed."""
        subprocess.run([*self.base, "kill-server"], capture_output=True, env=self.environment)

    def _ask(self, *command: str) -> str:
        done = subprocess.run([*self.base, *command], capture_output=True, text=True, env=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _looks() -> Iterator[None]:
    """A turn now and then, as long as there is patience left."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        yield
        time.sleep(_LOOK_EVERY_SECONDS)
