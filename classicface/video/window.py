"""A window that shows frames as they come, and tells when the user has seen enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError, MissingDependencyError

__all__ = ["Window"]

#: Keys that end the show: Escape and q.
END_KEYS = (27, ord("q"), ord("Q"))

#: Seconds that opening a first window may take; a cold start of Qt takes two or three.
PROBE_TIMEOUT = 30.0

#: Opens a window and closes it at once.
PROBE = "import cv2; cv2.namedWindow('classicface'); cv2.waitKey(1); cv2.destroyAllWindows()"


class Window:
    """A window of OpenCV's, as a context manager.

    A program that imports PyAV (``av``) by itself must import OpenCV (``cv2``) before it, or the
    window hangs; this library does.

    Parameters
    ----------
    title : str

    Raises
    ------
    MissingDependencyError
        This OpenCV was built without windows (opencv-python-headless).
    InvalidInputError
        There is no display, or it cannot be used; PyAV was imported first; or `title` is empty.

    Examples
    --------
    >>> with Window("camera") as window, open_video(0) as video:        # doctest: +SKIP
    ...     for frame in video:
    ...         if not window.show(frame.image):
    ...             break
    """

    def __init__(self, title: str) -> None:
        if not isinstance(title, str) or not title or "\0" in title:
            raise InvalidInputError(f"title is {title!r}; expected a text")
        self._title = title
        self._is_open = False

    def __enter__(self) -> Window:
        _check_display()
        import cv2

        try:
            cv2.namedWindow(self._title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise MissingDependencyError(_NO_WINDOWS) from error
        self._is_open = True
        return self

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show a picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3) or (height, width)
            RGB or grey.

        Returns
        -------
        bool
            False when the user has pressed q or Escape, or closed the window; nothing is shown
            from then on.

        Raises
        ------
        InvalidInputError
            The array is no such picture, or the window was not opened in a with block.
        """
        import cv2

        image = np.asarray(image)
        known_shape = image.ndim >= 2 and image.shape[2:] in ((), (3,))
        if image.dtype != np.uint8 or image.size == 0 or not known_shape:
            raise InvalidInputError(
                f"image has shape {image.shape} and dtype {image.dtype}; expected uint8 of shape"
                " (height, width, 3) or (height, width)"
            )
        if not self._is_open:
            return False
        code = cv2.COLOR_RGB2BGR if image.ndim == 3 else cv2.COLOR_GRAY2BGR
        cv2.imshow(self._title, cv2.cvtColor(image, code))
        key = cv2.waitKey(1) & 0xFF  # above it are the states of Shift and the like
        if key in END_KEYS or not self._is_visible():
            self._close()
        return self._is_open

    def _is_visible(self) -> bool:
        import cv2

        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # Qt forgets a window that was closed
            return False

    def _close(self) -> None:
        import cv2

        self._is_open = False
        try:
            cv2.destroyWindow(self._title)
        except cv2.error:
            return
        cv2.waitKey(1)  # the window goes when events are handled

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_open:
            self._close()


_NO_WINDOWS = (
    "this OpenCV shows no windows: replace opencv-python-headless by opencv-python, or write"
    " the frames to a file"
)


def _check_order() -> None:
    """Refuse where a window would hang: a libxcb of PyAV's own was loaded before OpenCV."""
    order = [name for name in sys.modules if name in ("av", "cv2")]
    if order[:1] != ["av"]:
        return
    home = Path(sys.modules["av"].__file__ or "").parent.parent
    if any((home / "av.libs").glob("libxcb*")):
        raise InvalidInputError(
            "PyAV was imported before OpenCV, and OpenCV's windows then hang: put import cv2"
            " before import av"
        )


def _check_display() -> None:
    """Refuse where there is nothing to show on.

    On Linux, Qt ends the whole program when it cannot use the display, so another program tries.
    """
    if not sys.platform.startswith("linux"):
        return
    _check_order()
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InvalidInputError(
            "there is no display to show on (DISPLAY is not set); write the frames to a file, or"
            " log in with a display (ssh -X)"
        )
    try:
        tried = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InvalidInputError(f"no window opens within {PROBE_TIMEOUT:g} s") from None
    if tried.returncode == 0:
        return
    if "not implemented" in tried.stderr.lower():
        raise MissingDependencyError(_NO_WINDOWS)
    last = [line for line in tried.stderr.splitlines() if line.strip()][-1:]
    raise InvalidInputError(
        "no window can be opened on the display"
        f" {os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')}: {''.join(last)}"
    )
