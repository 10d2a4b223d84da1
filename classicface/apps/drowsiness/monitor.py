"""Drowsiness from landmarks over time: blinks, long closures, PERCLOS, yawns, nods, a state.

Not a safety device: it sees what the landmarks show, and they show closed eyes only as well as the
model that gave them. Equations, papers and limits are in ``docs/drowsiness.md``.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import ArrayLike

from classicface.apps.drowsiness._alertness import LEVELS, Alertness, Tally
from classicface.apps.drowsiness._gestures import Gesture, Nods, Yawns
from classicface.apps.drowsiness._lids import Closure, Closures, OpenEyes
from classicface.apps.drowsiness.limits import DrowsinessLimits
from classicface.apps.drowsiness.state import DrowsinessEvent, DrowsinessState
from classicface.apps.pose.fit import head_pose
from classicface.apps.ratios import combined_ratio, eye_openings, opening, ratio
from classicface.exceptions import InvalidInputError
from classicface.shape.parts import face_parts
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_landmarks, check_number

__all__ = ["DrowsinessMonitor"]

#: Schemes whose head pose is known.
POSED = ("ibug68", "ibug51", "ibug49", "wflw98")

#: No more frames are kept while the baseline is being learned: 4 s at 120 a second, with room.
MOST_WAITING = 2000


class DrowsinessMonitor:
    """Watches one person, frame by frame, in bounded memory.

    Give it the points as they were measured, not smoothed ones: smoothing makes blinks shallow
    and late. Frames may come at any times: nothing is counted in frames. From 15 frames a second
    no blink is missed for want of frames; 10 see most; 5 are enough for PERCLOS and long closures.

    Parameters
    ----------
    scheme : LandmarkScheme or str, default "ibug68"
        Its eyes must be loops of points. Without inner lips there are no yawns.
    limits : DrowsinessLimits, optional
        The thresholds.
    pose : bool, default True
        Find the head's pitch from the landmarks where the caller gives none and the scheme allows
        it; it corrects the eyes' ratio and shows nods.

    Raises
    ------
    InvalidInputError
        A scheme whose eyes are no loops.

    Examples
    --------
    >>> import numpy as np
    >>> monitor = DrowsinessMonitor("ibug68")
    >>> monitor.update(0.0, None).state
    'absent'
    """

    def __init__(
        self,
        scheme: LandmarkScheme | str = "ibug68",
        limits: DrowsinessLimits | None = None,
        *,
        pose: bool = True,
    ) -> None:
        self.scheme = get_scheme(scheme)
        self._parts = face_parts(self.scheme, ("right_eye", "left_eye"), "drowsiness")
        self.limits = DrowsinessLimits() if limits is None else limits
        if not isinstance(self.limits, DrowsinessLimits):
            raise InvalidInputError(f"limits is {limits!r}; expected DrowsinessLimits")
        self._pose = pose and self.scheme.name in POSED
        self.reset()

    def reset(self) -> None:
        """Forget everything: another person sits before the camera."""
        self._time: float | None = None
        self._seen: float | None = None  # when the eyes were last seen
        self._waiting: deque[tuple[float, float, float]] = deque(maxlen=MOST_WAITING)
        self._eyes = OpenEyes(self.limits)
        self._closures = Closures(self.limits)
        self._yawns, self._nods = Yawns(self.limits), Nods(self.limits)
        self._tally, self._alertness = Tally(self.limits), Alertness(self.limits)
        self._state, self._reason = "absent", "no face yet"

    def update(
        self, time: float, landmarks: ArrayLike | None = None, *, pitch: float | None = None
    ) -> DrowsinessState:
        """Take the next frame.

        Parameters
        ----------
        time : float
            Seconds of any clock; never less than the last.
        landmarks : array-like, shape (n_landmarks, 2), optional
            None where the frame shows no face. Missing points are NaN; a frame that shows neither
            eye counts as neither open nor closed.
        pitch : float, optional
            Of the head in degrees, positive upwards, where the caller knows it.

        Returns
        -------
        DrowsinessState

        Raises
        ------
        InvalidInputError
            A time before the last one, or landmarks that are not of the scheme. The monitor stays
            as it was.
        """
        now = check_number(time, "time", -1e12, 1e12)
        if self._time is not None and now < self._time:
            raise InvalidInputError(
                f"time runs backwards: {now:.3f} s after {self._time:.3f} s; give the frames in"
                " order, or call reset() before another film"
            )
        ear, mouth, angle = self._measure(landmarks, pitch)
        step = 0.0 if self._time is None else now - self._time
        step = step if step <= self.limits.gap else 0.0
        self._time = now
        self._tally.advance(now)
        events = [*self._gestures(now, step, mouth, angle)]
        openness = math.nan
        if ear == ear:
            events += self._watch(now, step, ear)
            openness = self._eyes.openness(ear)
            self._seen = now
        elif self._seen is None or now - self._seen > self.limits.gap:
            events += self._closed(self._closures.finish())
        self._judge(now, face=landmarks is not None)
        return self._report(now, ear, openness, mouth, angle, tuple(events))

    def finish(self) -> tuple[DrowsinessEvent, ...]:
        """Return the events that the last frame left unfinished; the film is over."""
        yawn = self._yawns.finish()
        events = [] if yawn is None else [self._counted(yawn)]
        return (*events, *self._closed(self._closures.finish()))

    def _measure(
        self, landmarks: ArrayLike | None, pitch: float | None
    ) -> tuple[float, float, float]:
        """Return the aspect ratios of eyes and mouth and the pitch; NaN where unknown."""
        angle = math.nan if pitch is None else check_number(pitch, "pitch", -180.0, 180.0)
        if landmarks is None:
            return math.nan, math.nan, math.nan
        points = check_landmarks(landmarks, self.scheme.n_landmarks)
        if points.ndim != 2:
            raise InvalidInputError(
                f"landmarks have shape {points.shape}; expected those of one face"
            )
        if pitch is None and self._pose and not np.isnan(points).any():
            try:
                angle = head_pose(points, self.scheme).pitch
            except InvalidInputError:  # points of no face: their ratios are told all the same
                angle = math.nan
        parts, mouth = self._parts, math.nan
        ear = float(combined_ratio(*eye_openings(points, parts.right_eye, parts.left_eye), angle))
        if parts.inner_lips:
            mouth = float(ratio(*opening(points, parts.inner_lips)))
        return ear, mouth, angle

    def _gestures(
        self, time: float, step: float, mouth: float, pitch: float
    ) -> list[DrowsinessEvent]:
        yawn = self._yawns.update(time, mouth) if mouth == mouth else self._yawns.miss(time)
        nod = None
        if pitch == pitch:
            nod = self._nods.update(time, pitch, step)
        elif self._seen is not None and time - self._seen > self.limits.gap:
            self._nods.miss()
        return [self._counted(found) for found in (yawn, nod) if found is not None]

    def _counted(self, found: Gesture) -> DrowsinessEvent:
        self._tally.event(found.kind)
        return DrowsinessEvent(*found)

    def _watch(self, time: float, step: float, ear: float) -> list[DrowsinessEvent]:
        """Take eyes into account; those of the calibration once its end has told what open is."""
        if self._eyes.baseline == self._eyes.baseline:
            return self._lids(time, step, ear)
        self._waiting.append((time, step, ear))
        if not self._eyes.learn(ear, step):
            while time - self._waiting[0][0] > self.limits.calibration:
                self._waiting.popleft()
            return []
        frames, events = list(self._waiting), []
        self._waiting.clear()
        self._seen = None
        for frame in frames:
            events += self._lids(*frame)
            self._seen = frame[0]
        return events

    def _lids(self, time: float, step: float, ear: float) -> list[DrowsinessEvent]:
        """Take the next frame that shows the eyes, their baseline known."""
        events = []
        if self._seen is not None and time - self._seen > self.limits.gap:
            events += self._closed(self._closures.finish())
        openness, closing = self._eyes.openness(ear), self._eyes.closing()
        self._tally.eyes(time, step, openness <= self.limits.shut)
        events += self._closed(self._closures.update(time, openness, ear, closing))
        if self._closures.start is None and openness >= closing:
            self._eyes.follow(ear, step)
        return events

    def _closed(self, closure: Closure | None) -> list[DrowsinessEvent]:
        """Turn a closure that is over into an event."""
        if closure is None:
            return []
        self._eyes.closed(closure.ear)
        duration = closure.end - closure.start
        kind = "blink" if duration <= self.limits.blink_longest else "long closure"
        # Eyes close in a yawn; that is no sleep.
        if duration >= self.limits.microsleep and not self._yawns.wide:
            kind = "microsleep"
        self._tally.event(kind)
        return [DrowsinessEvent(kind, closure.start, closure.end, 1.0 - closure.openness)]

    def _judge(self, time: float, face: bool) -> None:
        """Set the state and its reason."""
        if self._seen is None or time - self._seen > self.limits.absent_after:
            before = f" (last {self._state})" if self._state in LEVELS[1:] else ""
            if self._state != "absent":
                self._reason = ("the eyes are not seen" if face else "no face") + before
            self._state = "absent"
        elif self._eyes.doubtful:
            self._state, self._reason = "no baseline", "eyes not seen open"
        elif self._eyes.baseline != self._eyes.baseline:
            self._state, self._reason = "calibrating", "learning the open eyes"
        elif self._seen == time:
            closed_for = 0.0 if self._yawns.wide else self._closures.closed_for(time)
            level, self._reason = self._alertness.update(time, closed_for, self._tally)
            self._state = LEVELS[level]

    def _report(
        self,
        time: float,
        ear: float,
        openness: float,
        mouth: float,
        pitch: float,
        events: tuple[DrowsinessEvent, ...],
    ) -> DrowsinessState:
        baseline = self._eyes.baseline
        return DrowsinessState(
            time,
            self._state,
            self._reason,
            ear,
            baseline,
            self._eyes.closed_level * baseline,
            openness,
            self._eyes.closing() if baseline == baseline else math.nan,
            self._closures.closed_for(time),
            self._tally.share(),
            self._tally.blink_rate(),
            mouth,
            pitch,
            events,
        )
