"""How make-up is put on: its kinds in their order, each a layer over the window of a face."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.apps.makeup._canvas import Canvas, Layer, Steady
from classicface.apps.makeup._colors import Paint
from classicface.apps.makeup._eyes import brows, eyeshadow, liner
from classicface.apps.makeup._face import Face
from classicface.apps.makeup._kernels import paint, smooth
from classicface.apps.makeup._lips import lipstick
from classicface.apps.makeup._skin import FOREHEAD, blush, find_skin, smoothing
from classicface.apps.makeup.settings import NEEDS, Makeup
from classicface.exceptions import InvalidInputError
from classicface.image.colors import rgb_copy
from classicface.shape.parts import FaceParts, face_parts
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_landmarks

__all__ = ["Studio", "spread"]

Picture = NDArray[np.uint8]


@functools.lru_cache(maxsize=32)
def _parts(scheme: LandmarkScheme, kinds: tuple[str, ...]) -> FaceParts:
    """Return the parts of a face, having made sure that each kind of make-up has those it needs."""
    parts = FaceParts()
    for kind in kinds:
        purpose, needed = NEEDS[kind]
        parts = face_parts(scheme, needed, purpose)
    return parts


class Studio:
    """Some make-up and the parts of a face by a scheme.

    Parameters
    ----------
    makeup : Makeup
    scheme : LandmarkScheme or str

    Raises
    ------
    InvalidInputError
        The scheme lacks a part that the make-up needs.
    """

    def __init__(self, makeup: Makeup, scheme: LandmarkScheme | str) -> None:
        if not isinstance(makeup, Makeup):
            raise InvalidInputError(f"makeup is {makeup!r}; expected a Makeup")
        self.makeup, self.scheme = makeup, get_scheme(scheme)
        self.parts = _parts(self.scheme, makeup.kinds)

    def paint(
        self, image: ArrayLike, landmarks: ArrayLike, steady: Callable[[int], Steady]
    ) -> Picture:
        """Put the make-up on every face of a copy of a picture.

        Parameters
        ----------
        image, landmarks
            As `classicface.apps.makeup.apply_makeup` takes them.
        steady : callable
            From the number of a face to what keeps its colour statistics steady.
        """
        picture = rgb_copy(image)
        points = check_landmarks(landmarks, self.scheme.n_landmarks)
        original = picture.copy() if points.ndim == 3 and len(points) > 1 else picture
        for i, face in enumerate(points.reshape(-1, self.scheme.n_landmarks, 2)):
            # Measured on the picture without make-up, so that the order of the faces is no matter.
            for canvas, _, layers in list(self.layers(original, face, steady(i))):
                for layer in layers:
                    _lay(canvas, layer, picture)
        return picture

    def layers(
        self, picture: Picture, points: NDArray[np.float32], steady: Steady
    ) -> Iterator[tuple[Canvas, str, list[Layer]]]:
        """Yield the layers of each kind of make-up for a face, in the order of putting them on."""
        face, kinds = Face.of(points, self.parts), self.makeup.kinds
        for names, margin, max_unit, painted in _CANVASES:
            chosen = [kind for kind in painted if kind in kinds]
            if face is None or not chosen:
                continue
            found = points[[i for name in names for i in getattr(self.parts, name)]]
            found = found[~np.isnan(found[:, 0])]
            if len(found) == 0:
                continue
            low, high = found.min(axis=0), found.max(axis=0)
            pad = margin * face.unit + 2.0
            box = np.concatenate([low - pad, high + pad])
            canvas = Canvas.cut(picture, face, box, max_unit, steady)
            if canvas is not None:
                for kind, layers in self._layers(canvas, chosen):
                    yield canvas, kind, layers

    def _layers(self, canvas: Canvas, kinds: list[str]) -> Iterator[tuple[str, list[Layer]]]:
        makeup = self.makeup
        skin = find_skin(canvas) if {"smooth", "blush"} & set(kinds) else None
        for kind in kinds:
            value: Paint | float = getattr(makeup, kind)
            if skin is not None and isinstance(value, float):
                yield kind, smoothing(canvas, value, skin)
            elif isinstance(value, Paint):
                if kind == "lipstick":
                    yield kind, lipstick(canvas, value, makeup.gloss)
                elif kind != "blush":
                    yield kind, _AROUND_EYES[kind](canvas, value)
                elif skin is not None:
                    yield kind, blush(canvas, value, skin)


_AROUND_EYES = {"eyeshadow": eyeshadow, "brows": brows, "liner": liner}

#: What is painted on one canvas: the parts that it holds, its margin around them in units, the
#: greatest unit of a face on it in pixels, and the kinds of make-up. Skin needs no detail.
_CANVASES: tuple[tuple[tuple[str, ...], float, float, tuple[str, ...]], ...] = (
    (
        ("jaw", "right_eye", "left_eye", "right_brow", "left_brow", "outer_lips", "nose"),
        FOREHEAD,
        36.0,
        ("smooth", "blush"),
    ),
    (
        ("right_eye", "left_eye", "right_brow", "left_brow"),
        0.36,
        140.0,
        ("eyeshadow", "brows", "liner"),
    ),
    (("outer_lips",), 0.32, 140.0, ("lipstick",)),
)


def _lay(canvas: Canvas, layer: Layer, picture: Picture) -> None:
    """Change the picture under a layer, in place."""
    scale = canvas.scale
    (y0, y1), (x0, x1) = ((side.start, side.stop) for side in layer.window)
    left, top = 0.0, 0.0
    if scale != 1.0:
        # All pixels of the picture that lie within one canvas pixel of the window.
        first = [max(0, math.floor((start - 0.5) / scale - 0.5)) for start in (x0, y0)]
        last = [math.ceil((stop + 0.5) / scale) + 1 for stop in (x1, y1)]
        left, top = x0 - scale * first[0], y0 - scale * first[1]
        (x0, y0), (x1, y1) = first, (min(*pair) for pair in zip(last, canvas.size, strict=True))
    area = np.array([x0 + canvas.origin[0], y0 + canvas.origin[1], x1 - x0, y1 - y0], np.int64)
    weights = np.ascontiguousarray(layer.weights, np.float32)
    if layer.ink is None:
        smooth(weights, scale, left, top, area, picture)
    else:
        paint(weights, scale, left, top, layer.ink, area, picture)


def spread(canvas: Canvas, layer: Layer, out: NDArray[np.float32]) -> None:
    """Lay the weights of a layer over the canvas's window of the picture, the greater winning."""
    import cv2

    weights = layer.weights if layer.weights.ndim == 2 else layer.weights[:, :, 6]
    small = np.zeros(canvas.lab.shape[:2], np.float32)
    small[layer.window] = weights
    if canvas.scale != 1.0:
        shift = 0.5 * canvas.scale - 0.5
        matrix = np.array([[canvas.scale, 0.0, shift], [0.0, canvas.scale, shift]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        small = cv2.warpAffine(small, matrix, canvas.size, flags=flags)
    np.maximum(out, small, out=out)
