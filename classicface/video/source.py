"""What every source of frames has in common: the frame, its size and rate, the list of faults."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError

__all__ = ["Faults", "Frame", "VideoSource", "place"]

Self = TypeVar("Self", bound="VideoSource")


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a video and when it was taken.

    Attributes
    ----------
    index : int
        Its number in the video, from 0. A frame that was left out keeps its number, so the
        numbers of the frames that are there may have gaps.
    time : float
        Seconds from the first frame of the video; greater than that of every frame before.
    image : ndarray of uint8, shape (height, width, 3)
        RGB, of the video's `size`.
    """

    index: int
    time: float
    image: NDArray[np.uint8]


def place(index: int, time: float | None) -> str:
    """Return the number and the time of a frame as a fault names them."""
    return f"frame {index}" + ("" if time is None else f" ({time:.3f} s)")


class Faults:
    """What was wrong with a video, in a few sentences however much there is of it.

    Faults of a kind make one sentence: the first place, how many more there are, the last place.
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str, str]] = {}

    def add(self, kind: str, where: str = "") -> None:
        """Take note of one fault of a kind; the kinds are few and fixed."""
        count, first, _ = self._found.get(kind, (0, where, where))
        self._found[kind] = (count + 1, first, where)

    def sentences(self) -> list[str]:
        """Return the faults so far, one sentence a kind, in the order of their first places."""
        return [_sentence(kind, *found) for kind, found in self._found.items()]


def _sentence(kind: str, count: int, first: str, last: str) -> str:
    if not first:
        return kind
    if count == 1:
        return f"{kind}: {first}"
    return f"{kind}: {first} and {count - 1} more, the last of them {last}"


class VideoSource(ABC):
    """Frames in the order of their times; a context manager that is gone through once.

    Attributes
    ----------
    name : str
        What is read, for messages.
    size : tuple of int
        Width and height of every frame, in pixels, upright.
    fps : float
        Nominal frames a second. The true times are those of the frames.
    n_frames : int or None
        How many frames are expected, for a progress bar; None where nothing says so.
    """

    name: str
    size: tuple[int, int]
    fps: float
    n_frames: int | None

    def __init__(self) -> None:
        self._faults = Faults()
        self._begun = False
        self._closed = False

    @property
    def faults(self) -> list[str]:
        """What was damaged or missing in what has been read so far; empty for a sound video."""
        return self._faults.sentences()

    def __iter__(self) -> Iterator[Frame]:
        if self._begun:
            raise InvalidInputError(f"{self.name} is gone through once only; open it again")
        self._begun = True
        return self._deliver()

    def _deliver(self) -> Iterator[Frame]:
        frames = self._frames()
        while True:
            if self._closed:
                raise InvalidInputError(f"{self.name} is closed; read it inside its with block")
            frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or the camera; the faults stay readable."""
        if not self._closed:
            self._closed = True
            self._close()

    @abstractmethod
    def _frames(self) -> Iterator[Frame]:
        """Yield the frames, adding to the faults."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of what was opened; called once."""
