"""Landmarker: the object that an application holds, from a picture to the faces in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.detect import Detector, get_detector
from classicface.exceptions import InvalidInputError
from classicface.landmarker.faces import Faces
from classicface.landmarker.tracker import FaceTracker, TrackerOptions
from classicface.landmarker.verifier import FaceVerifier
from classicface.predictor import LandmarkPredictor
from classicface.registry import DEFAULT_MODEL, load
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_boxes, check_image, check_number

__all__ = ["Landmarker", "TimedImage"]


class TimedImage(Protocol):
    """A frame: what `classicface.video.open_video` yields, or anything with the same two names."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture."""

    @property
    def time(self) -> float:
        """When it was taken, in seconds."""


AnyFrame = TypeVar("AnyFrame", bound=TimedImage)


class Landmarker:
    """A face detector, a landmark predictor and a tracker in one object.

    Immutable, and may be shared between threads.

    Parameters
    ----------
    model : str, path-like or LandmarkPredictor, default "ert68"
        The name of a bundled model, a model file, or a fitted predictor.
    detector : str, Detector, callable or None
        As `classicface.get_detector` takes it; None for the best that is installed.
    min_fit : float, default 0.0
        `detect` leaves out faces with a lower fit score, 0 to 1: 0.5 removes most of what a
        detector mistakes for a face.

    Raises
    ------
    ModelFormatError, InvalidInputError, MissingDependencyError
        There is no such model or detector, or its library is missing.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> from classicface import Landmarker
    >>> faces = Landmarker(detector="haar").detect(astronaut())
    >>> faces.landmarks.shape
    (1, 68, 2)
    """

    def __init__(
        self,
        model: str | Path | LandmarkPredictor = DEFAULT_MODEL,
        detector: str | Detector | Callable[[Any], Any] | None = None,
        *,
        min_fit: float = 0.0,
    ) -> None:
        self.predictor = model if isinstance(model, LandmarkPredictor) else load(model)
        if not self.predictor.__sklearn_is_fitted__():
            raise InvalidInputError(f"the {type(model).__name__} is not fitted; call fit first")
        self.detector = get_detector(detector)
        self.verifier = FaceVerifier.load()
        self.min_fit = check_number(min_fit, "min_fit", 0.0, 1.0)

    @property
    def scheme(self) -> LandmarkScheme:
        """The meaning of the points."""
        return self.predictor.scheme_

    def detect(self, image: ArrayLike, boxes: ArrayLike | None = None) -> Faces:
        """Find the faces of a picture and their landmarks.

        Parameters
        ----------
        image : array-like
            Grey, RGB or RGBA; see `classicface.validation.check_image`. It must be upright:
            `classicface.read_image` obeys the EXIF orientation of a photograph.
        boxes : array-like, shape (n_faces, 4), optional
            Landmark boxes, in place of those that the detector would find.

        Returns
        -------
        Faces
            Best first; empty where no face was found.

        Raises
        ------
        InvalidInputError
            The picture or a box is not one.
        """
        grey = check_image(image)
        if boxes is None:
            found = self.detector.detect(image)
            starts, scores = found.boxes, found.scores
        else:
            starts = check_boxes(boxes, grey.shape)
            scores = np.full(len(starts), np.nan, np.float32)
        landmarks = self.predictor.predict(grey, starts)
        fits = self.verifier.check(grey, landmarks, self.scheme).fits
        ids = np.arange(len(starts))
        faces = Faces(starts, landmarks, scores, fits, ids, landmarks, self.scheme)
        return faces if self.min_fit == 0 else faces.select(~(fits < self.min_fit))

    def tracker(self, options: TrackerOptions | None = None) -> FaceTracker:
        """Return a new tracker, to which frames are given one by one; one for each video.

        Parameters
        ----------
        options : TrackerOptions, optional
            How often to search, when a face is lost, how to smooth.
        """
        return FaceTracker(self.predictor, self.detector, self.verifier, options)

    def track(
        self, frames: Iterable[AnyFrame], options: TrackerOptions | None = None
    ) -> Iterator[tuple[AnyFrame, Faces]]:
        """Follow the faces of a video.

        Parameters
        ----------
        frames : iterable of frames
            `classicface.video.open_video` gives one; of a frame, ``image`` and ``time`` are used.
        options : TrackerOptions, optional

        Yields
        ------
        frame
            As it came.
        faces : Faces
            With the same number in ``ids`` for the same face in every frame.

        Raises
        ------
        InvalidInputError
            A frame is no picture, or its time does not move on.
        """
        tracker = self.tracker(options)
        for frame in frames:
            yield frame, tracker.update(frame.image, frame.time)
