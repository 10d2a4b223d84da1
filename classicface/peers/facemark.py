"""OpenCV's Facemark: local binary features, regression trees, appearance models."""

from __future__ import annotations

import os
import re
import struct
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import MissingDependencyError, ModelFormatError
from classicface.image.crop import crop_face, crop_pose
from classicface.peers.base import PeerPredictor, import_library
from classicface.persistence import check_model_file
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import IDENTITY, BoxMap, box_centers_sides, landmark_box
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.shape.similarity import apply_similarity, invert_similarity
from classicface.validation import check_choice

__all__ = ["KINDS", "facemark_predictor"]

#: Kind -> the function of ``cv2.face`` that makes it.
KINDS = {
    "lbf": "createFacemarkLBF",
    "kazemi": "createFacemarkKazemi",
    "aam": "createFacemarkAAM",
}

# The appearance model sees the face with so much around it, in sides of the landmark box.
_AAM_MARGIN = 0.5


def facemark_predictor(
    path: str | Path,
    kind: str = "lbf",
    *,
    scheme: LandmarkScheme | str | int = "ibug68",
    box_map: BoxMap | None = None,
) -> PeerPredictor:
    """Run a model of OpenCV's Facemark.

    Parameters
    ----------
    path : path-like
        A file that Facemark wrote. OpenCV trusts it: load only files from people you trust.
    kind : {"lbf", "kazemi", "aam"}, default "lbf"
        ``FacemarkLBF``, ``FacemarkKazemi`` or ``FacemarkAAM``.
    scheme : LandmarkScheme, str or int, default "ibug68"
        The meaning of the points.
    box_map : BoxMap, optional
        From the boxes that the model was trained with to landmark boxes; by default those of
        dlib's frontal face detector. ``aam`` learns from no boxes and starts from the landmark box.

    Returns
    -------
    PeerPredictor
        A Facemark object holds the box that it works on, so as many are loaded as there are threads
        that predict at the same time, and kept.

    Raises
    ------
    MissingDependencyError
        OpenCV was built without its contrib modules, as ``opencv-python`` is.
    InvalidInputError
        No such kind.
    ModelFormatError
        The file is missing, too large, or no model of that kind.
    """
    check_choice(kind, "kind", KINDS)
    cv2 = import_library("cv2", "a model of Facemark", "pip install opencv-contrib-python")
    if not hasattr(cv2, "face"):
        raise MissingDependencyError(
            "a model of Facemark needs OpenCV's contrib modules:"
            " pip uninstall opencv-python, then pip install opencv-contrib-python"
        )
    path = check_model_file(path)
    mean = _mean_shape(cv2, path) if kind == "aam" else None
    n_landmarks = get_scheme(scheme).n_landmarks
    told = _told_landmarks(path, kind) if mean is None else len(mean)
    if told != n_landmarks:
        raise _no_model(path, kind, f"it tells {told} points, the scheme has {n_landmarks}")
    idle = deque([_load(cv2, path, kind)])

    def fit(image: NDArray[np.uint8], boxes: NDArray[np.int32]) -> NDArray[np.float32]:
        try:
            model = idle.pop()
        except IndexError:
            model = _load(cv2, path, kind)
        try:
            found, faces = model.fit(image, boxes)
        finally:
            idle.append(model)
        shape = (len(boxes), n_landmarks, 2)
        if not found:
            return np.full(shape, np.nan, np.float32)
        return np.array(faces, np.float32).reshape(shape)

    return PeerPredictor(
        _on_boxes(fit, cv2, kind) if mean is None else _on_crops(fit, mean),
        scheme,
        box_map=box_map or (BOX_MAPS["hog"] if mean is None else IDENTITY),
        library=f"Facemark {kind} of OpenCV {cv2.__version__}",
        files=(path,),
        spec=f"facemark-{kind}:{path.absolute()}",
    )


_Fit = Callable[[NDArray[np.uint8], NDArray[np.int32]], NDArray[np.float32]]
_Predict = Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.floating]]


def _on_boxes(fit: _Fit, cv2: Any, kind: str) -> _Predict:
    """Fit in the picture itself, from boxes in whole pixels."""

    def predict(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.floating]:
        corners = np.rint(boxes).astype(np.int32)
        corners[:, 2:] -= corners[:, :2]
        # The trees read three channels, whatever the picture has.
        return fit(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if kind == "kazemi" else image, corners)

    return predict


def _on_crops(fit: _Fit, mean: NDArray[np.float32]) -> _Predict:
    """Fit in crops: the appearance model starts at the middle of a picture, whatever the box.

    It starts from its mean shape as it is stored, so the crop has the face at that size and place.
    """
    [center], [side] = box_centers_sides(landmark_box(mean[None]))
    size = round(float(side) * (1 + 2 * _AAM_MARGIN))
    margin = (size / float(side) - 1) / 2

    def predict(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.floating]:
        centers, sides = box_centers_sides(boxes)
        faces = []
        for middle, length in zip(centers, sides.tolist(), strict=True):
            pose = crop_pose(middle, length, size, margin)
            pose[2:] += center + 0.5  # OpenCV takes size / 2 for the middle
            crop = crop_face(image, pose, size)
            [points] = fit(crop, np.array([[0, 0, size, size]], np.int32))
            faces.append(apply_similarity(invert_similarity(pose), points))
        return np.stack(faces)

    return predict


def _load(cv2: Any, path: Path, kind: str) -> Any:
    model = getattr(cv2.face, KINDS[kind])()
    try:
        if kind == "lbf":
            silent = "%YAML:1.0\nverbose: 0\n"  # else it prints when it loads
            flags = cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY
            storage = cv2.FileStorage(silent, flags)
            model.read(storage.root())
        model.loadModel(str(path))
    except (cv2.error, MemoryError) as error:
        raise _no_model(path, kind, str(error)) from None
    return model


def _told_landmarks(path: Path, kind: str) -> int:
    """Return the number of points that a file tells, 0 where it is none of its kind.

    OpenCV does not survive every file of another kind.
    """
    with path.open("rb") as stream:
        if kind == "lbf":
            found = re.search(rb"\bn_landmarks\W+(\d{1,6})\b", stream.read(4096))
            return int(found[1]) if found else 0
        try:
            stages = _kazemi_entry(stream, b"cascade_depth")
            pixels = _kazemi_entry(stream, b"pixel_coordinates")
            stream.seek(8 * stages * pixels, os.SEEK_CUR)
            return _kazemi_entry(stream, b"mean_shape")
        except (struct.error, ValueError, OverflowError, OSError):
            return 0


def _kazemi_entry(stream: BinaryIO, name: bytes) -> int:
    """Read a name, with its length before it, and the number that follows."""
    length, found, number = struct.unpack(f"<Q{len(name)}sQ", stream.read(len(name) + 16))
    if (length, found) != (len(name), name):
        raise ValueError(f"no {name.decode()}")
    return int(number)


def _mean_shape(cv2: Any, path: Path) -> NDArray[np.float32]:
    """Return the mean shape of an appearance model, as it is stored; empty where there is none."""
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        node = storage.getNode("s0")
        numbers = [node.at(i).real() for i in range(node.size())]
    except (cv2.error, SystemError) as error:
        raise _no_model(path, "aam", str(error)) from None
    return np.array(numbers[: len(numbers) // 2 * 2], np.float32).reshape(-1, 2)


def _no_model(path: Path, kind: str, why: str) -> ModelFormatError:
    return ModelFormatError(f"{path}: no Facemark model of the kind {kind}: {why:.200}")
