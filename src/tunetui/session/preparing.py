"""Makes a host able to measure: finds the Python that has what is needed there, or has one built."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError
from tunetui.core.labels import one_line
from tunetui.core.routes import LOCAL
from tunetui.core.waiting import within
from tunetui.engines.allowances import SilentError
from tunetui.engines.channel import LineFramer, json_object
from tunetui.hosts.environments import LEAST_GLIBC, NEWEST_FIRST, Recipe, Wheel, recipe, set_for
from tunetui.settings import HostSettings, cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tunetui.engines.channel import AgentStream, Link
    from tunetui_agent.messages import Device

RUNS_ON_CHOSEN = frozenset({"probe", "start", "doctor"})
"""Agent commands that load numpy and CuPy, or start what does."""
SILENCE_SECONDS = 15.0
TRIES = 20  # of something that goes on from where it was: a lost link costs little
_CHUNK_BYTES = 1 << 18
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class PrepareOptions:
    """What the user said about the Python of one host."""

    python: str = ""  # a path there; "managed"; "": find out
    offline_wheels: bool = False  # send what is needed from here
    wheels_folder: Path | None = None  # where it lies; None: it is fetched


@dataclass(frozen=True)
class Preparing:
    """What the user said about the Pythons of all hosts, and who is told how far they are."""

    settings: Mapping[str, HostSettings] = field(default_factory=dict)  # by name of the host
    offline_wheels: bool = False
    wheels_folder: Path | None = None
    on_progress: Callable[[Preparation], None] = lambda _: None

    def options(self, host: str) -> PrepareOptions:
        """For one host."""
        own = self.settings.get(host, HostSettings())
        return PrepareOptions(own.python, self.offline_wheels or own.offline_wheels, self.wheels_folder)

    def architecture(self, host: str) -> str:
        """Of a host's GPUs, where the settings say; else ""."""
        return self.settings.get(host, HostSettings()).arch

    def devices(self, host: str, found: list[Device]) -> list[Device]:
        """Those that the settings name, of those that the host has.  Raises TunetuiError where that leaves none."""
        wanted = self.settings.get(host, HostSettings()).devices
        chosen = [device for device in found if not wanted or device.id in wanted]
        if not chosen:
            there = ", ".join(one_line(device.id) for device in found)
            raise TunetuiError(f"{host} has none of the devices that the settings name for it", hint=f"it has {there}")
        return chosen


@dataclass(frozen=True)
class Preparation:
    """How far a host is; ``done`` and ``total`` are bytes of wheels (artifacts in a "build"), 0 where nothing is counted."""

    host: str
    step: str  # "look" | "build" | "fetch" | "send" | "environment" | "wheels" | "install" | "check" | "ready"
    text: str = ""
    done: int = 0
    total: int = 0


class PreparedLink:
    """A link whose measuring commands run on the Python that was chosen; everything else is the link's own."""

    def __init__(self, link: Link, python: str, *, user_site: bool) -> None:
        self.link, self.host, self.retries = link, link.host, link.retries
        self.python, self.user_site = python, user_site
        self._foretold: dict[tuple[str, ...], bytes] = {}

    def foretell(self, arguments: Sequence[str], answer: bytes) -> None:
        """The next time that this is asked, this is the answer: it was given with an earlier one."""
        self._foretold[tuple(arguments)] = answer

    async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        foretold = self._foretold.pop(tuple(arguments), None)
        if foretold is not None:
            return foretold
        return await self.link.ask(self._with_python(arguments), stdin)

    async def open(self, arguments: Sequence[str]) -> AgentStream:
        return await self.link.open(self._with_python(arguments))

    async def close(self) -> None:
        await self.link.close()

    def _with_python(self, arguments: Sequence[str]) -> list[str]:
        if arguments[0] not in RUNS_ON_CHOSEN:
            return list(arguments)
        more = ["--python", self.python, *(["--user-site"] if self.user_site else [])]
        return [arguments[0], *more, *arguments[1:]]


