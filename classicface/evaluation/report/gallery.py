"""Pictures: the same faces under every method, and the worst of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.evaluation.report.formats import decimals
from classicface.evaluation.results import Comparison, MethodResult
from classicface.image.crop import crop_face, crop_pose
from classicface.plotting import draw_landmarks
from classicface.shape.boxes import box_centers_sides, landmark_box
from classicface.shape.similarity import apply_similarity

__all__ = ["Tile", "TileRow", "same_faces", "worst_faces"]

#: The side of a picture, in pixels, and what is around the face, in its sides.
SIZE = 160
_MARGIN = 0.28


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture of a face with points on it.

    Parameters
    ----------
    picture : ndarray of uint8, shape (SIZE, SIZE, 3)
    name : str
        Of the face.
    text : str
        What stands below.
    """

    picture: NDArray[np.uint8]
    name: str
    text: str


@dataclass(frozen=True, eq=False)
class TileRow:
    """The pictures of one method; `method` is None in the row of the annotation."""

    name: str
    method: int | None
    tiles: Sequence[Tile]


def same_faces(comparison: Comparison, count: int) -> list[TileRow]:
    """Return the same faces under every method, from easy to hard, below their annotation.

    The faces stand at fixed quantiles of the mean error over the methods.
    """
    faces = _quantile_faces(comparison, count)
    truth, names = comparison.dataset.landmarks, comparison.dataset.names
    tiles = [Tile(_drawn(comparison, i, truth[i]), names[i], _short_name(names[i])) for i in faces]
    rows = [TileRow("annotation", None, tiles)]
    for place, method in enumerate(comparison.methods):
        tiles = [
            Tile(
                _drawn(comparison, i, None, method.landmarks[i]),
                names[i],
                _error(method, i, comparison),
            )
            for i in faces
        ]
        rows.append(TileRow(method.name, place, tiles))
    return rows


def worst_faces(comparison: Comparison) -> list[TileRow]:
    """Return the faces with the largest errors of each method, found over annotated points."""
    truth, names = comparison.dataset.landmarks, comparison.dataset.names
    return [
        TileRow(
            method.name,
            place,
            [
                Tile(
                    _drawn(comparison, i, truth[i], method.landmarks[i]),
                    names[i],
                    _error(method, i, comparison),
                )
                for i in method.worst
            ],
        )
        for place, method in enumerate(comparison.methods)
    ]


def _quantile_faces(comparison: Comparison, count: int) -> list[int]:
    """Return faces between the easiest and the hardest; those without a truth are left out."""
    errors = np.stack([method.errors[comparison.normalizer] for method in comparison.methods])
    mean = errors.mean(axis=0)
    known = np.flatnonzero(~np.isnan(mean))
    order = known[np.argsort(mean[known], kind="stable")]
    count = min(count, len(order))
    middles = (np.arange(count) + 0.5) / max(count, 1)
    return order[(middles * len(order)).astype(int)].tolist()


def _drawn(
    comparison: Comparison, face: int, *points: NDArray[np.float32] | None
) -> NDArray[np.uint8]:
    """Draw on a face what was annotated (the first points) in green, what was found in yellow."""
    dataset = comparison.dataset
    pixels, pose = _crop(comparison, face)
    missing = np.full((dataset.scheme.n_landmarks, 2), np.nan)
    shown = [missing if one is None else apply_similarity(pose, one) for one in points]
    drawn = draw_landmarks(pixels, np.stack(shown), dataset.scheme)
    if np.isnan(shown[-1]).all():
        drawn = (drawn // 3 + 150).astype(np.uint8)  # not found: the face is there, but faint
    return drawn


def _crop(comparison: Comparison, face: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Cut a face out by its annotation, or by its box where it has none."""
    dataset = comparison.dataset
    box = landmark_box(dataset.landmarks[face : face + 1])
    if np.isnan(box).any():
        box = dataset.boxes[face : face + 1]
    centers, sides = box_centers_sides(box)
    pose = crop_pose(centers[0], max(float(sides[0]), 1.0), SIZE, _MARGIN)
    return crop_face(dataset.images[face], pose, SIZE), pose


def _error(method: MethodResult, face: int, comparison: Comparison) -> str:
    error = float(method.errors[comparison.normalizer][face])
    if math.isinf(error):
        return "not found"
    return "no annotation" if math.isnan(error) else f"{decimals(100 * error, 1)} %"


def _short_name(name: str) -> str:
    """Return the end of a name, which tells pictures apart."""
    return name if len(name) <= 20 else "…" + name[-19:]
