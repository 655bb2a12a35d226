"""Strings that try to steer a terminal, to be read as markup, or to break a layout, put wherever text comes from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAYLOADS = {
    "markup": "[b]MKP[/b] tail",
    "link": "[@click=app.quit]CLK[/] tail",
    "broken": "x[/nope] BRK",
    "escape": "e\x1b]52;c;cHduZWQ=\x07\x1b[31mESC",
    "c1": "c\x9b31mC1",
    "bidi": "a\u202egnp.exe\u200b BIDI",
    "controls": "one\rtwo\x08\x07\x00 CTL",
    "wide": "幅広い文字列" * 20,
}
NEVER_ON_A_TERMINAL = ("\x1b]52", "\x9b", "\u202e", "\u200b", "\x07", "\x08", "\x00")


def hostile_journal(journal: Path, target: Path, payload: str) -> Path:
    """A recorded journal in which everything that a host or a file could have written is hostile."""
    lines = []
    for text in journal.read_text(encoding="utf-8").splitlines():
        line: Any = json.loads(text)
        _poison(line["record"], payload)
        lines.append(json.dumps(line))
    failed = dict(json.loads(lines[-2]))
    measured = next(json.loads(each) for each in lines if '"TrialMeasured"' in each)
    trial = dict(measured["record"]["trial"], id="f" * 16)
    source, seq = measured["from"], failed["record"]["seq"]
    extra: list[dict[str, Any]] = [
        {"kind": "NoticeRaised", "code": "x", "text": payload},
        {"kind": "TrialFailed", "trial": trial, "status": "crashed", "cause": payload, "detail": payload},
    ]
    queued = {
        "from": "app",
        "record": {"seq": 90, "t": measured["record"]["t"], "kind": "TrialsQueued", "trials": [trial]},
    }
    lines.insert(-2, json.dumps(queued))
    for place, record in enumerate(extra):
        lines.insert(
            -2, json.dumps({"from": source, "record": {"seq": seq + place, "t": failed["record"]["t"], **record}})
        )
    target.write_text("\n".join([*lines[:-2], lines[-1]]) + "\n", encoding="utf-8")
    return target


def _poison(record: dict[str, Any], payload: str) -> None:
    kind = record["kind"]
    if kind == "RunPlanned":
        record["name"] = record["grid"]["name"] = payload
        record["axes"] = {f"{payload}{name}"[:200]: axes for name, axes in record["axes"].items()}
    elif kind == "AgentStarted":
        record["host"] = record["platform"] = payload
    elif kind == "DeviceFound":
        record["device"]["name"] = payload
        record["device"]["details"]["model"] = payload
    elif kind == "BuildFinished":
        record["log"] = payload
    elif kind == "TrialMeasured":
        record["tags"] = [payload]
        record["resources"] = {payload[:40]: payload}
        record["trial"] = _poisoned_trial(record["trial"], payload)
    elif kind in {"TrialStarted", "TrialFailed"}:
        record["trial"] = _poisoned_trial(record["trial"], payload)
    elif kind == "TrialsQueued":
        record["trials"] = [_poisoned_trial(trial, payload) for trial in record["trials"]]
    elif kind == "ProvenanceRecorded":
        record["fields"] = {payload: payload, **record["fields"]}


def _poisoned_trial(trial: dict[str, Any], payload: str) -> dict[str, Any]:
    configuration = dict(trial["configuration"])
    if "select" in configuration:
        configuration["select"] = payload
    return trial | {"implementation": f"{payload}{trial['implementation']}", "configuration": configuration}
