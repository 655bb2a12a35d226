"""Which commands there are and how a command line finds its own."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from tunetui.cli import arguments, deciding
from tunetui.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Command:
    """One subcommand: its line in the help, its arguments, and what runs it (which imports late)."""

    summary: str
    description: str
    examples: str
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


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
    parser = Parser("", arguments.DESCRIPTION, arguments.epilog({name: c.summary for name, c in COMMANDS.items()}))
    arguments.declare_batch(parser)
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


def _run_serve(parsed: argparse.Namespace) -> int:
    from tunetui.cli.serve import run_serve

    return run_serve(parsed)


def _is_file(name: str) -> bool:
    """Whether the first argument is a file to open rather than the name of a command."""
    return name not in COMMANDS and name.endswith((".toml", ".json"))


def _run_show(parsed: argparse.Namespace) -> int:
    from tunetui.cli.show import run_show

    return run_show(parsed)


def _run_doctor(parsed: argparse.Namespace) -> int:
    from tunetui.cli.doctor import run_doctor

    return run_doctor(parsed)


def _run_build(parsed: argparse.Namespace) -> int:
    from tunetui.cli.build import run_build

    return run_build(parsed)


def _run_runs(parsed: argparse.Namespace) -> int:
    from tunetui.cli.runs import run_runs

    return run_runs(parsed)


def _run_attach(parsed: argparse.Namespace) -> int:
    from tunetui.cli.attach import run_attach

    return run_attach(parsed)


def _run_stop(parsed: argparse.Namespace) -> int:
    from tunetui.cli.runs import run_stop

    return run_stop(parsed)


def _run_gc(parsed: argparse.Namespace) -> int:
    from tunetui.cli.runs import run_gc

    return run_gc(parsed)


def _run_compare(parsed: argparse.Namespace) -> int:
    from tunetui.cli.compare import run_compare

    return run_compare(parsed)


def _run_export(parsed: argparse.Namespace) -> int:
    from tunetui.cli.export import run_export

    return run_export(parsed)


def _run_size(parsed: argparse.Namespace) -> int:
    from tunetui.cli.size import run_size

    return run_size(parsed)


def _unknown(name: str) -> InputError:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    return InputError(
        f"there is no command {name!r}",
        hint=f"{meant}there is: {', '.join(sorted(COMMANDS))}; a grid is measured by --batch GRID",
    )


COMMANDS: dict[str, Command] = {
    "show": Command(
        summary="print saved leaderboards, sorted and filtered",
        description=arguments.SHOW_DESCRIPTION,
        examples=arguments.SHOW_EXAMPLES,
        declare=arguments.declare_show,
        run=_run_show,
    ),
    "compare": Command(
        summary="hold a leaderboard against another, or against a claim",
        description=deciding.COMPARE_DESCRIPTION,
        examples=deciding.COMPARE_EXAMPLES,
        declare=deciding.declare_compare,
        run=_run_compare,
    ),
    "export": Command(
        summary="write a leaderboard for another program, or as source code",
        description=deciding.EXPORT_DESCRIPTION,
        examples=deciding.EXPORT_EXAMPLES,
        declare=deciding.declare_export,
        run=_run_export,
    ),
    "size": Command(
        summary="say how many devices a load needs, and what they cost",
        description=deciding.SIZE_DESCRIPTION,
        examples=deciding.SIZE_EXAMPLES,
        declare=deciding.declare_size,
        run=_run_size,
    ),
    "serve": Command(
        summary="show the app in a browser, for this machine alone",
        description=arguments.SERVE_DESCRIPTION,
        examples=arguments.SERVE_EXAMPLES,
        declare=arguments.declare_serve,
        run=_run_serve,
    ),
    "runs": Command(
        summary="list runs here and on hosts, and how far they are",
        description=arguments.RUNS_DESCRIPTION,
        examples=arguments.RUNS_EXAMPLES,
        declare=arguments.declare_runs,
        run=_run_runs,
    ),
    "attach": Command(
        summary="follow a run that goes on without tunetui",
        description=arguments.ATTACH_DESCRIPTION,
        examples=arguments.ATTACH_EXAMPLES,
        declare=arguments.declare_attach,
        run=_run_attach,
    ),
    "stop": Command(
        summary="have a run end after its present trial",
        description=arguments.STOP_DESCRIPTION,
        examples=arguments.STOP_EXAMPLES,
        declare=arguments.declare_stop,
        run=_run_stop,
    ),
    "gc": Command(
        summary="have a host forget old runs whose records are kept here",
        description=arguments.GC_DESCRIPTION,
        examples=arguments.GC_EXAMPLES,
        declare=arguments.declare_gc,
        run=_run_gc,
    ),
    "doctor": Command(
        summary="examine this machine: what a run needs, and what is missing",
        description=arguments.DOCTOR_DESCRIPTION,
        examples=arguments.DOCTOR_EXAMPLES,
        declare=arguments.declare_doctor,
        run=_run_doctor,
    ),
    "build": Command(
        summary="build GPU kernels here for a machine without compilers",
        description=arguments.BUILD_DESCRIPTION,
        examples=arguments.BUILD_EXAMPLES,
        declare=arguments.declare_build,
        run=_run_build,
    ),
}
"""Every subcommand by name; a new one is one entry here and a module that it imports late."""
