"""A comparison as plain JSON values."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from classicface.evaluation.results import Comparison, MethodResult

__all__ = ["comparison_record"]


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return everything but the pictures; numbers that are not finite, which JSON lacks, are None.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    dict
    """
    return {
        "data": comparison.data,
        "n_faces": len(comparison.dataset),
        "scheme": comparison.dataset.scheme.name,
        "boxes": comparison.boxes,
        "normalizer": comparison.normalizer,
        "point_threshold": comparison.point_threshold,
        "about": dict(comparison.about),
        "detector": None if comparison.detector is None else asdict(comparison.detector),
        "levels": {name: asdict(levels) for name, levels in comparison.levels.items()},
        "front": list(comparison.front()),
        "methods": [_method_dict(method) for method in comparison.methods],
        "pairs": [_plain(asdict(pair)) for pair in comparison.pairs],
        "faces": list(comparison.dataset.names),
    }


def _method_dict(method: MethodResult) -> dict[str, Any]:
    speed, footprint = method.speed, method.footprint
    return _plain(
        {
            "name": method.name,
            "spec": method.spec,
            "kind": method.kind,
            "terms": method.terms,
            "rank": list(method.rank),
            "accuracy": {name: asdict(value) for name, value in method.accuracy.items()},
            "regions": {name: dict(value) for name, value in method.regions.items()},
            "per_landmark": {name: v.tolist() for name, v in method.per_landmark.items()},
            "points": method.points._asdict(),
            "speed": speed and {**asdict(speed), "faces_per_second": speed.faces_per_second},
            "footprint": footprint and asdict(footprint),
            "training_seconds": method.training_seconds,
            "robustness": {name: list(values) for name, values in method.robustness.items()},
            "worst": list(method.worst),
            "errors": {name: values.tolist() for name, values in method.errors.items()},
        }
    )


def _plain(value: Any) -> Any:
    """Return nested values with None for each number that is not finite: JSON has none."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
