"""The parts of a face, told from a scheme's regions and lines, whatever the scheme is called.

An application asks for the parts that it needs; a scheme that lacks one is refused by name. Sides
are the subject's: the right eye is on the left of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import Indices, LandmarkScheme, get_scheme

__all__ = ["PARTS", "FaceParts", "face_parts"]


@dataclass(frozen=True)
class FaceParts:
    """Indices of the landmarks of each part; empty where a scheme lacks the part.

    Attributes
    ----------
    right_eye, left_eye : tuple of int
        The eyelids as a closed loop of an even number of points, which begins in one corner; the
        other corner is half way round, so that point i faces point -i of the other lid.
    right_brow, left_brow : tuple of int
        Along the brow, from one end to the other; around it where `brows_closed` is set.
    outer_lips, inner_lips : tuple of int
        The lips as closed loops from the right corner of the mouth over the upper lip.
    mouth_corners : tuple of int
        The right corner of the mouth, then the left one.
    nose : tuple of int
        All points of the nose.
    nose_tip : tuple of int
        The tip of the nose alone.
    jaw : tuple of int
        The outline of the face from one side to the other.
    brows_closed : bool
        Whether the brows are outlines rather than lines.
    """

    right_eye: Indices = ()
    left_eye: Indices = ()
    right_brow: Indices = ()
    left_brow: Indices = ()
    outer_lips: Indices = ()
    inner_lips: Indices = ()
    mouth_corners: Indices = ()
    nose: Indices = ()
    nose_tip: Indices = ()
    jaw: Indices = ()
    brows_closed: bool = False


#: Name of a part -> what it is called in a message.
PARTS = {
    "right_eye": "the lids of the right eye",
    "left_eye": "the lids of the left eye",
    "right_brow": "the right brow",
    "left_brow": "the left brow",
    "outer_lips": "the outer edge of the lips",
    "inner_lips": "the inner edge of the lips",
    "mouth_corners": "the corners of the mouth",
    "nose": "the nose",
    "nose_tip": "the tip of the nose",
    "jaw": "the jaw",
}


def face_parts(
    scheme: LandmarkScheme | str, needs: tuple[str, ...] = (), purpose: str = "this"
) -> FaceParts:
    """Find the parts of a face in a scheme.

    A part is found by the scheme's regions (``right_eye``, ``left_eye``, ``right_brow``,
    ``left_brow``, ``mouth``, ``nose``, ``jaw``) and the lines that lie within one. The corners of
    the mouth are those of its outer lips, or the two points of a mouth that has no more, the right
    one first. The tip of the nose is the point of the region ``nose_tip``; without one it is the
    last point of the nose on the face's middle line that does not lie between the nostrils.

    Parameters
    ----------
    scheme : LandmarkScheme or str
    needs : tuple of str
        Parts that the caller cannot do without, names of `PARTS`.
    purpose : str
        What they are needed for, as the message puts it.

    Returns
    -------
    FaceParts

    Raises
    ------
    InvalidInputError
        The scheme lacks a part that is needed.

    Examples
    --------
    >>> face_parts("ibug68", ("right_eye",), "blinks").right_eye
    (36, 37, 38, 39, 40, 41)
    """
    chosen = get_scheme(scheme)
    loops = _lines_within(chosen, closed=True)
    strokes = _lines_within(chosen, closed=False)
    lips = [line for line in loops("mouth") if len(line) % 2 == 0]
    brows = [loops(side) or strokes(side) for side in ("right_brow", "left_brow")]
    parts = FaceParts(
        right_eye=_longest(line for line in loops("right_eye") if len(line) % 2 == 0),
        left_eye=_longest(line for line in loops("left_eye") if len(line) % 2 == 0),
        right_brow=_longest(brows[0]),
        left_brow=_longest(brows[1]),
        outer_lips=lips[0] if lips else (),
        inner_lips=_with_corners(chosen, *lips[:2]) if len(lips) > 1 else (),
        mouth_corners=_mouth_corners(chosen, lips),
        nose=chosen.regions.get("nose", ()),
        nose_tip=_nose_tip(chosen, strokes("nose")),
        jaw=_longest(strokes("jaw")),
        brows_closed=bool(loops("right_brow") and loops("left_brow")),
    )
    missing = [PARTS[name] for name in needs if not getattr(parts, name)]
    if missing:
        raise InvalidInputError(
            f"{purpose} needs {', '.join(missing)}, which the scheme {chosen.name} does not have"
        )
    return parts


def _lines_within(scheme: LandmarkScheme, *, closed: bool) -> Callable[[str], list[Indices]]:
    """Return a function from a region's name to the lines whose points all lie within it."""

    def within(region: str) -> list[Indices]:
        inside = set(scheme.regions.get(region, ()))
        return [line for line, shut in scheme.lines if shut == closed and inside.issuperset(line)]

    return within


def _with_corners(scheme: LandmarkScheme, outer: Indices, inner: Indices) -> Indices:
    """Return the inner edge of the lips; a scheme without its corners lends those of the outer."""
    half = len(inner) // 2
    if not scheme.mirror or scheme.mirror[inner[0]] == inner[half]:
        return inner
    return (outer[0], *inner[:half], outer[len(outer) // 2], *inner[half:])


def _mouth_corners(scheme: LandmarkScheme, lips: list[Indices]) -> Indices:
    if lips:
        return lips[0][0], lips[0][len(lips[0]) // 2]
    mouth = scheme.regions.get("mouth", ())
    return mouth if len(mouth) == 2 else ()


def _nose_tip(scheme: LandmarkScheme, strokes: list[Indices]) -> Indices:
    named = scheme.regions.get("nose_tip", ())
    if len(named) == 1 or not scheme.mirror:
        return named if len(named) == 1 else ()
    # The line below the nose crosses the middle; without one, a lone point may be tip or base.
    below = {i for line in strokes if any(scheme.mirror[i] != i for i in line) for i in line}
    middle = [i for i in scheme.regions.get("nose", ()) if scheme.mirror[i] == i and i not in below]
    return (middle[-1],) if below and middle else ()


def _longest(lines: Iterable[Indices]) -> Indices:
    return max(lines, key=len, default=())
