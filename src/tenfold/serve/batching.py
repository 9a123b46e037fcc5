"""Pictures that arrive together are answered together: one call of the model for all of them."""

import asyncio
from collections.abc import Callable

from tenfold.answers import Answer
from tenfold.handwriting.picture import Reading
from tenfold.predict import Reader


class Batcher:
    """Collects what the event loop hands out in one round, and asks the model once.

    Nobody waits for others to come: a round is over when all requests that were there have been looked at. The reader
    is asked for anew each time, so that it can be another.
    """

    def __init__(self, reader: Callable[[], Reader]) -> None:
        self.reader = reader
        self.waiting: list[tuple[Reading, asyncio.Future[Answer]]] = []

    async def answer(self, reading: Reading) -> Answer:
        """Return the answer to a picture that went through the contract."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self.waiting.append((reading, future))
        if len(self.waiting) == 1:
            loop.call_soon(self._answer_all)
        return await future

    def _answer_all(self) -> None:
        waiting, self.waiting = self.waiting, []
        waiting = [(reading, future) for reading, future in waiting if not future.done()]  # not for who was cancelled
        try:
            answers = self.reader().read([reading for reading, _ in waiting])
        except Exception as error:  # a bug, which is each request's
            for _, future in waiting:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(waiting, answers, strict=True):
                future.set_result(answer)
