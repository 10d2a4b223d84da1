"""The frontal warp: a face bent onto a mean face, triangle by triangle."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.align._input import (
    check_border,
    check_face,
    check_margin,
    check_size,
    fit_template,
)
from classicface.apps.align.templates import ChipTemplate, Reading, get_template, read_face
from classicface.exceptions import InvalidInputError
from classicface.image.colors import check_colors
from classicface.image.crop import Size, halve, halvings, span
from classicface.shape.mesh import TriangleMesh
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.shape.similarity import apply_similarity, invert_similarity
from classicface.validation import check_flag, check_number

__all__ = ["FrontalFace", "frontalize"]

Floats = NDArray[np.float64]

#: OpenCV reads from no picture with a longer side.
_MOST_READ = 32_000

#: A triangle whose picture is stretched more than this has no way back.
_FOLDED = 1e3


@dataclass(frozen=True, eq=False)
class FrontalFace:
    """A face bent onto a mean face, and the way back into its picture.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
    mask : ndarray of bool, shape (height, width)
        Where the pixels are those of the face: inside the hull of its points, in triangles that
        the picture shows and that are not stretched beyond measure.
    landmarks : ndarray of float32, shape (n_landmarks, 2)
        All points of the face as they lie in the warped picture: on the mean face where it has
        them, NaN where they are missing or outside the triangles.
    transform : ndarray of float64, shape (4,)
        The similarity that lays the points on the mean face before they are bent onto it; at the
        border of a chip with surroundings nothing else is left of the warp.
    shown : float
        The share of the mean face's area that the mask keeps. Falls as the head turns away.
    source, target : ndarray of float64, shape (n_points, 2)
        The corners of the triangles in the picture and in the warped picture.
    triangles : ndarray of int32, shape (n_triangles, 3)
        Those that are not folded in the picture.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    landmarks: NDArray[np.float32]
    transform: Floats
    shown: float
    source: Floats
    target: Floats
    triangles: NDArray[np.int32]

    def to_chip(self, points: ArrayLike) -> Floats:
        """Take points, (n, 2), from the picture to the warped one; NaN outside the triangles."""
        return _moved(self.source, self.target, self.triangles, points)

    def to_image(self, points: ArrayLike) -> Floats:
        """Take points, (n, 2), from the warped picture back; NaN outside the triangles."""
        return _moved(self.target, self.source, self.triangles, points)


