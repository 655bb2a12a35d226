"""What importing a layer brings along, seen by a fresh interpreter."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import tunetui.core

DRAWS_OR_CONNECTS = ("textual", "rich", "asyncssh", "dask", "distributed", "httpx")
HEAVY = ("numpy", "msgspec", "tomli_w", "asyncio")
CORE = sorted(f"tunetui.core.{module.name}" for module in pkgutil.iter_modules(tunetui.core.__path__))


def loaded_by(statement: str, suspects: tuple[str, ...]) -> list[str]:
    code = f"import sys\n{statement}\nprint(*(m for m in {suspects!r} if m in sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stderr.split()


def test_the_probe_sees_what_is_imported() -> None:
    assert loaded_by("import json.decoder", ("json", "numpy")) == ["json"]


def test_the_command_line_starts_without_anything_heavy() -> None:
    assert loaded_by("import tunetui.cli", (*DRAWS_OR_CONNECTS, *HEAVY, "tunetui.session")) == []


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_answering_a_question_about_the_program_loads_nothing_heavy(option: str) -> None:
    statement = f"from tunetui.cli import main\nassert main([{option!r}]) == 0"
    assert loaded_by(statement, (*DRAWS_OR_CONNECTS, *HEAVY, "tunetui.session")) == []


def test_a_session_draws_nothing() -> None:
    assert loaded_by("import tunetui.session", DRAWS_OR_CONNECTS) == []


def test_the_core_knows_no_layer_above_it() -> None:
    above = ("tunetui.cli", "tunetui.tui", "tunetui.session", "tunetui.engines", "tunetui.store", "tunetui.hosts")
    assert loaded_by(f"import {', '.join(CORE)}", (*DRAWS_OR_CONNECTS, *above)) == []


def test_the_contract_between_the_halves_needs_only_the_standard_library() -> None:
    assert loaded_by("import tunetui_agent.messages", (*DRAWS_OR_CONNECTS, "numpy", "msgspec", "tunetui")) == []


def test_the_whole_program_can_be_imported() -> None:
    """A module that nothing reaches yet still has to import."""
    code = (
        "import importlib, pkgutil, tunetui\n"
        "for module in pkgutil.walk_packages(tunetui.__path__, 'tunetui.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        print(importlib.import_module(module.name).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"tunetui.cli", "tunetui.core.errors", "tunetui.engines.local"} <= set(done.stdout.split())
