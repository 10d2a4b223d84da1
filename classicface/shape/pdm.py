"""The point distribution model: a mean shape and the directions in which shapes vary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.shape import _storage
from classicface.shape._modes import Modes, check_n_components, learn_modes, merge_modes
from classicface.shape._posterior import as_vectors, fit_landmarks
from classicface.shape.procrustes import as_shapes
from classicface.shape.schemes import LandmarkScheme
from classicface.shape.similarity import apply_similarity
from classicface.validation import check_integer, check_number, check_random_state

__all__ = ["PointDistributionModel"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class PointDistributionModel:
    """A linear model of shapes: ``mean + b @ components``, moved by a similarity.

    Cootes, Taylor, Cooper and Graham, "Active shape models - their training and application"
    (CVIU 1995), with the probabilistic reading of Tipping and Bishop, "Probabilistic principal
    component analysis" (J. R. Stat. Soc. B 1999). Immutable, its arrays too.

    The frame of the model, the *reference frame*, has the mean centred at the origin with a sum of
    squares of 1. A *pose* is the similarity (a, b, tx, ty) of `classicface.shape.similarity` that
    takes the reference frame to the picture. Methods refuse arrays that do not fit the model with
    InvalidInputError.

    Parameters
    ----------
    mean : ndarray of float64, shape (n_landmarks, 2)
    components : ndarray of float64, shape (k, n_landmarks, 2)
        Orthonormal, and orthogonal to the four directions in which similarities move the mean.
    variances : ndarray of float64, shape (k,)
        Of each component's parameter over the training shapes; descending.
    noise_variance : float
        The mean variance in the directions that no component holds (sigma^2 of Tipping and
        Bishop).
    n_samples : int
        The shapes that the model was made from.

    Raises
    ------
    InvalidInputError
        Arrays that are not such a model.
    """

    mean: Floats
    components: Floats
    variances: Floats
    noise_variance: float
    n_samples: int

    def __post_init__(self) -> None:
        for name in ("mean", "components", "variances"):
            array = np.array(getattr(self, name), np.float64, order="C")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        noise = check_number(self.noise_variance, "shape model: noise_variance", 0.0)
        object.__setattr__(self, "noise_variance", noise)
        n_samples = check_integer(self.n_samples, "shape model: n_samples", 1)
        object.__setattr__(self, "n_samples", n_samples)
        _storage.check_model(self.mean, self.components, self.variances)

    def __repr__(self) -> str:
        return (
            f"<PointDistributionModel: {self.n_landmarks} points, {self.n_components} components,"
            f" {self.n_samples} shapes>"
        )

    @property
    def n_landmarks(self) -> int:
        """The number of points of a shape."""
        return len(self.mean)

    @property
    def n_components(self) -> int:
        """The number of components, k."""
        return len(self.variances)

    @property
    def total_variance(self) -> float:
        """The variance of the training shapes about their mean, in all directions together."""
        rest = max(0, self.mean.size - 4 - self.n_components)
        return float(self.variances.sum() + rest * self.noise_variance)

    @property
    def explained(self) -> Floats:
        """The share of the total variance that each component holds, shape (k,)."""
        return self.variances / (self.total_variance or 1.0)

    @property
    def _modes(self) -> Modes:
        rows = self.components.reshape(self.n_components, self.mean.size)
        return Modes(self.mean, rows, self.variances, self.noise_variance, self.n_samples)

    @classmethod
    def _from_modes(cls, modes: Modes) -> PointDistributionModel:
        components = modes.rows.reshape(-1, *modes.mean.shape)
        return cls(modes.mean, components, modes.variances, modes.noise_variance, modes.n_samples)

    @classmethod
    def fit(
        cls, landmarks: ArrayLike, n_components: int | float | None = 0.98
    ) -> PointDistributionModel:
        """Learn a model from shapes.

        Missing points are filled in by `classicface.shape.missing.complete_landmarks`, the shapes
        aligned by `classicface.procrustes_analysis`, and the principal components taken of what is
        left in the tangent plane.

        Parameters
        ----------
        landmarks : array-like, shape (n, n_landmarks, 2)
            One shape is enough: it becomes the mean of a model without components. So it is where
            all shapes are the same.
        n_components : int, float or None, default 0.98
            How many components to keep: an int counts them (fewer are kept where the shapes do
            not vary in so many ways), a float in (0, 1] is the share of the variance to explain,
            None keeps all. Variation below a millionth of the size of the shape is rounding, and
            left out.

        Returns
        -------
        PointDistributionModel

        Raises
        ------
        InvalidInputError
            Shapes that `classicface.procrustes_analysis` refuses, or another `n_components`.
        """
        check_n_components(n_components)
        return cls._from_modes(learn_modes(as_shapes(landmarks), n_components))

    def update(
        self, landmarks: ArrayLike, n_components: int | float | None = 0.98
    ) -> PointDistributionModel:
        """Return a model of these shapes and those that this model was made from.

        The old shapes are not needed: incremental principal component analysis with an update of
        the mean (Ross, Lim, Lin and Yang, IJCV 2008). What the old model has lost of them counts
        as even noise; the reference frame stays turned as it was. Missing points are filled in by
        the old model.

        Parameters
        ----------
        landmarks : array-like, shape (n, n_landmarks, 2)
        n_components : int, float or None, default 0.98
            As in `fit`.
        """
        check_n_components(n_components)
        shapes = as_shapes(landmarks, self.n_landmarks)
        missing = np.isnan(shapes)
        if missing.any():
            pose, b = self.to_parameters(shapes)
            shapes = np.where(missing, self.to_landmarks(b, pose), shapes)
        return self._from_modes(merge_modes(self._modes, shapes, n_components))

    def to_parameters(self, landmarks: ArrayLike) -> tuple[Floats, Floats]:
        """Return the pose and the parameters of the model's shape nearest to each shape.

        The least squared distance, over pose and parameters together. Of a shape with missing
        points, over those that are there, with the model's own noise to hold what they leave open.

        Parameters
        ----------
        landmarks : array-like, shape (..., n_landmarks, 2)
            At least two points of each shape; the others NaN.

        Returns
        -------
        pose : ndarray of float64, shape (..., 4)
        b : ndarray of float64, shape (..., k)
        """
        return fit_landmarks(self._modes, landmarks)

    def posterior(
        self, landmarks: ArrayLike, noise: float, weights: ArrayLike | None = None
    ) -> tuple[Floats, Floats]:
        """Return the most probable pose and parameters, given points that were seen with noise.

        Minimises ``sum_l weights_l |x_l - pose(mean + b @ components)_l|^2 / noise^2
        + sum_j b_j^2 / variances_j``. For a given pose the b of the least has a closed form; pose
        and b are solved for together, which takes a few such solutions.

        Parameters
        ----------
        landmarks : array-like, shape (..., n_landmarks, 2)
            NaN marks a missing point.
        noise : float
            The standard deviation of the points' error, in pixels of the picture. Towards 0 this
            is `to_parameters`, towards infinity the mean shape.
        weights : array-like, shape (n_landmarks,) or (..., n_landmarks), optional
            How much each point counts; 0 leaves it out.

        Returns
        -------
        pose : ndarray of float64, shape (..., 4)
        b : ndarray of float64, shape (..., k)
        """
        noise = check_number(noise, "noise", 1e-12)
        return fit_landmarks(self._modes, landmarks, noise, weights)

    def to_landmarks(self, b: ArrayLike, pose: ArrayLike | None = None) -> Floats:
        """Return the shapes, (..., n_landmarks, 2), of parameters (..., k) and poses (..., 4).

        Without a pose the shapes stay in the reference frame.
        """
        b = as_vectors(b, self.n_components, "b")
        shapes = self.mean + np.tensordot(b, self.components, 1)
        if pose is None:
            return shapes
        return apply_similarity(as_vectors(pose, 4, "pose"), shapes)

    def limit(self, b: ArrayLike, n_std: float = 3.0, kind: str = "box") -> Floats:
        """Bring parameters, shape (..., k), back to what is plausible.

        Parameters
        ----------
        b : array-like, shape (..., k)
        n_std : float, default 3.0
        kind : str, "box" or "ellipsoid"
            box: each parameter within `n_std` standard deviations. ellipsoid: all together are
            scaled towards the mean until they lie in the ellipsoid that holds the same share of a
            normal distribution in k dimensions as ``+-n_std`` does in one (99.7 % for 3; its
            radius for k = 40 is 8.3).

        Returns
        -------
        ndarray of float64, shape (..., k)
        """
        b = as_vectors(b, self.n_components, "b")
        n_std = check_number(n_std, "n_std", 0.0)
        if kind == "box":
            bound = n_std * np.sqrt(self.variances)
            return np.clip(b, -bound, bound)
        if kind != "ellipsoid":
            raise InvalidInputError(f"kind is {kind!r}; expected 'box' or 'ellipsoid'")
        from scipy.special import erfc, gammainccinv

        k = max(1, self.n_components)
        radius = np.sqrt(2 * gammainccinv(k / 2, erfc(n_std / np.sqrt(2))))
        excess = np.maximum(self.plausibility(b), 1e-300) / max(radius, 1e-300)
        return b / np.maximum(excess, 1.0)[..., None]

    def plausibility(self, b: ArrayLike) -> Floats:
        """Return how far parameters, (..., k), lie from the mean: Mahalanobis distances, (...).

        0 is the mean. Of normal shapes the squares are distributed as chi-squared with k degrees
        of freedom, so that ``sqrt(k)`` is usual.
        """
        return np.sqrt(np.sum(as_vectors(b, self.n_components, "b") ** 2 / self.variances, axis=-1))

    def sample(
        self, n: int, random_state: int | np.random.Generator | None = None, n_std: float = 3.0
    ) -> Floats:
        """Draw n shapes, (n, n_landmarks, 2), in the reference frame, limited to `n_std`."""
        n = check_integer(n, "n", 0, 10_000_000)
        rng = check_random_state(random_state)
        b = rng.standard_normal((n, self.n_components)) * np.sqrt(self.variances)
        return self.to_landmarks(self.limit(b, n_std))

    def tensors(self, prefix: str = "shape.") -> dict[str, NDArray[Any]]:
        """Return the model as arrays for a model file; `from_tensors` reads them, bit for bit."""
        numbers = [self.noise_variance, self.total_variance, float(self.n_samples)]
        return {
            f"{prefix}mean": self.mean,
            f"{prefix}components": self.components,
            f"{prefix}variances": self.variances,
            f"{prefix}noise": np.array(numbers),
        }

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, NDArray[Any]], n_landmarks: int, prefix: str = "shape."
    ) -> PointDistributionModel:
        """Rebuild a model from what `tensors` gave.

        Raises
        ------
        ModelFormatError
            A tensor is missing or not what it should be.
        """
        try:
            arguments, total = _storage.unpack(tensors, n_landmarks, prefix)
            model = cls(*arguments)
        except InvalidInputError as error:
            raise ModelFormatError(f"damaged {error}") from None
        if not np.isclose(model.total_variance, total, rtol=1e-3, atol=1e-12):
            raise ModelFormatError("damaged shape model: its variances do not add up")
        return model

    def save(
        self,
        path: str | Path,
        scheme: LandmarkScheme | str | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the model to a safetensors file; `PointDistributionModel.load` reads it back.

        The scheme says what the points are (by default told from their number); the provenance,
        where the model comes from.
        """
        _storage.write(path, self.tensors(), self.n_landmarks, scheme, provenance)

    @classmethod
    def load(cls, path: str | Path) -> PointDistributionModel:
        """Read the shape model of any model file that holds one: a shape model's, an ASM, an AAM.

        Raises
        ------
        ModelFormatError
            The file is missing, damaged or foreign, or its model holds no shape model.
        """
        scheme, tensors = _storage.read(path)
        try:
            return cls.from_tensors(tensors, scheme.n_landmarks)
        except ModelFormatError as error:
            raise ModelFormatError(f"{path}: {error}") from None
