"""A cloud that follows Lambda's API reference, in memory: instances that boot and end in its own time, and faults on demand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.lambda_cloud.shapes import ANSWERS, ERROR, REQUESTS, follows

KEY = "secret_test_0123456789abcdef.0123456789abcdef"
TOKEN = "jupyter-token-that-nobody-may-see"  # noqa: S105
Fault = Literal[
    "429", "429 later", "500", "502 page", "503 empty", "lost", "reset", "reset after", "held", "late",
    "malformed", "empty", "wrong shape", "redirect", "provider", "409",
]  # fmt: skip
BEFORE: tuple[Fault, ...] = ("429", "429 later", "500", "502 page", "503 empty", "reset", "redirect", "provider", "409")
"""The request has no effect."""
AFTER: tuple[Fault, ...] = ("lost", "reset after", "malformed", "empty", "wrong shape", "held")
"""It has, and nobody hears of it."""
QUICK = tuple(fault for fault in AFTER if fault != "held")
"""Without the one that a client has to give up on."""
LATE: tuple[Fault, ...] = ("late",)
"""No answer, and the effect comes some time later."""
US_WEST = {"name": "us-west-1", "description": "California, USA"}
US_SOUTH = {"name": "us-south-1", "description": "Texas, USA"}
SPECS = {"vcpus": 30, "memory_gib": 200, "storage_gib": 1400, "gpus": 1}


@dataclass
class Reply:
    """What goes back; ``how`` says whether it does."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    how: Literal["whole", "never", "reset", "held"] = "whole"


@dataclass
class Machine:
    """One instance as the cloud keeps it."""

    id: str
    name: str
    type: str
    region: dict[str, str]
    ssh_keys: list[str]
    since: float
    user_data: str = ""
    ending_since: float | None = None
    forced: str = ""  # a status whatever the time


def instance_type(name: str, cents: int, description: str = "1x A10 (24 GB PCIe)") -> dict[str, Any]:
    return {
        "name": name, "description": description, "gpu_description": description[3:], "price_cents_per_hour": cents,
        "specs": SPECS,
    }  # fmt: skip


def image(family: str) -> dict[str, Any]:
    time = "2026-01-01T00:00:00+00:00"
    return {
        "id": "43336648-096d-4cba-9aa2-f9bb7727639d", "created_time": time, "updated_time": time, "name": family,
        "description": "Ubuntu", "family": family, "version": "1.0", "architecture": "x86_64", "region": US_WEST,
    }  # fmt: skip


