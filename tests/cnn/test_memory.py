"""Memory is used again where nothing refers to it any more, and only there."""

from __future__ import annotations

import threading

import numpy as np

from classicface.cnn.memory import empty, zeros

SHAPE = (3, 50, 70, 4)


def place(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_freed_memory_is_used_again() -> None:
    first = empty(SHAPE)
    where = place(first)
    del first
    second = empty((SHAPE[0] * SHAPE[1], *SHAPE[2:]))
    assert place(second) == where
    assert second.dtype == np.float32
    assert second.shape == (150, 70, 4)


def test_views_hold_the_memory() -> None:
    first = zeros(SHAPE)
    part = first.reshape(-1, 4)[5:9].T
    del first
    second = zeros(SHAPE)
    second += 1
    assert not part.any()
    assert not np.shares_memory(part, second)


def test_arrays_in_use_are_apart() -> None:
    arrays = [zeros(SHAPE) for _ in range(4)]
    for i, array in enumerate(arrays):
        array += i
    assert [float(array.mean()) for array in arrays] == [0, 1, 2, 3]


def test_threads_do_not_share_memory() -> None:
    mine = empty(SHAPE, np.uint8)
    where = place(mine)
    theirs = []
    del mine

    def take() -> None:
        theirs.append(empty(SHAPE, np.uint8))

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    assert place(theirs[0]) != where
    assert theirs[0].dtype == np.uint8


def test_small_arrays_come_from_numpy() -> None:
    assert empty((2, 3)).base is None
