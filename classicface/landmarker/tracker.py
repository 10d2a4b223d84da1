"""FaceTracker: several faces followed through the frames of a video, each under its own number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.detect import Detector
from classicface.exceptions import InvalidInputError
from classicface.landmarker.faces import Faces
from classicface.landmarker.smoothing import OneEuroFilter
from classicface.landmarker.tracks import Sighting, Track, match_lost, overlaps
from classicface.landmarker.verifier import FaceVerifier
from classicface.predictor import LandmarkPredictor
from classicface.validation import check_flag, check_image, check_integer, check_number

__all__ = ["FaceTracker", "TrackerOptions"]

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class TrackerOptions:
    """How a `FaceTracker` works. Times are in seconds of the video.

    Parameters
    ----------
    search_every : float, default 1.0
        How often the detector looks for new faces while all known ones are followed.
    search_lost_every : float, default 0.1
        How often it looks while a face is lost, or none is there.
    memory : float, default 2.0
        How long a lost face keeps its number.
    start_fit : float, default 0.5
        The least fit score of a new face.
    keep_fit : float, default 0.2
        A face with a lower fit score is lost.
    max_plausibility : float, default 3.0
        A face whose shape is farther from the mean than this many times the usual is lost.
    max_jump : float, default 0.4
        A face whose centre is farther than this from where it was expected, in sides of its box,
        is lost.
    keep_likeness : float, default 0.25
        A face that looks less like itself than this (correlation of `FaceChecks.templates` with
        its running mean) is lost: another has come before it, or the scene was cut.
    same_likeness : float, default 0.4
        A lost face goes on only in one that looks at least so much like it.
    doubt : float, default 0.3
        For so long after a face was lost, one that looks otherwise in its place gets no number of
        its own: it may be the same, half covered.
    max_unconfirmed : int, default 3
        A face of a scheme that the fit score cannot judge is lost when so many searches of the
        detector in a row did not find it.
    max_faces : int, default 32
        No more faces are followed; this bounds the time a frame takes.
    smooth : bool, default True
        Whether points are smoothed over time; see `OneEuroFilter`.
    """

    search_every: float = 1.0
    search_lost_every: float = 0.1
    memory: float = 2.0
    start_fit: float = 0.5
    keep_fit: float = 0.2
    max_plausibility: float = 3.0
    max_jump: float = 0.4
    keep_likeness: float = 0.25
    same_likeness: float = 0.4
    doubt: float = 0.3
    max_unconfirmed: int = 3
    max_faces: int = 32
    smooth: bool = True

    def __post_init__(self) -> None:
        for name in ("search_every", "search_lost_every", "memory", "doubt"):
            check_number(getattr(self, name), name, 0.0, 1e6)
        for name in ("start_fit", "keep_fit"):
            check_number(getattr(self, name), name, 0.0, 1.0)
        check_number(self.max_plausibility, "max_plausibility", 0.0)
        check_number(self.max_jump, "max_jump", 0.01, 10.0)
        check_number(self.keep_likeness, "keep_likeness", -1.0, 1.0)
        check_number(self.same_likeness, "same_likeness", -1.0, 1.0)
        check_integer(self.max_unconfirmed, "max_unconfirmed", 1)
        check_integer(self.max_faces, "max_faces", 1, 10_000)
        check_flag(self.smooth, "smooth")


class FaceTracker:
    """Follows faces from frame to frame.

    In most frames the detector rests: the points of each face are found from the box of its last
    points, moved on by its velocity. A face that is no longer there is noticed by its fit score,
    its shape, its jump, or by another face in its place; it is then lost, but keeps its number for
    a while, and goes on under it when the detector finds it again where it could be and looking as
    it did.

    A tracker has a state: one for each video, used by one thread. `Landmarker.tracker` makes them.

    Parameters
    ----------
    predictor : LandmarkPredictor
    detector : Detector
    verifier : FaceVerifier
    options : TrackerOptions, optional
    """

    def __init__(
        self,
        predictor: LandmarkPredictor,
        detector: Detector,
        verifier: FaceVerifier,
        options: TrackerOptions | None = None,
    ) -> None:
        self.predictor = predictor
        self.detector = detector
        self.verifier = verifier
        self.options = TrackerOptions() if options is None else options
        self.reset()

    def reset(self) -> None:
        """Forget every face and the time; numbers begin again at 0."""
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._time = -np.inf
        self._searched = -np.inf
        self._next_identity = 0

    def update(self, image: ArrayLike, time: float) -> Faces:
        """Find the faces of the next frame.

        Parameters
        ----------
        image : array-like
            Grey, RGB or RGBA; see `classicface.validation.check_image`.
        time : float
            When the frame was taken, in seconds; later than that of the frame before.

        Returns
        -------
        Faces
            Those that are seen in this frame, by their numbers (`ids`).

        Raises
        ------
        InvalidInputError
            The picture is not one, or the time does not move on.
        """
        time = check_number(time, "time", -1e12, 1e12)
        if time <= self._time:
            raise InvalidInputError(
                f"time is {time:g} s after a frame of {self._time:g} s; frames must come in order"
                " (call reset before another video)"
            )
        grey = check_image(image)
        self._time = time
        self._follow(grey)
        self._part()
        if time - self._searched >= self._search_interval() - 1e-9:
            self._searched = time
            self._search(image, grey)
        self._lost = [t for t in self._lost if time - t.time <= self.options.memory]
        return self._faces()

    def _search_interval(self) -> float:
        settled = self._tracks and not self._lost
        return self.options.search_every if settled else self.options.search_lost_every

    def _follow(self, grey: NDArray[np.uint8]) -> None:
        """Find each face near its last place; lose those that are not there."""
        reachable = [t for t in self._tracks if _within(t.box(self._time), grey.shape)]
        boxes = [track.box(self._time) for track in reachable]
        seen = self._sightings(grey, np.array(boxes, np.float32).reshape(-1, 4))
        for track, sighting in zip(reachable, seen, strict=True):
            if self._is_there(track, sighting):
                track.follow(sighting, self._time, self.options.same_likeness)
        self._drop([t for t in self._tracks if t.time < self._time])

    def _is_there(self, track: Track, face: Sighting) -> bool:
        options, side = self.options, track.last.side
        jump = float(np.hypot(*(face.center - track.expected(self._time)))) / side
        return (
            jump <= options.max_jump
            and 0.5 <= face.side / side <= 2.0
            and not face.fit < options.keep_fit  # NaN cannot be judged and stays
            and not face.plausibility > options.max_plausibility
            and (not face.template.any() or track.likeness(face) >= options.keep_likeness)
        )

    def _part(self) -> None:
        """Of two tracks that lie on one face, lose the one that looks less like it."""
        for i, a in enumerate(self._tracks):
            for b in self._tracks[i + 1 :]:
                if overlaps(a.last, b.last):
                    self._drop([min(a, b, key=lambda t: (t.likeness(t.last), -t.identity))])
                    return self._part()
        return None

    def _drop(self, tracks: list[Track]) -> None:
        self._tracks = [t for t in self._tracks if t not in tracks]
        self._lost += tracks

    def _search(self, image: ArrayLike, grey: NDArray[np.uint8]) -> None:
        """Let the detector look for faces: new ones, lost ones, and those that are followed."""
        detections = self.detector.detect(image)
        boxes = detections.boxes[: self.options.max_faces]
        found = self._sightings(grey, boxes, detections.scores[: self.options.max_faces])
        fresh: list[Sighting] = []
        confirmed: set[int] = set()
        for face in found:
            known = [t for t in self._tracks if overlaps(t.last, face)]
            for track in known:
                confirmed.add(track.identity)
                if face.fit > track.last.fit and self._is_there(track, face):
                    track.last = face  # found anew, it fits better
            others = [f for f in fresh if overlaps(f, face)]
            if not known and not others and not face.fit < self.options.start_fit:
                fresh.append(face)
        for track in self._tracks:
            track.unconfirmed = 0 if track.identity in confirmed else track.unconfirmed + 1
        unsure = [t for t in self._tracks if np.isnan(t.last.fit)]
        self._drop([t for t in unsure if t.unconfirmed >= self.options.max_unconfirmed])
        self._take_up(fresh)

    def _take_up(self, fresh: list[Sighting]) -> None:
        """Give each new face the number of a lost track that it continues, or a new one."""
        pairs = match_lost(self._lost, fresh, self._time, self.options.same_likeness)
        resumed = [self._lost[i] for i, _ in pairs]
        for track, (_, j) in zip(resumed, pairs, strict=True):
            track.resume(fresh[j], self._time)
        self._lost = [t for t in self._lost if t not in resumed]
        self._tracks += resumed
        taken = {j for _, j in pairs}
        for j, face in enumerate(fresh):
            room = len(self._tracks) < self.options.max_faces
            if j not in taken and room and not self._in_doubt(face):
                smoother = OneEuroFilter() if self.options.smooth else None
                self._tracks.append(Track(self._next_identity, face, self._time, smoother))
                self._next_identity += 1
        self._tracks.sort(key=lambda track: track.identity)

    def _in_doubt(self, face: Sighting) -> bool:
        """Return whether a face may be one that was lost just now, half covered."""
        recent = [t for t in self._lost if self._time - t.time <= self.options.doubt]
        return any(overlaps(t.last, face) for t in recent)

    def _sightings(
        self, grey: NDArray[np.uint8], boxes: NDArray[np.float32], scores: Floats | None = None
    ) -> list[Sighting]:
        if len(boxes) == 0:
            return []
        points = self.predictor.predict(grey, boxes)
        checks = self.verifier.check(grey, points, self.predictor.scheme_)
        values = np.full(len(boxes), np.nan) if scores is None else scores
        return [
            Sighting(
                boxes[i],
                points[i],
                float(values[i]),
                float(checks.fits[i]),
                float(checks.plausibilities[i]),
                checks.templates[i],
            )
            for i in range(len(boxes))
        ]

    def _faces(self) -> Faces:
        seen = self._tracks
        n_landmarks = self.predictor.scheme_.n_landmarks
        measured = np.array([t.last.points for t in seen], np.float32).reshape(-1, n_landmarks, 2)
        smoothed = [
            t.last.points
            if t.smoother is None
            else t.smoother.filter(self._time, t.last.points, t.last.side)
            for t in seen
        ]
        return Faces(
            np.array([t.last.box for t in seen], np.float32).reshape(-1, 4),
            np.array(smoothed, np.float32).reshape(measured.shape),
            np.array([t.last.score for t in seen], np.float32),
            np.array([t.last.fit for t in seen], np.float32),
            np.array([t.identity for t in seen], np.int64),
            measured,
            self.predictor.scheme_,
        )


def _within(box: Floats, shape: tuple[int, ...]) -> bool:
    """Return whether the centre of a box lies in the picture."""
    x, y = (box[:2] + box[2:]) / 2
    return bool(0 <= x < shape[1] and 0 <= y < shape[0])
