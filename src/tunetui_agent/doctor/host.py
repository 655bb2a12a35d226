"""What the host itself offers: Python, folder, cores, memory, limits, and whether a run outlives its login.

Everything is read below ``root`` ("/" but in tests), so that the texts of other machines can be judged.
"""

from __future__ import annotations

import getpass
import os
import platform
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui_agent.doctor.checks import Check, Section, gib
from tunetui_agent.doctor.limits import cpu_quota, memory_limit_bytes, throttled_percent
from tunetui_agent.doctor.texts import read_text
from tunetui_agent.folder import FolderError, HostFolder

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST = Section("Host")
LEAST_PYTHON = (3, 10)
LEAST_FREE_BYTES, COMFORTABLE_FREE_BYTES = 256 << 20, 2 << 30
LEAST_MEMORY_BYTES = 1 << 30
_NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "lustre", "ceph", "glusterfs", "afs")
_ELSEWHERE = "set XDG_CACHE_HOME to a folder of yours on a local disk"


def check_host(folder: Path, root: Path = Path("/")) -> list[Check]:
    """All checks of the host; ``folder`` is the agent's own."""
    return [
        check_python(),
        check_numpy(),
        check_machine(root),
        check_proc(root),
        check_folder(folder),
        check_disk(folder, root),
        check_cores(root),
        check_load(root),
        check_memory(root),
        check_governor(root),
        check_logout(root),
    ]


def check_python() -> Check:
    """The interpreter that the agent runs on, and so the workers."""
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] < LEAST_PYTHON:
        return HOST.fail("Python", found, "the agent needs Python 3.10 or newer")
    return HOST.ok("Python", found)


def check_numpy() -> Check:
    """NumPy holds every trial's inputs and reference."""
    try:
        import numpy as np
    except ImportError as error:
        said = " ".join(str(error).split())[:200]
        return HOST.fail("NumPy", said or "it does not import", f"$ {shlex.quote(sys.executable)} -m pip install numpy")
    return HOST.ok("NumPy", np.__version__)


def check_machine(root: Path) -> Check:
    """Architecture, kernel and page size: informational (a GH200 is aarch64 with pages of 64 KiB)."""
    page = os.sysconf("SC_PAGE_SIZE") >> 10
    release = read_text(root / "proc/sys/kernel/osrelease") or platform.release()
    return HOST.ok("machine", f"{platform.machine()}, {platform.system()} {release}, pages of {page} KiB")


def check_proc(root: Path) -> Check:
    """What the agent reads to tell a reboot, a dead run and a noisy neighbour."""
    needed = ("proc/stat", "proc/meminfo", "proc/self/stat", "proc/sys/kernel/random/boot_id")
    missing = [f"/{name}" for name in needed if not read_text(root / name)]
    if missing:
        advice = "mount /proc: without it reboots and disturbances by other processes go unnoticed"
        return HOST.warn("/proc", f"cannot read {', '.join(missing)}", advice)
    return HOST.ok("/proc", "mounted and readable")


def check_folder(folder: Path) -> Check:
    """The agent's folder is ours alone, or can be made."""
    if folder.exists():
        try:
            HostFolder(folder).check()
        except FolderError as error:
            return HOST.fail("folder", str(error), f"chmod 700 it if it is yours, or {_ELSEWHERE}")
        if not os.access(folder, os.W_OK | os.X_OK):
            return HOST.fail("folder", f"{folder} cannot be written", _ELSEWHERE)
        return HOST.ok("folder", f"{folder}, private")
    parent = _nearest(folder)
    if not os.access(parent, os.W_OK | os.X_OK):
        return HOST.fail("folder", f"{folder} is not there and {parent} cannot be written", _ELSEWHERE)
    return HOST.ok("folder", f"{folder}, to be made at the first run")


def check_disk(folder: Path, root: Path) -> Check:
    """Room for journals and builds, on a file system that can hold locks and load libraries."""
    place = _nearest(folder)
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return HOST.fail("disk", f"{place}: {error.strerror}", _ELSEWHERE)
    kind, options = mount_of(place, read_text(root / "proc/self/mountinfo"))
    found = f"{gib(free)} free" + (f" ({kind})" if kind else "")
    if free < LEAST_FREE_BYTES:
        return HOST.fail("disk", found, f"make room: a run needs at least {gib(LEAST_FREE_BYTES)}; or {_ELSEWHERE}")
    if kind in _NETWORK_FILE_SYSTEMS:
        advice = f"locks and journals are unsafe on a network file system: {_ELSEWHERE}"
        return HOST.warn("disk", found, advice)
    if "noexec" in options:
        advice = f"built CPU kernels cannot be loaded from a noexec mount: {_ELSEWHERE}"
        return HOST.warn("disk", f"{found}, mounted noexec", advice)
    if free < COMFORTABLE_FREE_BYTES:
        return HOST.warn("disk", found, f"long runs with many builds want {gib(COMFORTABLE_FREE_BYTES)}")
    return HOST.ok("disk", found)


