"""A short series of what bench/link_torture.py and bench/kills.py do at length: cuts and kills cost no event and double none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ssh.killing import WHO, Killing
from tests.ssh.sshd import needs_sshd
from tests.ssh.torture import KINDS, Torture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    needs_sshd()
    return tmp_path


@pytest.mark.parametrize(
    ("rtt_seconds", "kinds"),
    [(0.0, [*KINDS]), (0.04, [*KINDS[:2], KINDS[3]]), (0.15, [*KINDS[:2], KINDS[3], KINDS[0]])],
)
def test_every_event_comes_once_over_a_link_that_is_cut_at_random_moments(
    folder: Path, rtt_seconds: float, kinds: list[str]
) -> None:
    toll = Torture(folder, rtt_seconds=rtt_seconds, seed=int(1000 * rtt_seconds), trials=150).run(kinds)
    assert [cut.kind for cut in toll.cuts] == kinds
    assert toll.wrong == []
    assert toll.outcomes == 150 * toll.runs
    assert toll.attachments > len(kinds)


@pytest.mark.parametrize("who", WHO)
def test_whoever_is_killed_at_a_random_moment_nothing_is_lost_or_done_twice(folder: Path, who: str) -> None:
    deaths = Killing(folder, who=who, seed=1, trials=80).run(3)
    assert deaths.kills == 3
    assert deaths.wrong == []
    assert deaths.outcomes == 80 * deaths.runs
