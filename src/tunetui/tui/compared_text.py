"""A comparison of two leaderboards in words and as columns: its rows, one row's whole story, and what is around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunetui.core.compare import FASTER, SAME, SLOWER, UNDECIDED, Best, ComparedBoard, ComparedRow, Comparison
from tunetui.core.figures import NOT_MEASURED, count, counted
from tunetui.core.gate import OF_ITSELF, interval_in_words, medians_in_words, of_itself
from tunetui.core.labels import assignments, one_line, short_problem, trial_label, varying
from tunetui.core.noise_words import noise_in_words
from tunetui.tui.spans import Spans, plain, toned
from tunetui.tui.widgets.columns import Column, text_column
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.tones import Tone
from tunetui_agent.messages import Value

VERDICTS = (SLOWER, FASTER, UNDECIDED, SAME)
SORTABLE = ("place", "percent", "first", "second", "row")
_TONES: dict[str, Tone] = {SLOWER: "bad", FASTER: "good", UNDECIDED: "warning"}
_NUMBERS = ("place", "percent", "first", "second")
_TEXTS = ("verdict", "change", "first_ms", "second_ms", "problem", "row", "reason")
_LEAST_ROW_CELLS, _MOST_ROW_CELLS = 20, 100
_MOST_PROBLEM_CELLS = 24

Compared = tuple[ComparedBoard, ComparedRow]
"""A row, and the board that it is of."""


def in_order(found: Comparison) -> list[Compared]:
    """Every row of both: what is decided first, and of that the largest change."""
    rows = [(board, row) for board in found.boards for row in board.rows]
    return sorted(rows, key=lambda pair: (VERDICTS.index(pair[1].verdict), -_size(pair[1])))


def summary_lines(found: Comparison, alone: str | None) -> list[Spans]:
    """What changed around them, the best of each, and how many rows of each verdict; ``alone``: the one that is shown."""
    changed = ", ".join(change.what for change in found.changes)
    changed_tone: Tone = "warning" if changed else "muted"
    lines = [toned(f" changed: {changed or 'nothing that is recorded'}", changed_tone)]
    if of_itself(found):
        lines = [toned(f" {OF_ITSELF}", "warning")]
    fields = varying([board.problem for board in found.boards])
    best = next(((board, board.best) for board in found.boards if board.best is not None), None)
    if best is not None:
        (head, tone), rest = _best_spans(best[1], short_problem(best[0].problem, fields))
        lines.append(((f" {head}", tone), rest))
    counts = "  ".join(f"{found.counts[verdict]} {verdict.upper()}" for verdict in VERDICTS)
    only = sum(len(board.only_first) + len(board.only_second) for board in found.boards)
    beside = f", {counted(only, 'row')} of only one" if only else ""
    shown = f"only {alone}" if alone else f"all {count(sum(found.counts.values()))}"
    return [*lines, ((f" {shown}: ", None), (counts, "strong"), (f"{beside}; positive is slower", "muted"))]


def row_lines(board: ComparedBoard, row: ComparedRow) -> list[Spans]:
    """Everything that is known of one row: the verdict and why, the change, and both sides."""
    devices = " against ".join(dict.fromkeys([board.first_device, board.second_device]))
    lines: list[Spans] = [
        toned(trial_label(row.implementation, row.configuration), "strong"),
        toned(f"{' '.join(assignments(board.problem))}, {one_line(devices)}", "muted"),
        plain(""),
        toned(f"{row.verdict.upper()}  {interval_in_words(row)}", _TONES.get(row.verdict)),
    ]
    if row.reason:
        lines.append(plain(one_line(row.reason)))
    medians = medians_in_words(row)
    for name, status, median in zip(("first", "second"), (row.first_status, row.second_status), medians, strict=True):
        lines.append(plain(f"{name:<8}{one_line(status)}  {median}{' ms' if median != NOT_MEASURED else ''}"))
    if row.difference is not None and row.difference.degrees_of_freedom:
        p, adjusted = row.difference.p, row.difference.adjusted_p
        lines.append(toned(f"p of no difference: {p:.3g}, corrected for all rows: {adjusted:.3g}", "muted"))
    return lines


def method_lines(found: Comparison) -> list[Spans]:
    """Everything around the rows."""
    lines: list[Spans] = [toned("changed between the first and the second", "strong")]
    lines += [(((f"{one.what}: "), "accent"), (f"{one.first} -> {one.second}", None)) for one in found.changes]
    lines += [plain("nothing that is recorded")] if not found.changes else []
    for board in found.boards:
        lines += [plain(""), toned(" ".join(assignments(board.problem)), "strong")]
        lines += [_best_spans(board.best)] if board.best is not None else []
        for noise in board.noise:
            lines.append(plain(f"noise of {one_line(noise.implementation)}: {noise_in_words(noise)}"))
        for name, only in (("first", board.only_first), ("second", board.only_second)):
            lines += [toned(f"only in the {name}: {each}", "muted") for each in only]
    lines += [toned(f"not compared, {one_line(name)}", "muted") for name in found.unpaired]
    return [*lines, plain(""), toned("method", "strong"), plain(found.method)]


def store_of(rows: Sequence[Compared], fields: list[str]) -> ColumnStore:
    """The rows as a table has them, by their places; ``fields``: those of the problem that differ."""
    store = ColumnStore(_NUMBERS, _TEXTS, capacity=max(len(rows), 1))
    by_name: dict[str, list[Mapping[str, Value]]] = {}
    for _, row in rows:
        by_name.setdefault(row.implementation, []).append(row.configuration)
    told = {name: varying(configurations) for name, configurations in by_name.items()}
    for place, (board, row) in enumerate(rows):
        own = {
            axis: value for axis, value in row.configuration.items() if axis in told[row.implementation]
        } or row.configuration
        words = [one_line(row.implementation), *assignments(own)]
        first, second = medians_in_words(row)
        store.upsert(str(place), {
            "place": float(place), "percent": row.difference.percent if row.difference else None,
            "first": row.first_ms, "second": row.second_ms, "verdict": row.verdict,
            "change": interval_in_words(row), "first_ms": first, "second_ms": second, "problem": short_problem(board.problem, fields),
            "row": " ".join(words), "reason": one_line(row.reason),
        })  # fmt: skip
    return store


def columns_of(store: ColumnStore) -> list[Column]:
    """As wide as what stands in them."""
    columns = [
        Column("place", "verdict", 10, lambda store, row: store.text("verdict", row).upper(), right=False,
               tone=_verdict_tone),
        text_column("change", "change (95 %)", max(_longest(store, "change"), 14), right=True),
        Column("first", "first ms", 11, lambda store, row: store.text("first_ms", row), gives_way=2),
        Column("second", "second ms", 11, lambda store, row: store.text("second_ms", row), gives_way=1),
        text_column("row", "configuration", min(max(_longest(store, "row"), _LEAST_ROW_CELLS), _MOST_ROW_CELLS)),
        text_column("reason", "why undecided", 60, gives_way=3),
    ]  # fmt: skip
    problem = _longest(store, "problem")
    if problem:
        columns.insert(4, text_column("problem", "problem", min(max(problem, 8), _MOST_PROBLEM_CELLS)))
    return columns


def _longest(store: ColumnStore, name: str) -> int:
    return max((len(store.text(name, row)) for row in range(store.count)), default=0)


def _best_spans(best: Best, where: str = "") -> Spans:
    head = (
        f"best against best{f' ({where})' if where else ''}: {best.row.verdict.upper()} {interval_in_words(best.row)}  "
    )
    which = best.first if best.same_configuration else f"{best.first} -> {best.second}"
    return (head, _TONES.get(best.row.verdict)), (which, None)


def _size(row: ComparedRow) -> float:
    return abs(row.difference.percent) if row.difference else 0.0


def _verdict_tone(store: ColumnStore, row: int) -> Tone | None:
    return _TONES.get(store.text("verdict", row))