async def prepared(link: Link, kind: str, preparing: Preparing, modules: Sequence[str] = ()) -> Link:
    """The link to a host that can measure on a ``kind`` of device; ``modules`` will be probed for next.

    This machine measures with the Python that runs tunetui, unless the settings name another.

    Raises:
        TunetuiError: as `prepare_host`.
    """
    options = preparing.options(link.host)
    if link.host == LOCAL and not options.python:
        return link
    return await prepare_host(link, kind, options, preparing.on_progress, probe_arguments(modules))


def probe_arguments(modules: Sequence[str], prefer_prebuilt: Sequence[str] = ()) -> list[str]:
    """The agent's command that says what a host offers."""
    return ["probe", *(f"--module={name}" for name in modules), *(f"--prefer-prebuilt={n}" for n in prefer_prebuilt)]


async def prepare_host(
    link: Link,
    kind: str,
    options: PrepareOptions,
    on_progress: Callable[[Preparation], None],
    probe: Sequence[str] = (),
) -> PreparedLink:
    """The link with a Python that imports what a ``kind`` of device ("cpu", "gpu") needs.

    ``probe`` is the command that it will be asked next, without others between: it is answered at the same time.

    Raises:
        TunetuiError: there is none and none can be built; says why, and what to do.
    """
    found, foretold = await _look_and_probe(link, kind, options.python, probe)
    if found["state"] == "missing":
        on_progress(Preparation(link.host, "look", f"no Python of {link.host} has what is needed: one is prepared"))
        await _Building(link, kind, options, found, on_progress).run()
        found = await look(link, kind, options.python)
        if found["state"] == "missing":
            raise TunetuiError(f"the environment built on {link.host} is gone again", hint="is its disk full?")
    on_progress(Preparation(link.host, "ready", clean(f"Python {found['version']} at {found['python']}")))
    ready = prepared_as(link, found)
    if foretold:
        ready.foretell(probe, foretold)
    return ready


def prepared_as(link: Link, found: dict[str, Any]) -> PreparedLink:
    """The link with the Python that `look` found."""
    return PreparedLink(link, str(found["python"]), user_site=bool(found["user_site"]))


def size_of_environment(host: str, kind: str, missing: dict[str, Any]) -> int:
    """Bytes of wheels that an environment would be built from.  Raises TunetuiError where none can be built."""
    return choose(host, kind, missing["host"], missing["tried"])[1].size_bytes


async def look(link: Link, kind: str, python: str = "") -> dict[str, Any]:
    """What the host's agent says of its Pythons: "state" is "ready" or "missing".

    Raises:
        TunetuiError: the Python that was asked for will not do, or the host folder cannot be used.
    """
    return (await _look_and_probe(link, kind, python, ()))[0]


async def _look_and_probe(link: Link, kind: str, python: str, probe: Sequence[str]) -> tuple[dict[str, Any], bytes]:
    """What `look` says, and the answer to ``probe`` where there is one: the first line and the second."""
    arguments = ["environment", "--kind", kind, *(["--python", python] if python else [])]
    raw = await link.ask([*arguments, *(["--probe", *probe[1:]] if probe else [])])
    first, _, second = raw.partition(b"\n")
    answer = json_object(first, link.host)
    if not answer.get("ok"):
        hint = "the host's `python` in settings.toml names it" if answer.get("error") == "python" else ""
        raise TunetuiError(f"{link.host}: {one_line(str(answer.get('text', answer))[:1000])}", hint=hint)
    needed = {"python", "user_site", "version"} if answer.get("state") == "ready" else {"host", "tried"}
    if answer.get("state") not in ("ready", "missing") or not needed <= set(answer):
        raise TunetuiError(f"the agent on {link.host} answered with something else than expected")
    return answer, second if _is_well(second) else b""


def _is_well(line: bytes) -> bool:
    """Whether a host could be probed; where not, it is asked again, so that what is wrong is said as ever."""
    try:
        answer = json.loads(line)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("ok") is True


