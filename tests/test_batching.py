import asyncio

import numpy as np

from tenfold.data.picture import Reading
from tenfold.serve.answering import Batcher


class Counting:
    """A reader that notes how many pictures each of its calls has."""

    def __init__(self, reader):
        self.reader = reader
        self.calls = []

    def read(self, readings):
        self.calls.append(len(readings))
        return self.reader.read(readings)


def readings(mnist, count):
    images = [Reading(image, "digit") for image in mnist.images[:count]]
    return [*images[:3], Reading(None, "several digits"), *images[3:]]


async def ask_all(batcher, pictures):
    return await asyncio.gather(*(batcher.answer(one) for one in pictures), return_exceptions=True)


def test_what_arrives_together_is_one_call(reader, mnist):
    counting = Counting(reader)
    pictures = readings(mnist, 20)

    async def main():
        batcher = Batcher(lambda: counting)
        together = await ask_all(batcher, pictures)
        alone = [await batcher.answer(one) for one in pictures[:2]]
        return together, alone

    together, alone = asyncio.run(main())
    assert counting.calls == [21, 1, 1]
    assert together == reader.read(pictures)
    assert alone == together[:2]


def test_the_reader_may_be_another_each_time(reader, mnist):
    first, second = Counting(reader), Counting(reader)
    readers = [first, second]

    async def main():
        batcher = Batcher(lambda: readers.pop(0))
        await ask_all(batcher, readings(mnist, 4))
        await ask_all(batcher, readings(mnist, 6))

    asyncio.run(main())
    assert (first.calls, second.calls) == ([5], [7])


def test_a_bug_reaches_everybody_and_stops_nobody_after(reader, mnist):
    wrong = Reading(np.zeros((3, 3), np.uint8), "digit")

    async def main():
        batcher = Batcher(lambda: reader)
        failed = await ask_all(batcher, [*readings(mnist, 3), wrong])
        return failed, await ask_all(batcher, readings(mnist, 3))

    failed, after = asyncio.run(main())
    assert len(failed) == 5
    assert all(isinstance(error, ValueError) for error in failed)
    assert after == reader.read(readings(mnist, 3))


def test_who_was_cancelled_is_not_answered(reader, mnist):
    async def main():
        batcher = Batcher(lambda: reader)
        tasks = [asyncio.ensure_future(batcher.answer(one)) for one in readings(mnist, 3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
        return done[0], done[2]

    answers = reader.read(readings(mnist, 3))
    assert asyncio.run(main()) == (answers[0], answers[2])
