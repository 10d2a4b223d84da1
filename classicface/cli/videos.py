"""What the commands on videos share: the source, its progress, its faults, live windows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from classicface.cli import common
from classicface.exceptions import InvalidInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from classicface.video import Frame, VideoSource

__all__ = [
    "SOURCE_HELP",
    "Screens",
    "frames_of",
    "parse_source",
    "say_faults",
    "until_interrupted",
]

SOURCE_HELP = "A video file, a folder of pictures, or the number of a camera (0 is the first)."

#: No more faults than this are said one by one.
MOST_FAULTS = 10


def parse_source(text: str) -> int | Path:
    """Return the number of a camera, or the path of a file or folder."""
    if text.isascii() and text.isdigit() and not Path(text).exists():
        if len(text) > 4:
            raise InvalidInputError(f"there is no camera {text[:20]}, nor a file of that name")
        return int(text)
    return Path(text)


def frames_of(video: VideoSource, doing: str) -> Iterator[Frame]:
    """Yield the frames of a video under a progress bar."""
    from classicface.cli.progress import ProgressBar

    with ProgressBar() as bar:
        for frame in video:
            if video.n_frames:
                bar(min(1.0, (frame.index + 1) / video.n_frames), doing)
            yield frame


class Screens:
    """Where drawn frames go: a window, a video file, both or neither; each is drawn once.

    Parameters
    ----------
    stack : ExitStack
        Closes them at its end.
    video : VideoSource
    output : Path, optional
        The video to write.
    show : bool
        Whether there is a window.
    """

    def __init__(
        self, stack: contextlib.ExitStack, video: VideoSource, output: Path | None, show: bool
    ) -> None:
        self._window = self._writer = None
        if show:
            from classicface.video.window import Window

            self._window = stack.enter_context(Window(video.name))
        if output is not None:
            from classicface.video import VideoWriter

            self._writer = stack.enter_context(VideoWriter(output, fps=video.fps))

    def give(self, frame: Frame, draw: Callable[[], NDArray[np.uint8]]) -> bool:
        """Draw a frame if anybody looks; return whether to go on."""
        if self._window is None and self._writer is None:
            return True
        drawn = draw()
        if self._writer is not None:
            self._writer.write(drawn, frame.time)
        return self._window is None or self._window.show(drawn)


@contextlib.contextmanager
def until_interrupted(video: VideoSource) -> Iterator[None]:
    """Let Ctrl-C end a camera, which has no end of its own; what was written is kept."""
    try:
        yield
    except KeyboardInterrupt:
        if video.n_frames is not None:
            raise


def say_faults(video: VideoSource) -> None:
    """Say on stderr what was damaged or missing in a video."""
    for fault in video.faults[:MOST_FAULTS]:
        common.say(f"{video.name}: {fault}")
    if len(video.faults) > MOST_FAULTS:
        common.say(f"{video.name}: and {len(video.faults) - MOST_FAULTS} more faults")
