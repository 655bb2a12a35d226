"""Dataclasses as JSON lines and back; knows no message by name."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints


def line_of(event: Any, **head: Any) -> bytes:
    """One line, newline included: ``head``, the kind, then the fields.  Raises ValueError at figures that are not finite."""
    record = {**head, "kind": type(event).__name__, **asdict(event)}
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def event_of(record: Any, kinds: dict[str, type[Any]]) -> Any:
    """The message in parsed JSON, one of ``kinds``.  Raises ValueError where it is none of them."""
    if not isinstance(record, dict) or record.get("kind") not in kinds:
        raise ValueError(f"unknown message: {str(record)[:200]}")
    return build(kinds[record["kind"]], record)


def build(cls: type[Any], data: Any) -> Any:
    """A dataclass from a dict; unknown fields are ignored so that a newer app can talk to an older agent."""
    if not is_dataclass(cls) or not isinstance(data, dict):
        raise ValueError(f"{cls.__name__} must be an object, found {type(data).__name__}")
    nested = _nested(cls)
    values: dict[str, Any] = {}
    for item in fields(cls):
        if item.name not in data:
            continue
        value, inner = data[item.name], nested.get(item.name)
        if inner and isinstance(value, list):
            value = [build(inner, part) for part in value]
        elif inner:
            value = build(inner, value)
        values[item.name] = value
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{cls.__name__}: {error}") from None


@cache
def _nested(cls: type[Any]) -> dict[str, type[Any]]:
    """The fields that hold other dataclasses, alone or in lists."""
    found = {}
    for name, hint in get_type_hints(cls).items():
        inner = next((part for part in (hint, *get_args(hint)) if isinstance(part, type) and is_dataclass(part)), None)
        if inner is not None:
            found[name] = inner
    return found
