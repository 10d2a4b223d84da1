"""The figures as CSV, in full precision: methods, faces, landmarks."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from classicface.evaluation.results import Comparison, Footprint, MethodResult

__all__ = ["faces_csv", "landmarks_csv", "methods_csv"]


def _text(rows: list[list[Any]]) -> str:
    """Return rows as CSV; what is not known is empty, what was not found is ``inf``."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for row in rows:
        writer.writerow([_plain(value) for value in row])
    return stream.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, float):  # NumPy's too
        return "" if math.isnan(value) else repr(float(value))
    return "" if value is None else value


def methods_csv(comparison: Comparison) -> str:
    """Return one row a method."""
    rows = [_method_row(comparison, method) for method in comparison.methods]
    return _text([list(rows[0]), *([*row.values()] for row in rows)])


def _method_row(comparison: Comparison, method: MethodResult) -> dict[str, Any]:
    row: dict[str, Any] = {
        "method": method.name,
        "spec": method.spec,
        "kind": method.kind,
        "terms": method.terms,
        "best_place": method.rank[0],
        "worst_place": method.rank[1],
        "on_front": int(method.name in comparison.front()),
    }
    for kind, accuracy in method.accuracy.items():
        for name, unit in (
            ("mean", "percent"),
            ("median", "percent"),
            ("auc_08", ""),
            ("failure_08", "percent"),
            ("failure_10", "percent"),
        ):
            estimate = getattr(accuracy, name)
            measure = f"nme_{name}" if name in ("mean", "median") else name
            for part in ("value", "low", "high"):
                label = [measure, kind, "" if part == "value" else part, unit]
                row["_".join(word for word in label if word)] = getattr(estimate, part)
    row.update({name: getattr(method.points, name) for name in ("precision", "recall", "f1")})
    speed, footprint = method.speed, method.footprint or Footprint()
    quartiles = (None, None) if speed is None else speed.one_face_quartiles_us
    passes = (None, None) if speed is None else speed.all_cores_range_us
    return {
        **row,
        "one_face_us": None if speed is None else speed.one_face_us,
        "one_face_first_quartile_us": quartiles[0],
        "one_face_third_quartile_us": quartiles[1],
        "all_cores_us_per_face": None if speed is None else speed.all_cores_us,
        "all_cores_fastest_us_per_face": passes[0],
        "all_cores_slowest_us_per_face": passes[1],
        "all_cores_faces_per_second": None if speed is None else speed.faces_per_second,
        "import_seconds": footprint.import_seconds,
        "load_seconds": footprint.load_seconds,
        "first_prediction_seconds": footprint.first_seconds,
        "base_bytes": footprint.base_bytes,
        "peak_bytes": footprint.peak_bytes,
        "model_bytes": footprint.model_bytes,
        "training_seconds": method.training_seconds,
    }


def faces_csv(comparison: Comparison) -> str:
    """Return one row a face: the NME of each method in percent, by the leading normaliser."""
    kind = comparison.normalizer
    head = ["face", *_columns(comparison)]
    errors = [100 * method.errors[kind] for method in comparison.methods]
    return _text([head, *map(list, zip(comparison.dataset.names, *errors, strict=True))])


def landmarks_csv(comparison: Comparison) -> str:
    """Return one row a landmark: the NME of each method in percent, by the leading normaliser."""
    kind, scheme = comparison.normalizer, comparison.dataset.scheme
    regions = [
        " ".join(name for name, of in scheme.regions.items() if i in of)
        for i in range(scheme.n_landmarks)
    ]
    head = ["landmark", "region", *_columns(comparison)]
    errors = [method.per_landmark[kind] for method in comparison.methods]
    return _text([head, *map(list, zip(range(scheme.n_landmarks), regions, *errors, strict=True))])


def _columns(comparison: Comparison) -> list[str]:
    return [f"{m.name}_nme_{comparison.normalizer}_percent" for m in comparison.methods]
