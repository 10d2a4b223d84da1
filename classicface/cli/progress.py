"""The progress bar on stderr: shown after a second, with the time left as it really looks."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["ProgressBar"]

#: Work that is done sooner shows nothing.
DELAY = 1.0

#: Seconds between two lines where stderr is not a terminal.
PLAIN_INTERVAL = 30.0


class ProgressBar:
    """A context manager that is the progress callback of the library.

    On a terminal it draws a bar that leaves nothing behind; elsewhere it prints a plain line twice
    a minute. The time left is what has passed, times the fraction to come over the fraction done.
    """

    def __enter__(self) -> ProgressBar:
        now = time.monotonic()
        self._start = self._said = self._told = now
        self._fraction = 0.0
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = self._build()
            self._timer = threading.Timer(DELAY, self._bar.start)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __call__(self, fraction: float, text: str) -> None:
        """Take note of the fraction done, 0 to 1, and of what is being done."""
        now = time.monotonic()
        self._fraction, self._told = fraction, now
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=fraction, description=text)
        elif now - self._said >= PLAIN_INTERVAL:
            self._said = now
            print(f"{text}: {100 * fraction:.0f} %{self.left()}", file=sys.stderr, flush=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._timer.cancel()
            self._timer.join()
            self._bar.stop()

    def left(self) -> str:
        """Return the time left as text; empty while there is nothing to judge it by."""
        passed = self._told - self._start
        if self._fraction < 0.01 or passed < DELAY:
            return ""
        expected = passed * (1 - self._fraction) / self._fraction
        minutes, seconds = divmod(round(max(0.0, expected - (time.monotonic() - self._told))), 60)
        return f", {minutes}:{seconds:02d} left"

    def _build(self) -> Progress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            ProgressColumn,
            Task,
            TaskProgressColumn,
            TextColumn,
        )
        from rich.text import Text

        outer = self

        class Left(ProgressColumn):
            def render(self, task: Task) -> Text:
                return Text(outer.left().removeprefix(", "))

        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            Left(),
            console=Console(stderr=True),
            transient=True,
        )
        bar.add_task("", total=1.0)
        return bar
