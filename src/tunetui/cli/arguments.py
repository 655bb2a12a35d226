"""What can be said on the command line, and the help that explains it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

import tunetui

DESCRIPTION = """\
GPU kernel autotuning from a terminal.

A grid file names a kernel, its axes and a problem.  tunetui builds every valid
configuration, verifies its output, measures it on the real device, and ranks
what it measured with its uncertainty."""

_EXAMPLES = """\
commands:
{commands}

  tunetui COMMAND --help explains one.

examples:
  tunetui
      the app: grids to measure, leaderboards to open, runs to replay
  tunetui grids/quickstart.toml
      the app, measuring this grid
  tunetui --batch grids/quickstart.toml
      measure the quickstart sweep on this machine's CPU;
      writes quickstart.leaderboard.toml and quickstart.leaderboard.json
  tunetui --batch grids/quickstart.toml --dry-run
      only say what would be measured
  tunetui --batch sweep.toml --set axes.tile_rows=64,128 -o out/wide
      the same file with other values; writes out/wide.leaderboard.toml, .json
  tunetui --batch sweep.toml --check --format json > leaderboard.json
      for CI: the exit code says whether every [targets] entry is met
  tunetui --batch grids/seed-288.toml --host lambda-a10
      the same on another machine over SSH; it goes on if the link is lost
  tunetui show quickstart.leaderboard.toml --sort latency_ms.p95 --top 10

An interrupted run is resumed by the same command: only what is missing or
stale is measured; what failed stands as failed, unless --retry-failed.  Data
goes to stdout, narration to stderr.

exit codes:
    0  done (with --check: all targets met)
    1  --check: a target is missed or undecided
    2  bad input; nothing was run
    3  a host, a device or a file cannot be used
    4  no configuration could be measured
    5  the budget ended first; what was measured is saved
    6  compare --fail-over: a regression is neither shown nor excluded
  130  interrupted; what was measured is saved
"""

SHOW_DESCRIPTION = """\
Print saved leaderboards (STEM.leaderboard.toml or .json), one after the other.
Rows keep the rank they were given when they were measured; configurations that
failed stand below with their cause.  "3=" is a rank shared by rows that cannot
be told apart; "*" marks rows whose figures come from the race of finalists."""

SHOW_EXAMPLES = """\
A column is an axis, a problem field, a metric, or a dotted figure:
latency_ms.median, latency_ms.p95, latency_ms.ci_low, quality.recall,
build_seconds, rank, implementation, status, stage, tags.  The end of a name
is enough where only one column has it: p95, recall.  csv has every column.

examples:
  tunetui show quickstart.leaderboard.toml
  tunetui show a.leaderboard.toml b.leaderboard.json --sort latency_ms.p95
  tunetui show a.leaderboard.toml --where "tile_rows >= 1024 and threads == 1"
  tunetui show a.leaderboard.toml --columns rank,implementation,build_seconds
  tunetui show a.leaderboard.toml --format csv > rows.csv
"""

SERVE_DESCRIPTION = """\
Show the app in a browser.  Whoever can reach the address can use the app as
you: there is no password, so it listens on 127.0.0.1 unless --bind says
otherwise.  Each visitor gets an app of their own.  Needs the extra "serve"."""

SERVE_EXAMPLES = """\
examples:
  tunetui serve
  tunetui serve --port 8100 -- --replay quickstart --speed 8
"""

DOCTOR_DESCRIPTION = """\
Examine this machine, or hosts over SSH: the way there, Python, disk, cores,
compilers, and every NVIDIA GPU, on which a tiny kernel is run for real.  Each
line is OK, WARN, FAIL or n/a, with what to do about it.  Nothing is changed: no
clock, no setting, no package; with --prepare, tunetui's own folder there."""

DOCTOR_EXAMPLES = """\
examples:
  tunetui doctor
  tunetui doctor --device cpu
  tunetui doctor lambda-a10 ubuntu@10.0.0.7:2222
  tunetui doctor --format json | jq '.checks[] | select(.status == "failure")'

exit codes: 0 nothing failed (warnings do not count), 3 something did.
"""


RUNS_DESCRIPTION = """\
List runs: those kept on this machine, and those that agents of this machine or
of the hosts named have at work.  running, done, interrupted, dead (its agent
was killed), rebooted (its host was restarted), unreachable."""

RUNS_EXAMPLES = """\
examples:
  tunetui runs
  tunetui runs lambda-a10 lambda-h100
  tunetui runs --json | jq '.runs[] | select(.state == "running")'
"""

ATTACH_DESCRIPTION = """\
Follow a run that goes on without tunetui: one left with --detach, whose
terminal was closed, or whose tunetui was killed.  It is shown as --batch shows
its own, and its leaderboard is written at its end.  Ctrl-C asks it to finish
the present trial; to leave it running, close the terminal."""

ATTACH_EXAMPLES = """\
examples:
  tunetui attach autotune-v2-1f00ba47
  tunetui attach autotune -o out/late
"""

