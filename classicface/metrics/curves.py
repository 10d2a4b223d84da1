"""Summaries of many faces' errors: cumulative error distribution, its area, failure rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.validation import check_number

__all__ = ["auc", "ced", "failure_rate", "positive"]


def _measured(errors: ArrayLike) -> NDArray[np.float64]:
    """Check the errors of faces, one each, and drop the NaN: those without a truth."""
    values = np.asarray(errors, np.float64)
    if values.ndim != 1 or np.any(values < 0):
        raise InvalidInputError("errors must be one number a face, none below zero")
    values = values[~np.isnan(values)]
    if len(values) == 0:
        raise InvalidInputError("there is no error to summarise: no face, or only NaN")
    return values


def ced(errors: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Return the cumulative error distribution: the part of faces whose error is within each limit.

    CED(e) = |{i : NME_i <= e}| / n.

    Parameters
    ----------
    errors : array-like, shape (n,)
        One NME a face, infinite for a face that was not found; NaN is left out.
    thresholds : array-like, shape (m,)

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    values = np.sort(_measured(errors))
    limits = np.asarray(thresholds, np.float64)
    return np.searchsorted(values, limits, side="right") / len(values)


def auc(errors: ArrayLike, threshold: float = 0.08) -> float:
    """Return the area under the CED curve up to a threshold, as a part of the whole.

    AUC = 1/a * integral from 0 to a of CED(e) de, with which 300-W ranks (Sagonas et al., IMAVIS
    2016; a = 0.08). CED is a step function, so the integral is exact: the mean over faces of
    max(0, 1 - NME_i / a). Papers that sample the curve differ in the last digits.

    Parameters
    ----------
    errors : array-like, shape (n,)
        One NME a face, infinite for a face that was not found; NaN is left out.
    threshold : float, default 0.08

    Returns
    -------
    float
        In [0, 1]; 1 is without error.
    """
    limit = positive(threshold)
    return float(np.maximum(0.0, 1.0 - _measured(errors) / limit).mean())


def failure_rate(errors: ArrayLike, threshold: float = 0.10) -> float:
    """Return the part of faces with an error over the threshold, 1 - CED(threshold).

    Parameters
    ----------
    errors : array-like, shape (n,)
        One NME a face, infinite for a face that was not found; NaN is left out.
    threshold : float, default 0.10
    """
    return float((_measured(errors) > positive(threshold)).mean())


def positive(threshold: float) -> float:
    """Return a threshold that is a number above 0, or raise InvalidInputError."""
    if check_number(threshold, "threshold", 0) == 0:
        raise InvalidInputError("threshold is 0; expected a number above it")
    return float(threshold)
