"""FaceVerifier: whether points that a predictor found lie on a face, whatever the predictor.

A predictor places its points on anything. The verifier looks at the picture under them: the points
are aligned to a mean shape, the picture with them; histograms of gradient directions around each
point, and the parameters of the shape, go into a small network, which was trained on points of
several predictors that lie well, badly, and on no face at all. ``docs/fit_score.md`` has
the figures.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.landmarker import _verifier_kernels as kernels
from classicface.landmarker.description import LEAST_POINTS, SCHEME, FaceDescriber
from classicface.persistence import read_model
from classicface.shape.schemes import SCHEMES, LandmarkScheme, convert_landmarks, get_scheme
from classicface.validation import check_image, check_integer, check_landmarks, check_number

__all__ = ["FaceChecks", "FaceVerifier"]

_PATH = Path(__file__).parent / "weights" / "fit.safetensors"

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FaceChecks:
    """What a `FaceVerifier` says of the faces of one picture.

    Attributes
    ----------
    fits : ndarray of float32, shape (n,)
        In [0, 1]: the probability that the points lie on a face of which more than half is seen,
        which here means that the brows, nose, eyes and mouth are on average less than a tenth of
        the distance between the outer eye corners from where they should be; where before looking
        that was as likely as not. NaN where it cannot be judged: another scheme, or more than half
        of the points missing.
    plausibilities : ndarray of float32, shape (n,)
        Of the shape alone: its Mahalanobis distance from the mean shape, over the square root of
        the number of dimensions. About 1 for points that were set by hand, and 0.5 for those of
        predictors, which are smoother; more than 3 is no face's shape.
    templates : ndarray of float32, shape (n, d)
        How the face looks, of norm 1; the dot product of two, from -1 to 1, says how alike they
        are. Zeros where a face has none.
    """

    fits: Floats
    plausibilities: Floats
    templates: Floats

    def __len__(self) -> int:
        return len(self.fits)


@dataclass(frozen=True, eq=False, repr=False)
class FaceVerifier:
    """Says whether points lie on a face. Immutable; any number of threads may share it.

    `FaceVerifier.load` reads the bundled one.

    Parameters
    ----------
    describer : FaceDescriber
    weights : ndarray of float32, shape (H, n_features)
        Of the hidden layer.
    biases, last_weights : ndarray of float32, shape (H,)
    last_bias : float
    look_mean : ndarray of float32, shape (L,)
        What the first L features are on average; they make the template.
    look : ndarray of float32, shape (d, L)
        Projects them to where one person's frames of a video differ little.
    """

    describer: FaceDescriber
    weights: Floats
    biases: Floats
    last_weights: Floats
    last_bias: float
    look_mean: Floats
    look: Floats

    def __post_init__(self) -> None:
        for name in ("weights", "biases", "last_weights", "look_mean", "look"):
            getattr(self, name).setflags(write=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> FaceVerifier:
        """Return the bundled verifier, which is read once, or the one of a file.

        Raises
        ------
        ModelFormatError
            The file is missing, damaged, or holds no face verifier.
        """
        return _bundled() if path is None else _read(Path(path))

    def supports(self, scheme: LandmarkScheme | str) -> bool:
        """Return whether points of a scheme can be judged; it must hold the 49 inner points."""
        return _inner(get_scheme(scheme)) is not None

    def check(
        self, grey: ArrayLike, landmarks: ArrayLike, scheme: LandmarkScheme | str
    ) -> FaceChecks:
        """Judge the faces of one picture.

        Parameters
        ----------
        grey : array-like
            See `classicface.validation.check_image`; a grey picture of uint8 is used as it is.
        landmarks : array-like, shape (n, n_landmarks, 2)
            NaN marks a missing point. Points may lie outside the picture.
        scheme : LandmarkScheme or str

        Returns
        -------
        FaceChecks

        Raises
        ------
        InvalidInputError
            Landmarks that are not of the scheme, or no picture.
        """
        scheme = get_scheme(scheme)
        picture = check_image(grey)
        points = check_landmarks(landmarks, scheme.n_landmarks)
        if points.ndim != 3:
            raise InvalidInputError(
                f"landmarks have shape {points.shape}; expected (n, {scheme.n_landmarks}, 2)"
            )
        fits = np.full(len(points), np.nan, np.float32)
        plausibilities = np.full(len(points), np.nan, np.float32)
        templates = np.zeros((len(points), len(self.look)), np.float32)
        checks = FaceChecks(fits, plausibilities, templates)
        indices = _inner(scheme)
        if indices is not None:
            inner = np.take(points, indices, axis=1)
            for i in range(len(points)):
                self._judge(picture, inner[i], i, checks)
        return checks

    def _judge(
        self, picture: NDArray[np.uint8], points: Floats, i: int, checks: FaceChecks
    ) -> None:
        """Write what is said of face `i`."""
        found = self.describer.describe(picture, points)
        if found is None:
            if np.isnan(points[:, 0]).sum() <= len(points) - LEAST_POINTS:  # no shape at all
                checks.fits[i], checks.plausibilities[i] = 0.0, np.inf
            return
        features = found.features
        score = kernels.network(
            features, self.weights, self.biases, self.last_weights, np.float32(self.last_bias)
        )
        checks.fits[i] = 1.0 / (1.0 + math.exp(min(-score, 80.0)))
        checks.plausibilities[i] = found.plausibility
        kernels.project(features, self.look_mean, self.look, checks.templates[i])


def _inner(scheme: LandmarkScheme) -> NDArray[np.intp] | None:
    """Return which points of a scheme are described; None where it lacks some."""
    known = SCHEMES.get(scheme.name)
    return _inner_of(scheme.name) if known is scheme or known == scheme else None


@functools.cache
def _inner_of(name: str) -> NDArray[np.intp] | None:
    count = SCHEMES[name].n_landmarks
    numbered = np.repeat(np.arange(count)[:, None], 2, axis=1)
    try:
        return convert_landmarks(numbered, name, SCHEME)[:, 0].astype(np.intp)
    except InvalidInputError:
        return None


@functools.cache
def _bundled() -> FaceVerifier:
    return _read(_PATH)


def _read(path: Path) -> FaceVerifier:
    header, tensors = read_model(path)
    if header.get("class") != "FaceVerifier":
        raise ModelFormatError(f"{path}: holds no face verifier")
    try:
        return _restore(header, tensors)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ModelFormatError(f"{path}: damaged face verifier: {error!r:.300}") from None


def _restore(header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> FaceVerifier:
    """Rebuild a verifier from a file; every shape and range is checked."""
    n_points = get_scheme(SCHEME).n_landmarks
    size = check_integer(header["size"], "size", 8, 256)
    mean = _array(tensors, "mean", (n_points, 2), 2.0 * size)
    offsets = _array(tensors, "offsets", (None, 2), 2.0 * size)
    components = _array(tensors, "components", (None, n_points, 2), 1.0 + 1e-3)
    variances = _array(tensors, "variances", (len(components),), 1e6)
    noise_variance = check_number(header["noise_variance"], "noise_variance", 1e-9)
    if len(components) == 0 or not (variances > 0).all() or np.ptp(mean) < 1:
        raise ValueError("its shape model is none")
    describer = FaceDescriber(size, mean, offsets, components, variances, noise_variance)
    n_features = describer.n_features
    weights = _coarse(tensors, "weights", n_features)
    biases = _array(tensors, "biases", (len(weights),))
    last_weights = _array(tensors, "last_weights", (len(weights),))
    last_bias = check_number(header["last_bias"], "last_bias", -1e6)
    look_mean = _array(tensors, "look_mean", (8 * len(offsets) * n_points,))
    look = _coarse(tensors, "look", len(look_mean))
    return FaceVerifier(describer, weights, biases, last_weights, last_bias, look_mean, look)


def _array(
    tensors: dict[str, NDArray[Any]], name: str, shape: tuple[int | None, ...], most: float = 1e6
) -> Floats:
    """Return an array of a file; None stands for any length up to a thousand."""
    array = tensors[name]
    fits = array.ndim == len(shape) and all(
        n == wanted or (wanted is None and n <= 1000)
        for n, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits or array.dtype not in (np.float32, np.float16):
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
    array = np.ascontiguousarray(array, np.float32)
    if not (np.abs(array) <= most).all():  # NaN fails too
        raise ValueError(f"{name} is out of range")
    return array


def _coarse(tensors: dict[str, NDArray[Any]], name: str, n_columns: int) -> Floats:
    """Return a matrix that is stored in 8 bits with a scale for each row."""
    rows = tensors[name]
    if rows.dtype != np.int8 or rows.ndim != 2 or rows.shape[1] != n_columns or len(rows) > 1000:
        raise ValueError(f"{name} is {rows.dtype} of shape {rows.shape}")
    return rows * _array(tensors, f"{name}_scales", (len(rows),))[:, None]
