"""Resident memory: of the cockpit with few and with many rows, of a replay of a million results, and of taking a long run up.

    python bench/memory.py JOURNAL [--output bench/results/memory.json]

JOURNAL is that of a real run, whose records are repeated under new ids (bench/tui_journal.py): SYNTHETIC.  What other
programs do meanwhile changes little: all figures are those of /proc.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tui import about
from tui_journal import write_journal
from tui_whole import Cockpit, idle, made_up, million

ROWS = (300, 10_000, 100_000)
WATCH_S = 14.0
TAKEN_UP = """
import re, sys
from pathlib import Path
from tunetui.session.recording import Recording
from tunetui.store.journal import Journal

def megabytes():
    status = Path("/proc/self/status").read_text()
    return {name: int(re.search(f"{name}:\\\\s+(\\\\d+)", status)[1]) // 1024 for name in ("VmRSS", "VmHWM")}

before = megabytes()
with Journal(Path(sys.argv[1])) as journal:
    recording = Recording(journal)
    print(before["VmRSS"], *megabytes().values(), len(recording.snapshot.rows))
"""


def watched(folder: Path, journal: Path, rows: int) -> dict[str, Any]:
    """Of the whole app at 200 results per second, once it has caught up with what was there."""
    with Cockpit(folder, made_up(folder, journal, rows, 200, 90.0)) as app:
        app.watch(WATCH_S + rows / 4_000)
        found: dict[str, Any] = app.memory_mb()
        return found


def taken_up(folder: Path, journal: Path, rows: int, samples: int) -> dict[str, Any]:
    """Of a process that opens a run's journal to go on with it: before, then, and at most."""
    path = folder / f"{rows}-{samples}.jsonl"
    write_journal(journal, path, rows, 0.0, 0.0)
    if samples > 9:
        longer = b'"samples_ns":[' + b",".join([b"123456"] * samples) + b"]"
        path.write_bytes(re.sub(rb'"samples_ns":\[[^]]*\]', longer, path.read_bytes()))
    told = subprocess.run([sys.executable, "-c", TAKEN_UP, path], capture_output=True, text=True, check=True).stdout
    before, now, peak, found = map(int, told.split())
    size = round(path.stat().st_size / 1e6)
    return {"rows": found, "samples_each": samples, "journal_mb": size, "before": before, "now": now, "peak": peak}


def main() -> int:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("journal", type=Path)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    report = about("resident memory in MiB; the cockpit replays SYNTHETIC journals in a pty of 160x48")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        idle(folder, asked.journal)  # compiles what the app imports; a process that did this itself stays 8 MB larger
        report["cockpit"] = {str(rows): watched(folder, asked.journal, rows) for rows in ROWS}
        print(report["cockpit"], flush=True)
        report["taken_up"] = [taken_up(folder, asked.journal, *sizes) for sizes in ((100_000, 9), (20_000, 500))]
        print(report["taken_up"], flush=True)
        seen = million(folder, asked.journal)
        report["million_results"] = {key: seen[key] for key in ("seconds", "memory_mb", "memory_growth_mb")}
        print(report["million_results"], flush=True)
    if asked.output:
        asked.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
