"""A run that another tunetui has in hand, opened in the cockpit: followed, not steered, and taken in hand when it is free."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workplace import Workplace
from tests.tui.cockpit import until
from tunetui.store.runs import RunFolder
from tunetui.tui.app import Cockpit
from tunetui.tui.opening import AppOptions, find_looks
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.start import StartScreen


@pytest.fixture
def work(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    """A run that is over, and the folder in which it was begun."""
    place = Workplace(home.parent)
    monkeypatch.chdir(place.folder)
    place.grid(number="[1]")
    place.run("--format", "none")
    yield place
    place.end()


async def test_a_run_in_other_hands_is_followed_and_taken_over_when_it_is_free(work: Workplace) -> None:
    held = RunFolder(work.journal.parent)
    app = Cockpit(StartScreen(work.folder), find_looks(AppOptions()))
    async with app.run_test(size=(120, 40)) as pilot:
        app.start_grid(work.folder / "grid.toml")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        screen, live = app.screen, app.live
        assert isinstance(screen, RunScreen)
        assert live is not None
        assert any(said.text.endswith("deals this run; following") for said in app.said)
        assert live.snapshot.counts.measured == 1
        assert not screen.can_steer
        screen.stop()
        assert app.said[-1].text == "another tunetui deals this run: tunetui stop ends it"
        assert live.alive
        held.close()
        await until(pilot, lambda: not live.alive)
        assert "whoever dealt this run is done" in [said.text for said in app.said]
    assert live.failure is None
    assert live.shared.ended == "done"
    assert [path.name for path in live.saved] == ["grid.leaderboard.toml", "grid.leaderboard.json"]
    live.close()
