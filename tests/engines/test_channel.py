"""The bytes between app and agent: framed however they come, sent again until accepted, and never taken twice."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.agent_runs import Host, spec, trial
from tunetui.core.errors import TunetuiError
from tunetui.core.records import decode_record
from tunetui.engines.channel import (
    MAX_BYTES_WITH_START,
    MAX_LINE_BYTES,
    AgentRefusedError,
    Follower,
    LineFramer,
    Outbox,
    Position,
)
from tunetui.engines.local import LocalLink, LocalStream
from tunetui_agent.messages import AgentStarted, CloseQueue, CommandAccepted, EnqueueTrials, RunEnded, StopRun

LINES = st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=20)
HOWS = ("well", "prints", "reads", "gives nan", "writes nothing", "raises", "is slow", "exits")


# ------------------------------------------------------------------------------------------ framing


@given(LINES, st.binary().map(lambda tail: tail.replace(b"\n", b"")), st.lists(st.integers(0, 200), max_size=30))
def test_lines_come_out_whole_and_in_order_however_the_bytes_were_split(
    lines: list[bytes], torn: bytes, cuts: list[int]
) -> None:
    data = b"".join(line + b"\n" for line in lines) + torn
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    framer = LineFramer()
    found = [
        line for begin, end in itertools.pairwise(places) for line in framer.feed(data[begin:end])
    ]  # a torn last line never comes out
    assert found == lines
    assert framer.feed(b"\n") == [torn]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    framer = LineFramer()
    assert framer.feed(b"x" * MAX_LINE_BYTES) == []
    with pytest.raises(TunetuiError, match="over 64 MiB"):
        framer.feed(b"x")


# ------------------------------------------------------------------------------------------ commands


def queued(outbox: Outbox) -> list[bytes]:
    return [outbox.fresh.get_nowait() for _ in range(outbox.fresh.qsize())]


def test_commands_that_were_not_accepted_are_sent_again_over_a_new_link_in_order() -> None:
    outbox = Outbox()
    for name in ("a", "b", "c"):
        outbox.send(StopRun(command=name))
    first = queued(outbox)
    assert [b'"command":"%s"' % name in line for name, line in zip((b"a", b"b", b"c"), first, strict=True)] == [
        True
    ] * 3
    outbox.accepted("b")
    outbox.accepted("never sent")
    outbox.restart()
    assert queued(outbox) == [first[0], first[2]]
    outbox.send(StopRun(command="d"))
    outbox.accepted("a")
    outbox.accepted("c")
    outbox.accepted("d")
    outbox.restart()
    assert queued(outbox) == []


def test_what_an_agent_was_started_with_is_not_sent_again_over_the_link() -> None:
    outbox = Outbox()
    for name in ("a", "b"):
        outbox.send(StopRun(command=name))
    lines = outbox.with_start()
    outbox.send(StopRun(command="c"))
    all_three = list(outbox.waiting.values())
    outbox.restart()  # whether the start worked is not known
    assert queued(outbox) == all_three
    outbox.started()
    outbox.restart()
    assert (lines, queued(outbox)) == (b"".join(all_three[:2]), all_three[2:])
    assert list(outbox.waiting) == ["a", "b", "c"]  # none is accepted


def test_an_agent_is_started_with_no_more_than_holds_up_nothing_and_in_order() -> None:
    outbox = Outbox()
    for name in ("a", "b" * MAX_BYTES_WITH_START, "c"):
        outbox.send(StopRun(command=name))
    lines = outbox.with_start()
    outbox.started()
    outbox.restart()
    assert lines == outbox.waiting["a"]
    assert queued(outbox) == list(outbox.waiting.values())[1:]


# ------------------------------------------------------------------------------------------ following


class CutStream:
    """A real agent process whose stream ends after so many bytes, in the middle of whatever it says."""

    def __init__(self, stream: LocalStream, left_bytes: int) -> None:
        self._stream, self._left_bytes = stream, left_bytes

    async def read(self) -> bytes:
        data = await self._stream.read() if self._left_bytes else b""
        data, self._left_bytes = data[: self._left_bytes], max(0, self._left_bytes - len(data))
        if not self._left_bytes and self._stream._process.returncode is None:
            self._stream._process.kill()
        return data

    async def write(self, data: bytes) -> None:
        await self._stream.write(data)

    async def close(self, *, at_once: bool = False) -> str:
        return await self._stream.close(at_once=at_once)


class CutLink(LocalLink):
    """Cuts its first streams after so many bytes each; later ones are whole."""

    def __init__(self, root: Path, cuts: Sequence[int]) -> None:
        super().__init__(root)
        self.cuts = list(cuts)

    async def open(self, arguments: Sequence[str]) -> LocalStream:
        stream = await super().open(arguments)
        return CutStream(stream, self.cuts.pop(0)) if self.cuts else stream  # type: ignore[return-value]


class Taken:
    """What a follower has handed over, and so where to take it up again."""

    def __init__(self, link: LocalLink, run: str) -> None:
        self.lines: list[bytes] = []
        self.epoch = ""
        self.states: list[str] = []
        self.follower = Follower(
            link, run, position=self._position, take=self._take, client="test", on_state=self.states.append
        )

    def _position(self) -> Position:
        return Position(len(self.lines), sum(len(line) + 1 for line in self.lines), self.epoch)

    def _take(self, raw: bytes) -> None:
        event = decode_record(self.follower._run, raw).event
        self.lines.append(raw)
        if isinstance(event, AgentStarted):
            self.epoch = event.epoch
        elif isinstance(event, CommandAccepted):
            self.follower.outbox.accepted(event.command)
        elif isinstance(event, RunEnded):
            self.follower.ended = event.reason


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    found = Host(tmp_path / "host")
    yield found
    found.end()


@pytest.mark.parametrize("seed", range(2))
async def test_over_a_link_that_is_cut_anywhere_every_record_comes_once_and_every_command_is_carried_out_once(
    host: Host, seed: int
) -> None:
    assert host.start(spec("run"))["ok"]
    chance = random.Random(seed)
    link = CutLink(host.root, [chance.randrange(1, 1200) for _ in range(6)])
    taken = Taken(link, "run")
    taken.follower.outbox.send(EnqueueTrials(command="trials", trials=[trial(how) for how in HOWS]))
    taken.follower.outbox.send(CloseQueue(command="close"))
    assert await taken.follower.follow() == "ended"
    assert b"\n".join(taken.lines) + b"\n" == host.folder.run("run").journal.read_bytes()
    text = b"".join(taken.lines)
    assert text.count(b'"kind":"TrialMeasured"') + text.count(b'"kind":"TrialFailed"') == len(HOWS)
    assert text.count(b'"command":"trials"') == text.count(b'"command":"close"') == 1
    assert link.cuts == []
    assert taken.states.count("lost") == 6


async def test_a_link_that_never_holds_is_given_up_after_as_many_attempts_as_it_allows(host: Host) -> None:
    host.start(spec("run"))
    link = CutLink(host.root, [1, 1, 1, 1])
    link.retries = 2
    with pytest.raises(TunetuiError, match="cannot follow run run on local"):
        await Taken(link, "run").follower.follow()
    assert link.cuts == [1]  # the first attempt and two more


async def test_a_run_that_is_not_there_or_is_another_one_is_refused(host: Host) -> None:
    host.start(spec("run"))
    with pytest.raises(AgentRefusedError, match="run other on local is not there any more"):
        await Taken(LocalLink(host.root), "other").follower.follow()
    taken = Taken(LocalLink(host.root), "run")
    taken.epoch = "of another agent"
    with pytest.raises(AgentRefusedError) as refused:
        await taken.follower.follow()
    assert refused.value.code == "epoch"


# ------------------------------------------------------------------------------------------ being cancelled


class Talk:
    """A stream that says what the test says; the agent behind it is of no concern."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_closed = False

    async def read(self) -> bytes:
        return await self.said.get()

    async def write(self, data: bytes) -> None:
        """Nobody listens."""

    async def close(self, *, at_once: bool = False) -> str:
        self.is_closed = True
        return ""


