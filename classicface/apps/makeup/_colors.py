"""Colours of make-up: read from names and numbers, and what they are in Lab."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError
from classicface.validation import check_number

__all__ = ["Color", "Paint", "parse_color", "to_lab"]

#: (red, green, blue), 0 to 255 each.
Color = tuple[int, int, int]

_EXPECTED = 'expected "#rrggbb", a name such as "crimson", or (red, green, blue) from 0 to 255'


@dataclass(frozen=True)
class Paint:
    """A colour and how much of it.

    Parameters
    ----------
    color : str or tuple of three int
        ``"#rrggbb"``, a CSS name, or (red, green, blue) from 0 to 255; kept as the three numbers.
    strength : float, default 0.7
        From 0 (nothing) to 1 (as much as looks like make-up rather than paint).

    Raises
    ------
    InvalidInputError
        No such colour, or a strength out of range.
    """

    color: Color
    strength: float = 0.7

    def __post_init__(self) -> None:
        object.__setattr__(self, "color", parse_color(self.color))
        object.__setattr__(self, "strength", check_number(self.strength, "strength", 0.0, 1.0))

    @classmethod
    def of(cls, value: Any) -> Paint:
        """Return the paint that is meant.

        Parameters
        ----------
        value : Paint, str, or tuple
            A paint; a colour; a text ``"colour:strength"``; or a pair (colour, strength).

        Raises
        ------
        InvalidInputError
        """
        if isinstance(value, Paint):
            return value
        if isinstance(value, str) and ":" in value:
            name, _, text = value.rpartition(":")
            if not re.fullmatch(r"\d*\.?\d+", text.strip()):
                raise InvalidInputError(
                    f"{value[:60]!r} has the strength {text[:20]!r}; expected a number from 0 to 1,"
                    ' as in "#a01030:0.8"'
                )
            return cls(parse_color(name), float(text))
        if isinstance(value, (tuple, list)) and len(value) == 2:
            return cls(value[0], value[1])
        return cls(parse_color(value))


def parse_color(value: str | Sequence[int] | Any) -> Color:
    """Return the red, green and blue of a colour.

    Raises
    ------
    InvalidInputError
        It is none.
    """
    if isinstance(value, str):
        from PIL import ImageColor

        name = value.strip().lower()
        try:
            numbers = ImageColor.getrgb(name) if len(name) < 100 else ()
        except ValueError:
            numbers = ()
        if len(numbers) == 3:
            return numbers
        raise InvalidInputError(f"{value[:60]!r} is not a colour; {_EXPECTED}")
    if isinstance(value, (tuple, list)) and len(value) == 3 and all(map(_is_byte, value)):
        return (int(value[0]), int(value[1]), int(value[2]))
    raise InvalidInputError(f"{str(value)[:60]!r} is not a colour; {_EXPECTED}")


def _is_byte(value: Any) -> bool:
    number = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return number and 0 <= value <= 255


def to_lab(color: Color) -> NDArray[np.float32]:
    """Return L, a, b of a colour, shape (3,)."""
    from classicface.apps.makeup._kernels import rgb_to_lab

    out = np.empty((1, 1, 3), np.float32)
    rgb_to_lab(np.array([[color]], np.uint8), out)
    return out[0, 0]
