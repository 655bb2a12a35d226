"""Starts a process so that whoever waits for it may be cancelled: asyncio by itself never comes back from that."""

from __future__ import annotations

import asyncio
from typing import Any


async def start_process(*command: str, **options: Any) -> asyncio.subprocess.Process:
    """As `asyncio.create_subprocess_exec`; where it is cancelled, the process is killed.  Raises OSError."""
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await starting
        process.kill()
        await process.wait()
        raise
