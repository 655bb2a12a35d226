"""What can go wrong, as one family, and the exit codes that the command line answers with."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for scripts."""

    OK = 0
    """All targets met, or none asked."""
    TARGET_MISSED = 1
    """A target was missed, or a regression was found."""
    BAD_INPUT = 2
    """A file, an option or a value is wrong; nothing was run."""
    UNAVAILABLE = 3
    """A host or a device cannot be used, or a file cannot be written."""
    NOTHING_MEASURED = 4
    """No configuration could be measured."""
    BUDGET_ENDED = 5
    """The budget ended before the sweep did; what was measured is saved."""
    UNDECIDED = 6
    """A regression can neither be shown nor excluded with what was measured."""
    WRONG = 7
    """verify: the winner's result is wrong here."""
    OTHER_KERNEL = 8
    """verify: the kernel here is not the one that won."""
    INTERRUPTED = 130
    """Interrupted by the user; what was measured is saved."""


class TunetuiError(Exception):
    """Anything tunetui says no to: one message, one hint what to do, one exit code."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(TunetuiError):
    """A file or an option that cannot be used as it is."""

    exit_code = ExitCode.BAD_INPUT


class AwayError(TunetuiError):
    """A host that does not answer at this moment: to try again may help."""


class ExpressionError(InputError):
    """A constraint, geometry or metric expression that cannot be used; ``expression`` is its text."""

    def __init__(self, message: str, *, expression: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.expression = expression
