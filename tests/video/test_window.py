"""The window: refused where there is no display, and what it makes of keys and clicks."""

import os
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from classicface.exceptions import InvalidInputError, MissingDependencyError
from classicface.video import window
from classicface.video.window import Window

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays of Linux")


@linux
def test_no_display_is_refused_before_qt_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(InvalidInputError, match="no display to show on"), Window("faces"):
        pass


@linux
def test_a_display_that_is_not_there_does_not_end_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    with pytest.raises((InvalidInputError, MissingDependencyError)) as caught, Window("faces"):
        pass
    assert ":987" in str(caught.value) or "opencv-python-headless" in str(caught.value)


@linux
def test_what_the_trial_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")

    def trial(code: str) -> None:
        monkeypatch.setattr(window, "PROBE", code)

    trial("raise SystemExit('The function is not implemented. Rebuild')")
    with pytest.raises(MissingDependencyError, match="opencv-python-headless"), Window("faces"):
        pass
    trial("raise SystemExit('could not connect')")
    with pytest.raises(InvalidInputError, match="display :0: could not connect"), Window("faces"):
        pass
    trial("import time; time.sleep(60)")
    monkeypatch.setattr(window, "PROBE_TIMEOUT", 0.2)
    with pytest.raises(InvalidInputError, match=r"within 0\.2 s"), Window("faces"):
        pass


@linux
def test_pyav_before_opencv_is_refused_not_hung(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in ("av", "av.libs"):
        (tmp_path / folder).mkdir()
    stand_in = types.ModuleType("av")
    stand_in.__file__ = str(tmp_path / "av" / "__init__.py")
    monkeypatch.setattr(sys, "modules", {"av": stand_in, "cv2": cv2})
    window._check_order()  # a PyAV that was built on this machine does no harm
    (tmp_path / "av.libs" / "libxcb-1.so").touch()
    with pytest.raises(InvalidInputError, match="import cv2 before import av"):
        window._check_order()
    monkeypatch.setattr(sys, "modules", {"cv2": cv2, "av": stand_in})
    window._check_order()


class Screen:
    """Stands for OpenCV's windows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keys: list[int] = []
        self.shown: list[Any] = []
        self.names: list[str] = []
        self.visible = 1.0
        monkeypatch.setattr(window, "_check_display", lambda: None)
        monkeypatch.setattr(cv2, "namedWindow", lambda name, flags: self.names.append(name))
        monkeypatch.setattr(cv2, "imshow", lambda name, image: self.shown.append(image))
        monkeypatch.setattr(cv2, "waitKey", lambda delay: self.keys.pop(0) if self.keys else -1)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda name, what: self.visible)
        monkeypatch.setattr(cv2, "destroyWindow", self.names.remove)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    return Screen(monkeypatch)


def test_pictures_are_shown_in_their_colours(screen: Screen) -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    image[..., 0] = 250
    with Window("faces") as shown:
        assert screen.names == ["faces"]
        assert shown.show(image)
        assert shown.show(image[..., 0])
    assert screen.shown[0][0, 0].tolist() == [0, 0, 250]  # OpenCV takes BGR
    assert screen.shown[1][0, 0].tolist() == [250, 250, 250]
    assert screen.names == []


@pytest.mark.parametrize("key", [27, ord("q"), ord("Q"), ord("q") | 0x100000])
def test_keys_end_the_show(screen: Screen, key: int) -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    with Window("faces") as shown:
        screen.keys = [ord("x"), key]
        assert shown.show(image)
        assert not shown.show(image)
        assert screen.names == []
        assert not shown.show(image)
    assert len(screen.shown) == 2


def test_closing_the_window_ends_the_show(screen: Screen) -> None:
    with Window("faces") as shown:
        screen.visible = 0.0
        assert not shown.show(np.zeros((4, 5), np.uint8))


def test_a_window_that_qt_forgot_counts_as_closed(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgotten(*arguments: Any) -> float:
        raise cv2.error("NULL window")

    with Window("faces") as shown:
        monkeypatch.setattr(cv2, "getWindowProperty", forgotten)
        monkeypatch.setattr(cv2, "destroyWindow", forgotten)
        assert not shown.show(np.zeros((4, 5), np.uint8))


def test_an_opencv_without_windows_is_said(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: Any) -> None:
        raise cv2.error("The function is not implemented")

    monkeypatch.setattr(cv2, "namedWindow", missing)
    with pytest.raises(MissingDependencyError, match="shows no windows"), Window("faces"):
        pass


def test_bad_input_is_refused(screen: Screen) -> None:
    for title in ("", "a\0b", None, 3):
        with pytest.raises(InvalidInputError, match="title"):
            Window(title)  # type: ignore[arg-type]
    bad: list[Any] = [
        np.zeros((4, 5)),
        np.zeros((0, 5), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
        7,
    ]
    with Window("faces") as shown:
        for image in bad:
            with pytest.raises(InvalidInputError, match="expected uint8"):
                shown.show(image)
    assert not shown.show(np.zeros((4, 5), np.uint8))


@linux
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs the display server Xvfb")
def test_a_real_window_opens_and_pyav_may_follow() -> None:
    code = """
import numpy as np
from classicface.video.window import Window
from classicface.video.containers import import_av
with Window("faces") as window:
    try:
        import_av()
    except ImportError:
        pass
    for i in range(5):
        assert window.show(np.full((40, 60, 3), 40 * i, np.uint8))
"""
    display = f":{700 + os.getpid() % 200}"
    with subprocess.Popen(
        ["Xvfb", display, "-nolisten", "tcp"], stderr=subprocess.DEVNULL
    ) as server:
        try:
            environment = {**os.environ, "DISPLAY": display}
            done = subprocess.run(
                [sys.executable, "-c", f"import time; time.sleep(1)\n{code}"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr
