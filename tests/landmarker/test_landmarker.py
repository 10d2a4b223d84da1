from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut

import classicface
from classicface import Landmarker
from classicface.data.synthetic import FilmFrame
from classicface.exceptions import InvalidInputError, ModelFormatError


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker("ert68", "haar")


def test_faces_of_a_photograph(landmarker: Landmarker) -> None:
    faces = landmarker.detect(astronaut())
    assert len(faces) == 1
    assert faces.landmarks.shape == (1, 68, 2)
    assert faces.fits[0] > 0.5
    assert faces.ids.tolist() == [0]
    assert faces.scores[0] > 0
    expected = landmarker.predictor.predict(astronaut(), faces.boxes)
    np.testing.assert_array_equal(faces.landmarks, expected)


def test_boxes_may_be_given(landmarker: Landmarker) -> None:
    right, wrong = [170, 65, 270, 185], [330, 330, 430, 430]
    faces = landmarker.detect(astronaut(), [right, wrong])
    assert np.isnan(faces.scores).all()
    assert faces.fits[0] > 0.5 > faces.fits[1]
    chosen = Landmarker("ert68", "haar", min_fit=0.5).detect(astronaut(), [right, wrong])
    assert len(chosen) == 1
    np.testing.assert_array_equal(chosen.boxes[0], np.float32(right))


def test_no_face_is_no_error(landmarker: Landmarker) -> None:
    faces = landmarker.detect(np.zeros((100, 100), np.uint8))
    assert len(faces) == 0
    assert faces.landmarks.shape == (0, 68, 2)


def test_half_a_face_outside_the_picture(landmarker: Landmarker) -> None:
    picture = astronaut()[:, 220:]
    faces = landmarker.detect(picture, [[-50, 65, 50, 185]])
    assert np.isfinite(faces.landmarks).all()
    assert faces.fits[0] < landmarker.detect(astronaut()).fits[0]


def test_a_predictor_of_the_users_own(walk: list[FilmFrame]) -> None:
    own = Landmarker(classicface.load("ert68"), lambda image: [[80, 60, 200, 180]])
    assert own.scheme.name == "ibug68"
    pairs = list(own.track(walk[:3]))
    assert [frame.time for frame, _ in pairs] == [frame.time for frame in walk[:3]]


def test_bad_input_is_refused(landmarker: Landmarker) -> None:
    with pytest.raises(ModelFormatError, match="no such model"):
        Landmarker("nonsense")
    with pytest.raises(InvalidInputError, match="unknown face detector"):
        Landmarker("ert68", "nonsense")
    with pytest.raises(InvalidInputError, match="not fitted"):
        Landmarker(classicface.ERTFitter())
    with pytest.raises(InvalidInputError, match="min_fit"):
        Landmarker(min_fit=2.0)
    with pytest.raises(InvalidInputError, match="image has shape"):
        landmarker.detect(np.zeros(5, np.uint8))


def test_selecting_faces(landmarker: Landmarker) -> None:
    faces = landmarker.detect(astronaut(), [[170, 65, 270, 185], [300, 300, 450, 450]])
    assert faces.select([1, 0]).ids.tolist() == [1, 0]
    assert faces.select(np.array([True, False])).ids.tolist() == [0]
    assert len(faces.select([])) == 0
    assert faces.largest().ids.tolist() == [1]
