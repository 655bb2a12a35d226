"""What holds for all tests: how many run at once, and how hypothesis chooses its examples."""

from __future__ import annotations

import os
import signal
import sys

import hypothesis

# No deadlines, as nothing here asserts on time; the same examples on every machine, as a change is to be what fails it.
# Others, and more of them: pytest --hypothesis-profile=thorough
hypothesis.settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)  # fmt: skip
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it has in the background so, and Ctrl-C would be nothing to any process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """More workers than cores: half of the tests wait, for processes and for links."""
    return 2 + (len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)
