"""Hosts without NumPy get a Python that has it: real interpreters, real wheels, real environments."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.session.environments import MACHINE, inside, left_over, wheels
from tunetui.core.errors import InputError, TunetuiError
from tunetui.engines.channel import AgentStream, ask_json
from tunetui.engines.local import LocalLink
from tunetui.hosts.environments import Recipe, recipe
from tunetui.session.preparing import Lines, Preparation, PreparedLink, PrepareOptions, prepare_host, probe_arguments
from tunetui.session.probing import probe
from tunetui.settings import MANAGED
from tunetui_agent.environment.building import bundled_pip

__all__ = ["wheels"]  # a fixture
HERE = (sys.version_info[0], sys.version_info[1])

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the locked wheels are for Linux")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    return tmp_path / "host" / "tunetui"


@pytest.fixture
def link(root: Path) -> LocalLink:
    return LocalLink(root)


class Told:
    """What the user would see."""

    def __init__(self) -> None:
        self.all: list[Preparation] = []

    def __call__(self, now: Preparation) -> None:
        self.all.append(now)

    @property
    def steps(self) -> list[str]:
        return list(dict.fromkeys(each.step for each in self.all))


async def managed(link: LocalLink, wheels: Path, told: Callable[[Preparation], None] = lambda _: None) -> PreparedLink:
    options = PrepareOptions(python=MANAGED, offline_wheels=True, wheels_folder=wheels)
    return await prepare_host(link, "cpu", options, told)


def builders(root: Path) -> list[int]:
    """Processes that build an environment below ``root``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"environment-build" in words and b"--serve" in words and str(root).encode() in words:
            found.append(int(entry.name))
    return found


# ------------------------------------------------------------------------------------------ what is there already


async def test_a_python_that_has_what_is_needed_is_used_as_it_is(link: LocalLink, root: Path) -> None:
    told = Told()
    got = await prepare_host(link, "cpu", PrepareOptions(python=sys.executable), told)
    assert Path(got.python).parent == Path(sys.executable).parent
    assert told.steps == ["ready"]
    assert not any((root / "env").glob("cpu-*"))
    found = await probe(got)
    assert any("NumPy" in each.version for each in found.toolchains["cpu"])


async def test_a_host_that_is_ready_is_probed_with_the_same_command(link: LocalLink) -> None:
    asked: list[str] = []

    class Counted:
        host, retries, open, close = link.host, link.retries, link.open, link.close

        async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
            asked.append(arguments[0])
            return await link.ask(arguments, stdin)

    options, modules = PrepareOptions(python=sys.executable), ["numpy"]
    got = await prepare_host(Counted(), "cpu", options, lambda _: None, probe_arguments(modules))
    found = await probe(got, modules)
    assert asked == ["environment"]
    assert "module:numpy" in {each.language for each in found.toolchains["cpu"]}
    assert await probe(got, modules) == found
    assert asked == ["environment", "probe"]  # an answer is given once: what is there may change


async def test_a_probe_that_went_wrong_is_asked_again_so_that_what_is_wrong_is_said(link: LocalLink) -> None:
    class Breaking:
        host, retries, open, close = link.host, link.retries, link.open, link.close

        async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
            answer = await link.ask(arguments, stdin)
            return answer.partition(b"\n")[0] + b"\nSegmentation fault" if arguments[0] == "environment" else b"?"

    got = await prepare_host(Breaking(), "cpu", PrepareOptions(python=sys.executable), lambda _: None, ["probe"])
    with pytest.raises(TunetuiError, match="something else than JSON"):
        await probe(got)


async def test_a_choice_is_remembered_until_the_python_changes(link: LocalLink, root: Path, tmp_path: Path) -> None:
    python = tmp_path / "own" / "bin" / "python"
    venv.create(python.parents[1], with_pip=False)
    site = next(python.parents[1].glob("lib/python3*/site-packages"))
    (site / "numpy").symlink_to(numpy_folder())
    for_numpy = numpy_folder().with_name("numpy.libs")
    if for_numpy.is_dir():
        (site / "numpy.libs").symlink_to(for_numpy)
    ask = ["environment", "--kind", "cpu", "--python", str(python)]
    assert (await ask_json(link, ask))["how"] == "found"
    assert (await ask_json(link, ask))["how"] == "remembered"
    (site / "numpy").unlink()
    answer = await ask_json(link, ask)
    assert "numpy does not import" in str(answer)


