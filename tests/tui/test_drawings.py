from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from rich.segment import Segment
from rich.style import Style
from textual.widgets import ContentSwitcher

from tests.tui.drawing import Stage, lines_on_screen
from tunetui.tui.widgets.axes import bounds, round_step, short_number, ticks
from tunetui.tui.widgets.figure_line import FigureLine
from tunetui.tui.widgets.heatmap import _COLOURS, _INK, Grid, Heatmap
from tunetui.tui.widgets.histogram import Histogram
from tunetui.tui.widgets.plot import Plot, Series
from tunetui.tui.widgets.spark import Spark, spark
from tunetui.tui.widgets.whole_line import whole_line

SMALL = Grid(
    np.array([[1.0, 2.0], [math.nan, 0.5]]), ["32", "64"], ["16", "48"], x_title="block", y_title="tile", unit="ms"
)


def styles_of(app: Stage, y: int) -> list[tuple[str, Any]]:
    return [(piece.text, piece.style) for piece in app.screen._compositor.render_strips()[y]]


async def test_a_heatmap_says_the_figures_and_marks_the_best() -> None:
    heat = Heatmap()
    app = Stage(heat)
    async with app.run_test(size=(50, 6)) as pilot:
        heat.show(SMALL)
        await pilot.pause()
        assert lines_on_screen(app) == [
            "tile   32   64",
            "  16    1    2",
            "  48    ·  0.5*",
            "2 ████████ 0.5 ms  * best: tile 48 block 64",
            "",
            "",
        ]


async def test_without_colour_a_heatmap_too_narrow_for_figures_has_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    heat = Heatmap()
    app = Stage(heat)
    async with app.run_test(size=(20, 5)) as pilot:
        values = np.array([[1.0, 10.0, 100.0, 1000.0, math.nan, 31.7, 1.0]])
        heat.show(Grid(values, list("abcdefg"), ["row"], low_is_good=False))
        await pilot.pause()
        assert lines_on_screen(app)[1] == "row 0 3 6 9*· 5 0"
        assert "0-9" in lines_on_screen(app)[2]


async def test_with_more_rows_than_lines_two_share_a_line_as_half_blocks() -> None:
    heat = Heatmap()
    app = Stage(heat)
    async with app.run_test(size=(40, 5)) as pilot:
        values = np.array([[1.0, math.nan], [2.0, 2.0], [math.nan, 3.0], [math.nan, math.nan], [4.0, 4.0]])
        heat.show(Grid(values, ["x", "y"], list("abcde")))
        await pilot.pause()
        body = [line[2:] for line in lines_on_screen(app)[1:4]]
        half = len(body[0]) // 2
        assert body[0] == "▀" * half + "▄" * half
        assert body[1].strip() == "▀" * half
        assert body[2] == "▀" * 2 * half


async def test_a_heatmap_sends_only_the_rows_that_changed() -> None:
    heat = Heatmap()
    app = Stage(heat)
    async with app.run_test(size=(50, 6)) as pilot:
        heat.show(SMALL)
        await pilot.pause()
        before = heat.lines_repainted
        heat.show(SMALL)
        assert heat.lines_repainted == before
        heat.show(Grid(np.array([[1.5, 2.0], [math.nan, 0.5]]), ["32", "64"], ["16", "48"], "block", "tile", "ms"))
        assert heat.lines_repainted == before + 1


async def test_a_heatmap_of_nothing_says_so_and_one_that_does_not_match_is_refused() -> None:
    heat = Heatmap()
    app = Stage(heat)
    async with app.run_test(size=(50, 4)) as pilot:
        await pilot.pause()
        assert lines_on_screen(app)[0] == "nothing to show yet"
        heat.show(Grid(np.full((1, 2), math.nan), ["a", "b"], ["c"]))
        await pilot.pause()
        assert "no values yet" in "".join(lines_on_screen(app))
        with pytest.raises(ValueError, match="names"):
            heat.show(Grid(np.zeros((2, 2)), ["a", "b"], ["c"]))


