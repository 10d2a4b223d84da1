"""Opening a video file with PyAV so that it can do no harm: one file, known formats, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from classicface.exceptions import DataFormatError, MissingDependencyError
from classicface.image.io import IMAGE_SUFFIXES
from classicface.video.boxes import check_boxes

__all__ = ["CONTAINERS", "MAX_FRAME_PIXELS", "import_av", "open_container", "video_stream"]

#: FFmpeg's names of the formats that are read, whatever the name's ending. FFmpeg knows others,
#: among them lists of further files and addresses (HLS, DASH, concat), which it would go and read.
CONTAINERS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "asf", "flv", "ogg"),
    *("mxf", "nut", "dv", "gif", "apng", "h264", "hevc", "m4v", "mjpeg", "ivf", "yuv4mpegpipe"),
)

#: Videos with more pixels a frame are refused: twice 8K, and a decoder may hold 17 such frames.
MAX_FRAME_PIXELS = 1 << 26

#: Bytes that are read from the file at once.
BUFFER = 1 << 16


def import_av() -> Any:
    """Return the module of PyAV.

    Raises
    ------
    MissingDependencyError
        It is not installed.
    """
    # OpenCV must come first: where PyAV's copy of libxcb is loaded before it, its windows hang.
    import cv2  # noqa: F401

    try:
        import av
    except ImportError:
        raise MissingDependencyError(
            'video files need PyAV: pip install "classicface[video]"'
            " (folders of pictures and cameras are read without it)"
        ) from None
    return av


def open_container(path: Path) -> tuple[Any, BinaryIO]:
    """Open a video file.

    Returns
    -------
    container : av.container.InputContainer
    file : binary file
        What the container reads from; to be closed after it.

    Raises
    ------
    DataFormatError
        The file is missing, empty, cut, or no video of a known format.
    """
    av = import_av()
    _check_file(path)
    try:
        check_boxes(path)
        file = path.open("rb")
    except OSError as error:
        raise DataFormatError(f"cannot be read: {error.strerror}", path) from None
    options = {
        "format_whitelist": ",".join(CONTAINERS),
        "protocol_whitelist": "none",  # not even that of files: ours is open already
        "max_pixels": str(MAX_FRAME_PIXELS),
    }
    try:
        # FFmpeg is given the open file, not its name, and refused all others.
        container = av.open(
            file,
            options=options,
            metadata_errors="replace",
            buffer_size=BUFFER,
            io_open=_refuse,
        )
    # FFmpeg's errors are of many kinds, and PyAV adds its own.
    except Exception as error:
        file.close()
        raise DataFormatError(_reason(path, error), path) from None
    return container, file


def video_stream(container: Any, path: Path) -> Any:
    """Return the first stream of pictures; covers of records are none.

    Raises
    ------
    DataFormatError
        There is none, its codec is not known here, or its pictures are too large.
    """
    av = import_av()
    cover = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & cover]
    if not streams:
        raise DataFormatError("holds no pictures, only sound or text", path)
    stream = streams[0]
    if stream.codec_context is None:
        raise DataFormatError(
            "its pictures are compressed with a codec that this build of PyAV cannot decode;"
            " convert it to H.264",
            path,
        )
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_FRAME_PIXELS:
        raise DataFormatError(
            f"frames of {width} x {height} pixels; at most {MAX_FRAME_PIXELS >> 20} x 2^20"
            " pixels are accepted",
            path,
        )
    for other in container.streams:
        if other is not stream:
            other.discard = av.stream.Discard.all
    return stream


def _refuse(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise PermissionError(f"a video file may not open another: {url}")


def _check_file(path: Path) -> None:
    try:
        exists, is_file = path.exists(), path.is_file()
        size = path.stat().st_size if is_file else 0
    except OSError as error:
        raise DataFormatError(f"cannot be read: {error.strerror}", path) from None
    except ValueError:  # a null byte in the name
        exists = is_file = False
    if not exists:
        hint = "; videos are read from files, not from the network" if ":/" in str(path) else ""
        raise DataFormatError(f"no such file{hint}", path)
    if not is_file:
        raise DataFormatError("is neither a file nor a folder", path)
    if size == 0:
        raise DataFormatError("is empty", path)


def _reason(path: Path, error: Exception) -> str:
    """Return in words why a file could not be opened."""
    with path.open("rb") as file:
        head = file.read(12)
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return "is a picture by its name, not a video; a folder of pictures is read as a video"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return (
            f"cannot be read as a video ({text}): the index of this mp4 (moov) is missing or"
            " damaged, as when recording or copying was broken off"
        )
    return (
        f"cannot be read as a video ({text}); expected mp4, mov, mkv, webm, avi or another of the"
        " formats that the documentation lists"
    )
