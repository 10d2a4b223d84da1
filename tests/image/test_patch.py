"""Face patches: small faces are left alone; large ones keep their geometry and do not alias."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classicface.exceptions import InvalidInputError
from classicface.image.patch import FacePatch, face_patch

shifts = st.floats(-30, 230)


def halvings(patch):
    """Return how often the picture was halved."""
    count = round(-np.log2(patch.scale))
    assert patch.scale == 0.5**count
    assert count >= 0
    return count


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("center", [(100, 90), (10, 5), (195, 178), (0, 90), (140, 179)])
@pytest.mark.parametrize("side", [25.0, 80.0, 119.9, 161.0, 400.0])
@pytest.mark.parametrize("largest", [12, 40, 81])
def test_a_gradient_keeps_its_place(axis, center, side, largest):
    """Each pixel has the value of the picture at its centre, up to rounding at each halving."""
    image = np.mgrid[20:201, :203][1 - axis].astype(np.uint8)
    patch = face_patch(image, center, side, largest, 0.5)
    y, x = np.indices(patch.pixels.shape)
    places = patch.to_image(np.stack([x, y], axis=-1))
    expected = places[..., axis] + 20 * axis
    assert np.abs(patch.pixels - expected).max() <= 0.5 * halvings(patch) + 1e-3


@given(
    seed=st.integers(0, 2**32 - 1),
    x=shifts,
    y=shifts,
    side=st.floats(1, 900),
    largest=st.integers(2, 120),
    margin=st.floats(0, 1),
)
def test_each_pixel_is_the_mean_of_a_square(seed, x, y, side, largest, margin):
    image = np.random.default_rng(seed).integers(0, 256, (150, 200), dtype=np.uint8)
    patch = face_patch(image, (x, y), side, largest, margin)
    count = halvings(patch)
    width = 2**count
    # The middle of the first square; its first pixel is a whole one.
    first = patch.to_image(np.zeros(2)) - (width - 1) / 2
    column, row = np.rint(first).astype(int)
    np.testing.assert_allclose(first, [column, row], atol=1e-3)
    height, length = patch.pixels.shape
    part = image[row : row + height * width, column : column + length * width].astype(float)
    means = part.reshape(height, width, length, width).mean(axis=(1, 3))
    assert np.abs(patch.pixels - means).max() <= 0.5 * count + 1e-9


@given(
    x=shifts,
    y=shifts,
    side=st.floats(1, 500),
    largest=st.integers(8, 600),
    height=st.sampled_from([1, 2, 150]),
)
@example(x=150.0, y=0.0, side=20.0, largest=8, height=1)
def test_there_and_back(x, y, side, largest, height):
    image = np.zeros((height, 200), np.uint8)
    patch = face_patch(image, (x, y), side, largest, 0.5)
    points = np.array([[[0.0, 0.0], [x, y]], [[-70.5, 199.0], [x + side, y - side]]])
    there = patch.from_image(points)
    np.testing.assert_allclose(there, points * patch.scale + patch.offset, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(patch.to_image(there), points, atol=1e-3)
    assert there.dtype == patch.to_image(there).dtype == np.float32


@given(x=shifts, y=shifts, side=st.floats(1, 500), largest=st.floats(2, 600))
def test_the_face_is_halved_until_it_is_small_enough(x, y, side, largest):
    image = np.zeros((150, 200), np.uint8)
    patch = face_patch(image, (x, y), side, largest, 0.5)
    assert patch.pixels.dtype == np.uint8
    assert patch.pixels.flags.c_contiguous
    if min(patch.pixels.shape) > 1:
        assert side * patch.scale < largest
    if halvings(patch):
        assert side * patch.scale >= largest / 2


@given(x=shifts, y=shifts, side=st.floats(1, 500), margin=st.floats(0, 2))
def test_a_small_face_costs_nothing(x, y, side, margin):
    image = np.zeros((150, 200), np.uint8)
    patch = face_patch(image, (x, y), side, np.nextafter(side, np.inf), margin)
    assert patch.pixels is image
    assert (patch.scale, patch.offset) == (1.0, (0.0, 0.0))


@pytest.mark.parametrize("margin", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("side", "scale"), [(79.9, 1.0), (80.0, 0.5), (160.0, 0.25)])
def test_what_is_kept_of_a_large_face(margin, side, scale):
    """The margin on each side, up to what does not fill a pixel of the patch."""
    patch = face_patch(np.zeros((700, 600), np.uint8), (300.0, 340.0), side, 80, margin)
    assert patch.scale == scale
    if scale == 1.0:
        assert patch.pixels.shape == (700, 600)
        return
    half = side * (0.5 + margin)
    low = patch.to_image(np.array([-0.5, -0.5]))
    high = patch.to_image(np.array(patch.pixels.shape[::-1]) - 0.5)
    np.testing.assert_allclose(low, [300 - half, 340 - half], atol=1.1)
    assert np.all(high <= np.array([300, 340]) + half + 1)
    assert np.all(high > np.array([300, 340]) + half - 1 / scale - 1)


@pytest.mark.parametrize("center", [(-50, -50), (150, 300), (-1e6, 20), (80, 1e6)])
def test_a_large_face_outside_gives_the_nearest_rim(center):
    y, x = np.indices((100, 120))
    nearest = np.clip(center, 0, [119, 99])
    for axis, image in enumerate((x.astype(np.uint8), y.astype(np.uint8))):
        patch = face_patch(image, center, 1.0, 1.0, 0.2)
        assert patch.scale == 1.0  # a line of one pixel cannot be halved
        np.testing.assert_allclose(patch.to_image(np.zeros(2)), nearest, atol=1)
        rows, columns = np.indices(patch.pixels.shape)
        places = patch.to_image(np.stack([columns, rows], axis=-1))
        np.testing.assert_array_equal(places[..., axis], patch.pixels)


@pytest.mark.parametrize("offset", [0, 1])
def test_fine_patterns_do_not_alias(offset):
    y, x = np.mgrid[:640, :640]
    checkerboard = (255 * ((x + y) % 2)).astype(np.uint8)
    stripes = (255 * (x % 2)).astype(np.uint8)
    for image in (checkerboard, stripes):
        patch = face_patch(image, (320.0 + offset, 320.0), 640.0, 80, 0.0)
        assert np.ptp(patch.pixels.astype(int)) <= 2
        assert abs(patch.pixels.mean() - 127.5) <= 2


def test_shrinking_averages_noise():
    noise = np.random.default_rng(0).integers(0, 256, (800, 800), dtype=np.uint8)
    patch = face_patch(noise, (400.0, 400.0), 800.0, 100, 0.0)
    assert patch.pixels.std() < noise.std() / 8


@pytest.mark.parametrize("side", [0.0, -3.0, 0.99, 1e-9])
def test_a_box_of_less_than_a_pixel_is_refused(side):
    with pytest.raises(InvalidInputError, match="at least 1"):
        face_patch(np.zeros((50, 50), np.uint8), (20.0, 20.0), side, 80, 0.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (3, 1000)])
@pytest.mark.parametrize("side", [1.0, 50.0, 2000.0, 2e6])
def test_pictures_of_few_pixels(shape, side):
    image = np.full(shape, 9, np.uint8)
    patch = face_patch(image, (0.5, 0.5), side, 80, 0.5)
    assert min(patch.pixels.shape) >= 1
    assert np.all(patch.pixels == 9)
    assert patch.scale > 0
    assert np.isfinite(patch.offset).all()


@pytest.mark.parametrize("side", [80.0, 150.0, 1e3, 1e6])
@pytest.mark.parametrize("center", [(1000, 1000), (0, 0), (1e6, -1e6)])
def test_memory_is_bounded_for_extreme_boxes(side, center):
    """A patch has at most the face's surroundings, plus a pixel of the picture on each side."""
    image = np.zeros((2000, 2000), np.uint8)
    tracemalloc.start()
    patch = face_patch(image, center, side, 80, 0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if min(patch.pixels.shape) > 1:
        assert max(patch.pixels.shape) <= 80 * (2 + 2 / side) + 1
    assert peak < image.size // 2


@settings(max_examples=200)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    center=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    side=st.floats(1, 2e6),
    largest=st.integers(1, 64),
    margin=st.floats(0, 2),
)
def test_any_box_gives_a_patch(shape, center, side, largest, margin):
    image = np.full(shape, 200, np.uint8)
    patch = face_patch(image, center, side, largest, margin)
    assert isinstance(patch, FacePatch)
    assert min(patch.pixels.shape) >= 1
    assert np.all(patch.pixels == 200)
    if side >= largest and min(patch.pixels.shape) > 1:
        assert max(patch.pixels.shape) <= largest * (1 + 2 * margin + 2 / side) + 1


def test_the_picture_is_left_alone_where_it_is_scaled():
    image = np.arange(3600, dtype=np.uint16).reshape(60, 60).astype(np.uint8)
    before = image.copy()
    patch = face_patch(image, (30.0, 30.0), 40.0, 40, 0.2)
    assert patch.scale == 0.5
    patch.pixels[:] = 0
    np.testing.assert_array_equal(image, before)
