"""The agent looks for cyclic garbage rarely, but for its worker, in which arrays of kernels may hang in cycles."""

from __future__ import annotations

import subprocess
import sys

STORY = """
import atexit, gc
usual, at_the_end = gc.get_threshold(), []
atexit.register = at_the_end.append
from tunetui_agent.collecting import collect_as_usual, collect_rarely
collect_rarely()
rare = gc.get_threshold()
assert rare[0] > usual[0] and rare[1:] == usual[1:], rare
collect_as_usual()
assert gc.get_threshold() == usual, gc.get_threshold()
assert gc.isenabled() and at_the_end == [gc.freeze]
"""


def test_garbage_is_looked_for_rarely_until_it_is_as_usual_again_and_not_at_the_end() -> None:
    subprocess.run([sys.executable, "-c", STORY], check=True)
