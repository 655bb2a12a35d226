"""What typing into a field, switching one of its values, or leaving it out makes of a grid's text."""

from __future__ import annotations

import re
from typing import Any

from tunetui.core.definitions import Kernel
from tunetui.core.overrides import read_value
from tunetui.core.toml_editing import with_item, with_value, without_value
from tunetui.tui.setup_fields import Field, chosen_hosts, kind_of, read_plain

_TARGET = re.compile(r"\s*(.+?)\s*((?:<=|>=|==|<|>).*)", re.DOTALL)
_WORDS = frozenset({("name",), ("kernel",)})


def typed(text: str, field: Field, entry: str) -> str:
    """The grid with what was typed in a field; nothing typed leaves it out.

    Raises:
        InputError: nothing between two commas, or a text that cannot be changed safely.
    """
    entry = entry.strip()
    if field.kind == "host":
        return _with_host(text, entry, on=True) if entry else text
    if not entry:
        return left_out(text, field)
    if field.kind == "item":
        return with_item(text, field.keys, field.place, entry)
    if field.kind == "target":
        metric, bound = _target(entry)
        text = text if field.keys == ("targets", metric) or not field.given else without_value(text, field.keys)
        return with_value(text, ("targets", metric), bound)
    value: Any = entry if field.keys in _WORDS else read_value(field.keys, entry, ".".join(field.keys))
    return with_value(text, field.keys, value)


def switched(text: str, field: Field, place: int, kernel: Kernel | None) -> str:
    """The grid with one value of a field chosen, or not any more.  Raises InputError as `typed`."""
    if field.kind == "host":
        return _with_host(text, str(field.values[place]), on=not field.on[place])
    if field.kind == "flag":
        return with_value(text, field.keys, not field.on[place])
    if field.kind == "one":
        changed = with_value(text, field.keys, field.values[place])
        return _fitting(changed, kernel) if field.keys == ("device",) and kernel is not None else changed
    on = [chosen != (at == place) for at, chosen in enumerate(field.on)]
    values = [value for value, chosen in zip(field.values, on, strict=True) if chosen]
    if field.keys[0] == "problem" and len(values) == 1:
        return with_value(text, field.keys, values[0])
    return with_value(text, field.keys, values)


def left_out(text: str, field: Field) -> str:
    """The grid without a field: what the kernel says applies again.  Raises InputError as `typed`."""
    if field.kind == "item":
        return with_item(text, field.keys, field.place) if field.given else text
    if field.kind == "host":
        return _with_host(text, field.label, on=False) if field.values else text
    if field.kind in {"fact", "heading"} or field.keys in _WORDS:
        return text
    return without_value(text, field.keys)


def _with_host(text: str, name: str, *, on: bool) -> str:
    chosen = [each for each in chosen_hosts(read_plain(text)) if each != name] + ([name] if on else [])
    keys = ("hosts", "use")
    return without_value(text, keys) if chosen in (["local"], []) else with_value(text, keys, chosen)


def _fitting(text: str, kernel: Kernel) -> str:
    """Without a list of implementations that the device chosen just now has not."""
    data = read_plain(text)
    named, kind = data.get("implementations"), kind_of(data, kernel)
    lacking = isinstance(named, list) and any(kind not in kernel.implementations.get(str(name), {}) for name in named)
    return without_value(text, ("implementations",)) if lacking else text


def _target(entry: str) -> tuple[str, str]:
    found = _TARGET.fullmatch(entry)
    return (found[1].strip('"'), found[2].strip()) if found else (entry, "")
