"""The drowsiness of a whole video: values over time, events, a summary; as CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.drowsiness.limits import DrowsinessLimits
from classicface.apps.drowsiness.monitor import DrowsinessMonitor
from classicface.apps.drowsiness.state import KINDS, STATES, DrowsinessEvent, DrowsinessState
from classicface.exceptions import InvalidInputError
from classicface.persistence import replacing
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_landmarks

__all__ = ["COLUMNS", "DrowsinessRecord", "measure_drowsiness"]

#: What is kept of each frame, beside its state.
COLUMNS = (
    *("time", "ear", "baseline", "closed_ear", "openness", "closing"),
    *("closed_for", "perclos", "blink_rate", "mouth", "pitch"),
)

#: Below this rate, in frames a second, blinks are missed for want of frames: 15, and some room.
LEAST_RATE = 14.0

#: Eyes seen for so long without a blink, in seconds, are eyes whose blinks are not seen.
BLINKLESS = 60.0


class DrowsinessRecord:
    """Collects what a monitor tells, frame by frame: some 90 bytes a frame, 10 MB an hour at 30.

    Parameters
    ----------
    limits : DrowsinessLimits, optional
        Those of the monitor; they are written beside the results.

    Attributes
    ----------
    events : list of DrowsinessEvent
        By their start.
    """

    def __init__(self, limits: DrowsinessLimits | None = None) -> None:
        self.limits = DrowsinessLimits() if limits is None else limits
        self.events: list[DrowsinessEvent] = []
        self._columns = {name: array("d") for name in COLUMNS}
        self._states = array("b")
        self._baseline = self._columns["baseline"]

    def __len__(self) -> int:
        return len(self._states)

    def add(self, state: DrowsinessState) -> None:
        """Take the next state of the monitor, and what it tells of the calibration."""
        learned = state.baseline == state.baseline and len(self) and math.isnan(self._baseline[-1])
        if learned:
            self._fill(state)
        for name, column in self._columns.items():
            column.append(getattr(state, name))
        self._states.append(STATES.index(state.state))
        self.close(state.events)

    def _fill(self, state: DrowsinessState) -> None:
        """Give the frames of the calibration the openness that its end has told."""
        known = {name: getattr(state, name) for name in ("baseline", "closed_ear", "closing")}
        closed, times = state.closed_ear, self._columns["time"]
        for i in range(len(self) - 1, -1, -1):
            if (
                state.time - times[i] > self.limits.calibration
                or self._baseline[i] == state.baseline
            ):
                return
            for name, value in known.items():
                self._columns[name][i] = value
            openness = (self._columns["ear"][i] - closed) / (state.baseline - closed)
            self._columns["openness"][i] = (
                min(max(openness, 0.0), 2.0) if openness == openness else math.nan
            )

    def close(self, events: Iterable[DrowsinessEvent]) -> None:
        """Take events, such as those that `DrowsinessMonitor.finish` returns."""
        found = list(events)
        if found:
            self.events += found
            self.events.sort(key=lambda event: event.start)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a value over time, shape (n_frames,); NaN where it is unknown.

        Parameters
        ----------
        name : str
            One of `COLUMNS`, as `DrowsinessState` describes them.

        Raises
        ------
        InvalidInputError
            No such column.
        """
        if name not in self._columns:
            raise InvalidInputError(f"no column {name!r}; there are {', '.join(COLUMNS)}")
        return np.array(self._columns[name])

    @property
    def states(self) -> list[str]:
        """The state of each frame."""
        return [STATES[i] for i in self._states]

    def seconds(self) -> NDArray[np.float64]:
        """Return the time that each frame stands for: that since the last, 0 after a gap."""
        steps = np.diff(self.column("time"), prepend=self._columns["time"][:1] or 0.0)
        return np.where(steps <= self.limits.gap, steps, 0.0)

    def summary(self) -> dict[str, Any]:
        """Return the numbers of the whole video, with plain keys.

        Returns
        -------
        dict
            frames, duration, fps (the median), eyes_seen (seconds), blinks, blink_rate (a minute),
            blink_duration (mean), long_closures, microsleeps, longest_closure (seconds), perclos
            (of the whole video), perclos_most (of a minute), yawns, nods, head_downs, states
            (seconds in each), worst (the worst state), notes (what casts doubt on the rest). None
            where a number is unknown.
        """
        seconds, openness = self.seconds(), self.column("openness")
        seen, steps = ~np.isnan(openness), np.diff(self.column("time"))
        watched = float(seconds[seen].sum())
        shut = float(seconds[seen & (openness <= self.limits.shut)].sum())
        found = {kind: [e for e in self.events if e.kind == kind] for kind in KINDS}
        closures = [e.duration for kind in KINDS[:3] for e in found[kind]]
        states = {
            name: round(float(seconds[np.array(self._states) == i].sum()), 3)
            for i, name in enumerate(STATES)
        }
        present = [name for name in STATES[:4] if states[name] > 0]
        rates = steps[steps > 0]
        perclos = self.column("perclos")
        numbers = {
            "frames": len(self),
            "duration": float(steps.sum()),
            "fps": 1.0 / float(np.median(rates)) if len(rates) else math.nan,
            "eyes_seen": watched,
            "blinks": len(found["blink"]),
            "blink_rate": 60.0 * len(found["blink"]) / watched if watched > 0 else math.nan,
            "blink_duration": _mean([e.duration for e in found["blink"]]),
            "long_closures": len(found["long closure"]),
            "microsleeps": len(found["microsleep"]),
            "longest_closure": max(closures, default=math.nan),
            "perclos": shut / watched if watched > 0 else math.nan,
            "perclos_most": _most(perclos),
            "yawns": len(found["yawn"]),
            "nods": len(found["nod"]),
            "head_downs": len(found["head down"]),
        }
        plain = {
            name: value if isinstance(value, int) else _number(value)
            for name, value in numbers.items()
        }
        worst = present[-1] if present else None
        return {**plain, "states": states, "worst": worst, "notes": self._notes(plain, states)}

    def _notes(self, numbers: dict[str, Any], states: dict[str, float]) -> list[str]:
        """Return what casts doubt on the numbers, in words."""
        notes = []
        if not np.isfinite(self.column("ear")).any():
            return ["no face with eyes was seen"]
        if numbers["eyes_seen"] == 0.0:
            notes.append(
                "no baseline: eyes not seen open"
                if states["no baseline"] > 0
                else f"too short: the eyes were seen for less than {self.limits.calibration:g} s"
            )
        if numbers["fps"] is not None and numbers["fps"] < LEAST_RATE:
            notes.append(
                f"{numbers['fps']:.1f} frames a second: some blinks fall between the frames"
            )
        if numbers["eyes_seen"] >= BLINKLESS and numbers["longest_closure"] is None:
            notes.append("no blink in a minute: the model may not see eyes close")
        return notes

    def to_csv(self, path: str | Path) -> None:
        """Write a row for each frame: the columns and the state.

        Raises
        ------
        DataFormatError
            The file cannot be written.
        """
        columns = [self._columns[name] for name in COLUMNS]
        with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow([*COLUMNS, "state"])
            for *values, state in zip(*columns, self._states, strict=True):
                numbers = ("" if math.isnan(value) else f"{value:.4f}" for value in values)
                writer.writerow([*numbers, STATES[state]])

    def to_json(self, path: str | Path) -> None:
        """Write the summary, the events and the thresholds.

        Raises
        ------
        DataFormatError
            The file cannot be written.
        """
        events = [
            {
                "kind": event.kind,
                "start": round(event.start, 4),
                "end": round(event.end, 4),
                "depth": round(event.depth, 4),
            }
            for event in self.events
        ]
        document = {"summary": self.summary(), "events": events, "limits": self.limits.to_dict()}
        with replacing(path) as partial:
            partial.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def measure_drowsiness(
    times: ArrayLike,
    landmarks: ArrayLike,
    scheme: LandmarkScheme | str = "ibug68",
    limits: DrowsinessLimits | None = None,
) -> DrowsinessRecord:
    """Watch the landmarks of one person over a whole video.

    Parameters
    ----------
    times : array-like, shape (n_frames,)
        In seconds, not decreasing.
    landmarks : array-like, shape (n_frames, n_landmarks, 2)
        Points as measured, not smoothed. A frame of NaN alone shows no face.
    scheme : LandmarkScheme or str, default "ibug68"
    limits : DrowsinessLimits, optional

    Returns
    -------
    DrowsinessRecord

    Raises
    ------
    InvalidInputError
        As `DrowsinessMonitor.update` does; or another number of times than of faces.
    """
    monitor = DrowsinessMonitor(scheme, limits)
    points = check_landmarks(landmarks, monitor.scheme.n_landmarks)
    moments = np.asarray(times, np.float64)
    if points.ndim != 3 or moments.shape != points.shape[:1]:
        raise InvalidInputError(
            f"times have shape {moments.shape}, landmarks {points.shape}; expected a time for each"
            " frame, and landmarks of shape (n_frames, n_landmarks, 2)"
        )
    record = DrowsinessRecord(monitor.limits)
    for time, face in zip(moments.tolist(), points, strict=True):
        record.add(monitor.update(time, None if np.isnan(face).all() else face))
    record.close(monitor.finish())
    return record


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _most(values: NDArray[np.float64]) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else math.nan


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
