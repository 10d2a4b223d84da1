"""Reading and writing picture files, with limits and errors of our own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.persistence import replacing
from classicface.validation import MAX_PIXELS, check_image

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["IMAGE_SUFFIXES", "list_images", "read_image", "write_image"]

#: File name endings that are taken for pictures, lower case.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")

#: Pillow's names of the formats that are read, whatever the name's ending. Pillow knows others,
#: among them PostScript, which it hands to an interpreter.
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM")

# Pillow's limit is a global of its module.
_opening = threading.Lock()


def read_image(path: str | Path, mode: Literal["grey", "rgb"] = "grey") -> NDArray[np.uint8]:
    """Read a picture, turned upright as its EXIF orientation says.

    Parameters
    ----------
    path : path-like
    mode : {"grey", "rgb"}, default "grey"

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)

    Raises
    ------
    DataFormatError
        The file is missing, empty, cut, no picture, or has more than `MAX_PIXELS` pixels (this is
        checked before it is decoded).
    """
    from PIL import ImageOps

    try:
        with _open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise DataFormatError(
                    f"picture of {picture.width} x {picture.height} pixels; at most"
                    f" {MAX_PIXELS // 10**6} megapixels are accepted, scale it down first",
                    path,
                )
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):
                return _from_deep(np.clip(np.asarray(upright), 0, 65535).astype(np.uint16), mode)
            if upright.mode == "F":
                return _from_deep(np.asarray(upright), mode)
            upright.info.pop("transparency", None)  # ignored; Pillow warns of a palette's
            return np.array(upright.convert("L" if mode == "grey" else "RGB"))
    except DataFormatError:
        raise
    except FileNotFoundError:
        raise DataFormatError("no such picture", path) from None
    # Decoders meet damage with whatever exception they happen to hit.
    except Exception as error:
        raise DataFormatError(f"cannot be read as a picture: {error}", path) from None


def _open(path: str | Path) -> ImageFile:
    """Read a picture's header, without Pillow's own limit: it is lower and warns."""
    from PIL import Image

    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path, formats=FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _from_deep(array: NDArray[np.generic], mode: str) -> NDArray[np.uint8]:
    grey = check_image(array)
    return grey if mode == "grey" else np.repeat(grey[:, :, None], 3, axis=2)


def write_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write a grey or RGB uint8 picture; the ending of the name says the format.

    Raises
    ------
    DataFormatError
        The ending is unknown or the file cannot be written; nothing is left behind.
    InvalidInputError
        The array is not a picture of these kinds.
    """
    from PIL import Image

    path, image = Path(path), np.asarray(image)
    known_shape = image.ndim >= 2 and image.shape[2:] in ((), (3,))
    if image.dtype != np.uint8 or image.size == 0 or not known_shape:
        raise InvalidInputError(
            f"image has shape {image.shape} and dtype {image.dtype}; expected uint8 of shape"
            " (height, width) or (height, width, 3)"
        )
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise DataFormatError(f"unknown ending; use one of {', '.join(IMAGE_SUFFIXES)}", path)
    with replacing(path) as partial:
        try:
            Image.fromarray(image).save(partial, quality=92)
        except ValueError as error:  # such as a side that the format does not allow
            raise DataFormatError(f"cannot be written: {error}", path) from None


def list_images(folder: str | Path, *, recursive: bool = False) -> list[Path]:
    """Return the pictures in a folder, sorted by path; hidden files are left out.

    Raises
    ------
    DataFormatError
        There is no such folder.
    """
    if not Path(folder).is_dir():
        raise DataFormatError("no such folder", folder)
    found = Path(folder).rglob("*") if recursive else Path(folder).iterdir()
    pictures = (p for p in found if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
    return sorted(p for p in pictures if not p.name.startswith("."))
