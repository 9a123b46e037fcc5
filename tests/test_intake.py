import asyncio
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.serve import intake
from tenfold.serve.intake import RefusedError, Workers


def test_an_array_is_taken_as_it_is(mnist):
    reading = intake.array(mnist.images[0].tolist())
    assert (reading.image.dtype, reading.verdict) == (np.uint8, "digit")
    np.testing.assert_array_equal(reading.image, mnist.images[0])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=20,
)


@given(JSON | JSON.map(lambda value: [[value] * 28] * 28).filter(lambda rows: not 0 <= _number(rows[0][0]) <= 255))
def test_other_arrays_are_refused(value):
    with pytest.raises(RefusedError, match="28 rows of 28 integers") as error:
        intake.array(value)
    assert error.value.http_status == 422


def _number(value):
    return value if type(value) is int else -1


def test_who_would_wait_too_long_for_a_thread_is_told_to_come_back():
    go_on = threading.Event()

    async def main():
        workers = Workers()
        many = intake.WAITING + intake.THREADS
        begun = [asyncio.ensure_future(workers.run(lambda: go_on.wait(20))) for _ in range(many)]
        await asyncio.sleep(0)  # each of them is under way now
        with pytest.raises(RefusedError, match="busy") as error:
            await workers.run(lambda: None)
        assert (error.value.http_status, error.value.headers) == (503, {"retry-after": "1"})
        go_on.set()
        assert await asyncio.gather(*begun) == [True] * many
        for _ in range(10):
            with pytest.raises(ZeroDivisionError):
                await workers.run(lambda: 1 / 0)
        assert workers.waiting == 0

    asyncio.run(main())
