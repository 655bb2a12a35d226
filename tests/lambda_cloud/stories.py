"""Random stories of a user, a cloud with faults and a tunetui that may be killed at any moment: what must hold in each of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.lambda_cloud.cloud import BEFORE, KEY, LATE, QUICK, Cloud, Fault, Machine, Reply
from tests.lambda_cloud.renting import ORDER, Clock
from tunetui.core.errors import TunetuiError
from tunetui.hosts.lambda_cloud.account import Account
from tunetui.hosts.lambda_cloud.api import LambdaApi, Pacer, Sends
from tunetui.hosts.lambda_cloud.key import ApiKey
from tunetui.hosts.lambda_cloud.ledger import Ledger
from tunetui.hosts.lambda_cloud.wire import Answer, NoAnswerError, NotSentError

FAULTS: tuple[Fault, ...] = (*BEFORE, *QUICK, *LATE)
"""A reply that is held is the same as a lost one, only slower."""
STATUSES = ("unhealthy", "hibernating", "", "active")
REFUSALS = (
    (400, "instance-operations/launch/insufficient-capacity"), (400, "global/quota-exceeded"),
    (403, "global/account-inactive"), (400, "global/invalid-parameters"),
)  # fmt: skip
LAUNCH = "POST /instance-operations/launch"


class Killed(BaseException):
    """The end of tunetui's process at this very point."""


