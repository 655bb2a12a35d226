"""What the operating system of this host calls itself."""

from __future__ import annotations

import os
import platform


def system_name() -> str:
    """Such as ``Linux-6.8.0-x86_64-with-glibc2.39``: as `platform.platform`, which starts a process to find out more."""
    found = os.uname()
    libc = "".join(platform.libc_ver())
    return "-".join([found.sysname, found.release, found.machine, *(["with", libc] if libc else [])])