class Cloud:
    """An account.  Every request and its effect is kept, so that a test can say what must not have happened."""

    boot_seconds, ip_seconds, end_seconds = 200.0, 150.0, 40.0
    unlisted_seconds = 0.0
    """After its launch an instance is in no list, and its id is not found."""
    late_seconds = 45.0

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.types: dict[str, tuple[dict[str, Any], list[dict[str, str]]]] = {
            "gpu_1x_a10": (instance_type("gpu_1x_a10", 129), [US_WEST, US_SOUTH]),
            "gpu_1x_h100_pcie": (instance_type("gpu_1x_h100_pcie", 329, "1x H100 (80 GB PCIe)"), []),
        }
        self.keys = [{"id": "ddf9a910ceb744a0bb95242cbba6cb50", "name": "mine", "public_key": "ssh-ed25519 AAAA me"}]
        self.machines: dict[str, Machine] = {}
        self.ip = "203.0.113.7"
        self.refuse: list[tuple[int, str]] = []  # statuses and codes of the launches to come
        self.faults: list[tuple[str, Fault]] = []  # of the next request whose "METHOD /path" begins so
        self.requests: list[str] = []
        self.launches: list[str] = []  # names, as often as a launch of them arrived
        self.pending: list[tuple[float, Callable[[], Any]]] = []
        self.at: list[tuple[float, str]] = []  # when which request came
        self.headers: list[dict[str, str]] = []

    # ---------------------------------------------------------------------------------- what a test does

    def alive(self) -> list[Machine]:
        """Instances that cost."""
        self._pass_time()
        return [
            machine for machine in self.machines.values() if self.status(machine) not in ("terminated", "preempted")
        ]

    def add(self, name: str, status: str = "") -> Machine:
        """An instance that somebody else launched."""
        identity = f"{len(self.machines) + 0xABC:032x}"
        machine = Machine(identity, name, "gpu_1x_a10", US_WEST, ["mine"], self.now(), forced=status)
        self.machines[identity] = machine
        return machine

    def end_behind_our_back(self, machine: Machine) -> None:
        machine.forced = "terminated"

    def forget(self, machine: Machine) -> None:
        """Its id is not known any more."""
        del self.machines[machine.id]

    # ---------------------------------------------------------------------------------- the API

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """One request."""
        self._pass_time()
        line = f"{method} {path.removeprefix('/api/v1')}"
        self.requests.append(line)
        self.at.append((self.now(), line))
        self.headers.append(headers)
        if line == "POST /instance-operations/launch":
            self.launches.append(str(json.loads(body).get("name")))
        fault = self._fault(line)
        if fault in BEFORE:
            return _broken(fault)
        if fault in LATE:
            self.pending.append((self.now() + self.late_seconds, lambda: self._answer(line, headers, body)))
            return Reply(0, how="never")
        reply = self._answer(line, headers, body)
        return reply if fault is None else _garbled(fault, reply)

    def _fault(self, line: str) -> Fault | None:
        for number, (start, fault) in enumerate(self.faults):
            if line.startswith(start):
                del self.faults[number]
                return fault
        return None

    def _pass_time(self) -> None:
        due = [effect for at, effect in self.pending if at <= self.now()]
        self.pending = [(at, effect) for at, effect in self.pending if at > self.now()]
        for effect in due:
            effect()

    def _answer(self, line: str, headers: dict[str, str], body: bytes) -> Reply:
        if headers.get("authorization") != f"Bearer {KEY}":
            return error(
                401, "global/invalid-api-key", "API key was invalid, expired, or deleted.", "Check your API key."
            )
        asked = json.loads(body) if body else {}
        if line in REQUESTS:
            follows(asked, REQUESTS[line])
        one = re.fullmatch(r"GET /instances/([0-9a-f]+)", line)
        if one:
            machine = self.machines.get(one[1])
            if machine is None or not self._listed(machine):
                return error(404, "global/object-does-not-exist", "Specified instance does not exist.")
            return answer("GET /instances/{id}", self.shown(machine))
        match line:
            case "GET /instances":
                return answer(line, [self.shown(m) for m in self.machines.values() if self._listed(m)])
            case "GET /instance-types":
                items = self.types.items()
                data = {k: {"instance_type": t, "regions_with_capacity_available": r} for k, (t, r) in items}
                return answer(line, data)
            case "GET /images":
                return answer(line, [image(family) for family in ("lambda-stack-22-04", "lambda-stack-24-04")])
            case "GET /ssh-keys":
                return answer(line, self.keys)
            case "POST /ssh-keys":
                self.keys.append({"id": f"{len(self.keys):032x}", **asked})
                return answer(line, self.keys[-1])
            case "POST /instance-operations/launch":
                return self._launch(line, asked)
            case "POST /instance-operations/terminate":
                return self._terminate(line, asked["instance_ids"])
        return error(404, "global/not-found", "Not found.")

    def _launch(self, line: str, asked: dict[str, Any]) -> Reply:
        if self.refuse:
            status, code = self.refuse.pop(0)
            return error(status, code, "Refused.", "Contact Support." if "quota" in code else "")
        kind = self.types.get(asked["instance_type_name"])
        region = next((r for r in (US_WEST, US_SOUTH) if r["name"] == asked["region_name"]), None)
        if kind is None or region is None or asked["ssh_key_names"][0] not in [key["name"] for key in self.keys]:
            return error(404, "global/object-does-not-exist", "Specified resource does not exist.", "Check it.")
        identity = f"{len(self.machines) + 0xF00:032x}"
        self.machines[identity] = Machine(
            identity, asked["name"], asked["instance_type_name"], region, asked["ssh_key_names"], self.now(),
            asked.get("user_data", ""),
        )  # fmt: skip
        return answer(line, {"instance_ids": [identity]})

    def _terminate(self, line: str, identities: list[str]) -> Reply:
        found = [
            self.machines[each] for each in identities if each in self.machines and self._listed(self.machines[each])
        ]
        if not found:
            return error(404, "global/object-does-not-exist", "Specified instance does not exist.")
        for machine in found:
            if machine.ending_since is None:
                machine.ending_since = self.now()
        return answer(line, {"terminated_instances": [self.shown(machine) for machine in found]})

    def _listed(self, machine: Machine) -> bool:
        gone = machine.ending_since is not None and self.now() - machine.ending_since > 2 * self.end_seconds
        return self.now() - machine.since >= self.unlisted_seconds and not gone

    def status(self, machine: Machine) -> str:
        if machine.forced in ("terminated", "preempted"):
            return machine.forced
        if machine.ending_since is not None:
            return "terminating" if self.now() - machine.ending_since < self.end_seconds else "terminated"
        if machine.forced:
            return machine.forced
        return "booting" if self.now() - machine.since < self.boot_seconds else "active"

    def shown(self, machine: Machine) -> dict[str, Any]:
        """As the API shows it, with a secret and a field that no reference knows."""
        available = {"available": True}
        found = {
            "id": machine.id, "name": machine.name, "status": self.status(machine), "ssh_key_names": machine.ssh_keys,
            "file_system_names": [], "region": machine.region, "instance_type": self.types[machine.type][0],
            "actions": dict.fromkeys(("migrate", "rebuild", "restart", "cold_reboot", "terminate"), available),
            "jupyter_token": TOKEN, "jupyter_url": f"https://jupyter.example/?token={TOKEN}", "mood": {"new": ["field"]},
        }  # fmt: skip
        if self.now() - machine.since >= self.ip_seconds:
            found["ip"] = self.ip
        return found


