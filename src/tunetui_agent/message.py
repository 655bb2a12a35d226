"""`dataclasses.dataclass` for messages, cheap to define: every process of the agent defines some fifty before it does anything.

The standard one writes and compiles six functions for each class, 0.5 ms in all; here all classes share theirs.  What they
make is a dataclass to everything that asks: ``fields``, ``asdict``, ``replace``, msgspec.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["message"]

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as message
else:

    def message(*, frozen: bool, kw_only: bool) -> Callable[[type], type]:
        """A frozen dataclass whose fields are given by name; no other kind, and no inheritance."""
        if not (frozen and kw_only):
            raise TypeError("a message is frozen, and its fields are given by name")
        return _defined


_NONE = dataclasses.MISSING


class _Message:
    """What all of them do."""

    _plan: list[tuple[str, Any, Any]]

    def __init__(self, **values: Any) -> None:
        held, given, missing = self.__dict__, 0, []
        for name, default, make in self._plan:  # in this order, so that all of a class share their dictionary's keys
            if name in values:
                held[name] = values[name]
                given += 1
            elif default is not _NONE:
                held[name] = default
            elif make is not _NONE:
                held[name] = make()
            else:
                missing.append(name)
        if missing:
            raise TypeError(f"{type(self).__name__}() misses {', '.join(missing)}")
        if given < len(values):
            unknown = values.keys() - {name for name, _, _ in self._plan}
            raise TypeError(f"{type(self).__name__}() has no {', '.join(sorted(unknown))}")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name, _, _ in self._plan)
        return f"{type(self).__qualname__}({shown})"

    def __eq__(self, other: object) -> bool:
        return _values(self) == _values(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(_values(self))

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


_SHARED = ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__")


def _defined(cls: type[Any]) -> type[Any]:
    dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=True)(cls)
    cls._plan = [(each.name, each.default, each.default_factory) for each in dataclasses.fields(cls)]
    for name in _SHARED:
        setattr(cls, name, _Message.__dict__[name])
    return cls


def _values(made: Any) -> tuple[Any, ...]:
    return tuple(getattr(made, name) for name, _, _ in made._plan)  # noqa: SLF001 - of the one class that has it
