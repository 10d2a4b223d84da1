"""Pictures as bytes: JPEG for the page, sheets of labelled pictures for Markdown."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface.evaluation.report.formats import shorten

if TYPE_CHECKING:
    from classicface.evaluation.report.gallery import TileRow

__all__ = ["data_uri", "jpeg", "sheet"]

_QUALITY = 74

# A sheet: its largest number of pixels that are faces, the side of a face, texts and gaps.
_AREA, _LARGEST, _LABEL, _TEXT, _GAP = 430_000, 120, 118, 17, 6
_INK, _MUTED = (28, 34, 39), (91, 102, 112)


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Return an RGB picture as JPEG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return stream.getvalue()


def data_uri(picture: NDArray[np.uint8]) -> str:
    """Return an RGB picture as an address that holds it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture)).decode("ascii")


def sheet(rows: Sequence[TileRow], most: int) -> NDArray[np.uint8]:
    """Put rows of pictures on one sheet, each row with its name, each picture with its text.

    Parameters
    ----------
    rows : sequence of TileRow
    most : int
        Pictures of a row; the rest are left out.
    """
    import cv2
    from PIL import Image, ImageDraw

    columns = min(most, max(len(row.tiles) for row in rows))
    side = min(_LARGEST, int((_AREA / (len(rows) * max(columns, 1))) ** 0.5))
    height = side + _TEXT + _GAP
    paper = Image.new("RGB", (_LABEL + columns * (side + _GAP), len(rows) * height), "white")
    draw, font = ImageDraw.Draw(paper), _font(12)
    for j, row in enumerate(rows):
        name = _fitting(shorten(row.name, 60), font, _LABEL - 8)
        draw.text((2, j * height + side // 2), name, _INK, font, anchor="lm")
        for i, tile in enumerate(row.tiles[:columns]):
            x, y = _LABEL + i * (side + _GAP), j * height
            small = cv2.resize(tile.picture, (side, side), interpolation=cv2.INTER_AREA)
            paper.paste(Image.fromarray(small), (x, y))
            text = _fitting(shorten(tile.text, 60), font, side)
            draw.text((x + side // 2, y + side + 2), text, _MUTED, font, anchor="ma")
    return np.asarray(paper)


def _font(size: int) -> Any:
    """Return the font that comes with matplotlib."""
    from matplotlib.font_manager import findfont
    from PIL import ImageFont

    return ImageFont.truetype(findfont("DejaVu Sans"), size)


def _fitting(text: str, font: Any, width: int) -> str:
    """Return a text, cut so that it is not wider."""
    whole = text
    while text and font.getlength(text if text == whole else text + "…") > width:
        text = text[:-1]
    return text if text == whole else text + "…"
