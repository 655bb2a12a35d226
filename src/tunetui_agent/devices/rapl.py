"""The energy of the host's CPU packages, from Linux's powercap files (RAPL), where this user may read them.

Source: Linux kernel documentation, "Power Capping Framework" (``/sys/class/powercap``).
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path("/sys/class/powercap")


class RaplMeter:
    """The sum over all packages; a counter that wrapped around is seen as long as it is read once a minute."""

    source = "RAPL, the energy counters of the CPU packages"

    def __init__(self, root: Path = ROOT) -> None:
        """Raises OSError with what is missing."""
        packages = sorted(path for path in root.glob("*-rapl:*") if path.name.count(":") == 1)
        if not packages:
            raise OSError(f"no RAPL counters in {root}")
        self._files = [path / "energy_uj" for path in packages]
        self._ranges = [_number(path / "max_energy_range_uj") for path in packages]
        self._last = [_number(path) for path in self._files]
        self._total_uj = 0

    def read_mj(self) -> float:
        """Millijoules since this meter was made."""
        for place, path in enumerate(self._files):
            found = _number(path)
            step = found - self._last[place]
            self._total_uj += step if step >= 0 else step + self._ranges[place]
            self._last[place] = found
        return self._total_uj / 1e3


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except PermissionError:
        raise OSError(f"RAPL may not be read by this user: {path}") from None
    except (OSError, ValueError):
        raise OSError(f"RAPL cannot be read: {path}") from None
