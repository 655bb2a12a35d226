"""What of a grid can be set up, field by field: made from its text and its kernel, also where parts of it are wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tunetui.core.axis_values import is_range, read_values
from tunetui.core.decoding import METHOD_CHOICES
from tunetui.core.definitions import DEVICE_KINDS, ImplementationDefinition, Kernel, ProblemField
from tunetui.core.figures import count, setting
from tunetui.core.mistakes import Mistakes
from tunetui.core.toml_editing import Keys, toml_value
from tunetui_agent.messages import Method, Value

Kind = Literal["heading", "text", "several", "one", "flag", "item", "target", "host", "kernel", "fact"]
METHOD_SHOWN = ("cache", "precision_percent", "max_seconds", "max_samples", "finalists")
"""The fields of the method that are always there; others where the grid names them."""
BUDGET = {
    "minutes": "the run ends there",
    "trials": "a random sample of so many",
    "usd": "needs a price in the settings",
}
_TOGGLES_AT_MOST = 200


@dataclass(frozen=True)
class Field:
    """One line to set up: where it stands in the grid, what it may be and what it is."""

    keys: Keys
    label: str
    kind: Kind
    values: tuple[Value, ...] = ()  # to choose from
    on: tuple[bool, ...] = ()  # which of them are chosen
    text: str = ""  # as it would be typed
    note: str = ""
    place: int = -1  # in a list: which item; its length for one to come
    given: bool = False  # the grid says so, not the kernel


def read_plain(text: str) -> dict[str, Any]:
    """The grid's table; empty where the text is no TOML."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def fields_of(
    data: Mapping[str, Any],
    kernel: Kernel | None,
    offered: Mapping[Keys, Sequence[Value]],
    hosts: Sequence[tuple[str, str]],
    named_instead: str = "",
) -> list[Field]:
    """Every field in the order of the screen.

    ``offered`` are values that were once chosen and stay to be chosen again; ``hosts`` names and where each is named;
    ``named_instead`` is what of a command line takes the place of the grid's hosts.
    """
    found = [*_head(data, kernel)]
    if kernel is not None:
        found += _axes(data, kernel, offered)
    found += _constraints(data, kernel)
    found += [] if kernel is None else _problem(data, kernel, offered)
    found += [*_method(data), *_load(data), *_targets(data), *_budget(data), *_hosts(data, hosts, named_instead)]
    return found


def kind_of(data: Mapping[str, Any], kernel: Kernel) -> str:
    """The kind of device that the grid is for, as far as that shows."""
    named = data.get("device")
    if named in DEVICE_KINDS:
        return str(named)
    chosen = [kernel.implementations.get(str(name), {}) for name in _listed(data, "implementations")]
    kinds = [kind for kind in DEVICE_KINDS if all(kind in own for own in chosen or kernel.implementations.values())]
    return kinds[0] if kinds else DEVICE_KINDS[0]


def chosen_definitions(data: Mapping[str, Any], kernel: Kernel) -> dict[str, ImplementationDefinition]:
    """The implementations that the grid races, those of them that there are."""
    kind = kind_of(data, kernel)
    names = _listed(data, "implementations") if "implementations" in data else list(kernel.implementations)
    known = {str(name): kernel.implementations.get(str(name), {}).get(kind) for name in names}
    return {
        name: own for name, own in known.items() if own is not None and ("implementations" in data or not own.baseline)
    }


def _head(data: Mapping[str, Any], kernel: Kernel | None) -> Iterator[Field]:
    yield Field((), "Grid", "heading")
    yield Field(("name",), "name", "text", text=str(data.get("name", "")), note="part of the names of its files")
    summary = kernel.summary if kernel is not None else "Enter chooses one"
    yield Field(("kernel",), "kernel", "kernel", text=str(data.get("kernel", "")), note=summary)
    if kernel is None:
        return
    kinds = [kind for kind in DEVICE_KINDS if any(kind in own for own in kernel.implementations.values())]
    kind = kind_of(data, kernel)
    yield Field(("device",), "device", "one", tuple(kinds), tuple(each == kind for each in kinds))
    names = [name for name, own in kernel.implementations.items() if kind in own]
    chosen = chosen_definitions(data, kernel)
    stray = [str(name) for name in _listed(data, "implementations") if name not in names]
    yield Field(
        ("implementations",), "implementations", "several", (*names, *stray),
        tuple(name in chosen or name in stray for name in (*names, *stray)),
        text=", ".join(str(name) for name in (_listed(data, "implementations") or chosen)),
        note=_languages(kernel, names, kind), given="implementations" in data,
    )  # fmt: skip
    if any(own.baseline for kinds in kernel.implementations.values() for own in kinds.values()):
        joins = data.get("baselines", True) is not False
        yield Field(
            ("baselines",), "baselines", "flag", (True,), (joins,), note="libraries to measure the others against"
        )


