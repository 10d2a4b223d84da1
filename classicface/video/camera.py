"""Frames of a camera, always the latest one, with the times of a clock that is never set.

A thread of its own asks the camera, so that one that does not answer cannot hold the program, and
so that a slow caller gets the newest picture, not one that waited in a queue.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import DataFormatError
from classicface.video.source import Frame, VideoSource, place

__all__ = ["CameraSource"]

#: Seconds that a camera has to open and to give its first picture.
OPEN_TIMEOUT = 15.0

#: Seconds that a camera has to give the next picture.
READ_TIMEOUT = 5.0

#: Seconds to wait for the thread when the camera is closed.
CLOSE_TIMEOUT = 3.0

#: Frames a second of a camera that does not say.
DEFAULT_FPS = 30.0


class CameraSource(VideoSource):
    """The pictures of a camera, without end.

    A frame's index counts the pictures that the camera gave: those that came while the caller was
    busy are passed over, which is no fault. The times are those at which the pictures arrived.

    Parameters
    ----------
    number : int
    fps : float, optional
        The rate that the camera is asked for.

    Raises
    ------
    DataFormatError
        The camera is not there, may not be used, or gives no picture.
    """

    def __init__(self, number: int, fps: float | None) -> None:
        super().__init__()
        self.name = f"camera {number}"
        self.n_frames = None
        self._number = number
        self._wanted = fps
        self._news = threading.Condition()
        self._latest: tuple[int, float, NDArray[np.uint8]] | None = None
        self._error = ""
        self._stop = False
        self._rate = 0.0
        self._check_device()
        # A daemon: a driver that never returns must not keep the program alive.
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()
        try:
            first = self._wait(-1, OPEN_TIMEOUT)
        except BaseException:
            self.close()
            raise
        self._start = first[1]
        self.size = (first[2].shape[1], first[2].shape[0])
        self.fps = self._rate if 1.0 <= self._rate <= 1000.0 else fps or DEFAULT_FPS

    def _frames(self) -> Iterator[Frame]:
        last, then = -1, -1.0
        while True:
            try:
                last, now, image = self._wait(last, READ_TIMEOUT)
            except DataFormatError as error:
                self._faults.add("the camera stopped", f"after {place(last, then)}: {error}")
                raise
            seconds = max(now - self._start, then + 1e-6)  # clocks have steps
            if (image.shape[1], image.shape[0]) != self.size:
                self._faults.add("of another size than the first", place(last, seconds))
                continue
            then = seconds
            yield Frame(last, seconds, image)

    def _close(self) -> None:
        with self._news:
            self._stop = True
            self._news.notify_all()
        self._thread.join(CLOSE_TIMEOUT)

    def _wait(self, last: int, timeout: float) -> tuple[int, float, NDArray[np.uint8]]:
        """Return the first picture after number `last`, waiting for it."""

        def is_there() -> bool:
            newer = self._latest is not None and self._latest[0] > last
            return newer or bool(self._error) or self._stop

        with self._news:
            self._news.wait_for(is_there, timeout)
            if self._latest is not None and self._latest[0] > last:
                return self._latest
            reason = self._error or f"it gave no picture for {timeout:g} s"
        raise DataFormatError(f"{reason}{self._others()}", self.name)

    def _work(self) -> None:
        """Open the camera and keep its latest picture, until told to stop."""
        capture = None
        try:
            capture = _open_capture(self._number)
            if not capture.isOpened():
                self._tell("cannot be opened: it is not there, or another program uses it")
                return
            self._read_all(capture)
        except Exception as error:  # of OpenCV or a driver; it belongs to the caller's thread
            self._tell(f"cannot be read: {error}")
        finally:
            if capture is not None:
                with contextlib.suppress(Exception):
                    capture.release()

    def _read_all(self, capture: Any) -> None:
        import cv2

        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # where the driver obeys; older pictures are stale
        if self._wanted is not None:
            capture.set(cv2.CAP_PROP_FPS, self._wanted)
        self._rate = float(capture.get(cv2.CAP_PROP_FPS) or 0.0)
        index = 0
        while not self._stop:
            done, picture = capture.read()
            now = time.monotonic()
            if not done or picture is None:
                self._tell("gave no picture: it was unplugged, or another program uses it")
                return
            code = cv2.COLOR_GRAY2RGB if picture.ndim == 2 else cv2.COLOR_BGR2RGB
            image = cv2.cvtColor(picture, code)
            with self._news:
                self._latest = (index, now, image)
                self._news.notify_all()
            index += 1

    def _tell(self, error: str) -> None:
        with self._news:
            self._error = error
            self._news.notify_all()

    def _check_device(self) -> None:
        """Say what only Linux tells beforehand: no such device, or no right to use it."""
        if not sys.platform.startswith("linux"):
            return
        device = Path(f"/dev/video{self._number}")
        if not device.exists():
            raise DataFormatError(f"there is no such camera ({device}){self._others()}", self.name)
        if not os.access(device, os.R_OK | os.W_OK):
            raise DataFormatError(
                f"may not be used: no right to {device}; its group is often called video",
                self.name,
            )

    def _others(self) -> str:
        if not sys.platform.startswith("linux"):
            return ""
        there = sorted(
            int(p.name[5:]) for p in Path("/dev").glob("video[0-9]*") if p.name[5:].isdigit()
        )
        others = [str(number) for number in there if number != self._number]
        return f"; other devices: {', '.join(others)}" if others else ""


def _open_capture(number: int) -> Any:
    import cv2

    return cv2.VideoCapture(number)