def frontalize(
    image: ArrayLike,
    landmarks: ArrayLike,
    scheme: LandmarkScheme | str,
    template: ChipTemplate | str = "all",
    *,
    size: Size | None = None,
    margin: float = 0.0,
    border: int | str = "repeat",
    surroundings: bool = False,
    max_stretch: float = 4.0,
) -> FrontalFace:
    """Bend a face onto a mean face by a piecewise-affine warp.

    The points and the mean face are joined into the same triangles (Delaunay, over the mean face);
    each triangle of the picture is drawn onto that of the mean face by the affine map that its
    corners say. All faces then have one form: pose, build and expression are taken out as far as
    the points tell of them. Nothing is invented: what the picture does not show is not there.

    Parameters
    ----------
    image : array-like
        Grey, RGB or RGBA; see `classicface.validation.check_image`.
    landmarks : array-like, shape (n_landmarks, 2)
        NaN where a point is missing; the triangles are then laid without it.
    scheme : LandmarkScheme or str
    template : ChipTemplate or str, default "all"
        The mean face: the built-in one serves ibug68, what it converts to, and wflw98. For others
        ``ChipTemplate.of_shape(mean_shape, scheme)``.
    size, margin, border
        As in `align_face`.
    surroundings : bool, default False
        Whether to draw what lies around the points too, bent smoothly into the plain chip
        towards its border; else it is black.
    max_stretch : float, default 4.0
        Triangles that are stretched more than this many times as much as the whole face, in any
        direction, are left out of the mask; at least 1.

    Returns
    -------
    FrontalFace

    Raises
    ------
    InvalidInputError
        As `align_face`; or the points of the face have no area.

    Notes
    -----
    A triangle is folded where its corners go round the other way in the picture: the far cheek of
    a face that looks aside, closed lips. Folded and over-stretched triangles are drawn, but they
    are not in the mask.
    """
    picture, chosen = check_colors(image), get_scheme(scheme)
    laid = get_template(template)
    width, height = check_size(size, laid.size)
    margin, beyond = check_margin(margin), check_border(border)
    check_flag(surroundings, "surroundings")
    max_stretch = check_number(max_stretch, "max_stretch", 1.0, _FOLDED)
    face = check_face(landmarks, chosen)
    reading = read_face(laid, chosen)
    places = laid.resized(reading.places, width, height, margin)
    transform, points, _ = fit_template(laid, reading, face, places)
    there = ~np.isnan(points[:, 0])
    source, target = points[there], places[there]
    n_face = len(target)
    if surroundings:
        ring = _ring(width, height)
        target = np.concatenate([target, ring])
        source = np.concatenate([source, apply_similarity(invert_similarity(transform), ring)])
    grid = _lay_grid(target.tobytes(), n_face, width, height)
    steps = grid.inverse @ source[grid.triangles]
    stretch = _stretch(steps[:, :2]) * float(np.hypot(*invert_similarity(transform)[:2]))
    x, y = grid.sources(steps, source.mean(axis=0))
    pixels = _resample(picture, x, y, transform, beyond)
    pixels[grid.owner == len(steps)] = 0
    mask = np.append(grid.facial & (stretch <= max_stretch), False)[grid.owner]
    mask &= (x >= -0.5) & (x <= picture.shape[1] - 0.5)
    mask &= (y >= -0.5) & (y <= picture.shape[0] - 0.5)
    if not mask.any():
        raise InvalidInputError(
            "the picture shows nothing of the face; are the landmarks inside it, and in order?"
        )
    shown = float(mask.sum() / np.append(grid.facial, False)[grid.owner].sum())
    sound = np.ascontiguousarray(grid.triangles[stretch < _FOLDED])
    in_chip = _place_landmarks(face, reading, source, target, sound)
    return FrontalFace(pixels, mask, in_chip, transform, shown, source, target, sound)