def numpy_folder() -> Path:
    import numpy as np

    return Path(np.__file__).parent


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("/nowhere/python3", "No such file"),
        ("/bin/sh", "cannot be used"),
        ("relative'; $(touch x)\n", "cannot be used"),
    ],
)
async def test_a_python_that_will_not_do_is_refused_with_the_reason(link: LocalLink, python: str, words: str) -> None:
    with pytest.raises(TunetuiError, match=words) as refused:
        await prepare_host(link, "cpu", PrepareOptions(python=python), lambda _: None)
    assert "settings.toml" in refused.value.hint
    assert "\n" not in refused.value.message


# ------------------------------------------------------------------------------------------ what is built


async def test_an_environment_is_built_from_sent_wheels_once_for_two_who_ask_then_reused(
    link: LocalLink, root: Path, wheels: Path
) -> None:
    told, others = Told(), list[asyncio.Task[PreparedLink]]()

    def ask_beside(now: Preparation) -> None:
        told(now)
        if now.step == "environment" and not others:
            others.append(asyncio.create_task(managed(LocalLink(root), wheels)))

    got = await managed(link, wheels, ask_beside)
    assert inside(root, got.python)
    assert (await others[0]).python == got.python
    assert len(list((root / "env").glob("cpu-*"))) == 1
    assert told.steps == ["look", "send", "environment", "wheels", "install", "check", "ready"]
    sent = [each for each in told.all if each.step == "send"]
    assert [each.done for each in sent] == sorted(each.done for each in sent)
    assert sent[-1].done == sent[-1].total > 10_000_000
    assert left_over(root) == []
    found = await probe(got)
    assert any("NumPy" in each.version for each in found.toolchains["cpu"])

    again = Told()
    assert (await managed(link, wheels, again)).python == got.python
    assert again.steps == ["ready"]


async def test_without_ensurepip_pip_is_sent_too(root: Path, wheels: Path, tmp_path: Path) -> None:
    python = without_ensurepip(tmp_path / "debian")
    link = LocalLink(root, str(python))
    answer = await ask_json(link, ["environment", "--kind", "cpu", "--python", MANAGED])
    mine = next(each for each in answer["host"]["pythons"] if Path(each["python"]).parent == python.parent)
    assert mine["ensurepip"] is False
    assert bundled_pip(str(python)) is None
    plan = recipe("cpu", HERE, MACHINE)
    assert plan is not None
    got = await built_from(link, plan, wheels, str(python))
    assert got["ok"], got
    assert inside(root, str(got["python"]))


def without_ensurepip(prefix: Path) -> Path:
    """This very Python, but for what Debian leaves out."""
    base = Path(sys.base_prefix)
    name = f"python{HERE[0]}.{HERE[1]}"
    library = prefix / "lib" / name
    (prefix / "bin").mkdir(parents=True)
    library.mkdir(parents=True)
    for entry in (base / "lib" / name).iterdir():
        if entry.name not in ("ensurepip", "site-packages", "EXTERNALLY-MANAGED", "dist-packages"):
            (library / entry.name).symlink_to(entry)
    for entry in (base / "lib").glob("libpython*"):
        (prefix / "lib" / entry.name).symlink_to(entry)
    python = prefix / "bin" / name
    shutil.copy2(os.path.realpath(sys.executable), python)
    done = subprocess.run([python, "-I", "-c", "import venv, sys; print(sys.prefix)"], capture_output=True, text=True)
    if done.stdout.strip() != str(prefix):
        pytest.skip(f"this Python cannot be moved: {done.stderr[-200:]}")
    return python


async def built_from(link: LocalLink, plan: Recipe, wheels: Path, python: str, **changed: object) -> dict[str, object]:
    """The answer of a build with everything sent."""
    for name, wheel in [plan.pip, *plan.wheels.items()]:
        assert (await push(link, wheels / name, name, wheel.sha256, wheel.size))["ok"]
    request = {
        "key": plan.key, "kind": "cpu", "python": python, "requirements": plan.requirements, "pip": plan.pip[0],
        "sizes": {name: wheel.size for name, wheel in plan.wheels.items()}, "offline": True, **changed,
    }  # fmt: skip
    stream = await link.open(["environment-build"])
    lines = Lines(stream)
    await stream.write(json.dumps(request).encode() + b"\n")
    said = await lines.next()
    while said is not None and said.get("say") == "progress":
        said = await lines.next()
    await stream.close()
    assert said is not None
    return said


