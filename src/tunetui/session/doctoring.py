"""Asks a host's agent what a run would find there, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.core.examination import Examination, decode_examination
from tunetui.engines.channel import ask_json
from tunetui.engines.local import LocalLink
from tunetui.settings import cache_folder

if TYPE_CHECKING:
    from tunetui.engines.channel import Link


async def examine(device: str = "", link: Link | None = None) -> Examination:
    """Examines the host of ``link`` (this machine); ``device`` limits it to "cpu" or to one GPU's UUID.

    Raises:
        TunetuiError: the agent cannot be started there, or refuses.
    """
    arguments = ["doctor", *(["--device", device] if device else [])]
    answer = await ask_json(link or LocalLink(cache_folder()), arguments)
    if answer.get("ok") is not True:
        raise TunetuiError(f"the agent's doctor refused: {str(answer.get('text', answer))[:500]}")
    return decode_examination(answer)
