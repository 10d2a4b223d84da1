"""Precision and recall of points over pictures with any number of faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.metrics.curves import positive
from classicface.metrics.nme import (
    Normalizer,
    Scheme,
    as_faces,
    distances,
    mean_of_present,
    normalizer,
)

__all__ = ["PrecisionRecall", "precision_recall"]

#: Beyond this NME two faces have nothing in common, however far apart they are.
HOPELESS = 1.0


class PrecisionRecall(NamedTuple):
    """What `precision_recall` returns.

    Attributes
    ----------
    precision : float
        Correct points over predicted points; NaN where none was predicted.
    recall : float
        Correct points over annotated points; NaN where none is annotated.
    f1 : float
        The harmonic mean of the two: 2 correct / (predicted + annotated).
    n_correct, n_predicted, n_true : int
        The numbers of points.
    """

    precision: float
    recall: float
    f1: float
    n_correct: int
    n_predicted: int
    n_true: int


def precision_recall(
    predicted: Sequence[ArrayLike | None],
    true: Sequence[ArrayLike | None],
    threshold: float = 0.05,
    scheme: Scheme = None,
    kind: Normalizer = "interocular",
) -> PrecisionRecall:
    """Return the precision and recall of points over pictures with any number of faces.

    In each picture the predicted faces are matched to the true ones, one to one, with the least
    sum of NME, of which any over 1 weighs 1 (the Hungarian method: Kuhn, 1955). A point is correct
    where its normalised error is within the threshold. The points of a face that was not found
    count against the recall, those of a false face against the precision. Predicted points whose
    truth is not annotated count neither way.

    Parameters
    ----------
    predicted, true : sequence of array-like, each of shape (n_faces, n_landmarks, 2)
        One entry a picture, in the same order; ``()`` or None for a picture without faces.
        NaN marks points that were not predicted, or not annotated.
    threshold : float, default 0.05
    scheme : LandmarkScheme or str, optional
        The meaning of the points; by default told from their number.
    kind : {"interocular", "interpupil", "box"}
        See `normalizer`. True faces must have the points that it needs.

    Returns
    -------
    PrecisionRecall

    Raises
    ------
    InvalidInputError
        Inputs that do not fit together, or a true face whose normaliser is not annotated.
    """
    limit = positive(threshold)
    if len(predicted) != len(true):
        raise InvalidInputError(
            f"predictions for {len(predicted)} pictures, truth for {len(true)}; expected the same"
        )
    counts = np.zeros(3, np.int64)
    for i in range(len(true)):
        counts += _count_picture(i, predicted[i], true[i], limit, scheme, kind)
    correct, found, wanted = counts.tolist()
    return PrecisionRecall(
        correct / found if found else np.nan,
        correct / wanted if wanted else np.nan,
        2 * correct / (found + wanted) if found + wanted else np.nan,
        *(correct, found, wanted),
    )


def _count_picture(
    i: int,
    predicted: ArrayLike | None,
    true: ArrayLike | None,
    limit: float,
    scheme: Scheme,
    kind: Normalizer,
) -> tuple[int, int, int]:
    """Return the correct, predicted and annotated points of picture i; errors name it."""
    try:
        return _count_points(_faces_or_none(predicted), _faces_or_none(true), limit, scheme, kind)
    except InvalidInputError as error:
        raise InvalidInputError(f"picture {i}: {error}") from None


def _faces_or_none(landmarks: ArrayLike | None) -> NDArray[np.float64] | None:
    if landmarks is None or np.size(landmarks) == 0:
        return None
    return as_faces(landmarks)


def _count_points(
    predicted: NDArray[np.float64] | None,
    true: NDArray[np.float64] | None,
    limit: float,
    scheme: Scheme,
    kind: Normalizer,
) -> tuple[int, int, int]:
    """Return the correct, predicted and annotated points of one picture."""
    found = 0 if predicted is None else int(np.sum(~np.isnan(predicted[..., 0])))
    wanted = 0 if true is None else int(np.sum(~np.isnan(true[..., 0])))
    if predicted is None or true is None:
        return 0, found, wanted
    if predicted.shape[1] != true.shape[1]:
        raise InvalidInputError(
            f"{predicted.shape[1]} predicted points a face, {true.shape[1]} true ones"
        )
    length = normalizer(true, scheme, kind)
    if np.isnan(length).any():
        raise InvalidInputError(
            f"the {kind} normaliser of face {int(np.argmax(np.isnan(length)))} cannot be had:"
            " its points are not annotated; leave the face out or use 'box'"
        )
    rows, columns = _match(predicted, true, length)
    errors = distances(predicted[rows], true[columns]) / length[columns, None]
    unknown = np.isnan(errors) & ~np.isnan(predicted[rows, :, 0])
    return int(np.sum(errors <= limit)), found - int(np.sum(unknown)), wanted


def _match(
    predicted: NDArray[np.float64], true: NDArray[np.float64], length: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Match faces one to one with the least sum of NME; NaN predictions do not weigh."""
    from scipy.optimize import linear_sum_assignment

    distance = np.linalg.norm(predicted[:, None] - true[None], axis=-1)
    cost = mean_of_present(distance / length[None, :, None], axis=2)
    return linear_sum_assignment(np.minimum(np.nan_to_num(cost, nan=HOPELESS), HOPELESS))
