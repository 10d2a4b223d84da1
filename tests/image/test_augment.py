"""Augmentation: refused values, what each part changes and leaves, and how much."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classicface.exceptions import InvalidInputError
from classicface.image.augment import Augmentation

NONE = Augmentation.none()
NUMBERS = [f.name for f in dataclasses.fields(Augmentation) if f.name != "mirror"]
PHOTOMETRIC = ["contrast", "brightness", "gamma", "lighting", "blur", "low_resolution", "noise"]


def only(**values):
    return dataclasses.replace(NONE, **values)


def picture(size=64, seed=0):
    """Return a smooth picture with every grey from 30 to 220."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    waves = sum(
        np.sin(2 * np.pi * (k * x + m * y) + rng.uniform(0, 6)) for k, m in [(1, 2), (3, 1)]
    )
    waves = (waves - waves.min()) / max(np.ptp(waves), 1e-9)
    return np.rint(30 + 190 * waves).astype(np.uint8)


def changes(augmentation, pixels, count=200, donors=None):
    return [
        augmentation.photometric(pixels, np.random.default_rng(seed), donors)
        for seed in range(count)
    ]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, 1e3, "1", None, True])
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(InvalidInputError, match=name):
        Augmentation(**{name: value})


def test_mirror_is_a_choice():
    with pytest.raises(InvalidInputError, match="mirror"):
        Augmentation(mirror=1)


def test_none_changes_nothing():
    pixels = picture()
    rng = np.random.default_rng(0)
    assert not NONE.mirror
    assert NONE.draw_pose(rng) == (0, 0, 0, 0)
    assert NONE.reach(0.3) == pytest.approx(1.0)
    for changed in changes(NONE, pixels, 20, donors=pixels[None]):
        np.testing.assert_array_equal(changed, pixels)
        assert not np.shares_memory(changed, pixels)


def test_pose_has_the_asked_spread_and_is_cut():
    augmentation = only(rotation=10.0, scale=0.2, shift=0.1)
    draws = [augmentation.draw_pose(np.random.default_rng(seed)) for seed in range(4000)]
    spread = np.array([0.1, 0.1, 0.2, math.radians(10)])
    np.testing.assert_allclose(np.std(draws, axis=0), spread, rtol=0.06)
    np.testing.assert_allclose(np.mean(draws, axis=0), 0, atol=0.06 * spread.max())
    np.testing.assert_allclose(np.abs(draws).max(axis=0), 2.5 * spread)


@given(
    rotation=st.floats(0, 90),
    scale=st.floats(0, 0.4),
    shift=st.floats(0, 0.4),
    margin=st.floats(0, 2),
    seed=st.integers(0, 1000),
)
def test_reach_holds_every_crop(rotation, scale, shift, margin, seed):
    augmentation = only(rotation=rotation, scale=scale, shift=shift)
    x, y, log, angle = augmentation.draw_pose(np.random.default_rng(seed))
    corners = math.exp(log) * np.array([[1, 1], [1, -1]]) / 2
    turned = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    farthest = np.abs(corners @ turned).max(axis=0) + np.abs([x, y]) / (1 + 2 * margin)
    assert farthest.max() <= augmentation.reach(margin) / 2 + 1e-9


@given(
    size=st.integers(1, 40),
    strength=st.floats(0, 1),
    seed=st.integers(0, 1000),
    n_donors=st.integers(0, 2),
)
def test_any_size_and_strength_gives_a_new_picture_again_and_again(size, strength, seed, n_donors):
    values = dict.fromkeys([*PHOTOMETRIC, "occlusion"], strength)
    values["noise"] *= 100
    augmentation = only(**values)
    pixels = picture(size, seed)
    before = pixels.copy()
    donors = np.stack([picture(size, i) for i in range(n_donors)]) if n_donors else None
    first, second = (
        augmentation.photometric(pixels, np.random.default_rng(seed), donors) for _ in range(2)
    )
    assert first.shape == (size, size)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(pixels, before)
    assert not np.shares_memory(first, pixels)


@pytest.mark.parametrize("name", ["contrast", "brightness", "gamma"])
def test_greys_change_by_a_rising_curve(name):
    pixels = picture()
    seen = set()
    for changed in changes(only(**{name: 0.2}), pixels, 30):
        order = np.argsort(pixels, axis=None, kind="stable")
        assert np.all(np.diff(changed.ravel()[order].astype(int)) >= 0)
        seen.add(changed.tobytes())
    assert len(seen) > 25


