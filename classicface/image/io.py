"""Reading and writing picture files, with limits and errors of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import DataFormatError
from classicface.persistence import replacing
from classicface.validation import MAX_PIXELS

__all__ = ["IMAGE_SUFFIXES", "list_images", "read_image", "write_image"]

#: File name endings that are taken for pictures, lower case.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")


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
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise DataFormatError(
                    f"picture of {picture.width} x {picture.height} pixels; at most"
                    f" {MAX_PIXELS // 10**6} megapixels are accepted, scale it down first",
                    path,
                )
            if picture.mode.startswith("I;16"):
                return _from_uint16(np.asarray(picture), mode)
            upright = ImageOps.exif_transpose(picture)
            return np.array(upright.convert("L" if mode == "grey" else "RGB"))
    except DataFormatError:
        raise
    except FileNotFoundError:
        raise DataFormatError("no such picture", path) from None
    except Image.DecompressionBombError as error:
        raise DataFormatError(f"picture refused: {error}", path) from None
    # Decoders meet damage with whatever exception they happen to hit.
    except Exception as error:
        raise DataFormatError(f"cannot be read as a picture: {error}", path) from None


def _from_uint16(array: NDArray[np.generic], mode: str) -> NDArray[np.uint8]:
    grey = ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return grey if mode == "grey" else np.repeat(grey[:, :, None], 3, axis=2)


def write_image(path: str | Path, image: NDArray[np.uint8]) -> None:
    """Write a grey or RGB uint8 picture; the ending of the name says the format.

    Raises
    ------
    DataFormatError
        The ending is unknown or the file cannot be written; nothing is left behind.
    """
    from PIL import Image

    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise DataFormatError(f"unknown ending; use one of {', '.join(IMAGE_SUFFIXES)}", path)
    with replacing(path) as partial:
        Image.fromarray(image).save(partial, quality=92)


def list_images(folder: str | Path, *, recursive: bool = False) -> list[Path]:
    """Return the pictures in a folder, sorted by path."""
    found = Path(folder).rglob("*") if recursive else Path(folder).iterdir()
    return sorted(p for p in found if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())
