"""What cannot be run is refused in the user's own words, before anything is measured or written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.e2e.workplace import Workplace
from tunetui.core.errors import ExitCode

TEN_VALUES = "{ start = 1, stop = 10, step = 1 }"
MANY_AXES = "\n".join(f"a{place} = {TEN_VALUES}" for place in range(9))


def refused(workplace: Workplace, *options: str, code: ExitCode = ExitCode.BAD_INPUT) -> str:
    out, err = workplace.run(*options, code=code)
    assert out == ""
    assert "tunetui: error: " in err
    assert workplace.files() == []
    assert workplace.agents() == []
    return err


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("kernel=semantic-serch", ["semantic-serch", "did you mean", "semantic-search"]),
        ("kernel=./nowhere", ["expected a folder with a kernel.toml, found none at", "nowhere"]),
        ("axes.number=[]", ["axes.number", "at least one value"]),
        ('axes.number=[1, "two", 3.5]', ["axes.number[1]", "expected int", '"two"']),
        ("axes.numbr=1", ["axes.numbr", 'did you mean "number"']),
        ("method.cashe=hot", ["method.cashe", "did you mean"]),
        ("problem.n=0", ["problem.n", "0"]),
        ("implementations=nunpy", ["nunpy", "did you mean"]),
        ("device=gpu", ["gpu"]),
        ("constraints.where=number > 7", ["no configuration is left", "number > 7", "excludes the last of numpy"]),
        ("constraints.where=numbr > 7", ["numbr > 7", "did you mean", "number"]),
        ("constraints.where='text'", ["text is not a condition"]),
        ('targets."latency_ms.p95"="fast"', ["targets", "fast"]),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_was_expected(
    workplace: Workplace, override: str, words: list[str]
) -> None:
    err = refused(workplace, "--set", override)
    assert [word for word in words if word not in err] == [], err


def test_all_mistakes_of_a_file_are_said_at_once_with_its_name(workplace: Workplace) -> None:
    workplace.grid('max_secods = 1\n[budget]\nminutes = "ten"', number="[]")
    err = refused(workplace)
    assert "grid.toml: method.max_secods" in err
    assert "budget.minutes" in err
    assert "axes.number" in err


@pytest.mark.parametrize("text", [None, "name = ", "\xff"])
def test_a_file_that_is_no_grid_is_named(workplace: Workplace, text: str | None) -> None:
    path = workplace.folder / "grid.toml"
    path.unlink()
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    assert "grid.toml" in refused(workplace)


def test_a_billion_combinations_are_refused_with_their_count_unless_a_budget_samples_them(
    workplace: Workplace,
) -> None:
    names = ", ".join(f'"a{place}"' for place in range(9))
    workplace.edit("kernel/kernel.toml", 'parameters = ["how", "number"]', f'parameters = ["how", "number", {names}]')
    workplace.edit("kernel/kernel.toml", "number = [1]", f"number = [1]\n{MANY_AXES}")
    workplace.edit("kernel/double.py", "*, how, number)", "*, how, number, **more)")
    workplace.grid()
    err = refused(workplace)
    assert "1,000,000,000" in err
    assert "budget.trials" in err

    _, err = workplace.run("--set", "budget.trials=3", code=ExitCode.BUDGET_ENDED)
    assert "1,000,000,000 combinations" in err
    assert "3 trials, seed 0, a random sample" in err
    assert [row["status"] for row in workplace.leaderboard()["boards"][0]["rows"]] == ["measured"] * 3


@pytest.mark.parametrize("output", ["missing/out", "grid.toml/out", "/proc/out"])
def test_outputs_that_cannot_be_written_are_refused_before_anything_is_measured(
    workplace: Workplace, output: str
) -> None:
    err = refused(workplace, "-o", output, code=ExitCode.UNAVAILABLE)
    assert f"cannot write {Path(workplace.folder, output)}" in err
    assert not workplace.data.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into a read-only folder; /proc stands in for it above")
def test_a_read_only_folder_is_refused(workplace: Workplace) -> None:
    shut = workplace.folder / "shut"
    shut.mkdir(mode=0o555)
    assert "not read-only?" in refused(workplace, "-o", "shut/out", code=ExitCode.UNAVAILABLE)


@pytest.mark.parametrize("variable", ["XDG_DATA_HOME", "XDG_CACHE_HOME"])
def test_folders_of_tunetui_s_own_that_cannot_be_made_are_named(workplace: Workplace, variable: str) -> None:
    workplace.environment[variable] = "/dev/null"
    assert "/dev/null/tunetui" in refused(workplace, code=ExitCode.UNAVAILABLE)


def test_a_leaderboard_of_a_newer_version_is_refused_by_its_number(workplace: Workplace) -> None:
    workplace.run("--format", "none")
    for name in workplace.files():
        path = workplace.folder / name
        text = path.read_text()
        newer = re.sub(r"""(schema_version"?\s*[=:]\s*)\d+""", r"\g<1>99", text)
        assert newer != text
        path.write_text(newer)
        _, err = workplace.call("show", name, code=ExitCode.BAD_INPUT)
        assert name in err
        assert "99" in err
        assert "newer" in err
