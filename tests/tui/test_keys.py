from __future__ import annotations

import pytest

from tests.tui.cockpit import opened, replay_screen, shown, until
from tunetui.tui.commands.everywhere import Quit
from tunetui.tui.keys import checked_keys, clashes, is_key, split_keys
from tunetui.tui.opening import SCOPES, AppOptions, find_looks
from tunetui.tui.widgets.table import LiveTable


def test_no_two_commands_of_one_screen_share_a_key() -> None:
    assert clashes(SCOPES) == []


def test_no_command_takes_a_key_that_moves_about_in_a_table() -> None:
    moves = {key.strip() for binding in LiveTable.BINDINGS for key in getattr(binding, "key", "").split(",")}
    for screen in ("Run", "Leaderboard"):
        taken = {key for command in SCOPES[screen] for key in split_keys(command.key)}
        assert taken & moves == set()


def test_every_command_says_in_a_sentence_what_it_does() -> None:
    for commands in SCOPES.values():
        for command in commands:
            assert command.help().endswith("."), command
            assert command.name


@pytest.mark.parametrize(
    "name", ["p", "ctrl+s", "f5", "slash", "question_mark", "ctrl+right_square_bracket", "shift+tab", "+", "ü"]
)
def test_what_a_terminal_can_send_is_a_key(name: str) -> None:
    assert is_key(name)


@pytest.mark.parametrize("name", ["", "hyperspace", "ctrl+", "ctlr+s", "two words", "\x1b"])
def test_nonsense_is_no_key(name: str) -> None:
    assert not is_key(name)


@pytest.mark.parametrize(
    ("name", "keys", "said"),
    [
        ("puase_run", "p", "did you mean 'pause_run'?"),
        ("zzz", "p", "there is no such command"),
        ("pause_run", "hyperspace", "'hyperspace' is no key"),
        ("pause_run", "", "expected keys"),
        ("pause_run", "ctrl+c", "cannot be given away"),
        ("pause_run", "x", "x is already skip_row (Run)"),
        ("sort_next", "question_mark", "? is already show_help"),
        ("[b]\x1b[31m", "p", "there is no such command"),
    ],
)
def test_a_key_that_cannot_be_used_is_said_and_left_out(name: str, keys: str, said: str) -> None:
    usable, problems = checked_keys({name: keys}, SCOPES)
    assert usable == {}
    assert said in problems[0]
    assert "\x1b" not in problems[0]


def test_two_commands_can_swap_their_keys() -> None:
    usable, problems = checked_keys({"pause_run": "x", "skip_row": "p"}, SCOPES)
    assert problems == []
    assert usable == {"pause_run": "x", "skip_row": "p"}


async def test_a_remapped_key_works_the_old_one_does_not_and_the_help_says_so() -> None:
    looks = find_looks(AppOptions(keys={"show_heatmap": "ctrl+g", "pause_run": "x"}))
    assert len(looks.problems) == 1  # x belongs to skip_row
    async with opened(replay_screen(), looks=looks) as pilot:
        await until(pilot, lambda: "24 rows" in shown(pilot))
        assert "x is already skip_row" in pilot.app.said[0].text  # type: ignore[attr-defined]
        await pilot.press("h")
        assert "best median ms:" not in shown(pilot)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: "best median ms:" in shown(pilot))
        await pilot.press("escape", "question_mark")
        await until(pilot, lambda: "Help: Run" in shown(pilot))
        line = next(line for line in shown(pilot).splitlines() if "[keys] show_heatmap" in line)
        assert "ctrl+g" in line


def test_the_id_of_a_command_is_its_name_in_words() -> None:
    assert Quit.id == "quit"
