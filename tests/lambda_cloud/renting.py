"""tunetui's side of a rented machine for a test: an account over real HTTP, a ledger in a folder, and a clock of its own."""

from __future__ import annotations

from pathlib import Path

from tests.lambda_cloud.cloud import KEY, Cloud
from tunetui.hosts.lambda_cloud.account import Account, Order
from tunetui.hosts.lambda_cloud.api import LambdaApi, Pacer
from tunetui.hosts.lambda_cloud.key import ApiKey
from tunetui.hosts.lambda_cloud.ledger import Ledger
from tunetui.hosts.lambda_cloud.wire import Wire, server_of

ORDER = Order(type="gpu_1x_a10", region="us-west-1", usd_per_hour=1.29, ssh_key="mine")
PATIENCE_SECONDS = 5.0
"""For an answer that does not come; whoever sends one sends it at once."""


class Clock:
    """Passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_795_000_000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class Renting:
    """One user of the cloud."""

    def __init__(self, url: str, folder: Path, cloud: Cloud, clock: Clock) -> None:
        self.url, self.folder, self.cloud, self.clock = url, folder, cloud, clock
        self.said: list[str] = []

    @property
    def ledger(self) -> Ledger:
        """As a tunetui that starts just now finds it."""
        return Ledger(self.folder)

    def api(self, key: str = KEY) -> LambdaApi:
        wire = Wire(server_of(self.url), ApiKey(key), answer_seconds=PATIENCE_SECONDS)
        return LambdaApi(wire, clock=self.clock, pacer=Pacer())

    def account(self, key: str = KEY) -> Account:
        """A tunetui that starts just now."""
        return Account(self.api(key), self.ledger, ApiKey(key).mark, clock=self.clock)
