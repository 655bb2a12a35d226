"""The child's end of the pipe to its supervisor."""

from __future__ import annotations

import json
import subprocess
import sys

CHILD = """
from tunetui_agent.lifeline import Lifeline
line = Lifeline()
for message in line.messages():
    line.send({"heard": message, "called": line.is_called()})
"""


def test_what_arrived_together_with_a_message_is_heard_of_at_once() -> None:
    lines = [json.dumps({"do": what}).encode() + b"\n" for what in ("race", "end race")]
    done = subprocess.run([sys.executable, "-c", CHILD], input=b"".join(lines), capture_output=True, check=True)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == {"heard": {"do": "race"}, "called": True}
    assert second["heard"] == {"do": "end race"}


def test_a_message_in_pieces_is_one_message_and_half_a_message_at_the_end_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b'{"do": "one"}\n{"do"')
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["heard"] == {"do": "one"}
        child.stdin.write(b': "two"}\n{"do"')
        child.stdin.close()
        assert [json.loads(line)["heard"] for line in child.stdout] == [{"do": "two"}]
