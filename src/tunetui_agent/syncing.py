"""Work for the disk beside whoever must not wait for it: on a rented machine one sync can take a tenth of a second."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Syncing:
    """One piece of work at a time, in a thread of its own; what went wrong is said to whoever asks next."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the last piece is still in work."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def has_failed(self) -> bool:
        """Whether `check` would raise."""
        return self._error is not None

    def begin(self, work: Callable[[], None]) -> None:
        """Have ``work`` done, which may raise OSError; nothing is to be in work."""
        self._thread = threading.Thread(target=self._do, args=(work,), name="sync", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise the OSError that a piece of work ended with."""
        if self._error is not None:
            raise self._error

    def wait(self) -> None:
        """Until nothing is in work."""
        if self._thread is not None:
            self._thread.join()

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            self._error = error
