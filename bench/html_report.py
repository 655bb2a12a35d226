"""What the HTML page of a leaderboard of 10,000 rows costs: to write, to open and to sort in a headless Chromium.

    python bench/html_report.py [LEADERBOARD] [--rows 10000] [--output bench/results/html_report.json]

The rows are those of a real run over and over, with one more axis that numbers the copies: they measure nothing but the page.
Writing is CPU time of one process.  In the browser: from the start of navigation to the load event; from a click on a column's head
until the rows stand in their new order and are laid out; until all rows are drawn, for who asks for that.  CPU is the page's own
task time, of a click with everything that it causes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.tui.browser import Browser, find_browser  # noqa: E402 - the tests' browser, spoken to over its pipe
from tunetui.core.exports.html import html  # noqa: E402
from tunetui.core.leaderboard import Leaderboard  # noqa: E402
from tunetui.session import read_leaderboard  # noqa: E402

TIMES = 5
COLUMNS = ("median", "implementation", "rank")
SORT = """
(column => {
  const table = document.querySelector('table[data-rows]'), heads = [...table.tHead.rows[0].cells];
  const head = heads.find(each => each.textContent.startsWith(column)), from = performance.now();
  head.click(); table.getBoundingClientRect();
  return performance.now() - from; })
"""
SHOW_ALL = """
(() => { const from = performance.now(), table = document.querySelector('table[data-rows]');
  document.querySelector('.more [name=all]').click(); table.getBoundingClientRect();
  return [performance.now() - from, table.tBodies[0].rows.length]; })()
"""


def copies(leaderboard: Leaderboard, count: int) -> Leaderboard:
    """The rows of the first board over and over."""
    first = leaderboard.boards[0]
    rows = [
        msgspec.structs.replace(row, trial=f"{place:016x}", configuration=row.configuration | {"copy": place})
        for place in range(count)
        for row in [first.rows[place % len(first.rows)]]
    ]
    return msgspec.structs.replace(leaderboard, boards=[msgspec.structs.replace(first, rows=rows)])


def written(leaderboard: Leaderboard) -> tuple[str, list[float]]:
    """The page, and the CPU seconds of writing it several times."""
    seconds = []
    for _ in range(TIMES):
        began = time.process_time()
        page = html(leaderboard, leaderboard.boards)
        seconds.append(time.process_time() - began)
    return page, seconds


def evaluate(browser: Browser, expression: str) -> Any:
    """What a promise in the page comes to."""
    answer = browser.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
    return answer["result"]["value"]


def cpu_seconds(browser: Browser) -> float:
    """The page's task time so far."""
    metrics = {each["name"]: each["value"] for each in browser.ask("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def in_browser(page: Path, rows: int) -> dict[str, Any]:
    """Open it, sort it, show all rows, sort again."""
    with tempfile.TemporaryDirectory() as folder:
        browser = Browser(find_browser(), Path(folder))
        try:
            browser.ask("Performance.enable")
            browser.ask("Page.enable")
            browser.ask("Page.navigate", url=page.as_uri())
            opened = evaluate(browser, "(async () => { while (!(performance.timing.loadEventEnd > 0)) await new Promise("
                                       "done => setTimeout(done, 20)); return performance.timing.loadEventEnd - "
                                       "performance.timing.navigationStart; })()")  # fmt: skip
            cpu = cpu_seconds(browser)
            found = {"open_ms": opened, "open_cpu_seconds": round(cpu, 3), "sorted_by": sorts(browser)}
            milliseconds, drawn = evaluate(browser, SHOW_ALL)
            found["all_rows_drawn_ms"] = round(milliseconds, 1) if drawn == rows else None
            found["cpu_seconds_of_everything"] = round(cpu_seconds(browser), 3)
        finally:
            browser.close()
    return found


def sorts(browser: Browser) -> dict[str, Any]:
    """Clicks on column heads, each several times."""
    found = {}
    for column in COLUMNS:
        before = cpu_seconds(browser)
        clicks = [evaluate(browser, f"{SORT}({json.dumps(column)})") for _ in range(TIMES)]
        found[column] = {
            "click_to_layout_ms": round(statistics.median(clicks), 1),
            "worst_ms": round(max(clicks), 1),
            "cpu_ms": round(1e3 * (cpu_seconds(browser) - before) / TIMES, 1),
        }
    return found


def main() -> int:
    """Write, open, sort, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = ROOT / "bench" / "results" / "seed-288.leaderboard.json"
    parser.add_argument("leaderboard", type=Path, nargs="?", default=known)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results" / "html_report.json")
    asked = parser.parse_args()
    page, seconds = written(copies(read_leaderboard(asked.leaderboard), asked.rows))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(page, encoding="utf-8")
        browsed = in_browser(path, asked.rows)
    result = {
        "what": f"the HTML page of a board of {asked.rows} rows (those of a real run over and over)",
        "rows": asked.rows,
        "megabytes": round(len(page.encode()) / 1e6, 3),
        "write_cpu_seconds": {"median": round(statistics.median(seconds), 3), "worst": round(max(seconds), 3)},
        "browser": browsed,
        "load_average": os.getloadavg()[0],
    }
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
