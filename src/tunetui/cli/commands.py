"""Which commands there are and how a command line finds its own."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import NoReturn

from tunetui.cli.arguments import (
    attach,
    build,
    compare,
    doctor,
    export,
    gc,
    importing,
    insight,
    lambda_cloud,
    program,
    runs,
    serve,
    show,
    size,
    stop,
    verify,
)
from tunetui.cli.arguments.command import Command
from tunetui.core.errors import InputError


def dispatch(argv: Sequence[str]) -> int:
    """Run the command that ``argv`` names; options alone belong to the program itself.

    Raises:
        TunetuiError: the command line is wrong, or what it asked for could not be done.
    """
    if argv and not argv[0].startswith("-") and not _is_file(argv[0]):
        name = argv[0]
        if name not in COMMANDS:
            raise _unknown(name)
        command = COMMANDS[name]
        parser = Parser(name, command.description, command.examples)
        command.declare(parser)
        return _parsed(parser, argv[1:], command.run)
    parser = Parser("", program.DESCRIPTION, program.epilog({name: c.summary for name, c in COMMANDS.items()}))
    program.declare_program(parser)
    return _parsed(parser, argv, _run_program)


class Parser(argparse.ArgumentParser):
    """argparse with tunetui's errors, and examples kept as they were typed."""

    def __init__(self, command: str, description: str, examples: str) -> None:
        self.command = command
        super().__init__(
            prog=f"tunetui {command}".rstrip(),
            description=description,
            epilog=examples,
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Refuse the command line the way everything else is refused."""
        raise InputError(message, hint=f"{self.prog} --help shows what can be said")


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26)


def _parsed(parser: Parser, argv: Sequence[str], run: Callable[[argparse.Namespace], int]) -> int:
    try:
        parsed = parser.parse_args(argv, argparse.Namespace(argv=list(argv)))
    except SystemExit as ended:  # --help and --version print and leave
        return int(ended.code or 0)
    return run(parsed)


def _run_program(parsed: argparse.Namespace) -> int:
    if parsed.batch is None:
        from tunetui.cli.app import open_app

        return open_app(parsed)
    if parsed.file is not None or parsed.replay:
        raise InputError(
            "--batch draws no app", hint="leave --batch away to open a file or a replay, or leave those away to measure"
        )
    from tunetui.cli.batch import run_batch

    return run_batch(parsed)


def _is_file(name: str) -> bool:
    """Whether the first argument is a file to open rather than the name of a command."""
    return name not in COMMANDS and name.endswith((".toml", ".json"))


def _unknown(name: str) -> InputError:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return InputError(
        f"there is no command {name!r}",
        hint=f"{meant}there is: {', '.join(sorted(COMMANDS))}; a grid is measured by --batch GRID",
    )


COMMANDS: dict[str, Command] = {
    "show": show.COMMAND,
    "compare": compare.COMMAND,
    "verify": verify.COMMAND,
    "export": export.COMMAND,
    "import": importing.COMMAND,
    "size": size.COMMAND,
    "insight": insight.COMMAND,
    "serve": serve.COMMAND,
    "runs": runs.COMMAND,
    "attach": attach.COMMAND,
    "stop": stop.COMMAND,
    "gc": gc.COMMAND,
    "doctor": doctor.COMMAND,
    "build": build.COMMAND,
    "lambda": lambda_cloud.COMMAND,
}
"""Every subcommand by name, in the order of the help; a new one is a module of ``arguments`` and one line here."""
