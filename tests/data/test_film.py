from __future__ import annotations

import numpy as np
import pytest

from classicface.data.synthetic import (
    Actor,
    FaceParameters,
    blink_lids,
    draw_face,
    photograph_film,
    synthetic_film,
)
from classicface.exceptions import InvalidInputError


def still(x: float) -> Actor:
    return Actor(FaceParameters(), (x, 60.0), 60.0)


def test_a_film_has_exact_points_and_fresh_noise() -> None:
    frames = list(synthetic_film([lambda t: still(50 + 30 * t)], 3, fps=10, size=(120, 110)))
    assert [frame.time for frame in frames] == [0.0, 0.1, 0.2]
    assert frames[0].image.shape == (110, 120, 3)
    moved = frames[2].landmarks - frames[0].landmarks
    np.testing.assert_allclose(moved, np.broadcast_to([6.0, 0.0], moved.shape), atol=1e-3)
    calm = list(synthetic_film([lambda t: still(50)], 2, size=(120, 110), noise=0))
    np.testing.assert_array_equal(calm[0].image, calm[1].image)
    noisy = list(synthetic_film([lambda t: still(50)], 2, size=(120, 110), noise=4))
    spread = (noisy[0].image.astype(float) - noisy[1].image).std()
    assert 4 < spread < 7


def test_later_actors_stand_in_front() -> None:
    faces = [FaceParameters(skin=1.0), FaceParameters(skin=0.0)]
    actors = [lambda t, face=face: Actor(face, (60.0, 60.0), 60.0) for face in faces]
    (behind,) = synthetic_film(actors[:1], 1, size=(120, 110), noise=0)
    (both,) = synthetic_film(actors, 1, size=(120, 110), noise=0)
    expected, points = draw_face(faces[1], canvas=behind.image, center=(60.0, 60.0), face_size=60.0)
    np.testing.assert_array_equal(both.image, expected)
    np.testing.assert_array_equal(both.landmarks[1], points)


def test_lids_follow_the_script() -> None:
    assert blink_lids(0.0, [1.0]) == 0.0
    assert blink_lids(1.07, [1.0, 3.0], duration=0.2) == pytest.approx(1.0)
    assert blink_lids(1.3, [1.0, 3.0], duration=0.2) == 0.0
    values = [blink_lids(1 + t, [1.0], 0.4) for t in np.linspace(0, 0.4, 41)]
    assert max(values) == pytest.approx(1.0, abs=0.01)
    assert min(values) >= 0


def test_a_camera_over_a_photograph_takes_the_points_along() -> None:
    picture, points = draw_face(size=100)
    corner = (1.5, 0.2, -10.0, 4.0)
    (frame,) = photograph_film(picture, points, lambda t: corner, 1, size=(150, 160), noise=0)
    x, y = points[30]
    expected = (1.5 * x - 0.2 * y - 10, 0.2 * x + 1.5 * y + 4)
    np.testing.assert_allclose(frame.landmarks[0, 30], expected, rtol=1e-5)
    across, down = np.round(frame.landmarks[0, 30]).astype(int)
    there = frame.image[down, across].astype(int)
    assert np.abs(there - picture[round(float(y)), round(float(x))]).max() < 30


def test_films_refuse_nonsense() -> None:
    for arguments in ({"fps": 0.0}, {"size": (0, 10)}, {"noise": -1.0}, {"n_frames": 0}):
        values = {"n_frames": 1, **arguments}
        with pytest.raises(InvalidInputError):
            list(synthetic_film([lambda t: still(50)], **values))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="at least one actor"):
        list(synthetic_film([], 1))
