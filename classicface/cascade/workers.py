"""A few threads that share out tasks; compiled kernels run in them side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

__all__ = ["Workers"]


class Workers:
    """Threads that run tasks until none is left; the calling thread is one of them.

    Plain threads, not those of a parallel loop of numba: these wait without spinning, so training
    keeps its speed on a busy machine.

    Parameters
    ----------
    n_threads : int
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self._pool = ThreadPoolExecutor(n_threads - 1) if n_threads > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def run(self, tasks: Iterable[Callable[[], None]]) -> None:
        """Call every task once, in any order, and return when all are done."""
        if self._pool is None:
            for task in tasks:
                task()
            return
        waiting = iter(tasks)
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    task = next(waiting, None)
                if task is None:
                    return
                task()

        helpers = [self._pool.submit(work) for _ in range(self.n_threads - 1)]
        try:
            work()
        finally:
            for helper in helpers:
                helper.result()
