"""`tunetui serve` in a real browser: the page loads, the app draws, and a key reaches it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ssh.sshd import free_port
from tests.tui.browser import Browser, find_browser
from tests.tui.cockpit import BOARD

PATIENCE_SECONDS = 300.0


@pytest.fixture
def address() -> Iterator[str]:
    """Where a saved leaderboard is served."""
    find_browser()
    pytest.importorskip("textual_serve", reason='textual-serve is not installed (extra "serve")')
    port = free_port()
    command = [sys.executable, "-m", "tunetui", "serve", "--port", str(port), "--", str(BOARD)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def test_the_app_is_drawn_in_a_browser_and_hears_its_keys(address: str, tmp_path: Path) -> None:
    browser = Browser(find_browser(), tmp_path / "profile")
    try:
        browser.ask("Page.navigate", url=address)
        browser.until_received("quickstart.leaderboard.json")
        found = browser.ask("Runtime.evaluate", expression="document.querySelectorAll('.xterm').length")
        assert found["result"]["value"] == 1
        browser.ask("Runtime.evaluate", expression="document.querySelector('.xterm-helper-textarea').focus()")
        browser.type("?")
        browser.until_received("Everywhere")
    finally:
        browser.close()
