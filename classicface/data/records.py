"""FaceRecord: one annotated face as a file holds it, before its picture is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicface.data.faults import Fault, Report

__all__ = ["FaceRecord", "same_count"]


@dataclass(frozen=True, eq=False)
class FaceRecord:
    """One annotated face.

    Parameters
    ----------
    image : Path
        The picture.
    name : str
        The picture's name as the annotation gives it.
    landmarks : ndarray of float32, shape (n_landmarks, 2)
        In pixels of the picture, 0-based; NaN marks a missing point.
    path : Path
        The file of the annotation.
    line : int or None
        The line of the annotation.
    box : ndarray of float32, shape (4,), optional
        The box that stands with the annotation.
    group : str, optional
        Who is seen.
    """

    image: Path
    name: str
    landmarks: NDArray[np.float32]
    path: Path
    line: int | None = None
    box: NDArray[np.float32] | None = None
    group: str | None = None


def same_count(records: list[FaceRecord], report: Report) -> list[FaceRecord]:
    """Return the faces with as many points as most have; report the others."""
    counts = Counter(len(record.landmarks) for record in records)
    if len(counts) < 2:
        return records
    usual, n_usual = counts.most_common(1)[0]
    for record in records:
        if len(record.landmarks) != usual:
            what = f"{len(record.landmarks)} points, but {n_usual} other faces have {usual}"
            report(Fault(what, record.path, record.line))
    return [record for record in records if len(record.landmarks) == usual]
