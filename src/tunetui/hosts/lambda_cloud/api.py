"""Lambda Cloud's calls: paced, asked again where that does no harm, and a launch never more than once."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass
from typing import Any, Protocol

from tunetui.hosts.lambda_cloud.refusals import LambdaError, is_final, refusal_of
from tunetui.hosts.lambda_cloud.shapes import (
    AccountKey,
    Instance,
    InstanceType,
    account_keys,
    ended_ids,
    image_families,
    instance,
    instance_types,
    instances,
    is_id,
    launched_ids,
)
from tunetui.hosts.lambda_cloud.wire import Answer, NoAnswerError, NotSentError

GAP_SECONDS, LAUNCH_GAP_SECONDS = 1.05, 12.5
"""Lambda allows one request a second and one launch in 12 seconds."""
TRIES = 5
_FIRST_PAUSE_SECONDS, _RATE_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 10.0, 60.0
_PREFIX = "/api/v1"


class Sends(Protocol):
    """The way to the server."""

    async def send(self, method: str, path: str, body: bytes | None = None) -> Answer: ...


class Clock(Protocol):
    """Time, which tests may tell."""

    def now(self) -> float:
        """Seconds since the epoch."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The time of this machine."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Pacer:
    """When the next request may go out.  One for each process, whatever the number of clients."""

    def __init__(self) -> None:
        self._next = self._next_launch = 0.0

    def wait_seconds(self, now: float, *, launch: bool) -> float:
        """How long to wait; the time after that is taken."""
        at = min(max(now, self._next, self._next_launch if launch else now), now + LAUNCH_GAP_SECONDS)
        self._next = at + GAP_SECONDS
        if launch:
            self._next_launch = at + LAUNCH_GAP_SECONDS
        return at - now


_OF_THIS_PROCESS = Pacer()


@dataclass(frozen=True)
class LaunchRequest:
    """One machine to be rented; ``name`` must be one that was never used before."""

    name: str
    type: str
    region: str
    ssh_key: str
    image_family: str = ""  # "": what Lambda takes by itself

    def body(self) -> bytes:
        """As the API wants it."""
        fields: dict[str, Any] = {
            "region_name": self.region,
            "instance_type_name": self.type,
            "ssh_key_names": [self.ssh_key],
            "name": self.name,
        }
        if self.image_family:
            fields["image"] = {"family": self.image_family}
        return json.dumps(fields).encode()


class UncertainLaunchError(Exception):
    """A launch was sent and it is not known what became of it; the text says why."""


class LambdaApi:
    """The calls that tunetui makes."""

    def __init__(self, wire: Sends, *, clock: Clock | None = None, pacer: Pacer | None = None) -> None:
        self._wire, self._clock, self._pacer = wire, clock or SystemClock(), pacer or _OF_THIS_PROCESS

    async def types(self) -> list[InstanceType]:
        """Every type with its price and the regions that say they have one.  Raises LambdaError."""
        return instance_types(await self._ask("GET", "/instance-types"))

    async def instances(self) -> list[Instance]:
        """The account's instances, except those long gone.  Raises LambdaError."""
        found = instances(await self._ask("GET", "/instances"))
        if found is None:
            raise LambdaError("unclear", "the list of instances is none")
        return found

    async def instance(self, identity: str) -> Instance | None:
        """One instance; None where Lambda says that there is none.  Raises LambdaError."""
        if not is_id(identity):
            return None
        try:
            found = instance(await self._ask("GET", f"/instances/{identity}"))
        except LambdaError as error:
            if error.kind == "gone" and error.code:
                return None
            raise
        if found is None or found.id != identity:
            raise LambdaError("unclear", "the answer is about no instance, or about another")
        return found

    async def ssh_keys(self) -> list[AccountKey]:
        """The public keys that can be put on a new machine.  Raises LambdaError."""
        return account_keys(await self._ask("GET", "/ssh-keys"))

    async def add_ssh_key(self, name: str, public_key: str) -> None:
        """Tell the account a public key.  Raises LambdaError."""
        await self._ask("POST", "/ssh-keys", {"name": name, "public_key": public_key}, again=False)

    async def image_families(self, region: str) -> set[str]:
        """Families of the images that a machine in ``region`` can start from.  Raises LambdaError."""
        return image_families(await self._ask("GET", "/images"), region)

    async def terminate(self, identity: str) -> bool:
        """Ask for the end of an instance, which may be asked twice; whether the answer names it.

        That it ended is for `instance` to say.  Raises LambdaError; of kind "gone" where there is no such instance.
        """
        said = await self._ask("POST", "/instance-operations/terminate", {"instance_ids": [identity]})
        return identity in ended_ids(said)

    async def launch(self, request: LaunchRequest) -> list[str]:
        """Send a launch, once, whatever happens; the ids of what was launched, one as a rule.

        Raises:
            LambdaError: it was refused, or not sent: nothing was launched.
            UncertainLaunchError: anything else.  It must not be sent again.
        """
        await self._pace(launch=True)
        try:
            answer = await self._wire.send("POST", f"{_PREFIX}/instance-operations/launch", request.body())
        except NotSentError as error:
            raise LambdaError("network", str(error)) from None
        except NoAnswerError as error:
            raise UncertainLaunchError(str(error)) from None
        if answer.status != 200:
            refusal = refusal_of(answer)
            if is_final(answer):
                raise refusal
            raise UncertainLaunchError(refusal.short)
        found = launched_ids(_data(answer))
        if not found:
            raise UncertainLaunchError("the answer names no instance")
        return found

    # ---------------------------------------------------------------------------------- details

    async def _pace(self, *, launch: bool = False) -> None:
        wait = self._pacer.wait_seconds(self._clock.now(), launch=launch)
        if wait > 0:
            await self._clock.sleep(wait)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, again: bool = True) -> Any:
        """The data of an answer; asked again after what passes, if ``again``."""
        content = None if body is None else json.dumps(body).encode()
        tries = TRIES if again else 1
        for number in range(1, tries + 1):
            await self._pace()
            try:
                return await self._once(method, _PREFIX + path, content)
            except LambdaError as error:
                if not error.passes or number == tries:
                    raise
                pause_seconds = _pause_seconds(number, error)
            await self._clock.sleep(pause_seconds)
        raise AssertionError

    async def _once(self, method: str, path: str, content: bytes | None) -> Any:
        try:
            answer = await self._wire.send(method, path, content)
        except (NotSentError, NoAnswerError) as error:
            raise LambdaError("network", str(error)) from None
        if answer.status != 200:
            raise refusal_of(answer)
        data = _data(answer)
        if data is None:
            raise LambdaError("unclear", "the answer is no JSON, or has no data")
        return data


def _data(answer: Answer) -> Any:
    """The data of an answer; None where there is none."""
    try:
        whole = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return whole.get("data") if isinstance(whole, dict) else None


def _pause_seconds(number: int, error: LambdaError) -> float:
    """Before the next try: what Lambda asks for, else ever longer."""
    if error.retry_after_seconds is not None:
        return min(error.retry_after_seconds, _LONGEST_PAUSE_SECONDS)
    first = _RATE_PAUSE_SECONDS if error.kind == "rate" else _FIRST_PAUSE_SECONDS
    return min(first * 2.0 ** (number - 1), _LONGEST_PAUSE_SECONDS) * random.uniform(0.75, 1.0)
