"""OpenCV's boosted cascades: Haar features (Viola & Jones, CVPR 2001) or local binary patterns."""

from __future__ import annotations

import abc
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.detect.base import Detector, resize, to_original
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import BoxMap
from classicface.validation import check_image, check_integer, check_number

if TYPE_CHECKING:
    import cv2

__all__ = ["HaarDetector", "LBPDetector"]

# An OpenCV classifier writes to itself while it searches: one for each thread.
_local = threading.local()


@dataclass(frozen=True)
class _CascadeDetector(Detector):
    """The search that both cascades share; they differ in their file and their box map."""

    min_face: float = 40.0
    max_side: int = 1000
    scale_factor: float = 1.1
    min_neighbors: int = 3

    def __post_init__(self) -> None:
        check_number(self.min_face, "min_face", 1)
        check_integer(self.max_side, "max_side", 32, 100_000)
        check_number(self.scale_factor, "scale_factor", 1.01, 4)
        check_integer(self.min_neighbors, "min_neighbors", 0)

    def detect_raw(self, image: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the cascade's own boxes, shape (n, 4), and their numbers of neighbours, (n,)."""
        picture = check_image(image)
        scale = min(1.0, self.max_side / max(picture.shape))
        small = resize(picture, scale)
        side = max(1, int(self.min_face / self.box_map.scale * scale))
        if side > min(small.shape):
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        found, neighbors = self._classifier().detectMultiScale2(
            small,
            scaleFactor=self.scale_factor,
            minNeighbors=self.min_neighbors,
            minSize=(side, side),
        )
        boxes = np.asarray(found, np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        scores = np.asarray(neighbors, np.float32).reshape(-1)
        # OpenCV's threads deliver in any order.
        order = np.lexsort((*boxes.T, -scores))
        return to_original(boxes[order], small.shape, picture.shape), scores[order]

    def _classifier(self) -> cv2.CascadeClassifier:
        loaded: dict[str, Any] = _local.__dict__
        if self.name not in loaded:
            loaded[self.name] = self._load()
        return loaded[self.name]

    @abc.abstractmethod
    def _load(self) -> cv2.CascadeClassifier:
        """Read the cascade's file."""


@dataclass(frozen=True)
class HaarDetector(_CascadeDetector):
    """Haar features: OpenCV's ``frontalface_alt2``, the best of its frontal cascades.

    Parameters
    ----------
    min_face : float, default 40
        The side in pixels of the smallest landmark box to look for. In a picture that is shrunk
        (see `max_side`) faces under 18 px of the shrunken one are out of reach.
    max_side : int, default 1000
        A picture whose longer side is over this is shrunk to it first, which bounds the time.
    scale_factor : float, default 1.1
        The step from one size of face to the next; smaller is slower and finds a few more.
    min_neighbors : int, default 3
        How many windows must agree on a face. Raise it to 8 against false faces, which costs some
        of the true ones. The number of windows is the score.
    box_map : BoxMap
        From the cascade's boxes to landmark boxes.

    References
    ----------
    P. Viola, M. Jones, "Rapid object detection using a boosted cascade of simple features",
    CVPR 2001. R. Lienhart, J. Maydt, "An extended set of Haar-like features for rapid object
    detection", ICIP 2002.
    """

    name: ClassVar[str] = "haar"
    box_map: BoxMap = BOX_MAPS["haar"]

    def _load(self) -> cv2.CascadeClassifier:
        import cv2
        from cv2.data import haarcascades

        return cv2.CascadeClassifier(str(Path(haarcascades) / "haarcascade_frontalface_alt2.xml"))


@dataclass(frozen=True)
class LBPDetector(_CascadeDetector):
    """Multi-block local binary patterns, the cascade that scikit-image ships: the fastest here.

    OpenCV searches with it rather than scikit-image: it finds more faces, fewer false ones, in less
    time, and gives scores. The parameters are those of `HaarDetector`; faces under 21 px of
    the shrunken picture are out of reach.

    References
    ----------
    S. Liao, X. Zhu, Z. Lei, L. Zhang, S. Z. Li, "Learning multi-scale block local binary patterns
    for face recognition", ICB 2007.
    """

    name: ClassVar[str] = "lbp"
    box_map: BoxMap = BOX_MAPS["lbp"]

    def _load(self) -> cv2.CascadeClassifier:
        import cv2
        from skimage.data import lbp_frontal_face_cascade_filename

        # scikit-image's copy misspells one tag, for which OpenCV refuses it.
        text = Path(lbp_frontal_face_cascade_filename()).read_text(encoding="ascii")
        text = text.replace("featuhreParams", "featureParams")
        stored = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        classifier = cv2.CascadeClassifier()
        classifier.read(stored.getFirstTopLevelNode())
        return classifier
