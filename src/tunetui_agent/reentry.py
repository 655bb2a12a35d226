"""Starts the present command over with the Python that was chosen for this host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from tunetui_agent.children import agent_environment, archive
from tunetui_agent.folder import FolderError

if TYPE_CHECKING:
    from collections.abc import Sequence


def reenter(python: str, arguments: Sequence[str], *, user_site: bool) -> NoReturn:
    """Becomes ``python`` with the same command, of which nothing has been read yet; isolated but for ``user_site``.

    Raises:
        FolderError: "python" where it cannot be started.
    """
    packed = archive()
    how = ["-E" if user_site else "-I", str(packed)] if packed else ["-m", "tunetui_agent"]
    try:
        os.execve(python, [python, *how, *_without_python(arguments)], agent_environment())  # noqa: S606 - no shell wanted
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FolderError("python", f"{python} cannot be started: {reason}") from None


def _without_python(arguments: Sequence[str]) -> list[str]:
    rest = []
    waiting = iter(arguments)
    for each in waiting:
        if each == "--python":
            next(waiting, None)
        elif each != "--user-site" and not each.startswith("--python="):
            rest.append(each)
    return rest
