"""The starts that a chain's second predictor trains on: folds, jittered boxes, noise."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import box_centers_sides, square_boxes
from classicface.shape.similarity import apply_similarity, fit_similarity, invert_similarity

__all__ = ["fold_numbers", "jittered_boxes", "tame", "with_noise"]

# Coordinates farther out are taken for damage; float32 still tells 1/8 px apart here.
_FARTHEST = 1e6

# Draws are cut at so many standard deviations.
_CUT = 2.5

Floats = NDArray[np.float32]


def fold_numbers(
    images: Sequence[NDArray[np.uint8]],
    groups: Sequence[Any] | None,
    folds: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Return in which part each face is, shape (n,); the faces of a group are in one part.

    Parameters
    ----------
    images : sequence of ndarray
    groups : sequence or None
        Where there are none (or None for a face), a picture and its mirror image make a group.
    folds : int
        Parts, at most as many as there are groups; up to 1 for one part.
    rng : numpy.random.Generator

    Raises
    ------
    InvalidInputError
        Not one group a face, or one group alone.
    """
    if groups is None:
        groups = [None] * len(images)
    if len(groups) != len(images):
        raise InvalidInputError(f"{len(groups)} groups for {len(images)} images")
    if folds < 2:
        return np.zeros(len(images), np.int64)
    labels = [
        _picture_label(image) if group is None else repr(group)
        for image, group in zip(images, groups, strict=True)
    ]
    number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    if len(number) < 2:
        raise InvalidInputError(
            f"folds is {folds}, but the faces are of one group: none can be left out;"
            " set folds to 0"
        )
    parts = rng.permutation(len(number)) % min(folds, len(number))
    return parts[[number[label] for label in labels]]


def _picture_label(image: NDArray[np.uint8]) -> str:
    """Return what a picture has in common with its mirror image, and with no other."""
    digests = [hashlib.blake2b(view.tobytes()).hexdigest() for view in (image, image[:, ::-1])]
    return f"{image.shape} {min(digests)}"


def jittered_boxes(
    images: Sequence[NDArray[np.uint8]],
    boxes: Floats,
    count: int,
    jitter: tuple[float, float],
    rng: np.random.Generator,
) -> Floats:
    """Return boxes of each face, (n, count, 4): the first is its own, the others are near it.

    Parameters
    ----------
    images : sequence of ndarray
    boxes : ndarray of float32, shape (n, 4)
    count : int
    jitter : tuple of float
        Standard deviations of the shift, in sides, and of the scale (logarithm). A box that would
        miss its picture, or have less than a pixel, stays as it is.
    rng : numpy.random.Generator
    """
    centers, sides = box_centers_sides(boxes)
    draws = rng.standard_normal((len(boxes), count, 3)).clip(-_CUT, _CUT)
    moves = jitter[0] * draws[..., :2] * sides[:, None, None]
    sides = sides[:, None] * np.exp(jitter[1] * draws[..., 2])
    moved = square_boxes(centers[:, None] + moves, sides)
    height, width = np.array([image.shape for image in images]).T[..., None]
    x0, y0, x1, y1 = np.moveaxis(moved, -1, 0)
    good = (x0 < width) & (y0 < height) & (x1 > 0) & (y1 > 0) & (sides >= 1)
    good &= np.abs(moved).max(axis=-1) <= _FARTHEST
    good[:, 0] = False
    return np.where(good[..., None], moved, boxes[:, None])


def tame(points: Floats) -> Floats:
    """Return finite points, for a damaged model may give others."""
    return np.nan_to_num(points, nan=0.0).clip(-_FARTHEST, _FARTHEST).astype(np.float32)


def with_noise(starts: Floats, truth: Floats, noise: float, rng: np.random.Generator) -> Floats:
    """Add errors to starts, of the second moments that theirs have in the frame of the face.

    Parameters
    ----------
    starts : ndarray of float32, shape (n, n_starts, L, 2)
    truth : ndarray of float32, shape (n, 1, L, 2)
    noise : float
        The size of what is added, relative to the errors.
    rng : numpy.random.Generator
    """
    poses = fit_similarity(truth[0, 0] - truth[0, 0].mean(axis=0), truth)
    back = invert_similarity(poses)
    errors = apply_similarity(back, starts) - apply_similarity(back, truth)
    vectors = errors.reshape(-1, truth[0].size)
    moments, directions = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    draws = rng.standard_normal(vectors.shape).clip(-_CUT, _CUT)
    added = (noise * draws * np.sqrt(moments.clip(0))) @ directions.T
    linear = poses * [1, 1, 0, 0]
    return (starts + apply_similarity(linear, added.reshape(starts.shape))).astype(np.float32)