def test_goodness_is_one_at_the_best_and_zero_at_the_worst() -> None:
    values = np.array([[1.0, 10.0, 100.0, math.nan, math.inf]])
    names = list("abcde")
    assert Grid(values, names, [""]).goodness()[0, :3].tolist() == [1.0, 0.5, 0.0]
    assert np.isnan(Grid(values, names, [""]).goodness()[0, 3:]).all()
    assert Grid(values, names, [""], low_is_good=False).goodness()[0, :3].tolist() == [0.0, 0.5, 1.0]
    assert Grid(np.array([[5.0, 5.0]]), ["a", "b"], [""]).goodness().tolist() == [[1.0, 1.0]]
    assert Grid(np.array([[-1.0, 0.0, 1.0]]), ["a", "b", "c"], [""]).goodness().tolist() == [[1.0, 0.5, 0.0]]


def luminance(rgb: tuple[int, int, int]) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_figures_in_cells_can_be_read_on_every_shade() -> None:
    for paper, ink in zip(_COLOURS, _INK, strict=True):
        lighter, darker = sorted((luminance(paper.get_truecolor()), luminance(ink.get_truecolor())), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5
    shades = [luminance(paper.get_truecolor()) for paper in _COLOURS]
    assert shades == sorted(shades), "better is not brighter"


async def test_a_plot_draws_points_and_the_best_so_far_as_steps() -> None:
    plot = Plot("trial", "ms")
    app = Stage(plot)
    async with app.run_test(size=(24, 8)) as pilot:
        await pilot.pause()
        assert lines_on_screen(app)[0] == "nothing to show yet"
        x, y = np.array([0.0, 1.0, 2.0, 3.0, math.nan]), np.array([4.0, math.inf, 2.0, 3.0, 1.0])
        best = Series(np.array([3.0, 0.0, 2.0]), np.array([2.0, 4.0, 2.0]), "steps", "accent")
        plot.show(Series(x, y, label="measured"), best)
        await pilot.pause()
        assert lines_on_screen(app) == [
            "ms   ⠐⠂ measured",
            "4┤⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⢹",
            " │              ⢸",
            " │              ⢸      ⠠",
            " │              ⢸",
            "2┤              ⢸⣀⣀⣀⣀⣀⣀⣀",
            " └┬─────────────┬───────",
            "  0             2  trial",
        ]


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (10, 4), (200, 60)])
async def test_drawings_fit_whatever_room_there_is(size: tuple[int, int]) -> None:
    heat, plot, bars = Heatmap(), Plot("x", "y"), Histogram("ms")
    for widget in (heat, plot, bars):
        app = Stage(widget)
        async with app.run_test(size=size) as pilot:
            heat.show(SMALL)
            plot.show(Series(np.array([1.0]), np.array([5.0])), Series(np.arange(9.0), np.arange(9.0), "line"))
            bars.show(np.array([1.0, 2.0, 2.0]), {"median": 2.0})
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            assert [strip.cell_length for strip in strips] == [size[0]] * size[1]


async def test_a_histogram_counts_and_points_out_what_matters() -> None:
    bars = Histogram("ms")
    app = Stage(bars)
    async with app.run_test(size=(20, 6)) as pilot:
        bars.show(np.array([1.0, 1.0, 1.0, 2.0, math.nan]), {"median": 1.0, "p95": 1.5})
        await pilot.pause()
        lines = lines_on_screen(app)
        assert [line[:1] for line in lines[:3]] == ["█", "█", "█"]
        assert lines[2].endswith("█")
        assert lines[3] == "1     n = 4     2 ms"
        assert lines[4] == "^         ^"
        assert lines[5] == "median 1  p95 1.5"
        bars.show(np.array([7.0]))
        await pilot.pause()
        assert "n = 1" in lines_on_screen(app)[3]
        bars.show(np.array([]))
        await pilot.pause()
        assert lines_on_screen(app)[0] == "no values"


