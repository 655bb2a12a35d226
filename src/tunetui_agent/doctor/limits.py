"""What a container allows this process: CPU quota and memory limit, from cgroup v2 or v1, nested groups included."""

from __future__ import annotations

from pathlib import Path

from tunetui_agent.doctor.texts import read_text

_NO_LIMIT_BYTES = 1 << 60  # cgroup v1 writes a number near 2**63 where there is no limit


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Cores' worth of CPU time that the tightest group allows; None where no group limits it."""
    found = []
    for group in groups(root, "cpu"):
        quota, _, period = read_text(group / "cpu.max").partition(" ")
        if not period:
            quota, period = read_text(group / "cpu.cfs_quota_us"), read_text(group / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            found.append(int(quota) / int(period))
    return min(found, default=None)


def memory_limit_bytes(root: Path = Path("/")) -> int | None:
    """The tightest group's limit; None where no group limits it."""
    texts = [
        read_text(group / name) for group in groups(root, "memory") for name in ("memory.max", "memory.limit_in_bytes")
    ]
    limits = [int(text) for text in texts if text.isdigit()]
    return min((limit for limit in limits if 0 < limit < _NO_LIMIT_BYTES), default=None)


def throttled_percent(root: Path = Path("/")) -> float | None:
    """In how many of its enforcement periods the process's group ran out of CPU quota; None where not counted."""
    for group in groups(root, "cpu"):
        lines = [line.split() for line in read_text(group / "cpu.stat").splitlines()]
        counts = {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}
        if counts.get("nr_periods"):
            return 100 * counts.get("nr_throttled", 0) / counts["nr_periods"]
    return None


def groups(root: Path, controller: str) -> list[Path]:
    """The folders of this process's group for one controller and of all groups around it, the innermost first."""
    found: list[Path] = []
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, controllers, name = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        path = mount / name.lstrip("/")
        # In a container the name may be the host's, whose folder is not visible: the mount itself is then the group.
        inner = [place for place in (path, *path.parents) if place == mount or mount in place.parents]
        found += inner or [mount]
    return [group for group in dict.fromkeys(found) if group.is_dir()]
