"""How often this process looks for cyclic garbage: rarely, as it makes little, and not at its end, where the system takes all."""

from __future__ import annotations

import atexit
import gc

_YOUNG_OBJECTS = 10_000
"""What a command loads at its start are some 50 000 objects, all of which stay."""
_as_before = gc.get_threshold()


def collect_rarely() -> None:
    """To be called before anything is loaded: the start of a command then takes a tenth less."""
    gc.set_threshold(_YOUNG_OBJECTS, *_as_before[1:])
    atexit.register(gc.freeze)


def collect_as_usual() -> None:
    """As Python does, where a kernel's arrays may hang in cycles."""
    gc.set_threshold(*_as_before)