class TalkLink:
    """Opens the one stream, where it is told so even for somebody who was cancelled meanwhile, as asyncssh may."""

    host, retries = "box", None

    def __init__(self) -> None:
        self.talk = Talk()
        self.is_slow = self.is_down = False

    async def open(self, arguments: Sequence[str]) -> Talk:
        try:
            if self.is_slow:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        if self.is_down:
            raise ConnectionResetError
        return self.talk


async def turns(count: int) -> None:
    """Of the loop: whatever is ready goes on by one step in each."""
    for _ in range(count):
        await asyncio.sleep(0)


def begun(link: TalkLink) -> asyncio.Task[str]:
    return asyncio.create_task(Taken(link, "run").follower.follow())  # type: ignore[arg-type]


@pytest.mark.parametrize("passed", range(3))
async def test_a_follower_that_is_cancelled_at_the_moment_in_which_something_is_heard_ends(passed: int) -> None:
    link = TalkLink()
    following = begun(link)
    await turns(10)
    link.talk.said.put_nowait(b'{"ctl":"hb"}\n')
    await turns(passed)
    following.cancel()
    await turns(50)
    assert following.cancelled()
    assert link.talk.is_closed


@pytest.mark.parametrize("is_down", [False, True])
async def test_a_follower_that_is_cancelled_while_its_link_is_made_ends_though_the_link_forgets_it(
    *, is_down: bool
) -> None:
    link = TalkLink()
    link.is_slow, link.is_down = True, is_down
    following = begun(link)
    await turns(10)
    following.cancel()
    async with asyncio.timeout(300.0):
        await asyncio.wait({following})
    assert following.cancelled()
    assert link.talk.is_closed is not is_down