async def push(link: LocalLink, path: Path, name: str, sha256: str, size: int) -> dict[str, object]:
    """A whole wheel to the host; its answer."""
    stream = await link.open(["receive", "--name", name, "--size", str(size), "--sha256", sha256])
    lines = Lines(stream)
    said = await lines.next()
    assert said is not None
    if said.get("say") == "have":
        data = path.read_bytes()[int(said["offset"]) :]
        await stream.write(data)
        said = await lines.next()
    await stream.close()
    assert said is not None
    return said


class CutTwice:
    """A link that breaks at the first word of a build, twice; the build is held up until it is asked for again."""

    def __init__(self, link: LocalLink, root: Path) -> None:
        self.host, self.retries, self.ask, self.close = link.host, link.retries, link.ask, link.close
        self._link, self._root = link, root
        self.held: list[set[int]] = []

    async def open(self, arguments: Sequence[str]) -> AgentStream:
        stream = await self._link.open(arguments)
        return CutStream(stream, self) if arguments[0] == "environment-build" else stream

    def cut(self) -> bool:
        """Whether the link breaks now."""
        at_work = set(builders(self._root))
        again = len(self.held) < 2
        if again:
            self.held.append(at_work)
        for pid in at_work:
            os.killpg(pid, signal.SIGSTOP if again else signal.SIGCONT)
        return again


class CutStream:
    def __init__(self, stream: AgentStream, link: CutTwice) -> None:
        self._stream, self._link, self.write, self.close = stream, link, stream.write, stream.close

    async def read(self) -> bytes:
        data = await self._stream.read()
        if self._link.cut():
            raise ConnectionError("the link is cut")
        return data


