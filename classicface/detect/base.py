"""What every face detector shares: the `Detector` base, its result, non-maximum suppression."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import BoxMap
from classicface.validation import check_boxes

__all__ = ["Detections", "Detector", "non_maximum_suppression", "resize", "to_original"]

#: Two boxes that share more than this part of the smaller one's area are taken for one face.
MAX_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class Detections:
    """The faces of one picture, best first.

    Attributes
    ----------
    boxes : ndarray of float32, shape (n, 4)
        Landmark boxes x0, y0, x1, y1 in pixels of the picture.
    scores : ndarray of float32, shape (n,)
        The higher the surer; comparable within one detector only.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)


class Detector(abc.ABC):
    """A face detector that knows how its boxes relate to landmark boxes.

    Detectors are immutable and may be shared between threads.

    Attributes
    ----------
    name : str
    box_map : BoxMap
        From the detector's own boxes to landmark boxes.
    """

    name: ClassVar[str]
    box_map: BoxMap

    @abc.abstractmethod
    def detect_raw(self, image: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the detector's own boxes, shape (n, 4), and their scores, shape (n,)."""

    def detect(self, image: ArrayLike) -> Detections:
        """Find the faces of a picture.

        Parameters
        ----------
        image : array-like
            Grey, RGB or RGBA; see `classicface.validation.check_image`. It must be upright:
            `classicface.image.io.read_image` obeys the EXIF orientation of a photograph,
            most other readers do not.

        Returns
        -------
        Detections
            Landmark boxes, best first, one a face; none where no face was found.

        Raises
        ------
        InvalidInputError
            The picture is not one.
        """
        raw, scores = self.detect_raw(image)
        boxes = self.box_map.apply(raw)
        height, width = np.shape(image)[:2]
        inside = (boxes[:, 0] < width) & (boxes[:, 1] < height)
        inside &= (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
        boxes, scores = boxes[inside], scores[inside]
        kept = non_maximum_suppression(boxes, scores)
        return Detections(boxes[kept], scores[kept])

    def __call__(self, image: ArrayLike) -> Detections:
        """Do what `detect` does."""
        return self.detect(image)


def non_maximum_suppression(
    boxes: ArrayLike, scores: ArrayLike, max_overlap: float = MAX_OVERLAP
) -> NDArray[np.intp]:
    """Choose the best of the boxes that lie on one another.

    Overlap is the shared area over the area of the smaller box, so that a box inside another
    (a mouth taken for a face) falls with it, which intersection over union would keep.

    Parameters
    ----------
    boxes : array-like, shape (n, 4)
    scores : array-like, shape (n,)
    max_overlap : float
        In [0, 1]; of two boxes that overlap more, the one with the lower score goes.

    Returns
    -------
    ndarray of int, shape (m,)
        Indices of the kept boxes, best first; equal scores keep the order that they came in.
    """
    array = check_boxes(boxes).astype(np.float64)
    values = np.asarray(scores, np.float64)
    if values.shape != (len(array),):
        raise InvalidInputError(f"{len(array)} boxes and scores of shape {values.shape}")
    areas = np.prod(array[:, 2:] - array[:, :2], axis=1)
    order = np.argsort(-values, kind="stable")
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        shared = np.minimum(array[order, 2:], array[best, 2:])
        shared -= np.maximum(array[order, :2], array[best, :2])
        overlap = np.prod(np.maximum(shared, 0), axis=1) / np.minimum(areas[order], areas[best])
        order = order[overlap <= max_overlap]
    return np.array(kept, np.intp)


def resize(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Return a grey picture scaled to the nearest whole size, at least 1 x 1."""
    import cv2

    height, width = image.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def to_original(
    boxes: ArrayLike, resized: tuple[int, ...], original: tuple[int, ...]
) -> NDArray[np.float32]:
    """Take boxes from a resized picture to the original.

    Parameters
    ----------
    boxes : array-like, shape (n, 4)
        In pixel edges of the resized picture: a box over the whole of it is 0, 0, width, height.
    resized, original : tuple of int
        Height and width of the two.

    Returns
    -------
    ndarray of float32, shape (n, 4)
        In coordinates of the original picture, whose first pixel has its centre at (0, 0).
    """
    factor = np.array([original[1] / resized[1], original[0] / resized[0]] * 2)
    edges = np.asarray(boxes, np.float64).reshape(-1, 4) * factor
    return (edges - 0.5).astype(np.float32)
