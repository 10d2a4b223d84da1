"""Cameras, with a driver of our own in place of OpenCV's."""

import itertools
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from classicface.exceptions import DataFormatError
from classicface.video import camera, open_video


class Driver:
    """A camera that gives grey pictures whose value is their number, every 10 ms."""

    def __init__(self, n: int = 10**6, opens: bool = True, pause: float = 0.01) -> None:
        self.n, self.opens, self.pause = n, opens, pause
        self.count = 0
        self.released = threading.Event()
        self.asked: dict[int, float] = {}
        self.resize_at = 10**6

    def isOpened(self) -> bool:  # noqa: N802
        return self.opens

    def set(self, what: int, value: float) -> bool:
        self.asked[what] = value
        return True

    def get(self, what: int) -> float:
        return 100.0 if what == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, Any]:
        time.sleep(self.pause)
        if self.count >= self.n:
            return False, None
        height = 7 if self.count == self.resize_at else 6
        picture = np.zeros((height, 8, 3), np.uint8)
        picture[..., 0], picture[..., 2] = 200, self.count % 256  # blue, red
        self.count += 1
        return True, picture

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts a driver in the place of all cameras."""

    def plug_in(driver: Driver) -> Driver:
        monkeypatch.setattr(camera, "_open_capture", lambda number: driver)
        monkeypatch.setattr(camera.CameraSource, "_check_device", lambda self: None)
        return driver

    return plug_in


def test_frames_come_in_rgb_with_growing_times(plug: Any) -> None:
    driver = plug(Driver())
    with open_video(0, fps=60) as video:
        assert (video.size, video.fps, video.n_frames) == ((8, 6), 100.0, None)
        assert video.name == "camera 0"
        frames = [frame for frame, _ in zip(video, range(10), strict=False)]
        assert video.faults == []
    assert driver.asked[cv2.CAP_PROP_FPS] == 60
    assert driver.released.wait(5)
    assert frames[0].index == 0 and frames[0].time == 0.0
    for before, after in itertools.pairwise(frames):
        assert after.index > before.index and after.time > before.time
    for frame in frames:
        assert frame.image[0, 0].tolist() == [frame.index, 0, 200]
    assert 0.05 < frames[-1].time < 5


def test_a_slow_caller_gets_the_latest_picture(plug: Any) -> None:
    driver = plug(Driver(pause=0.002))
    with open_video(0) as video:
        frames = iter(video)
        next(frames)
        time.sleep(0.1)
        ahead = driver.count
        assert next(frames).index >= ahead - 2 > 3
        assert video.faults == []


def test_a_camera_that_stops_is_said_once_its_frames_are_used(plug: Any) -> None:
    driver = plug(Driver(n=3))
    with open_video(0) as video:
        last = -1
        with pytest.raises(DataFormatError, match="unplugged, or another program"):
            for frame in video:
                last = frame.index
        assert last == 2
        assert len(video.faults) == 1 and "stopped: after frame 2" in video.faults[0]
    assert driver.released.is_set()


def test_a_camera_that_does_not_open_is_said(plug: Any) -> None:
    driver = plug(Driver(opens=False))
    with pytest.raises(DataFormatError, match="camera 3: cannot be opened"):
        open_video(3)
    assert driver.released.is_set()


def test_a_camera_that_never_answers_is_given_up(
    plug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = plug(Driver(pause=1.0))
    monkeypatch.setattr(camera, "OPEN_TIMEOUT", 0.2)
    monkeypatch.setattr(camera, "CLOSE_TIMEOUT", 0.1)
    start = time.monotonic()
    with pytest.raises(DataFormatError, match=r"gave no picture for 0\.2 s"):
        open_video(0)
    assert time.monotonic() - start < 0.9
    assert driver.released.wait(10)  # the thread ends by itself when the driver returns


def test_errors_of_the_driver_are_the_callers(plug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = plug(Driver())

    def broken() -> tuple[bool, Any]:
        raise cv2.error("a wire is loose")

    monkeypatch.setattr(driver, "read", broken)
    with pytest.raises(DataFormatError, match="cannot be read: a wire is loose"):
        open_video(0)


def test_a_picture_of_another_size_is_left_out(plug: Any) -> None:
    driver = plug(Driver())
    driver.resize_at = 2
    with open_video(0) as video:
        for frame in video:
            assert frame.image.shape == (6, 8, 3)
            if frame.index > 4:
                break
        assert all("another size" in sentence for sentence in video.faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /dev")
def test_a_camera_that_is_not_there_is_said_at_once() -> None:
    number = next(n for n in range(900, 999) if not Path(f"/dev/video{n}").exists())
    start = time.monotonic()
    with pytest.raises(DataFormatError, match=rf"there is no such camera \(/dev/video{number}\)"):
        open_video(number)
    assert time.monotonic() - start < 1