def test_contrast_keeps_the_mean_and_brightness_moves_it():
    pixels = picture() // 3 + 85
    contrast = [changed.mean() for changed in changes(only(contrast=0.2), pixels)]
    np.testing.assert_allclose(contrast, pixels.mean(), atol=0.6)
    spread = [changed.std() / pixels.std() for changed in changes(only(contrast=0.2), pixels)]
    assert np.std(np.log(spread)) == pytest.approx(0.2, rel=0.2)
    moved = [changed.mean() for changed in changes(only(brightness=0.1), pixels)]
    assert np.std(moved) == pytest.approx(25.5, rel=0.2)


def test_lighting_adds_a_plane():
    grey = np.full((33, 33), 128, np.uint8)
    y, x = np.mgrid[-1:1:33j, -1:1:33j]
    planes = []
    for changed in changes(only(lighting=0.1), grey):
        change = changed.astype(float) - 128
        slope = np.array([(change * x).sum() / (x * x).sum(), (change * y).sum() / (y * y).sum()])
        np.testing.assert_allclose(change, slope[0] * x + slope[1] * y, atol=0.8)
        planes.append(slope)
    np.testing.assert_allclose(np.std(planes, axis=0), 25.5, rtol=0.2)


@pytest.mark.parametrize("name", ["blur", "low_resolution"])
def test_the_asked_share_is_blurred(name):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    changed = changes(only(**{name: 0.3}), pixels, 600)
    blurred = [one for one in changed if np.any(one != pixels)]
    assert len(blurred) / 600 == pytest.approx(0.3, abs=0.06)
    assert max(one.std() for one in blurred) <= pixels.std()
    assert min(one.std() for one in blurred) < pixels.std() / 3
    np.testing.assert_allclose([one.mean() for one in blurred], pixels.mean(), atol=1.5)


@pytest.mark.parametrize("name", ["blur", "low_resolution"])
def test_blur_moves_nothing(name):
    """A symmetric picture stays so, to a rounding or two."""
    half = picture()[:, :32]
    pixels = np.concatenate([half, half[:, ::-1]], axis=1)
    for changed in changes(only(**{name: 1.0}), pixels, 50):
        assert np.abs(changed.astype(int) - changed[:, ::-1]).max() <= 2


def test_noise_has_no_mean_and_at_most_its_spread():
    grey = np.full((64, 64), 128, np.uint8)
    changed = np.array(changes(only(noise=12.0), grey, 400), float) - 128
    spread = changed.std(axis=(1, 2))
    assert np.mean(spread == 0) == pytest.approx(0.5, abs=0.1)
    assert 11 < spread.max() < 13
    np.testing.assert_allclose(changed.mean(axis=(1, 2)), 0, atol=1)
    different = {one.tobytes() for one in changed[spread > 2]}
    assert len(different) == np.sum(spread > 2)


@pytest.mark.parametrize("size", [500, 700])
def test_noise_for_pictures_larger_than_its_table(size):
    grey = np.full((size, size), 128, np.uint8)
    changed = changes(only(noise=10.0, occlusion=1.0), grey, 6)
    assert {one.shape for one in changed} == {(size, size)}


def test_the_asked_share_is_hidden_in_part():
    pixels = picture()
    changed = changes(only(occlusion=0.4), pixels, 800)
    hidden = np.array([np.mean(one != pixels) for one in changed])
    assert np.mean(hidden > 0) == pytest.approx(0.4, abs=0.06)
    assert 0.15 < hidden.max() < 0.3


def test_other_faces_lend_parts():
    pixels = np.zeros((64, 64), np.uint8)
    donors = np.stack([np.arange(4096).reshape(64, 64) % 251, np.full((64, 64), 253)])
    changed = changes(only(occlusion=1.0), pixels, 200, donors.astype(np.uint8))
    lent = [np.any(one == 253) for one in changed]
    assert 0.15 < np.mean(lent) < 0.8
    # Rows of the first donor rise by one, which neither a constant nor noise does for long.
    rises = [np.sum(np.diff(one.astype(int), axis=1) == 1) > 40 for one in changed]
    assert 0.1 < np.mean(rises) < 0.8
