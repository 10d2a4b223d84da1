"""ASMFitter: active shape models as a landmark predictor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.asm.assembly import build_model
from classicface.asm.search import CONSTRAINTS, DESCRIPTORS, MAX_STARTS, Model
from classicface.exceptions import InvalidInputError
from classicface.image.descriptors import MAX_CELL
from classicface.predictor import Progress, n_threads
from classicface.refining import RefiningPredictor
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import (
    check_boxes,
    check_choice,
    check_count_or_share,
    check_image,
    check_integer,
    check_number,
    check_random_state,
)

__all__ = ["PRESETS", "ASMFitter"]

#: What the presets change of the defaults of `ASMFitter`; ``classic`` has grey profiles and limits
#: of a box, as in 1995.
PRESETS: dict[str, dict[str, Any]] = {
    "classic": {"descriptor": "profile", "constraint": "box", "n_iterations": 5},
    "fast": {"face_sizes": (30.0, 60.0), "rings": ()},
    "default": {},
}


class ASMFitter(RefiningPredictor):
    """Active shape model.

    Each landmark looks around itself for a better place; a point distribution model keeps of what
    they find the most plausible face; again and again, from a coarse picture to a fine one (Cootes,
    Taylor, Cooper and Graham, CVIU 1995). Landmarks look along the normal for the profile that is
    most like those of training, as in that paper, or read a patch of gradient histograms, as do
    the HAT descriptors of Milborrow and Nicolls (VISAPP 2014), here with a linear regressor each.

    Parameters
    ----------
    descriptor : {"hog", "igo", "intensity", "profile"}, default "hog"
        What a landmark looks at: a patch of dense features (see `classicface.image.descriptors`),
        or the grey profile along its normal.
    constraint : {"posterior", "box", "ellipsoid"}, default "posterior"
        How the shape model joins what the landmarks find. ``posterior``: the most probable shape,
        given how far each landmark erred in training, and in which direction. ``box`` and
        ``ellipsoid``: the nearest shape of the model. In each case the parameters are then limited
        (to a box but for ``ellipsoid``).
    face_sizes : tuple of float, default (30.0, 60.0, 120.0)
        The levels of the pyramid, coarse to fine: the size of a face's landmark box in the upright
        frame of the level, in pixels.
    n_iterations : int, default 2
        Searches on each level.
    n_starts : int, default 1
        The coarsest level is searched from so many starts around the box; the finer ones go on
        from the median.
    patch_side : int, default 5
        Samples along a side of the patch.
    spacing : float, default 4.0
        Frame pixels between samples.
    rings : tuple of float, default (10.0, 16.0, 24.0)
        Radii of rings of eight samples more, in frame pixels.
    cell : int, default 2
        The radius of a cell of ``hog``, in frame pixels.
    profile_reach : int, default 8
        A profile reaches so many frame pixels to each side of its landmark.
    search_reach : int, default 4
        A landmark looks for its profile so many frame pixels to each side.
    n_shape : int or float, default 0.98
        Components of the shape model: a number, or the share of the variance to explain.
    n_std : float, default 3.0
        How many standard deviations the shape parameters may reach.
    correlation : float, default 0.5
        With ``posterior``, how much of the correlations between the landmarks' errors is kept.
    ridge : float, default 0.003
        How much the regressors' weights are held small.
    oversampling : int, default 10
        Starts drawn for each training face.
    n_folds : int, default 16
        A training sample is moved by regressors that were learnt on the other folds of the faces.
    shift_jitter, scale_jitter : float, default 0.06, 0.07
        Standard deviations of the starts' shift (in sides of the box) and of their scale
        (logarithm).
    rotation_jitter : float, default 10
        Standard deviation of the starts' rotation in degrees.
    random_state : int or numpy.random.Generator, optional
        The same seed gives the same model, bit for bit, on any number of threads.
    n_jobs : int, optional
        Threads for training; by default one a core.

    Attributes
    ----------
    shape_model_ : PointDistributionModel
    model_ : Model
        The trained search.
    train_error_ : list of float
        Mean distance of the training samples to the truth after each stage, in sides of the box.

    Examples
    --------
    >>> from classicface import synthetic_faces
    >>> from classicface.asm.model import ASMFitter
    >>> faces = synthetic_faces(40, random_state=0)
    >>> fitter = ASMFitter(face_sizes=(20, 40), oversampling=3, random_state=0).fit(faces)
    >>> fitter.predict(faces.images[0], faces.boxes[0]).shape
    (1, 68, 2)
    """

    presets = PRESETS

    shape_model_: PointDistributionModel
    model_: Model
    train_error_: list[float]

    def __init__(
        self,
        *,
        descriptor: str = "hog",
        constraint: str = "posterior",
        face_sizes: tuple[float, ...] = (30.0, 60.0, 120.0),
        n_iterations: int = 2,
        n_starts: int = 1,
        patch_side: int = 5,
        spacing: float = 4.0,
        rings: tuple[float, ...] = (10.0, 16.0, 24.0),
        cell: int = 2,
        profile_reach: int = 8,
        search_reach: int = 4,
        n_shape: int | float = 0.98,
        n_std: float = 3.0,
        correlation: float = 0.5,
        ridge: float = 0.003,
        oversampling: int = 10,
        n_folds: int = 16,
        shift_jitter: float = 0.06,
        scale_jitter: float = 0.07,
        rotation_jitter: float = 10.0,
        random_state: int | np.random.Generator | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.descriptor = descriptor
        self.constraint = constraint
        self.face_sizes = face_sizes
        self.n_iterations = n_iterations
        self.n_starts = n_starts
        self.patch_side = patch_side
        self.spacing = spacing
        self.rings = rings
        self.cell = cell
        self.profile_reach = profile_reach
        self.search_reach = search_reach
        self.n_shape = n_shape
        self.n_std = n_std
        self.correlation = correlation
        self.ridge = ridge
        self.oversampling = oversampling
        self.n_folds = n_folds
        self.shift_jitter = shift_jitter
        self.scale_jitter = scale_jitter
        self.rotation_jitter = rotation_jitter
        self.random_state = random_state
        self.n_jobs = n_jobs

    def trace(self, image: ArrayLike, box: ArrayLike) -> NDArray[np.float32]:
        """Search for one face and return its shape before the search and after every iteration.

        Parameters
        ----------
        image : array-like
            As `predict` takes it.
        box : array-like, shape (4,)
            The landmark box of the face.

        Returns
        -------
        ndarray of float32, shape (1 + n_levels * n_iterations, n_landmarks, 2)
            From the start at the box alone, whatever `n_starts` is.
        """
        self._check_fitted()
        picture = check_image(image)
        start = self.model_.starts(check_boxes(box, picture.shape)[:1], 1)[0, 0]
        steps = [start]
        self.model_.refine(picture, start, range(len(self.face_sizes)), steps)
        return np.array(steps, np.float32)

    def check_params(self) -> None:
        """Refuse parameters that are out of range, with InvalidInputError."""
        check_choice(self.descriptor, "descriptor", DESCRIPTORS)
        check_choice(self.constraint, "constraint", CONSTRAINTS)
        for name, least, most, low, high in _LISTS:
            values = getattr(self, name)
            if not isinstance(values, (tuple, list)) or not least <= len(values) <= most:
                raise InvalidInputError(
                    f"{name} is {values!r}; expected {least} to {most} numbers of pixels"
                )
            for value in values:
                check_number(value, name, low, high)
        for name, lowest, highest in _INTEGERS:
            check_integer(getattr(self, name), name, lowest, highest)
        for name, low, high in _NUMBERS:
            check_number(getattr(self, name), name, low, high)
        check_count_or_share(self.n_shape, "n_shape", 5000)
        check_random_state(self.random_state)

    def _fit(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        scheme: LandmarkScheme,
        progress: Progress,
        starts: NDArray[np.float32] | None = None,
    ) -> None:
        from classicface.asm.training import train

        params = self.get_params(deep=False)
        tensors, self.train_error_ = train(
            *(images, landmarks, boxes, scheme.lines, params, n_threads(self.n_jobs), progress),
            starts,
        )
        self._build(tensors, landmarks.shape[1])

    _fit_from = _fit

    def _build(self, tensors: dict[str, NDArray[Any]], n_landmarks: int) -> None:
        """Set the fitted attributes from the tensors of a model file."""
        shape_model = PointDistributionModel.from_tensors(tensors, n_landmarks)
        self.model_ = build_model(tensors, shape_model, self.get_params(deep=False))
        self._tensors, self.shape_model_ = tensors, shape_model

    def _predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        result = np.empty((len(boxes), len(self.shape_model_.mean), 2), np.float32)
        for i, starts in enumerate(self.model_.starts(boxes, self.n_starts)):
            result[i] = self.model_.find(image, starts)
        return result

    def _refine(self, image: NDArray[np.uint8], starts: NDArray[np.float32]) -> NDArray[np.float32]:
        levels, shapes = range(len(self.face_sizes)), starts.astype(np.float64)
        found = [self.model_.refine(image, shape, levels) for shape in shapes]
        return np.array(found, np.float32).reshape(starts.shape)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        return {"train_error": self.train_error_}, dict(self._tensors)

    def _restore(self, header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
        self.face_sizes, self.rings = tuple(self.face_sizes), tuple(self.rings)
        self.train_error_ = [float(error) for error in header["train_error"]]
        self._build(tensors, self.scheme_.n_landmarks)


# Name, least and greatest number of values, least and greatest value.
_LISTS = [("face_sizes", 1, 8, 8.0, 512.0), ("rings", 0, 8, 0.5, 64.0)]

_INTEGERS = [
    ("n_iterations", 1, 100),
    ("n_starts", 1, MAX_STARTS),
    ("patch_side", 1, 16),
    ("cell", 0, MAX_CELL),
    ("profile_reach", 1, 32),
    ("search_reach", 1, 64),
    ("oversampling", 1, 10_000),
    ("n_folds", 1, 1000),
]

_NUMBERS = [
    ("spacing", 0.5, 16.0),
    ("n_std", 0.0, 100.0),
    ("correlation", 0.0, 1.0),
    ("ridge", 1e-9, 1e9),
    ("shift_jitter", 0.0, 0.4),
    ("scale_jitter", 0.0, 0.4),
    ("rotation_jitter", 0.0, 60.0),
]
