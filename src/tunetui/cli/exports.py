"""A leaderboard for other programs: the file's own JSON, and CSV with one row per trial."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from tunetui.core.board_figures import INTERVAL, Line, lines_of
from tunetui.core.labels import one_line
from tunetui.core.leaderboard import Board, Entry, Latency, Leaderboard
from tunetui_agent.messages import Value

_LEADING = ("run", "device", "rank", "tie_group", "implementation", "status", "cause")
_FORMULA = ("=", "+", "-", "@")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_TRAILING = ("build_seconds", "stage", "tags", "trial")
_LATENCY = tuple(f"latency_ms.{name}" for name in Latency.__struct_fields__)


def as_json(leaderboard: Leaderboard) -> str:
    """The JSON of the leaderboard file; what a terminal might obey is escaped, which JSON reads back the same."""
    import msgspec

    return plain_json(msgspec.json.encode(leaderboard))


def plain_json(encoded: bytes) -> str:
    """JSON laid out for people; what a terminal might obey is escaped."""
    import msgspec

    text = msgspec.json.format(encoded, indent=2).decode()
    return re.sub(r"[^\n -~]", _escaped, text)


def as_csv(
    leaderboards: Sequence[Leaderboard],
    rows: Sequence[Sequence[Sequence[Line]]] | None = None,
    columns: Sequence[str] | None = None,
    beside: Callable[[Leaderboard, Board, Entry], Mapping[str, Value]] | None = None,
) -> list[str]:
    """One line per trial under one header; ``rows`` (by leaderboard and board) stands for all of them.

    Columns: run and rank, problem fields, axes, latencies in milliseconds, the kernel's metrics, quality, and the
    rest by name; figures in full, an absent one as an empty cell.  ``beside`` gives each row further ones.
    """
    chosen = rows if rows is not None else [[lines_of(board) for board in one.boards] for one in leaderboards]
    records = [
        {
            **line.figures,
            "run": one.run.id,
            "device": board.device,
            **(beside(one, board, line.entry) if beside is not None else {}),
        }
        for one, boards in zip(leaderboards, chosen, strict=True)
        for board, lines in zip(one.boards, boards, strict=True)
        for line in lines
    ]
    names = columns or _csv_columns(leaderboards, records)
    return [
        _csv_line([_no_formula(name) for name in names]),
        *(_csv_line([_cell(record, name) for name in names]) for record in records),
    ]


def _csv_columns(leaderboards: Iterable[Leaderboard], records: Iterable[Mapping[str, Value]]) -> list[str]:
    problem: dict[str, None] = {}
    axes: dict[str, None] = {}
    metrics: dict[str, None] = {}
    for one in leaderboards:
        problem |= dict.fromkeys(name for board in one.boards for name in board.problem)
        axes |= dict.fromkeys(name for swept in one.run.axes.values() for name in swept)
        metrics |= dict.fromkeys(one.kernel.metrics)
    fixed = dict.fromkeys([*_LEADING, *problem, *axes, *_LATENCY, INTERVAL, *metrics, *_TRAILING])
    others = sorted({name for record in records for name in record} - fixed.keys())
    return [*fixed, *others]


def _cell(record: Mapping[str, Value], name: str) -> str:
    value = record.get(name)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _no_formula(one_line(value)) if isinstance(value, str) else repr(value)


def _no_formula(text: str) -> str:
    """Text that a spreadsheet would compute, with an apostrophe before it; a number written as text is none."""
    if not text.startswith(_FORMULA) or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def _csv_line(cells: Sequence[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow([one_line(cell) for cell in cells])
    return stream.getvalue()


def _escaped(found: re.Match[str]) -> str:
    if found[0].isprintable():
        return found[0]
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
