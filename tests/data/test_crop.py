import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.data.crop import crop_face
from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import landmark_box


def ramp(height, width):
    """Return a picture whose value is x/4 + y/8, and that function."""
    y, x = np.mgrid[:height, :width]
    return (x / 4 + y / 8).astype(np.uint8)


def test_a_picture_within_the_margin_comes_through_unchanged():
    image = ramp(60, 70)
    landmarks = np.array([[20, 20], [50, 45]], np.float32)
    box = landmark_box(landmarks)
    cut, points, cut_box, origin = crop_face(image, landmarks, box, 0.7, 100)
    assert cut is image
    assert origin == (0, 0, 1)
    np.testing.assert_array_equal(points, landmarks)
    np.testing.assert_array_equal(cut_box, box)


@given(
    st.tuples(st.integers(150, 400), st.integers(150, 400)),
    st.tuples(st.floats(0, 140), st.floats(0, 140)),
    st.floats(20, 200),
    st.floats(0, 1),
    st.integers(16, 200),
)
def test_the_face_stays_where_it_was_in_the_picture(shape, place, size, margin, max_side):
    rng = np.random.default_rng(0)
    landmarks = (place + rng.uniform(0, size, (5, 2))).astype(np.float32)
    landmarks[2] = np.nan
    box = landmark_box(landmarks) + np.float32([-3, 2, 4, 5])
    image = ramp(*shape)
    cut, points, cut_box, (x, y, scale) = crop_face(image, landmarks, box, margin, max_side)
    assert max(cut.shape) <= max_side
    assert scale <= 1
    np.testing.assert_allclose(points / scale + [x, y], landmarks, atol=1e-3)
    np.testing.assert_allclose(cut_box / scale + [x, y, x, y], box, atol=1e-3)
    # The grey of the cut picture is that of the place in the original that the origin tells.
    v, u = np.mgrid[: cut.shape[0], : cut.shape[1]]
    expected = (u / scale + x) / 4 + (v / scale + y) / 8
    inner = np.s_[: max(1, cut.shape[0] - 1), : max(1, cut.shape[1] - 1)]
    np.testing.assert_allclose(cut[inner] + 0.5, expected[inner], atol=1.6)


def test_the_margin_is_kept_around_landmarks_and_box():
    image = ramp(500, 500)
    landmarks = np.array([[200, 200], [300, 280]], np.float32)
    cut, _, _, (x, y, scale) = crop_face(image, landmarks, landmark_box(landmarks), 0.5, 1000)
    assert (x, y, scale) == (149, 149, 1)
    assert cut.shape == (183, 203)
    assert cut.base is None  # the whole picture is not kept alive


def test_a_face_outside_is_refused():
    landmarks = np.array([[200, 200], [300, 280]], np.float32)
    with pytest.raises(InvalidInputError, match="outside the picture of 100 x 90"):
        crop_face(ramp(90, 100), landmarks, landmark_box(landmarks), 2.0, 480)
