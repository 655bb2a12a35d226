from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunetui_agent.arguments import COMMANDS, parse, parser

FLAGS = sorted({flag for _, options in COMMANDS.values() for flag in options} | {"--root", "--python", "--user-site"})
words = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from(
        ["cpu", "gpu", "7", "1.5", "-1", "", "a b", "--nothing", "--ru", "=", "--run=r", "--kind=cpu", "--module=x=y"]
    ),
)


def by_argparse(line: list[str]) -> object:
    """What it finds, or the status with which it gives up."""
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            return vars(parser().parse_args(line))
        except SystemExit as ended:
            return ended.code


@given(st.sampled_from(sorted(COMMANDS)), st.lists(words, max_size=8))
def test_a_command_line_means_what_argparse_takes_it_for(command: str, rest: list[str]) -> None:
    line = [command, *rest]
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            found: object = vars(parse(line))
        except SystemExit as ended:
            found = ended.code
    assert found == by_argparse(line)


@pytest.mark.parametrize(
    "line",
    [
        ["start", "--root", "/r"],
        ["attach", "--root", "/r", "--run", "a", "--client", "c", "--from-seq", "3", "--offset", "9", "--epoch", "e"],
        ["environment", "--root", "/r", "--kind", "cpu", "--probe", "--module", "torch", "--module", "cupy"],
        ["worker", "--root", "/r", "--spec", "/s", "--supervisor", "12"],
    ],
)
def test_what_the_app_and_the_agent_say_is_read_without_argparse(
    line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = by_argparse(line)
    monkeypatch.setattr("tunetui_agent.arguments.parser", lambda: pytest.fail("argparse was asked"))
    assert vars(parse(line)) == expected