def _languages(kernel: Kernel, names: Iterable[str], kind: str) -> str:
    return ", ".join(f"{name}: {kernel.implementations[name][kind].language}" for name in names)


# ------------------------------------------------------------------------------------------------- axes


def _axes(data: Mapping[str, Any], kernel: Kernel, offered: Mapping[Keys, Sequence[Value]]) -> Iterator[Field]:
    """Shared axes first, then those of each implementation; then what belongs to nobody."""
    chosen = chosen_definitions(data, kernel)
    written = _table(data, "axes")
    users: dict[Keys, list[str]] = {}
    for name, own in chosen.items():
        for axis in own.axes:
            users.setdefault(_axis_keys(name, axis, chosen, written), []).append(name)
    heading: list[str] = []
    for keys, names in sorted(users.items(), key=lambda one: (-len(one[1]), list(chosen).index(one[1][0]))):
        if names != heading:
            heading = names
            yield Field((), f"Axes of {', '.join(names)}", "heading")
        defaults = list(dict.fromkeys(value for name in names for value in chosen[name].axes[keys[-1]]))
        yield _values_field(keys, _at(data, keys), defaults, offered.get(keys, ()), "the kernel's own values")
    stray = [keys for keys in _written_axes(written) if keys not in users]
    if stray:
        yield Field((), "Axes that no chosen implementation has", "heading")
    for keys in stray:
        yield _values_field(keys, _at(data, keys), [], (), "")


def _axis_keys(
    name: str, axis: str, chosen: Mapping[str, ImplementationDefinition], written: Mapping[str, Any]
) -> Keys:
    """Where the values of an implementation's axis stand, or would."""
    own = written.get(name)
    if isinstance(own, dict) and not is_range(own) and axis in own:
        return "axes", name, axis
    if axis in written and (not isinstance(written[axis], dict) or is_range(written[axis])):
        return "axes", axis
    others = [each.axes[axis] for each in chosen.values() if axis in each.axes]
    return ("axes", axis) if all(each == others[0] for each in others) else ("axes", name, axis)


def _written_axes(written: Mapping[str, Any]) -> Iterator[Keys]:
    for key, value in written.items():
        if isinstance(value, dict) and not is_range(value):
            yield from (("axes", key, axis) for axis in value)
        else:
            yield "axes", key


def _values_field(keys: Keys, written: Any, defaults: Sequence[Value], offered: Sequence[Value], note: str) -> Field:
    """Values to switch on and off; ``written`` is what the grid says, None where it says nothing."""
    given = written is not None
    wrong = Mistakes("")
    chosen = read_values(written, keys, wrong, scalar_allowed=True) if given else list(defaults)
    if wrong.found:  # switching values of it would lose what stands there
        return Field(keys, keys[-1], "text", text=as_typed(written), note=note, given=given)
    values: list[Value] = (
        list(dict.fromkeys([*defaults, *offered, *chosen])) if _alike(defaults, offered, chosen) else chosen
    )
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        values = sorted(values)
    if len(values) > _TOGGLES_AT_MOST:
        shown = f"{count(len(chosen))} values: {', '.join(map(setting, chosen[:8]))}, ..."
        return Field(keys, keys[-1], "text", text=as_typed(written), note=shown, given=given)
    on = tuple(value in chosen for value in values)
    return Field(
        keys, keys[-1], "several", tuple(values), on, as_typed(written if given else chosen),
        "" if given else note, given=given,
    )  # fmt: skip


def _alike(*groups: Sequence[Value]) -> bool:
    """Whether values can stand side by side: True and 1 are equal, and so would be one."""
    return len({isinstance(value, bool) for group in groups for value in group}) <= 1


# ------------------------------------------------------------------------------------------- other parts


def _constraints(data: Mapping[str, Any], kernel: Kernel | None) -> Iterator[Field]:
    yield Field((), "Constraints", "heading")
    keys = ("constraints", "where")
    own = _table(data, "constraints").get("where")
    own = own if isinstance(own, list) else []
    for place, text in enumerate(own):
        yield Field(keys, "grid", "item", text=str(text), place=place, given=True)
    yield Field(keys, "+ add", "item", place=len(own), note="for example tile_size * 4 <= shared_memory_kb * 1024")
    if kernel is None:
        return
    for text in kernel.where:
        yield Field(("kernel", "where", text), "kernel", "fact", text=text)
    for name, definition in chosen_definitions(data, kernel).items():
        for text in definition.where:
            yield Field(("kernel", name, text), name, "fact", text=text)


