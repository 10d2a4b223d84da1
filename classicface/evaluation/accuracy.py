"""Where each method finds the points of each face, and how far from the truth that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.data.dataset import LandmarkDataset, tight_boxes
from classicface.detect import Detector
from classicface.exceptions import InvalidInputError
from classicface.metrics import Normalizer
from classicface.predictor import LandmarkPredictor
from classicface.shape.boxes import iou
from classicface.shape.schemes import SCHEMES, LandmarkScheme, convert_landmarks

__all__ = [
    "Starts",
    "annotated_starts",
    "common_scheme",
    "detected_starts",
    "in_common_scheme",
    "normalizers",
    "share",
]

#: A detected box belongs to an annotated face from this intersection over union on.
MIN_IOU = 0.3


@dataclass(frozen=True, eq=False)
class Starts:
    """The boxes that every method starts from.

    Parameters
    ----------
    boxes : list of ndarray of float32, shape (n_boxes, 4)
        Of each picture; empty where no face was found.
    chosen : ndarray of int, shape (n_pictures,)
        Which of them is the annotated face's; -1 where none is.
    """

    boxes: list[NDArray[np.float32]]
    chosen: NDArray[np.int64]

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which of the annotated faces have a box."""
        return self.chosen >= 0

    def predict(
        self, predictor: LandmarkPredictor, dataset: LandmarkDataset, scheme: LandmarkScheme
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Run a predictor from the boxes.

        Returns
        -------
        landmarks : ndarray of float32, shape (n_pictures, n_landmarks, 2)
            Of the annotated faces; NaN where the face was not found.
        faces : list of ndarray of float32, shape (n_boxes, n_landmarks, 2)
            Of every box of each picture.
        """
        counts = [len(boxes) for boxes in self.boxes]
        images = [image for image, n in zip(dataset.images, counts, strict=True) for _ in range(n)]
        landmarks = np.full((len(dataset), scheme.n_landmarks, 2), np.nan, np.float32)
        if not images:
            return landmarks, [np.zeros((0, scheme.n_landmarks, 2), np.float32) for _ in counts]
        predicted = predictor.predict_many(images, np.concatenate(self.boxes))
        predicted = share(predicted, predictor.scheme_, scheme)
        faces = np.split(predicted, np.cumsum(counts)[:-1])
        for i in np.flatnonzero(self.found).tolist():
            landmarks[i] = faces[i][self.chosen[i]]
        return landmarks, faces


def annotated_starts(dataset: LandmarkDataset) -> Starts:
    """Return the boxes that the data set gives: one a picture."""
    return Starts(list(dataset.boxes[:, None]), np.zeros(len(dataset), np.int64))


def detected_starts(detector: Detector, dataset: LandmarkDataset) -> Starts:
    """Find the faces; of the boxes in a picture the one nearest to the annotated face is its."""
    truth = tight_boxes(dataset.landmarks)
    boxes, chosen = [], np.full(len(dataset), -1)
    for i, image in enumerate(dataset.images):
        boxes.append(detector(image).boxes)
        if len(boxes[i]):
            overlaps = iou(boxes[i], truth[i])[:, 0]
            if overlaps.max() >= MIN_IOU:
                chosen[i] = overlaps.argmax()
    return Starts(boxes, chosen)


def share(
    points: NDArray[np.floating], source: LandmarkScheme, target: LandmarkScheme
) -> NDArray[np.float32]:
    """Take points to the scheme that all are compared in.

    A data set tells its scheme from the number of points alone, so schemes of one size are taken
    for one.
    """
    if source.n_landmarks == target.n_landmarks:
        return np.asarray(points, np.float32)
    return convert_landmarks(points, source, target)


def common_scheme(dataset: LandmarkScheme, predictors: Sequence[LandmarkScheme]) -> LandmarkScheme:
    """Return the scheme with the most points that the truth and every method can be taken to.

    Of schemes of one size a predictor's, which knows the eyes of a user's own scheme, goes first.

    Raises
    ------
    InvalidInputError
        There is none.
    """
    candidates = sorted([*predictors, dataset], key=lambda scheme: -scheme.n_landmarks)
    for target in candidates:
        if all(_converts(source, target) for source in candidates):
            built_in = SCHEMES.get(target.name)
            return built_in if built_in == target else target  # with its regions in their order
    names = ", ".join(dict.fromkeys(scheme.name for scheme in candidates))
    raise InvalidInputError(f"the schemes {names} have no points that can be compared")


def in_common_scheme(
    dataset: LandmarkDataset, predictors: Sequence[LandmarkScheme]
) -> LandmarkDataset:
    """Return the faces in the scheme of `common_scheme`; boxes stay those of all points."""
    scheme = common_scheme(dataset.scheme, predictors)
    return LandmarkDataset(
        dataset.images,
        share(dataset.landmarks, dataset.scheme, scheme),
        dataset.boxes,
        dataset.names,
        dataset.groups,
        scheme,
        dataset.origins,
    )


def _converts(source: LandmarkScheme, target: LandmarkScheme) -> bool:
    try:
        share(np.zeros((source.n_landmarks, 2)), source, target)
    except InvalidInputError:
        return False
    return True


def normalizers(scheme: LandmarkScheme) -> tuple[Normalizer, ...]:
    """Return the normalisers that a scheme has; the first is the leading one."""
    names: list[Normalizer] = []
    if scheme.outer_eyes is not None:
        names.append("interocular")
    if scheme.eyes is not None:
        names.append("interpupil")
    return (*names, "box")
