"""Dense descriptors: they survive a change of light and point where the picture does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.exceptions import InvalidInputError
from classicface.image.descriptors import FEATURES, MAX_CELL, FeatureBuffers, feature_image

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@pytest.fixture(scope="module")
def texture():
    """Return a smooth picture of 60 x 50 pixels with strong gradients, from 0 to 200."""
    y, x = np.mgrid[:60, :50]
    waves = np.sin(x / 3.1) + np.sin(y / 4.3 + 1) + np.sin((x + 2 * y) / 7.7) + np.cos((x - y) / 5)
    return np.rint(100 + 25 * waves).astype(np.uint8)


@given(shape=shapes, kind=st.sampled_from(list(FEATURES)), cell=st.integers(0, MAX_CELL))
def test_shape_and_type(shape, kind, cell):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    before = pixels.copy()
    found = feature_image(pixels, kind, cell)
    assert found.shape == (*shape, FEATURES[kind])
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(pixels, before)


@given(shape=shapes, kind=st.sampled_from(list(FEATURES)), cell=st.integers(0, MAX_CELL))
def test_buffers_that_were_used_before_change_nothing(shape, kind, cell):
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    room = FeatureBuffers.make(shape, kind)
    feature_image(second, kind, cell, room)
    found = feature_image(first, kind, cell, room)
    assert found is room.channels
    np.testing.assert_array_equal(found, feature_image(first, kind, cell))


@given(shape=shapes, kind=st.sampled_from(list(FEATURES)), grey=st.integers(0, 255))
def test_a_constant_picture_shows_nothing(shape, kind, grey):
    assert np.all(feature_image(np.full(shape, grey, np.uint8), kind) == 0)


@pytest.mark.parametrize("kind", FEATURES)
def test_brightness_is_without_effect(texture, kind):
    brighter = texture + np.uint8(50)
    np.testing.assert_allclose(
        feature_image(brighter, kind), feature_image(texture, kind), atol=1e-4
    )


@pytest.mark.parametrize(("kind", "tolerance"), [("intensity", 0.04), ("igo", 0.1), ("hog", 0.1)])
@pytest.mark.parametrize("gain", [0.6, 0.8, 1.2])
def test_contrast_has_little_effect(texture, kind, tolerance, gain):
    changed = np.rint(gain * texture + 3).astype(np.uint8)
    difference = feature_image(changed, kind) - feature_image(texture, kind)
    assert np.sqrt(np.mean(difference**2)) < tolerance * feature_image(texture, kind).std()


def test_intensity_has_mean_0_and_deviation_1(texture):
    found = feature_image(texture, "intensity")
    assert found.mean() == pytest.approx(0, abs=1e-4)
    assert found.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("cell", [0, 2])
@pytest.mark.parametrize("direction", range(8))
def test_an_edge_points_to_its_direction(direction, cell):
    angle = direction * np.pi / 4
    y, x = np.mgrid[:31, :31] - 15.0
    across = x * np.cos(angle) + y * np.sin(angle)
    pixels = np.rint(128 + 100 * np.tanh(across / 3)).astype(np.uint8)
    centre = feature_image(pixels, "hog", cell)[15, 15]
    assert centre.argmax() == direction
    assert centre[direction] > 0.9
    others = np.delete(centre, direction)
    assert others.max() < 0.3
    cosine, sine = feature_image(pixels, "igo")[15, 15]
    assert (cosine, sine) == pytest.approx((np.cos(angle), np.sin(angle)), abs=0.02)


@pytest.mark.parametrize("cell", [0, 1, 5])
def test_a_quarter_turn_permutes_the_channels(texture, cell):
    """Turned clockwise, as seen with y downward, what pointed to 0 degrees points to 90."""
    turned = feature_image(np.ascontiguousarray(np.rot90(texture, -1)), "hog", cell)
    expected = np.rot90(np.roll(feature_image(texture, "hog", cell), 2, axis=2), -1)
    np.testing.assert_allclose(turned, expected, atol=1e-5)


def test_a_mirror_permutes_the_channels(texture):
    mirrored = feature_image(np.ascontiguousarray(texture[:, ::-1]), "hog")
    expected = feature_image(texture, "hog")[:, ::-1][..., [4, 3, 2, 1, 0, 7, 6, 5]]
    np.testing.assert_allclose(mirrored, expected, atol=1e-5)


def test_faint_noise_is_not_blown_up():
    pixels = np.random.default_rng(0).integers(127, 130, (40, 40), dtype=np.uint8)
    assert (feature_image(pixels, "hog") ** 2).max() < 0.3


@pytest.mark.parametrize("kind", ["sift", "", None, 3])
def test_an_unknown_descriptor_names_those_that_there_are(texture, kind):
    with pytest.raises(InvalidInputError, match=r"features is .*; there are intensity, igo, hog"):
        feature_image(texture, kind)


@pytest.mark.parametrize("cell", [-1, MAX_CELL + 1, 10**9])
def test_a_bad_cell_is_named(texture, cell):
    with pytest.raises(InvalidInputError, match=f"cell is {cell}; expected 0 to {MAX_CELL}"):
        feature_image(texture, "hog", cell)
