"""Measures of accuracy: NME with three normalisers, CED, AUC, failure rate, precision and recall.

Errors are fractions of the normaliser: 0.04 is 4 %. Two marks go through all functions. NaN in the
truth is a point that was not annotated: it is left out. NaN in a prediction is a point, or a face,
that was not found: its error is infinite, which counts as a failure.
"""

from classicface.metrics.curves import auc, ced, failure_rate
from classicface.metrics.nme import (
    Normalizer,
    nme,
    nme_per_landmark,
    nme_per_region,
    normalizer,
)
from classicface.metrics.points import PrecisionRecall, precision_recall

__all__ = [
    "Normalizer",
    "PrecisionRecall",
    "auc",
    "ced",
    "failure_rate",
    "nme",
    "nme_per_landmark",
    "nme_per_region",
    "normalizer",
    "precision_recall",
]
