"""The agent as one file: the same bytes for the same source, whole wherever it is placed."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path

import pytest

from tunetui.core.errors import TunetuiError
from tunetui.engines.archive import agent_archive, agent_sha256
from tunetui.engines.local import LocalLink


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


async def placed(root: Path) -> Path:
    answer = json.loads(await LocalLink(root).ask(["list"]))
    assert answer == {"ok": True, "runs": []}
    (packed,) = (root / "agent").glob("*.pyz")
    return packed


@pytest.mark.parametrize("damage", [b"", b"not a zip file", agent_archive()[:-100]])
async def test_a_damaged_archive_is_replaced_before_it_is_used(tmp_path: Path, damage: bytes) -> None:
    packed = await placed(tmp_path / "root")
    packed.write_bytes(damage)
    assert await placed(tmp_path / "root") == packed
    assert packed.read_bytes() == agent_archive()


async def test_its_folder_is_private_and_holds_nothing_half_written(tmp_path: Path) -> None:
    packed = await placed(tmp_path / "root")
    assert stat.S_IMODE((tmp_path / "root").stat().st_mode) == 0o700
    assert stat.S_IMODE(packed.parent.stat().st_mode) == 0o700
    assert list(packed.parent.iterdir()) == [packed]


async def test_a_place_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    with pytest.raises(TunetuiError, match="cannot write the agent to") as refused:
        await LocalLink(tmp_path / "root").ask(["list"])
    assert "XDG_CACHE_HOME" in refused.value.hint
