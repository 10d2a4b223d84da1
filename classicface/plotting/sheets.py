"""Sheets of pictures with captions, and two pictures before and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from classicface.exceptions import InvalidInputError
from classicface.image.colors import rgb_copy
from classicface.plotting import _text
from classicface.plotting.drawing import Picture, _check_size, _shape, grid
from classicface.validation import check_integer, check_number

__all__ = ["before_after", "labelled_grid"]

#: Cells are at least this wide, so that captions of small pictures can be read.
_MIN_CELL = 64

#: Words of a caption go on in a next line, up to so many.
_MAX_LINES = 3


def labelled_grid(
    images: Sequence[ArrayLike],
    captions: Sequence[str],
    n_columns: int = 8,
    *,
    gap: int = 6,
    text_size: int | None = None,
) -> Picture:
    """Put pictures side by side, row by row, each above its caption; as `grid` does.

    Parameters
    ----------
    images : sequence of array-like
        Grey, RGB or RGBA, of any sizes; the largest set the size of the cells.
    captions : sequence of str
        One a picture, maybe empty; broken into up to three lines, then cut.
    n_columns : int, default 8
    gap : int, default 6
        White pixels between the cells.
    text_size : int, optional
        Size of the font in pixels, 6 to 240; by default as the cells ask.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    InvalidInputError
        No picture, another number of captions, or a sheet with more than 200 megapixels.
    """
    if len(images) == 0:
        raise InvalidInputError("there is no picture to put on the sheet")
    if isinstance(captions, str) or len(captions) != len(images):
        raise InvalidInputError(f"there are {len(images)} pictures and {len(captions)} captions")
    n_columns = check_integer(n_columns, "n_columns", 1)
    shapes = [_shape(image) for image in images]
    height, width = (max(sizes) for sizes in zip(*shapes, strict=True))
    width = max(width, _MIN_CELL)
    size = (
        int(np.clip(0.055 * width, 10, 48))
        if text_size is None
        else check_integer(text_size, "text_size", 6, _text.MAX_SIZE)
    )
    texts = [_broken(str(caption), size, width) for caption in captions]
    line = _text.text_size("", size)[1]
    strip = line * max(len(lines) for lines in texts)
    n_rows = -(-len(shapes) // n_columns)
    _check_size(n_rows * (height + strip), min(n_columns, len(shapes)) * width)
    cells = []
    for image, (rows, columns), lines in zip(images, shapes, texts, strict=True):
        cell = np.full((height + strip, width, 3), 255, np.uint8)
        y, x = (height - rows) // 2, (width - columns) // 2
        cell[y : y + rows, x : x + columns] = rgb_copy(image)
        for i, text in enumerate(lines):
            corner = ((width - _text.text_size(text, size)[0]) // 2, height + i * line)
            _text.draw_text(cell, text, corner, size, paper=None)
        cells.append(cell)
    return grid(cells, n_columns, gap=gap)


def _broken(caption: str, size: int, width: int) -> list[str]:
    """Break a caption into lines that fit."""
    words, lines = caption[: _text.MAX_CHARACTERS].split(), [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if _text.text_size(longer, size)[0] <= width or not lines[-1]:
            lines[-1] = longer
        elif len(lines) < _MAX_LINES:
            lines.append(word)
        else:  # no line is left: what does not fit is cut below
            lines[-1] = longer
    return [_text.fit_text(line, size, width) for line in lines]


def before_after(
    before: ArrayLike,
    after: ArrayLike,
    *,
    captions: tuple[str, str] = ("before", "after"),
    split: float | None = None,
    gap: int = 6,
) -> Picture:
    """Show two pictures together: side by side, or one picture that changes at a line.

    Parameters
    ----------
    before, after : array-like
        Grey, RGB or RGBA.
    captions : tuple of two str
        Below the pictures; with `split` in their upper corners, where they fit.
    split : float, optional
        Show one picture, `before` left and `after` right of a line at this share of the width, 0 to
        1; the pictures must be of the same size.
    gap : int, default 6
        White pixels between pictures side by side.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    InvalidInputError
        With `split`, pictures of two sizes; captions that are not two.
    """
    if isinstance(captions, str) or len(captions) != 2:
        raise InvalidInputError(f"captions are {captions!r}; expected two texts")
    if split is None:
        return labelled_grid([before, after], captions, 2, gap=gap)
    split = check_number(split, "split", 0.0, 1.0)
    left, right = rgb_copy(before), rgb_copy(after)
    if left.shape != right.shape:
        raise InvalidInputError(
            f"the pictures have {left.shape[1]} x {left.shape[0]} and {right.shape[1]} x"
            f" {right.shape[0]} pixels; a picture that changes at a line needs the same size"
        )
    height, width = left.shape[:2]
    line = round(split * width)
    left[:, line:] = right[:, line:]
    thick = max(1, round(0.004 * width))
    if 0 < line < width:
        _text.fill(left, (line - thick // 2 - 1, 0), (thick + 2, height), _text.DARK)
        _text.fill(left, (line - thick // 2, 0), (thick, height), _text.LIGHT)
    size = _text.usual_size(left.shape)
    for text, start, room in ((captions[0], 0, line), (captions[1], line, width - line)):
        shown = _text.fit_text(str(text), size, room - 4 - thick)
        wide, high = _text.text_size(shown, size)
        if shown and high < height / 2:
            x = 2 if start == 0 else width - wide - 2
            _text.draw_text(left, shown, (x, 2), size)
    return left
