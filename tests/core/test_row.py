"""A packed row says what it was made of."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tunetui.core.live_figures import figures_of_rows
from tunetui.core.opened_rows import heads_of, opened_alike, samples_of
from tunetui.core.packing import NAN, STATUSES, known_number
from tunetui.core.row import Row, packed_measured, problem_key
from tunetui.core.snapshot import Run
from tunetui_agent.messages import TrialMeasured, TrialRef

TEXTS = st.text(max_size=6)
FLOATS = st.floats(allow_nan=False)
VALUES = st.booleans() | st.integers() | FLOATS | TEXTS
FIGURES = st.dictionaries(TEXTS, VALUES, max_size=4)
MAYBE = st.none() | FLOATS


def exactly(value: Any) -> str:
    """What tells 1, 1.0 and True, 0.0 and -0.0 apart."""
    return repr(list(value) if isinstance(value, list | tuple) else value)


@st.composite
def parts(draw: st.DrawFn) -> dict[str, Any]:
    problem = draw(FIGURES.filter(lambda found: all(abs(v) < 1 << 63 for v in found.values() if type(v) is int)))
    return {
        "trial": draw(TEXTS),
        "implementation": draw(TEXTS),
        "problem": problem,
        "problem_key": problem_key(problem),
        "configuration": draw(FIGURES),
        "provenance": draw(TEXTS),
        "status": draw(st.sampled_from(STATUSES)),
        "plan": draw(st.integers(-1, 9)),
        "device": draw(TEXTS),
        "samples_ns": draw(st.lists(st.integers(1, (1 << 63) - 1), max_size=5)),
        "median_ns": draw(MAYBE),
        "ci_low_ns": draw(MAYBE),
        "ci_high_ns": draw(MAYBE),
        "stopped_by": draw(TEXTS),
        "stage": draw(TEXTS),
        "quality": draw(st.dictionaries(TEXTS, FLOATS, max_size=3)),
        "build_seconds": draw(MAYBE),
        "seconds": draw(FLOATS),
        "artifact": draw(TEXTS),
        "resources": draw(FIGURES),
        "telemetry": draw(FIGURES),
        "tags": draw(st.lists(TEXTS, max_size=3)),
        "cause": draw(TEXTS),
        "detail": draw(TEXTS),
        "measured_at": draw(MAYBE),
        "times_measured": draw(st.integers(0, 9)),
    }


@given(parts())
def test_every_part_comes_out_as_it_went_in(made_of: dict[str, Any]) -> None:
    row = Row.of(**made_of)
    for name, value in made_of.items():
        found = getattr(row, name)
        assert exactly(found.tolist() if name == "samples_ns" else found) == exactly(value), name
    assert row.count == len(made_of["samples_ns"])
    assert row == Row.of(**made_of)


@given(parts(), parts())
def test_a_row_with_parts_changed_is_one_made_of_these(made_of: dict[str, Any], others: dict[str, Any]) -> None:
    row = Row.of(**made_of)
    for changes in ({"status": others["status"], "plan": 3}, {"cause": others["cause"]}, {"tags": others["tags"]}):
        assert row.but(**changes) == Row.of(**made_of | changes)


@given(parts(), st.lists(st.tuples(VALUES, st.lists(st.integers(1, 1 << 40), max_size=3), FLOATS), min_size=1))
def test_columns_of_rows_measured_alike_are_what_each_row_says(
    made_of: dict[str, Any], different: list[tuple[Any, list[int], float]]
) -> None:
    rows = [
        Row.of(**made_of | {"configuration": {"a": value}, "samples_ns": samples, "resources": {"r": figure}})
        for value, samples, figure in different
    ]
    opened = opened_alike(rows, heads_of(rows))
    assert exactly(opened.settings[0]) == exactly([row.configuration["a"] for row in rows])
    assert [list(samples_of(*each)) for each in opened.samples] == [list(row.samples_ns) for row in rows]
    assert opened.causes == [row.cause for row in rows]
    assert list(map(known_number, opened.heads["median_ns"].tolist())) == [row.median_ns for row in rows]
    names = (*rows[0].circumstances.quality, *rows[0].circumstances.resources, *rows[0].circumstances.telemetry)
    told = [[*row.quality.values(), *row.resources.values(), *row.telemetry.values()] for row in rows]
    assert exactly([list(column) for column in opened.told]) == exactly(
        [list(each) for each in zip(*told, strict=True)]
    )
    assert len(opened.told) == len(names)


@given(parts())
def test_a_row_of_a_measured_trial_is_one_made_of_its_parts(made_of: dict[str, Any]) -> None:
    kept = made_of | {
        "status": "measured",
        "cause": "",
        "detail": "",
        "measured_at": 5.0,
        "told_at": 7,
        "samples_ns": [3, 70_000],
    }
    kept |= {"median_ns": 4.0, "ci_low_ns": None, "ci_high_ns": 9.0}
    ref = TrialRef(
        id=kept["trial"], **{name: kept[name] for name in ("implementation", "problem", "configuration", "provenance")}
    )
    names = (
        "samples_ns",
        "stopped_by",
        "stage",
        "quality",
        "build_seconds",
        "seconds",
        "artifact",
        "resources",
        "telemetry",
        "tags",
    )
    told = {name: kept[name] for name in names}
    event = TrialMeasured(trial=ref, warmups=0, sampling_seconds=0.0, verify_seconds=0.0, **told)
    kept["problem_key"] = problem_key(kept["problem"])
    packed = packed_measured(event, (4.0, NAN, 9.0), kept["device"], kept["times_measured"], kept["plan"], 5.0, 7)
    assert packed == Row.of(**kept).packed


@settings(max_examples=30)
@given(st.lists(parts(), max_size=4, unique_by=lambda each: each["trial"]))
def test_figures_of_many_rows_are_those_of_each(many: list[dict[str, Any]]) -> None:
    rows = [Row.of(**made_of) for made_of in many]
    run = Run()
    assert [exactly(sorted(found.items())) for found in figures_of_rows(run, rows)] == [
        exactly(sorted(figures_of_rows(run, [row])[0].items())) for row in rows
    ]
    for row, found in zip(rows, figures_of_rows(run, rows), strict=True):
        told = {f"quality.{name}": value for name, value in row.quality.items()}
        assert told.items() <= found.items()
        if (
            row.median_ns is not None
            and row.count
            and not {"latency_ms.median"} & (row.problem.keys() | row.resources.keys())
        ):
            assert found["latency_ms.median"] == row.median_ns / 1e6
            assert (type(found["latency_ms.n"]), found["latency_ms.n"]) == (int, row.count)
