"""The agent as one file: the same bytes for the same source, whole wherever it is placed."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from tunetui.core.errors import TunetuiError
from tunetui.engines.archive import agent_archive, agent_sha256, installed_code
from tunetui.engines.local import LocalLink
from tunetui_agent.compiled import is_sealed


def test_packing_twice_gives_the_same_bytes_and_their_hash_names_them() -> None:
    packed = agent_archive.__wrapped__()
    assert packed == agent_archive.__wrapped__() == agent_archive()
    assert agent_sha256() == hashlib.sha256(packed).hexdigest()


def test_it_holds_the_agent_s_sources_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(agent_archive())) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    assert {name.partition("/")[0] for name in names} == {"__main__.py", "tunetui_agent"}
    assert all(name.endswith(".py") for name in names)
    assert "tunetui_agent/devices/__init__.py" in names


def agent_names() -> list[str]:
    with zipfile.ZipFile(io.BytesIO(agent_archive())) as archive:
        return archive.namelist()


async def placed(root: Path) -> Path:
    answer = json.loads(await LocalLink(root).ask(["list"]))
    assert answer == {"ok": True, "runs": []}
    folder = root / "agent"
    (compiled,) = folder.glob(f"{agent_sha256()}.????????????.pyz")
    assert is_sealed(compiled.read_bytes())
    packed = folder / f"{agent_sha256()}.pyz"
    assert sorted(folder.iterdir()) == sorted([packed, compiled])  # and nothing half-written
    return packed


@pytest.mark.parametrize("damage", [b"", b"not a zip file", agent_archive()[:-100]])
async def test_a_damaged_archive_is_replaced_before_it_is_used(tmp_path: Path, damage: bytes) -> None:
    packed = await placed(tmp_path / "root")
    packed.write_bytes(damage)
    assert await placed(tmp_path / "root") == packed
    assert packed.read_bytes() == agent_archive()


async def test_what_it_runs_is_compiled_and_is_made_anew_where_it_is_damaged(tmp_path: Path) -> None:
    packed = await placed(tmp_path / "root")
    (compiled,) = set(packed.parent.iterdir()) - {packed}
    whole = compiled.read_bytes()
    with zipfile.ZipFile(compiled) as archive:
        assert set(agent_names()) < set(archive.namelist())  # another Python needs the sources
        assert {f"{name}c" for name in agent_names()} < set(archive.namelist())
    compiled.write_bytes(whole[:5000] + b"?" + whole[5001:])
    await placed(tmp_path / "root")
    assert compiled.read_bytes() == whole


async def test_a_folder_where_nothing_more_fits_runs_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tunetui.engines.local.write_compiled", full)
    answer = json.loads(await LocalLink(tmp_path / "root").ask(["list"]))
    assert answer == {"ok": True, "runs": []}


def test_the_installed_code_is_taken_only_for_the_very_text_that_it_was_made_of() -> None:
    name = "tunetui_agent/protocol.py"
    with zipfile.ZipFile(io.BytesIO(agent_archive())) as archive:
        text = archive.read(name)
    assert installed_code(name, text) is not None
    assert installed_code(name, text + b"\n# changed") is None
    assert installed_code("tunetui_agent/no_such_module.py", text) is None


async def test_its_folder_is_private(tmp_path: Path) -> None:
    packed = await placed(tmp_path / "root")
    assert stat.S_IMODE((tmp_path / "root").stat().st_mode) == 0o700
    assert stat.S_IMODE(packed.parent.stat().st_mode) == 0o700


async def test_a_place_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    with pytest.raises(TunetuiError, match="cannot write the agent to") as refused:
        await LocalLink(tmp_path / "root").ask(["list"])
    assert "XDG_CACHE_HOME" in refused.value.hint
