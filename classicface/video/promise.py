"""What a video file promises about itself, and whether it keeps it: the number of its frames."""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any

from classicface.video.source import Faults

__all__ = ["Promise"]

#: A number of frames beyond this is not believed: ten years of film.
MAX_FRAMES = 10**10

#: What rounding the stamps of Matroska to milliseconds can make of a duration, in seconds.
MILLISECONDS = 0.002


class Promise:
    """The number of frames or the duration that a file's header claims for its pictures.

    Parameters
    ----------
    container, stream
        Of PyAV, just opened.
    interval : float
        Nominal seconds from frame to frame.

    Attributes
    ----------
    n_frames : int or None
        How many frames are to be expected, as far as the header says.
    n_data : int
        How many pieces of data, of one frame each, have been read.
    """

    def __init__(self, container: Any, stream: Any, interval: float) -> None:
        self.n_data = 0
        self._unit = float(stream.time_base)
        self._interval = interval
        self._start = math.inf
        self._end = -math.inf
        # The index of an mp4 file leaves out what its list of cuts leaves out.
        is_mp4 = "mp4" in container.format.name
        entries = stream.index_entries if is_mp4 else ()
        self._promised = len(entries) if is_mp4 else stream.frames
        seconds = _duration(container, stream)
        # In others it is reckoned from what is there.
        self._seconds = seconds if "matroska" in container.format.name else None
        shown = sum(not entry.is_discard for entry in entries) or self._promised
        if not shown and seconds is not None and seconds / interval < MAX_FRAMES:
            shown = round(seconds / interval)
        self.n_frames = shown or None

    def note(self, packet: Any) -> None:
        """Take note of data that was read, and of where in time it ends."""
        self.n_data += 1
        if packet.pts is not None:
            start = packet.pts * self._unit
            duration = packet.duration * self._unit if packet.duration else self._interval
            self._start = min(self._start, start)
            self._end = max(self._end, start + duration)

    def check(self, faults: Faults) -> None:
        """Add a fault where the file held less than it promised."""
        if self.n_data < self._promised:
            faults.add(
                f"the file promises {self._promised} frames, and the data of {self.n_data} is there"
            )
        if self._seconds is None or not math.isfinite(self._start):
            return
        length = self._end - self._start
        if self._seconds - length > self._interval / 2 + MILLISECONDS:
            faults.add(
                f"the file promises {self._seconds:.3f} s of pictures and ends after {length:.3f} s"
            )


def _duration(container: Any, stream: Any) -> float | None:
    """Return the seconds that a header claims for the pictures alone, or None."""
    tag = re.fullmatch(
        r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,9})?)", stream.metadata.get("DURATION", "")
    )
    if tag:
        return 3600 * int(tag[1]) + 60 * int(tag[2]) + float(tag[3])
    with contextlib.suppress(TypeError, OverflowError):
        if stream.duration and stream.duration > 0:
            return float(stream.duration * stream.time_base)
    if len(container.streams) == 1 and container.duration and container.duration > 0:
        return container.duration / 1e6  # in microseconds
    return None
