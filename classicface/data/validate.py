"""Finding every fault of a data set at once, where loading would stop at the first."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicface.data.arrays import read_npz
from classicface.data.faults import Fault, attempt
from classicface.data.loading import landmark_boxes, read_records, with_points
from classicface.data.records import FaceRecord
from classicface.exceptions import DataFormatError
from classicface.image.io import read_image
from classicface.shape.boxes import iou, landmark_box
from classicface.shape.schemes import get_scheme

__all__ = ["validate"]

#: Two faces of one picture whose boxes overlap more than this are taken for one face twice.
SAME_FACE = 0.8

_Picture = tuple[list[FaceRecord], Callable[[], NDArray[np.uint8]]]


def validate(
    path: str | Path, *, progress: Callable[[float, str], None] | None = None
) -> list[Fault]:
    """Find every fault of a data set.

    Looked for are: files that cannot be read, wrong numbers of points, values that are no
    numbers, missing pictures, pictures without annotation, missing or empty boxes, points that
    all coincide or lie outside the picture, the same picture or the same face twice.

    Parameters
    ----------
    path : path-like
        What `classicface.load_dataset` takes.
    progress : callable, optional
        Called with the fraction done and a short text.

    Returns
    -------
    list of Fault
        By file and line; none where all is well. With ``severity`` "error" the face, or the
        file, cannot be used.
    """
    path = Path(path)
    faults: list[Fault] = []
    try:
        pictures = _archived(path) if _is_npz(path) else _annotated(path, faults)
        _check_pictures(pictures, faults, progress)
    except DataFormatError as error:
        faults.append(Fault.from_error(error, path))
    return sorted(faults, key=lambda fault: (str(fault.path), fault.line or 0))


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz" and not path.is_dir()


def _annotated(path: Path, faults: list[Fault]) -> list[_Picture]:
    records = with_points(read_records(path, faults.append), faults.append)
    by_picture: dict[Path, list[FaceRecord]] = {}
    for record in records:
        by_picture.setdefault(record.image, []).append(record)
    if records:
        scheme = get_scheme(len(records[0].landmarks))
        attempt(faults.append, path, landmark_boxes, records, path, "auto", scheme, faults.append)
    return [(faces, partial(read_image, picture)) for picture, faces in by_picture.items()]


def _archived(path: Path) -> list[_Picture]:
    dataset = read_npz(path)
    pictures: list[_Picture] = []
    for i, name in enumerate(dataset.names):
        record = FaceRecord(Path(name), f"{name} (face {i})", dataset.landmarks[i], path)
        pictures.append(([record], partial(np.asarray, dataset.images[i])))
    return pictures


def _check_pictures(
    pictures: list[_Picture],
    faults: list[Fault],
    progress: Callable[[float, str], None] | None,
) -> None:
    seen: dict[bytes, FaceRecord] = {}

    def work(picture: _Picture) -> tuple[bytes, list[Fault]]:
        records, read = picture
        try:
            image = read()
        except DataFormatError as error:
            return b"", [Fault.from_error(error, records[0].image)]
        digest = hashlib.blake2b(repr(image.shape).encode(), digest_size=16)
        digest.update(image.tobytes())
        return digest.digest(), _check_faces(records, image)

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for n_done, (digest, found) in enumerate(pool.map(work, pictures), 1):
            faults += found
            record = pictures[n_done - 1][0][0]
            first = seen.setdefault(digest, record) if digest else record
            if first is not record:
                what = f"{record.name} is the same picture as {first.name}"
                faults.append(Fault(what, record.path, record.line, "warning"))
            if progress is not None:
                progress(n_done / len(pictures), f"{n_done} of {len(pictures)} pictures")


def _check_faces(records: list[FaceRecord], image: NDArray[np.uint8]) -> list[Fault]:
    """Find points outside their picture, and faces annotated twice."""
    height, width = image.shape
    faults = []
    for record in records:
        points = record.landmarks[~np.isnan(record.landmarks).any(axis=1)]
        outside = ((points < -0.5) | (points >= [width - 0.5, height - 0.5])).any(axis=1)
        if len(points) and outside.all():
            what = f"{record.name}: the whole face lies outside the picture of {width} x {height}"
            faults.append(Fault(what, record.path, record.line))
        elif outside.any():
            what = f"{record.name}: {outside.sum()} of {len(points)} points lie outside the picture"
            faults.append(Fault(what, record.path, record.line, "warning"))
    boxes = landmark_box(np.stack([record.landmarks for record in records]))
    for i, j in np.argwhere(np.triu(iou(boxes, boxes) > SAME_FACE, 1)):
        first, again = records[i], records[j]
        line = "" if first.line is None else f" (line {first.line})"
        what = f"{again.name}: the same face again{line}"
        faults.append(Fault(what, again.path, again.line, "warning"))
    return faults
