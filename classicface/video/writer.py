"""Writing videos: H.264 that browsers play, exact times, and a file only when it is whole."""

from __future__ import annotations

import contextlib
import math
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import (
    ClassicFaceError,
    DataFormatError,
    InvalidInputError,
    MissingDependencyError,
)
from classicface.persistence import replacing
from classicface.validation import check_integer, check_number
from classicface.video.containers import MAX_FRAME_PIXELS, import_av
from classicface.video.opening import MAX_FPS, MIN_FPS

__all__ = ["VideoWriter"]

#: Ticks a second of files that keep any times: all usual frame rates are whole numbers of them.
TICKS = 90_000

#: Seconds from one frame that is whole in itself to the next: what damage or a jump can cost.
KEY_INTERVAL = 2.0


#: FFmpeg's numbers of a colour standard, and of the range of values that goes with it.
BT709, LIMITED = 1, 1


class Target(NamedTuple):
    """How a kind of file is written."""

    container: str
    encoder: str
    finest: float  # the encoder's quality scale, at quality 100 ...
    coarsest: float  # ... and at quality 0
    scale: str  # the name of that scale among the encoder's options
    options: dict[str, str]
    colours: str = "ITU709"  # the standard by which RGB becomes luma and chroma


_H264 = ("libx264", 8, 48, "crf", {"preset": "veryfast"})
_VP9 = ("libvpx-vp9", 10, 60, "crf", {"b": "0", "deadline": "realtime", "cpu-used": "8"})

#: By the ending of the name.
TARGETS = {
    ".mp4": Target("mp4", *_H264),
    ".mkv": Target("matroska", *_H264),
    ".avi": Target("avi", "mpeg4", 2, 31, "qmin", {}, "ITU601"),
    ".webm": Target("webm", *_VP9),
}