def test_a_spark_leaves_a_gap_where_nothing_is_known_and_keeps_within_its_bounds() -> None:
    assert spark([0.0, 50.0, 100.0, math.nan, 150.0, -3.0], 0, 100) == "▁▅█ █▁"
    assert spark([3.0, 3.0], 3.0, 3.0) == "▁▁"


async def test_a_spark_shows_the_newest_value_at_the_right() -> None:
    line = Spark(0, 100)
    app = Stage(line)
    async with app.run_test(size=(5, 2)) as pilot:
        for value in (100, None, 0, 100):
            line.push(value)
        await pilot.pause()
        assert lines_on_screen(app)[0] == " █ ▁█"


async def test_a_figure_line_is_sent_again_only_when_it_reads_differently() -> None:
    line = FigureLine("SM 1695 MHz ", ("throttled", "bad"), right=["12 ms"])
    app = Stage(line)
    async with app.run_test(size=(40, 2)) as pilot:
        await pilot.pause()
        assert lines_on_screen(app)[0] == "SM 1695 MHz throttled              12 ms"
        before = line.lines_repainted
        line.show("SM 1695 MHz ", ("throttled", "bad"), right=["12 ms"])
        assert line.lines_repainted == before
        line.show("a figure line that is too long for both", right=["12 ms"])
        await pilot.pause()
        assert line.lines_repainted == before + 1
        assert lines_on_screen(app)[0] == "a figure line that is too long for both"


class Hidden(Stage):
    """A plot that another pane covers at first."""

    def compose(self) -> Any:
        with ContentSwitcher(initial="front"):
            yield FigureLine("front", id="front")
            yield self.shown[0]


async def test_a_hidden_drawing_is_not_drawn_until_it_is_shown() -> None:
    drawn = []

    class Counting(Plot):
        def draw(self, width: int, height: int) -> Any:
            drawn.append((width, height))
            return super().draw(width, height)

    plot = Counting(id="back")
    app = Hidden(plot)
    async with app.run_test(size=(30, 8)) as pilot:
        await pilot.pause()
        for _ in range(5):
            plot.show(Series(np.arange(3.0), np.arange(3.0)))
            await pilot.pause()
        assert drawn == []
        app.query_one(ContentSwitcher).current = "back"
        await pilot.pause()
        assert len(drawn) == 1
        assert lines_on_screen(app)[5] == "0┤⡀"


def test_axes_have_round_numbers() -> None:
    assert round_step(10, 5) == 2
    assert round_step(0.7, 7) == pytest.approx(0.1)
    assert round_step(0, 5) == round_step(math.inf, 3) == 1
    assert ticks(0.0, 199.0, 4) == [0, 50, 100, 150]
    assert ticks(3.0, 3.4, 2) == pytest.approx([3.0, 3.2, 3.4])
    assert bounds([]) == (0, 1)
    assert bounds([math.nan, 2.0, 2.0]) == (1.9, 2.1)
    assert bounds([0.0]) == (-0.5, 0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (0.01234, "0.0123"),
        (4.567, "4.57"),
        (1695.0, "1695"),
        (1695.4, "1695"),
        (12_345.0, "12.3k"),
        (2.5e6, "2.5M"),
        (-1e9, "-1G"),
        (math.nan, "n/a"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short_number(value) == text


def test_a_whole_line_is_as_wide_as_asked_and_keeps_no_ring_of_itself() -> None:
    bold = Style(bold=True)
    line = whole_line([Segment("ab", bold), Segment("c", bold)], 5, Style())
    assert [(piece.text, piece.style) for piece in line] == [("abc", bold), ("  ", Style())]
    assert line.divide([5]) == [line]
    assert not line._divide_cache
    assert [part.text for part in line.divide([2, 5])] == ["ab", "c  "]
    assert whole_line([Segment("日本")], 3, Style()).text == "日 "
