"""Reading text files with limits, and numbers strictly."""

from __future__ import annotations

import contextlib
import csv
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from classicface.exceptions import DataFormatError
from classicface.validation import MAX_COORDINATE

__all__ = [
    "check_names",
    "format_number",
    "parse_number",
    "read_lines",
    "read_rows",
    "resolve_picture",
]

#: Tables beyond this are refused before they are read: 512 MiB.
MAX_TABLE_BYTES = 512 << 20

#: Longest line accepted: 10,000 points of two numbers of 50 characters.
MAX_LINE = 1_000_000

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def parse_number(text: str) -> float | None:
    """Return the finite decimal number that a text is, within ±1e6, or None."""
    text = text.strip(" \t\r")
    if len(text) > 50 or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) and abs(value) <= MAX_COORDINATE else None


def format_number(value: float | np.floating) -> str:
    """Return the shortest text that reads back to the same float32."""
    return np.format_float_positional(np.float32(value), unique=True, trim="-")


def check_names(names: Iterable[str | None], path: str | Path) -> None:
    """Refuse names that a text file cannot hold; `path` is the file to be written."""
    for name in names:
        if name is not None and not name.isprintable():
            raise DataFormatError(f"the name {name[:100]!r} has characters no table holds", path)


def read_lines(path: Path, max_bytes: int, max_line: int = MAX_LINE) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file, without their ends.

    Raises
    ------
    DataFormatError
        The file cannot be read, is larger than `max_bytes`, has a line longer than `max_line`
        bytes, or is not text.
    """
    number = 0
    try:
        with path.open("rb") as stream:
            if path.stat().st_size > max_bytes:
                raise DataFormatError(
                    f"larger than {max_bytes >> 10} KiB; refused, this is not landmark data", path
                )
            while line := stream.readline(max_line + 1):
                number += 1
                if len(line) > max_line:
                    raise DataFormatError(f"line longer than {max_line} bytes", path, number)
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if "\0" in text:
                    raise DataFormatError("not a text file (zero byte)", path, number)
                yield text.rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataFormatError("not a text file in UTF-8", path, number) from None
    except (OSError, ValueError) as error:
        if isinstance(error, DataFormatError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise DataFormatError(f"cannot be read: {reason}", path) from None


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row of a CSV file; blank rows are left out."""
    lines = (line + "\n" for line in read_lines(path, MAX_TABLE_BYTES))
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise DataFormatError(f"not CSV: {error}", path, reader.line_num) from None


def is_file(path: Path) -> bool:
    """Return whether a path, which may be any text of a hostile file, is that of a file."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def resolve_picture(folder: Path, name: str, found: dict[str, Path]) -> Path | None:
    """Return where the picture `name` of a table in `folder` lies, or None.

    It is looked for in the folder, then in each of the folder's subfolders, which are listed
    once into `found`.
    """
    if is_file(folder / name):
        return folder / name
    if not found:
        found[""] = folder
        with contextlib.suppress(OSError):
            for file in sorted(folder.glob("*/*")):
                found.setdefault(file.name, file)
    return found.get(name)
