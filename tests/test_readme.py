"""What the README promises, held against the program."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tunetui.core.errors import ExitCode
from tunetui_agent.messages import Method

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_exit_codes_is_the_programs_own() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", README, flags=re.MULTILINE)}
    assert codes == {int(code) for code in ExitCode}


@pytest.mark.parametrize("name", ["quickstart", "tests"])
def test_a_command_that_ci_runs_makes_its_own_environment(name: str) -> None:
    """A machine that forbids installing outside a virtual environment (PEP 668) still runs it as written."""
    found = re.search(rf"^<!-- command: {name} -->\n```bash\n(.+)\n```$", README, flags=re.MULTILINE)
    assert found
    assert found[1].startswith("python3 -m venv .venv && .venv/bin/pip install ")


def test_every_file_that_the_readme_links_to_exists() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_table_of_method_settings_is_the_programs_own() -> None:
    text = (ROOT / "docs" / "files.md").read_text(encoding="utf-8").partition("### Method")[2].partition("### ")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, flags=re.MULTILINE))
    defaults = {field.name: field.default for field in fields(Method)}
    assert told == {name: f'`"{value}"`' if isinstance(value, str) else str(value) for name, value in defaults.items()}
