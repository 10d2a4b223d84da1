"""What became of the data that a decoder was given: delivered, left out, or lost without a word.

Decoders put frames in order, hold some back, and drop some silently. Each piece of data bears the
stamp of its frame, so a frame that comes shows which ones before it should have come and did not.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Ledger"]

#: No decoder holds back more frames than this; H.264 and its successors stop at 16.
MAX_HELD = 128

LOST = "no picture came of the data"


class Ledger:
    """Count the frames of a stream by their stamps, those that are lost included.

    Parameters
    ----------
    report : callable
        ``report(index, stamp, why)`` is called for each lost frame, in their order.

    Attributes
    ----------
    index : int
        The number of the frame that comes next.
    """

    def __init__(self, report: Callable[[int, int, str], None]) -> None:
        self.index = 0
        self._report = report
        self._due: dict[int, str] = {}  # stamp of a frame to come: what is known against it

    def sent(self, stamp: int, why: str = "") -> None:
        """Take note of data that went to the decoder, and of what is wrong with it, if anything."""
        self._due[stamp] = self._due.get(stamp) or why
        while len(self._due) > MAX_HELD:
            self._lose(min(self._due))

    def settle(self, stamp: int | None, *, fields: bool = False) -> tuple[int, str]:
        """Return the number of a frame that came and what is known against it.

        Frames that were due before it are lost, and are reported first.

        Parameters
        ----------
        stamp : int or None
            None where the frame bears no stamp; then it is only counted.
        fields : bool, default False
            Whether two pieces of data may have made this frame, its fields. Then only those are
            lost that something is known against.
        """
        if stamp is None:
            return self._count(), ""
        for earlier in sorted(due for due in self._due if due < stamp):
            if fields and not self._due[earlier]:
                del self._due[earlier]
            else:
                self._lose(earlier)
        return self._count(), self._due.pop(stamp, "")

    def finish(self) -> None:
        """Report what has not come when the stream is at its end."""
        for stamp in sorted(self._due):
            self._lose(stamp)

    def _lose(self, stamp: int) -> None:
        why = self._due.pop(stamp) or LOST
        self._report(self._count(), stamp, why)

    def _count(self) -> int:
        self.index += 1
        return self.index - 1
