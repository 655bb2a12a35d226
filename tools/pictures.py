# noqa: INP001 - a script, run by path
"""Makes the pictures of README.md and docs/tour.md: the app itself, over recorded runs, exports its screens as SVG.

    python tools/pictures.py

Nothing in them is made up: a replay is labelled as one, and a leaderboard is a file of bench/results.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.tui.cockpit import opened  # noqa: E402
from tunetui.session.replaying import Replay  # noqa: E402
from tunetui.tui.screens.command_screen import CommandScreen  # noqa: E402
from tunetui.tui.screens.leaderboard import board_screen  # noqa: E402
from tunetui.tui.screens.run import RunScreen  # noqa: E402
from tunetui.tui.sources import ReplayedRun  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
JOURNAL = ROOT / "tests" / "data" / "quickstart.journal.jsonl"
GPU_BOARD = ROOT / "bench" / "results" / "seed-288.leaderboard.json"
SIZE = (142, 36)
MOMENT_S = 22.0
"""Of the recorded run: most of it is measured, one row is on the device."""
END_S = 1e6
_SETTLED_S = 2.0


def replayed(moment_s: float) -> RunScreen:
    """The recorded run, stopped at this moment."""
    times = iter([0.0])
    replay = Replay(JOURNAL, clock=lambda: next(times, moment_s))
    _ = replay.snapshot
    replay.paused = True
    return RunScreen(ReplayedRun(replay))


async def make(name: str, screen: CommandScreen, *keys: str) -> None:
    """One picture, after these keys."""
    async with opened(screen, SIZE) as pilot:
        await pilot.pause(_SETTLED_S)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(_SETTLED_S)
        drawn = pilot.app.export_screenshot(title="tunetui", simplify=True)
    file = PICTURES / f"{name}.svg"
    file.write_text("\n".join(line.rstrip() for line in drawn.splitlines()) + "\n", encoding="utf-8")
    sys.stdout.write(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1e3:.0f} kB\n")


async def main() -> None:
    """All of them."""
    PICTURES.mkdir(exist_ok=True)
    await make("cockpit-run", replayed(MOMENT_S))
    await make("cockpit-leaderboard", board_screen(GPU_BOARD))
    await make("cockpit-row", replayed(END_S), "enter")


if __name__ == "__main__":
    asyncio.run(main())
