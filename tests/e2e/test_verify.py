"""Winners measured again by real processes: they hold, are slower, wrong, or another kernel's, each with its exit code."""

from __future__ import annotations

import json

import pytest

from tests.e2e.workplace import Workplace
from tunetui.core.errors import ExitCode
from tunetui.core.exports.code import c_header, mojo_table
from tunetui.core.exports.tuners import wisdom
from tunetui.session.verifying import read_winners
from tunetui.store.leaderboard import read_leaderboard

STEADY = "    time.sleep(0.1 if os.path.exists(SLOW) else 0.01)\n"  # also where others are at work beside the test


@pytest.fixture
def won(workplace: Workplace) -> Workplace:
    """A sweep with a winner that takes 10 ms, and ten times as much once there is a file "slow"."""
    slow = repr(str(workplace.folder / "slow"))
    kernel = workplace.folder / "kernel" / "double.py"
    first = next(line for line in kernel.read_text().splitlines() if line.startswith("def double("))
    workplace.edit("kernel/double.py", first, f"{first}\n{STEADY.replace('SLOW', slow).rstrip()}")
    workplace.grid(number="[1]")
    workplace.run("--format", "none")
    return workplace


def verify(won: Workplace, *arguments: str, code: ExitCode, margin: str = "900%") -> tuple[str, str]:
    """A margin so wide that a busy machine changes no verdict, unless there is to be one."""
    return won.call("verify", *arguments, "--margin", margin, code=code)


def test_a_winner_holds_is_slower_is_another_kernel_or_wrong(won: Workplace) -> None:
    out, err = verify(won, "grid.leaderboard.toml", code=ExitCode.OK)
    assert "  HOLDS" in out.splitlines()
    assert "verifying   1 winner of double" in err
    small = won.leaderboard("grid-verified")
    assert [row["status"] for row in small["boards"][0]["rows"]] == ["measured"]
    assert small["boards"][0]["visits"][0]["revisits"] >= 6

    (won.folder / "slow").touch()
    out, _ = verify(won, "grid.leaderboard.json", "--format", "json", code=ExitCode.TARGET_MISSED, margin="1%")
    found = json.loads(out)
    assert (found["outcome"], found["winners"][0]["latency"]) == ("slower", "slower")

    won.edit("kernel/double.py", "import ctypes", "# touched\nimport ctypes")
    out, _ = verify(won, "grid.leaderboard.toml", "-o", "other", code=ExitCode.OTHER_KERNEL)
    assert "ANOTHER KERNEL: what was measured is not what won (changed since: kernel source)" in out
    assert "other.leaderboard.toml" in won.files()

    won.edit("kernel/double.py", "np.multiply(x, 2, out=y)", "np.multiply(x, 3, out=y)")
    out, _ = verify(won, "grid.leaderboard.toml", code=ExitCode.WRONG)
    assert "DOES NOT HOLD: its result is wrong" in out
    assert won.agents() == []


def test_an_exported_winner_is_verified_by_the_run_that_it_names(
    won: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = read_leaderboard(won.folder / "grid.leaderboard.toml")
    for form in (c_header, mojo_table, wisdom):
        path = won.folder / f"tuned.{form.__name__}"
        path.write_text(form(board, board.boards, "numpy"))
        monkeypatch.setenv("XDG_DATA_HOME", str(won.data))
        assert [each.entry.trial for each in read_winners(path)[1]] == board.boards[0].winner
    won.call("export", "grid.leaderboard.toml", "--to", "c-header", "-o", "tuned.h")
    out, _ = verify(won, "tuned.h", code=ExitCode.OK)
    assert "HOLDS" in out
    won.journal.rename(won.journal.with_name("elsewhere"))
    _, err = verify(won, "tuned.h", code=ExitCode.BAD_INPUT)
    assert "is not kept here" in err
    assert "verify the leaderboard that it was exported from" in err


def test_what_cannot_be_verified_is_said_before_anything_runs(won: Workplace) -> None:
    _, err = verify(won, "grid.leaderboard.toml", "--trial", "zz", code=ExitCode.BAD_INPUT)
    assert "no measured row of trial 'zz'" in err
    _, err = verify(won, "kernel/double.py", code=ExitCode.BAD_INPUT)
    assert "neither a leaderboard nor a winner that tunetui exported" in err
    _, err = verify(won, "grid.leaderboard.toml", "-o", "grid", code=ExitCode.BAD_INPUT)
    assert "would be overwritten" in err
    won.edit("kernel/kernel.toml", 'parameters = ["how", "number"]', 'parameters = ["how"]')
    won.edit("kernel/kernel.toml", "number = [1]\n", "")
    _, err = verify(won, "grid.leaderboard.toml", code=ExitCode.OTHER_KERNEL)
    assert "is not the one that won" in err
