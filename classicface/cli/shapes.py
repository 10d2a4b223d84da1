"""What the commands about shape models share: reading shapes and shape models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classicface.cli import common
from classicface.data.arrays import read_npz
from classicface.data.faults import Fault, Report, stop_at_error
from classicface.data.loading import read_records, with_points
from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.persistence import read_model
from classicface.registry import model_path
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.schemes import LandmarkScheme, get_scheme

__all__ = ["ShapeModelFile", "load_shape_model", "parse_components", "read_shapes"]


class ShapeModelFile(NamedTuple):
    """The shape model of a model file, and what the file says of it."""

    model: PointDistributionModel
    scheme: LandmarkScheme
    provenance: dict[str, Any]


def load_shape_model(model: str | Path) -> ShapeModelFile:
    """Read the shape model of a model file, or of a bundled model that has one.

    Raises
    ------
    ModelFormatError
        There is no such file, or no shape model in it.
    """
    path = model_path(model)
    found = PointDistributionModel.load(path)
    header, _ = read_model(path)
    scheme = LandmarkScheme.from_dict(header["scheme"])
    return ShapeModelFile(found, scheme, dict(header.get("provenance") or {}))


def parse_components(text: str) -> int | float | None:
    """Return the number of components in ``30``, ``0.98`` or ``all``.

    Raises
    ------
    InvalidInputError
    """
    if text == "all":
        return None
    try:
        number = int(text) if text.isdecimal() else float(text)
    except ValueError:
        number = -1
    if isinstance(number, float) and 0 < number <= 1:
        return number
    if isinstance(number, int) and 0 <= number <= 1_000_000:
        return number
    raise InvalidInputError(
        f"--components {text!r}; expected a count such as 30, a share of the variance such as 0.98,"
        " or all"
    )


def read_shapes(
    paths: list[Path], scheme: str | None, *, skip_faulty: bool = False
) -> tuple[NDArray[np.float32], LandmarkScheme]:
    """Read the landmarks of annotated faces from one or several places, without the pictures.

    Returns
    -------
    landmarks : ndarray of float32, shape (n, n_landmarks, 2)
    scheme : LandmarkScheme

    Raises
    ------
    DataFormatError, InvalidInputError
        Faulty data, no face, faces that do not have the points of one scheme.
    """
    faults: list[Fault] = []

    def skip(fault: Fault) -> None:
        common.say(str(fault))
        if fault.severity == "error":
            faults.append(fault)

    report: Report = skip if skip_faulty else stop_at_error
    given = None if scheme is None else get_scheme(scheme)
    parts: list[NDArray[np.float32]] = []
    for path in paths:
        landmarks, own = _landmarks_of(path, report)
        chosen = given or own or get_scheme(landmarks.shape[1])
        if landmarks.shape[1] != chosen.n_landmarks:
            raise DataFormatError(
                f"{landmarks.shape[1]} points a face, but scheme {chosen.name} has"
                f" {chosen.n_landmarks}",
                path,
            )
        given = chosen
        parts.append(landmarks)
    assert given is not None
    if faults:
        common.say(f"left out {common.count(len(faults), 'faulty face')}")
    return np.concatenate(parts), given


def _landmarks_of(path: Path, report: Report) -> tuple[NDArray[np.float32], LandmarkScheme | None]:
    """Return the landmarks of one place, and their scheme where the file says it."""
    if path.suffix.lower() == ".npz" and not path.is_dir():
        dataset = read_npz(path)
        return dataset.landmarks, dataset.scheme
    records = with_points(read_records(path, report), report)
    if not records:
        raise DataFormatError("holds no face that can be read", path)
    return np.stack([record.landmarks for record in records]), None
