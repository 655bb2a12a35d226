"""Child processes of the supervisor: what they say, what they print, and how their end reads."""

from __future__ import annotations

import os
import selectors
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunetui_agent.children import Child, Log, death_of


class Nursery:
    """Children on one selector, as the supervisor has them."""

    def __init__(self, folder: Path) -> None:
        self.selector = selectors.DefaultSelector()
        self.log = folder / "stderr.log"
        self.heard: list[dict[str, Any]] = []
        self._children: list[Child] = []

    def start(self, code: str) -> Child:
        command = [sys.executable, "-c", code]
        child = Child(command, dict(os.environ), self.selector, self.heard.append, Log(self.log, limit_bytes=100_000))
        self._children.append(child)
        return child

    def serve(self) -> None:
        """Until no child has a pipe left that is listened to."""
        while self.selector.get_map():
            for key, _ in self.selector.select():
                key.data()

    def end(self) -> None:
        for child in self._children:
            child.kill()
            child.wait(60.0)
            child.close()
        self.selector.close()


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(tmp_path)
    yield made
    made.end()


def test_a_flood_of_printing_is_bounded_on_disk_and_its_end_is_kept(nursery: Nursery) -> None:
    child = nursery.start("import sys; [print('x' * 999, file=sys.stderr) for _ in range(1000)]; sys.exit('the end')")
    nursery.serve()
    written = [path.stat().st_size for path in nursery.log.parent.iterdir()]
    assert sum(written) <= 2 * (100_000 + 65_536)
    assert child.printed.endswith(b"the end\n")
    assert len(child.printed) <= 4096


def test_what_is_no_object_on_the_message_pipe_is_printing(nursery: Nursery) -> None:
    child = nursery.start("""print('{"say": 1}'); print('[2]'); print('noise'); print('{"say": 3}'); print('{"torn')""")
    nursery.serve()
    assert nursery.heard == [{"say": 1}, {"say": 3}]
    assert child.printed == b'[2]\nnoise\n{"torn\n'


def test_a_message_larger_than_a_pipe_arrives_whole_both_ways(nursery: Nursery) -> None:
    child = nursery.start("import sys; sys.stdout.write(sys.stdin.readline())")
    message = {"text": "y" * 1_000_000}
    child.send(message)
    nursery.serve()
    assert nursery.heard == [message]


def test_sending_to_a_child_that_is_gone_does_no_harm(nursery: Nursery) -> None:
    child = nursery.start("")
    assert child.wait(60.0)
    child.send({"text": "y" * 1_000_000})
    nursery.serve()
    assert child.exit_status() == 0


def test_a_kill_takes_the_whole_process_group(nursery: Nursery) -> None:
    child = nursery.start("""
import os, subprocess, sys
inner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print('{"ready": true}', flush=True)
inner.wait()
""")
    while not nursery.heard:
        for key, _ in nursery.selector.select():
            key.data()
    child.kill()
    nursery.serve()  # ends only when the grandchild, which holds the same pipes, is gone too
    assert child.wait(60.0)
    assert child.exit_status() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (7, "exited with status 7"),
        (-11, "killed by SIGSEGV"),
        (-9, "for want of memory"),
        (-250, "killed by signal 250"),
    ],
)
def test_how_a_process_ended_is_said_in_words(status: int, words: str) -> None:
    assert words in death_of(status)


def test_what_the_selector_told_of_a_child_that_was_closed_meanwhile_comes_to_nothing(nursery: Nursery) -> None:
    child = nursery.start("print('{}'); import sys; print('gone', file=sys.stderr)")
    assert child.wait(60.0)
    told = [key.data for key, _ in nursery.selector.select()]
    assert len(told) == 2, "both pipes are readable"
    child.close()
    for callback in told:
        callback()
    assert nursery.heard == []
