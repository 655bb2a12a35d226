"""``tunetui serve``: the app in a browser, through textual-serve."""

from __future__ import annotations

import argparse
import shlex
import sys
from importlib.util import find_spec

from tunetui.core.errors import ExitCode, TunetuiError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run_serve(parsed: argparse.Namespace) -> int:
    """Serve until interrupted.

    Raises:
        TunetuiError: textual-serve is not installed, or the address cannot be used.
    """
    if find_spec("textual_serve") is None:
        raise TunetuiError("textual-serve is not installed", hint="pip install 'tunetui[serve]'")
    from textual_serve.server import Server

    if parsed.bind not in _LOOPBACK:
        print(
            f"warning: anybody who reaches {parsed.bind}:{parsed.port} can use this app as you; there is no password",
            file=sys.stderr,
        )
    command = shlex.join([sys.executable, "-m", "tunetui", *parsed.app])
    try:
        Server(command, host=parsed.bind, port=parsed.port, title="tunetui").serve()
    except OSError as error:
        raise TunetuiError(f"cannot listen on {parsed.bind}:{parsed.port}: {error.strerror or error}") from None
    return ExitCode.OK
