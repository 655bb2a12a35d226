"""The command line: arguments in, exit code out, every refusal said in one place."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tunetui.core.errors import ExitCode, TunetuiError

__all__ = ["main"]

_BROKEN_PIPE = 128 + 13
"""What a shell shows for a program whose reader has left (128 + SIGPIPE)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the program's own) and return its exit code."""
    from tunetui.cli.commands import dispatch

    _never_fail_on_characters()
    if argv is None:
        _leave_without_tidying()
    try:
        code = dispatch(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        _remind(argv)
    except TunetuiError as error:
        _say_no(error)
        _remind(argv)
        return int(error.exit_code)
    except BrokenPipeError:
        # What is still buffered has no reader; pointing the descriptor elsewhere keeps the interpreter's exit quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        sys.stderr.write("\ntunetui: interrupted\n")
        return int(ExitCode.INTERRUPTED)
    return code


def _leave_without_tidying() -> None:
    """At the end the system takes the memory back in one piece: to look through all of it first takes several times as long."""
    import atexit
    import gc

    atexit.register(gc.freeze)


def _remind(argv: Sequence[str] | None) -> None:
    """Of rented machines; who deals with them knows of them."""
    from tunetui.cli.reminding import remind

    if "lambda" not in (sys.argv[1:] if argv is None else argv)[:1]:
        remind()


def _say_no(error: TunetuiError) -> None:
    from tunetui.cli.narration import literal

    lines = literal(error.message).splitlines() or [type(error).__name__]
    text = "\n".join([f"tunetui: error: {lines[0]}", *(f"  {line}" for line in lines[1:])])
    hint = "".join(f"\n  {line}" for line in literal(error.hint).splitlines())
    sys.stdout.flush()
    sys.stderr.write(f"{text}{hint}\n")


def _never_fail_on_characters() -> None:
    """A terminal that cannot show a character gets its escape, not a traceback."""
    import io

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
