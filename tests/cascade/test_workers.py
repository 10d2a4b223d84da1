"""Workers: every task once, on any number of threads, and no error is lost."""

import threading

import pytest

from classicface.cascade.workers import Workers

COUNTS = [1, 2, 5]


@pytest.mark.parametrize("n_threads", COUNTS)
@pytest.mark.parametrize("n_tasks", [0, 1, 3, 200])
def test_every_task_runs_once(n_threads, n_tasks):
    done = []
    with Workers(n_threads) as workers:
        for _ in range(3):
            workers.run((lambda i=i: done.append(i)) for i in range(n_tasks))
    assert sorted(done) == sorted(list(range(n_tasks)) * 3)


def test_tasks_run_side_by_side():
    meeting = threading.Barrier(3, timeout=20)
    with Workers(3) as workers:
        workers.run([meeting.wait] * 3)


@pytest.mark.parametrize("n_threads", COUNTS)
@pytest.mark.parametrize("place", [0, 7, 19])
def test_an_error_reaches_the_caller(n_threads, place):
    def task(i):
        if i == place:
            raise KeyError("lost")

    with Workers(n_threads) as workers:
        with pytest.raises(KeyError, match="lost"):
            workers.run((lambda i=i: task(i)) for i in range(20))
        done = []
        workers.run([lambda: done.append(1)] * 4)
        assert len(done) == 4


def test_no_thread_is_left_behind():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), Workers(4) as workers:
        workers.run([lambda: None] * 9)
        _ = 1 / 0
    assert threading.active_count() == before