def answer(line: str, data: Any) -> Reply:
    """A success, of the shape that is documented for it."""
    follows(data, ANSWERS[line])
    return Reply(200, json.dumps({"data": data}).encode())


def error(status: int, code: str, message: str, suggestion: str = "") -> Reply:
    said = {"error": {"code": code, "message": message, **({"suggestion": suggestion} if suggestion else {})}}
    follows(said, ERROR)
    return Reply(status, json.dumps(said).encode())


def _broken(fault: Fault) -> Reply:
    match fault:
        case "429":
            return Reply(429)
        case "429 later":
            return Reply(429, headers={"Retry-After": "7"})
        case "500":
            return error(500, "global/internal-error", "An internal server error occurred.", "Try again later.")
        case "502 page":
            return Reply(502, b"<html>Bad gateway</html>")
        case "503 empty":
            return Reply(503)
        case "provider":
            return error(503, "provider/internal-unavailable", "Provider unavailable", "Try again shortly")
        case "409":
            return error(409, "global/conflict", "Conflict.")
        case "redirect":
            return Reply(301, headers={"Location": "https://elsewhere.example/api/v1"})
        case _:
            return Reply(0, how="reset")


def _garbled(fault: Fault, reply: Reply) -> Reply:
    match fault:
        case "malformed":
            return Reply(reply.status, reply.body[: len(reply.body) // 2])
        case "empty":
            return Reply(200)
        case "wrong shape":
            return Reply(200, b'{"data": 7}')
        case "held":
            return Reply(0, how="held")
        case _:
            return Reply(0, how="reset" if fault == "reset after" else "never")