def choose(host: str, kind: str, facts: dict[str, Any], tried: list[dict[str, Any]]) -> tuple[dict[str, Any], Recipe]:
    """The Python of a host to build with, and what from.  Raises TunetuiError where there is none."""
    glibc = tuple(int(part) for part in str(facts.get("glibc", "")).split(".") if part.isdigit())
    if facts.get("system") != "Linux" or glibc < LEAST_GLIBC:
        found = f"{facts.get('system')}, glibc {facts.get('glibc') or 'none'}"
        raise TunetuiError(
            clean(f"{host}: no Python there has what is needed, and none can be built on {found}"),
            hint=_name_one(kind, tried),
        )
    name = set_for(kind, str(facts.get("cuda", "")))
    makers = {tuple(each["version"]): each for each in facts["pythons"]}
    for version in NEWEST_FIRST:
        plan = recipe(name, version, str(facts["machine"])) if version in makers else None
        if plan is not None:
            return makers[version], plan
    versions = ", ".join(sorted(".".join(map(str, version)) for version in makers)) or "none with the module venv"
    raise TunetuiError(
        clean(
            f"{host}: no environment can be built: there are no wheels for its Pythons ({versions}) on "
            f"{facts['machine']}"
        ),
        hint=_name_one(kind, tried),
    )


def _name_one(kind: str, tried: list[dict[str, Any]]) -> str:
    looked = "\n".join(f"looked at {each.get('python')}: {each.get('why')}" for each in tried[:8])
    modules = "numpy" if kind == "cpu" else "numpy, CuPy"
    return clean(f'name a Python that imports {modules}: [hosts.NAME] python = "PATH" in settings.toml\n{looked}')


