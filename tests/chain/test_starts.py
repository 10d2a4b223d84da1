"""The starts that a second trains on: folds, boxes, noise, taming."""

import numpy as np
import pytest

from classicface.chain.starts import fold_numbers, jittered_boxes, tame, with_noise
from classicface.shape.boxes import box_centers_sides


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_folds_are_even_and_keep_groups_together(faces, rng):
    parts = fold_numbers(faces.images, None, 5, rng)
    assert np.bincount(parts).tolist() == [8] * 5
    groups = np.arange(40) // 4
    parts = fold_numbers(faces.images, groups.tolist(), 5, rng)
    assert np.bincount(parts).tolist() == [8] * 5
    assert all(len(set(parts[groups == group])) == 1 for group in range(10))


def test_a_mirror_image_is_with_its_picture(few, rng):
    both = few.with_mirror()
    parts = fold_numbers(both.images, None, 4, rng)
    assert parts[:10].tolist() == parts[10:].tolist()
    assert sorted(np.bincount(parts)) == [4, 4, 6, 6]
    square = [np.zeros((4, 9), np.uint8), np.zeros((9, 4), np.uint8)]
    assert sorted(fold_numbers(square, None, 2, rng)) == [0, 1]


def test_no_more_folds_than_groups(few, rng):
    assert sorted(fold_numbers(few.images, None, 1000, rng)) == list(range(10))
    for folds in (0, 1):
        assert fold_numbers(few.images, None, folds, rng).tolist() == [0] * 10


def test_boxes_are_jittered_as_asked(few, rng):
    moved = jittered_boxes(few.images, few.boxes, 2000, (0.1, 0.2), rng)
    assert moved.shape == (10, 2000, 4)
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved[:, 0], few.boxes)
    centers, sides = box_centers_sides(moved[:, 1:])
    own_centers, own_sides = box_centers_sides(few.boxes)
    shifts = (centers - own_centers[:, None]) / own_sides[:, None, None]
    scales = np.log(sides / own_sides[:, None])
    for values, deviation in ((shifts, 0.1), (scales, 0.2)):
        assert abs(values.mean()) < 0.05 * deviation
        assert values.std() == pytest.approx(deviation, rel=0.05)
        assert np.abs(values).max() < 2.51 * deviation


def test_a_box_that_would_leave_its_picture_stays(rng):
    images = [np.zeros((20, 30), np.uint8)] * 4
    boxes = np.float32([[-98, 0, 2, 20], [28, 0, 128, 20], [5, 5, 6, 6], [-1e6, -1e6, 1e6, 1e6]])
    moved = jittered_boxes(images, boxes, 500, (0.2, 0.2), rng)
    assert (moved[..., 0] < 30).all()
    assert (moved[..., 2] > 0).all()
    assert np.abs(moved).max() <= 1e6
    assert box_centers_sides(moved)[1].min() >= 1
    assert all(len(np.unique(moved[i], axis=0)) > 50 for i in range(3))


def test_noise_is_like_the_errors_in_the_frame_of_each_face(rng):
    """Errors along one direction of an upright face, twice as large in x at its first point."""
    mean = rng.normal(0, 50, (5, 2))
    angles = rng.uniform(0, 2 * np.pi, 400)
    turns = np.stack([np.cos(angles), -np.sin(angles), np.sin(angles), np.cos(angles)], axis=1)
    turns = turns.reshape(-1, 2, 2) * rng.uniform(0.5, 2, 400)[:, None, None]
    direction = np.zeros((5, 2))
    direction[0], direction[3] = [2, 0], [0, 1]
    errors = rng.normal(0, 1, (400, 8, 1, 1)) * direction
    truth = (mean @ turns.swapaxes(1, 2))[:, None].astype(np.float32)
    starts = (truth + errors @ turns.swapaxes(1, 2)[:, None]).astype(np.float32)
    noisy = with_noise(starts, truth, 0.5, rng)
    assert noisy.dtype == np.float32
    added = (noisy - starts).astype(float) @ np.linalg.inv(turns).swapaxes(1, 2)[:, None]
    size = (added * direction).sum(axis=(2, 3)) / 5
    np.testing.assert_allclose(added, size[..., None, None] * direction, atol=1e-2)
    assert size.std() == pytest.approx(0.5, rel=0.1)
    assert abs(size.mean()) < 0.03
    np.testing.assert_allclose(with_noise(starts, truth, 0.0, rng), starts, atol=1e-3)


def test_tame_points_are_finite():
    wild = np.array([np.nan, np.inf, -np.inf, 3e38, -5.5], np.float32)
    np.testing.assert_array_equal(tame(wild), np.float32([0, 1e6, -1e6, 1e6, -5.5]))