def check_cores(root: Path) -> Check:
    """CPUs that this process may use, and a container's quota on them."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{cpus} of {os.cpu_count() or cpus} CPUs usable"
    quota = cpu_quota(root)
    if quota is not None and quota < cpus:
        found += f", limited to {quota:g} cores' worth of time"
        throttled = throttled_percent(root)
        found += f", held back in {throttled:.0f} % of periods so far" if throttled else ""
        advice = "a CPU quota stops threads in mid-sample: for CPU trials ask for whole cores (cpuset) instead"
        return HOST.warn("cores", found, advice)
    if cpus < 2:
        return HOST.warn("cores", found, "compilers and measurements share this core: CPU figures will be noisy")
    return HOST.ok("cores", found)


def check_load(root: Path) -> Check:
    """How busy the host is already."""
    words = read_text(root / "proc/loadavg").split()
    try:
        load = float(words[0])
    except (IndexError, ValueError):
        return HOST.skip("load", "/proc/loadavg does not tell")
    cores = os.cpu_count() or 1
    found = f"{load:.2f} over the last minute, {cores} CPUs"
    if load > max(0.5, cores / 2):
        return HOST.warn("load", found, "others are working here: CPU figures will be noisy; `top` shows who")
    return HOST.ok("load", found)


def check_memory(root: Path) -> Check:
    """Memory that is available, and a container's limit on it."""
    known = dict(_meminfo(read_text(root / "proc/meminfo").splitlines()))
    available, total = known.get("MemAvailable"), known.get("MemTotal")
    if available is None or total is None:
        return HOST.skip("memory", "/proc/meminfo does not tell")
    limit = memory_limit_bytes(root)
    found = f"{gib(available)} available of {gib(total)}"
    if limit is not None and limit < total:
        found += f", limited to {gib(limit)}"
        available = min(available, limit)
    if available < LEAST_MEMORY_BYTES:
        return HOST.warn("memory", found, "large problems will not fit; close other programs or raise the limit")
    return HOST.ok("memory", found)


def check_governor(root: Path) -> Check:
    """Whether the CPU's clock follows its load, which CPU trials see as noise."""
    paths = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    found = [text for path in paths if (text := read_text(path))]
    if not found:
        return HOST.skip("CPU governor", "not visible here (usual in virtual machines and containers)")
    counted = ", ".join(f"{name} on {found.count(name)}" for name in sorted(set(found)))
    if set(found) != {"performance"}:
        advice = "for steady CPU figures: sudo cpupower frequency-set -g performance (GPU figures hardly depend on it)"
        return HOST.warn("CPU governor", f"{counted} of {len(found)} CPUs", advice)
    return HOST.ok("CPU governor", f"{counted} CPUs")


def check_logout(root: Path) -> Check:
    """Whether a detached run lives on after its user logs out (logind's KillUserProcesses)."""
    if not (root / "run/systemd/system").is_dir():
        return HOST.ok("logout", "no systemd: detached runs live on")
    user = getpass.getuser()
    if not dies_at_logout(user, root):
        return HOST.ok("logout", "detached runs live on")
    advice = (
        "ask the administrator for KillUserProcesses=no in /etc/systemd/logind.conf, or work inside what this starts:\n"
        f"$ loginctl enable-linger {user} && systemd-run --user --scope tmux"
    )
    return HOST.warn("logout", "runs die when you log out (KillUserProcesses=yes)", advice)


def dies_at_logout(user: str, root: Path) -> bool:
    """Whether logind ends what ``user`` leaves running; it does not by default, and never does so to root.

    Later files win, and drop-ins come after the main file (logind.conf(5)).
    """
    drop_ins: dict[str, Path] = {}
    for place in ("usr/lib", "run", "etc"):  # of equal names, the last folder's file counts
        drop_ins |= {path.name: path for path in (root / place / "systemd/logind.conf.d").glob("*.conf")}
    mains = [root / place / "systemd/logind.conf" for place in ("etc", "run", "usr/lib")]
    main = [path for path in mains if path.exists()][:1]
    settings = {"KillUserProcesses": "no", "KillOnlyUsers": "", "KillExcludeUsers": "root"}
    for path in [*main, *(drop_ins[name] for name in sorted(drop_ins))]:
        for line in read_text(path).splitlines():
            key, _, value = line.partition("=")
            if key.strip() in settings:
                settings[key.strip()] = value.strip()
    only, excluded = settings["KillOnlyUsers"].split(), settings["KillExcludeUsers"].split()
    kills = settings["KillUserProcesses"].lower() in ("yes", "true", "on", "1", "y", "t")
    return kills and user not in excluded and (not only or user in only)


def mount_of(path: Path, mountinfo: str) -> tuple[str, list[str]]:
    """File system type and mount options of the mount that holds ``path`` (proc(5), mountinfo); "" where unknown."""
    best, answer = "", ("", list[str]())
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 6 or not kind:
            continue
        point = fields[4].replace("\\040", " ")
        inside = path == Path(point) or Path(point) in path.parents
        if inside and len(point) >= len(best):
            best, answer = point, (kind[0], fields[5].split(","))
    return answer


def _meminfo(lines: Iterable[str]) -> list[tuple[str, int]]:
    pairs = [line.split() for line in lines]
    return [(words[0].rstrip(":"), int(words[1]) * 1024) for words in pairs if len(words) > 1 and words[1].isdigit()]


def _nearest(path: Path) -> Path:
    """``path`` or the closest folder above it that exists."""
    return next((place for place in (path, *path.parents) if place.exists()), Path("/"))
