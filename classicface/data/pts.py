"""The .pts format of iBUG and menpo: one face a file, coordinates 1-based on disk."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.data._text import format_number, parse_number, read_lines
from classicface.data.faults import Fault, Report, attempt, stop_at_error
from classicface.data.records import FaceRecord, same_count
from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.image.io import list_images
from classicface.persistence import replacing
from classicface.shape.schemes import MAX_LANDMARKS
from classicface.validation import check_landmarks

__all__ = ["read_folder", "read_pts", "write_pts"]

MAX_PTS_BYTES = 1 << 20

_HEADER = re.compile(r"(version|n_points)\s*:\s*(.*)")


def read_pts(path: str | Path, n_landmarks: int | None = None) -> NDArray[np.float32]:
    """Read the landmarks of one face.

    The header (``version: 1``, ``n_points: 68``, ``{`` ... ``}``) may be absent: then every line
    holds a point.

    Parameters
    ----------
    path : path-like
    n_landmarks : int, optional
        The number of points that is expected.

    Returns
    -------
    ndarray of float32, shape (n_landmarks, 2)
        (x, y), 0-based.

    Raises
    ------
    DataFormatError
        Names the line at fault.
    """
    path = Path(path)
    points: list[tuple[float, float]] = []
    declared: int | None = None
    state = "head"  # head -> body -> closed; "bare" where there is no header
    number = 0
    for number, line in enumerate(read_lines(path, MAX_PTS_BYTES), 1):
        text = line.strip()
        header = _HEADER.fullmatch(text) if state == "head" else None
        if not text:
            continue
        if header is not None:
            if header[1] == "n_points":
                declared = _count(header[2], path, number)
        elif state == "head" and text == "{":
            state = "body"
        elif state == "head" and declared is not None:
            raise DataFormatError(f"expected '{{', found {text[:40]!r}", path, number)
        elif state == "body" and text == "}":
            state = "closed"
        elif state == "closed":
            raise DataFormatError(f"{text[:40]!r} after the closing '}}'", path, number)
        else:
            state = "bare" if state == "head" else state
            points.append(_point(text, path, number))
    if state == "body":
        raise DataFormatError("the closing '}' is missing", path, number)
    if declared is not None and declared != len(points):
        raise DataFormatError(f"n_points is {declared}, but there are {len(points)}", path, number)
    if not points:
        raise DataFormatError("there are no points", path)
    if n_landmarks is not None and n_landmarks != len(points):
        raise DataFormatError(f"{len(points)} points; expected {n_landmarks}", path)
    return (np.array(points) - 1).astype(np.float32)


def _count(text: str, path: Path, line: int) -> int:
    value = parse_number(text)
    if value is None or value != int(value) or not 1 <= value <= MAX_LANDMARKS:
        raise DataFormatError(
            f"n_points is {text[:40]!r}; expected a number from 1 to {MAX_LANDMARKS}", path, line
        )
    return int(value)


def _point(text: str, path: Path, line: int) -> tuple[float, float]:
    cells = text.split()
    numbers = [parse_number(cell) for cell in cells[:2]]
    if len(cells) != 2 or numbers[0] is None or numbers[1] is None:
        raise DataFormatError(f"expected two numbers, x and y; found {text[:40]!r}", path, line)
    return numbers[0], numbers[1]


def write_pts(path: str | Path, landmarks: ArrayLike) -> None:
    """Write the landmarks of one face, shape (n_landmarks, 2), 0-based; the file is 1-based.

    Raises
    ------
    InvalidInputError
        Not landmarks of one face.
    DataFormatError
        A point is missing, which the format cannot hold, or the file cannot be written.
    """
    points = check_landmarks(landmarks).astype(np.float64)
    if points.ndim != 2:
        raise InvalidInputError(f"a .pts file holds one face; landmarks have shape {points.shape}")
    missing = np.isnan(points).any(axis=-1)
    if missing.any():
        raise DataFormatError(
            f"point {int(np.argmax(missing))} is missing, which .pts cannot hold;"
            " use .csv, .xml or .npz",
            path,
        )
    lines = [f"{format_number(x + 1)} {format_number(y + 1)}\n" for x, y in points]
    head = f"version: 1\nn_points: {len(lines)}\n{{\n"
    with replacing(path) as partial:
        partial.write_text(head + "".join(lines) + "}\n", encoding="ascii", newline="\n")


def read_folder(folder: str | Path, report: Report = stop_at_error) -> list[FaceRecord]:
    """Read a folder of pictures and .pts files of the same stem, in order of their names.

    Parameters
    ----------
    folder : path-like
    report : callable, optional
        Called with each `Fault`; by default the first error is raised.

    Raises
    ------
    DataFormatError
        The folder cannot be listed or holds no .pts file.
    """
    folder = Path(folder)
    try:
        pictures = list_images(folder)
        files = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
        annotations = [p for p in files if p.suffix.lower() == ".pts"]
        below = [p.name for p in files if p.is_dir() and any(p.glob("*.pts"))]
    except OSError as error:
        raise DataFormatError(f"cannot be listed: {error.strerror}", folder) from None
    if not annotations:
        hint = f"; there are some in {folder / below[0]}" if below else ""
        raise DataFormatError(f"no .pts file beside the pictures{hint}", folder)
    by_stem: dict[str, list[Path]] = {}
    for picture in pictures:
        by_stem.setdefault(picture.stem, []).append(picture)
    records: list[FaceRecord] = []
    for path in annotations:
        image = attempt(report, path, _one_picture, path, by_stem.pop(path.stem, []))
        landmarks = attempt(report, path, read_pts, path)
        if image is not None and landmarks is not None:
            records.append(FaceRecord(image, image.name, landmarks, path))
    for stem in sorted(by_stem):
        report(Fault(f"no {stem}.pts for this picture", by_stem[stem][0], None, "warning"))
    return same_count(records, report)


def _one_picture(path: Path, pictures: list[Path]) -> Path:
    if not pictures:
        raise DataFormatError(f"no picture named {path.stem}.jpg, .png, ... beside it", path)
    if len(pictures) > 1:
        names = " and ".join(p.name for p in pictures)
        raise DataFormatError(f"it is not clear to which picture it belongs: {names}", path)
    return pictures[0]
