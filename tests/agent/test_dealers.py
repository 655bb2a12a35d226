"""One follower at a time deals a run's trials; the others look on, and one may claim it when that one is gone."""

from __future__ import annotations

import os
import time

from tests.agent.agent_runs import CLOSE, Follower, Host, enqueue, spec
from tunetui_agent.dealers import dealer_of, note_of, present_dealer
from tunetui_agent.messages import CancelRun, encode_command


def claim(host: Host, client: str) -> str:
    answer = host.ask("recount", "--run", "r", "--claim", client)
    assert answer["ok"]
    return str(answer["dealer"])


def attached(host: Host, client: str) -> Follower:
    follower = host.attach("r", "--client", client)
    follower.until("attached")
    heard(host, client)
    return follower


def heard(host: Host, client: str) -> None:
    """As if it had just been heard of, however slow this machine is."""
    an_hour_ahead = time.time() + 3600.0
    os.utime(note_of(host.folder.run("r"), client), (an_hour_ahead, an_hour_ahead))


def test_a_run_is_dealt_by_who_began_it_until_that_one_is_gone(host: Host) -> None:
    host.start({**spec("r"), "dealer": "east"})
    east, west = attached(host, "east"), host.attach("r", "--client", "west")
    assert west.until("attached")["dealer"] == "east"
    heard(host, "west")
    assert claim(host, "west") == "east"
    assert host.ask("recount", "--run", "r")["dealer"] == "east"
    east.close()
    assert west.until("dealer")["dealer"] == ""
    assert host.ask("recount", "--run", "r")["dealer"] == ""
    assert claim(host, "west") == "west"
    assert west.until("dealer")["dealer"] == "west"
    assert claim(host, "north") == "west"


def test_commands_of_one_whose_run_was_claimed_meanwhile_are_refused_and_not_carried_out(host: Host) -> None:
    host.start({**spec("r"), "dealer": "east"})
    east = attached(host, "east")
    run = host.folder.run("r")
    os.utime(note_of(run, "east"), (0, 0))  # as if nothing had been heard of it for long
    assert present_dealer(run) == ""
    assert claim(host, "west") == "west"
    east.send(encode_command(CancelRun(command="too late")))
    assert east.until("error") == {"ctl": "error", "error": "dealt", "dealer": "west"}
    west = attached(host, "west")
    west.send(enqueue("does well"), CLOSE)
    records = west.records()
    assert [each["command"] for each in records if each["kind"] == "CommandAccepted"] == ["enqueue", "close"]
    assert records[-1]["reason"] == "done"


def test_one_that_says_again_that_it_is_there_is_there(host: Host) -> None:
    host.start({**spec("r"), "dealer": "east"})
    east, run = attached(host, "east"), host.folder.run("r")
    os.utime(note_of(run, "east"), (0, 0))
    west = host.attach("r", "--client", "west")
    assert west.until("dealer")["dealer"] == ""  # also to those that come when it is silent already
    assert east.until("dealer")["dealer"] == ""
    east.send(b"\n")
    assert east.until("dealer")["dealer"] == "east"
    east.send(b"\n")
    assert claim(host, "west") == "east"
    assert run.inbox.read_bytes() == b""


def test_a_run_without_a_dealer_takes_commands_of_anybody_and_is_claimed_by_the_first(host: Host) -> None:
    host.start(spec("r"))
    follower = attached(host, "somebody")
    assert dealer_of(host.folder.run("r")) == ""
    follower.send(enqueue("does well"))
    follower.until("TrialMeasured")
    assert claim(host, "west") == "west"


def test_a_claim_stands_while_whoever_made_it_is_about_to_attach(host: Host) -> None:
    host.start(spec("r"))
    assert claim(host, "east") == "east"
    dealer, an_hour_ahead = host.folder.run("r").dealer, time.time() + 3600.0
    os.utime(dealer, (an_hour_ahead, an_hour_ahead))
    assert claim(host, "west") == "east"
    os.utime(dealer, (0, 0))  # it never came
    assert claim(host, "west") == "west"


def test_trials_that_two_have_sent_are_measured_once(host: Host) -> None:
    host.start({**spec("r"), "dealer": "east"})
    east = attached(host, "east")
    east.send(enqueue("does well", "gives nan"))
    east.until("CommandAccepted")
    east.close()
    assert claim(host, "west") == "west"
    west = attached(host, "west")
    west.send(enqueue("does well", "gives nan").replace(b'"enqueue"', b'"again"'), CLOSE)
    records = west.records()
    assert sorted(each["kind"] for each in records if each["kind"] in {"TrialMeasured", "TrialFailed"}) == [
        "TrialFailed", "TrialMeasured",
    ]  # fmt: skip
    assert "again" in [each["command"] for each in records if each["kind"] == "CommandAccepted"]
