"""ChainFitter: a predictor that starts from the points that another one found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from classicface.chain.starts import fold_numbers, jittered_boxes, tame, with_noise
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.predictor import LandmarkPredictor, Progress, n_threads
from classicface.refining import RefiningPredictor
from classicface.registry import CLASSES, predictor_class
from classicface.shape.boxes import box_centers_sides
from classicface.shape.missing import complete_landmarks
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_flag, check_integer, check_number, check_random_state

__all__ = ["MAX_DEPTH", "ChainFitter"]

#: How deep chains may stand within chains.
MAX_DEPTH = 8

Self = TypeVar("Self", bound="ChainFitter")
Floats = NDArray[np.float32]


class ChainFitter(LandmarkPredictor):
    """Two predictors in turn: the second starts from the points that the first found.

    After Valle, Buenaposada, Valdes and Baumela (A deeply-initialized coarse-to-fine ensemble of
    regression trees for face alignment, ECCV 2018). There, a network's points take the place of
    the mean shape from which a cascade of trees starts; here the first may be any predictor, and
    the second any that can start from points: a tree cascade, an active shape or appearance model.

    The second learns to mend the errors that the first makes on new faces. So copies of the first
    are trained with a part of the faces left out each, to predict those, under jittered boxes.
    Random errors of the same covariance are added, for even so there are too few different ones.

    Parameters
    ----------
    first : LandmarkPredictor
        By default an `AAMFitter`.
    second : RefiningPredictor
        An `ERTFitter`, `ASMFitter` or `AAMFitter`; by default an `ASMFitter` with the finest
        scale alone. Its own ``oversampling`` and jitter are not used.
    refit_first : bool, default True
        Whether `fit` trains a copy of the first. If False it must be fitted, and stays as it is.
    folds : int, default 5
        Parts of the faces that are left out in turn. With 0 or 1 the first itself predicts the
        faces: quick, and right where it has not learnt them by heart.
    oversampling : int, default 10
        Starts of each face: from its box, and from boxes jittered at random.
    shift_jitter, scale_jitter : float, default 0.05
        Standard deviations of the boxes' shift (in sides of the box) and of their scale
        (logarithm).
    noise : float, default 1.0
        Standard deviation of the random errors that are added to a start, relative to the errors
        that the starts have, along their principal directions. Where a first that predicts its
        own training faces errs r times as much on new ones, at least sqrt(r**2 - 1) is right.
    blend : float, default 0.0
        The share of the first's points in the result. Where both are about as accurate, their
        mean is better than either.
    random_state : int or numpy.random.Generator, optional
        Of the folds, boxes and noise. With seeds here and in both predictors, the same model
        comes out, bit for bit, on any number of threads.
    n_jobs : int, optional
        Threads for predicting the training faces; by default one a core.

    Attributes
    ----------
    first_, second_ : LandmarkPredictor
        The fitted predictors.
    first_error_ : float
        Mean distance of the starts in training to the truth before any noise, in sides of the box.

    Examples
    --------
    >>> from classicface import AAMFitter, ASMFitter, ChainFitter, synthetic_faces
    >>> faces = synthetic_faces(40, random_state=0)
    >>> first = AAMFitter(face_sizes=(30.0, 60.0), n_appearance=10)
    >>> second = ASMFitter(face_sizes=(60.0,), random_state=0)
    >>> chain = ChainFitter(first, second, folds=2, random_state=0).fit(faces)
    >>> chain.predict(faces.images[0], faces.boxes[0]).shape
    (1, 68, 2)
    """

    _transient_params = ("first", "second", "n_jobs")

    first_: LandmarkPredictor
    second_: RefiningPredictor
    first_error_: float

    def __init__(
        self,
        first: LandmarkPredictor | None = None,
        second: RefiningPredictor | None = None,
        *,
        refit_first: bool = True,
        folds: int = 5,
        oversampling: int = 10,
        shift_jitter: float = 0.05,
        scale_jitter: float = 0.05,
        noise: float = 1.0,
        blend: float = 0.0,
        random_state: int | np.random.Generator | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.first = first
        self.second = second
        self.refit_first = refit_first
        self.folds = folds
        self.oversampling = oversampling
        self.shift_jitter = shift_jitter
        self.scale_jitter = scale_jitter
        self.noise = noise
        self.blend = blend
        self.random_state = random_state
        self.n_jobs = n_jobs

    def __sklearn_clone__(self: Self) -> Self:
        """Return an unfitted copy; a first that is not to be trained again stays fitted."""
        params = self.get_params(deep=False)
        kept = {} if self.refit_first is True else {"first": self.first}
        return type(self)(**{n: clone(v, safe=False) for n, v in params.items()} | kept)

    def check_params(self) -> None:
        """Refuse parameters that are out of range, with InvalidInputError."""
        for name, kind, needed in (
            ("first", LandmarkPredictor, "a landmark predictor"),
            ("second", RefiningPredictor, "a predictor that can start from given points"),
        ):
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise InvalidInputError(f"{name} is {value!r:.100}; expected {needed}")
        if _depth(self) > MAX_DEPTH:
            raise InvalidInputError(f"chains stand in chains more than {MAX_DEPTH} deep")
        check_flag(self.refit_first, "refit_first")
        check_integer(self.folds, "folds", 0, 1000)
        check_integer(self.oversampling, "oversampling", 1, 1000)
        check_number(self.shift_jitter, "shift_jitter", 0.0, 0.4)
        check_number(self.scale_jitter, "scale_jitter", 0.0, 0.4)
        check_number(self.noise, "noise", 0.0, 10.0)
        check_number(self.blend, "blend", 0.0, 1.0)
        check_random_state(self.random_state)
        for part in (self.first, self.second):
            if part is not None:
                part.check_params()

    def fit(
        self: Self,
        images: Any,
        landmarks: ArrayLike | None = None,
        boxes: ArrayLike | None = None,
        *,
        scheme: LandmarkScheme | str | None = None,
        progress: Progress | None = None,
        groups: Sequence[Any] | None = None,
    ) -> Self:
        """Train on annotated faces, one face a picture; see `LandmarkPredictor.fit`.

        Parameters
        ----------
        images, landmarks, boxes, scheme, progress
            As `LandmarkPredictor.fit` takes them.
        groups : sequence, optional
            Who is seen: faces of one group are left out together. By default the groups of the
            data set. Where there are none (or None for a face), a picture and its mirror image
            make a group.

        Returns
        -------
        self
        """
        if groups is None and landmarks is None:
            groups = getattr(images, "groups", None)
        self._groups = groups
        try:
            return super().fit(images, landmarks, boxes, scheme=scheme, progress=progress)
        finally:
            del self._groups

    def _fit(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: Floats,
        boxes: Floats,
        scheme: LandmarkScheme,
        progress: Progress,
    ) -> None:
        rng = check_random_state(self.random_state)
        folds = fold_numbers(images, self._groups, self.folds, rng)
        jitter = (self.shift_jitter, self.scale_jitter)
        jittered = jittered_boxes(images, boxes, self.oversampling, jitter, rng)
        n_copies = int(folds.max()) + 1 if self.folds > 1 else 0
        n_steps = self.refit_first + n_copies + 1

        def step(i: int, what: str) -> Progress:
            return lambda fraction, text: progress((i + fraction) / n_steps, f"{what}: {text}")

        faces = (images, landmarks, boxes)
        first = self._first(scheme)
        if self.refit_first:
            first = clone(first).fit(*faces, scheme=scheme, progress=step(0, "first"))
        if n_copies == 0:
            starts = self._predictions(first, images, jittered)
        else:
            starts = np.empty((*jittered.shape[:2], *landmarks.shape[1:]), np.float32)
            for i in range(n_copies):
                rest, out = np.flatnonzero(folds != i), np.flatnonzero(folds == i)
                copy = _without_checkpoint(clone(first))
                text = f"first without part {i + 1} of {n_copies}"
                copy.fit(
                    *([images[j] for j in rest], landmarks[rest], boxes[rest]),
                    scheme=scheme,
                    progress=step(self.refit_first + i, text),
                )
                starts[out] = self._predictions(copy, [images[j] for j in out], jittered[out])
        truth = complete_landmarks(landmarks)[:, None]
        distances = np.linalg.norm(starts - truth, axis=-1).mean(axis=(1, 2))
        error = float(np.mean(distances / box_centers_sides(boxes)[1]))
        starts = tame(with_noise(starts, truth, self.noise, rng))
        second = clone(self._second())
        second._fit_from(*faces, scheme, step(n_steps - 1, "second"), starts)
        second.scheme_, second.provenance_, second.accuracy_ = scheme, {}, {}
        self.first_, self.second_, self.first_error_ = first, second, error

    def _first(self, scheme: LandmarkScheme) -> LandmarkPredictor:
        """Return the first as it was given, or its default; one that stays must fit the faces."""
        first = predictor_class("AAMFitter")() if self.first is None else self.first
        if not self.refit_first:
            first._check_fitted()
            if first.scheme_ != scheme:
                raise InvalidInputError(
                    f"the first predicts the points of {first.scheme_.name}, the faces have those"
                    f" of {scheme.name}"
                )
        return first

    def _second(self) -> RefiningPredictor:
        if self.second is None:
            second: Any = predictor_class("ASMFitter")(face_sizes=(120.0,))
            return second
        return self.second

    def _predictions(
        self, first: LandmarkPredictor, images: list[NDArray[np.uint8]], boxes: Floats
    ) -> Floats:
        """Return what the first finds from each box of each face, (n, oversampling, L, 2)."""
        n_jobs = n_threads(self.n_jobs)
        found = [
            first.predict_many(images, boxes[:, i], n_jobs=n_jobs) for i in range(boxes.shape[1])
        ]
        return tame(np.stack(found, axis=1))

    def _predict(self, image: NDArray[np.uint8], boxes: Floats) -> Floats:
        starts = tame(self.first_._predict(image, boxes))
        found = self.second_._refine(image, starts)
        if self.blend == 0:
            return found
        return (found + np.float32(self.blend) * (starts - found)).astype(np.float32)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        header: dict[str, Any] = {"first_error": self.first_error_}
        tensors: dict[str, NDArray[Any]] = {}
        for name, part in (("first", self.first_), ("second", self.second_)):
            header[name], arrays = part.state()
            tensors |= {f"{name}.{key}": array for key, array in arrays.items()}
        return header, tensors

    def _restore(self, header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
        if _depth(header) > MAX_DEPTH:
            raise ModelFormatError("damaged ChainFitter model: chains within chains, too deep")
        self.first_error_ = float(header["first_error"])
        self.first = self.first_ = _restored(header["first"], "first.", tensors)
        second = _restored(header["second"], "second.", tensors)
        if not isinstance(second, RefiningPredictor):
            raise ModelFormatError(
                f"damaged ChainFitter model: {type(second).__name__} cannot be the second"
            )
        self.second = self.second_ = second
        if not self.first_.scheme_ == second.scheme_ == self.scheme_:
            raise ModelFormatError("damaged ChainFitter model: parts of different schemes")


def _restored(
    header: dict[str, Any], prefix: str, tensors: dict[str, NDArray[Any]]
) -> LandmarkPredictor:
    """Return a part of a chain from its header, and the tensors of its prefix."""
    name = header["class"]
    if not isinstance(name, str) or name not in CLASSES:
        raise ModelFormatError(f"damaged ChainFitter model: a part of class {name!r:.100}")
    own = {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
    return predictor_class(name).from_state(header, own)


def _depth(chain: Any) -> int:
    """Return how many chains, or headers of chains, stand in each other; a great number is cut."""
    level, depth = [chain], 0
    while depth <= MAX_DEPTH:
        chains = [vars(part) if isinstance(part, ChainFitter) else part for part in level]
        chains = [part for part in chains if isinstance(part, dict) and "first" in part]
        if not chains:
            break
        depth += 1
        level = [part.get(name) for part in chains for name in ("first", "second")]
    return depth


def _without_checkpoint(predictor: LandmarkPredictor) -> LandmarkPredictor:
    """Take the checkpoints off an unfitted copy: they belong to the training on all faces."""
    names = [name for name in predictor.get_params() if name.split("__")[-1] == "checkpoint"]
    predictor.set_params(**dict.fromkeys(names))
    return predictor
