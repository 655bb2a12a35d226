"""What an environment is to be built from, as the app asks for it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tunetui_agent.folder import FolderError, checked_name

KINDS = ("cpu", "gpu")


@dataclass(frozen=True)
class BuildRequest:
    """One environment: its name, the Python it is made from, and the exact wheels."""

    key: str
    kind: str  # of device
    python: str  # path of the Python that makes it
    requirements: str  # text for pip: one "name==version --hash=sha256:..." a line
    sizes: dict[str, int]  # bytes by file name of the wheel
    pip: str = ""  # file name of the wheel of pip that was sent; "": the Python's own ensurepip
    offline: bool = False  # only from wheels that were sent
    cuda: int = 0  # major version that the driver runs


def read_request(raw: bytes) -> BuildRequest:
    """The request in one line of JSON.  Raises FolderError("request")."""
    try:
        found: dict[str, Any] = json.loads(raw)
        request = BuildRequest(
            key=checked_name(str(found["key"])),
            kind=str(found["kind"]),
            python=str(found["python"]),
            requirements=str(found["requirements"]),
            sizes={checked_wheel(str(name)): int(size) for name, size in found["sizes"].items()},
            pip=checked_wheel(str(found["pip"])) if found.get("pip") else "",
            offline=bool(found.get("offline")),
            cuda=int(found.get("cuda", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FolderError("request", f"the request cannot be understood: {type(error).__name__}: {error}") from None
    if request.kind not in KINDS:
        raise FolderError("request", f"there is no kind of device {request.kind[:20]!r}")
    return request


def checked_wheel(name: str) -> str:
    """``name`` if it is a wheel's file name.  Raises FolderError."""
    checked_name(name.replace("+", "_"))
    if not name.endswith(".whl"):
        raise FolderError("bad-name", f"{name[:80]!r} is no wheel")
    return name
