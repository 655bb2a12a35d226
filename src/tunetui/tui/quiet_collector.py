"""Cyclic garbage collected when nobody types: a full collection of a big run takes longer than a frame may."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 5_000
YOUNG_COLLECTIONS = 5
"""So few that neither takes longer than a frame; what is drawn leaves some thousand objects a second to be collected."""
NEVER = 1_000_000

FULL_EVERY_S = 60.0
QUIET_FOR_S = 2.0
AT_LEAST_EVERY_S = 300.0


class QuietCollector:
    """Young objects are collected by Python as ever; old ones only here, and what is left is set aside (frozen).

    Rows and events hold no cycles and go when they are replaced; screens and widgets that were closed do.
    """

    def __init__(self) -> None:
        self.full_collections = 0
        self._thresholds = gc.get_threshold()
        self._collected_at = float("inf")  # not before `begin`
        self._disturbed_at = 0.0

    def begin(self, now: float) -> None:
        """After the first paint: what start-up made stays for good, and need not be looked at again."""
        self._thresholds = gc.get_threshold()
        gc.enable()
        gc.set_threshold(YOUNG_OBJECTS, YOUNG_COLLECTIONS, NEVER)
        gc.freeze()
        self._collected_at = now

    def end(self) -> None:
        """Leave things as they are by default."""
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def disturbed(self, now: float) -> None:
        """The user did something, and waits for what it causes."""
        self._disturbed_at = now

    def is_quiet(self, now: float) -> bool:
        """Whether nobody did anything for a while."""
        return now - self._disturbed_at >= QUIET_FOR_S

    def tick(self, now: float) -> bool:
        """Collect if it is time and nobody would notice; whether it was done."""
        waited_s = now - self._collected_at
        if waited_s < FULL_EVERY_S or not (self.is_quiet(now) or waited_s >= AT_LEAST_EVERY_S):
            return False
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._collected_at = now
        self.full_collections += 1
        return True
