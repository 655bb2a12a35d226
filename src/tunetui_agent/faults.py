"""The one exception by which anything on the way of a trial says how that trial failed."""

from __future__ import annotations

from tunetui_agent.messages import FAILURES


class TrialFault(Exception):
    """A trial cannot have a figure; `Evaluator` turns this into a `TrialFailed`.

    ``status`` is one of `FAILURES`, ``cause`` one line for people, ``detail`` a traceback or compiler output,
    ``quality`` what the check measured before it refused.
    """

    def __init__(self, status: str, cause: str, detail: str = "", quality: dict[str, float] | None = None) -> None:
        if status not in FAILURES:
            raise ValueError(f"{status!r} is no failure status; expected one of {', '.join(FAILURES)}")
        super().__init__(cause)
        self.status = status
        self.cause = " ".join(cause.split())
        self.detail = detail
        self.quality = quality or {}
