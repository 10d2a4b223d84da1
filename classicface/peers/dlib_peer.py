"""dlib's ``shape_predictor``, run and trained by dlib itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.peers.base import PeerPredictor, import_library
from classicface.persistence import check_model_file, replacing
from classicface.predictor import n_threads
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import BoxMap
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_integer, check_landmarks

if TYPE_CHECKING:
    from classicface.data.dataset import LandmarkDataset

__all__ = ["dlib_predictor", "train_dlib"]

# Set by arguments of their own.
_OWN = ("num_threads", "random_seed")


def dlib_predictor(
    path: str | Path,
    *,
    scheme: LandmarkScheme | str | int | None = None,
    box_map: BoxMap = BOX_MAPS["hog"],
) -> PeerPredictor:
    """Run a model of dlib's ``shape_predictor`` with dlib.

    Parameters
    ----------
    path : path-like
        A ``.dat`` file that dlib wrote. dlib trusts it: load only files from people you trust.
    scheme : LandmarkScheme, str or int, optional
        The meaning of the points; by default told from their number.
    box_map : BoxMap
        From the boxes that the model was trained with to landmark boxes; by default those of
        dlib's frontal face detector.

    Returns
    -------
    PeerPredictor
        dlib rounds its points to whole pixels.

    Raises
    ------
    MissingDependencyError
        dlib is not installed.
    ModelFormatError
        The file is missing, too large, or none of dlib's.
    """
    dlib = _import_dlib()
    path = check_model_file(path)
    try:
        model = dlib.shape_predictor(str(path))
    except (RuntimeError, MemoryError, ValueError) as error:
        raise ModelFormatError(f"{path}: no shape predictor of dlib: {error!s:.200}") from None

    def predict(image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        faces = [model(image, rectangle).parts() for rectangle in _rectangles(dlib, boxes)]
        return np.array([[(part.x, part.y) for part in face] for face in faces], np.float32)

    if scheme is None:
        blank = np.zeros((8, 8), np.uint8)
        scheme = model(blank, dlib.rectangle(0, 0, 7, 7)).num_parts
    return PeerPredictor(
        predict,
        scheme,
        box_map=box_map,
        library=f"dlib {dlib.__version__}",
        files=(path,),
        spec=f"dlib:{path.absolute()}",
    )


def train_dlib(
    dataset: LandmarkDataset,
    path: str | Path,
    *,
    n_jobs: int | None = None,
    random_state: int | None = None,
    **options: Any,
) -> PeerPredictor:
    """Train dlib's ``shape_predictor`` on the boxes of a data set, as dlib's detector draws them.

    Parameters
    ----------
    dataset : LandmarkDataset
        No point is missing. dlib mirrors no faces; see `LandmarkDataset.with_mirror`.
    path : path-like
        Where the ``.dat`` file is written; nothing is left behind when that fails.
    n_jobs : int, optional
        Threads; by default one a core. dlib's model depends a little on their number.
    random_state : int, optional
        The seed; by default dlib's own, which is always the same.
    **options
        Of ``dlib.shape_predictor_training_options``, such as ``tree_depth=5``; dlib's defaults for
        those that are not given.

    Returns
    -------
    PeerPredictor

    Raises
    ------
    MissingDependencyError
        dlib is not installed.
    InvalidInputError
        An unknown option, a value that dlib refuses, or a missing point.
    DataFormatError
        The file cannot be written.
    """
    dlib = _import_dlib()
    settings = _settings(dlib, options)
    settings.num_threads = n_threads(n_jobs)
    if random_state is not None:
        settings.random_seed = str(check_integer(random_state, "random_state", 0))
    landmarks = check_landmarks(dataset.landmarks, allow_missing=False)
    rectangles = _rectangles(dlib, BOX_MAPS["hog"].invert(dataset.boxes))
    faces = [
        [dlib.full_object_detection(box, [dlib.point(*p) for p in np.rint(points).astype(int)])]
        for box, points in zip(rectangles, landmarks, strict=True)
    ]
    try:
        model = dlib.train_shape_predictor(dataset.images, faces, settings)
    except (RuntimeError, ValueError) as error:
        raise InvalidInputError(f"dlib does not train on this: {error!s:.200}") from None
    with replacing(path) as partial:
        try:
            model.save(str(partial))
        except RuntimeError as error:
            raise OSError(str(error)) from None
    return dlib_predictor(path, scheme=dataset.scheme)


def _import_dlib() -> Any:
    return import_library("dlib", "a model of dlib", 'pip install "classicface[dlib]"')


def _rectangles(dlib: Any, boxes: NDArray[np.float32]) -> list[Any]:
    """Return boxes as dlib takes them: whole pixels."""
    return [dlib.rectangle(*box) for box in np.rint(boxes).astype(int).tolist()]


def _settings(dlib: Any, options: dict[str, Any]) -> Any:
    settings = dlib.shape_predictor_training_options()
    known = [name for name in dir(settings) if not name.startswith("_") and name not in _OWN]
    for name, value in options.items():
        if name not in known:
            raise InvalidInputError(f"dlib has no option {name!r}; there are {', '.join(known)}")
        try:
            setattr(settings, name, value)
        except TypeError:
            raise InvalidInputError(f"{name} is {value!r}, which dlib does not take") from None
    return settings
