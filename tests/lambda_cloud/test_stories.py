"""Whatever goes wrong in whatever order: never two launches for one request, and nothing launched is forgotten."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lambda_cloud.stories import FAULTS, tell
from tunetui.hosts.lambda_cloud import account
from tunetui.hosts.lambda_cloud.ledger import Ledger

SEEDS = (*range(149), 329)
"""The last one once went wrong: an answer that made no sense was taken for a promise to end a machine."""


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder whose files reach no disk, where there is one: thousands of lines are written, each to be there for certain."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def tell_many(folder: Path) -> Counter[str]:
    return sum((tell(seed, folder / str(seed)).counts for seed in SEEDS), Counter())


def test_no_story_ends_with_a_second_launch_or_a_forgotten_machine(in_memory: Path) -> None:
    counts = tell_many(in_memory)
    assert set(FAULTS) <= set(counts)
    assert min(counts["launches"], counts["killed"], counts["terminated"]) >= 50


def test_the_stories_notice_an_account_that_gives_up_too_early(
    in_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "UNSEEN_SECONDS", 10.0)
    with pytest.raises(AssertionError, match="is taken for gone"):
        tell_many(in_memory)


def test_the_stories_notice_a_ledger_that_forgets(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Ledger.write

    def forgetful(self: Ledger, kind: str, name: str, at: float, **fields: object) -> None:
        write(self, kind, name, at, **fields)
        if kind == "LaunchUnclear":
            self.path.unlink()

    monkeypatch.setattr(Ledger, "write", forgetful)
    with pytest.raises(AssertionError, match="the ledger does not know"):
        tell_many(in_memory)
