"""Face patches: exact geometry, no aliasing, bounded memory whatever the box."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.exceptions import InvalidInputError
from classicface.image.patch import FacePatch, face_patch

shifts = st.floats(-30, 230)


def bilinear(image, points):
    """Sample an image at points inside it, shape (n, 2)."""
    x, y = np.asarray(points, float).T
    left = np.clip(np.floor(x).astype(int), 0, image.shape[1] - 2)
    top = np.clip(np.floor(y).astype(int), 0, image.shape[0] - 2)
    u, v = x - left, y - top
    corners = image.astype(float)
    upper = (1 - u) * corners[top, left] + u * corners[top, left + 1]
    lower = (1 - u) * corners[top + 1, left] + u * corners[top + 1, left + 1]
    return (1 - v) * upper + v * lower


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("center", [(100, 90), (10, 5), (195, 178), (0, 90), (140, 179)])
@pytest.mark.parametrize("side", [7.3, 25.0, 80.0, 119.9, 161.0, 400.0])
@pytest.mark.parametrize("face_size", [40, 81])
def test_a_gradient_keeps_its_place(axis, center, side, face_size):
    """The value at from_image(p) is the picture's at p, up to rounding at each halving."""
    errors = []
    for slope in (103.7 / side, -103.7 / side):  # 1 to 3 levels for each pixel of the patch
        x = np.mgrid[:181, :203][1 - axis]
        image = np.rint(np.clip(128 + slope * (x - center[axis]), 0, 255)).astype(np.uint8)
        patch = face_patch(image, np.array(center, float), side, face_size, 0.5)
        # Beyond the outermost centres of the pixels, of patch and picture, nothing rises.
        rim = np.maximum(0.5, patch.scale)
        size = np.array(patch.pixels.shape[::-1])
        places = np.random.default_rng(0).uniform(rim, size - 1 - rim, (3000, 2))
        expected = 128 + slope * (patch.to_image(places)[:, axis] - center[axis])
        errors.append(bilinear(patch.pixels, places) - expected)
    assert np.abs(errors).max() < 2
    # Halving rounds upwards; a shift would show with both signs.
    assert abs(np.mean(errors[0] - errors[1])) / 2 < 0.12


@given(x=shifts, y=shifts, side=st.floats(1, 500), face_size=st.integers(8, 120))
def test_there_and_back(x, y, side, face_size):
    image = np.zeros((150, 200), np.uint8)
    patch = face_patch(image, np.array([x, y]), side, face_size, 0.5)
    points = np.array([[[0.0, 0.0], [x, y]], [[-70.5, 199.0], [x + side, y - side]]])
    tolerance = 1e-3 + 1e-6 * np.abs(patch.from_image(points)).max() / patch.scale.min()
    np.testing.assert_allclose(patch.to_image(patch.from_image(points)), points, atol=tolerance)
    assert patch.from_image(points).dtype == patch.to_image(points).dtype == np.float32


@given(x=shifts, y=shifts, side=st.floats(20, 500), face_size=st.integers(20, 120))
def test_the_face_has_the_size_that_was_asked_for(x, y, side, face_size):
    image = np.zeros((150, 200), np.uint8)
    patch = face_patch(image, np.array([x, y]), side, face_size, 0.5)
    assert patch.pixels.dtype == np.uint8
    assert min(patch.pixels.shape) >= 1
    height, width = np.array(patch.pixels.shape) / (patch.scale[::-1] * image.shape)
    assert width <= 1 + 1e-6
    assert height <= 1 + 1e-6
    if min(patch.pixels.shape) > 20:  # the scale is that of whole pixels
        np.testing.assert_allclose(patch.scale * side, face_size, rtol=0.03)


def test_a_patch_inside_the_picture_reaches_the_margin():
    patch = face_patch(np.zeros((400, 400), np.uint8), np.array([200.0, 200.0]), 80.0, 80, 0.5)
    assert patch.pixels.shape == (160, 160)
    np.testing.assert_allclose(patch.from_image(np.array([160.0, 160.0])), [40, 40])


@pytest.mark.parametrize("center", [(-50, -50), (150, 300), (-1e6, 20), (80, 1e6)])
def test_a_face_outside_gives_the_nearest_rim(center):
    image = np.full((100, 120), 7, np.uint8)
    patch = face_patch(image, np.array(center, float), 30.0, 40, 0.2)
    assert min(patch.pixels.shape) >= 1
    assert np.all(patch.pixels == 7)


@pytest.mark.parametrize("offset", [0, 1])
def test_fine_patterns_do_not_alias(offset):
    y, x = np.mgrid[:640, :640]
    checkerboard = (255 * ((x + y) % 2)).astype(np.uint8)
    stripes = (255 * (x % 2)).astype(np.uint8)
    for image in (checkerboard, stripes):
        patch = face_patch(image, np.array([320.0 + offset, 320.0]), 640.0, 80, 0.0)
        assert np.ptp(patch.pixels.astype(int)) <= 2
        assert abs(patch.pixels.mean() - 127.5) <= 2


def test_shrinking_averages_noise():
    noise = np.random.default_rng(0).integers(0, 256, (800, 800), dtype=np.uint8)
    patch = face_patch(noise, np.array([400.0, 400.0]), 800.0, 100, 0.0)
    assert patch.pixels.std() < noise.std() / 4


@pytest.mark.parametrize("side", [0.0, -3.0, 0.99, 1e-9])
def test_a_box_of_less_than_a_pixel_is_refused(side):
    with pytest.raises(InvalidInputError, match="at least 1"):
        face_patch(np.zeros((50, 50), np.uint8), np.array([20.0, 20.0]), side, 80, 0.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (3, 1000)])
@pytest.mark.parametrize("side", [1.0, 50.0, 2000.0, 2e6])
def test_pictures_of_few_pixels(shape, side):
    image = np.full(shape, 9, np.uint8)
    patch = face_patch(image, np.array([0.5, 0.5]), side, 80, 0.5)
    assert np.all(patch.pixels == 9)
    assert np.all(patch.scale > 0)
    assert np.isfinite(patch.offset).all()


@pytest.mark.parametrize("side", [1.0, 1.5, 3.0, 1e3, 1e6])
@pytest.mark.parametrize("center", [(1000, 1000), (0, 0), (1e6, -1e6)])
def test_memory_is_bounded_for_extreme_boxes(side, center):
    """A patch has at most the face's surroundings, plus a pixel of the picture on each side."""
    image = np.zeros((2000, 2000), np.uint8)
    tracemalloc.start()
    patch = face_patch(image, np.array(center, float), side, 80, 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(patch.pixels.shape) <= 80 * (2 + 2 / side) + 1
    assert peak < image.size // 2


@settings(max_examples=200)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    center=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    side=st.floats(1, 2e6),
    face_size=st.integers(8, 64),
    margin=st.floats(0, 2),
)
def test_any_box_gives_a_patch(shape, center, side, face_size, margin):
    image = np.full(shape, 200, np.uint8)
    patch = face_patch(image, np.array(center), side, face_size, margin)
    assert isinstance(patch, FacePatch)
    assert np.all(patch.pixels == 200)
    assert max(patch.pixels.shape) <= face_size * (1 + 2 * margin + 2 / side) + 1


def test_the_picture_is_left_alone():
    image = np.arange(3600, dtype=np.uint16).reshape(60, 60).astype(np.uint8)
    before = image.copy()
    patch = face_patch(image, np.array([30.0, 30.0]), 40.0, 40, 0.2)
    patch.pixels[:] = 0
    np.testing.assert_array_equal(image, before)
