"""Bundles from anywhere: what is not as tunetui writes it is refused in words, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.agent.bundles import KEY, agent, artifact, files_below, good, manifest, zipped
from tunetui_agent.build.cache import ArtifactCache
from tunetui_agent.build.prebuilt import read_origins
from tunetui_agent.folder import FolderError, HostFolder, take_lock
from tunetui_agent.unpack import unpack


@pytest.fixture
def host(tmp_path: Path) -> HostFolder:
    return HostFolder(tmp_path / "host")


def refusal(host: HostFolder, bundle: bytes, kernel: str = "") -> str:
    """Why it is refused; nothing may be left of it, neither here nor anywhere around."""
    host.prepare()
    around = host.root.parent
    before = files_below(around)
    with pytest.raises(FolderError) as error:
        unpack(host, io.BytesIO(bundle), kernel)
    assert error.value.code == "bundle"
    assert [name for name in files_below(around) if name not in before and not name.endswith("unpack.lock")] == []
    return str(error.value)


def test_a_good_bundle_arrives_and_arrives_again(host: HostFolder) -> None:
    first = unpack(host, io.BytesIO(zipped(good())))
    assert (first["ok"], first["artifacts"], first["added"], first["kernel"]) == (True, 1, 1, "scale")
    assert ArtifactCache(host.root).find(KEY) is not None
    assert unpack(host, io.BytesIO(zipped(good())))["added"] == 0
    origin = read_origins(host.root)["mojo"]
    assert (origin.compiler, origin.architectures) == ("Mojo 1.2.0", ["sm_90"])


def test_a_damaged_artifact_of_the_host_is_replaced(host: HostFolder) -> None:
    unpack(host, io.BytesIO(zipped(good())))
    (host.builds / KEY / "a.ptx").write_bytes(b"// damaged")
    assert unpack(host, io.BytesIO(zipped(good())))["added"] == 1
    assert (host.builds / KEY / "a.ptx").read_bytes() == b"// PTX"


@pytest.mark.parametrize(
    "name",
    [
        "../evil", f"{KEY}/../evil", f"{KEY}/..", "/etc/evil", f"/{KEY}/a.ptx", f"{KEY}/b/c", f"{KEY}/", f"{KEY}\\a.ptx",
        f"{KEY}/.hidden", f"{KEY}/a\0.ptx", f"{KEY}/a\n", f"{KEY}/é", "nokey/a.ptx", f"{KEY}-other/a.ptx", "a.ptx", "",
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused(host: HostFolder, name: str) -> None:
    # zipfile would tidy some of these names as they are written, so they are put there afterwards.
    stand_in = "Z" * len(name.encode())
    if not stand_in:
        bundle = zipped({**good(), name: b"x"})
    else:
        bundle = zipped({**good(), stand_in: b"x"}).replace(stand_in.encode(), name.encode())
        if not name.isascii():  # then the entry must say so
            bundle = zipped({**good(), name: b"x"})
    assert "is not allowed" in refusal(host, bundle)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_only_plain_files_are_taken(host: HostFolder, kind: int) -> None:
    def change(info: zipfile.ZipInfo) -> None:
        if info.filename.endswith("a.ptx"):
            info.external_attr = (kind | 0o777) << 16

    assert "is no plain file" in refusal(host, zipped(good(), change))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(host: HostFolder) -> None:
    target = io.BytesIO(zipped(good()))
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(f"{KEY}/a.ptx", b"another")
    assert "is there twice" in refusal(host, target.getvalue())


def test_a_member_that_would_unpack_to_too_much_is_refused_unread(host: HostFolder) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"{KEY}/a.ptx", "w", force_zip64=True) as member:
            for _ in range(257):
                member.write(bytes(1 << 20))
        archive.writestr("manifest.json", manifest())
    assert len(target.getvalue()) < 1 << 20
    assert "is too large (269,484,032 bytes)" in refusal(host, target.getvalue())


def test_a_member_larger_than_it_says_is_refused(host: HostFolder) -> None:
    """The size in the directory is made smaller than what is there."""
    payload = b"P" * 4321
    bundle = bytearray(zipped({**artifact(payload=payload), "manifest.json": manifest()}))
    true, lie = (4321).to_bytes(4, "little"), (43).to_bytes(4, "little")
    assert bundle.count(true) == 2
    assert "damaged" in refusal(host, bytes(bundle.replace(true, lie)))


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_bundle_is_refused(host: HostFolder, part: float) -> None:
    whole = zipped({**artifact(payload=os.urandom(5000)), "manifest.json": manifest()})
    assert "damaged or no bundle" in refusal(host, whole[: int(len(whole) * part)])


def test_a_flipped_byte_is_noticed(host: HostFolder) -> None:
    bundle = bytearray(zipped({**artifact(payload=os.urandom(5000)), "manifest.json": manifest()}))
    bundle[2500] ^= 0x10
    assert "damaged" in refusal(host, bytes(bundle))


def test_a_digest_that_is_not_its_files_is_refused(host: HostFolder) -> None:
    bundle = zipped({**artifact(sha256="0" * 64), "manifest.json": manifest()})
    assert f"the digest of artifact {KEY} is not that of its files" in refusal(host, bundle)


@pytest.mark.parametrize(
    "fields",
    [
        {"file": "../../../prebuilt.json"}, {"file": "b.ptx"}, {"more": ["/etc/passwd"]}, {"more": 3}, {"file": None},
        {"files": {"scale": "../other/a.ptx"}}, {"files": ["a.ptx"]},
    ],
)  # fmt: skip
def test_an_artifact_may_speak_of_its_own_files_only(host: HostFolder, fields: dict[str, Any]) -> None:
    refused = refusal(host, zipped({**artifact(**fields), "manifest.json": manifest()}))
    assert f"the artifact {KEY}" in refused


def test_a_file_that_its_artifact_does_not_know_is_refused(host: HostFolder) -> None:
    assert "other files than it has" in refusal(host, zipped({**good(), f"{KEY}/more.ptx": b"x"}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": 2}, "format 2, this tunetui reads 1"), ({"languages": {"mojo": 3}}, "not as tunetui writes it"),
        ({"languages": {"fortran": "1"}}, "not as tunetui"), ({"architectures": ["sm_90; rm -rf /"]}, "not as tunetui"),
        ({"architectures": "sm_90"}, "not as tunetui"), ({"kernel": "a\x1b[2Jb"}, "not as tunetui"),
        ({"failures": {"x": "y"}}, "not as tunetui"), ({"counts": {"mojo": True}}, "not as tunetui"),
        ({"languages": {"cuda": "NVRTC 13.0"}}, "of a language that the manifest does not name"),
    ],
)  # fmt: skip
def test_a_manifest_is_read_field_by_field(host: HostFolder, fields: dict[str, object], words: str) -> None:
    assert words in refusal(host, zipped({**artifact(), "manifest.json": manifest(**fields)}))


@pytest.mark.parametrize("text", [b"[]", b"{", b"\xff", b"null"])
def test_a_manifest_that_is_none_is_refused(host: HostFolder, text: bytes) -> None:
    assert "its manifest is no" in refusal(host, zipped({**artifact(), "manifest.json": text}))


def test_a_bundle_without_a_manifest_is_refused(host: HostFolder) -> None:
    assert "it has no manifest.json" in refusal(host, zipped(artifact()))


def test_a_bundle_of_another_kernel_is_refused(host: HostFolder) -> None:
    assert refusal(host, zipped(good()), "row-sum") == "the bundle is of the kernel scale, not of row-sum"


def test_one_bundle_at_a_time(host: HostFolder) -> None:
    host.prepare()
    held = take_lock(host.root / "locks" / "unpack.lock")
    assert held is not None
    with pytest.raises(FolderError, match="another bundle is being unpacked"):
        unpack(host, io.BytesIO(zipped(good())))
    os.close(held)
    assert unpack(host, io.BytesIO(zipped(good())))["ok"]


def test_what_a_killed_unpacking_left_is_removed_later(host: HostFolder) -> None:
    host.prepare()
    old, new = host.builds / ".bundle-old", host.builds / ".bundle-new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (1, 1))
    unpack(host, io.BytesIO(zipped(good())))
    assert (old.exists(), new.exists()) == (False, True)


def test_the_command_answers_in_json(tmp_path: Path) -> None:
    answer, said = agent(tmp_path / "host", "unpack", stdin=b"no zip at all")
    assert (answer["ok"], answer["error"], said) == (False, "bundle", "")
    answer, said = agent(tmp_path / "host", "unpack", stdin=zipped(good()))
    assert (answer["ok"], answer["languages"], said) == (True, {"mojo": "Mojo 1.2.0"}, "")
