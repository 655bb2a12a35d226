"""One sweep on several SSH hosts: a real sshd for each, roads that break, and one host that is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workplace import Workplace, finished, until
from tests.ssh.conftest import MakeServer
from tests.ssh.proxy import Proxy
from tests.ssh.sshd import Sshd, free_port

TRIALS = 8
USED_HOSTS = True


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    folder = tmp_path / "work"
    folder.mkdir()
    place = Workplace(folder)
    place.grid(how='["waits"]', number=str(list(range(TRIALS))))
    yield place
    place.end()


def configure(workplace: Workplace, servers: dict[str, Sshd], ports: dict[str, int] | None = None) -> None:
    """One SSH configuration with every server under its name, reached by a port of its own where one is given."""
    text = "".join(server.ssh_config(name, port=(ports or {}).get(name)) for name, server in servers.items())
    path = workplace.folder / "ssh_config"
    path.write_text(text)
    workplace.environment["TUNETUI_SSH_CONFIG"] = str(path)


def measured_on(workplace: Workplace) -> Counter[str]:
    records = workplace.records()
    hosts = {e["record"]["agent"]: e["record"]["host"] for e in records if e["record"]["kind"] == "AgentPlaced"}
    return Counter(hosts[e["from"]] for e in records if e["record"]["kind"] == "TrialMeasured")


def test_several_hosts_share_a_sweep_while_one_is_cut_off_and_one_is_not_there(
    workplace: Workplace, servers: MakeServer
) -> None:
    east, west = servers("east"), servers("west")
    with Proxy(west.port) as road:
        configure(workplace, {"east": east, "west": west}, {"west": road.port})
        with (workplace.folder / "ssh_config").open("a") as file:
            file.write(f"\nHost gone\n  HostName 127.0.0.1\n  Port {free_port()}\n")
        run = workplace.start("--host", "east", "--host", "gone", "--host", "west", "--events")
        for _ in range(2):
            until(run.stdout, b'"kind":"TrialStarted"')
        road.reset()
        workplace.open_gate()
        _, err = finished(run)
    assert "gone takes no part: gone: nothing listens at" in err
    assert len(workplace.outcomes()) == TRIALS
    assert set(workplace.outcomes().values()) == {1}
    assert workplace.every_record_once()
    assert set(measured_on(workplace)) == {"east", "west"}
    notices = [notice["text"] for notice in workplace.leaderboard()["notices"]]
    assert any("gone takes no part" in text for text in notices)
    assert notices.count("the link to west is lost; the run goes on there") == 1
    assert not any("the link to east" in text for text in notices)
    assert {device.get("reached_as") for device in workplace.leaderboard()["devices"]} == {"east", "west"}


def test_a_run_left_on_a_host_is_listed_ended_and_followed_over_ssh(workplace: Workplace, server: Sshd) -> None:
    configure(workplace, {"box": server})
    workplace.run("--host", "box", "--detach")
    name = workplace.journal.parent.name
    out, _ = workplace.call("runs", "box")
    assert f"{name}  running" in out
    assert "box" in out
    out, _ = workplace.call("stop", name)
    assert "ends after its present trial" in out
    workplace.open_gate()
    _, err = workplace.call("attach", name, code=130)
    assert "trials are left; to go on with them: tunetui --batch grid.toml --host box --detach" in err
    workplace.run("--host", "box")
    assert set(workplace.outcomes().values()) == {1}
    assert len(workplace.outcomes()) == TRIALS
    out, _ = workplace.call("gc", "box", "--days", "0")
    assert out.count("removed") == 2
    assert list((server.cache / "tunetui" / "runs").iterdir()) == []
