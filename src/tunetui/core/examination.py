"""What the doctor found on a host: the agent's checks, typed and made safe to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError

Status = Literal["ok", "warning", "failure", "n/a"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at; ``advice`` is one thing a line, commands after "$ ".

    A warning lets runs go on with worse figures or fewer rows; a failure stops them.
    """

    section: str
    name: str
    status: Status
    found: str
    advice: str = ""


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """A host's checks in the order in which they are best read."""

    host: str
    checks: list[Check]

    def count(self, status: Status) -> int:
        """How many checks ended so."""
        return sum(check.status == status for check in self.checks)


def decode_examination(answer: Mapping[str, Any]) -> Examination:
    """The agent's answer with every text cleaned.

    Raises:
        TunetuiError: it is not what the doctor answers with.
    """
    try:
        found = msgspec.convert(dict(answer), Examination)
    except msgspec.ValidationError as error:
        raise TunetuiError(f"the agent's doctor answered with something unexpected: {clean(str(error))}") from None
    checks = [
        Check(
            section=_one_line(check.section),
            name=_one_line(check.name),
            status=check.status,
            found=_one_line(check.found),
            advice=clean(check.advice),
        )
        for check in found.checks
    ]
    return Examination(host=_one_line(found.host), checks=checks)


def _one_line(text: str) -> str:
    return clean(" ".join(text.split()))
