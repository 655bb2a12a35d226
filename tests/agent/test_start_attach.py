"""Starting a run, following it from several places, and what is left when something dies."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.agent.agent_runs import CLOSE, Host, children_of, enqueue, spec, wait_for_death
from tunetui_agent import start as starting
from tunetui_agent.folder import take_lock, write_object
from tunetui_agent.messages import EnqueueTrials, encode_command


def test_a_started_run_says_who_it_is_and_writes_the_same_down_first(host: Host) -> None:
    answer = host.start(spec("r"))
    first = host.attach("r").until("AgentStarted")
    assert answer["ok"]
    assert first["seq"] == 0
    assert (first["run"], first["epoch"], first["pid"]) == (answer["run"], answer["epoch"], answer["pid"])


def test_commands_behind_the_description_are_carried_out_with_nobody_attached(host: Host) -> None:
    lines = enqueue("does well") + CLOSE
    assert host.ask("start", stdin=json.dumps(spec("r")).encode() + b"\n" + lines)["ok"]
    records = host.attach("r").records()
    accepted = [each["command"] for each in records if each["kind"] == "CommandAccepted"]
    assert (accepted, records[-1]["reason"]) == (["enqueue", "close"], "done")
    assert sum(each["kind"] == "TrialMeasured" for each in records) == 1


def test_commands_behind_the_description_that_come_again_are_carried_out_once(host: Host) -> None:
    assert host.ask("start", stdin=json.dumps(spec("r")).encode() + b"\n" + enqueue("does well"))["ok"]
    follower = host.attach("r")
    follower.send(enqueue("does well"), CLOSE)
    records = follower.records()
    assert sum(each["kind"] == "TrialMeasured" for each in records) == 1


def test_a_command_that_the_link_cut_off_behind_the_description_is_no_command(host: Host) -> None:
    cut = enqueue("does well") + CLOSE[: len(CLOSE) // 2]
    assert host.ask("start", stdin=json.dumps(spec("r")).encode() + b"\n" + cut)["ok"]
    follower = host.attach("r")
    follower.send(CLOSE)
    records = follower.records()
    assert not [each for each in records if each["kind"] == "NoticeRaised" and each["code"] == "command-unreadable"]
    assert records[-1]["reason"] == "done"


def test_the_host_folder_is_closed_to_others(host: Host) -> None:
    host.start(spec("r"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in (host.root, *host.folder.run("r").path.iterdir())}
    assert {name for name, mode in modes.items() if mode & 0o077} == set()


def test_a_second_run_of_the_same_name_is_refused(host: Host) -> None:
    host.measure(spec("r"))
    answer = host.start(spec("r"))
    assert (answer["ok"], answer["error"]) == (False, "run-exists")


def test_a_busy_device_is_refused_with_its_holder_and_leaves_nothing_behind(host: Host) -> None:
    first = host.start(spec("first"))
    answer = host.start(spec("second"))
    assert (answer["ok"], answer["error"]) == (False, "device-busy")
    assert (answer["holder"]["run"], answer["holder"]["pid"]) == ("first", first["pid"])
    assert not host.folder.run("second").path.exists()


def test_the_device_is_free_for_the_next_run_as_soon_as_the_last_record_is_read(host: Host) -> None:
    host.measure(spec("first"))
    assert host.start(spec("second"))["ok"]


def test_a_run_that_has_ended_is_waited_for_until_its_worker_has_left_the_device(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.measure(spec("first"))
    held = [os.open(host.folder.device_lock("cpu"), os.O_RDWR)]
    fcntl.flock(held[0], fcntl.LOCK_EX)  # as soon as the first run has let go of it
    write_object(host.folder.device_holder("cpu"), {"run": "first"})
    looks: list[int | None] = []

    def look(path: Path) -> int | None:
        if looks:  # the first one found it held
            os.close(held.pop())
        looks.append(take_lock(path))
        return looks[-1]

    monkeypatch.setattr(starting, "take_lock", look)
    assert starting._take_device(host.folder, "cpu") is not None
    assert [look is None for look in looks] == [True, False]


def test_another_protocol_is_refused_with_both_numbers(host: Host) -> None:
    answer = host.start({**spec("r"), "protocol": 99})
    assert (answer["error"], answer["have"], answer["want"]) == ("protocol", 1, 99)


@pytest.mark.parametrize("name", ["../up", ".hidden", "a b", "a;rm", "", "a\nb", "x" * 200])
def test_a_name_that_is_no_file_name_is_refused(host: Host, name: str) -> None:
    assert host.start(spec(name))["error"] == "bad-name"
    assert not host.root.exists()


def test_a_description_that_lacks_fields_is_refused_by_name(host: Host) -> None:
    broken = spec("r")
    del broken["kernel"]
    answer = host.start(broken)
    assert answer["error"] == "spec"
    assert "kernel" in answer["text"]


def test_a_folder_that_others_may_write_to_is_refused(host: Host) -> None:
    host.root.mkdir()
    host.root.chmod(0o777)
    answer = host.start(spec("r"))
    assert answer["error"] == "folder"
    assert "chmod 700" in answer["text"]


def test_a_lock_that_cannot_be_opened_is_refused_with_what_the_system_says(host: Host) -> None:
    host.folder.prepare()
    host.folder.device_lock("cpu").mkdir()
    answer = host.start(spec("r"))
    assert answer["error"] == "folder"
    assert "directory" in answer["text"].lower()


def test_a_file_in_place_of_the_folder_is_refused(host: Host) -> None:
    host.root.write_text("mine")
    assert host.start(spec("r"))["error"] == "folder"


def test_two_clients_see_identical_streams(host: Host) -> None:
    host.start(spec("r"))
    one, two = host.attach("r", "--client", "one"), host.attach("r", "--client", "two")
    one.until("attached")
    two.until("attached")
    one.send(enqueue("works"), CLOSE)
    assert one.records() == two.records()
    assert one.journal_bytes() == two.journal_bytes() == host.folder.run("r").journal.read_bytes()


@pytest.mark.parametrize("hint", ["right", "wrong", "beyond the end", "none"])
def test_following_begins_at_the_asked_record_whatever_the_hint(shared_host: Host, hint: str) -> None:
    if not shared_host.folder.run("r").path.exists():
        shared_host.measure(spec("r"), "works")
    whole = shared_host.folder.run("r").journal.read_bytes()
    offset = len(b"".join(whole.splitlines(keepends=True)[:3]))
    hints = {"right": offset, "wrong": offset - 7, "beyond the end": 10 * len(whole), "none": 0}
    follower = shared_host.attach("r", "--from-seq", "3", "--offset", str(hints[hint]))
    assert follower.records()[0]["seq"] == 3
    assert follower.journal_bytes() == whole[offset:]


def test_another_epoch_is_refused_with_the_one_that_is_there(host: Host) -> None:
    answer = host.start(spec("r"))
    refusal = host.attach("r", "--epoch", "0" * 32).until("error")
    assert (refusal["error"], refusal["have"]) == ("epoch", answer["epoch"])


def test_a_run_that_is_not_there_is_refused(host: Host) -> None:
    assert host.attach("nowhere").until("error")["error"] == "no-such-run"


def test_a_newer_attach_of_a_client_ends_its_older_one(host: Host) -> None:
    host.start(spec("r"))
    older = host.attach("r", "--client", "me")
    other = host.attach("r", "--client", "you")
    older.until("attached")
    other.until("attached")
    host.attach("r", "--client", "me").until("attached")
    assert older.process.wait() == -signal.SIGKILL
    assert other.process.poll() is None


def test_the_end_of_stdin_ends_the_follower_and_not_the_run(host: Host) -> None:
    host.start(spec("r"))
    follower = host.attach("r")
    follower.until("attached")
    assert follower.process.stdin
    follower.process.stdin.close()
    assert follower.process.wait() == 0
    assert host.state("r") == "running"


def test_a_silent_run_beats(host: Host) -> None:
    host.start(spec("r"))
    assert host.attach("r").until("hb")["t"] > 0


def test_a_command_sent_twice_is_carried_out_once(host: Host) -> None:
    host.start(spec("r"))
    follower = host.attach("r")
    follower.send(enqueue("works"), enqueue("works"), enqueue("works", command="again"), CLOSE, CLOSE)
    records = follower.records()
    accepted = [record["command"] for record in records if record["kind"] == "CommandAccepted"]
    assert accepted == ["enqueue", "again", "close"]
    assert sum(record["kind"] == "TrialMeasured" for record in records) == 1


def test_a_command_that_makes_no_sense_is_told_and_does_no_harm(host: Host) -> None:
    host.start(spec("r"))
    follower = host.attach("r")
    follower.send(b"{}\n", b"nonsense\n", b'{"kind":"EnqueueTrials"}\n', CLOSE)
    records = follower.records()
    assert sum(record.get("code") == "command-unreadable" for record in records) == 3
    assert records[-1]["reason"] == "done"


def test_a_command_for_a_run_that_has_ended_is_dropped(host: Host) -> None:
    pid = host.start(spec("r"))["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for_death(pid)
    follower = host.attach("r")
    follower.send(CLOSE)
    said = [line["ctl"] for line in follower.said() if "ctl" in line]
    assert said == ["attached", "dead"]


def test_a_killed_agent_is_found_dead_and_frees_its_device_and_its_children_die(host: Host) -> None:
    pid = host.start(spec("r", trial_timeout_seconds=600.0))["pid"]
    follower = host.attach("r")
    follower.send(enqueue("hangs"))
    follower.until("TrialStarted")
    children = children_of(pid, "worker") + children_of(pid, "builder")
    os.kill(pid, signal.SIGKILL)
    follower.until("dead")
    assert len(children) == 2
    for child in children:
        wait_for_death(child)
    assert host.state("r") == "dead"
    assert host.start(spec("next"))["ok"]


@pytest.mark.parametrize("seed", range(8))
def test_whenever_the_agent_is_killed_every_whole_record_is_delivered(host: Host, seed: int) -> None:
    pid = host.start(spec("r"))["pid"]
    follower = host.attach("r")
    commands = [encode_command(EnqueueTrials(command=f"c{number}", trials=[])) for number in range(5000)]
    follower.send(*commands)
    last = random.Random(seed).randrange(5, 4000)
    follower.until(lambda line: line.get("seq") == last)
    os.kill(pid, signal.SIGKILL)
    assert follower.until("dead")["rebooted"] is False
    journal = host.folder.run("r").journal.read_bytes()
    whole = journal[: journal.rindex(b"\n") + 1]
    assert follower.journal_bytes() == whole
    assert [json.loads(line)["seq"] for line in whole.splitlines()] == list(range(whole.count(b"\n")))


def test_a_torn_last_line_is_not_delivered(host: Host) -> None:
    pid = host.start(spec("r"))["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for_death(pid)
    with host.folder.run("r").journal.open("ab") as journal:
        journal.write(b'{"seq":2,"t":1.0,"ki')
    follower = host.attach("r")
    assert follower.until("dead")["torn_bytes"] == 20
    assert follower.journal_bytes() == host.folder.run("r").journal.read_bytes()[:-20]


def test_a_run_from_before_a_reboot_is_told_from_one_that_died(host: Host) -> None:
    pid = host.start(spec("r"))["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for_death(pid)
    meta = host.folder.run("r").meta
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "boot_id": "another"}))
    assert host.state("r") == "rebooted"
    assert host.attach("r").until("dead")["rebooted"] is True


def test_an_agent_that_nobody_gives_work_or_looks_at_gives_up(host: Host) -> None:
    wait_for_death(host.start(spec("r"), "--idle-seconds", "0.06")["pid"])
    end = host.attach("r").until("RunEnded")
    assert end["reason"] == "idle"
    assert "nobody was attached" in end["detail"]
    assert host.start(spec("next"))["ok"]  # the device is free


def test_an_agent_without_work_stays_while_somebody_looks(host: Host) -> None:
    host.start(spec("r"), "--idle-seconds", "1.2")
    follower = host.attach("r")
    for _ in range(3):  # each a second: together longer than the 1.2 seconds after which it would give up
        follower.until("hb")
    follower.send(CLOSE)
    assert follower.until("RunEnded")["reason"] == "done"


def test_garbage_is_old_and_never_alive(host: Host) -> None:
    host.measure(spec("old"))
    host.measure(spec("young"))
    host.start(spec("alive"))
    for name in ("old", "alive"):
        os.utime(host.folder.run(name).journal, (0, 0))
    assert host.ask("gc", "--days", "1")["removed"] == ["old"]
    assert {run["run"]: run["state"] for run in host.ask("list")["runs"]} == {"alive": "running", "young": "done"}


def test_only_runs_whose_records_are_safe_elsewhere_are_garbage_where_that_is_asked(host: Host) -> None:
    """Whoever names them knows how old they are: by the clock of this host they may be of tomorrow."""
    for name, written in (("safe", time.time() + 1e7), ("unsafe", 0.0)):
        host.measure(spec(name))
        os.utime(host.folder.run(name).journal, (written, written))
    arguments = ("gc", "--days", "1", "--acknowledged")
    assert host.ask(*arguments, "--dry-run", stdin=b'["safe", "gone"]')["removed"] == ["safe"]
    assert len(host.ask("list")["runs"]) == 2
    assert host.ask(*arguments, stdin=b'["safe", "gone"]')["removed"] == ["safe"]
    assert [run["run"] for run in host.ask("list")["runs"]] == ["unsafe"]
    assert host.ask(*arguments, stdin=b"no list")["error"] == "acknowledged"


def test_old_agents_are_garbage_unless_a_run_was_started_by_them(host: Host) -> None:
    host.measure(spec("young"))
    run = host.folder.run("young")
    kept, idle, *fresh = (host.root / "agent" / f"{name}.pyz" for name in ("kept", "idle", "a", "b", "c"))
    kept.parent.mkdir()
    for path in (kept, idle, *fresh):
        path.touch()
    run.meta.write_text(json.dumps({**json.loads(run.meta.read_text()), "agent": str(kept)}))
    for path in (kept, idle):
        os.utime(path, (0, 0))
    assert host.ask("gc", "--days", "1")["removed"] == []
    assert [path.exists() for path in (kept, idle, *fresh)] == [True, False, True, True, True]
