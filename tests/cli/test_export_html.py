"""The HTML page: whole, self-contained, safe, and sortable in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from tests.cli.boards import leaderboard, outcomes
from tunetui.core.exports.html import html
from tunetui.core.figures import with_uncertainty
from tunetui.core.leaderboard import Leaderboard
from tunetui.store.leaderboard import read_leaderboard

ROOT = Path(__file__).parents[2]
UNDER_LOAD = ROOT / "bench" / "results" / "under-load.leaderboard.json"
H200 = ROOT / "tests" / "data" / "h200-first.leaderboard.json"
SEED = ROOT / "bench" / "results" / "seed-288.leaderboard.json"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_MOST_BYTES = 5_000_000
_VOID = {"meta", "br", "hr", "img", "input", "link"}


class Outline(HTMLParser):
    """Elements as they open and close; a page that does not nest fails."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(text: str) -> Outline:
    parsed = Outline()
    parsed.feed(text)
    assert parsed.open == []
    return parsed


def many_rows(count: int) -> Leaderboard:
    """Test data, not measurements: the rows of a real run over and over."""
    board = read_leaderboard(H200)
    first = board.boards[0]
    rows = [
        msgspec.structs.replace(row, trial=f"{place:016x}", configuration=row.configuration | {"copy": place})
        for place in range(count)
        for row in [first.rows[place % len(first.rows)]]
    ]
    return msgspec.structs.replace(board, boards=[msgspec.structs.replace(first, rows=rows)])


def test_a_run_under_load_is_told_with_its_course_over_time() -> None:
    board = read_leaderboard(UNDER_LOAD)
    text = html(board, board.boards)
    outline(text)
    for words in ("p99 0.04455, worst 0.101 ms", "Clock, MHz", "Temperature, °C", "Power, W", "70 verified: 0 wrong"):
        assert words in text
    assert "Under load" not in html(read_leaderboard(H200), read_leaderboard(H200).boards)


def test_on_paper_columns_that_say_least_stand_back_and_are_named() -> None:
    board = read_leaderboard(SEED)
    text = html(board, board.boards[:1])
    assert "on the screen, not on paper: " in text
    note = text.partition("on the screen, not on paper: ")[2].partition("<")[0]
    assert "registers" in note
    assert not {"rank", "median ms", "recall"} & set(note.split(", "))


def test_figures_of_the_page_are_written_as_everywhere() -> None:
    board = read_leaderboard(SEED)
    text = html(board, board.boards)
    assert "throughput G vectors/s" in text
    assert "e+0" not in text
    for each in board.boards:
        target = next(target for target in each.targets if target.metric == "latency_ms.p95")
        assert target.value
        assert target.low
        assert target.high
        half_width = max(target.high - target.value, target.value - target.low)
        value, low, high = (with_uncertainty(figure, half_width) for figure in (target.value, target.low, target.high))
        assert f"latency_ms.p95 &lt; 50: {value}, between {low} and {high}" in text
    best = board.boards[2].rows[0].latency_ms
    assert best
    assert best.ci_low
    assert best.ci_high
    half_width = max(best.ci_high - best.median, best.median - best.ci_low)
    shown = f"{with_uncertainty(best.median, half_width)} ±{100 * half_width / best.median:.2g} %"
    assert f"<td>{shown}</td>" in text  # beside the claim


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    board = read_leaderboard(SEED)
    text = html(board, board.boards)
    page = outline(text)
    assert page.seen.count("section") == len(board.boards)
    assert page.seen.count("svg") >= 2 * len(board.boards)
    assert not [value for name, value in page.attributes if name in {"src", "href"}]
    assert "http://" not in text
    assert "https://" not in text
    for words in (
        board.run.id,
        board.devices[0].driver,
        "Roofline",
        "how much each axis matters",
        "least",
        "Claims, not measurements",
    ):
        assert words in text


def test_failed_rows_and_empty_boards_have_their_place() -> None:
    board = leaderboard(outcomes())
    text = html(board, board.boards)
    outline(text)
    assert "recall 0.8 is below 1" in text
    assert "Roofline" not in text  # no ceiling was measured
    empty = msgspec.structs.replace(board, boards=[msgspec.structs.replace(board.boards[0], rows=[])])
    assert "nothing was measured" in html(empty, empty.boards)


def test_nothing_from_outside_is_markup() -> None:
    evil = "</script><script>alert(1)</script><i onclick=x>&\x1b[2J"
    board = leaderboard(outcomes(text=evil))
    named = msgspec.structs.replace(board, run=msgspec.structs.replace(board.run, name=evil))
    text = html(named, named.boards)
    page = outline(text)
    assert page.seen.count("script") == 2  # the page's own, and the data of one table
    assert "i" not in page.seen
    assert "alert(1)" in text
    assert "\x1b" not in text


def test_axes_with_hostile_names_and_values_are_text_in_every_picture() -> None:
    evil = "<img src=x onerror=alert(1)>"
    board = read_leaderboard(H200)
    first = board.boards[0]
    rows = [
        msgspec.structs.replace(
            row, configuration=row.configuration | {evil: f"{evil}{place % 2}"}, implementation=evil
        )
        for place, row in enumerate(first.rows)
    ]
    made = msgspec.structs.replace(board, boards=[msgspec.structs.replace(first, rows=rows)])
    text = html(made, made.boards)
    assert "img" not in outline(text).seen
    assert f"{evil.replace('<', '&lt;').replace('>', '&gt;')}: how much each axis matters" in text


def test_what_a_run_teaches_is_on_its_page() -> None:
    board = read_leaderboard(SEED)
    text = html(board, board.boards)
    assert text.count('<table class="heat">') == 6  # of two implementations on three boards
    assert text.count("how much each axis matters</h3>") == 6
    assert text.count("The cheapest within 1 % of the fastest") == 3
    assert 'class="tied"' in text
    assert "Shapley value" in text


def test_ten_thousand_rows_stay_below_five_megabytes() -> None:
    board = many_rows(10_000)
    text = html(board, board.boards)
    assert len(text.encode()) <= _MOST_BYTES
    assert "and 9,750 more rows" in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs the package chromium")
def test_a_real_browser_sorts_the_table_and_shows_all_rows(tmp_path: Path) -> None:
    board = many_rows(400)
    probe = (
        "<script>const heads=document.querySelectorAll('table[data-rows] th');"
        "const at=[...heads].findIndex(h=>h.textContent.startsWith('median'));heads[at].click();heads[at].click();"
        "const rows=()=>document.querySelectorAll('table[data-rows] tbody tr'),worst=rows()[0].cells[at].textContent;"
        "const more=document.querySelector('.more'),first=rows().length;more.querySelector('[name=some]').click();"
        "document.body.setAttribute('data-told',[first,rows().length,worst,more.hidden].join(' '));</script></body>"
    )
    page = tmp_path / "page.html"
    page.write_text(html(board, board.boards).replace("</body>", probe), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    told = re.search(r'data-told="(\d+) (\d+) ([0-9.]+) (\w+)"', done.stdout)
    assert told is not None
    medians = [row.latency_ms.median for row in board.boards[0].rows if row.latency_ms is not None]
    assert (int(told[1]), int(told[2]), told[4]) == (250, 400, "true")
    assert float(told[3]) == pytest.approx(max(medians), rel=0.01)
