"""boxes.csv: where a face detector saw the face of each picture of a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicface.data._text import parse_number, read_rows
from classicface.data.faults import Fault, Report, attempt, stop_at_error
from classicface.exceptions import DataFormatError
from classicface.shape.box_maps import BOX_MAPS

__all__ = ["DetectedBox", "read_boxes"]

_HEADER = ["image", "x0", "y0", "x1", "y1", "source"]


@dataclass(frozen=True, eq=False)
class DetectedBox:
    """The box of one picture.

    Parameters
    ----------
    box : ndarray of float32, shape (4,)
        x0, y0, x1, y1 in pixels of the picture.
    source : str
        The detector whose convention the box is drawn in; "landmarks" for a landmark box.
    line : int
    """

    box: NDArray[np.float32]
    source: str
    line: int


def read_boxes(
    path: str | Path,
    pictures: Iterable[str] | None = None,
    report: Report = stop_at_error,
) -> dict[str, DetectedBox]:
    """Read a table of boxes: image, x0, y0, x1, y1, source.

    ``source`` is the detector (a name in `classicface.shape.box_maps.BOX_MAPS`). In a table with
    a detector's boxes, rows of the source ``landmarks`` stand for faces that it missed, made from
    their landmarks in its convention; in a table of nothing else they are landmark boxes.

    Parameters
    ----------
    path : path-like
    pictures : iterable of str, optional
        The names of the pictures that there are.
    report : callable, optional
        Called with each `Fault`; by default the first error is raised.

    Returns
    -------
    dict of str to DetectedBox
        By the picture's name.

    Raises
    ------
    DataFormatError
        Names the line at fault.
    """
    path = Path(path)
    rows = read_rows(path)
    line, header = next(rows, (1, []))
    if [cell.strip().lower() for cell in header] != _HEADER:
        raise DataFormatError(f"the first row must be {','.join(_HEADER)}", path, line)
    known = None if pictures is None else set(pictures)
    boxes: dict[str, DetectedBox] = {}
    for line, row in rows:
        name = row[0].strip()
        found = attempt(report, path, _box, row, path, line)
        if found is None:
            continue
        if name in boxes:
            what = f"a second box for {name[:100]}; the first is on line {boxes[name].line}"
            report(Fault(what, path, line))
        elif known is not None and name not in known:
            report(Fault(f"there is no picture {name[:100]!r} beside the table", path, line))
        else:
            boxes[name] = found
    return _one_convention(boxes, path, report)


def _box(row: list[str], path: Path, line: int) -> DetectedBox:
    if len(row) != len(_HEADER):
        raise DataFormatError(f"{len(row)} cells; expected {len(_HEADER)}", path, line)
    values = [parse_number(cell) for cell in row[1:5]]
    for name, text, value in zip(_HEADER[1:5], row[1:5], values, strict=True):
        if value is None:
            raise DataFormatError(f"{name} is {text[:40]!r}; expected a number", path, line)
    box = np.array(values, np.float32)
    if not (box[2] > box[0] and box[3] > box[1]):
        raise DataFormatError("the box is empty; expected x0 < x1 and y0 < y1", path, line)
    source = row[5].strip()
    if source not in BOX_MAPS:
        raise DataFormatError(
            f"unknown source {source[:40]!r}; known are {', '.join(sorted(BOX_MAPS))}", path, line
        )
    return DetectedBox(box, source, line)


def _one_convention(
    boxes: dict[str, DetectedBox], path: Path, report: Report
) -> dict[str, DetectedBox]:
    """Give the rows made from landmarks the convention of the table's one detector."""
    detectors = sorted({found.source for found in boxes.values()} - {"landmarks"})
    if not detectors:
        return boxes
    result = {}
    for name, found in boxes.items():
        if found.source != "landmarks":
            result[name] = found
        elif len(detectors) == 1:
            result[name] = DetectedBox(found.box, detectors[0], found.line)
        else:
            what = f"a box from landmarks among those of {' and '.join(detectors)}: drawn as whose?"
            report(Fault(what, path, found.line))
    return result
