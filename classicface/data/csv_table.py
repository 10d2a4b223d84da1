"""Tables of landmarks in CSV: one face a row, the picture's name first."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicface.data._text import (
    check_names,
    format_number,
    parse_number,
    read_rows,
    resolve_picture,
)
from classicface.data.faults import Fault, Report, attempt, stop_at_error
from classicface.data.records import FaceRecord
from classicface.exceptions import DataFormatError
from classicface.persistence import replacing
from classicface.shape.schemes import MAX_LANDMARKS
from classicface.validation import MAX_COORDINATE

__all__ = ["read_csv", "write_csv"]

_BOX = ("box_x0", "box_y0", "box_x1", "box_y1")

_FRAME = re.compile(r"(.+)_[0-9]+\.[A-Za-z]+")


@dataclass(frozen=True)
class _Layout:
    """Which column holds what."""

    points: list[int]
    box: list[int] = field(default_factory=list)
    group: int | None = None
    n_columns: int = 0
    frames: bool = False


def read_csv(path: str | Path, report: Report = stop_at_error) -> list[FaceRecord]:
    """Read a table of landmarks.

    Two layouts are known by their first row:

    - ``image,x0,y0,x1,y1,...`` with, anywhere behind ``image``, optionally ``box_x0``,
      ``box_y0``, ``box_x1``, ``box_y1`` and ``group``;
    - a first cell of any kind, then numbers (``,0,1,2,...``): the cells are x0, y0, x1, y1, ...,
      as in the frames of YouTube Faces; the group is the name without ``_NN.jpg``.

    Coordinates are 0-based; an empty pair of cells is a missing point. A picture is looked for
    beside the table and in the folders beside it.

    Parameters
    ----------
    path : path-like
    report : callable, optional
        Called with each `Fault`; by default the first error is raised.

    Raises
    ------
    DataFormatError
        Names the line at fault.
    """
    path = Path(path)
    rows = read_rows(path)
    line, header = next(rows, (1, []))
    layout = _layout(header, path, line)
    found: dict[str, Path] = {}
    records: list[FaceRecord] = []
    for line, row in rows:
        record = attempt(report, path, _record, row, layout, path, line, found)
        if record is not None:
            records.append(record)
    if not records:
        report(Fault("the table holds no face", path))
    return records


def _layout(header: list[str], path: Path, line: int) -> _Layout:
    if len(header) > 2 * MAX_LANDMARKS + 6:
        raise DataFormatError(f"more columns than {MAX_LANDMARKS} points need", path, line)
    names = [cell.strip().lower() for cell in header]
    if len(names) > 1 and all(name.isascii() and name.isdigit() for name in names[1:]):
        if len(names) % 2 == 0:
            raise DataFormatError(
                f"{len(names) - 1} columns of coordinates; expected pairs of x and y", path, line
            )
        return _Layout(list(range(1, len(names))), n_columns=len(names), frames=True)
    place = {name: i for i, name in enumerate(names)}
    n_points = sum(re.fullmatch("x[0-9]+", name) is not None for name in names)
    wanted = ["image", *(f"{axis}{i}" for i in range(n_points) for axis in "xy")]
    box = list(_BOX) if "box_x0" in place else []
    known = {*wanted, *box, "group"}
    odd = [name for i, name in enumerate(names) if name not in known or place[name] != i]
    missing = [name for name in [*wanted, *box] if name not in place]
    if not 0 < n_points <= MAX_LANDMARKS or names[0] != "image" or odd or missing:
        about = f"; unexpected {odd[0][:40]!r}" if odd else ""
        about += f"; no column {missing[0]!r}" if missing else ""
        raise DataFormatError(
            "the first row must be image, x0, y0, x1, y1, ... (and optionally box_x0, box_y0,"
            f" box_x1, box_y1, group), or an empty cell and numbers{about}",
            path,
            line,
        )
    points = [place[name] for name in wanted[1:]]
    return _Layout(points, [place[name] for name in box], place.get("group"), len(names))


def _record(
    row: list[str], layout: _Layout, path: Path, line: int, found: dict[str, Path]
) -> FaceRecord:
    if len(row) != layout.n_columns:
        raise DataFormatError(
            f"{len(row)} cells; expected {layout.n_columns} as in the first row", path, line
        )
    name = row[0].strip()
    landmarks = _numbers(row, layout.points, path, line).reshape(-1, 2)
    if np.isnan(landmarks).any():
        half = np.isnan(landmarks).sum(axis=1) == 1
        if half.any():
            what = f"point {int(np.argmax(half))} has one coordinate and not the other"
            raise DataFormatError(what, path, line)
    box = None
    if layout.box and any(row[i].strip() for i in layout.box):
        box = _numbers(row, layout.box, path, line)
        if not (box[2] > box[0] and box[3] > box[1]):
            raise DataFormatError("the box is empty; expected x0 < x1 and y0 < y1", path, line)
    image = resolve_picture(path.parent, name, found) if name else None
    if image is None:
        raise DataFormatError(
            f"no picture {name[:100]!r} beside the table or in a folder beside it", path, line
        )
    group = None if layout.group is None else row[layout.group].strip() or None
    if layout.frames:
        frame = _FRAME.fullmatch(Path(name).name)
        group = frame[1] if frame else None
    return FaceRecord(image, name, landmarks, path, line, box, group)


def _numbers(row: list[str], columns: Sequence[int], path: Path, line: int) -> NDArray[np.float32]:
    try:
        values = [float(row[i]) for i in columns]
        if all(abs(value) <= MAX_COORDINATE for value in values):  # NaN fails too
            return np.array(values, np.float32)
    except ValueError:
        pass  # the slower way finds the cell
    result = np.full(len(columns), np.nan, np.float32)
    for place, i in enumerate(columns):
        if row[i].strip():
            value = parse_number(row[i])
            if value is None:
                raise DataFormatError(
                    f"column {i + 1}: {row[i].strip()[:40]!r} is not a finite number within"
                    f" ±{MAX_COORDINATE:.0f}",
                    path,
                    line,
                )
            result[place] = value
    return result


def write_csv(
    path: str | Path,
    images: Sequence[str],
    landmarks: NDArray[np.floating],
    boxes: NDArray[np.floating] | None = None,
    groups: Sequence[str | None] | None = None,
) -> None:
    """Write a table of landmarks.

    Parameters
    ----------
    path : path-like
    images : sequence of str
        The pictures' names, relative to the table's folder.
    landmarks : ndarray, shape (n, n_landmarks, 2)
        NaN marks a missing point.
    boxes : ndarray, shape (n, 4), optional
        Landmark boxes.
    groups : sequence of str or None, optional

    Raises
    ------
    DataFormatError
        A name that a table cannot hold, or the file cannot be written.
    """
    check_names([*images, *(groups or [])], path)
    n_landmarks = landmarks.shape[1]
    header = ["image", *(f"{axis}{i}" for i in range(n_landmarks) for axis in "xy")]
    header += list(_BOX) if boxes is not None else []
    header += ["group"] if groups is not None else []
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for i, name in enumerate(images):
            numbers = [*landmarks[i].ravel(), *([] if boxes is None else boxes[i])]
            cells = ["" if math.isnan(value) else format_number(value) for value in numbers]
            writer.writerow([name, *cells, *([] if groups is None else [groups[i] or ""])])
