"""Holds the app's journal against those of the agents it followed: every record once, and byte for byte the same."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Accounts:
    """What an app has of its agents, and whether it is what they wrote."""

    events: int = 0  # records of agents
    agents: int = 0
    outcomes: int = 0  # trials of the sweep, measured or failed
    wrong: list[str] = field(default_factory=list)  # everything that is not as it must be, in words

    @property
    def is_right(self) -> bool:
        """Every record once, byte for byte."""
        return not self.wrong


def taken_over(journal: Path) -> dict[str, list[bytes]]:
    """The raw records of each source, in the order in which they were kept; newline excluded."""
    found: dict[str, list[bytes]] = {}
    for line, envelope in _envelopes(journal):
        source = envelope["from"]
        head = b'{"from":' + json.dumps(source).encode() + b',"record":'
        if not line.startswith(head):
            raise ValueError(f"{journal}: an envelope is written in another way than expected: {line[:80]!r}")
        found.setdefault(source, []).append(line.removeprefix(head)[:-1])
    return found


def settle(journal: Path, cache: Path) -> Accounts:
    """Compare the app's journal with those below ``cache`` (the XDG_CACHE_HOME of the agents)."""
    accounts = Accounts()
    for source, lines in taken_over(journal).items():
        records = [json.loads(line) for line in lines]
        if [record["seq"] for record in records] != list(range(len(records))):
            accounts.wrong.append(f"{source}: records are not dense from 0")
        if source == "app":
            continue
        accounts.agents += 1
        accounts.events += len(lines)
        wrong = _held_against(lines, cache / "tunetui" / "runs" / source / "journal.jsonl")
        accounts.wrong += [f"{source}: {wrong}"] if wrong else []
        repeated = [command for command, count in _commands(records).items() if count > 1]
        accounts.wrong += [f"{source}: command {command} was carried out more than once" for command in repeated]
    again = _measured_again(journal)
    doubled = {trial: count for trial, count in outcomes(journal).items() if count > 1 + again[trial[0]]}
    accounts.outcomes = len(outcomes(journal))
    if doubled:
        accounts.wrong.append(f"{len(doubled)} trials have more than one outcome: {list(doubled)[:3]}")
    return accounts


def _envelopes(journal: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each line with what it says; one that a killed app left torn is none, as what it held is asked for again."""
    for line in journal.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            yield line, json.loads(line)


def _held_against(ours: list[bytes], journal: Path) -> str:
    """What is wrong with our copy of an agent's journal, or ""; a last line that a killed agent left torn is no record."""
    if not journal.exists():
        return "has no journal on the host"
    theirs, _, torn = journal.read_bytes().rpartition(b"\n")
    if b"\n".join(ours) == theirs and not (torn and b'"kind":"RunEnded"' in ours[-1]):
        return ""
    return f"{len(ours)} records here, {len(theirs.splitlines())} on the host, which are not the same"


def outcomes(journal: Path) -> Counter[tuple[str, str]]:
    """How often each trial of the sweep was measured or failed, by its id and provenance."""
    found: Counter[tuple[str, str]] = Counter()
    for _, envelope in _envelopes(journal):
        record = envelope["record"]
        if record["kind"] in {"TrialMeasured", "TrialFailed"} and record.get("stage", "sweep") == "sweep":
            found[record["trial"]["id"], record["trial"]["provenance"]] += 1
    return found


def _measured_again(journal: Path) -> Counter[str]:
    """How often the agents themselves took a row back, by the trial's id: the device was no longer what it was."""
    found: Counter[str] = Counter()
    for _, envelope in _envelopes(journal):
        if envelope["record"]["kind"] == "DriftNoticed":
            found.update(envelope["record"]["trials"])
    return found


def _commands(records: list[dict[str, object]]) -> Counter[str]:
    return Counter(str(record["command"]) for record in records if record["kind"] == "CommandAccepted")
