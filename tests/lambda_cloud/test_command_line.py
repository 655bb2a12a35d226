"""``tunetui lambda`` as its user runs it: what is said, what is asked, and what is never done without a yes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.lambda_cloud.cloud import Reply, instance_type
from tests.lambda_cloud.renting import Clock
from tests.lambda_cloud.users import PUBLIC, YES, User


def test_types_are_shown_with_price_and_the_regions_that_have_one(user: User) -> None:
    assert user.run("lambda", "types") == 0
    a10, h100 = user.out.splitlines()[-2:]
    assert a10.split()[:2] == ["gpu_1x_a10", "1.29"]
    assert a10.endswith("us-west-1, us-south-1")
    assert h100.split()[:2] == ["gpu_1x_h100_pcie", "3.29"]
    assert user.run("lambda", "types", "--available", "--json") == 0
    assert [each["name"] for each in json.loads(user.out)["types"]] == ["gpu_1x_a10"]


def test_without_a_key_it_is_said_what_to_do(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMBDA_API_KEY")
    assert user.run("lambda", "list") == 2
    assert "set LAMBDA_API_KEY, or write it to" in user.err


def test_a_key_that_is_not_accepted_is_said_to_be_so(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_API_KEY", "secret_wrong_0123456789")
    assert user.run("lambda", "list") == 3
    assert "the key is not accepted" in user.err
    assert "secret_wrong" not in user.err


def test_a_launch_at_a_terminal_shows_the_price_and_asks(user: User) -> None:
    assert user.run("lambda", "launch", "gpu_1x_a10", "--no-wait", answers="yes\n") == 0
    assert "$1.29 an hour" in user.err.partition("Launch it for $1.29 an hour (yes/no)?")[0]
    [machine] = user.cloud.alive()
    assert user.out.strip() == machine.name
    assert machine.ssh_keys == ["mine"]


@pytest.mark.parametrize("answer", ["no\n", "\n", "", "yeah why not\n"])
def test_anything_but_a_yes_launches_nothing(user: User, answer: str) -> None:
    assert user.run("lambda", "launch", "gpu_1x_a10", answers=answer) == 2
    assert user.cloud.launches == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nobody can be asked"),
        (("--yes",), "agrees to a price: which?"),
        (("--yes", "--max-usd-per-hour", "1.5"), "a host key that nobody knows"),
        (("--yes", "--max-usd-per-hour", "1.28", "--accept-new-host-key"), "more than the $1.28 of --max-usd-per-hour"),
        ((*YES, "--ssh-key", "unknown"), "knows no SSH key 'unknown'"),
        ((*YES, "--ssh-key", "~/.ssh/id_ed25519.pub.old"), ""),
    ],
)
def test_a_script_agrees_to_a_price_in_so_many_words_or_launches_nothing(
    user: User, words: tuple[str, ...], said: str
) -> None:
    assert user.run("lambda", "launch", "gpu_1x_a10", *words) == 2
    assert said in user.err
    assert user.cloud.launches == []


def test_the_price_of_the_moment_counts_not_that_of_before(user: User) -> None:
    regions = user.cloud.types["gpu_1x_a10"][1]
    user.cloud.types["gpu_1x_a10"] = (instance_type("gpu_1x_a10", 151), regions)
    assert user.run("lambda", "launch", "gpu_1x_a10", *YES) == 2
    assert user.cloud.launches == []


def test_ctrl_c_during_a_launch_waits_for_its_answer_and_says_what_costs(user: User) -> None:
    launch = user.cloud._launch

    def interrupted(line: str, asked: dict[str, Any]) -> Reply:
        os.kill(os.getpid(), signal.SIGINT)
        return launch(line, asked)

    user.cloud._launch = interrupted  # type: ignore[method-assign]
    assert user.run("lambda", "launch", "gpu_1x_a10", *YES) == 130
    [entry] = user.ledger.open_entries()
    assert entry.state == "rented"
    assert f"kept        {entry.name} goes on costing $1.29 an hour" in user.err


def test_what_is_not_free_is_said_with_where_it_is(user: User) -> None:
    assert user.run("lambda", "launch", "gpu_1x_a10@mars-north-1", *YES) == 3
    assert "free just now: us-west-1, us-south-1" in user.err
    user.cloud.refuse.append((400, "instance-operations/launch/insufficient-capacity"))
    assert user.run("lambda", "launch", "gpu_1x_a10", *YES) == 3
    assert "nothing was launched and nothing costs" in user.err
    assert user.run("lambda", "list") == 0
    assert user.out == "no machines\n"


def test_the_better_image_is_asked_for_where_there_is_one(user: User) -> None:
    bodies: list[dict[str, Any]] = []
    launch = user.cloud._launch

    def noted(line: str, asked: dict[str, Any]) -> Reply:
        bodies.append(asked)
        return launch(line, asked)

    user.cloud._launch = noted  # type: ignore[method-assign]
    user.launched()
    assert user.run("lambda", "launch", "gpu_1x_a10@us-south-1", "--no-wait", *YES) == 0
    assert [body.get("image") for body in bodies] == [{"family": "lambda-stack-24-04"}, None]


def test_a_public_key_that_the_account_does_not_know_is_told_to_it(user: User) -> None:
    own = user.folder / "new.pub"
    own.write_text("ssh-ed25519 BBBB new")
    for _ in range(2):
        assert user.run("lambda", "launch", "gpu_1x_a10", "--no-wait", "--ssh-key", str(own), *YES) == 0
    assert [key["public_key"] for key in user.cloud.keys] == [PUBLIC, "ssh-ed25519 BBBB new"]
    assert {machine.ssh_keys[0] for machine in user.cloud.alive()} == {user.cloud.keys[1]["name"]}


def test_a_private_key_is_sent_nowhere(user: User) -> None:
    own = user.folder / "mine.pub"
    own.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
    assert user.run("lambda", "launch", "gpu_1x_a10", "--ssh-key", str(own), *YES) == 2
    assert "is a private key, which is sent nowhere" in user.err


def test_the_list_shows_ours_with_their_cost_and_those_of_others(user: User) -> None:
    name = user.launched()
    user.cloud.add("theirs\x1b[2J")
    assert user.run("lambda", "list") == 0
    ours, theirs = user.out.splitlines()[-2:]
    assert name in ours
    assert "starting for" in ours  # Lambda says that it boots
    assert "theirs\\x1b[2J" in theirs
    assert "not launched from here" in theirs
    assert user.run("lambda", "list", "--json") == 0
    assert [row["launched_here"] for row in json.loads(user.out)["machines"]] == [True, False]


def test_an_end_is_asked_about_and_confirmed(user: User) -> None:
    name = user.launched()
    assert user.run("lambda", "terminate", name) == 2
    assert user.run("lambda", "terminate", "tunetui-1x", answers="no\n") == 0
    assert len(user.cloud.alive()) == 1
    assert user.run("lambda", "terminate", "tunetui-1x", answers="yes\n") == 0
    assert f"terminated  {name}: gone" in user.err
    assert user.cloud.alive() == []
    assert user.run("lambda", "terminate", name, "--yes") == 0
    assert "gone already" in user.err


def test_an_end_that_cannot_be_confirmed_is_an_exit_code_and_a_line_that_is_seen(user: User) -> None:
    name = user.launched()
    user.cloud.end_seconds = 1e9
    assert user.run("lambda", "terminate", name, "--yes") == 3
    assert "NOT ENDED" in user.err
    assert "it may still cost" in user.err


def test_gc_ends_what_was_launched_from_here_and_nothing_else(user: User, clock: Clock) -> None:
    user.launched()
    user.cloud.faults.append(("POST /instance-operations/launch", "late"))  # whose reply and whose start are late
    assert user.run("lambda", "launch", "gpu_1x_a10", *YES) == 3
    assert "do not launch again before" in user.err
    other = user.cloud.add("tunetui-1x-a10-00000000-t1")
    clock.time += 60
    assert user.run("lambda", "gc", "--dry-run") == 0
    assert user.out.count("would be terminated: $1.29 an hour") == 2
    assert user.run("lambda", "gc", "--yes") == 0
    assert user.out.count("is left: it may be starting") == 2
    assert user.run("lambda", "gc", "--yes", "--idle", "0") == 0
    assert [machine.id for machine in user.cloud.alive()] == [other.id]
    assert user.ledger.open_entries() == []


def test_gc_without_questions_leaves_what_was_at_work_a_moment_ago(user: User, clock: Clock) -> None:
    name = user.launched()
    user.ledger.write("InstanceReady", name, clock.now())
    clock.time += 300
    assert user.run("lambda", "gc", "--yes") == 0
    assert f"{name} is left: it has had no work for 5 min only" in user.out
    clock.time += 400
    assert user.run("lambda", "gc", "--yes") == 0
    assert user.cloud.alive() == []


def test_a_machine_that_is_unhealthy_is_said_to_cost(user: User) -> None:
    user.cloud.boot_seconds = 1e9
    launch = user.cloud._launch

    def sick(line: str, asked: dict[str, Any]) -> Reply:
        reply = launch(line, asked)
        user.cloud.alive()[-1].forced = "unhealthy"
        return reply

    user.cloud._launch = sick  # type: ignore[method-assign]
    assert user.run("lambda", "launch", "gpu_1x_a10", *YES) == 3
    assert "is unhealthy" in user.err
    assert "it costs until it is terminated: tunetui lambda terminate tunetui-1x-a10-" in user.err


def test_one_that_never_starts_is_not_waited_for_for_ever(user: User) -> None:
    user.cloud.boot_seconds = 1e9
    assert user.run("lambda", "launch", "gpu_1x_a10", *YES) == 3
    assert "is not active after 25 min" in user.err


def test_a_batch_says_what_is_wrong_with_its_grid_before_it_launches(user: User) -> None:
    grid = user.folder / "grid.toml"
    grid.write_text('name = "x"\nkernel = "nothing"\n')
    assert user.run("--batch", str(grid), "--host", "lambda:gpu_1x_a10", *YES) == 2
    assert user.run("--batch", str(grid), "--host", "lambda:gpu_1x_a10", "--dry-run", *YES) == 2
    assert user.run("--batch", str(grid), "--host", "lambda:", *YES) == 2
    assert user.run("--batch", str(grid), "--host", "lambda:gpu_1x_a10", "--detach", "--terminate-when-done", *YES) == 2
    assert user.run("--batch", str(grid), "--host", "box", "--terminate-when-done") == 2
    assert "none of these hosts is one" in user.err
    assert user.cloud.requests == []


def test_where_the_second_of_two_machines_is_refused_the_first_is_not_left_unmentioned(user: User) -> None:
    grid = Path(__file__).parents[2] / "grids" / "quickstart.toml"
    hosts = ("--host", "lambda:gpu_1x_a10", "--host", "lambda:gpu_1x_h100_pcie")
    words = ("--batch", str(grid), "-o", str(user.folder / "out"), *hosts, *YES)
    assert user.run(*words) == 3
    [machine] = user.cloud.alive()
    assert f"kept        {machine.name} goes on costing $1.29 an hour" in user.err
    assert user.run(*words, "--terminate-when-done") == 3
    assert user.cloud.alive() == [machine]
    assert len(user.cloud.launches) == 2


def test_two_machines_of_one_type_are_two_machines(user: User) -> None:
    grid = Path(__file__).parents[2] / "grids" / "quickstart.toml"
    user.cloud.boot_seconds = 1e9  # so that it goes no further
    hosts = ("--host", "lambda:gpu_1x_a10", "--host", "lambda:gpu_1x_a10")
    assert user.run("--batch", str(grid), "-o", str(user.folder / "out"), *hosts, *YES) == 3
    assert len(user.cloud.alive()) == 2
    assert user.err.count("goes on costing $1.29 an hour") == 2
