"""A headless Chromium for tests, spoken to over its debugging pipe: no driver, no port, nothing from elsewhere."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

_PATIENCE_SECONDS = 300.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_browser() -> str:
    """The browser's program; skips the test where there is none and none was installed."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here (package chromium); .ci/run installs it where it is root")
    return found


class Browser:
    """One page.  What its websockets receive is kept in ``received``."""

    def __init__(self, program: str, folder: Path) -> None:
        theirs, self._to = os.pipe()
        self._from, answers = os.pipe()
        options = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--remote-debugging-pipe", f"--user-data-dir={folder}", "--window-size=1280,800",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]  # fmt: skip
        place = f'exec "$0" "$@" 3<&{theirs} 4>&{answers}'
        self._process = subprocess.Popen(
            ["bash", "-c", place, program, *options, "about:blank"],
            pass_fds=(theirs, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs)
        os.close(answers)
        self.received = ""
        self._arrived, self._asked, self._session = b"", 0, ""
        self._until = time.monotonic() + _PATIENCE_SECONDS
        pages = self.ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in pages if target["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.ask("Network.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the browser do something, and wait for its answer."""
        self._asked += 1
        message: dict[str, Any] = {"id": self._asked, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def type(self, text: str) -> None:
        """Press a key that gives this character."""
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, key=text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=text)

    def until_received(self, text: str) -> None:
        """Wait until a websocket of the page has received this text."""
        while text not in self.received:
            self._next()

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._arrived:
            ready, _, _ = select.select([self._from], [], [], max(0.0, self._until - time.monotonic()))
            assert ready, f"the browser says nothing more; received: {self.received[-2000:]!r}"
            part = os.read(self._from, 1 << 20)
            assert part, "the browser has ended"
            self._arrived += part
        line, self._arrived = self._arrived.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        if message.get("method") == "Network.webSocketFrameReceived":
            frame = message["params"]["response"]
            data = base64.b64decode(frame["payloadData"]) if frame["opcode"] == 2 else frame["payloadData"].encode()
            self.received += data.decode("utf-8", "replace")
        return message
