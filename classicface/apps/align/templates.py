"""Templates of chips: where which points of a face are wanted, and how a scheme's points serve."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.align import _tables
from classicface.exceptions import InvalidInputError
from classicface.shape.parts import PARTS, face_parts
from classicface.shape.schemes import (
    SCHEMES,
    Indices,
    LandmarkScheme,
    convert_landmarks,
    get_scheme,
)
from classicface.validation import check_integer, check_landmarks, check_number

__all__ = ["TEMPLATES", "ChipTemplate", "Reading", "get_template", "read_face"]

Floats = NDArray[np.float64]

#: The sides of chips that are made, in pixels.
MIN_SIZE, MAX_SIZE = 8, 2048

#: Ways to read a face that need no scheme's name: how many points each gives.
_WAYS = {"eyes": 2, "five": 5}


@dataclass(frozen=True, eq=False)
class ChipTemplate:
    """Where a chip shows the points of a face.

    Parameters
    ----------
    name : str
    size : int
        The side of the chip that the places are given in, in pixels.
    places : mapping of str to ndarray, shape (n, 2)
        What is read of a face, and where that lies in the chip: ``"eyes"``, the centres of the
        right and of the left eye; ``"five"``, these, the tip of the nose and the right and left
        corner of the mouth; or the name of a scheme, all its points, NaN for those that are not
        used. Where there are several, the first that a face's scheme can give is taken.
    in_picture : bool, default False
        Whether the least squares are those of distances in the picture, from the places laid on
        the face, as dlib has them, rather than of distances in the chip. The scale differs, by
        more the less a face looks like the template.

    Raises
    ------
    InvalidInputError
        Places of another number, fewer than two, or all in one place.
    """

    name: str
    size: int
    places: Mapping[str, NDArray[np.floating]]
    in_picture: bool = False

    def __post_init__(self) -> None:
        check_integer(self.size, "size of the template", MIN_SIZE, MAX_SIZE)
        if not self.places:
            raise InvalidInputError(f"template {self.name} has no places")
        for way, places in self.places.items():
            n = _WAYS.get(way)
            checked = check_landmarks(places, n)
            there = checked[~np.isnan(checked[..., 0])]
            if checked.ndim != 2 or len(there) < 2 or np.ptp(there, axis=0).max() < 1e-3:
                raise InvalidInputError(
                    f"template {self.name}, {way}: expected at least two different places, (n, 2)"
                )

    @classmethod
    def of_eyes(cls, right: ArrayLike, left: ArrayLike, size: int) -> ChipTemplate:
        """Return the template that puts the eye centres on two places.

        Parameters
        ----------
        right, left : array-like, shape (2,)
            Places of the subject's right and left eye in a chip of `size` pixels.
        size : int
        """
        return cls("eyes", size, {"eyes": np.array([right, left], np.float64)})

    @classmethod
    def of_shape(
        cls,
        mean_shape: ArrayLike,
        scheme: LandmarkScheme | str,
        size: int = 112,
        margin: float = 0.2,
    ) -> ChipTemplate:
        """Return the template that lays a face on a mean shape, by all points.

        Parameters
        ----------
        mean_shape : array-like, shape (n_landmarks, 2)
            Of any scale and place, such as ``PointDistributionModel.mean``.
        scheme : LandmarkScheme or str
        size : int, default 112
        margin : float, default 0.2
            What the chip shows beyond the box of the mean shape on each side, in longer sides of
            that box.
        """
        chosen = get_scheme(scheme)
        mean = check_landmarks(mean_shape, chosen.n_landmarks).astype(np.float64)
        size = check_integer(size, "size of the template", MIN_SIZE, MAX_SIZE)
        margin = check_number(margin, "margin", 0.0, 4.0)
        low, high = np.nanmin(mean, axis=0), np.nanmax(mean, axis=0)
        side = float((high - low).max())
        if not side > 0:
            raise InvalidInputError("the points of the mean shape coincide")
        scale = size / (1 + 2 * margin) / side
        places = scale * (mean - (low + high) / 2) + (size - 1) / 2
        return cls("all", size, {chosen.name: places})

    def resized(self, places: Floats, width: int, height: int, margin: float) -> Floats:
        """Take places in the template's own chip to one of another size.

        The height says the scale, the width how much is shown beside. The centre of the chip stays
        its centre, and a pixel the same share of the chip: p becomes (p + 0.5) s - 0.5.
        """
        scale = height / self.size / (1 + 2 * margin)
        middle = np.array([width - 1, height - 1]) / 2
        return scale * (places - (self.size - 1) / 2) + middle


@functools.cache
def _templates() -> dict[str, ChipTemplate]:
    five = _tables.arcface_places()
    dlib = {"ibug68": _tables.dlib68_places(), "dlib5": _tables.dlib5_places()}
    every = ChipTemplate.of_shape(_tables.mean_face(), "ibug68")
    made = (
        ChipTemplate("arcface112", 112, {"five": five}),
        ChipTemplate("dlib150", 150, dlib, in_picture=True),
        ChipTemplate.of_eyes(five[0], five[1], 112),
        every,
    )
    return {template.name: template for template in made}


#: Names of the built-in templates.
TEMPLATES = ("arcface112", "dlib150", "eyes", "all")


def get_template(template: ChipTemplate | str) -> ChipTemplate:
    """Return a template; a built-in one by its name.

    Raises
    ------
    InvalidInputError
        There is none of this name.
    """
    if isinstance(template, ChipTemplate):
        return template
    known = _templates()
    if not isinstance(template, str) or template not in known:
        raise InvalidInputError(
            f"unknown template {str(template)[:100]!r}; there are {', '.join(known)}, or give a"
            " ChipTemplate"
        )
    return known[template]


@dataclass(frozen=True, eq=False)
class Reading:
    """How the points of a scheme serve a template.

    Parameters
    ----------
    groups : tuple of tuples of int
        The mean of each group of landmarks is one of the points.
    places : ndarray of float64, shape (n_groups, 2)
        Where they are wanted, in the template's own chip.
    """

    groups: tuple[Indices, ...]
    places: Floats

    @functools.cached_property
    def _rows(self) -> tuple[NDArray[np.intp], NDArray[np.intp] | None, Floats]:
        """All indices in one row, where each group begins (None: all are single), their sizes."""
        indices = np.array([i for group in self.groups for i in group])
        counts = np.array([len(group) for group in self.groups])
        starts = None if counts.max() == 1 else np.cumsum(counts) - counts
        return indices, starts, counts[:, None].astype(float)

    def points(self, landmarks: Floats) -> Floats:
        """Return the points of a face, shape (n_groups, 2); NaN where one of a group is missing."""
        indices, starts, counts = self._rows
        if starts is None:
            return landmarks[indices]
        return np.add.reduceat(landmarks[indices], starts, axis=0) / counts


@functools.lru_cache(maxsize=64)
def read_face(template: ChipTemplate, scheme: LandmarkScheme) -> Reading:
    """Say how the points of a scheme serve a template.

    Raises
    ------
    InvalidInputError
        The scheme lacks what the template needs.
    """
    found = _reading(template, scheme)
    if found is not None:
        return found
    fitting = [name for name, other in _templates().items() if _reading(other, scheme)]
    advice = f"; it has what {' and '.join(fitting)} need" if fitting else ""
    raise InvalidInputError(
        f"template {template.name} needs {' or '.join(_wants(template, scheme))}, which the scheme"
        f" {scheme.name} does not have{advice}; ChipTemplate.of_shape makes a template of a mean"
        " shape of any scheme"
    )


def _reading(template: ChipTemplate, scheme: LandmarkScheme) -> Reading | None:
    for way in sorted(template.places, key=lambda name: name != scheme.name):
        places = np.asarray(template.places[way], np.float64)
        if way in _WAYS:
            groups = tuple(_groups(way, scheme).values())
        else:
            groups, places = _by_scheme(way, scheme, places)
        used = np.flatnonzero(~np.isnan(places[:, 0]))
        if len(used) >= 2 and all(groups[i] for i in used):
            return Reading(tuple(groups[i] for i in used), places[used])
    return None


def _groups(way: str, scheme: LandmarkScheme) -> dict[str, Indices]:
    """Return the landmarks whose means are the points of a way; empty where the scheme has none."""
    parts = face_parts(scheme)
    right, left = scheme.eyes or ((), ())
    groups = {"right_eye": parts.right_eye or right, "left_eye": parts.left_eye or left}
    if way == "five":
        groups["nose_tip"] = parts.nose_tip
        groups["mouth_corners"] = parts.mouth_corners[:1]
        groups["left_corner"] = parts.mouth_corners[1:]
    return groups


def _by_scheme(
    way: str, scheme: LandmarkScheme, places: Floats
) -> tuple[tuple[Indices, ...], Floats]:
    """Return the landmarks of a scheme that are those of another, and their places."""
    if scheme.name == way and scheme.n_landmarks == len(places):
        return tuple((i,) for i in range(len(places))), places
    taken = _taken(scheme, way)
    if taken and len(taken) == len(places):
        return tuple((i,) for i in taken), places
    kept = _taken(way, scheme)
    if kept and SCHEMES[way].n_landmarks == len(places):
        return tuple((i,) for i in range(len(kept))), places[list(kept)]
    return (), np.zeros((0, 2))


def _taken(source: LandmarkScheme | str, target: LandmarkScheme | str) -> Indices:
    """Return which points of a scheme make up another; none where it does not convert."""
    try:
        numbers = np.arange(get_scheme(source).n_landmarks)
        kept = convert_landmarks(np.column_stack([numbers, numbers]), source, target)
    except InvalidInputError:
        return ()
    return tuple(int(i) for i in kept[:, 0])


def _wants(template: ChipTemplate, scheme: LandmarkScheme) -> list[str]:
    """Return what a template asks of a scheme in vain, one text for each of its ways."""
    texts = []
    for way in template.places:
        if way not in _WAYS:
            texts.append(f"the points of {way}")
            continue
        missing = [name for name, group in _groups(way, scheme).items() if not group]
        texts.append(", ".join(PARTS[name] for name in missing if name in PARTS))
    return texts
