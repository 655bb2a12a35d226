"""Two tunetui, as on two machines, and one run on a host that both reach over SSH: one deals, the other takes over and back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workplace import Workplace, finished, next_trial, until
from tests.ssh.accounts import settle
from tests.ssh.reaching import config
from tests.ssh.sshd import Sshd
from tunetui_agent.dealers import dealer_of, note_of
from tunetui_agent.folder import HostFolder, RunFolder

USED_HOSTS = True
TRIALS = 6
GONE = b"whoever dealt this run is gone: it is dealt from here now"
FOLLOWING = b"deals this run; following"


@pytest.fixture
def places(tmp_path: Path, server: Sshd) -> Iterator[list[Workplace]]:
    """Folders of their own for two of them, and the same way to the host."""
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        place = Workplace(tmp_path / name)
        place.grid(how='["waits"]', number=str(list(range(TRIALS))))
        place.environment["TUNETUI_SSH_CONFIG"] = str(config(server))
        made.append(place)
    yield made
    for place in made:
        place.end()


def the_run(server: Sshd) -> RunFolder:
    (run,) = HostFolder(server.cache / "tunetui").runs()
    return run


def attached(place: Workplace, run: str) -> subprocess.Popen[bytes]:
    return place.tunetui("attach", run, "--host", "box", "--format", "none")


def journal(place: Workplace) -> Path:
    (found,) = (place.data / "tunetui" / "runs").glob("*/journal.jsonl")
    return found


def everything_once(server: Sshd, *places: Workplace) -> None:
    """Every one has the same records of the agents, byte for byte what they wrote, and each trial once."""
    for place in places:
        accounts = settle(journal(place), server.cache)
        assert accounts.is_right, accounts.wrong
        assert accounts.outcomes == TRIALS


def test_a_run_passes_to_the_other_when_its_dealer_falls_silent_and_back_when_that_one_is_killed(
    places: list[Workplace], server: Sshd
) -> None:
    """Silent as a laptop that sleeps, or a link that nobody has found dead: the host still has its connection."""
    one, two = places
    first = one.start("--host", "box", "--events")
    one.open_gate(next_trial(first))
    next_trial(first)
    name = journal(one).parent.name
    second = attached(two, name)
    until(second.stderr, b"process %d) " % first.pid + FOLLOWING)
    run = the_run(server)
    first.send_signal(signal.SIGSTOP)
    os.utime(note_of(run, dealer_of(run)), (0, 0))  # as after ten seconds
    until(second.stderr, GONE)
    first.send_signal(signal.SIGCONT)
    until(first.stderr, b"process %d) " % second.pid + FOLLOWING)
    second.kill()
    second.communicate()
    until(first.stderr, GONE)
    one.open_gate()
    finished(first)
    finished(attached(two, name))
    everything_once(server, one, two)
