"""The Leaderboard screen over files of real runs, one of a GPU."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.cli.boards import leaderboard, outcomes
from tests.core.test_another_run import said_of
from tests.core.test_visiting import run_of, scattered
from tests.tui.cockpit import BOARD, JOURNAL, opened, shown, until
from tunetui.core.errors import InputError
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.publishing import build_leaderboard
from tunetui.session import read_leaderboard
from tunetui.store.leaderboard import write_leaderboard
from tunetui.tui.heat_data import best_over
from tunetui.tui.row_detail import as_text, summary_lines
from tunetui.tui.screens.heatmap import HeatmapScreen
from tunetui.tui.screens.leaderboard import LeaderboardScreen, board_screen
from tunetui.tui.screens.row import RowScreen
from tunetui.tui.spans import text_of

GPU_BOARD = Path(__file__).parents[2] / "bench/results/seed-288.leaderboard.json"


async def test_a_gpu_run_of_several_problems_has_a_tab_for_each_and_its_occupancy() -> None:
    board = read_leaderboard(GPU_BOARD)
    async with opened(LeaderboardScreen(board, None)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, LeaderboardScreen)
        total = sum(len(each.rows) for each in board.boards)
        await until(pilot, lambda: f"{total:,} rows" in shown(pilot))
        assert board.devices[0].name in shown(pilot)
        await pilot.press("right_square_bracket")
        first = len(board.boards[0].rows)
        await until(pilot, lambda: f"{first:,} of {total:,} rows" in shown(pilot))
        await pilot.press("slash")
        screen.filter_line.value = "occupancy_theoretical_percent >= 50 and recall == 1"
        await until(pilot, lambda: 0 < len(screen.board_table.ordering.rows) < first)
        await pilot.press("enter", "right_square_bracket")
        await until(pilot, lambda: screen.tab.where == {"#board": "1"})
        await pilot.press("left_square_bracket", "left_square_bracket")
        await until(pilot, lambda: not screen.tab.where)


async def test_a_title_keeps_what_it_must_say_at_sixty_cells_and_all_problems_say_whether_they_are_ready() -> None:
    board = read_leaderboard(GPU_BOARD)
    first = [row for row in board.boards[0].rows if (row.rank or "").rstrip("=") == "1"]
    label = "REPLAY at the end · NVIDIA H200 · 2026-11-22 20:40"
    async with opened(LeaderboardScreen(board, None, label=label), (60, 20)) as pilot:
        await until(pilot, lambda: label in shown(pilot))
        assert shown(pilot).count("not ready: ") == len(board.boards)
        assert "problem" in shown(pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "✗ missed" in shown(pilot) and f"{len(first)} rows share" in shown(pilot))
        assert "problem" not in shown(pilot)  # it is the same in every row now
        assert "median ms" in shown(pilot)


async def test_a_heatmap_is_of_one_problem_and_of_what_is_filtered_and_marks_what_is_tied_with_the_best() -> None:
    board = read_leaderboard(GPU_BOARD)
    async with opened(LeaderboardScreen(board, None)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, LeaderboardScreen)
        screen.filter_text = 'implementation == "mojo"'
        screen.apply_filter()
        await pilot.press("h")
        await until(pilot, lambda: "corpus_size=10000" in shown(pilot) and "= tied" in shown(pilot))
        heatmap = pilot.app.screen
        assert isinstance(heatmap, HeatmapScreen)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "corpus_size=25000" in shown(pilot))
        filtered = screen.shown_in(heatmap.tab)
    grid = best_over(screen.figures, "block_size", "tile_size", filtered)
    first = [row for row in board.boards[1].rows if (row.rank or "").rstrip("=") == "1"]
    wanted = {(str(row.configuration["tile_size"]), str(row.configuration["block_size"])) for row in first}
    assert grid.tied is not None
    assert {(grid.y_names[y], grid.x_names[x]) for y, x in np.argwhere(grid.tied).tolist()} == wanted
    assert best_over(screen.figures, "block_size", "tile_size").tied is None  # three rankings, not one


async def test_targets_stand_above_the_rows_with_their_verdicts() -> None:
    async with opened(board_screen(BOARD)) as pilot:
        await until(pilot, lambda: "? undecided  latency_ms.p95 < 50" in shown(pilot))


async def test_failures_stand_in_the_table_with_their_cause_and_are_never_ranked() -> None:
    async with opened(LeaderboardScreen(leaderboard(outcomes()), None)) as pilot:
        await until(pilot, lambda: "5 rows" in shown(pilot))
        line = next(line for line in shown(pilot).splitlines() if "recall 0.8 is below 1" in line)
        assert "✗" in line
        assert "n/a" in line
        await pilot.press("G", "o")
        await until(pilot, lambda: isinstance(pilot.app.screen, RowScreen))
        assert any(word in shown(pilot) for word in ("wrong", "build failed"))


async def test_chosen_columns_are_shown_in_place_of_the_usual_ones() -> None:
    async with opened(board_screen(BOARD)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, LeaderboardScreen)
        await pilot.press("v")
        await until(pilot, lambda: "[x] rank" in shown(pilot) and "[ ] build_seconds" in shown(pilot))
        await pilot.press("space")  # the first of the list is switched off, which needs no colour to be seen
        await until(pilot, lambda: "[ ] rank" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert screen.chosen is not None
        assert "rank" not in screen.board_table.shown_keys
        await pilot.press("v", "u")
        await until(pilot, lambda: screen.chosen is None)
        assert "rank" in screen.board_table.shown_keys


async def test_a_journal_is_opened_as_the_leaderboard_that_it_gives_and_every_figure_is_two_keys_from_its_samples() -> (
    None
):
    async with opened(board_screen(JOURNAL)) as pilot:
        await until(pilot, lambda: "24 rows" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "samples in order" in shown(pilot))
        await pilot.press("6")
        screen = pilot.app.screen
        assert isinstance(screen, RowScreen)
        assert '"kind":"TrialMeasured"' in screen.text.text
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.clipboard.startswith("mojo row_block="))


async def test_a_build_log_that_is_kept_elsewhere_is_not_called_empty() -> None:
    async with opened(LeaderboardScreen(leaderboard(outcomes()), None)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "samples in order" in shown(pilot))
        await pilot.press("4")
        await until(pilot, lambda: "which is not kept on this machine" in shown(pilot))


def test_a_file_of_a_newer_version_is_refused_in_words(tmp_path: Path) -> None:
    newer = tmp_path / "x.leaderboard.json"
    newer.write_bytes(BOARD.read_bytes().replace(b'"schema_version":1', b'"schema_version":99', 1))
    with pytest.raises(InputError, match="99"):
        board_screen(newer)


def test_what_is_copied_of_a_row_is_every_figure_by_its_name() -> None:
    board = leaderboard(outcomes())
    screen = LeaderboardScreen(board, None)
    detail = screen.detail_of(f"0:{board.boards[0].rows[0].trial}")
    assert detail is not None
    text = as_text(detail)
    assert text.startswith("mojo row_block=4 threads=2\n")
    assert "latency_ms.median = 0.3101" in text
    assert "between" in "\n".join(map(text_of, summary_lines(detail)))


async def test_many_rows_are_sorted_and_filtered_as_one_types(tmp_path: Path) -> None:
    small = leaderboard(outcomes())
    row = msgspec.structs.replace(small.boards[0].rows[0], samples_ns=[])
    rows = [
        msgspec.structs.replace(row, trial=f"{n:016x}", configuration={"row_block": n, "threads": n % 4})
        for n in range(5000)
    ]
    board = msgspec.structs.replace(small, boards=[msgspec.structs.replace(small.boards[0], rows=rows)])
    (path, _) = write_leaderboard(board, tmp_path / "big")
    async with opened(board_screen(path)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, LeaderboardScreen)
        await until(pilot, lambda: "5,000 rows" in shown(pilot))
        await pilot.press("slash")
        screen.filter_line.value = "threads == 1 and row_block > 100"
        await until(pilot, lambda: "1,225 of 5,000 rows" in shown(pilot))


VISITED_AGAIN = build_leaderboard(run_of(*scattered()))


@pytest.mark.parametrize(
    ("board", "said"),
    [
        (VISITED_AGAIN, said_of(VISITED_AGAIN)),
        (build_leaderboard(run_of()), "another run: n/a: no second visit tells how far two visits lie apart"),
    ],
    ids=["visited again", "visited once"],
)
async def test_a_row_says_in_words_where_another_run_will_lie_in_a_small_terminal_too(
    board: Leaderboard, said: str
) -> None:
    async with opened(LeaderboardScreen(board, None), (80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: said in [line.strip() for line in shown(pilot).splitlines()])
        assert "samples in order" in shown(pilot)
