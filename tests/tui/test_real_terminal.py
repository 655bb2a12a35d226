"""The app in a real terminal: a live run is watched, its terminal is killed, and the next one attaches to it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tui.tmux import Tmux, needs_tmux

APP = [sys.executable, "-m", "tunetui"]
GRID = """
name = "live"
kernel = "semantic-search"
device = "cpu"
implementations = ["numpy"]

[axes]
tile_rows = [64, 128, 256, 512, 1024, 2048, 4096, 16384]
select = ["argpartition", "sort"]
threads = [1, 2]

[problem]
corpus_size = 5000
dims = 64
queries = 1
k = 4

[method]
max_seconds = 0.8
precision_percent = 0.05
finalists_seconds = 0.5
ceilings = "none"
energy = "none"
"""
TOTAL = 32

Open = Callable[..., Tmux]


@pytest.fixture
def terminal(home: Path) -> Iterator[Open]:
    """Opens terminals in the test's own folders; whatever is left of them at the end goes away."""
    needs_tmux()
    opened: list[Tmux] = []

    def start(*options: str, size: tuple[int, int] = (160, 48)) -> Tmux:
        opened.append(Tmux([*APP, *options], size, home, {"HOME": str(home)}))
        return opened[-1]

    yield start
    for each in opened:
        each.kill()


def done(screen: str) -> int:
    """How many trials the title says are done."""
    found = re.search(rf"(\d+)/{TOTAL}\b", screen)
    assert found is not None, screen
    return int(found[1])


def test_a_live_run_outlives_its_terminal_and_is_found_again(terminal: Open, home: Path) -> None:
    (home / "live.toml").write_text(GRID)
    first = terminal("live.toml")
    first.until(f"{TOTAL} valid configurations")
    first.keys("s")
    first.until(rf" [2-9]/{TOTAL} ")

    first.keys("s")
    first.until(rf"^ {TOTAL} rows  ▲ interval_percent")
    first.keys("/")
    first.type("select == 'sort'")
    first.until(rf"^ {TOTAL // 2} of {TOTAL} rows .* / select == 'sort'")
    first.keys("Enter", "/", "C-u", "Enter")
    first.until(rf"^ {TOTAL} rows  ▲ interval_percent")

    first.keys("Home", "Enter")
    first.until(r"with 95 % confidence(.*\n)*.* 1 samples")
    first.keys("Escape")
    first.until(rf"\d+/{TOTAL} ")

    for width, height in [(80, 24), (60, 20)]:
        first.resize(width, height)
        shown = first.until(rf"\A(?=.{{1,{width}}}$).*\d+/{TOTAL}\b")
        assert "numpy" in shown
        assert max(map(len, shown.splitlines())) <= width
    before = done(shown)
    first.kill()

    second = terminal("live.toml", size=(80, 24))
    second.until(f"{TOTAL} valid configurations")
    second.keys("s")
    assert done(second.until(rf"\d+/{TOTAL} ")) >= before
    second.keys("q")
    second.until(r"still at work.*\n(.*\n)*.*\(l\) leave it running")
    second.keys("Escape")
    second.until("still at work", gone=True)
    second.keys("q")
    second.until("still at work")
    second.type("s")
    second.ended()
    assert (home / "live.leaderboard.json").exists()
