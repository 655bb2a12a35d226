"""The ledger on disk: torn lines, lost lines, several writers, and what it says of each."""

from __future__ import annotations

import itertools
import stat
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lambda_cloud.renting import ORDER, Renting
from tunetui.hosts.lambda_cloud.ledger import Ledger, apply

KINDS = ["LaunchAsked", "LaunchAccepted", "LaunchUnclear", "LaunchRefused", "InstanceSeen", "InstanceReady", "EndAsked"]
KINDS += ["EndAccepted", "InstanceGone", "NeverSeen", "WrittenByALaterVersion"]


def test_an_empty_place_has_no_entries(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "none").entries() == {}


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "lambda")
    ledger.write("LaunchAsked", "a", 1.0)
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700


def test_a_torn_line_costs_itself_only(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write("LaunchAsked", "a", 1.0)
    with ledger.path.open("ab") as file:
        file.write(b'{"kind":"LaunchAsk')
    ledger.write("LaunchAsked", "b", 2.0)
    ledger.path.write_bytes(b"\xff\x00 nonsense\n[[[\n7\n" + ledger.path.read_bytes())
    assert list(ledger.entries()) == ["a", "b"]


def test_an_entry_whose_first_line_is_lost_is_still_looked_for(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write("LaunchAccepted", "a", 5.0, instance="ab" * 16)
    [entry] = ledger.open_entries()
    assert (entry.instance, entry.asked_at) == ("ab" * 16, 5.0)


async def test_two_programs_write_to_it_side_by_side(renting: Renting) -> None:
    entries = [await renting.account().launch(ORDER) for _ in range(2)]
    assert [entry.name for entry in renting.ledger.open_entries()] == [entry.name for entry in entries]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(["", "ab" * 16])), max_size=8))
def test_whatever_is_written_about_a_name_it_stays_in_the_ledger(story: list[tuple[str, str]]) -> None:
    entries = {}  # type: ignore[var-annotated]
    for at, (kind, identity) in zip(itertools.count(1.0), story, strict=False):
        apply(entries, {"kind": kind, "t": at, "name": "a", "instance": identity})
    known = any(kind != KINDS[-1] for kind, _ in story)
    assert list(entries) == (["a"] if known else [])
    if story and story[-1][0] == "InstanceSeen":
        assert entries["a"].is_open  # what is seen alive may cost, whatever was thought of it
