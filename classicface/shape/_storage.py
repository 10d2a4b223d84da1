"""What a point distribution model must be, and its part of a model file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.persistence import read_model, write_model
from classicface.shape.procrustes import similarity_basis
from classicface.shape.schemes import LandmarkScheme, get_scheme

__all__ = ["check_model", "read", "unpack", "write"]

Floats = NDArray[np.float64]

#: How far the arrays may be from orthonormal, centred and of size 1.
_TOLERANCE = 1e-3

#: Beyond any value of a model whose mean has size 1.
_MOST = 1e6


def check_model(mean: Floats, components: Floats, variances: Floats) -> None:
    """Refuse arrays that are no point distribution model.

    Raises
    ------
    InvalidInputError
    """
    if mean.ndim != 2 or mean.shape[1] != 2 or len(mean) < 2:
        raise InvalidInputError(f"shape model: mean has shape {mean.shape}; expected (L, 2)")
    if components.shape[1:] != mean.shape or variances.shape != components.shape[:1]:
        raise InvalidInputError(
            f"shape model: components have shape {components.shape}, variances"
            f" {variances.shape}, the mean {mean.shape}; they do not fit together"
        )
    if not all((np.abs(array) < _MOST).all() for array in (mean, components, variances)):
        raise InvalidInputError("shape model: holds values that are not finite, or absurd")
    most = max(0, mean.size - 4)
    if len(variances) > most:
        raise InvalidInputError(
            f"shape model: {len(variances)} components; {len(mean)} points have at most {most}"
            " besides position, size and rotation"
        )
    if (variances <= 0).any() or (np.diff(variances) > 0).any():
        raise InvalidInputError("shape model: variances must be positive and descending")
    rows = components.reshape(len(components), mean.size)
    errors = [mean.sum(axis=0), np.sum(mean**2) - 1.0, rows @ rows.T - np.eye(len(rows))]
    # The mean comes first: of one of no size there is no basis.
    if max(float(np.abs(error).max(initial=0)) for error in errors) > _TOLERANCE or (
        np.abs(rows @ similarity_basis(mean).T).max(initial=0) > _TOLERANCE
    ):
        raise InvalidInputError(
            "shape model: the mean must be centred and of size 1, the components orthonormal and"
            " orthogonal to the similarities of the mean"
        )


def unpack(
    tensors: Mapping[str, NDArray[Any]], n_landmarks: int, prefix: str
) -> tuple[tuple[Floats, Floats, Floats, float, int], float]:
    """Return what a `PointDistributionModel` is made from, and its total variance.

    Raises
    ------
    InvalidInputError
        A tensor is missing, of another shape or type.
    """
    parts = []
    for name, ndim in (("mean", 2), ("components", 3), ("variances", 1), ("noise", 1)):
        tensor = tensors.get(prefix + name)
        if tensor is None or tensor.ndim != ndim or tensor.dtype.kind != "f":
            raise InvalidInputError(f"shape model: {prefix}{name} is missing or foreign")
        parts.append(tensor.astype(np.float64))
    mean, components, variances, numbers = parts
    if mean.shape != (n_landmarks, 2):
        raise InvalidInputError(
            f"shape model: a mean of shape {mean.shape}; expected {n_landmarks} points"
        )
    if numbers.shape != (3,) or not (np.abs(numbers) < 2.0**53).all():
        raise InvalidInputError(f"shape model: {prefix}noise must be three numbers")
    noise, total, n_samples = numbers.tolist()
    return (mean, components, variances, noise, int(n_samples)), total


def write(
    path: str | Path,
    tensors: dict[str, NDArray[Any]],
    n_landmarks: int,
    scheme: LandmarkScheme | str | None,
    provenance: Mapping[str, Any] | None,
) -> None:
    """Write a model file that holds nothing but a shape model."""
    chosen = get_scheme(n_landmarks if scheme is None else scheme)
    if chosen.n_landmarks != n_landmarks:
        raise InvalidInputError(
            f"scheme {chosen.name} has {chosen.n_landmarks} points, the shape model {n_landmarks}"
        )
    header = {
        "class": "PointDistributionModel",
        "params": {},
        "scheme": chosen.to_dict(),
        "provenance": dict(provenance or {}),
        "accuracy": {},
    }
    write_model(path, header, tensors)


def read(path: str | Path) -> tuple[LandmarkScheme, dict[str, NDArray[Any]]]:
    """Return the scheme and the tensors of a model file that holds a shape model.

    Raises
    ------
    ModelFormatError
    """
    header, tensors = read_model(path)
    if "shape.mean" not in tensors:
        raise ModelFormatError(
            f"{path}: a model of class {header.get('class')!r} holds no shape model;"
            " classicface train shape learns one"
        )
    try:
        return LandmarkScheme.from_dict(header["scheme"]), tensors
    except (InvalidInputError, LookupError, TypeError) as error:
        raise ModelFormatError(f"{path}: damaged model file ({error})") from None
