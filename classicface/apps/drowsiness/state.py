"""What a drowsiness monitor tells: its state after a frame, and what happened."""

from __future__ import annotations

from dataclasses import dataclass

from classicface.apps.drowsiness._alertness import LEVELS

__all__ = ["KINDS", "STATES", "DrowsinessEvent", "DrowsinessState"]

#: Kinds of events; "head down" is a head that dropped and stayed there.
KINDS = ("blink", "long closure", "microsleep", "yawn", "nod", "head down")

#: Every state: from the best to the worst, then those in which nothing can be said.
STATES = (*LEVELS, "calibrating", "no baseline", "absent")


@dataclass(frozen=True)
class DrowsinessEvent:
    """Something that happened.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    start, end : float
        In seconds of the caller's clock. Closures begin and end where the openness crosses
        `DrowsinessLimits.closing`, between the frames too.
    depth : float
        How far: the openness lost (1 is closed) for the first three, the mouth's aspect ratio for a
        yawn, degrees of pitch for the last two.
    """

    kind: str
    start: float
    end: float
    depth: float

    @property
    def duration(self) -> float:
        """How long it lasted, in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class DrowsinessState:
    """What a `DrowsinessMonitor` knows after a frame.

    Attributes
    ----------
    time : float
    state : str
        One of `STATES`.
    reason : str
        Why; empty while awake.
    ear : float
        The eye aspect ratio, corrected for the pose; NaN where no eye was seen.
    baseline, closed_ear : float
        That of the person's open and closed eyes; NaN while unknown.
    openness : float
        0 closed, 1 open as usual, up to 2; NaN where unknown.
    closing : float
        The openness below which a closure begins now: lower where the points tremble.
    closed_for : float
        For how many seconds the eyes have been closed.
    perclos : float
        Share of the time in the last minute with the eyes at least 80 % closed; NaN where too
        little was seen.
    blink_rate : float
        Blinks a minute, in the last one; NaN likewise.
    mouth : float
        The mouth's aspect ratio; NaN where unknown.
    pitch : float
        Of the head, in degrees, positive upwards; NaN where unknown.
    events : tuple of DrowsinessEvent
        What was over with this frame. Those of the time of calibration come at its end.
    """

    time: float
    state: str
    reason: str
    ear: float
    baseline: float
    closed_ear: float
    openness: float
    closing: float
    closed_for: float
    perclos: float
    blink_rate: float
    mouth: float
    pitch: float
    events: tuple[DrowsinessEvent, ...]
