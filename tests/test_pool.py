"""Tasks in processes and on Dask: each is done, whatever dies; none is left behind."""

import os
import signal
import subprocess
import sys
from functools import partial

import psutil
import pytest

from tenfold import machine, pool
from tenfold.errors import TenfoldError
from tenfold.pool import KilledError
from waiting import Spy, running, until

HERE = [(1, None), (2, None), pytest.param((1, "local"), marks=pytest.mark.slow)]
PID = partial(eval, "__import__('os').getpid()")
DIE = partial(eval, "__import__('os')._exit(9)")


def _done(workers, tasks, ahead=1):
    tasks = iter(tasks)
    return {key: result() for key, result in workers.completed(lambda: next(tasks, None), ahead)}


@pytest.mark.parametrize("where", HERE)
def test_every_task_is_done_and_its_error_raised(where):
    with pool.started(*where) as workers:
        assert _done(workers, ((at, partial(pow, at, 2)) for at in range(50)), ahead=3) == {n: n * n for n in range(50)}
        assert workers.call(partial(bytes, 5_000_000)) == bytes(5_000_000)
        assert workers.call(partial(eval, "print('no result') or 3")) == 3
        with pytest.raises(ValueError, match="invalid literal"):
            workers.call(partial(int, "x"))
        assert workers.call(partial(int, "7")) == 7
        first, second = workers.begin(partial(int, "1")), workers.begin(partial(int, "x"))
        assert first() == 1
        with pytest.raises(ValueError, match="invalid literal"):
            second()


def test_no_more_processes_are_started_than_cores_and_memory_are_enough_for():
    spy = Spy()
    assert pool.affordable(10**20, None, 0, spy) == pool.affordable(None, "local", 0, Spy()) == machine.cores()
    assert pool.affordable(1_000, None, machine.memory(), spy) == 1
    assert pool.affordable(1_000, "tcp://elsewhere:8786", machine.memory(), spy) == 1_000
    assert len(spy.lines) == 2
    assert machine.memory() <= psutil.virtual_memory().total


def test_one_job_is_this_process_and_several_are_others_that_share_the_cores():
    with pool.started(1) as workers:
        assert workers.call(PID) == os.getpid()
    with pool.started(2) as workers:
        assert workers.call(PID) != os.getpid()
        threads = workers.call(partial(eval, "__import__('os').environ['OMP_NUM_THREADS']"))
        assert threads == str(max(1, machine.cores() // 2))
    assert machine.cores() == int(
        subprocess.check_output(["nproc"], text=True, env=os.environ | {"OMP_NUM_THREADS": ""})
    )


@pytest.mark.parametrize(("jobs", "ahead"), [(1, 5), (2, 1), (2, 3)])
def test_no_more_is_drawn_than_is_outstanding(jobs, ahead):
    """Of millions of tasks only a few are in memory."""
    drawn = []

    def draw():
        drawn.append(len(drawn))
        return (drawn[-1], partial(pow, 2, 2)) if len(drawn) <= 40 else None

    with pool.started(jobs) as workers:
        for done, _ in enumerate(workers.completed(draw, ahead)):
            assert len(drawn) - done <= (1 if jobs == 1 else jobs * ahead)


def test_a_task_that_kills_its_worker_is_given_up_and_takes_no_other_with_it():
    with pool.started(2) as workers:
        tasks = iter([("deadly", DIE), *((at, partial(eval, "__import__('time').sleep(.05)")) for at in range(6))])
        outcomes = {}
        for key, result in workers.completed(lambda: next(tasks, None), ahead=4):
            try:
                outcomes[key] = result()
            except KilledError as error:
                outcomes[key] = str(error)
        assert "died 3 times" in outcomes.pop("deadly")
        assert outcomes == dict.fromkeys(range(6))


def test_a_worker_that_is_killed_once_has_its_task_done_again(tmp_path):
    mark = str(tmp_path / "mark")
    code = f"__import__('os').path.exists({mark!r}) or (open({mark!r}, 'w'), __import__('os')._exit(9))"
    with pool.started(2) as workers:
        assert workers.call(partial(eval, code)) is True


def test_an_error_stops_what_still_runs():
    """Within the block's end, not that of a task which would take an hour."""
    long = partial(eval, "__import__('time').sleep(3600)")
    with pytest.raises(ZeroDivisionError), pool.started(2) as workers:
        _done(workers, [("long", long), ("wrong", partial(divmod, 1, 0))])
    assert not [child for child in psutil.Process().children() if "tenfold.pool" in child.cmdline()]


PARENT = """
from functools import partial
from tenfold import pool
with pool.started(2) as workers:
    print(workers.call(partial(eval, "__import__('os').getpid()")), flush=True)
    workers.call(partial(eval, "__import__('time').sleep(3600)"))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(number):
    with running([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        assert worker.is_running()
        parent.send_signal(number)
        parent.wait()
    until(lambda: not worker.is_running())


@pytest.mark.slow
def test_on_dask_a_deadly_task_is_given_up_too():
    with pool.started(2, "local") as workers, pytest.raises(KilledError):
        workers.call(DIE)


@pytest.mark.slow
def test_two_clusters_run_on_one_machine_without_a_warning():
    with pool.started(1, "local") as one, pool.started(1, "local") as other:
        assert [workers.call(partial(sum, [1, 2])) for workers in (one, other)] == [3, 3]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nosuch://x"])
def test_no_scheduler_at_that_address(address):
    with pytest.raises(TenfoldError, match=f"no Dask scheduler answers at {address}"), pool.started(1, address):
        pass