STOP_DESCRIPTION = """\
Ask every agent of a run to end after its present trial.  What was measured is
kept; the command that began the run takes it up again."""

STOP_EXAMPLES = """\
examples:
  tunetui stop autotune-v2-1f00ba47
  tunetui stop autotune-v2-1f00ba47 --now
"""

GC_DESCRIPTION = """\
Have a host's agent remove its old runs of which every record is kept here, and
agents of earlier versions that no run needs.  Never a run that is alive, and
nothing that was measured: the journals on this machine stay."""

GC_EXAMPLES = """\
examples:
  tunetui gc lambda-a10 --dry-run
  tunetui gc lambda-a10
"""

BUILD_DESCRIPTION = """\
Build every variant of a grid's GPU kernels on this machine, which needs the
compilers but no GPU, into one file for a machine that has the GPU but no
compilers.  What only a device can tell (device_... in a constraint) excludes
nothing here: a few variants more are built than a device may need."""

BUILD_EXAMPLES = """\
examples:
  tunetui build grids/seed-288.toml --arch sm_90
      writes seed-288.tunetui-bundle.zip
  tunetui build sweep.toml --arch sm_80 --arch sm_90 --implementations mojo
  tunetui build sweep.toml --arch sm_90 --dry-run
      only say how many artifacts that is
and on the machine with the GPU:
  tunetui --batch grids/seed-288.toml --artifacts seed-288.tunetui-bundle.zip

architectures: sm_80 A100, sm_86 A10, sm_89 L4, sm_90 H100 and GH200.
Exit codes: 0 something was built (failures are listed), 2 bad input,
3 a file or a builder cannot be used, 4 nothing could be built.
"""


def epilog(commands: Mapping[str, str]) -> str:
    """The end of ``tunetui --help``: the commands with their summaries, examples, exit codes."""
    lines = [f"  {name:<12}  {summary}" for name, summary in commands.items()]
    return _EXAMPLES.format(commands="\n".join(lines))


def declare_batch(parser: argparse.ArgumentParser) -> None:
    """Options of the program itself: ``tunetui [--batch GRID ...]``."""
    parser.add_argument("--version", action="version", version=f"tunetui {tunetui.__version__}")
    parser.add_argument("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")
    declare_app(parser)
    batch = parser.add_argument_group("headless run")
    batch.add_argument("--batch", metavar="GRID", type=Path, help="measure the sweep that this TOML file describes")
    batch.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    batch.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help="override one key of the grid, e.g. axes.tile_rows=16,32 or method.cache=hot; repeatable",
    )  # fmt: skip
    batch.add_argument("--fresh", action="store_true", help="measure everything again, whatever is there already")
    batch.add_argument("--retry-failed", action="store_true", help="measure configurations that failed before again")
    batch.add_argument("--check", action="store_true", help="exit with 1 unless every target is met")
    batch.add_argument(
        "--format", choices=("table", "json", "csv", "none"),
        help="what stdout gets at the end (default: table; none with --events)",
    )  # fmt: skip
    batch.add_argument("--events", action="store_true", help="stream the journal to stdout as JSON lines while it runs")
    batch.add_argument(
        "-o", "--output", metavar="STEM", type=Path,
        help="write STEM.leaderboard.toml and .json (default: the grid file's name, in the working directory)",
    )  # fmt: skip
    batch.add_argument(
        "--build-jobs", metavar="N", type=_whole_number, default=0,
        help="compilers that run at once (default: one less than there are cores)",
    )  # fmt: skip
    batch.add_argument(
        "--profile", choices=("leaders", "all"), nargs="?", const="leaders",
        help="at the end read hardware counters of these rows with ncu, where it is there and allowed; no time changes "
             "(default: leaders, the fastest row of every implementation)",
    )  # fmt: skip
    batch.add_argument(
        "--artifacts", metavar="FILE", type=Path, action="append", default=[],
        help="a bundle that tunetui build wrote: the host needs no compiler for what it holds; repeatable",
    )  # fmt: skip
    batch.add_argument("--detach", action="store_true", help="start the run and leave; tunetui attach comes back to it")
    declare_hosts(parser)


