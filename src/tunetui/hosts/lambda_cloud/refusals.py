"""What Lambda Cloud says no with, in plain words and with what to do about it."""

from __future__ import annotations

import json
from typing import Any, Literal

from tunetui.core.errors import TunetuiError
from tunetui.core.labels import one_line
from tunetui.hosts.lambda_cloud.wire import Answer

Kind = Literal["capacity", "quota", "key", "account", "rate", "passing", "gone", "request", "network", "unclear"]
_KINDS: dict[str, Kind] = {
    "instance-operations/launch/insufficient-capacity": "capacity",
    "global/quota-exceeded": "quota",
    "global/invalid-api-key": "key",
    "global/account-inactive": "account",
    "global/invalid-address": "account",
    "global/forbidden": "account",
    "global/object-does-not-exist": "gone",
    "global/not-found": "gone",
    "global/internal-error": "passing",
    "global/conflict": "unclear",
    "global/duplicate": "unclear",
}
_BY_STATUS: dict[int, Kind] = {401: "key", 403: "account", 404: "gone", 408: "passing", 409: "unclear", 429: "rate"}
_WORDS: dict[Kind, tuple[str, str]] = {
    "capacity": (
        "no machine of this type is free there now",
        "nothing was launched and nothing costs; another region or type (tunetui lambda types), or the same again later",
    ),
    "quota": (
        "the account may not have more instances of this type",
        "nothing was launched; tunetui lambda list shows what runs, Lambda's support raises the limit",
    ),
    "key": (
        "the key is not accepted: it is wrong, or was deleted",
        "make one at https://cloud.lambda.ai/api-keys and set LAMBDA_API_KEY",
    ),
    "account": (
        "the account may not do this",
        "another key does not help: the dashboard (https://cloud.lambda.ai) says what the account lacks",
    ),
    "rate": ("too many requests", "other programs may use the same key; wait a minute"),
    "passing": ("it has a problem of its own", "try again in a few minutes"),
    "gone": ("there is no such thing there (any more)", "tunetui lambda list shows what there is"),
    "request": ("it does not accept this request", "it says what is wrong with it; nothing was done"),
    "network": ("it cannot be reached", "is there a network, and does it let https through?"),
    "unclear": ("its answer makes no sense", "try again; the dashboard (https://cloud.lambda.ai) shows what there is"),
}
_LONGEST_CODE = 80


class LambdaError(TunetuiError):
    """Lambda Cloud said no, or nothing.  ``kind`` says what can be done, ``code`` is Lambda's own word.

    ``short`` is the message without who said it; ``words`` stand in it instead of the usual ones.
    """

    def __init__(
        self, kind: Kind, said: str = "", *, code: str = "", words: str | None = None, hint: str | None = None
    ) -> None:
        usual, what_to_do = _WORDS[kind]
        self.short = f"{words or usual}{f' ({said})' if said else ''}"
        super().__init__(f"Lambda Cloud: {self.short}", hint=what_to_do if hint is None else hint)
        self.kind, self.code = kind, code
        self.retry_after_seconds: float | None = None

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.kind in {"rate", "passing", "network", "unclear"}


def refusal_of(answer: Answer) -> LambdaError:
    """The error that an answer other than 200 stands for; one without a body too."""
    if answer.redirect:
        return LambdaError(
            "unclear",
            f"it points to {answer.redirect}, where the key is not sent",
            hint="is something between this machine and Lambda Cloud?",
        )
    code, message, suggestion = _said(answer.body)
    error = LambdaError(_kind(answer.status, code), _in_short(answer.status, code, message), code=code)
    if suggestion:
        error.hint = f"{error.hint}\nLambda says: {suggestion}".strip()
    error.retry_after_seconds = answer.retry_after_seconds
    return error


def is_final(answer: Answer) -> bool:
    """Whether a launch that was answered so has certainly not happened: refused by name, in words of the API."""
    code = _said(answer.body)[0]
    if not 400 <= answer.status < 500 or answer.status in {408, 409, 429} or not code:
        return False
    return _kind(answer.status, code) in {"capacity", "quota", "key", "account", "gone", "request"}


def _kind(status: int, code: str) -> Kind:
    if code in _KINDS:
        return _KINDS[code]
    if code.startswith("provider/") or status >= 500:
        return "passing"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "request" if 400 <= status < 500 else "unclear"


def _said(body: bytes) -> tuple[str, str, str]:
    """Code, message and suggestion; empty where there is none."""
    try:
        whole: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", "", ""
    error = whole.get("error") if isinstance(whole, dict) else None
    if not isinstance(error, dict):
        return "", "", ""
    texts = [error.get(key) for key in ("code", "message", "suggestion")]
    code, message, suggestion = (one_line(text)[:300] if isinstance(text, str) else "" for text in texts)
    return code[:_LONGEST_CODE], message, suggestion


def _in_short(status: int, code: str, message: str) -> str:
    return ": ".join(part for part in (code or f"HTTP {status}", message) if part)
