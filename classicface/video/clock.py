"""The times of frames: from the stamps in a file, strictly growing, with gaps noticed."""

from __future__ import annotations

from classicface.video.source import Faults, place

__all__ = ["Clock"]

#: A pause between two frames is a gap when it is longer than this, in seconds ...
GAP = 1.0

#: ... and longer than this many nominal frames, for films of one frame a minute.
GAP_FRAMES = 10

#: The frames of a film are even, and holes in it are worth a word, when at most this share of its
#: distances are too long; where more are, they were recorded so.
MAX_UNEVEN = 0.05

UNEVEN = "frames are missing, by the time between the others"
HOLE = "nothing was recorded for a while, or it is lost"
BACKWARD = "the time stands still or jumps back, and was set one frame after the one before"


class Clock:
    """Turn the stamps of frames into times that grow from frame to frame.

    Parameters
    ----------
    interval : float
        Nominal seconds from frame to frame, for frames that bear no stamp.
    faults : Faults
        Where gaps and jumps back are noted.
    """

    def __init__(self, interval: float, faults: Faults) -> None:
        self._interval = interval
        self._faults = faults
        self._shift = 0.0  # what is added to stamps since they last jumped back
        self._index = 0
        self._time: float | None = None
        self._n_even = 0
        self._holes: list[str] = []
        self._n_holes = 0

    def tell(self, index: int, stamp: float | None) -> float:
        """Return the time of a frame.

        Parameters
        ----------
        index : int
            The number of the frame.
        stamp : float or None
            Its time in the file, in seconds from the first frame, if it bears one.
        """
        expected = self.expect(index)
        time = expected if stamp is None else stamp + self._shift
        if self._time is None:
            time = max(time, 0.0)
        elif time <= self._time:
            if self._time - time > GAP:  # not one wrong stamp, another count: go on with it
                self._shift += expected - time
            time = expected
            self._faults.add(BACKWARD, place(index, time))
        else:
            self._compare(time - self._time, time - expected)
        self._index, self._time = index, time
        return time

    def _compare(self, passed: float, late: float) -> None:
        """Take note of the time between two frames, and of how much later the second came."""
        if late <= self._interval / 2:
            self._n_even += abs(late) < self._interval / 4
            return
        where = f"{passed:.3f} s between {place(self._index, self._time)} and the next"
        if passed > max(GAP, GAP_FRAMES * self._interval):
            self._faults.add(HOLE, where)
        else:
            self._n_holes += 1
            self._holes = [*self._holes[:1], where]

    def finish(self) -> None:
        """Add what only the whole film shows: holes among frames that are even otherwise."""
        if 0 < self._n_holes <= MAX_UNEVEN * (self._n_holes + self._n_even):
            for where in self._holes[:1] + [self._holes[-1]] * (self._n_holes - 1):
                self._faults.add(UNEVEN, where)

    def expect(self, index: int) -> float:
        """Return the time of a frame as it would be if it came in its turn."""
        if self._time is None:
            return index * self._interval
        return self._time + (index - self._index) * self._interval
