"""LandmarkScheme: what each landmark is and what it becomes in a mirror.

Sides are the subject's: the right eye is on the left of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.validation import check_integer, check_landmarks

__all__ = ["MAX_LANDMARKS", "Indices", "LandmarkScheme"]

#: A scheme with more points than this is refused.
MAX_LANDMARKS = 10_000

Indices = tuple[int, ...]


@dataclass(frozen=True)
class LandmarkScheme:
    """The meaning of a set of landmarks.

    Parameters
    ----------
    name : str
    n_landmarks : int
    regions : mapping of str to tuple of int
        Named parts, the points of each.
    mirror : tuple of int
        ``mirror[i]`` is the index that point i has in the mirrored picture; empty where unknown.
    outer_eyes : tuple of two int, optional
        The outer corners of the right and of the left eye; their distance is the inter-ocular
        normaliser.
    eyes : tuple of two tuples of int, optional
        The points whose mean is the right pupil, and those of the left; for the inter-pupil
        normaliser.
    lines : tuple of (tuple of int, bool)
        Polylines for drawing; the flag says whether the line is closed.

    Raises
    ------
    InvalidInputError
        An index out of range, or a mirror that does not lead back when applied twice.
    """

    name: str
    n_landmarks: int
    regions: Mapping[str, Indices] = field(default_factory=dict, hash=False)
    mirror: Indices = ()
    outer_eyes: tuple[int, int] | None = None
    eyes: tuple[Indices, Indices] | None = None
    lines: tuple[tuple[Indices, bool], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not 0 < len(self.name) <= 100:
            raise InvalidInputError("a scheme's name must be a text of 1 to 100 characters")
        n = check_integer(self.n_landmarks, f"n_landmarks of scheme {self.name}", 1, MAX_LANDMARKS)
        if not isinstance(self.regions, Mapping):
            raise InvalidInputError(f"regions of scheme {self.name}: expected names with indices")
        regions = {str(key): self._indices(v, f"region {key}") for key, v in self.regions.items()}
        mirror = self._indices(self.mirror, "mirror")
        if mirror and (len(mirror) != n or any(mirror[j] != i for i, j in enumerate(mirror))):
            raise InvalidInputError(
                f"mirror of scheme {self.name}: expected {n} indices, each pair naming each other"
                " (mirror[mirror[i]] == i), or none at all"
            )
        outer = None if self.outer_eyes is None else self._indices(self.outer_eyes, "outer_eyes")
        if outer is not None and (len(outer) != 2 or outer[0] == outer[1]):
            raise InvalidInputError(f"outer_eyes of scheme {self.name}: expected two points")
        eyes = None
        if self.eyes is not None:
            eyes = tuple(self._indices(eye, "eyes") for eye in _sequence(self.eyes, "eyes"))
            if len(eyes) != 2 or not all(eyes):
                raise InvalidInputError(f"eyes of scheme {self.name}: expected two sets of points")
        lines = tuple(self._line(line) for line in _sequence(self.lines, "lines"))
        checked = {"n_landmarks": n, "regions": regions, "mirror": mirror, "outer_eyes": outer}
        for key, value in {**checked, "eyes": eyes, "lines": lines}.items():
            object.__setattr__(self, key, value)

    def _indices(self, values: Any, what: str) -> Indices:
        what = f"{what} of scheme {self.name}"
        values = _sequence(values, what)
        return tuple(check_integer(i, what, 0, self.n_landmarks - 1) for i in values)

    def _line(self, line: Any) -> tuple[Indices, bool]:
        parts = _sequence(line, "lines")
        if len(parts) != 2 or not isinstance(parts[1], bool):
            raise InvalidInputError(
                f"lines of scheme {self.name}: expected pairs of indices and true (closed) or false"
            )
        return self._indices(parts[0], "lines"), parts[1]

    def to_dict(self) -> dict[str, Any]:
        """Return the scheme as a dict that JSON can hold."""
        return {
            "name": self.name,
            "n_landmarks": self.n_landmarks,
            "regions": {key: list(value) for key, value in self.regions.items()},
            "mirror": list(self.mirror),
            "outer_eyes": None if self.outer_eyes is None else list(self.outer_eyes),
            "eyes": None if self.eyes is None else [list(eye) for eye in self.eyes],
            "lines": [[list(indices), closed] for indices, closed in self.lines],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LandmarkScheme:
        """Build a scheme from what `to_dict` gives; ``name`` and ``n_landmarks`` are enough.

        Raises
        ------
        InvalidInputError
            An entry is missing, unknown, or not what it should be.
        """
        if not isinstance(content, Mapping):
            raise InvalidInputError("a scheme must be a dict with name and n_landmarks")
        missing = [key for key in ("name", "n_landmarks") if key not in content]
        if missing:
            raise InvalidInputError(f"the scheme has no entry {' and no entry '.join(missing)}")
        unknown = sorted(str(key)[:40] for key in content if key not in _ENTRIES)
        if unknown:
            raise InvalidInputError(
                f"the scheme has the unknown entry {unknown[0]!r}; known are {', '.join(_ENTRIES)}"
            )
        return cls(**content)

    def mirror_points(self, points: ArrayLike, width: float) -> NDArray[np.float32]:
        """Return the points as they lie in the mirrored picture.

        Parameters
        ----------
        points : array-like, shape (..., n_landmarks, 2)
        width : float
            Of the picture, in pixels; x becomes width - 1 - x.

        Raises
        ------
        InvalidInputError
            The scheme has no mirror, or the points are not of this scheme.
        """
        if not self.mirror:
            raise InvalidInputError(
                f"scheme {self.name} does not say what its points become in a mirror;"
                " give a scheme with a mirror (docs/schemes.md)"
            )
        points = check_landmarks(points, self.n_landmarks)
        mirrored = points[..., self.mirror, :].copy()
        mirrored[..., 0] = width - 1 - mirrored[..., 0]
        return mirrored

    def subset(self, name: str, keep: Sequence[int]) -> LandmarkScheme:
        """Return the scheme of some of the points, in the order of `keep`.

        Regions and lines keep the points that are left; the mirror is kept where `keep` holds
        both points of each pair.
        """
        place = {old: new for new, old in enumerate(self._indices(keep, "keep"))}
        if len(place) != len(keep):
            raise InvalidInputError("keep names a point twice")

        def left(indices: Indices) -> Indices:
            return tuple(place[i] for i in indices if i in place)

        regions = {key: left(value) for key, value in self.regions.items() if left(value)}
        paired = bool(self.mirror) and all(self.mirror[i] in place for i in place)
        outer = left(self.outer_eyes or ())
        eyes = [left(eye) for eye in self.eyes or ()]
        return LandmarkScheme(
            name,
            len(keep),
            regions,
            tuple(place[self.mirror[i]] for i in place) if paired else (),
            (outer[0], outer[1]) if len(outer) == 2 else None,
            (eyes[0], eyes[1]) if eyes and all(eyes) else None,
            tuple((left(line), shut) for line, shut in self.lines if len(left(line)) > 1),
        )


_ENTRIES = tuple(LandmarkScheme.__dataclass_fields__)


def _sequence(values: Any, what: str) -> Sequence[Any]:
    if not isinstance(values, (list, tuple, range)) or len(values) > MAX_LANDMARKS:
        raise InvalidInputError(f"{what}: expected a list of at most {MAX_LANDMARKS} entries")
    return values