def declare_serve(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui serve``."""
    parser.add_argument("--port", type=_whole_number, default=8000, help="(default: 8000)")
    parser.add_argument(
        "--bind", metavar="ADDRESS", default="127.0.0.1", help="(default: 127.0.0.1, this machine alone)"
    )
    parser.add_argument("app", nargs="*", metavar="-- ARGUMENT", help="what the app is started with")


def declare_app(parser: argparse.ArgumentParser) -> None:
    """What the interactive app is to open."""
    app = parser.add_argument_group("the app (without --batch)")
    app.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, help="a grid (TOML) to measure, or a saved leaderboard to open"
    )
    app.add_argument(
        "--replay", metavar="RUN", help="play a run's journal: its name, the beginning of it, a folder or a file"
    )
    app.add_argument("--speed", metavar="N", type=_speed, default=1.0, help="times as fast as it happened (default: 1)")
    app.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")


def _speed(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1e6:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return number


def declare_hosts(parser: argparse.ArgumentParser) -> None:
    """Where to measure, and whom to trust."""
    declare_trust(parser).add_argument(
        "--host", metavar="NAME", action="append", default=[], dest="hosts",
        help="measure there, over SSH: an alias of ~/.ssh/config, user@name:port, or local for this machine; repeatable",
    )  # fmt: skip


def declare_runs(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui runs``."""
    parser.add_argument("hosts", metavar="HOST", nargs="*", help="ask these hosts too")
    parser.add_argument("--json", action="store_true", help="everything that is known, as JSON")
    _declare_reaching(parser)


def declare_attach(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui attach``."""
    parser.add_argument("run", metavar="RUN", help="a run's name as tunetui runs tells it, or the beginning of it")
    parser.add_argument("--check", action="store_true", help="exit with 1 unless every target is met")
    parser.add_argument(
        "--format", choices=("table", "json", "csv", "none"),
        help="what stdout gets at the end (default: table; none with --events)",
    )  # fmt: skip
    parser.add_argument("--events", action="store_true", help="stream the journal to stdout as JSON lines meanwhile")
    parser.add_argument(
        "-o", "--output", metavar="STEM", type=Path, help="write STEM.leaderboard.toml and .json (default: as begun)"
    )
    _declare_reaching(parser)
    parser.set_defaults(detach=False)


def declare_stop(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui stop``."""
    parser.add_argument("run", metavar="RUN", help="a run's name as tunetui runs tells it, or the beginning of it")
    parser.add_argument("--now", action="store_true", help="do not wait for the present trials: they are lost")
    parser.add_argument(
        "--host", metavar="NAME", action="append", default=[], dest="hosts", help="look there for a run begun elsewhere"
    )
    _declare_reaching(parser)


def declare_gc(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui gc``."""
    parser.add_argument("hosts", metavar="HOST", nargs="*", help="(default: this machine)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    parser.add_argument("--days", metavar="N", type=_whole_number, default=14, help="older than this (default: 14)")
    _declare_reaching(parser)


def _declare_reaching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")
    declare_trust(parser)


def declare_trust(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Whom to trust and what to send; for every command that works on other machines."""
    hosts = parser.add_argument_group("hosts")
    hosts.add_argument(
        "--offline-wheels", metavar="DIR", nargs="?", const="",
        help="hosts have no way out: send what their Python needs over the link; fetched here, or taken from DIR",
    )  # fmt: skip
    hosts.add_argument(
        "--host-key", metavar="SHA256:...", action="append", default=[], dest="host_keys",
        help="trust an unknown host that shows a key with this fingerprint; repeatable",
    )  # fmt: skip
    hosts.add_argument(
        "--accept-new-host-key", action="store_true",
        help="trust whatever key an unknown host shows; one that has changed is refused all the same",
    )  # fmt: skip
    return hosts


def declare_show(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui show``."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a saved leaderboard, TOML or JSON")
    parser.add_argument("--sort", metavar="COLUMN", help="order by this column (default: rank)")
    parser.add_argument("--descending", action="store_true", help="largest first")
    parser.add_argument("--where", metavar="EXPRESSION", help="only rows for which this holds (as in [constraints])")
    parser.add_argument("--top", metavar="N", type=_whole_number, help="only the first N rows of each problem")
    parser.add_argument("--columns", metavar="A,B,...", help="exactly these columns, in this order")
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")
    parser.add_argument("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")


def declare_doctor(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui doctor``."""
    parser.add_argument("hosts", metavar="HOST", nargs="*", help="examine these over SSH (default: this machine)")
    parser.add_argument(
        "--prepare", action="store_true", help="build what a run needs on these hosts first, and then prove it too"
    )
    parser.add_argument("--device", metavar="ID", help='only "cpu", or only the GPU of this UUID (default: everything)')
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")
    declare_trust(parser)


def declare_build(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui build``."""
    parser.add_argument("grid", metavar="GRID", type=Path, help="the sweep, as for --batch")
    parser.add_argument(
        "--arch", metavar="sm_NN", type=_architecture, action="append", default=[],
        help="build for this architecture; repeatable, at least one",
    )  # fmt: skip
    parser.add_argument(
        "--implementations",
        metavar="A,B",
        type=_names,
        help="only these (default: all of the grid's that are compiled)",
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help="override one key of the grid, as for --batch; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path,
        help="the bundle (default: the grid file's name with .tunetui-bundle.zip, in the working directory)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", metavar="N", type=_whole_number, default=0, help="compilers at once (default: one for each core)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say how many artifacts there are, and stop")
    parser.add_argument("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")


def _architecture(text: str) -> str:
    if not re.fullmatch(r"sm_[0-9]{2,3}[af]?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"expected an NVIDIA architecture such as sm_90, found {text!r}")
    return text


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _whole_number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)
