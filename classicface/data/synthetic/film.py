"""Films of synthetic faces on scripted paths: every point of every frame is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic._scene import background
from classicface.data.synthetic.faces import draw_face
from classicface.data.synthetic.parameters import FaceParameters
from classicface.exceptions import InvalidInputError
from classicface.validation import check_integer, check_number

__all__ = ["Actor", "FilmFrame", "blink_lids", "synthetic_film"]


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
        if noise:
            grain = noise * rng.standard_normal((height, width, 1), np.float32)
            picture = np.clip(picture + grain + 0.5, 0, 255).astype(np.uint8)
        yield FilmFrame(picture, i / fps, np.stack(points))


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
