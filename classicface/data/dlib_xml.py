"""The XML of dlib's imglab: pictures, boxes, named parts, in whole pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from classicface.data._text import MAX_TABLE_BYTES, check_names, is_file, parse_number
from classicface.data.faults import Fault, Report, attempt, stop_at_error
from classicface.data.records import FaceRecord
from classicface.exceptions import DataFormatError
from classicface.persistence import replacing
from classicface.shape.schemes import MAX_LANDMARKS

__all__ = ["XmlBox", "parse_dlib_xml", "read_dlib_xml", "write_dlib_xml"]

#: Boxes times parts of one file, missing ones counted: 100 million.
MAX_POINTS = 100_000_000

#: Longest tag or comment, in bytes.
MAX_TOKEN = 1 << 20


@dataclass(eq=False)
class XmlBox:
    """One box of an imglab file.

    Parameters
    ----------
    file : str
        The picture, as the file names it.
    line : int
    box : tuple of float
        x0, y0, x1, y1: the centres of the corner pixels, so x1 is left + width - 1.
    parts : dict of str to (float, float)
    ignore : bool
        Whether the box is marked as one to be ignored.
    attributes : dict of str to str
        All that stands with the box: top, left, ..., and occluded, difficult, ... if any.
    """

    file: str
    line: int
    box: tuple[float, float, float, float]
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    ignore: bool = False
    attributes: dict[str, str] = field(default_factory=dict)


class _Handler:
    """Collects the boxes of one file while expat reads it."""

    def __init__(self, path: Path, report: Report) -> None:
        self.path = path
        self.report = report
        self.boxes: list[XmlBox] = []
        self.part_names: set[str] = set()
        self.image: str | None = None
        self.current: XmlBox | None = None
        self.depth = 0
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.EntityDeclHandler = self.refuse

    def refuse(self, *_: object) -> None:
        raise DataFormatError(
            "a document type or entity is declared, which imglab files never do; refused",
            self.path,
            self.parser.CurrentLineNumber,
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        self.depth += 1
        if self.depth == 1 and tag != "dataset":
            what = f"the outermost element is <{tag[:40]}>; expected imglab's <dataset>"
            raise DataFormatError(what, self.path, line)
        if self.depth > 100:
            raise DataFormatError("elements are nested too deep", self.path, line)
        if tag == "image":
            self.image = attributes.get("file", "")
            if not self.image:
                self.report(Fault("<image> without file=...", self.path, line))
        elif tag == "box" and self.image:
            self.current = attempt(self.report, self.path, self._box, attributes, line)
            if self.current is not None:
                self.boxes.append(self.current)
        elif tag == "part" and self.current is not None:
            if not attempt(self.report, self.path, self._part, self.current, attributes, line):
                self.boxes.pop()  # the face at fault
                self.current = None
            if len(self.part_names) > MAX_LANDMARKS:
                raise DataFormatError(f"more than {MAX_LANDMARKS} part names", self.path, line)

    def end(self, tag: str) -> None:
        self.depth -= 1
        if tag == "box":
            self.current = None
        elif tag == "image":
            self.image = None

    def _number(self, attributes: dict[str, str], name: str, what: str, line: int) -> float:
        text = attributes.get(name)
        if text is None:
            raise DataFormatError(f"{what} without {name}=...", self.path, line)
        value = parse_number(text)
        if value is None:
            raise DataFormatError(
                f"{what}: {name} is {text[:40]!r}; expected a number", self.path, line
            )
        return value

    def _box(self, attributes: dict[str, str], line: int) -> XmlBox:
        left, top, width, height = (
            self._number(attributes, name, "<box>", line)
            for name in ("left", "top", "width", "height")
        )
        if width <= 1 or height <= 1:
            what = f"<box> of {width:g} x {height:g} pixels is empty"
            raise DataFormatError(what, self.path, line)
        corners = (left, top, left + width - 1, top + height - 1)
        ignore = attributes.get("ignore", "0").strip().lower() in ("1", "true")
        return XmlBox(self.image or "", line, corners, {}, ignore, attributes)

    def _part(self, box: XmlBox, attributes: dict[str, str], line: int) -> bool:
        name = attributes.get("name", "")
        if not 0 < len(name) <= 100:
            raise DataFormatError("<part> needs a name of 1 to 100 characters", self.path, line)
        if name in box.parts:
            raise DataFormatError(f"a second <part> {name!r} in one box", self.path, line)
        x = self._number(attributes, "x", f"<part> {name}", line)
        box.parts[name] = (x, self._number(attributes, "y", f"<part> {name}", line))
        self.part_names.add(name)
        return True


def parse_dlib_xml(
    path: str | Path, report: Report = stop_at_error
) -> tuple[list[XmlBox], list[str]]:
    """Read the boxes of an imglab file as they stand.

    Nothing outside the file is read; document types and entities are refused.

    Returns
    -------
    boxes : list of XmlBox
    part_names : list of str
        Sorted: as numbers where all are, else as text (the order of dlib's own models; the two
        agree for names of equal length such as 00 to 67).

    Raises
    ------
    DataFormatError
        The file cannot be read, is too large, or is not XML.
    """
    path = Path(path)
    handler = _Handler(path, report)
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise DataFormatError(f"larger than {MAX_TABLE_BYTES >> 20} MiB; refused", path)
        with path.open("rb") as stream:
            _feed(handler.parser, stream, path)
    except OSError as error:
        raise DataFormatError(f"cannot be read: {error.strerror}", path) from None
    except expat.ExpatError as error:
        raise DataFormatError(
            f"not XML: {expat.ErrorString(error.code)}", path, error.lineno
        ) from None
    except (ValueError, LookupError) as error:
        if isinstance(error, DataFormatError):
            raise
        line = handler.parser.CurrentLineNumber
        raise DataFormatError(f"not XML that can be read: {error}", path, line) from None
    names = handler.part_names
    numeric = all(name.isascii() and name.isdigit() for name in names)
    return handler.boxes, sorted(names, key=(lambda name: (int(name), name)) if numeric else None)


def _feed(parser: expat.XMLParserType, stream: BinaryIO, path: Path) -> None:
    fed = 0
    while chunk := stream.read(1 << 16):
        parser.Parse(chunk, False)
        fed += len(chunk)
        if fed - max(parser.CurrentByteIndex, 0) > MAX_TOKEN:
            what = f"a tag or comment longer than {MAX_TOKEN >> 10} KiB"
            raise DataFormatError(what, path, parser.CurrentLineNumber)
    parser.Parse(b"", True)


def read_dlib_xml(path: str | Path, report: Report = stop_at_error) -> list[FaceRecord]:
    """Read the faces of an imglab file; boxes to be ignored are left out, as those without parts.

    Parameters
    ----------
    path : path-like
        Pictures are named relative to its folder.
    report : callable, optional
        Called with each `Fault`; by default the first error is raised.

    Returns
    -------
    list of FaceRecord
        A part that a box has not, and others have, is NaN.

    Raises
    ------
    DataFormatError
        Names the line at fault.
    """
    path = Path(path)
    boxes, names = parse_dlib_xml(path, report)
    faces = [box for box in boxes if box.parts and not box.ignore]
    for box in boxes:
        if not box.parts and not box.ignore:
            report(Fault("a box without parts is left out", path, box.line, "warning"))
    if len(faces) * len(names) > MAX_POINTS:
        raise DataFormatError(f"{len(faces)} boxes with {len(names)} part names: too many", path)
    if not faces:
        report(Fault("the file holds no box with parts", path))
    place = {name: i for i, name in enumerate(names)}
    records = []
    for face in faces:
        image = path.parent / face.file
        if not is_file(image):
            report(Fault(f"no picture {face.file[:100]!r}", path, face.line))
            continue
        landmarks = np.full((len(names), 2), np.nan, np.float32)
        for name, point in face.parts.items():
            landmarks[place[name]] = point
        corners = np.array(face.box, np.float32)
        records.append(FaceRecord(image, face.file, landmarks, path, face.line, corners))
    return records


def write_dlib_xml(
    path: str | Path,
    images: Sequence[str],
    landmarks: NDArray[np.floating],
    boxes: NDArray[np.floating],
    comment: str = "",
) -> None:
    """Write an imglab file that dlib's tools can train on.

    dlib reads whole pixels only, so points are rounded, and boxes outward.

    Parameters
    ----------
    path : path-like
    images : sequence of str
        The pictures' names, relative to the file's folder; equal ones that follow each other
        share an ``<image>``.
    landmarks : ndarray, shape (n, n_landmarks, 2)
        Missing points (NaN) get no part.
    boxes : ndarray, shape (n, 4)
    comment : str, optional

    Raises
    ------
    DataFormatError
        A name that XML cannot hold, or the file cannot be written.
    """
    check_names([*images, comment], path)
    digits = max(2, len(str(landmarks.shape[1] - 1)))
    low = np.floor(boxes[:, :2]).astype(int)
    size = np.maximum(np.ceil(boxes[:, 2:]).astype(int) - low + 1, 2)
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("<?xml version='1.0' encoding='UTF-8'?>\n<dataset>\n<name>faces</name>\n")
        stream.write(f"<comment>{escape(comment)}</comment>\n<images>\n")
        for i, name in enumerate(images):
            if i == 0 or name != images[i - 1]:
                stream.write(f"  <image file={quoteattr(name)}>\n")
            stream.write(
                f"    <box top='{low[i, 1]}' left='{low[i, 0]}' width='{size[i, 0]}'"
                f" height='{size[i, 1]}'>\n"
            )
            for j, (x, y) in enumerate(landmarks[i]):
                if not np.isnan(x):
                    part = f"      <part name='{j:0{digits}}' x='{round(x)}' y='{round(y)}'/>\n"
                    stream.write(part)
            stream.write("    </box>\n")
            if i + 1 == len(images) or name != images[i + 1]:
                stream.write("  </image>\n")
        stream.write("</images>\n</dataset>\n")
