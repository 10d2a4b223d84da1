"""Any other face detector, given as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.detect.base import Detector
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import IDENTITY, BoxMap
from classicface.validation import check_boxes, check_image

__all__ = ["CustomDetector"]


@dataclass(frozen=True)
class CustomDetector(Detector):
    """A detector made of a function.

    Parameters
    ----------
    function : callable
        Takes a picture as the user gave it (so colour stays colour) and returns boxes
        x0, y0, x1, y1: an array-like of shape (n, 4), or (n, 5) with a score in the last
        column, or None for no face. Boxes without scores must come best first. It is called
        from as many threads as use the detector.
    box_map : BoxMap
        From its boxes to landmark boxes; `classicface.detect.calibrate` measures it. The default
        takes its boxes for landmark boxes.
    """

    name: ClassVar[str] = "custom"
    function: Callable[[Any], Any]
    box_map: BoxMap = IDENTITY

    def detect_raw(self, image: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the function's boxes, shape (n, 4), and scores, shape (n,).

        Raises
        ------
        InvalidInputError
            The picture is not one, or the function did not return boxes.
        """
        check_image(image)
        found = self.function(image)
        try:
            with np.errstate(over="ignore"):
                rows = np.array([] if found is None else found, np.float32)
            if rows.size == 0:
                return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
            if rows.ndim != 2 or rows.shape[1] not in (4, 5):
                raise InvalidInputError(f"shape {rows.shape}; expected (n, 4) or (n, 5)")
            scores = rows[:, 4] if rows.shape[1] == 5 else np.ones(len(rows), np.float32)
            if np.isnan(scores).any():
                raise InvalidInputError("a score is NaN")
            return check_boxes(rows[:, :4]), scores
        except (TypeError, ValueError) as error:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise InvalidInputError(f"the detector {name} returned no boxes: {error}") from None
