"""Frames of a video file, decoded with PyAV, with every loss noticed that can be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import DataFormatError
from classicface.video.clock import Clock
from classicface.video.containers import (
    MAX_FRAME_PIXELS,
    import_av,
    open_container,
    video_stream,
)
from classicface.video.ledger import Ledger
from classicface.video.lengths import missing_bytes
from classicface.video.promise import Promise
from classicface.video.source import Frame, VideoSource, place

__all__ = ["FileSource"]

#: A file whose first so many pieces of data hold no picture is given up.
MAX_SEARCH = 500

#: Frames a second where the file names no rate, or none that can be.
DEFAULT_FPS = 25.0

DAMAGED = "damaged, and left out"
UNDECODABLE = "cannot be decoded"
MARKED = "cut or marked as damaged in the file, and left out"
EMPTY = "not recorded: the file holds an empty place for it"
BROKEN_OFF = "reading broke off"
RESIZED = "of another size than the first, and left out"
SUSPECT = "sound in itself, but built on frames that are damaged or missing, and may show it"


class FileSource(VideoSource):
    """The pictures of a video file.

    Parameters
    ----------
    path : Path
    fps : float, optional
        Take the frames as evenly spaced, so many a second, in place of the file's own times.
    threads : int
        1 decodes on the caller's thread; more decode several frames at once.

    Raises
    ------
    DataFormatError, MissingDependencyError
        As `open_video`.
    """

    def __init__(self, path: Path, fps: float | None, threads: int) -> None:
        super().__init__()
        self.name = str(path)
        self._path = path
        self._container, self._file = open_container(path)
        if missing := missing_bytes(path):
            self._faults.add(f"the file is cut: its last {missing} bytes are missing")
        try:
            self._prepare(fps, threads)
        except BaseException:
            self.close()
            raise

    def _prepare(self, fps: float | None, threads: int) -> None:
        stream = self._stream = video_stream(self._container, self._path)
        self._codec = stream.codec_context
        self._codec.thread_type = "FRAME"
        self._codec.thread_count = self._threads = threads
        self._codec.flags |= import_av().codec.context.Flags.output_corrupt  # said, not hidden
        checks = "crccheck+bitstream+buffer"
        self._intra_only = bool(self._codec.codec.intra_only)
        if self._intra_only:  # nothing is built on a frame, so one in doubt is better left out
            checks += "+explode"
        self._codec.options = {"err_detect": checks, "max_pixels": str(MAX_FRAME_PIXELS)}

        # One for all frames: setting it up costs as much as its work on one of them.
        self._converter = import_av().video.reformatter.VideoReformatter()

        self._even = fps is not None
        self.fps = fps or _rate(stream)
        self._promise = Promise(self._container, stream, 1 / self.fps)
        self.n_frames = self._promise.n_frames
        self._clock = Clock(1 / self.fps, self._faults)
        self._ledger = Ledger(self._lost)
        self._by_dts = self._container.format.name == "avi"  # AVI knows no times of showing
        self._base: int | None = None
        self._n_frames = 0
        self._broken = False
        self.size = (0, 0)
        self._pictures = self._read()
        first = next(self._pictures, None)
        if first is None:
            raise DataFormatError("not one frame of it can be decoded", self._path)
        self._first: Frame | None = first

    def _frames(self) -> Iterator[Frame]:
        assert self._first is not None
        yield self._first
        self._first = None
        yield from self._pictures

    def _close(self) -> None:
        self._container.close()
        self._file.close()

    def _read(self) -> Iterator[Frame]:
        for packet in self._packets():
            for picture in self._decode(packet):
                frame = self._judge(picture)
                if frame is not None:
                    self._n_frames += 1
                    yield frame
            if self._n_frames == 0 and self._promise.n_data > MAX_SEARCH:
                return
        self._ledger.finish()
        self._promise.check(self._faults)
        self._clock.finish()

    def _packets(self) -> Iterator[Any]:
        """Yield the data of the stream, piece by piece, and None at its end."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            # FFmpeg's errors are of many kinds, and PyAV adds its own.
            except Exception as error:
                self._faults.add(BROKEN_OFF, f"{place(self._ledger.index, None)}, {error}")
                break
            if packet is None or self._closed:
                break
            if packet.size == 0 and packet.dts is None:
                continue  # PyAV's own mark of the end
            self._promise.note(packet)
            if packet.size:
                yield packet
            else:
                self._enter(packet, EMPTY)
        yield None

    def _decode(self, packet: Any) -> list[Any]:
        why = MARKED if packet is not None and packet.is_corrupt else ""
        pictures: list[Any] = []
        try:
            pictures = self._codec.decode(packet)
        except Exception as error:
            text = getattr(error, "strerror", None) or str(error)
            if self._threads == 1:  # else it is the error of some packet before
                why = why or f"{UNDECODABLE} ({text})"
        if packet is not None and not packet.is_discard:
            self._enter(packet, why)
        return pictures

    def _enter(self, packet: Any, why: str) -> None:
        """Tell the ledger of data that went to the decoder, where its stamp can be relied on."""
        stamp = packet.dts if self._by_dts else packet.pts
        if stamp is None or (self._by_dts and self._codec.has_b_frames):
            if why:
                self._broken = True
                self._faults.add(why, f"near {place(self._ledger.index, None)}")
            return
        if self._base is None or (stamp < self._base and self.size == (0, 0)):
            self._base = stamp
        self._ledger.sent(stamp, why)

    def _judge(self, picture: Any) -> Frame | None:
        """Return a decoded picture as a frame, or None where it must be left out."""
        stamp = picture.dts if self._by_dts else picture.pts
        index, why = self._ledger.settle(stamp, fields=picture.interlaced_frame)
        seconds = self._seconds(stamp)
        image = None
        if picture.is_corrupt and not why:
            why = DAMAGED
        if not why:
            image, why = self._convert(picture)
        if image is None:
            self._broken = not self._intra_only
            self._faults.add(why, place(index, seconds))
            return None
        time = index / self.fps if self._even else self._clock.tell(index, seconds)
        if picture.key_frame:
            self._broken = False
        elif self._broken:
            self._faults.add(SUSPECT, place(index, time))
        return Frame(index, time, image)

    def _convert(self, picture: Any) -> tuple[NDArray[np.uint8] | None, str]:
        """Return a picture upright as RGB, or what keeps it from being that."""
        if picture.width * picture.height > MAX_FRAME_PIXELS:
            return None, RESIZED
        try:
            colours = self._converter.reformat(picture, format="rgb24", threads=1)
            image = _upright(colours.to_ndarray(), picture)
        except Exception as error:
            return None, f"{UNDECODABLE} ({error})"
        size = (image.shape[1], image.shape[0])
        if self.size == (0, 0):
            self.size = size
        return (image, "") if size == self.size else (None, RESIZED)

    def _lost(self, index: int, stamp: int, why: str) -> None:
        self._broken = self._broken or (why != EMPTY and not self._intra_only)
        self._faults.add(why, place(index, self._seconds(stamp)))

    def _seconds(self, stamp: int | None) -> float | None:
        """Return a stamp in seconds from the first frame."""
        if stamp is None or self._even:
            return None
        if self._base is None:
            self._base = stamp
        unit = self._stream.time_base
        return (stamp - self._base) * unit.numerator / unit.denominator


def _rate(stream: Any) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        with contextlib.suppress(TypeError, ZeroDivisionError, OverflowError):
            if 1e-4 <= float(rate) <= 1000.0:
                return float(rate)
    return DEFAULT_FPS


def _upright(image: NDArray[np.uint8], picture: Any) -> NDArray[np.uint8]:
    """Turn and mirror a picture by its display matrix, where that asks for quarter turns.

    The matrix holds the integers a, b, u, c, d, v, ...: the pixel (x, y) is shown at
    (ax + cy, bx + dy).
    """
    data = picture.side_data.get("DISPLAYMATRIX")
    if data is not None:
        a, b, _, c, d = np.frombuffer(data, np.int32)[:5].tolist()
        if a == d == 0 and b and c:
            image = image.transpose(1, 0, 2)[:: 1 if b > 0 else -1, :: 1 if c > 0 else -1]
        elif b == c == 0 and a and d:
            image = image[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1]
    return np.ascontiguousarray(image)
