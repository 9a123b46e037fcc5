import asyncio
import threading
import tracemalloc

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


@pytest.mark.parametrize(("black", "white"), [(0, 1), (0, 16), (255, 0), (-1, 1), (0, 255)])
def test_another_range_is_taken_if_it_is_declared_and_else_refused(mnist, black, white):
    """Taken as 0 to 255, such pictures gave wrong and sure answers."""
    rows = (black + mnist.images[0] / 255 * (white - black)).tolist()
    reading = intake.array({"image": rows, "range": [black, white]})
    np.testing.assert_array_equal(reading.image, mnist.images[0])
    if (black, white) != (0, 255):
        with pytest.raises(RefusedError):
            intake.array(rows)


def test_huge_and_ragged_values_are_refused_before_an_array_is_made():
    tracemalloc.start()
    for value in (["a" * 4_000, *[""] * 300_000], [["a" * 100_000] * 28] * 28, [[10**400] * 28] * 28, "a" * 10**6):
        with pytest.raises(RefusedError):
            intake.array(value)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000  # numpy would pad the strings to gigabytes
    tracemalloc.stop()


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
    return value if type(value) in (int, float) and value % 1 == 0 else -1  # JSON's 7.0 is an integer too


def test_who_would_wait_too_long_for_a_thread_is_told_to_come_back():
    go_on = threading.Event()

    async def main():
        workers = Workers(2)
        many = intake.WAITING + 2
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
        assert (
            await asyncio.gather(*(workers.run(lambda: 7) for _ in range(many))) == [7] * many
        )  # none counts for ever

    asyncio.run(main())


def test_work_that_takes_too_long_is_answered_and_what_waits_for_it_is_dropped():
    go_on, begun = threading.Event(), []

    async def main():
        workers = Workers(1, seconds=0.01)

        def work():
            begun.append(1)
            return go_on.wait(20)

        for _ in range(intake.WAITING + 3):  # more than may wait: those that were given up do not count
            with pytest.raises(RefusedError, match=r"0\.01 seconds") as error:
                await workers.run(work)
            assert error.value.http_status == 503
        go_on.set()
        assert begun == [1]

    asyncio.run(main())
