"""AAMFitter: active appearance models as a landmark predictor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.aam.arrays import Convergence
from classicface.aam.fitting import ALGORITHMS, Scale, fit_face, refine_face, spread_starts
from classicface.aam.pattern import Pattern, lay_out
from classicface.aam.storage import MAX_APPEARANCES, is_sane, pack_appearance, unpack_appearance
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.image.descriptors import FEATURES, MAX_CELL
from classicface.image.frame import ReferenceFrame
from classicface.predictor import Progress, n_threads
from classicface.refining import RefiningPredictor
from classicface.shape.boxes import box_centers_sides, mean_start
from classicface.shape.missing import complete_landmarks
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.schemes import LandmarkScheme
from classicface.shape.similarity import apply_similarity, compose_similarity, fit_similarity
from classicface.validation import (
    check_boxes,
    check_choice,
    check_count_or_share,
    check_flag,
    check_image,
    check_integer,
    check_number,
)

__all__ = ["PRESETS", "AAMFitter"]

#: What the presets change of the defaults of `AAMFitter`.
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"face_sizes": (40.0, 80.0), "tolerance": 0.6},
    "default": {},
    "accurate": {"face_sizes": (50.0, 100.0, 200.0), "patch_side": 5},
}

# More faces than this would not change the appearance's principal components, only the wait.
_MAX_FACES = 4000

# The finest holistic grid: samples along the side of a face.
_MAX_GRID = 300

# The most memory for the appearances of the training faces at one scale, in bytes.
_MAX_BYTES = 4e9

# The share of training faces whose cost at the coarsest scale is not doubted.
_DOUBT = 0.95


class AAMFitter(RefiningPredictor):
    """Active appearance model.

    A linear model of shape and one of appearance, read by dense features in an upright reference
    frame, fitted to a face by inverse compositional Gauss-Newton steps from coarse to fine
    (Cootes, Edwards and Taylor, PAMI 2001; Matthews and Baker, IJCV 2004; Tzimiropoulos and
    Pantic, ICCV 2013 and, for parts, CVPR 2014).

    Parameters
    ----------
    features : {"hog", "igo", "intensity"}, default "hog"
        The dense descriptor; see `classicface.image.descriptors`.
    algorithm : {"alternating", "wiberg", "simultaneous", "project-out"}, default "alternating"
        ``project-out``: the Jacobian of the mean appearance, computed once; the fastest.
        ``simultaneous`` and ``wiberg``: shape and appearance are solved for together, the
        appearance eliminated. ``alternating``: in turn.
    parts : bool, default True
        Whether the appearance is that of a patch around each landmark, or (False) of the whole
        face inside the landmarks' hull under a piecewise-affine warp.
    face_sizes : tuple of float, default (40.0, 80.0, 160.0)
        The scales, coarse to fine: the size of a face's landmark box in the frame, in pixels.
    patch_side : int, default 4
        With parts, samples along a side of a patch.
    spacing : float, default 4.0
        Frame pixels between samples, of patches and of the holistic grid alike.
    cell : int, default 2
        The radius of a cell of ``hog``, in frame pixels.
    n_shape : int or float, default 0.98
        Components of the shape model: a number, or the share of the variance to explain.
    n_appearance : int or float, default 50
        Components of the appearance model at each scale, likewise.
    shape_prior : float, default 60.0
        How much the Gaussian prior of the shape weighs; 1 would be right if samples were
        independent, but neighbouring ones repeat each other. 0 leaves the prior out.
    n_std : float, default 3.0
        Each shape parameter stays within so many standard deviations.
    max_iterations : int, default 10
        Steps at each scale.
    tolerance : float, default 0.3
        A scale ends when no landmark moves by more, in frame pixels.
    n_starts : int, default 10
        Starts that are tried at the coarsest scale where the first one ends in doubt: with a cost
        that 95 % of the training faces stay below.
    n_jobs : int, optional
        Threads while training; by default one a core. The model does not depend on it.

    Attributes
    ----------
    shape_model_ : PointDistributionModel
    scales_ : list of Scale
    start_ : ndarray of float64, shape (4,)
        The similarity from the shape model to a box of centre 0 and side 1.
    doubt_ : float
        The cost at the coarsest scale above which other starts are tried.

    Examples
    --------
    >>> from classicface import AAMFitter, synthetic_faces
    >>> faces = synthetic_faces(60, random_state=0)
    >>> fitter = AAMFitter(n_appearance=20).fit(faces)
    >>> fitter.predict(faces.images[0], faces.boxes[0]).shape
    (1, 68, 2)
    """

    presets = PRESETS

    def __init__(
        self,
        *,
        features: str = "hog",
        algorithm: str = "alternating",
        parts: bool = True,
        face_sizes: tuple[float, ...] = (40.0, 80.0, 160.0),
        patch_side: int = 4,
        spacing: float = 4.0,
        cell: int = 2,
        n_shape: int | float = 0.98,
        n_appearance: int | float = 50,
        shape_prior: float = 60.0,
        n_std: float = 3.0,
        max_iterations: int = 10,
        tolerance: float = 0.3,
        n_starts: int = 10,
        n_jobs: int | None = None,
    ) -> None:
        self.features = features
        self.algorithm = algorithm
        self.parts = parts
        self.face_sizes = face_sizes
        self.patch_side = patch_side
        self.spacing = spacing
        self.cell = cell
        self.n_shape = n_shape
        self.n_appearance = n_appearance
        self.shape_prior = shape_prior
        self.n_std = n_std
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.n_starts = n_starts
        self.n_jobs = n_jobs

    def trace(self, image: ArrayLike, box: ArrayLike) -> list[Convergence]:
        """Fit one face and return what happened at each scale, step by step.

        Parameters
        ----------
        image : array-like
            As `predict` takes it.
        box : array-like, shape (4,)
            The landmark box of the face.

        Returns
        -------
        list of Convergence
            One a scale, coarse to fine.
        """
        self._check_fitted()
        picture = check_image(image)
        boxes = check_boxes(box, picture.shape)
        if len(boxes) != 1:
            raise InvalidInputError(f"trace follows one face; there are {len(boxes)} boxes")
        (starts,) = self._starts(boxes)
        steps: list[Convergence] = []
        fit_face(
            *(self.scales_, self.shape_model_, picture, starts, self.doubt_),
            *(self._fit_params(), steps),
        )
        return steps

    def check_params(self) -> None:
        """Refuse parameters that are out of range, with InvalidInputError."""
        check_choice(self.features, "features", FEATURES)
        check_choice(self.algorithm, "algorithm", ALGORITHMS)
        check_flag(self.parts, "parts")
        if not isinstance(self.face_sizes, (tuple, list)) or not 1 <= len(self.face_sizes) <= 8:
            raise InvalidInputError(
                f"face_sizes is {self.face_sizes!r}; expected one to eight sizes in pixels"
            )
        for size in self.face_sizes:
            check_number(size, "face_sizes", 8.0, 1024.0)
        check_integer(self.patch_side, "patch_side", 2, 64)
        check_number(self.spacing, "spacing", 0.5, 64.0)
        check_integer(self.cell, "cell", 0, MAX_CELL)
        if not self.parts and max(self.face_sizes) > _MAX_GRID * self.spacing:
            raise InvalidInputError(
                f"spacing is {self.spacing!r}, too fine for a face of {max(self.face_sizes):g}"
                f" pixels; expected at least {max(self.face_sizes) / _MAX_GRID:.2g}"
            )
        check_count_or_share(self.n_shape, "n_shape", 5000)
        check_count_or_share(self.n_appearance, "n_appearance", MAX_APPEARANCES)
        check_number(self.shape_prior, "shape_prior", 0.0, 1e9)
        check_number(self.n_std, "n_std", 0.0, 100.0)
        check_integer(self.max_iterations, "max_iterations", 1, 1000)
        check_number(self.tolerance, "tolerance", 0.0, 100.0)
        check_integer(self.n_starts, "n_starts", 1, 100)

    def _fit(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        scheme: LandmarkScheme,
        progress: Progress,
        starts: NDArray[np.float32] | None = None,  # training looks at the true landmarks alone
    ) -> None:
        from classicface.aam.appearance import principal_components, read_appearances

        n_jobs = n_threads(self.n_jobs)
        shapes = complete_landmarks(landmarks).astype(np.float64)
        progress(0.0, "aligning shapes")
        shape_model = PointDistributionModel.fit(shapes, self.n_shape)
        start = mean_start(shape_model.mean, shapes, boxes)
        tensors = {"start": start, **shape_model.tensors()}
        kept = np.linspace(0, len(images) - 1, min(len(images), _MAX_FACES)).astype(int)
        poses = fit_similarity(shape_model.mean, shapes)
        for i in range(len(self.face_sizes)):
            frame, pattern = self._layout(i, shape_model)
            progress(i / len(self.face_sizes), f"scale {i + 1} of {len(self.face_sizes)}")
            needed = 4.0 * len(kept) * pattern.n_samples * FEATURES[self.features]
            if needed > _MAX_BYTES:
                raise InvalidInputError(
                    f"{len(kept)} faces of {pattern.n_samples} samples at a face size of"
                    f" {self.face_sizes[i]:g} pixels would take {needed / 1e9:.0f} GB; use a"
                    " larger spacing, a smaller patch_side or fewer faces"
                )
            values = read_appearances(
                *([images[j] for j in kept], shapes[kept], poses[kept], frame, pattern),
                *(self.features, self.cell, n_jobs),
            )
            mean, basis, noise = principal_components(values, self.n_appearance)
            tensors |= pack_appearance(f"scale{i}.", mean, basis, noise)
        self._build(tensors | {"doubt": np.array([np.inf])}, shape_model)
        doubt = np.quantile(self._costs([images[j] for j in kept], boxes[kept], n_jobs), [_DOUBT])
        self._tensors, self.doubt_ = tensors | {"doubt": doubt}, float(doubt[0])
        progress(1.0, "done")

    _fit_from = _fit

    def _costs(
        self, images: list[NDArray[np.uint8]], boxes: NDArray[np.float32], n_jobs: int
    ) -> list[float]:
        """Return the cost at the coarsest scale of faces fitted from their boxes."""
        placed = apply_similarity(self._starts(boxes)[:, 0], self.shape_model_.mean)
        params = self._fit_params()

        def cost(i: int) -> float:
            return self.scales_[0].fit(images[i], placed[i], self.shape_model_, params)[1]

        with ThreadPoolExecutor(n_jobs) as pool:
            return list(pool.map(cost, range(len(images))))

    def _layout(
        self, i: int, shape_model: PointDistributionModel
    ) -> tuple[ReferenceFrame, Pattern]:
        """Return the frame and the sampling pattern of a scale."""
        patch_side = self.patch_side if self.parts else None
        return lay_out(shape_model.mean, float(self.face_sizes[i]), patch_side, self.spacing)

    def _build(self, tensors: dict[str, NDArray[Any]], shape_model: PointDistributionModel) -> None:
        """Set the fitted attributes from the tensors of a model file."""
        start, doubt = tensors["start"], tensors["doubt"]
        if start.shape != (4,) or start.dtype != np.float64 or not is_sane(start):
            raise ModelFormatError("damaged AAMFitter model: start")
        if doubt.shape != (1,) or doubt.dtype != np.float64 or not doubt[0] >= 0:
            raise ModelFormatError("damaged AAMFitter model: doubt")
        scales = []
        for i, face_size in enumerate(self.face_sizes):
            frame, pattern = self._layout(i, shape_model)
            size = pattern.n_samples * FEATURES[self.features]
            appearance = unpack_appearance(f"scale{i}.", tensors, size)
            scales.append(
                Scale.build(
                    *(frame, pattern, shape_model, appearance, self._fit_params()),
                    float(face_size),
                )
            )
        self._tensors, self.start_, self.scales_ = tensors, start, scales
        self.shape_model_, self.doubt_ = shape_model, float(doubt[0])

    def _fit_params(self) -> dict[str, Any]:
        """Return the parameters that fitting goes by."""
        names = ("features", "cell", "algorithm", "shape_prior", "n_std", "max_iterations")
        params = {name: getattr(self, name) for name in names}
        return {**params, "tolerance": float(self.tolerance)}

    def _starts(self, boxes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the starts of every box, (n_boxes, n_starts, 4)."""
        centers, sides = box_centers_sides(boxes)
        placed = np.column_stack([sides, np.zeros(len(sides)), centers])
        return compose_similarity(placed[:, None], spread_starts(self.start_, self.n_starts))

    def _predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        result = np.empty((len(boxes), len(self.shape_model_.mean), 2), np.float32)
        model, params = (self.scales_, self.shape_model_, image), self._fit_params()
        for i, starts in enumerate(self._starts(boxes)):
            result[i] = fit_face(*model, starts, self.doubt_, params)
        return result

    def _refine(self, image: NDArray[np.uint8], starts: NDArray[np.float32]) -> NDArray[np.float32]:
        result = np.empty(starts.shape, np.float32)
        model, params = (self.scales_, self.shape_model_, image), self._fit_params()
        for i, start in enumerate(starts.astype(np.float64)):
            result[i] = refine_face(*model, start, params)
        return result

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        return {}, dict(self._tensors)

    def _restore(self, header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
        self.face_sizes = tuple(self.face_sizes)
        if f"scale{len(self.face_sizes)}.basis" in tensors:
            raise ModelFormatError("damaged AAMFitter model: more scales than face_sizes")
        shape_model = PointDistributionModel.from_tensors(tensors, self.scheme_.n_landmarks)
        self._build(tensors, shape_model)