class _Building:
    """One environment on one host, from what it lacks to what it has."""

    def __init__(
        self,
        link: Link,
        kind: str,
        options: PrepareOptions,
        missing: dict[str, Any],
        on_progress: Callable[[Preparation], None],
    ) -> None:
        self._link, self._kind, self._options, self._on_progress = link, kind, options, on_progress
        self._told: Preparation | None = None
        self._tried = [each for each in missing["tried"] if isinstance(each, dict)]
        self._facts: dict[str, Any] = missing["host"]

    async def run(self) -> None:
        """Build it.  Raises TunetuiError."""
        made_from, plan = choose(self._link.host, self._kind, self._facts, self._tried)
        name, pip = plan.pip
        send = dict(plan.wheels) if self._options.offline_wheels else {}
        if self._options.offline_wheels or not made_from["ensurepip"]:
            send[name] = pip
        for index, (file, wheel) in enumerate(send.items()):
            before = sum(each.size for each in list(send.values())[:index])
            await self._send(file, wheel, before, sum(each.size for each in send.values()))
        request = {
            "key": plan.key,
            "kind": self._kind,
            "python": made_from["python"],
            "requirements": plan.requirements,
            "sizes": {file: wheel.size for file, wheel in plan.wheels.items()},
            "pip": name if name in send else "",
            "offline": self._options.offline_wheels,
            "cuda": int(str(self._facts.get("cuda", "")).partition(".")[0] or 0),
        }
        answer = await self._persist(lambda: self._build(json.dumps(request).encode() + b"\n"))
        if not answer.get("ok"):
            raise self._refused(answer, plan)

    async def _send(self, name: str, wheel: Wheel, before: int, total: int) -> None:
        """One wheel from here to there."""
        from tunetui.hosts.wheels import fetch_wheel, find_wheel  # most hosts take none

        def tell(step: str) -> Callable[[int], None]:
            return lambda done: self._tell(step, name, before + done, total)

        if self._options.wheels_folder is not None:
            path = find_wheel(self._options.wheels_folder, name, wheel)
        else:
            loop, fetched = asyncio.get_running_loop(), tell("fetch")
            path = await asyncio.to_thread(
                fetch_wheel, cache_folder() / "downloads", name, wheel,
                lambda done: void(loop.call_soon_threadsafe(fetched, done)),
            )  # fmt: skip
        answer = await self._persist(lambda: self._push(path, name, wheel, tell("send")))
        if not answer.get("ok"):
            raise TunetuiError(clean(f"{self._link.host} does not take {name}: {str(answer.get('text'))[:500]}"))

    async def _push(
        self, path: Path, name: str, wheel: Wheel, on_bytes: Callable[[int], None]
    ) -> dict[str, Any] | None:
        arguments = ["receive", "--name", name, "--size", str(wheel.size), "--sha256", wheel.sha256]
        stream = await self._link.open(arguments)
        lines = Lines(stream)
        try:
            said = await lines.next()
            if said is None or said.get("say") != "have":
                return None if said is not None and said.get("error") == "busy" else said
            with path.open("rb") as file:
                sent = file.seek(int(said["offset"]))
                while data := file.read(_CHUNK_BYTES):
                    await within(SILENCE_SECONDS, stream.write(data))
                    sent += len(data)
                    on_bytes(sent)
            answer = await lines.next()
        finally:
            await stream.close()
        return None if answer is not None and answer.get("error") == "short" else answer

    async def _build(self, request: bytes) -> dict[str, Any] | None:
        stream = await self._link.open(["environment-build"])
        lines = Lines(stream)
        try:
            await stream.write(request)
            while (said := await lines.next()) is not None and said.get("say") == "progress":
                step, text = clean(str(said.get("step", ""))), clean(str(said.get("text", "")))
                done, total = int(said.get("done", 0)), int(said.get("total", 0))
                self._tell(step, text, done, total)
        finally:
            await stream.close()
        return said

    def _tell(self, step: str, text: str, done: int, total: int) -> None:
        """Progress, unless it is what was told last: the agent repeats itself so that a dead link is noticed."""
        now = Preparation(self._link.host, step, text, done, total)
        if now != self._told:
            self._told = now
            self._on_progress(now)

    async def _persist(self, attempt: Callable[[], Any]) -> dict[str, Any]:
        """Again and again while the link is what fails: what was sent or built so far is kept there."""
        for left in reversed(range(TRIES)):
            try:
                answer: dict[str, Any] | None = await attempt()
                if answer is not None:
                    return answer
            except SilentError:
                raise
            except (TimeoutError, OSError) as error:
                if not left:
                    raise TunetuiError(f"the link to {self._link.host} is lost: {clean(str(error))}") from None
            await asyncio.sleep(_PAUSE_SECONDS)
        raise TunetuiError(f"{self._link.host} could not be prepared: the link was lost {TRIES} times")

    def _refused(self, answer: dict[str, Any], plan: Recipe) -> TunetuiError:
        size = f"{plan.size_bytes / 1e6:,.0f} MB"
        hints = {
            "no-way-out": f"--offline-wheels fetches the wheels ({size}) here and sends them over the link",
            "disk-full": f"make room there: {size} of wheels, and two and a half times that in all",
            "hash": "try again; if it stays so, the index that the host uses does not serve PyPI's own files:\n"
            "--offline-wheels fetches the wheels here",
            "died": "try again: it goes on from a clean start",
        }
        text = one_line(str(answer.get("text", answer))[:1500])
        return TunetuiError(
            f"{self._link.host}: {text}", hint=hints.get(str(answer.get("error")), _name_one(self._kind, self._tried))
        )


class Lines:
    """JSON objects of a stream, one at a time."""

    def __init__(self, stream: AgentStream) -> None:
        self._stream, self._framer = stream, LineFramer()
        self._waiting: list[bytes] = []

    async def next(self) -> dict[str, Any] | None:
        """The next one; None at the stream's end.  Raises TimeoutError after a silence, TunetuiError at nonsense."""
        while not self._waiting:
            data = await within(SILENCE_SECONDS, self._stream.read())
            if not data:
                return None
            self._waiting += self._framer.feed(data)
        line = self._waiting.pop(0)
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise TunetuiError(f"the agent answered with something else than expected: {clean(repr(line[:200]))}")
        return said


def void(_: object) -> None:
    """Forget a handle that is not needed."""
