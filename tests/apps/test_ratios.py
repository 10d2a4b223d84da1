"""Aspect ratios of eyes and mouth: values by hand, other schemes, the turn of the head."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.apps.ratios import (
    eye_aspect_ratio,
    eye_aspect_ratios,
    mouth_aspect_ratio,
    opening,
)
from classicface.data.synthetic import FaceParameters, draw_face
from classicface.exceptions import InvalidInputError
from classicface.shape.schemes import LandmarkScheme, convert_landmarks, get_scheme


def face(**changes):
    return draw_face(FaceParameters(**changes), size=200)[1]


TURNED = face(yaw=15, mouth_open=0.4)


def test_equation_1_of_soukupova_and_cech():
    p = face(yaw=8, eyes_closed=(0.2, 0.4))
    for side, first in enumerate((36, 42)):
        e = p[first : first + 6].astype(float)
        ear = np.linalg.norm(e[1] - e[5]) + np.linalg.norm(e[2] - e[4])
        ear /= 2 * np.linalg.norm(e[0] - e[3])
        assert eye_aspect_ratios(p)[side] == pytest.approx(ear, rel=1e-6)


def test_the_nearer_eye_has_the_say():
    front = eye_aspect_ratio(face())
    for yaw in (-40, -30, -20, -10, 10, 20, 30, 40):
        turned = face(yaw=yaw)
        error = abs(eye_aspect_ratio(turned) / front - 1)
        assert error < (0.03 if abs(yaw) <= 20 else 0.07)
        if abs(yaw) >= 20:
            assert error < 0.5 * abs(eye_aspect_ratios(turned).mean() / front - 1)


@pytest.mark.parametrize("pitch", [-30, -20, 20, 30])
def test_a_known_pitch_is_corrected(pitch):
    front, turned = eye_aspect_ratio(face()), face(pitch=pitch)
    assert eye_aspect_ratio(turned) < 0.93 * front
    assert eye_aspect_ratio(turned, pitch=pitch) == pytest.approx(front, rel=0.04)
    assert eye_aspect_ratio(turned, pitch=np.nan) == eye_aspect_ratio(turned)


def test_closure_is_linear_in_the_lids():
    ears = [eye_aspect_ratio(face(eyes_closed=(c, c))) for c in (0.0, 0.25, 0.5, 0.75, 1.0)]
    np.testing.assert_allclose(np.array(ears) / ears[0], [1, 0.75, 0.5, 0.25, 0], atol=0.03)


@settings(max_examples=30)
@given(st.floats(0.2, 50), st.floats(-180, 180), st.floats(-500, 500))
def test_neither_scale_nor_roll_nor_place_matter(scale, degrees, shift):
    p = TURNED
    a = np.radians(degrees)
    turn = scale * np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    moved = p @ turn + shift
    assert eye_aspect_ratio(moved) == pytest.approx(float(eye_aspect_ratio(p)), rel=1e-2)
    assert mouth_aspect_ratio(moved) == pytest.approx(float(mouth_aspect_ratio(p)), rel=1e-2)


@pytest.mark.parametrize("name", ["ibug51", "ibug49"])
def test_subsets_agree_with_the_68(name):
    p = face(yaw=10, mouth_open=0.5)
    q = convert_landmarks(p, "ibug68", name)
    assert eye_aspect_ratio(q, name) == pytest.approx(eye_aspect_ratio(p))
    assert mouth_aspect_ratio(q, name) == pytest.approx(mouth_aspect_ratio(p), rel=0.3)


@pytest.mark.parametrize("name", ["wflw98", "lfpw29"])
def test_loops_of_eight_and_four(name):
    scheme = get_scheme(name)
    points = np.zeros((scheme.n_landmarks, 2), np.float32)
    for region, x in (("right_eye", 0.0), ("left_eye", 60.0)):
        loop = next(
            line
            for line, closed in scheme.lines
            if closed and set(line) <= set(scheme.regions[region])
        )
        n = len(loop)
        for i, index in enumerate(loop):
            angle = np.pi - 2 * np.pi * i / n
            points[index] = x + 20 * np.cos(angle), -8 * np.sin(angle)
    heights = {8: 8 * 2 * (1 + np.sqrt(2)) / 3, 4: 16.0}[n]
    np.testing.assert_allclose(eye_aspect_ratios(points, name), heights / 40, rtol=1e-5)


def test_many_faces_at_once():
    faces = np.stack([face(yaw=y) for y in (-20, 0, 20)])
    one_by_one = [eye_aspect_ratio(p, pitch=5) for p in faces]
    np.testing.assert_allclose(eye_aspect_ratio(faces, pitch=[5, 5, 5]), one_by_one)
    assert eye_aspect_ratios(faces).shape == (3, 2)
    assert mouth_aspect_ratio(faces).shape == (3,)


def test_missing_points():
    p = face()
    whole = eye_aspect_ratio(p)
    p[37] = np.nan  # one of two pairs of the right eye
    assert eye_aspect_ratio(p) == pytest.approx(whole, rel=0.1)
    p[36:42] = np.nan
    assert eye_aspect_ratio(p) == pytest.approx(eye_aspect_ratios(p)[1])
    assert np.isnan(eye_aspect_ratios(p)[0])
    p[42:48] = np.nan
    assert np.isnan(eye_aspect_ratio(p))


def test_an_eye_in_one_place_has_no_ratio():
    p = face()
    p[36:48] = 10
    assert np.isnan(eye_aspect_ratio(p))
    height, width = opening(p, (36, 37, 38, 39, 40, 41))
    assert (height, width) == (0, 0)


def test_the_mouth_opens():
    ratios = [mouth_aspect_ratio(face(mouth_open=m)) for m in (0, 0.5, 1)]
    assert ratios[0] < 0.05 < 0.2 < ratios[1] < ratios[2]


def test_bad_input():
    with pytest.raises(InvalidInputError, match=r"lids of the right eye.*dlib5"):
        eye_aspect_ratio(np.zeros((5, 2)), "dlib5")
    with pytest.raises(InvalidInputError, match="51 landmarks a face; expected 68"):
        eye_aspect_ratio(np.zeros((51, 2)))
    bare = LandmarkScheme("bare", 3)
    with pytest.raises(InvalidInputError, match="inner edge of the lips"):
        mouth_aspect_ratio(np.zeros((3, 2)), bare)
