"""What holds for all tests: how many run at once, how hypothesis chooses its examples, and that each is by itself.

They read nothing of whoever runs them, and leave nothing behind.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.apart import forget_wishes, homes, leave_home
from tests.leaks import children, left_behind, watch_transports

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

forget_wishes()
watch_transports()
gc.disable()  # until the tests are collected
_BEFORE = pytest.StashKey[dict[int, str]]()


@pytest.fixture(scope="session", autouse=True)
def homes_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    """Homes for tests; the first is that of the fixtures of whole modules."""
    made = homes(tmp_path_factory.mktemp("homes"))
    with leave_home(next(made)):
        yield made


@pytest.fixture(autouse=True)
def home_of_its_own(homes_apart: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test keeps what it keeps at home: settings, runs, the ledger of rented machines, what is built."""
    home = next(homes_apart)
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def children_before(request: pytest.FixtureRequest) -> None:
    """What there is once the fixtures of whole modules are made, and none of this test's own."""
    request.node.stash[_BEFORE] = children()


def pytest_collection_finish() -> None:
    """All that is loaded to collect the tests stays: it was not looked through for garbage meanwhile, nor is it later."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """After all that a test does to clear up after itself."""
    yield
    before = item.stash.get(_BEFORE, None)  # None: it was skipped, or its setup failed
    if before is not None and (found := left_behind(before)):
        pytest.fail("left behind: " + "\n".join(found), pytrace=False)


def pytest_xdist_auto_num_workers() -> int:
    """More workers than cores: half of the tests wait, for processes and for links."""
    return 2 + (len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1)
