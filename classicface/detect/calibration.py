"""Measuring how a detector's boxes relate to landmark boxes."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from classicface.detect.base import Detector
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import BoxMap, iou, landmark_box
from classicface.validation import check_landmarks

__all__ = ["MIN_MATCHED", "calibrate"]

logger = logging.getLogger(__name__)

#: Fewer faces than this say nothing about the spread.
MIN_MATCHED = 10

#: A box with a smaller intersection over union than this is of something else.
MIN_IOU = 0.2


def calibrate(detector: Detector, images: Any, landmarks: ArrayLike | None = None) -> BoxMap:
    """Measure a detector's map from its boxes to landmark boxes, on a few dozen pictures.

    Each annotated face is matched to the detector's box with the greatest overlap. How many
    were matched is logged. Sliding windows know only some sizes (dlib's are 20 % apart), so
    let the faces be of various sizes: of faces all of one size, the map learns the distance
    to the nearest window.

    Parameters
    ----------
    detector : Detector
        `get_detector` makes one of any function.
    images : sequence of array-like, or LandmarkDataset
        Pictures with some room around the faces. A data set brings its own landmarks.
    landmarks : array-like, shape (n_images, n_landmarks, 2), optional
        One annotated face a picture; NaN marks a missing point.

    Returns
    -------
    BoxMap
        With the spread over the faces that were matched.

    Raises
    ------
    InvalidInputError
        Fewer than `MIN_MATCHED` faces were matched, or the inputs do not fit together.
    """
    if landmarks is None:
        landmarks = getattr(images, "landmarks", None)
        images = getattr(images, "images", images)
    if landmarks is None:
        raise InvalidInputError("calibrate needs landmarks, or a LandmarkDataset as images")
    points = check_landmarks(landmarks)
    if points.ndim != 3 or len(points) != len(images):
        raise InvalidInputError(
            f"{len(images)} images and landmarks of shape {points.shape};"
            " expected (n_images, n_landmarks, 2)"
        )
    pairs = []
    for image, wanted in zip(images, landmark_box(points), strict=True):
        boxes, _ = detector.detect_raw(image)
        overlap = iou(boxes, wanted)[:, 0]
        if len(boxes) and np.nanmax(overlap, initial=0) >= MIN_IOU:
            pairs.append((boxes[np.argmax(overlap)], wanted))
    message = f"{detector.name}: {len(pairs)} of {len(points)} faces matched"
    if len(pairs) < MIN_MATCHED:
        raise InvalidInputError(
            f"{message}; at least {MIN_MATCHED} are needed: give more pictures,"
            " with some room around the faces"
        )
    logger.log(logging.INFO if 2 * len(pairs) >= len(points) else logging.WARNING, message)
    return BoxMap.fit([p[0] for p in pairs], [p[1] for p in pairs])
