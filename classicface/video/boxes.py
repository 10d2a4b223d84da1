"""A look at the tables of an mp4 file before FFmpeg builds its index of them.

Two tables can claim any number of samples in a few bytes; FFmpeg then takes memory for each.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from classicface.exceptions import DataFormatError

__all__ = ["check_boxes"]

#: So many samples are granted to any file; more of them must each have a byte in it.
FREE_SAMPLES = 1 << 20

#: Tables beyond this are not those of a video: 256 MiB.
MAX_TABLES = 1 << 28

#: Flags of ``trun`` that say that each sample has an entry of its own.
ENTRIES = 0xF00


def check_boxes(path: Path) -> None:
    """Refuse an mp4 file whose tables claim more samples than it can hold; pass any other file.

    Raises
    ------
    DataFormatError
    """
    size = path.stat().st_size
    claimed = 0
    with path.open("rb") as file:
        for table in _tables(file, size):
            if b"cmov" in table:
                raise DataFormatError("has a compressed index (cmov), which is not read", path)
            claimed += sum(_claims(table))
            if claimed > max(FREE_SAMPLES, size):
                raise DataFormatError(
                    f"its tables claim {claimed} samples in a file of {size} bytes: damaged", path
                )


def _tables(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the content of each ``moov`` and ``moof`` box."""
    start = read = 0
    while start + 8 <= size:
        file.seek(start)
        head = file.read(16)
        (length,) = struct.unpack(">I", head[:4])
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        if length == 0:
            length = size - start
        if head[4:8] in (b"moov", b"moof"):
            file.seek(start)
            table = file.read(min(length, MAX_TABLES - read))
            read += len(table)
            yield table
        if length < 8 or read >= MAX_TABLES:
            return
        start += length


def _claims(table: bytes) -> Iterator[int]:
    """Yield the numbers of samples that are claimed without an entry for each."""
    for found in re.finditer(b"stsz|trun", table):
        fields = table[found.end() : found.end() + 12]
        if len(fields) < 12:
            continue
        first, second, third = struct.unpack(">III", fields)
        if found.group() == b"stsz" and second:
            yield third
        elif found.group() == b"trun" and not first & ENTRIES:
            yield second
