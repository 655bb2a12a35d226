"""What one subcommand is: its line in the help, its words, its arguments, and what runs it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Command:
    """One subcommand.  ``declare`` adds its arguments to a parser; ``run`` imports late, and returns the exit code."""

    summary: str
    description: str
    examples: str
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