class VideoWriter:
    """A video file that is written frame by frame; a context manager.

    The file is written beside its place and renamed at the end of the with block, so a file of that
    name is always whole. On an error what was written is removed, and an older file stays.

    Parameters
    ----------
    path : path-like
        The ending says the format: .mp4 or .mkv (H.264), .webm (VP9) or .avi (MPEG-4 part 2).
    fps : float
        Nominal frames a second: the time of frames that are written without one.
    quality : int, default 75
        0 (smallest file) to 100 (hardly to be told from the frames).

    Raises
    ------
    InvalidInputError
        Unknown ending, or a parameter out of range.
    MissingDependencyError
        PyAV is not installed, or has no encoder for the format.

    Notes
    -----
    The codecs halve the resolution of colour, so sides must be even: a picture with an odd side is
    made one pixel wider or taller by repeating its last column or row, and coordinates in it stay
    what they are.

    Examples
    --------
    >>> with open_video("in.mp4") as video:                             # doctest: +SKIP
    ...     with VideoWriter("out.mp4", fps=video.fps) as out:
    ...         for frame in video:
    ...             out.write(frame.image, time=frame.time)
    """

    def __init__(self, path: str | os.PathLike[str], fps: float, quality: int = 75) -> None:
        self._path = Path(path)
        self._fps = check_number(fps, "fps", MIN_FPS, MAX_FPS)
        quality = check_integer(quality, "quality", 0, 100)
        suffix = self._path.suffix.lower()
        if suffix not in TARGETS:
            raise InvalidInputError(
                f"{path} does not say what to write; end it with one of {', '.join(TARGETS)}"
            )
        self._target = TARGETS[suffix]
        share = 1 - quality / 100
        self._level = self._target.finest + share * (self._target.coarsest - self._target.finest)
        self._av = import_av()
        self._check_encoder()
        self._stack = contextlib.ExitStack()
        self._container: Any = None
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()
        self._is_open = False
        # AVI knows no times, only a rate.
        rate = Fraction(self._fps).limit_denominator(1001)
        self._unit = 1 / rate if suffix == ".avi" and rate else Fraction(1, TICKS)
        self._start = self._time = 0.0
        self._tick = -1

    def __enter__(self) -> VideoWriter:
        if self._path.is_dir():
            raise DataFormatError("is a folder; expected the name of a file", self._path)
        partial = self._stack.enter_context(replacing(self._path))
        try:
            with self._as_our_error():
                partial.touch()  # FFmpeg would find out only at the first frame
                options = {"movflags": "faststart"} if self._target.container == "mp4" else {}
                self._container = self._av.open(
                    str(partial), "w", format=self._target.container, options=options
                )
        except BaseException:
            self._abandon()
            raise
        self._is_open = True
        return self

    def write(self, image: NDArray[np.uint8], time: float | None = None) -> None:
        """Write one frame.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3) or (height, width)
            RGB or grey; all frames have the size of the first.
        time : float, optional
            When it is shown, in seconds; what counts is the distance from the first frame. By
            default one frame after the one before.

        Raises
        ------
        InvalidInputError
            The array is no such picture or has another size; the time is not after that of the
            frame before, or not one that the format can keep.
        DataFormatError
            The file cannot be written.
        """
        if not self._is_open:
            raise InvalidInputError("write inside the with block of the VideoWriter")
        image = np.asarray(image)
        self._check_image(image)
        tick = self._find_tick(time)
        if image.ndim == 2:
            image = np.repeat(image[:, :, None], 3, axis=2)
        height, width = image.shape[:2]
        padding = ((0, height % 2), (0, width % 2), (0, 0))
        even = np.ascontiguousarray(np.pad(image, padding, mode="edge"))
        with self._as_our_error():
            if self._stream is None:
                self._stream = self._add_stream(even.shape[1], even.shape[0])
            frame = self._av.VideoFrame.from_ndarray(even, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=self._target.colours)
            frame.pts, frame.time_base = tick, self._unit
            self._container.mux(self._stream.encode(frame))
        self._tick = tick

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        if error is not None:
            with contextlib.suppress(Exception):  # the error in hand says more
                self._container.close()
            self._abandon()
            return
        with self._stack:
            if self._stream is None:
                self._container.close()
                raise InvalidInputError(f"{self._path}: no frame was written, so there is no video")
            with self._as_our_error():
                self._container.mux(self._stream.encode(None))
                self._container.close()

    def _abandon(self) -> None:
        """Remove what was written; the error in hand is not handed on, it may be the caller's."""
        self._stack.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)

    def _check_encoder(self) -> None:
        wanted = self._target.encoder
        if wanted in self._av.codecs_available:
            return
        there = [t.encoder for t in TARGETS.values() if t.encoder in self._av.codecs_available]
        endings = [s for s, t in TARGETS.items() if t.encoder in there]
        raise MissingDependencyError(
            f"this build of PyAV cannot write {self._path.suffix}: it lacks the encoder {wanted};"
            f" it has {', '.join(dict.fromkeys(there)) or 'none of those that are used'}"
            f" (endings: {', '.join(endings) or 'none'}). pip install av brings them all"
        )

    def _check_image(self, image: NDArray[Any]) -> None:
        known_shape = image.ndim >= 2 and image.shape[2:] in ((), (3,))
        if image.dtype != np.uint8 or image.size == 0 or not known_shape:
            raise InvalidInputError(
                f"image has shape {image.shape} and dtype {image.dtype}; expected uint8 of shape"
                " (height, width, 3) or (height, width)"
            )
        shape = image.shape[:2]
        if math.prod(shape) > MAX_FRAME_PIXELS:
            raise InvalidInputError(f"frames of {shape[1]} x {shape[0]} pixels are too large")
        if self._shape and shape != self._shape:
            raise InvalidInputError(
                f"image is {shape[1]} x {shape[0]}; the frames before it are"
                f" {self._shape[1]} x {self._shape[0]}"
            )
        self._shape = shape

    def _find_tick(self, time: float | None) -> int:
        """Return the time of the next frame in units of the file."""
        first = self._tick < 0
        if time is None:
            seconds = self._start if first else self._time + 1 / self._fps
        else:
            seconds = check_number(time, "time", -1e9, 1e9)
        if first:
            self._start = seconds
        tick = round((seconds - self._start) / self._unit)
        if tick <= self._tick:
            raise InvalidInputError(
                f"time is {seconds:g} s, and the frame before is at {self._time:g} s; times must"
                f" grow by {float(self._unit):.2g} s at least"
            )
        exact = self._start + tick * float(self._unit)
        if self._target.container == "avi" and abs(exact - seconds) > 0.01 / self._fps:
            raise InvalidInputError(
                f"time is {seconds:g} s, and .avi keeps only multiples of 1/{self._fps:g} s;"
                " write .mp4 or .mkv"
            )
        self._time = seconds
        return tick

    def _add_stream(self, width: int, height: int) -> Any:
        target, level = self._target, self._level
        options = dict(target.options)
        if target.scale == "crf":
            options["crf"] = str(round(level))
        else:
            options["qmin"] = options["qmax"] = str(round(level))
        rate = Fraction(self._fps).limit_denominator(1001) or Fraction(self._fps)
        stream = self._container.add_stream(target.encoder, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = self._unit
        codec = stream.codec_context
        codec.gop_size = max(1, min(250, round(KEY_INTERVAL * self._fps)))
        if target.colours == "ITU709":  # AVI cannot name it, and all players take the older one
            codec.color_primaries = codec.color_trc = codec.colorspace = BT709
            codec.color_range = LIMITED
        return stream

    @contextlib.contextmanager
    def _as_our_error(self) -> Any:
        try:
            yield
        except ClassicFaceError:
            raise
        # FFmpeg's errors are of many kinds, and PyAV adds its own.
        except Exception as error:
            text = getattr(error, "strerror", None) or str(error)
            raise DataFormatError(f"cannot be written: {text}", self._path) from None
