"""dlib's frontal face detector: histograms of oriented gradients and a sliding window."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.detect.base import Detector, resize, to_original
from classicface.exceptions import MissingDependencyError
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import BoxMap
from classicface.validation import check_image, check_integer, check_number

__all__ = ["HogDetector"]

# dlib's detector writes to itself while it searches: one for each thread.
_local = threading.local()

#: The side in pixels of the smallest face that dlib's window fits.
WINDOW = 80


@dataclass(frozen=True)
class HogDetector(Detector):
    """dlib's ``get_frontal_face_detector``: the most faces for the fewest false ones.

    Parameters
    ----------
    min_face : float, default 40
        The side in pixels of the smallest landmark box to look for. The picture is enlarged until
        such a face fills the detector's window (40 px: twice, dlib's ``upsample_num_times=1``), or
        shrunk where larger faces are asked for, which is faster.
    max_side : int, default 1000
        The longer side of the picture that is searched is never over this, which bounds the time:
        in a photograph of 3000 px the smallest face that is found has 240 px.
    threshold : float, default 0
        The lowest score of a face; -0.2 finds a few more faces and more false ones.
    box_map : BoxMap
        From dlib's boxes to landmark boxes.

    Raises
    ------
    MissingDependencyError
        dlib is not installed.

    References
    ----------
    N. Dalal, B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    D. E. King, "Max-margin object detection", arXiv:1502.00046.
    """

    name: ClassVar[str] = "hog"
    min_face: float = 40.0
    max_side: int = 1000
    threshold: float = 0.0
    box_map: BoxMap = BOX_MAPS["hog"]

    def __post_init__(self) -> None:
        check_number(self.min_face, "min_face", 1)
        check_integer(self.max_side, "max_side", 32, 100_000)
        check_number(self.threshold, "threshold", -10, 10)
        _import_dlib()

    def detect_raw(self, image: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return dlib's own boxes, shape (n, 4), and their scores, shape (n,)."""
        picture = check_image(image)
        wanted = WINDOW * self.box_map.scale / self.min_face
        resized = resize(picture, min(wanted, self.max_side / max(picture.shape)))
        found, scores, _ = _detector().run(resized, 0, self.threshold)
        edges = [(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in found]
        boxes = to_original(edges, resized.shape, picture.shape)
        return boxes, np.asarray(scores, np.float32)


def _detector() -> Any:
    if not hasattr(_local, "detector"):
        _local.detector = _import_dlib().get_frontal_face_detector()
    return _local.detector


def _import_dlib() -> Any:
    try:
        import dlib
    except ImportError:
        raise MissingDependencyError(
            'the hog face detector needs dlib: pip install "classicface[dlib]"'
        ) from None
    return dlib
