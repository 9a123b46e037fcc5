import asyncio

import numpy as np

from tenfold.handwriting.picture import Reading
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


def test_what_arrives_together_is_one_call_and_a_bug_stops_nobody_after(reader, mnist):
    wrong = Reading(np.zeros((3, 3), np.uint8), "digit")
    counting, pictures = Counting(reader), readings(mnist, 20)

    async def main():
        batcher = Batcher(lambda: counting)
        return await ask_all(batcher, [*pictures, wrong]), await ask_all(batcher, pictures)

    failed, after = asyncio.run(main())
    assert counting.calls == [22, 21]
    assert all(isinstance(error, ValueError) for error in failed)
    assert after == reader.read(pictures)
