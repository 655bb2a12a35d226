"""Every command puts the agent in place if it is not there: whatever start-up files say, and whatever is wrong with the host."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.ssh.conftest import MakeServer
from tests.ssh.reaching import config, listed, reached, said
from tests.ssh.sshd import Sshd
from tunetui.core.errors import TunetuiError
from tunetui.engines.archive import agent_archive, agent_sha256

VERSIONS = Path.home() / ".pyenv" / "versions"  # of whoever runs the tests: they have homes of their own
NO_RUNS = b'{"ok":true,"runs":[]}\n'


def placed(server: Sshd) -> Path:
    return server.cache / "tunetui" / "agent" / f"{agent_sha256()}.pyz"


async def test_the_agent_is_put_into_a_private_folder_once(server: Sshd) -> None:
    link = await reached(config(server))
    await link.ask(["list"])
    assert placed(server).read_bytes() == agent_archive()
    made = [server.cache / "tunetui", placed(server).parent, placed(server)]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700, 0o700, 0o600]
    before = placed(server).stat().st_ino
    assert await listed(link) == NO_RUNS
    assert placed(server).stat().st_ino == before
    assert list(placed(server).parent.glob("*.part")) == []
    assert link.facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert link.facts["root"] == str(server.cache / "tunetui")


async def test_a_damaged_agent_is_replaced(server: Sshd) -> None:
    await listed(await reached(config(server)))
    data = bytearray(agent_archive())
    data[1000] ^= 1
    placed(server).write_bytes(data)
    assert await listed(await reached(config(server))) == NO_RUNS
    assert placed(server).read_bytes() == agent_archive()


async def test_an_agent_that_vanishes_while_we_are_connected_is_sent_again(server: Sshd) -> None:
    link = await reached(config(server))
    await link.ask(["list"])
    shutil.rmtree(server.cache / "tunetui")
    assert json.loads(await link.ask(["start"], b"{}"))["error"] == "protocol"  # what came on stdin reached the agent
    await link.close()


async def test_several_first_commands_at_once_do_not_disturb_each_other(server: Sshd) -> None:
    links = [await reached(config(server)) for _ in range(3)]
    assert await asyncio.gather(*map(listed, links)) == [NO_RUNS] * 3


async def test_start_up_files_may_print(server: Sshd) -> None:
    server.start_up_file('echo "Welcome {to} \x1b[31mthe host\xff"; echo oops >&2; printf "no newline "')
    assert await listed(await reached(config(server))) == NO_RUNS


async def test_a_start_up_file_that_exits_is_quoted(server: Sshd) -> None:
    server.start_up_file('printf "not \\033]0;today\\007\\n" >&2; exit 3')
    words = await said(config(server))
    assert "the host ended our command before it began (exit status 3)" in words
    assert "not \\x1b]0;today\\x07" in words
    assert "start-up file" in words


async def test_a_start_up_file_that_prints_without_end_is_not_listened_to(server: Sshd) -> None:
    server.start_up_file("yes Welcome")
    words = await said(config(server))
    assert "start-up files there print without end" in words
    assert "~/.bashrc" in words


async def test_megabytes_on_stderr_neither_block_nor_fill_the_memory(server: Sshd) -> None:
    server.start_up_file("head -c 8000000 /dev/zero | tr '\\0' x >&2")
    assert await listed(await reached(config(server))) == NO_RUNS


async def test_no_python3(server: Sshd) -> None:
    server.start_up_file("export PATH=/nonexistent")
    words = await said(config(server))
    assert "box: there is no python3 on the host; it said: " in words
    assert "python3: " in words
    assert "tunetui needs Python 3.10 or newer there: sudo apt install python3" in words


def python_of(version: str) -> str:
    """An interpreter of another version, or the test is skipped."""
    found = [*VERSIONS.glob(f"{version}.*/bin/python{version}")]
    command = shutil.which(f"python{version}") if not found else str(found[0])
    if command is None:
        pytest.skip(f"no Python {version} here")
    return command


@pytest.mark.parametrize("version", ["3.6", "3.8", "3.9"])
async def test_a_python_that_is_too_old_says_so_itself(servers: MakeServer, tmp_path: Path, version: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(python_of(version))
    server = servers(environment={"PATH": str(tmp_path / "bin")})
    words = await said(config(server))
    assert f"the newest Python is {version}." in words
    assert "tunetui needs 3.10" in words


async def test_an_old_python_gives_way_to_a_newer_one_beside_it(servers: MakeServer, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(python_of("3.9"))
    (tmp_path / "bin" / "python3.14").symlink_to(sys.executable)
    server = servers(environment={"PATH": str(tmp_path / "bin")})
    link = await reached(config(server))
    await link.ask(["list"])
    assert link.facts["executable"] == str(tmp_path / "bin" / "python3.14")
    await link.close()


async def test_a_cache_that_others_can_write_is_refused(server: Sshd) -> None:
    folder = server.cache / "tunetui"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    words = await said(config(server))
    assert f"the agent's folder is not private: {folder} can be written by others (mode 0777)" in words
    assert f"on the host: chmod 700 {folder}" in words
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
async def test_a_cache_of_somebody_else_is_refused(server: Sshd) -> None:
    folder = server.cache / "tunetui"
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    assert f"{folder} belongs to user 12345, not to {os.getuid()}" in await said(config(server))


async def test_a_cache_that_is_a_file_is_told(server: Sshd) -> None:
    server.cache.mkdir()
    (server.cache / "tunetui").write_text("in the way")
    words = await said(config(server))
    assert f"the agent's folder cannot be used: {server.cache / 'tunetui'}" in words


async def test_a_cache_that_cannot_be_written_is_told(servers: MakeServer) -> None:
    server = servers(environment={"XDG_CACHE_HOME": "/sys/tunetui"})  # which not even root may write
    words = await said(config(server))
    assert "the agent's folder cannot be used: /sys/tunetui" in words or "on a disk that cannot be written" in words
    assert "XDG_CACHE_HOME" in words


async def test_a_full_disk_leaves_nothing_behind(server: Sshd) -> None:
    server.start_up_file("ulimit -f 8")
    words = await said(config(server))
    assert "box: no room for the agent: " in words
    assert "free some space there" in words
    assert [path.name for path in (server.cache / "tunetui" / "agent").iterdir()] == []


async def test_an_interpreter_that_was_chosen_is_used_and_missed(server: Sshd, tmp_path: Path) -> None:
    own = tmp_path / "own python"
    own.symlink_to(sys.executable)
    link = await reached(config(server))
    assert json.loads(await link.ask(["list", "--python", str(own), "--user-site"]))["ok"]
    own.unlink()
    with pytest.raises(TunetuiError, match=f"the chosen Python is gone: {own}"):
        await link.ask(["list", "--python", str(own)])
    await link.close()


@pytest.mark.parametrize("shell", ["dash", "zsh", "fish", "tcsh", "busybox"])
async def test_the_command_means_the_same_in_every_shell(server: Sshd, shell: str) -> None:
    """What sshd hands to the user's shell is handed to another one, word for word."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"no {shell} here")
    own = f"{found} sh" if shell == "busybox" else found
    server.start_up_file(f'exec {own} -c "$BASH_EXECUTION_STRING"\n')
    assert await listed(await reached(config(server))) == NO_RUNS


