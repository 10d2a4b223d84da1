"""What the commands on videos share: the source, its progress, its faults, live windows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from classicface.cli import common
from classicface.exceptions import InvalidInputError

if TYPE_CHECKING:
    from classicface.video import Frame, VideoSource

__all__ = ["SOURCE_HELP", "frames_of", "parse_source", "say_faults", "until_interrupted"]

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
