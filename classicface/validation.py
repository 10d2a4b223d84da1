"""What is checked at the public door: images, boxes, landmarks, random states."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError

__all__ = [
    "MAX_PIXELS",
    "check_boxes",
    "check_choice",
    "check_count_or_share",
    "check_flag",
    "check_image",
    "check_integer",
    "check_landmarks",
    "check_number",
    "check_random_state",
    "check_training",
]

#: Pictures with more pixels than this are refused: 200 megapixels, beyond any camera's single shot.
MAX_PIXELS = 200_000_000

#: Coordinates beyond this are taken for damage; float32 still tells 1/8 px apart here.
MAX_COORDINATE = 1e6


def check_image(image: ArrayLike) -> NDArray[np.uint8]:
    """Check a picture and turn it to grey.

    Parameters
    ----------
    image : array-like, shape (height, width), (height, width, 1 or 3 or 4)
        Grey, RGB or RGBA (alpha is ignored); uint8, uint16, bool, or float in [0, 1].

    Returns
    -------
    ndarray of uint8, shape (height, width), C-contiguous
        The grey picture; the input itself where it already is one, else a copy.

    Raises
    ------
    InvalidInputError
        Empty, too large, of another shape or type, or with values out of range.
    """
    try:
        array = np.asarray(image)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"image is not a regular array: {error}") from None
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InvalidInputError(
            f"image has shape {array.shape}; expected (height, width) or (height, width, 3 or 4)"
        )
    height, width = array.shape[:2]
    if height == 0 or width == 0:
        raise InvalidInputError(f"image is empty: shape {array.shape}")
    if height * width > MAX_PIXELS:
        raise InvalidInputError(
            f"image has {height * width / 1e6:.0f} megapixels; at most {MAX_PIXELS // 10**6}"
            " are accepted, scale it down first"
        )
    array = _to_uint8(array)
    if array.ndim == 3:
        array = _luma(array)
    return np.ascontiguousarray(array)


def _to_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # of either byte order
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0.0 and high <= 1.0):  # NaN fails too
            raise InvalidInputError(
                f"float image has values from {low:g} to {high:g}; expected [0, 1]"
                " (divide a 0 to 255 image by 255, or pass it as uint8)"
            )
        return (array * 255.0 + 0.5).astype(np.uint8)
    raise InvalidInputError(
        f"image has dtype {array.dtype}; expected uint8, uint16, bool or float in [0, 1]"
    )


def _luma(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    code = cv2.COLOR_RGB2GRAY if array.shape[2] == 3 else cv2.COLOR_RGBA2GRAY
    return cv2.cvtColor(np.ascontiguousarray(array), code)


def check_boxes(
    boxes: ArrayLike, image_shape: tuple[int, ...] | None = None
) -> NDArray[np.float32]:
    """Check boxes given as x0, y0, x1, y1.

    Parameters
    ----------
    boxes : array-like, shape (n, 4) or (4,)
        Corners in pixels, x0 < x1 and y0 < y1.
    image_shape : tuple of int, optional
        Height and width; when given, a box wholly outside the picture is refused.

    Returns
    -------
    ndarray of float32, shape (n, 4)

    Raises
    ------
    InvalidInputError
        Names the first box at fault.
    """
    array = _as_float(boxes, "boxes")
    if array.size == 0:
        return np.zeros((0, 4), np.float32)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 4:
        raise InvalidInputError(f"boxes have shape {array.shape}; expected (n, 4): x0, y0, x1, y1")
    limit = MAX_COORDINATE
    height, width = (math.inf, math.inf) if image_shape is None else image_shape[:2]
    for i, (x0, y0, x1, y1) in enumerate(array.tolist()):  # for a few boxes quicker than NumPy
        if not (-limit <= x0 < x1 <= limit and -limit <= y0 < y1 <= limit):  # NaN fails too
            raise InvalidInputError(
                f"box {i} is {[x0, y0, x1, y1]}; expected finite x0 < x1 and y0 < y1"
                f" within ±{limit:.0f}"
            )
        if image_shape is not None and not (x0 < width and y0 < height and x1 > 0 and y1 > 0):
            raise InvalidInputError(
                f"box {i} is {[x0, y0, x1, y1]}, wholly outside the {width} x {height} picture"
            )
    return array


def check_landmarks(
    landmarks: ArrayLike, n_landmarks: int | None = None, *, allow_missing: bool = True
) -> NDArray[np.float32]:
    """Check the landmarks of one face or of several.

    Parameters
    ----------
    landmarks : array-like, shape (n_landmarks, 2) or (n, n_landmarks, 2)
        (x, y) in pixels, 0-based. NaN in both coordinates marks a missing point.
    n_landmarks : int, optional
        The number of points that is expected.
    allow_missing : bool, default True
        Whether NaN points are accepted.

    Returns
    -------
    ndarray of float32, same shape

    Raises
    ------
    InvalidInputError
        Wrong shape, infinite or huge values, half-missing points.
    """
    array = _as_float(landmarks, "landmarks")
    if array.ndim not in (2, 3) or array.shape[-1] != 2 or array.shape[-2] == 0:
        raise InvalidInputError(
            f"landmarks have shape {array.shape}; expected (n_landmarks, 2) or (n, n_landmarks, 2)"
        )
    if n_landmarks is not None and array.shape[-2] != n_landmarks:
        raise InvalidInputError(
            f"there are {array.shape[-2]} landmarks a face; expected {n_landmarks}"
        )
    missing = np.isnan(array)
    if np.any(missing[..., 0] != missing[..., 1]):
        raise InvalidInputError("a landmark has one coordinate NaN and the other not")
    if not allow_missing and missing.any():
        raise InvalidInputError("landmarks hold NaN; missing points are not accepted here")
    if np.any(np.abs(array[~missing]) > MAX_COORDINATE):
        raise InvalidInputError(f"landmarks reach beyond ±{MAX_COORDINATE:.0f} px")
    return array


def _as_float(values: ArrayLike, name: str) -> NDArray[np.float32]:
    if isinstance(values, np.ndarray) and values.dtype == np.float32 and values.flags.c_contiguous:
        return values
    try:
        if np.iscomplexobj(values):
            raise TypeError("complex numbers")
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(f"{name} are not a regular array of numbers: {error}") from None


def check_random_state(random_state: int | np.random.Generator | None) -> np.random.Generator:
    """Turn a seed into a generator.

    Parameters
    ----------
    random_state : int, numpy.random.Generator or None
        A non-negative seed, a generator (used as it is), or None for fresh entropy.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    InvalidInputError
        Anything else.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    if random_state is None:
        return np.random.default_rng()
    return np.random.default_rng(check_integer(random_state, "random_state", low=0))