async def test_hostile_arguments_reach_the_agent_as_they_are(server: Sshd) -> None:
    link = await reached(config(server))
    for name in ("a b", "a;touch x", "$(touch x)", "`touch x`", "a'b\"c", "a\nb", "ü", "-x", "../../x"):
        answer = json.loads(await link.ask(["stop", f"--run={name}"]))
        assert answer["error"] in ("bad-name", "no-such-run")
    await link.close()
    assert not (server.home / "x").exists()


async def test_an_agent_command_that_fails_says_why(server: Sshd) -> None:
    link = await reached(config(server))
    with pytest.raises(TunetuiError, match="the agent's attach on box ended with status 2: usage") as caught:
        await link.ask(["attach", "--no-such-option"])
    assert "unrecognized arguments" in caught.value.message or "required" in caught.value.message
    await link.close()


async def compiled(server: Sshd) -> Path:
    """Where the compiled agent lies, once it has been made."""
    async with asyncio.timeout(60):
        while not (found := list(placed(server).parent.glob("*.????????????.pyz"))):  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
    return found[0]


async def test_the_agent_is_compiled_aside_for_the_commands_to_come(server: Sshd) -> None:
    link = await reached(config(server))
    await link.ask(["list"])
    fast = await compiled(server)
    stream = await link.open(["attach", "--run", "none"])
    assert b'"no-such-run"' in await stream.read()
    await stream.close()
    answer = json.loads(await link.ask(["environment", "--kind", "cpu"]))
    assert answer["ok"]
    fast.write_bytes(b"damaged")
    assert json.loads(await link.ask(["list"])) == {"ok": True, "runs": []}
    await link.close()
