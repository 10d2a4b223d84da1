"""Putting an active shape model together from its stored arrays; every one is checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.asm.search import Constraint, Model, PatchSearch, ProfileSearch
from classicface.asm.view import View
from classicface.exceptions import ModelFormatError
from classicface.image.descriptors import FEATURES
from classicface.shape.pdm import PointDistributionModel

__all__ = ["build_model", "make_views", "patch_offsets"]

# Beyond any number that training gives, far below what overflows in single precision.
_LARGEST = 1e9

_RING = 8  # samples on a ring


def patch_offsets(params: dict[str, Any]) -> NDArray[np.float32]:
    """Return where a patch is sampled, (P, 2) pixels from its landmark: a grid, then the rings.

    Every second ring is turned by half the angle between two samples.
    """
    side, spacing = params["patch_side"], params["spacing"]
    along = (np.arange(side) - (side - 1) / 2) * spacing
    parts = [np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)]
    for i, radius in enumerate(params["rings"]):
        angles = (np.arange(_RING) + 0.5 * (i % 2)) * 2 * np.pi / _RING
        parts.append(radius * np.column_stack([np.cos(angles), np.sin(angles)]))
    return np.concatenate(parts).astype(np.float32)


def make_views(params: dict[str, Any], shape_model: PointDistributionModel) -> tuple[View, ...]:
    """Return how a face is looked at on each level, coarse to fine."""
    descriptor = params["descriptor"]
    if descriptor == "profile":
        reach = float(params["profile_reach"] + params["search_reach"])
    else:
        reach = float(np.abs(patch_offsets(params)).max())
    return tuple(
        View.build(shape_model.mean, float(size), reach, descriptor, params["cell"])
        for size in params["face_sizes"]
    )


def build_model(
    tensors: dict[str, NDArray[Any]], shape_model: PointDistributionModel, params: dict[str, Any]
) -> Model:
    """Build a model from the arrays of a file.

    Raises
    ------
    ModelFormatError
        One is missing, of another type or shape, or holds values that no training gives.
    """
    n_landmarks, k = shape_model.n_landmarks, shape_model.n_components
    stages = (len(params["face_sizes"]), params["n_iterations"])
    start = checked(tensors, "start", np.float64, (4,))
    if not start[:2].any():
        raise ModelFormatError("damaged active shape model: its start has no size")
    gains = np.zeros((*stages, 0, 0))
    if params["constraint"] == "posterior":
        shape = (*stages, 4 + k, 2 * n_landmarks + k)
        gains = checked(tensors, "gains", np.float32, shape).astype(np.float64)
    searches = _profile_searches if params["descriptor"] == "profile" else _patch_searches
    return Model(
        Constraint(shape_model, params["constraint"], params["n_std"]),
        start,
        make_views(params, shape_model),
        searches(tensors, n_landmarks, stages, params),
        gains,
    )


def _profile_searches(
    tensors: dict[str, NDArray[Any]],
    n_landmarks: int,
    stages: tuple[int, int],
    params: dict[str, Any],
) -> tuple[tuple[ProfileSearch, ...], ...]:
    n = 2 * params["profile_reach"] + 1
    neighbours = checked(tensors, "neighbours", np.int32, (n_landmarks, 2))
    if neighbours.min() < 0 or neighbours.max() >= n_landmarks:
        raise ModelFormatError("damaged active shape model: a neighbour is out of range")
    means = checked(tensors, "profile_means", np.float32, (stages[0], n_landmarks, n))
    inverses = checked(tensors, "profile_inverses", np.float32, (stages[0], n_landmarks, n, n))
    return tuple(
        (ProfileSearch(neighbours, means[i], inverses[i], params["search_reach"]),) * stages[1]
        for i in range(stages[0])
    )


def _patch_searches(
    tensors: dict[str, NDArray[Any]],
    n_landmarks: int,
    stages: tuple[int, int],
    params: dict[str, Any],
) -> tuple[tuple[PatchSearch, ...], ...]:
    offsets = patch_offsets(params)
    size = len(offsets) * FEATURES[params["descriptor"]]
    weights = checked(tensors, "weights", np.float16, (*stages, n_landmarks, 2, size))
    biases = checked(tensors, "biases", np.float32, (*stages, n_landmarks, 2))
    return tuple(
        tuple(PatchSearch(offsets, weights[i, j], biases[i, j]) for j in range(stages[1]))
        for i in range(stages[0])
    )


def checked(
    tensors: dict[str, NDArray[Any]], name: str, dtype: type, shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return a stored array whose type, shape and values are what they must be.

    The kernels read without bounds checks, so nothing unchecked may reach them.

    Raises
    ------
    ModelFormatError
        It is missing, of another type or shape, or holds values that no training gives.
    """
    array = tensors.get(name)
    if array is None or array.dtype != dtype or array.shape != shape:
        found = "missing" if array is None else f"{array.dtype} of shape {array.shape}"
        raise ModelFormatError(
            f"damaged active shape model: {name} is {found}; expected {np.dtype(dtype)} of shape"
            f" {shape}"
        )
    if not np.all(np.abs(array.astype(np.float64)) <= _LARGEST):  # NaN fails too
        raise ModelFormatError(
            f"damaged active shape model: {name} holds a value beyond ±{_LARGEST:g}, or NaN"
        )
    return np.ascontiguousarray(array)