@dataclass(frozen=True, eq=False)
class _Grid:
    """The triangles over a mean face, and which pixel lies in which.

    Parameters
    ----------
    triangles : ndarray of int32, shape (n_triangles, 3)
    facial : ndarray of bool, shape (n_triangles,)
        Whether all corners are points of the face.
    inverse : ndarray of float64, shape (n_triangles, 3, 3)
        (x, y, 1) @ inverse are the barycentric coordinates of a point.
    owner : ndarray of int16, shape (height, width)
        The triangle of each pixel; n_triangles outside.
    """

    triangles: NDArray[np.int32]
    facial: NDArray[np.bool_]
    inverse: Floats
    owner: NDArray[np.int16]

    def sources(
        self, steps: Floats, outside: Floats
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return where in the picture each pixel comes from, x and y; `outside` for those of none.

        `steps` take (x, y, 1) of each triangle to the picture, (n_triangles, 3, 2).
        """
        height, width = self.owner.shape
        rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width)
        beside = np.concatenate([np.zeros((2, 2)), outside[None]])
        along = np.concatenate([steps, beside[None]]).astype(np.float32).reshape(-1, 6)[self.owner]
        x = along[..., 0] * columns + along[..., 2] * rows + along[..., 4]
        y = along[..., 1] * columns + along[..., 3] * rows + along[..., 5]
        return x.astype(np.float32), y.astype(np.float32)


def _ring(width: int, height: int) -> Floats:
    """Return the corners of a chip and the middles of its sides, a pixel outside it."""
    xs, ys = (-1.0, (width - 1) / 2, float(width)), (-1.0, (height - 1) / 2, float(height))
    return np.array([(x, y) for y in ys for x in xs if (x, y) != (xs[1], ys[1])])


@functools.lru_cache(maxsize=8)
def _lay_grid(target: bytes, n_face: int, width: int, height: int) -> _Grid:
    """Triangulate a mean face, and find the triangle of each pixel of its chip."""
    points = np.frombuffer(target).reshape(-1, 2)
    mesh = TriangleMesh.delaunay(points)
    corners = points[mesh.triangles]
    inverse = np.linalg.inv(np.concatenate([corners, np.ones((len(corners), 3, 1))], axis=2))
    owner = np.full((height, width), len(corners), np.int16)
    for t, triangle in enumerate(corners):
        low = np.maximum(np.ceil(triangle.min(axis=0) - 1e-9), 0).astype(int)
        high = np.minimum(np.floor(triangle.max(axis=0) + 1e-9) + 1, (width, height)).astype(int)
        if (low >= high).any():
            continue
        x, y = np.arange(low[0], high[0]), np.arange(low[1], high[1])[:, None, None]
        weights = x[:, None] * inverse[t][0] + y * inverse[t][1] + inverse[t][2]
        owner[low[1] : high[1], low[0] : high[0]][(weights >= -1e-9).all(axis=2)] = t
    facial = np.all(mesh.triangles < n_face, axis=1)
    return _Grid(mesh.triangles, np.asarray(facial), inverse, owner)


def _stretch(maps: Floats) -> Floats:
    """Return how many chip pixels a picture pixel becomes, at most; infinite where it is folded.

    `maps` are the linear parts from the chip to the picture, (n_triangles, 2, 2). Their smaller
    singular value follows from the determinant, its product with the larger one, and the sum of
    squares of all entries, which is that of both.
    """
    determinant = np.linalg.det(maps)
    squares = np.sum(maps * maps, axis=(1, 2))
    larger = np.sqrt(np.maximum(squares + 2 * determinant, 0))
    smaller = (larger - np.sqrt(np.maximum(squares - 2 * determinant, 0))) / 2
    return np.where(smaller > 1e-12, 1 / np.maximum(smaller, 1e-12), np.inf)


def _resample(
    picture: NDArray[np.uint8],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    transform: Floats,
    border: int | None,
) -> NDArray[np.uint8]:
    """Read a picture at (x, y), halved first where a chip of this similarity calls for it."""
    import cv2

    level = halvings(float(np.hypot(*invert_similarity(transform)[:2])))
    share = 0.5**level
    x, y = (x + 0.5) * share - 0.5, (y + 0.5) * share - 0.5
    x0, x1 = span((float(x.min()), float(x.max())), max(picture.shape[1] >> level, 1))
    y0, y1 = span((float(y.min()), float(y.max())), max(picture.shape[0] >> level, 1))
    pixels = picture[y0 << level : y1 << level, x0 << level : x1 << level]
    for _ in range(level):
        pixels = halve(pixels)
    if max(pixels.shape) > _MOST_READ:
        raise InvalidInputError("the landmarks are spread too far beyond their face")
    drawn = cv2.remap(
        pixels,
        x - np.float32(x0),
        y - np.float32(y0),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT,
        borderValue=(border or 0,) * 4,
    )
    return np.asarray(drawn, np.uint8)


def _place_landmarks(
    face: Floats, reading: Reading, source: Floats, target: Floats, triangles: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return all landmarks in the warped picture; those that are corners lie on the mean face."""
    missing = np.isnan(face[:, 0]).tolist()
    there = [group for group in reading.groups if not any(missing[i] for i in group)]
    corners = {group[0]: k for k, group in enumerate(there) if len(group) == 1}
    placed = np.full(face.shape, np.nan, np.float32)
    placed[list(corners)] = target[list(corners.values())]
    others = [i for i in range(len(face)) if i not in corners]
    if others:
        placed[others] = _moved(source, target, triangles, face[others])
    return placed


def _moved(
    source: Floats, target: Floats, triangles: NDArray[np.int32], points: ArrayLike
) -> Floats:
    """Take points along with the triangles that they lie in."""
    array = np.asarray(points, np.float64)
    if array.ndim == 0 or array.shape[-1] != 2:
        raise InvalidInputError(f"points have shape {array.shape}; expected (..., 2)")
    triangle, weights = TriangleMesh(source, triangles).locate(array.reshape(-1, 2))
    moved = np.einsum("nv,nvd->nd", weights, target[triangles[triangle]])
    moved[triangle < 0] = np.nan
    return moved.reshape(array.shape)
