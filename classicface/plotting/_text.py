"""Text on pictures: one clean font at any size, on a plate that makes it readable anywhere."""

from __future__ import annotations

import math
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["DARK", "LIGHT", "draw_text", "fill", "fit_text", "text_size", "usual_size"]

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]

DARK: Color = (15, 15, 15)
LIGHT: Color = (255, 255, 255)

#: Text is at least this high (the font's size in pixels): below, letters cannot be told apart.
MIN_SIZE = 9
MAX_SIZE = 240

#: Longer texts are cut.
MAX_CHARACTERS = 300

_LOCK = threading.Lock()  # FreeType's faces are not made for several threads


def usual_size(shape: tuple[int, ...], side: float | None = None) -> int:
    """Return the size of text for a picture, and for a face of this side in it."""
    low = float(np.clip(0.02 * max(shape[:2]), MIN_SIZE, MAX_SIZE / 3))
    return round(low if side is None else float(np.clip(0.075 * side, low, 3 * low)))


def text_size(text: str, size: int) -> tuple[int, int]:
    """Return the width and height of a text on its plate."""
    (left, right, ascent, descent), pad = _extent(_plain(text), size), _padding(size)
    return right - left + 2 * pad, ascent + descent + 2 * (pad // 2)


def fit_text(text: str, size: int, width: int) -> str:
    """Return the text, its end cut where its plate would be wider than `width`; maybe nothing."""
    text = _plain(text)
    if text_size(text, size)[0] <= width:
        return text
    low, high = 0, len(text)  # the longest beginning that fits, by bisection
    while low < high:
        middle = (low + high + 1) // 2
        if text_size(text[:middle].rstrip() + "…", size)[0] <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…" if low else ""


def draw_text(
    picture: Picture,
    text: str,
    corner: tuple[int, int],
    size: int,
    *,
    ink: Color = DARK,
    paper: Color | None = LIGHT,
) -> None:
    """Write a text into a picture; what lies outside is left out.

    Parameters
    ----------
    corner : tuple of int
        x and y of the upper left pixel of the plate.
    size : int
        Of the font, in pixels.
    paper : tuple of int or None
        The colour of the plate; None writes on what is there.
    """
    mask, pad = _mask(_plain(text), size), _padding(size)
    if paper is not None:
        fill(picture, corner, text_size(text, size), paper)
    x, y = corner[0] + pad, corner[1] + pad // 2
    x0, y0 = max(x, 0), max(y, 0)
    below = picture[y0 : max(y + mask.shape[0], 0), x0 : max(x + mask.shape[1], 0)]
    if below.size:
        cover = mask[y0 - y :, x0 - x :][: below.shape[0], : below.shape[1], None]
        cover = cover * np.float32(1 / 255)
        mixed = below * (1 - cover) + np.asarray(ink, np.float32) * cover
        below[:] = np.rint(mixed).astype(np.uint8)


def fill(picture: Picture, corner: tuple[int, int], size: tuple[int, int], color: Color) -> None:
    """Fill a rectangle, as far as it lies in the picture."""
    (x, y), (width, height) = corner, size
    picture[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = color


def _plain(text: str) -> str:
    """Return a text on one line."""
    return " ".join(str(text)[:MAX_CHARACTERS].split())


def _padding(size: int) -> int:
    return max(2, round(0.28 * size))


@lru_cache(maxsize=32)
def _font(size: int) -> FreeTypeFont:
    """Return DejaVu Sans, which comes with Matplotlib and knows most alphabets."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


@lru_cache(maxsize=1024)
def _extent(text: str, size: int) -> tuple[int, int, int, int]:
    """Return the pixels of a text: left and right of its start, above and below its base line."""
    with _LOCK:
        font = _font(size)
        box: tuple[Any, ...] = font.getbbox(text, anchor="ls")
        ascent, descent = font.getmetrics()
    return min(0, math.floor(box[0])), max(1, math.ceil(box[2])), ascent, descent


@lru_cache(maxsize=128)
def _mask(text: str, size: int) -> NDArray[np.uint8]:
    """Return how far a text covers each pixel, 0 to 255; of the same height for every text."""
    from PIL import Image, ImageDraw

    left, right, ascent, descent = _extent(text, size)
    image = Image.new("L", (right - left, ascent + descent))
    with _LOCK:
        place = (-left, ascent)
        ImageDraw.Draw(image).text(place, text, fill=255, font=_font(size), anchor="ls")
    return np.array(image, np.uint8)
