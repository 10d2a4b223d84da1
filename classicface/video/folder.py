"""Frames of a folder of pictures, in the natural order of their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from classicface.exceptions import DataFormatError
from classicface.image.io import list_images, read_image
from classicface.video.source import Frame, VideoSource, place

__all__ = ["FolderSource", "natural_key"]

#: Frames a second, where nothing else is said.
DEFAULT_FPS = 30.0


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts names as people count: ``frame2`` before ``frame10``."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    key = [(0, int(digits), "") if digits else (1, 0, text) for digits, text in parts]
    return [*key, (-1, 0, name)]  # 01 and 1 count the same; still one order


class FolderSource(VideoSource):
    """The pictures of a folder as a video; all must have the size of the first that is read.

    Parameters
    ----------
    path : Path
    fps : float, optional
        Pictures a second, 30 by default.

    Raises
    ------
    DataFormatError
        There is no picture in the folder, or none can be read.
    """

    def __init__(self, path: Path, fps: float | None) -> None:
        super().__init__()
        self.name = str(path)
        self.fps = fps or DEFAULT_FPS
        self._paths = sorted(list_images(path), key=lambda picture: natural_key(picture.name))
        if not self._paths:
            raise DataFormatError("no picture in this folder", path)
        self.n_frames = len(self._paths)
        self.size = (0, 0)
        self._pictures = self._read()
        first = next(self._pictures, None)
        if first is None:
            raise DataFormatError(f"none of its {len(self._paths)} pictures can be read", path)
        self._first: Frame | None = first

    def _frames(self) -> Iterator[Frame]:
        assert self._first is not None
        yield self._first
        self._first = None
        yield from self._pictures

    def _read(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths):
            time = index / self.fps
            where = f"{place(index, time)}, {path.name}"
            try:
                image = read_image(path, "rgb")
            except DataFormatError as error:
                self._faults.add("cannot be read", f"{where}: {error.message}")
                continue
            size = (image.shape[1], image.shape[0])
            if self.size == (0, 0):
                self.size = size
            if size == self.size:
                yield Frame(index, time, image)
            else:
                self._faults.add(
                    "of another size than the first, and left out",
                    f"{where} ({size[0]} x {size[1]})",
                )

    def _close(self) -> None:
        self._first = None
