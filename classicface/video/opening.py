"""``open_video``: one door to video files, folders of pictures and cameras."""

from __future__ import annotations

import os
from pathlib import Path

from classicface.exceptions import InvalidInputError
from classicface.validation import check_integer, check_number
from classicface.video.source import VideoSource

__all__ = ["open_video"]

#: Cameras beyond this number are not looked for.
MAX_CAMERA = 999

#: The slowest and the fastest rates that are taken, in frames a second.
MIN_FPS, MAX_FPS = 1e-4, 1000.0


def open_video(
    source: str | os.PathLike[str] | int, fps: float | None = None, *, threads: int = 1
) -> VideoSource:
    """Open a video file, a folder of pictures or a camera.

    Parameters
    ----------
    source : path-like or int
        A video file; a folder, whose pictures are the frames in the natural order of their names
        (``frame2`` before ``frame10``); or the number of a camera, 0 for the first.
    fps : float, optional
        Frames a second. A file is then read as evenly spaced frames in place of its own times; a
        folder has 30 by default; a camera is asked for this rate and does what it can.
    threads : int, default 1
        Threads that decode a video file. More are quicker on large pictures, and now and then
        a damaged frame is not noticed that one thread would notice.

    Returns
    -------
    VideoSource
        A context manager that yields `Frame` once; its ``faults`` say what was damaged or missing.

    Raises
    ------
    DataFormatError
        There is no such file, folder or camera, or not one frame of it can be read. Damage behind
        the first good frame does not raise: it is told by ``faults``.
    InvalidInputError
        The source is none of these, or a parameter is out of range.
    MissingDependencyError
        PyAV is not installed (files only).

    Examples
    --------
    >>> with open_video("film.mp4") as video:                           # doctest: +SKIP
    ...     for frame in video:
    ...         print(frame.index, frame.time, frame.image.shape)
    ...     print(video.faults)
    """
    if fps is not None:
        fps = check_number(fps, "fps", MIN_FPS, MAX_FPS)
    threads = check_integer(threads, "threads", 1, 64)
    if isinstance(source, int):
        from classicface.video.camera import CameraSource

        return CameraSource(check_integer(source, "camera", 0, MAX_CAMERA), fps)
    if not isinstance(source, (str, os.PathLike)) or not os.fspath(source):
        raise InvalidInputError(
            f"source is {source!r}; expected the path of a video file or of a folder of pictures,"
            " or the number of a camera"
        )
    path = Path(source)
    if _is_folder(path):
        from classicface.video.folder import FolderSource

        return FolderSource(path, fps)
    from classicface.video.files import FileSource

    return FileSource(path, fps, threads)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that cannot be one; the file's own error says more
        return False