def check_integer(value: object, name: str, low: int, high: int | None = None) -> int:
    """Return `value` as an int within [low, high], or raise InvalidInputError naming it."""
    valid = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not valid or int(value) < low or (high is not None and int(value) > high):  # type: ignore[call-overload]
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise InvalidInputError(f"{name} is {value!r}; expected an integer {limits}")
    return int(value)  # type: ignore[call-overload]


def check_number(value: object, name: str, low: float, high: float = math.inf) -> float:
    """Return `value` as a finite float within [low, high], or raise InvalidInputError naming it."""
    number = math.nan
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # an integer beyond any float
            number = float(value)
    if not (math.isfinite(number) and low <= number <= high):
        limits = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise InvalidInputError(f"{name} is {value!r}; expected a number {limits}")
    return number


def check_flag(value: object, name: str) -> None:
    """Refuse a parameter that is neither True nor False, with InvalidInputError."""
    if not isinstance(value, bool):
        raise InvalidInputError(f"{name} is {value!r}; expected True or False")


def check_training(time_budget: object, checkpoint: object) -> None:
    """Refuse what is no time budget in seconds (or None), or no path of a checkpoint (or None).

    Raises
    ------
    InvalidInputError
    """
    if time_budget is not None:
        check_number(time_budget, "time_budget", 1.0)
    if checkpoint is not None and not isinstance(checkpoint, (str, os.PathLike)):
        raise InvalidInputError(f"checkpoint is {checkpoint!r}; expected the path of a file")


def check_choice(value: Any, name: str, choices: Iterable[str]) -> None:
    """Refuse a parameter that is none of some names, and say them.

    Raises
    ------
    InvalidInputError
    """
    known = list(choices)
    if value not in known:
        raise InvalidInputError(f"{name} is {value!r}; there are {', '.join(known)}")


def check_count_or_share(value: Any, name: str, most: int) -> None:
    """Refuse a number of components that is neither a count up to `most` nor a share up to 1.

    Raises
    ------
    InvalidInputError
    """
    if isinstance(value, float):
        check_number(value, name, 1e-3, 1.0)
    else:
        check_integer(value, name, 0, most)