class Direct:
    """The cloud without a network in between."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        reply: Reply = self._cloud.handle(method, path, {"authorization": f"Bearer {KEY}"}, body or b"")
        if reply.how != "whole":
            raise NoAnswerError(reply.how)
        wait = reply.headers.get("Retry-After")
        redirect = "elsewhere" if 300 <= reply.status < 400 else ""
        return Answer(reply.status, reply.body, float(wait) if wait else None, redirect)


class Story:
    """One seed's: faults on some requests, a kill here and there, until `end`."""

    def __init__(self, seed: int, folder: Path, make_wire: Callable[[Cloud], Sends] = Direct) -> None:
        self.dice = random.Random(seed)
        self.clock, self.folder = Clock(), folder
        self.cloud = Cloud(self.clock.now)
        self.cloud.unlisted_seconds = self.dice.choice([0.0, 0.0, 20.0, 90.0])
        self.cloud.late_seconds = self.dice.choice([1.0, 20.0, 60.0, 400.0, 1500.0])
        self.fault_rate, self.kill_rate = self.dice.choice([0.05, 0.2, 0.5]), self.dice.choice([0.0, 0.02, 0.08])
        self.counts: Counter[str] = Counter()
        self.theirs: list[Machine] = []
        self.ended: set[str] = set()  # by us, confirmed
        self._wire = make_wire(self.cloud)
        handle = self.cloud.handle

        def looked_after(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
            if path.endswith("/launch"):
                name = json.loads(body)["name"]
                assert name in Ledger(folder).entries(), "a launch that is not in the ledger"
            if self.dice.random() < self.fault_rate:
                fault = self.dice.choice(FAULTS)
                self.counts[fault] += 1
                self.cloud.faults = [("", fault)]
            return handle(method, path, headers, body)

        self.cloud.handle = looked_after  # type: ignore[method-assign]

    # ---------------------------------------------------------------------------------- what happens

    def account(self) -> Account:
        """A tunetui that has just started."""
        wire = _MortalWire(self._wire, self._dies)
        api = LambdaApi(wire, clock=self.clock, pacer=Pacer())
        return Account(api, _MortalLedger(self.folder, self._dies), ApiKey(KEY).mark, clock=self.clock)

    def _dies(self) -> bool:
        if self.dice.random() >= self.kill_rate:
            return False
        self.counts["killed"] += 1
        return True

    async def run(self, steps: int) -> None:
        """Some steps, then the end; raises AssertionError where something does not hold."""
        for _ in range(steps):
            step = self.dice.choice([self._launch, self._launch, self._survey, self._terminate, self._gc, self._life])
            with contextlib.suppress(Killed, TunetuiError):
                await step()
            self.clock.time += self.dice.choice([0.0, 5.0, 60.0, 600.0])
            self.check()
        await self._end()

    async def _launch(self) -> None:
        self.counts["launches"] += 1
        if self.dice.random() < 0.2:
            self.cloud.refuse.append(self.dice.choice(REFUSALS))
        before = len(self.cloud.launches)
        try:
            await self.account().launch(ORDER)
        finally:
            assert len(self.cloud.launches) <= before + 1, "a launch was sent twice"

    async def _survey(self) -> None:
        await self.account().survey()
        self._check_all_known()

    async def _terminate(self) -> None:
        known = Ledger(self.folder).open_entries()
        if known:
            await self._end_one(self.account(), self.dice.choice(known).name)

    async def _gc(self) -> None:
        account = self.account()
        found = await account.survey()
        for entry in found.entries:
            if entry.instance in found.instances:
                await self._end_one(account, entry.name)

    async def _end_one(self, account: Account, name: str) -> None:
        over = await account.terminate(name)
        self.counts["terminated"] += 1
        assert over.instance not in {machine.id for machine in self.cloud.alive()}, "said to be gone, and is not"

    async def _life(self) -> None:
        """What others do, and the cloud by itself."""
        if self.dice.random() < 0.3:
            self.theirs.append(self.cloud.add(f"tunetui-1x-a10-{self.dice.randrange(1 << 32):08x}-t1"))
            return
        own = [machine for machine in self.cloud.alive() if machine not in self.theirs]
        if own:
            machine = self.dice.choice(own)
            match self.dice.randrange(4):
                case 0:
                    self.cloud.end_behind_our_back(machine)
                case 1:
                    machine.forced = "preempted"
                case 2 if self.clock.now() - machine.since > 1000.0:
                    self.cloud.forget(machine)
                case _:
                    machine.forced = self.dice.choice(STATUSES)

    async def _end(self) -> None:
        """Everything works again: what was launched is found and ended, and nothing else."""
        self.fault_rate = self.kill_rate = 0.0
        self.cloud.refuse.clear()
        self.clock.time += 3600.0
        self.cloud.alive()  # what was late comes now, and is in no list at first
        self.clock.time += 3600.0
        for machine in self.cloud.alive():
            if machine not in self.theirs:
                machine.forced = ""
        await self._gc()
        self.check()
        assert [machine.name for machine in self.cloud.alive() if machine not in self.theirs] == []
        assert Ledger(self.folder).open_entries() == []

    # ---------------------------------------------------------------------------------- what must hold

    def check(self) -> None:
        """After every step."""
        assert all(count == 1 for count in Counter(self.cloud.launches).values()), "a launch was sent twice"
        entries = Ledger(self.folder).entries()
        for machine in self.cloud.alive():
            if machine in self.theirs:
                assert machine.ending_since is None, "a machine of somebody else was ended"
                continue
            entry = entries.get(machine.name)
            assert entry is not None, "an instance that the ledger does not know"
            if not entry.is_open:  # given up, and come to life only then: the next list shows it
                assert entry.state == "never seen", f"an instance that is alive is taken for {entry.state}"
                assert entry.gone_at is not None
                assert machine.since > entry.gone_at - self.cloud.unlisted_seconds

    def _check_all_known(self) -> None:
        """After a list that came through."""
        known = {entry.instance for entry in Ledger(self.folder).open_entries()}
        listed = [machine for machine in self.cloud.alive() if self.cloud._listed(machine)]
        assert {machine.id for machine in listed if machine not in self.theirs} <= known


class _MortalWire:
    """Before a request leaves, or before its answer is read, the program may be killed."""

    def __init__(self, wire: Sends, dies: Callable[[], bool]) -> None:
        self._wire, self._dies = wire, dies

    async def send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        if self._dies():
            raise Killed
        sending: Awaitable[Answer] = self._wire.send(method, path, body)
        try:
            answer = await sending
        except (NotSentError, NoAnswerError):
            if self._dies():
                raise Killed from None
            raise
        if self._dies():
            raise Killed
        return answer


class _MortalLedger(Ledger):
    """Killed before a line is written, in its middle, or after it."""

    def __init__(self, folder: Path, dies: Callable[[], bool]) -> None:
        super().__init__(folder)
        self._dies = dies

    def write(self, kind: str, name: str, at: float, **fields: Any) -> None:
        if self._dies():
            if self.path.exists():
                with self.path.open("ab") as file:
                    file.write(json.dumps({"kind": kind, "name": name}).encode()[:17])
            raise Killed
        super().write(kind, name, at, **fields)
        if self._dies():
            raise Killed


def tell(seed: int, folder: Path, *, steps: int = 12, make_wire: Callable[[Cloud], Sends] = Direct) -> Story:
    """One story to its end; an AssertionError names its seed."""
    story = Story(seed, folder, make_wire)
    try:
        asyncio.run(story.run(steps))
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    return story
