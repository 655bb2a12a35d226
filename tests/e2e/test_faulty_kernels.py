"""Kernels that do everything wrong: each row says so, and every other row stands."""

from __future__ import annotations

from tests.e2e.workplace import Workplace
from tunetui.core.errors import ExitCode

FAULTS = {
    "writes nothing": ("wrong", "nothing was written"),
    "segfaults": ("crashed", "SIGSEGV"),
    "exits": ("crashed", "7"),
    "raises": ("errored", "RuntimeError: not today"),
    "gives nan": ("wrong", "1 of 64 elements are NaN"),
    "is wrong": ("wrong", "off by 1"),
    "changes its input": ("wrong", "input 'x'"),
    "writes beyond": ("wrong", "output 'y'"),
}
WELL = ("does well", "prints")


def test_every_fault_costs_its_own_row_and_is_measured_again_only_when_asked(workplace: Workplace) -> None:
    workplace.grid(how=listed(*FAULTS, *WELL), number="[1]")
    out, err = workplace.run()
    rows = workplace.rows()
    for how, (status, cause) in FAULTS.items():
        row = rows[f"{how} 1"]
        assert row["status"] == status, row
        assert cause in row["cause"]
        assert row.get("rank") is None
        assert f"how={how}" in err or f"how='{how}'" in err
        assert cause in " ".join(out.split())
    for how in WELL:
        assert rows[f"{how} 1"]["status"] == "measured"
        assert rows[f"{how} 1"]["rank"].rstrip("=") in {"1", "2"}
    assert "some noise" not in out
    assert workplace.leaderboard()["run"]["ended"] == "done"

    # Only now is there a limit: what is to be measured in a second on one machine is not on every other.
    workplace.grid(how=listed("hangs", *FAULTS, *WELL), number="[1]")
    workplace.edit("grid.toml", "trial_timeout_seconds = 600", "trial_timeout_seconds = 1")
    _, said = workplace.run()
    assert f"{len(FAULTS) + len(WELL)} rows done, 1 trial to measure" in said
    hung = workplace.rows()["hangs 1"]
    assert (hung["status"], hung.get("rank")) == ("timed_out", None)
    assert "longer than 1 s" in hung["cause"]

    workplace.grid(how=listed(*FAULTS, *WELL), number="[1]")
    _, said = workplace.run("--retry-failed")
    assert f"{len(WELL)} rows done, {len(FAULTS)} trials to measure" in said
    assert sorted(workplace.outcomes().values()) == [1] * (len(WELL) + 1) + [2] * len(FAULTS)
    assert workplace.leaderboard()["run"]["ended"] == "done"


def listed(*hows: str) -> str:
    return str(list(hows)).replace("'", '"')


def test_a_kernel_repaired_after_it_failed_is_stale_and_measured_again(workplace: Workplace) -> None:
    workplace.edit("kernel/double.py", "np.multiply(x, 2, out=y)", "np.multiply(x, 3, out=y)")
    out, _ = workplace.run(code=ExitCode.NOTHING_MEASURED)
    assert "wrong: off by" in out
    assert workplace.files() == ["grid.leaderboard.json", "grid.leaderboard.toml"]
    workplace.edit("kernel/double.py", "np.multiply(x, 3, out=y)", "np.multiply(x, 2, out=y)")
    _, err = workplace.run()
    assert "3 rows to measure again: kernel source changed" in err


def test_a_reference_that_raises_measures_nothing_and_says_so(workplace: Workplace) -> None:
    workplace.edit("kernel/reference.py", "return inputs", "raise ValueError('no reference')\n    return inputs")
    out, _ = workplace.run("--check", code=ExitCode.NOTHING_MEASURED)
    assert "errored: reference reference: ValueError: no reference" in out
    assert {row["status"] for row in workplace.rows().values()} == {"errored"}
