"""What load_dataset does: read annotations, map boxes, cut the faces out of the pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicface.data.arrays import read_npz
from classicface.data.boxes_csv import read_boxes
from classicface.data.crop import crop_face
from classicface.data.csv_table import read_csv
from classicface.data.dataset import LandmarkDataset, tight_boxes
from classicface.data.dlib_xml import read_dlib_xml
from classicface.data.faults import Fault, Report, stop_at_error
from classicface.data.pts import read_folder
from classicface.data.records import FaceRecord
from classicface.exceptions import ClassicFaceError, DataFormatError, InvalidInputError
from classicface.image.io import list_images, read_image
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import IDENTITY, BoxMap
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_integer, check_number

__all__ = ["load", "read_records"]

logger = logging.getLogger(__name__)

#: The scheme on whose landmarks BOX_MAPS was measured.
_MEASURED_ON = "ibug68"

_Face = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32], tuple[float, ...]]


def load(
    path: str | Path,
    *,
    boxes: str | Path | BoxMap,
    margin: float,
    max_side: int,
    scheme: LandmarkScheme | str | Path | None,
    on_error: str,
    progress: Callable[[float, str], None] | None,
) -> LandmarkDataset:
    """Do the work of `classicface.load_dataset`."""
    path = Path(path)
    margin = check_number(margin, "margin", 0, 10)
    max_side = check_integer(max_side, "max_side", 16, 65536)
    chosen = None if scheme is None else get_scheme(scheme)
    if on_error not in ("raise", "skip"):
        raise InvalidInputError(f"on_error is {on_error!r}; expected 'raise' or 'skip'")
    if path.suffix.lower() == ".npz" and not path.is_dir():
        return _from_npz(path, boxes, chosen)
    errors: list[Fault] = []

    def skip(fault: Fault) -> None:
        logger.warning("%s", fault)
        if fault.severity == "error":
            errors.append(fault)

    report = stop_at_error if on_error == "raise" else skip
    records = with_points(read_records(path, report), report)
    if not records:
        raise DataFormatError("holds no face that can be read", path)
    n_landmarks = len(records[0].landmarks)
    chosen = get_scheme(n_landmarks) if chosen is None else chosen
    if chosen.n_landmarks != n_landmarks:
        raise DataFormatError(
            f"{n_landmarks} points a face, but scheme {chosen.name} has {chosen.n_landmarks};"
            " load it without, then convert",
            path,
        )
    records, given = landmark_boxes(records, path, boxes, chosen, report)
    faces = _read_faces(records, given, margin, max_side, report, progress)
    kept = [(face, record) for face, record in zip(faces, records, strict=True) if face is not None]
    if not kept:
        raise DataFormatError("holds no face that can be read", path)
    return LandmarkDataset(
        [face[0] for face, _ in kept],
        np.stack([face[1] for face, _ in kept]),
        np.stack([face[2] for face, _ in kept]),
        [record.name for _, record in kept],
        [record.group for _, record in kept],
        chosen,
        np.array([face[3] for face, _ in kept]),
        len(errors),
    )


def read_records(path: Path, report: Report = stop_at_error) -> list[FaceRecord]:
    """Read the annotations of a folder, an imglab .xml or a .csv, without their pictures."""
    if path.is_dir():
        return read_folder(path, report)
    suffix = path.suffix.lower()
    if suffix == ".xml":
        return read_dlib_xml(path, report)
    if suffix == ".csv":
        return read_csv(path, report)
    if not path.exists():
        raise DataFormatError("no such file or folder", path)
    raise DataFormatError(
        "unknown kind of data; expected a folder of pictures and .pts files, .xml, .csv or .npz",
        path,
    )


def with_points(records: list[FaceRecord], report: Report) -> list[FaceRecord]:
    """Return the faces whose points span an area; report those that cannot be one."""
    kept = []
    for record in records:
        points = record.landmarks[~np.isnan(record.landmarks).any(axis=1)]
        if len(points) == 0:
            report(Fault("all points are missing", record.path, record.line))
        elif np.ptp(points, axis=0).max() <= 0:
            report(Fault("all points coincide", record.path, record.line))
        else:
            kept.append(record)
    return kept


def landmark_boxes(
    records: list[FaceRecord],
    path: Path,
    boxes: str | Path | BoxMap,
    scheme: LandmarkScheme,
    report: Report,
) -> tuple[list[FaceRecord], NDArray[np.float32]]:
    """Return the faces that have a box, and their landmark boxes in pixels of the pictures."""
    tight = tight_boxes(np.stack([record.landmarks for record in records]))
    if isinstance(boxes, str) and boxes == "landmarks":
        return records, tight
    if isinstance(boxes, BoxMap) or (isinstance(boxes, str) and boxes in BOX_MAPS):
        source = boxes if isinstance(boxes, str) else ""
        found = [(record.box, source) for record in records]
        return _mapped(records, found, tight, scheme, report, boxes)
    table = path / "boxes.csv"
    if boxes == "auto" and not (path.is_dir() and table.is_file()):
        for i, record in enumerate(records):
            if record.box is not None and path.suffix.lower() == ".csv":
                tight[i] = record.box
        return records, tight
    if boxes != "auto":
        table = Path(boxes)
        if not table.is_file():
            raise InvalidInputError(
                f"boxes is {str(boxes)!r}; expected 'auto', 'landmarks', a file, a BoxMap or one of"
                f" {', '.join(sorted(set(BOX_MAPS) - {'landmarks'}))}"
            )
    pictures = [picture.name for picture in list_images(path)] if path.is_dir() else None
    rows = read_boxes(table, pictures, report)
    found = [
        (rows[record.name].box, rows[record.name].source) if record.name in rows else (None, "")
        for record in records
    ]
    return _mapped(records, found, tight, scheme, report, None)


def _mapped(
    records: list[FaceRecord],
    found: Sequence[tuple[NDArray[np.float32] | None, str]],
    tight: NDArray[np.float32],
    scheme: LandmarkScheme,
    report: Report,
    box_map: BoxMap | str | None,
) -> tuple[list[FaceRecord], NDArray[np.float32]]:
    """Take the boxes of each source to landmark boxes, and leave out the faces without one."""
    for record, (box, _) in zip(records, found, strict=True):
        if box is None:
            report(Fault(f"no box for {record.name[:100]}", record.path, record.line))
    has = np.array([box is not None for box, _ in found], bool)
    sources = np.array([source for _, source in found])
    raw = np.array([tight[i] if box is None else box for i, (box, _) in enumerate(found)])
    result = raw.copy()
    for source in dict.fromkeys(sources[has].tolist()):
        chosen = has & (sources == source)
        used = box_map if isinstance(box_map, BoxMap) else BOX_MAPS[source]
        if used is IDENTITY:
            continue
        if not isinstance(box_map, BoxMap) and scheme.name != _MEASURED_ON:
            used = BoxMap.fit(raw[chosen], tight[chosen])
        result[chosen] = used.apply(raw[chosen])
    return [r for r, kept in zip(records, has, strict=True) if kept], result[has]


def _read_faces(
    records: list[FaceRecord],
    boxes: NDArray[np.float32],
    margin: float,
    max_side: int,
    report: Report,
    progress: Callable[[float, str], None] | None,
) -> list[_Face | None]:
    """Read each picture once and cut its faces out; None where that failed."""
    by_picture: dict[Path, list[int]] = {}
    for i, record in enumerate(records):
        by_picture.setdefault(record.image, []).append(i)

    def work(item: tuple[Path, list[int]]) -> list[tuple[int, _Face | Fault]]:
        picture, faces = item
        try:
            image = read_image(picture)
        except DataFormatError as error:
            return [(i, Fault.from_error(error, picture)) for i in faces]
        return [(i, cut(image, i)) for i in faces]

    def cut(image: NDArray[np.uint8], i: int) -> _Face | Fault:
        try:
            return crop_face(image, records[i].landmarks, boxes[i], margin, max_side)
        except ClassicFaceError as error:
            return Fault(str(error), records[i].path, records[i].line)

    result: list[_Face | None] = [None] * len(records)
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    try:
        for n_done, faces in enumerate(pool.map(work, by_picture.items()), 1):
            for i, face in faces:
                if isinstance(face, Fault):
                    report(face)
                else:
                    result[i] = face
            if progress is not None:
                progress(n_done / len(by_picture), f"{n_done} of {len(by_picture)} pictures")
    finally:
        pool.shutdown(cancel_futures=True)
    return result


def _from_npz(
    path: Path, boxes: str | Path | BoxMap, scheme: LandmarkScheme | None
) -> LandmarkDataset:
    dataset = read_npz(path)
    if boxes not in ("auto", "landmarks"):
        raise InvalidInputError(f"boxes is {str(boxes)!r}; for an .npz: 'auto' or 'landmarks'")
    if scheme is None and boxes == "auto":
        return dataset
    return LandmarkDataset(
        dataset.images,
        dataset.landmarks,
        dataset.boxes if boxes == "auto" else None,
        dataset.names,
        dataset.groups,
        scheme or dataset.scheme,
        dataset.origins,
    )
