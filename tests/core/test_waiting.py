"""Whatever waits ends when it is cancelled, also at the very moment of the answer; an answer is worth more than time that is up."""

from __future__ import annotations

import asyncio

import pytest

from tunetui.core.waiting import Cancellation, Silence, within


async def turns(count: int) -> None:
    """Of the loop: whatever is ready goes on by one step in each."""
    for _ in range(count):
        await asyncio.sleep(0)


class Answer:
    """One that is waited for, for a long time, and may come."""

    def __init__(self) -> None:
        self._future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting = asyncio.create_task(within(300.0, self._wait()))

    async def _wait(self) -> str:
        return await self._future

    def come(self) -> None:
        self._future.set_result("an answer")

    def fail(self) -> None:
        self._future.set_exception(OSError("no answer"))


@pytest.mark.parametrize("passed", range(3))
async def test_a_cancellation_is_not_forgotten_over_an_answer_that_comes_with_it(passed: int) -> None:
    answer = Answer()
    await turns(3)
    answer.come()
    await turns(passed)
    assert not answer.waiting.done()  # the answer is on its way through the loop
    answer.waiting.cancel()
    await turns(10)
    assert answer.waiting.cancelled()


async def test_an_answer_and_what_is_raised_in_its_place_are_handed_on() -> None:
    answers = Answer(), Answer()
    await turns(3)
    answers[0].come()
    answers[1].fail()
    assert await answers[0].waiting == "an answer"
    with pytest.raises(OSError, match="no answer"):
        await answers[1].waiting


async def test_what_takes_too_long_is_ended_and_said() -> None:
    ended = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await within(0.001, never())
    assert ended.is_set()


async def test_an_answer_that_is_there_when_time_is_up_counts() -> None:
    """As for a process that was stopped for a while."""

    async def at_once() -> str:
        return "an answer"

    assert await within(0.0, at_once()) == "an answer"


async def test_a_cancellation_that_something_else_has_forgotten_is_found() -> None:
    found = asyncio.Event()

    async def forgets() -> None:
        cancellation = Cancellation()
        cancellation.check()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            found.set()
        Cancellation().check()  # one from before is nobody's business
        cancellation.check()
        raise AssertionError("it was cancelled")

    task = asyncio.create_task(forgets())
    await turns(1)
    task.cancel()
    await turns(3)
    assert found.is_set()
    assert task.cancelled()


async def test_a_silence_is_counted_anew_with_every_sign_of_life() -> None:
    silence = Silence(0.02)  # in steps of a tenth, of which each turn of the loop is one at most

    async def speaks() -> str:
        for _ in range(30):
            await asyncio.sleep(0.002)
            silence.heard()
        return "an answer"

    assert await silence.limit(speaks()) == "an answer"


async def test_a_silence_that_lasts_ends_the_wait_and_the_work() -> None:
    work = asyncio.get_running_loop().create_future()
    with pytest.raises(TimeoutError):
        await Silence(0.01).limit(work)
    assert work.cancelled()


async def test_a_wait_for_a_silence_ends_when_it_is_cancelled() -> None:
    work = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(Silence(300.0).limit(work))
    await turns(3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.cancelled()