def _problem(data: Mapping[str, Any], kernel: Kernel, offered: Mapping[Keys, Sequence[Value]]) -> Iterator[Field]:
    yield Field((), "Problem", "heading", note="a list is swept, each problem is ranked apart")
    written = _table(data, "problem")
    for name, own in kernel.problem.items():
        keys, value = ("problem", name), written.get(name)
        choices = _choices(own)
        if choices or isinstance(value, list):
            field = _values_field(keys, value, choices or [own.default], offered.get(keys, ()), "")
            on = field.on if value is not None else tuple(each == own.default for each in field.values)
            yield replace(field, on=on, text=as_typed(own.default if value is None else value), note=own.summary)
        else:
            text = as_typed(own.default if value is None else value)
            yield Field(keys, name, "text", text=text, note=own.summary, given=value is not None)
    for name, value in written.items():
        if name not in kernel.problem:
            yield Field(("problem", name), name, "text", text=as_typed(value), given=True)


def _choices(field: ProblemField) -> list[Value]:
    return list(field.choices or ([False, True] if field.type == "bool" else []))


def _method(data: Mapping[str, Any]) -> Iterator[Field]:
    yield Field((), "Method", "heading")
    written, usual = _table(data, "method"), Method()
    for name in dict.fromkeys([*METHOD_SHOWN, *written]):
        keys, value = ("method", name), written.get(name, getattr(usual, name, ""))
        if name in METHOD_CHOICES:
            choices = METHOD_CHOICES[name]
            yield Field(keys, name, "one", choices, tuple(each == value for each in choices), given=name in written)
        else:
            yield Field(
                keys, name, "text", text=as_typed(value), note=_METHOD_NOTES.get(name, ""), given=name in written
            )


_METHOD_NOTES = {
    "precision_percent": "measured until the median is known so well",
    "max_seconds": "of sampling for each configuration at most",
    "max_samples": "for each configuration at most",
    "finalists": "of each problem, raced at the end; 0: no race",
}


def _load(data: Mapping[str, Any]) -> Iterator[Field]:
    yield Field((), "Reliability", "heading", note="each problem's winner under load at the end, verified meanwhile")
    written = _table(data, "reliability")
    usual = () if "seconds" in written else ("minutes",)
    for name in dict.fromkeys([*usual, *written]):
        text = as_typed(written[name]) if name in written else ""
        note = "" if name in written else "without a break, for each problem; for example 5"
        yield Field(("reliability", name), name, "text", text=text, note=note, given=name in written)


def _targets(data: Mapping[str, Any]) -> Iterator[Field]:
    yield Field((), "Targets", "heading", note="what the best row of each problem must reach")
    for metric, bound in _table(data, "targets").items():
        yield Field(("targets", metric), "target", "target", text=f"{metric} {bound}", given=True)
    yield Field(("targets", ""), "+ add", "target", note="for example latency_ms.p95 < 50")


def _budget(data: Mapping[str, Any]) -> Iterator[Field]:
    yield Field((), "Budget", "heading")
    written = _table(data, "budget")
    for name in dict.fromkeys([*BUDGET, *written]):
        text = as_typed(written[name]) if name in written else ""
        yield Field(("budget", name), name, "text", text=text, note=BUDGET.get(name, ""), given=name in written)


def _hosts(data: Mapping[str, Any], hosts: Sequence[tuple[str, str]], named_instead: str) -> Iterator[Field]:
    note = f"{named_instead} is used, not these" if named_instead else "space chooses, a asks one for its devices"
    yield Field((), "Hosts", "heading", note=note)
    chosen = chosen_hosts(data)
    named = {name for name, _ in hosts}
    for name, source in [*hosts, *((name, "named here") for name in chosen if name not in named)]:
        yield Field(("hosts", name), name, "host", (name,), (name in chosen,), note=source)
    yield Field(("hosts", ""), "+ add", "host", note="an alias of ~/.ssh/config, NAME or USER@NAME:PORT")


def chosen_hosts(data: Mapping[str, Any]) -> list[str]:
    """The hosts that the grid names; this machine where it names none."""
    use = _table(data, "hosts").get("use")
    return [str(name) for name in use] if isinstance(use, list) and use else ["local"]


# ------------------------------------------------------------------------------------------------ details


def as_typed(value: Any) -> str:
    """A value as one would type it into a line: lists without brackets, words without quotes."""
    if isinstance(value, list):
        return ", ".join(_word(each) for each in value)
    return "" if value is None else _word(value)


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value if value.isidentifier() and value not in {"true", "false", "inf", "nan"} else toml_value(value)
    return setting(value) if isinstance(value, bool | int | float) else toml_value(value)


def _table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _listed(data: Mapping[str, Any], key: str) -> list[Any]:
    found = data.get(key)
    return found if isinstance(found, list) else []


def _at(data: Any, keys: Keys) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