async def test_after_a_builder_that_was_killed_the_next_starts_clean_and_goes_on_when_whoever_asked_is_gone(
    link: LocalLink, root: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunetui.session.preparing._PAUSE_SECONDS", 0.0)

    def kill(now: Preparation) -> None:
        if now.step in ("wheels", "install", "check"):
            for pid in builders(root):
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(TunetuiError, match="the builder was killed") as refused:
        await managed(link, wheels, kill)
    assert "try again" in refused.value.hint
    assert not any((root / "env").glob("cpu-*"))

    options = PrepareOptions(python=MANAGED, offline_wheels=True, wheels_folder=wheels)
    breaking, told = CutTwice(link, root), Told()
    got = await prepare_host(breaking, "cpu", options, told)
    assert inside(root, got.python)
    assert told.steps[-2:] == ["check", "ready"]
    first, second = breaking.held
    assert first & second  # it was one builder all the time
    assert left_over(root) == []


# ------------------------------------------------------------------------------------------ what goes wrong


async def test_a_host_without_a_way_out_is_told_the_flag(
    link: LocalLink, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(TunetuiError, match="this host cannot reach the package index") as told:
        await prepare_host(link, "cpu", PrepareOptions(python=MANAGED), lambda _: None)
    assert "--offline-wheels" in told.value.hint
    assert " MB" in told.value.hint
    assert [path for path in (root / "env").iterdir() if path.suffix in (".part", ".tmp")] == []


async def test_a_wheel_with_another_hash_is_not_installed(link: LocalLink, root: Path, wheels: Path) -> None:
    plan = recipe("cpu", HERE, MACHINE)
    assert plan is not None
    wrong = "".join(f"{each.name}=={each.version} --hash=sha256:{'0' * 64}\n" for each in plan.wheels.values())
    answer = await built_from(link, plan, wheels, sys.executable, requirements=wrong)
    assert answer["error"] == "hash"
    assert not any((root / "env").glob("cpu-*"))


async def test_a_wheel_that_was_changed_here_is_refused_before_it_is_sent(
    link: LocalLink, wheels: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "changed"
    folder.mkdir()
    for path in wheels.glob("*.whl"):
        (folder / path.name).write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InputError, match="is not the locked wheel"):
        await managed(link, folder)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="lacks numpy") as told:
        await managed(link, folder)
    assert "pip download" in told.value.hint


async def test_an_upload_goes_on_where_it_broke_off(link: LocalLink, root: Path, tmp_path: Path) -> None:
    data = os.urandom(1 << 20)
    path = tmp_path / "thing-1-py3-none-any.whl"
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    arguments = ["receive", "--name", path.name, "--size", str(len(data)), "--sha256", digest]
    stream = await link.open(arguments)
    assert await Lines(stream).next() == {"say": "have", "offset": 0}
    await stream.write(data[:300_000])
    await stream.close()
    stream = await link.open(arguments)
    assert await Lines(stream).next() == {"say": "have", "offset": 300_000}
    await stream.close()
    assert (await push(link, path, path.name, digest, len(data)))["ok"]
    assert (root / "wheels" / path.name).read_bytes() == data


async def test_what_arrives_changed_is_thrown_away(link: LocalLink, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "thing-1-py3-none-any.whl"
    path.write_bytes(b"other")
    answer = await push(link, path, path.name, hashlib.sha256(b"thing").hexdigest(), 5)
    assert answer["error"] == "hash"
    assert list((root / "wheels").iterdir()) == []


@pytest.mark.parametrize("name", ["../thing.whl", "thing.zip", ".thing.whl", "a/b.whl", "a\n.whl", "$(x).whl"])
async def test_names_that_are_no_wheels_are_refused(link: LocalLink, name: str) -> None:
    answer = await ask_json(link, ["receive", "--name", name, "--size", "1", "--sha256", "0" * 64])
    assert answer["error"] == "bad-name"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here to make a small disk with")
    if done.returncode:
        pytest.skip(f"a small disk cannot be made here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_disk_without_room_is_told_before_anything_is_fetched(small_disk: Path, root: Path) -> None:
    link = LocalLink(small_disk / "tunetui")
    with pytest.raises(TunetuiError, match="MiB free, and the environment needs") as told:
        await prepare_host(link, "cpu", PrepareOptions(python=MANAGED), lambda _: None)
    assert "make room" in told.value.hint


async def test_a_disk_that_fills_up_meanwhile_is_told(small_disk: Path, wheels: Path, root: Path) -> None:
    link = LocalLink(small_disk / "tunetui")
    plan = recipe("cpu", HERE, MACHINE)
    assert plan is not None
    answer = await built_from(link, plan, wheels, sys.executable, sizes=dict.fromkeys(plan.wheels, 1))
    assert answer["error"] == "disk-full"
    assert "no room" in str(answer["text"])
    assert not (small_disk / "tunetui" / "env" / plan.key).exists()


async def test_no_room_for_what_is_sent_is_told(small_disk: Path, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "thing-1-py3-none-any.whl"
    path.write_bytes(b"x" * (30 << 20))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    link = LocalLink(small_disk / "tunetui")
    stream = await link.open(["receive", "--name", path.name, "--size", str(30 << 20), "--sha256", digest])
    lines = Lines(stream)
    assert await lines.next() == {"say": "have", "offset": 0}
    with contextlib.suppress(ConnectionError):  # it stops reading
        await stream.write(path.read_bytes())
    said = await lines.next()
    await stream.close()
    assert said is not None
    assert said["error"] == "disk-full"


# ------------------------------------------------------------------------------------------ what the lock holds


@pytest.mark.parametrize("name", ["cpu", "cuda12", "cuda13"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)])
def test_every_set_is_locked_for_every_promised_target(name: str, machine: str, version: tuple[int, int]) -> None:
    plan = recipe(name, version, machine)
    assert plan is not None
    distributions = {wheel.name for wheel in plan.wheels.values()}
    assert "numpy" in distributions
    if name != "cpu":
        assert f"cupy-{name}x" in distributions
        assert "nvidia-ml-py" in distributions
        assert any(each.startswith("nvidia-cuda-nvrtc") for each in distributions)
    assert all(len(bytes.fromhex(wheel.sha256)) == 32 and wheel.size > 0 for wheel in plan.wheels.values())
    assert all(wheel.url.startswith("https://files.pythonhosted.org/") for wheel in plan.wheels.values())
    assert all(fits(file, version, machine) for file in plan.wheels)


def fits(file: str, version: tuple[int, int], machine: str) -> bool:
    from packaging.utils import parse_wheel_filename

    tags = parse_wheel_filename(file)[3]
    interpreters = {f"cp{version[0]}{version[1]}", "py3", "cp3", "py2"}
    return any(
        (tag.interpreter in interpreters or tag.abi == "abi3")
        and (tag.platform == "any" or tag.platform.endswith(f"_{machine}"))
        for tag in tags
    )


def test_there_is_no_recipe_for_what_has_no_wheels() -> None:
    assert recipe("cpu", (3, 9), "x86_64") is None
    assert recipe("cpu", (3, 12), "riscv64") is None
