"""Rows that no longer hold are said so with the reason, measured again, and kept in the journal; all others stand."""

from __future__ import annotations

import json

from tests.e2e.workplace import Workplace

CHANGES = [
    ("kernel/double.py", "np.multiply(x, 2, out=y)", "np.add(x, x, out=y)", "kernel source changed"),
    ("kernel/kernel.toml", 'language = "python"', 'language = "python"\noptions = ["-O3"]', "options changed"),
    ("grid.toml", "max_samples = 6", "max_samples = 7", "method changed"),
]


def test_each_change_makes_the_rows_stale_and_they_are_measured_again(workplace: Workplace) -> None:
    workplace.grid(number="[1, 2]")
    workplace.run("--format", "none")
    for times, (file, before, after, reason) in enumerate(CHANGES, start=2):
        earlier = workplace.outcomes()
        workplace.edit(file, before, after)
        _, said = workplace.run("--format", "none")
        assert f"2 rows to measure again: {reason}" in " ".join(said.split())
        assert "0 rows done, 2 trials to measure" in said
        assert list(workplace.outcomes().values()) == [1] * 2 * times
        assert earlier.items() <= workplace.outcomes().items()  # what was measured before is kept in the journal
        assert {row["status"] for row in workplace.rows().values()} == {"measured"}
    workplace.edit("grid.toml", "trial_timeout_seconds = 600", "trial_timeout_seconds = 30")
    _, said = workplace.run("--format", "none")
    assert "2 rows done, 0 trials to measure" in said  # a timeout changes no figure


def test_a_change_taken_back_before_anything_was_measured_costs_nothing(workplace: Workplace) -> None:
    workplace.run("--format", "none")
    workplace.edit("kernel/double.py", "np.multiply(x, 2, out=y)", "np.add(x, x, out=y)")
    _, said = workplace.run("--dry-run")
    assert "3 rows to measure again: kernel source changed" in " ".join(said.split())
    workplace.edit("kernel/double.py", "np.add(x, x, out=y)", "np.multiply(x, 2, out=y)")
    _, said = workplace.run("--format", "none")
    assert "3 rows done, 0 trials to measure" in said


def test_an_added_value_an_added_implementation_and_a_taken_one_measure_only_what_is_new(
    workplace: Workplace,
) -> None:
    workplace.run("--format", "none")
    _, said = workplace.run("--format", "none", "--set", "axes.number=1,2,3,4")
    assert "3 rows done, 1 trial to measure" in said
    assert len(workplace.rows()) == 4
    _, said = workplace.run("--format", "none", "--set", "implementations=numpy,other")
    assert "3 rows done, 1 trial to measure" in said
    assert sorted(workplace.rows()) == ["does well 1", "does well 2", "does well 3", "other"]
    out, said = workplace.run("--set", "implementations=other", "--set", "axes={}", "--format", "csv")
    assert "1 row done, 0 trials to measure" in said
    assert len(out.splitlines()) == 2
    assert list(workplace.outcomes().values()) == [1] * 5


def test_a_journal_with_garbage_in_its_middle_names_the_lines_and_only_what_they_held_is_measured_again(
    workplace: Workplace,
) -> None:
    workplace.run("--format", "none", "--set", "method.finalists=0")
    lines = workplace.journal.read_bytes().splitlines(keepends=True)
    measured = [(place, json.loads(line)["record"]) for place, line in enumerate(lines) if b'"TrialMeasured"' in line]
    lost = measured[0][1]["trial"]["id"]
    places = [place for place, record in measured if record["trial"]["id"] == lost]  # more than one if it was raced
    for place in places:
        lines[place] = b'{"from":"app","rec\x00\xff garbage\n'
    workplace.journal.write_bytes(b"".join(lines) + b'{"from":"app","record":{"seq":')
    _, said = workplace.run("--format", "none", "--set", "method.finalists=0")
    for place in places:
        assert f"line {place + 1} of the journal could not be used" in said
    assert "2 rows done, 1 trial to measure" in said
    assert {row["status"] for row in workplace.rows().values()} == {"measured"}
    assert workplace.journal.read_bytes().startswith(b"".join(lines))  # the damage stays for whoever wants to see it
    _, said = workplace.run("--format", "none")
    assert "3 rows done, 0 trials to measure" in said
