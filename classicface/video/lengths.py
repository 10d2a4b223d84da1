"""How long a file says that it is: what tells that its end is missing, whatever it holds."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["missing_bytes"]

EBML = b"\x1aE\xdf\xa3"
SEGMENT = b"\x18S\x80g"

#: Parts of an AVI file are walked through up to this many; each holds a gigabyte or two.
MAX_PARTS = 1000


def missing_bytes(path: Path) -> int:
    """Return how many bytes a Matroska, WebM or AVI file lacks to the length in its header.

    0 where nothing is missing, where the header says nothing, and for other formats.

    Raises
    ------
    OSError
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head == EBML:
            end = _matroska_end(file)
        elif head == b"RIFF":
            end = _avi_end(file, size)
        else:
            end = 0
    return max(0, end - size)


def _matroska_end(file: BinaryIO) -> int:
    """Return where the segment ends, 0 where it does not say."""
    file.seek(4)
    length = _read_size(file)
    if length is None:
        return 0
    file.seek(length, 1)
    if file.read(4) != SEGMENT:
        return 0
    length = _read_size(file)
    return 0 if length is None else file.tell() + length


def _read_size(file: BinaryIO) -> int | None:
    """Return a size as EBML writes it, of one to eight bytes; None for an unknown one."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    n_more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] - (0x80 >> n_more)]) + file.read(n_more), "big")
    unknown = (1 << 7 * (n_more + 1)) - 1
    return None if value >= unknown or value >= 1 << 62 else value


def _avi_end(file: BinaryIO, size: int) -> int:
    """Return where the last part ends; a file of more than a gigabyte has several."""
    end = 0
    for _ in range(MAX_PARTS):
        file.seek(end)
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] not in (b"AVI ", b"AVIX"):
            break
        (length,) = struct.unpack("<I", head[4:8])
        if length in (0, 0xFFFFFFFF):  # recording was broken off before it was filled in
            break
        end += 8 + length + length % 2
        if end >= size:
            break
    return end
