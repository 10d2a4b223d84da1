"""The built-in landmark schemes, those of a user's own file, and conversions between schemes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.shape._scheme import MAX_LANDMARKS, Indices, LandmarkScheme
from classicface.validation import check_integer, check_landmarks

__all__ = ["SCHEMES", "LandmarkScheme", "convert_landmarks", "get_scheme"]

#: A scheme file beyond this is refused before it is read: 1 MiB.
MAX_SCHEME_BYTES = 1 << 20


def _span(first: int, last: int) -> Indices:
    return tuple(range(first, last + 1))


def _mirror(n: int, pairs: Sequence[tuple[int, int]]) -> Indices:
    mirror = list(range(n))
    for i, j in pairs:
        mirror[i], mirror[j] = j, i
    return tuple(mirror)


def _facing(*runs: tuple[int, int, int]) -> list[tuple[int, int]]:
    """Pair first, first + 1, ... with last, last - 1, ... for each (first, last, how many)."""
    return [(first + i, last - i) for first, last, count in runs for i in range(count)]


_IBUG68 = LandmarkScheme(
    "ibug68",
    68,
    {
        "jaw": _span(0, 16),
        "right_brow": _span(17, 21),
        "left_brow": _span(22, 26),
        "nose": _span(27, 35),
        "right_eye": _span(36, 41),
        "left_eye": _span(42, 47),
        "mouth": _span(48, 67),
    },
    _mirror(
        68,
        _facing(
            *[(0, 16, 8), (17, 26, 5), (31, 35, 2), (36, 45, 4), (40, 47, 2)],
            *[(48, 54, 3), (55, 59, 2), (60, 64, 2), (65, 67, 1)],
        ),
    ),
    (36, 45),
    (_span(36, 41), _span(42, 47)),
    (
        *((_span(*ends), False) for ends in [(0, 16), (17, 21), (22, 26), (27, 30), (31, 35)]),
        *((_span(*ends), True) for ends in [(36, 41), (42, 47), (48, 59), (60, 67)]),
    ),
)

_WFLW98 = LandmarkScheme(
    "wflw98",
    98,
    {
        "jaw": _span(0, 32),
        "right_brow": _span(33, 41),
        "left_brow": _span(42, 50),
        "nose": _span(51, 59),
        "right_eye": (*_span(60, 67), 96),
        "left_eye": (*_span(68, 75), 97),
        "mouth": _span(76, 95),
    },
    _mirror(
        98,
        _facing(
            *[(0, 32, 16), (33, 46, 5), (38, 50, 4), (55, 59, 2), (60, 72, 5), (65, 75, 3)],
            *[(76, 82, 3), (83, 87, 2), (88, 92, 2), (93, 95, 1), (96, 97, 1)],
        ),
    ),
    (60, 72),
    ((96,), (97,)),
    (
        *((_span(*ends), False) for ends in [(0, 32), (51, 54), (55, 59)]),
        *((_span(*ends), True) for ends in [(33, 41), (42, 50), (60, 67), (68, 75)]),
        *((_span(*ends), True) for ends in [(76, 87), (88, 95)]),
    ),
)

# Pairs as in the field's flip tables for COFW, where the right side comes first.
_LFPW29 = LandmarkScheme(
    "lfpw29",
    29,
    {
        "jaw": (28,),
        "right_brow": (0, 2, 4, 5),
        "left_brow": (1, 3, 6, 7),
        "nose": _span(18, 21),
        "right_eye": (8, 10, 12, 13, 16),
        "left_eye": (9, 11, 14, 15, 17),
        "mouth": _span(22, 27),
    },
    _mirror(
        29,
        [
            *[(0, 1), (2, 3), (4, 6), (5, 7), (8, 9), (10, 11), (12, 14), (13, 15)],
            *[(16, 17), (18, 19), (22, 23)],
        ],
    ),
    (8, 9),
    ((16,), (17,)),
    (
        *((line, True) for line in [(0, 4, 2, 5), (1, 6, 3, 7), (8, 12, 10, 13), (9, 14, 11, 15)]),
        *[((18, 21, 19), False), ((22, 24, 23, 27), True), ((22, 25, 23, 26), True)],
    ),
)

_DLIB5 = LandmarkScheme(
    "dlib5",
    5,
    {"right_eye": (2, 3), "left_eye": (0, 1), "nose": (4,)},
    (2, 3, 0, 1, 4),
    (2, 0),
    ((2, 3), (0, 1)),
    (((0, 1, 4, 3, 2), False),),
)

_TO_51 = _span(17, 67)
_TO_49 = tuple(i for i in _TO_51 if i not in (60, 64))
_TO_5 = (45, 42, 36, 39, 33)
_98_TO_68 = (
    *range(0, 33, 2),
    *_span(33, 37),
    *_span(42, 46),
    *_span(51, 59),
    *(60, 61, 63, 64, 65, 67),
    *(68, 69, 71, 72, 73, 75),
    *_span(76, 95),
)

#: The built-in schemes by name.
SCHEMES: dict[str, LandmarkScheme] = {
    scheme.name: scheme
    for scheme in (
        _IBUG68,
        _IBUG68.subset("ibug51", _TO_51),
        _IBUG68.subset("ibug49", _TO_49),
        _DLIB5,
        _LFPW29,
        _WFLW98,
    )
}

# Five points mean different things in different places (dlib's eye corners, or pupils and mouth
# corners), so their number tells nothing.
_BY_NUMBER = {s.n_landmarks: s for s in SCHEMES.values() if s.n_landmarks != 5}

_FROM_68 = {"ibug68": _span(0, 67), "ibug51": _TO_51, "ibug49": _TO_49, "dlib5": _TO_5}
_CONVERSIONS: dict[tuple[str, str], Indices] = {
    **{("ibug68", name): kept for name, kept in _FROM_68.items()},
    **{("wflw98", name): tuple(_98_TO_68[i] for i in kept) for name, kept in _FROM_68.items()},
    ("ibug51", "ibug49"): tuple(_TO_51.index(i) for i in _TO_49),
    ("ibug51", "dlib5"): tuple(_TO_51.index(i) for i in _TO_5),
    ("ibug49", "dlib5"): tuple(_TO_49.index(i) for i in _TO_5),
}


def get_scheme(scheme: LandmarkScheme | str | Path | int) -> LandmarkScheme:
    """Return a scheme.

    Parameters
    ----------
    scheme : LandmarkScheme, str, path-like or int
        A scheme (returned as it is); the name of a built-in one; the path of a JSON file that
        holds what `LandmarkScheme.to_dict` gives; or a number of points. 68, 51, 49, 29 and 98
        points are taken for the built-in schemes, any other number n for the plain scheme
        ``points{n}``, which has neither regions nor a mirror.

    Raises
    ------
    InvalidInputError
        An unknown name or a number out of range.
    DataFormatError
        The JSON file is missing, too large, or does not hold a scheme.
    """
    if isinstance(scheme, LandmarkScheme):
        return scheme
    if isinstance(scheme, Path) or (isinstance(scheme, str) and scheme.lower().endswith(".json")):
        return _read_scheme(Path(scheme))
    if isinstance(scheme, str):
        if scheme in SCHEMES:
            return SCHEMES[scheme]
        number = scheme.removeprefix("points")
        if number == scheme or not (number.isascii() and number.isdigit() and len(number) < 9):
            raise InvalidInputError(
                f"unknown landmark scheme {scheme[:100]!r}; known are {', '.join(SCHEMES)},"
                " points<n>, or the path of a .json file"
            )
        return _plain(int(number))
    n = check_integer(scheme, "the number of landmarks", 1, MAX_LANDMARKS)
    return _BY_NUMBER.get(n) or _plain(n)


def _plain(n: int) -> LandmarkScheme:
    return LandmarkScheme(f"points{n}", n)


def _read_scheme(path: Path) -> LandmarkScheme:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_SCHEME_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DataFormatError(f"cannot be read: {error}", path) from None
    if len(data) > MAX_SCHEME_BYTES:
        raise DataFormatError("larger than 1 MiB; not a landmark scheme", path)
    try:
        return LandmarkScheme.from_dict(json.loads(data.decode("utf-8")))
    except json.JSONDecodeError as error:
        raise DataFormatError(f"not JSON: {error.msg}", path, error.lineno) from None
    except InvalidInputError as error:
        raise DataFormatError(str(error), path) from None
    except (ValueError, RecursionError, TypeError) as error:
        raise DataFormatError(f"not a landmark scheme: {error}", path) from None


def convert_landmarks(
    points: ArrayLike, source: LandmarkScheme | str, target: LandmarkScheme | str
) -> NDArray[np.float32]:
    """Take points of one built-in scheme to another that has fewer.

    From `ibug68`: `ibug51`, `ibug49`, `dlib5`; from `ibug51`: `ibug49`, `dlib5`; from `ibug49`:
    `dlib5`; from `wflw98`: all of these and `ibug68`. The way from `wflw98` is approximate: its
    jaw points are spread by other rules, its eyelids are cut elsewhere.

    Parameters
    ----------
    points : array-like, shape (..., n_landmarks, 2)
    source, target : LandmarkScheme or str

    Returns
    -------
    ndarray of float32, shape (..., n_target, 2)

    Raises
    ------
    InvalidInputError
        No such conversion, or points that are not of the source.
    """
    source, target = get_scheme(source), get_scheme(target)
    points = check_landmarks(points, source.n_landmarks)
    if source == target:
        return points
    indices = _CONVERSIONS.get((source.name, target.name))
    known = [name for origin, name in _CONVERSIONS if origin == source.name]
    if indices is None or SCHEMES[source.name] != source or SCHEMES[target.name] != target:
        raise InvalidInputError(
            f"no conversion from {source.name} to {target.name}; {source.name} converts to"
            f" {', '.join(known) or 'no other scheme'}"
        )
    return points[..., indices, :]
