"""Films on scripted paths, of synthetic faces or over a photograph: every point is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic._scene import background
from classicface.data.synthetic.faces import draw_face
from classicface.data.synthetic.parameters import FaceParameters
from classicface.exceptions import InvalidInputError
from classicface.shape.similarity import apply_similarity
from classicface.validation import check_integer, check_number

__all__ = ["Actor", "FilmFrame", "blink_lids", "photograph_film", "synthetic_film"]

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Actor:
    """How a face looks at one moment, and where.

    Parameters
    ----------
    face : FaceParameters
    center : tuple of float
        x and y of the pivot of the head in the picture; see `draw_face`.
    face_size : float
        The longer side, in pixels, of the landmark box of a mean face from the front.
    """

    face: FaceParameters
    center: tuple[float, float]
    face_size: float


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """One frame of a film.

    Attributes
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        RGB.
    time : float
        In seconds from the first frame.
    landmarks : ndarray of float32, shape (n_actors, 68, 2)
        The exact points, those of hidden faces too.
    """

    image: NDArray[np.uint8]
    time: float
    landmarks: NDArray[np.float32]


def synthetic_film(
    actors: Sequence[Callable[[float], Actor]],
    n_frames: int,
    *,
    fps: float = 30.0,
    size: tuple[int, int] = (640, 480),
    noise: float = 2.0,
    random_state: int = 0,
) -> Iterator[FilmFrame]:
    """Draw a film, frame by frame.

    Parameters
    ----------
    actors : sequence of callable
        Each takes the time in seconds and returns an `Actor`. Later ones are drawn in front.
    n_frames : int
    fps : float, default 30
    size : tuple of int, default (640, 480)
        Width and height.
    noise : float, default 2
        Standard deviation of the sensor's noise, in grey levels; new in each frame.
    random_state : int, default 0
        Of the background, which stands still, and of the noise.

    Yields
    ------
    FilmFrame

    Raises
    ------
    InvalidInputError
        A parameter out of its range, or no actor.
    """
    n_frames = check_integer(n_frames, "n_frames", 1)
    fps = check_number(fps, "fps", 0.01, 10_000.0)
    noise = check_number(noise, "noise", 0.0, 100.0)
    width, height = (check_integer(side, "size", 16, 8192) for side in size)
    if not actors:
        raise InvalidInputError("a film needs at least one actor")
    rng = np.random.default_rng(check_integer(random_state, "random_state", 0))
    scene = background(height, width, rng)
    for i in range(n_frames):
        picture, points = scene, []
        for actor in actors:
            now = actor(i / fps)
            picture, landmarks = draw_face(
                now.face, canvas=picture, center=now.center, face_size=now.face_size
            )
            points.append(landmarks)
        yield FilmFrame(_grainy(picture, noise, rng), i / fps, np.stack(points))


def blink_lids(time: float, starts: Sequence[float], duration: float = 0.2) -> float:
    """Return how far the lids are closed, 0 to 1, in a script of blinks.

    Parameters
    ----------
    time : float
        In seconds.
    starts : sequence of float
        When each blink begins, in seconds.
    duration : float, default 0.2
        From open to open: the lids fall in the first third and rise in the rest.
    """
    closed = 0.0
    for start in starts:
        passed = (time - start) / duration
        if 0.0 <= passed <= 1.0:
            phase = passed / 0.35 if passed < 0.35 else (1.0 - passed) / 0.65
            closed = max(closed, math.sin(0.5 * math.pi * phase) ** 2)
    return closed


def photograph_film(
    picture: NDArray[np.uint8],
    landmarks: NDArray[np.floating],
    camera: Callable[[float], tuple[float, float, float, float]],
    n_frames: int,
    *,
    fps: float = 30.0,
    size: tuple[int, int] = (640, 480),
    noise: float = 2.0,
    random_state: int = 0,
) -> Iterator[FilmFrame]:
    """Move a camera over a photograph: a film of a real face with exact landmarks.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width) or (height, width, 3)
    landmarks : ndarray, shape (n_landmarks, 2)
        Of a face in the photograph.
    camera : callable
        Takes the time in seconds and returns the similarity (a, b, tx, ty) from the photograph to
        the frame; see `classicface.shape.similarity`. Beyond the photograph its border is repeated.
    n_frames, fps, size, noise, random_state
        See `synthetic_film`.

    Yields
    ------
    FilmFrame
        With the landmarks of one face, shape (1, n_landmarks, 2).
    """
    colour = np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture
    rng = np.random.default_rng(random_state)
    for i in range(n_frames):
        a, b, tx, ty = camera(i / fps)
        matrix = np.array([[a, -b, tx], [b, a, ty]])
        frame = cv2.warpAffine(
            colour, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        points = apply_similarity(matrix[[0, 1, 0, 1], [0, 0, 2, 2]], landmarks)
        yield FilmFrame(_grainy(frame, noise, rng), i / fps, points[None].astype(np.float32))


def _grainy(picture: NDArray[np.uint8], noise: float, rng: np.random.Generator) -> Picture:
    """Return a picture with a sensor's noise of a standard deviation in grey levels."""
    if noise == 0:
        return picture
    grain = noise * rng.standard_normal((*picture.shape[:2], 1), np.float32)
    return np.clip(picture + grain + 0.5, 0, 255).astype(np.uint8)
