"""Perturbed faces: unchanged at the first level, then what is said; the truth moves along."""

import cv2
import numpy as np
import pytest

from classicface.data.dataset import LandmarkDataset
from classicface.evaluation.robustness import PERTURBATIONS, perturbed
from classicface.shape.boxes import box_centers_sides

FACES = [(name, level) for name, levels in PERTURBATIONS.items() for level in levels.values]


@pytest.fixture(scope="module")
def few(faces: LandmarkDataset) -> LandmarkDataset:
    return faces.subset(range(6))


def spread(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the grey of the picture at points, bilinear."""
    return cv2.remap(image, points[:, 0], points[:, 1], cv2.INTER_LINEAR)[:, 0].astype(float)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_the_first_level_changes_nothing(few: LandmarkDataset, name: str) -> None:
    same = perturbed(few, name, PERTURBATIONS[name].values[0], seed=0)
    for before, after in zip(few.images, same.images, strict=True):
        assert np.array_equal(before, after)
    assert np.allclose(same.landmarks, few.landmarks, atol=1e-3)
    for before, after in zip(
        box_centers_sides(few.boxes), box_centers_sides(same.boxes), strict=True
    ):
        assert np.allclose(before, after, atol=1e-3)


@pytest.mark.parametrize(("name", "level"), FACES)
def test_same_seed_same_faces_and_inputs_untouched(
    few: LandmarkDataset, name: str, level: float
) -> None:
    before = [image.copy() for image in few.images]
    one, two = (perturbed(few, name, level, seed=3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one.images, two.images, strict=True))
    assert np.array_equal(one.boxes, two.boxes)
    assert all(np.array_equal(a, b) for a, b in zip(before, few.images, strict=True))
    assert np.isfinite(one.landmarks).all()


def test_boxes_move_by_what_is_said(few: LandmarkDataset) -> None:
    moved = perturbed(few, "shift", 10, seed=0)
    (old, sides), (new, same) = box_centers_sides(few.boxes), box_centers_sides(moved.boxes)
    assert np.allclose(np.linalg.norm(new - old, axis=1), 0.1 * sides, rtol=1e-3)
    assert np.allclose(same, sides, rtol=1e-4)
    further = box_centers_sides(perturbed(few, "shift", 20, seed=0).boxes)[0]
    assert np.allclose(further - old, 2 * (new - old), atol=1e-2)


@pytest.mark.parametrize("name", ["rotation", "small"])
def test_the_truth_moves_with_the_picture(few: LandmarkDataset, name: str) -> None:
    smooth = LandmarkDataset(
        [cv2.GaussianBlur(image, (0, 0), 4) for image in few.images],
        few.landmarks,
        few.boxes,
    )
    changed = perturbed(smooth, name, 20 if name == "rotation" else 2, seed=0)
    for i in range(len(few)):
        inside = (changed.landmarks[i] > 3).all(axis=1)
        inside &= (changed.landmarks[i] < np.array(changed.images[i].shape[::-1]) - 4).all(axis=1)
        before = spread(smooth.images[i], smooth.landmarks[i][inside])
        after = spread(changed.images[i], changed.landmarks[i][inside])
        assert np.abs(before - after).mean() < 2.5


def test_a_turned_face_is_turned_by_what_is_said(few: LandmarkDataset) -> None:
    turned = perturbed(few, "rotation", 30, seed=0)
    line = few.landmarks[:, 45] - few.landmarks[:, 36]
    after = turned.landmarks[:, 45] - turned.landmarks[:, 36]
    angle = np.angle((after[:, 0] + 1j * after[:, 1]) / (line[:, 0] + 1j * line[:, 1]))
    assert np.allclose(np.abs(np.degrees(angle)), 30, atol=0.01)
    assert {1, -1} == set(np.sign(angle).astype(int).tolist())


def test_light_noise_and_squares(few: LandmarkDataset) -> None:
    dark = perturbed(few, "darkness", 75, seed=0)
    for before, after in zip(few.images, dark.images, strict=True):
        assert np.abs(after - 0.25 * before).max() <= 0.5
    noisy = perturbed(few, "noise", 10, seed=0)
    difference = np.concatenate(
        [
            (a.astype(float) - b)[(b > 60) & (b < 190)]
            for a, b in zip(noisy.images, few.images, strict=True)
        ]
    )
    assert difference.std() == pytest.approx(10, rel=0.05)
    hidden = perturbed(few, "occlusion", 40, seed=0)
    sides = box_centers_sides(few.boxes)[1]
    for before, after, side in zip(few.images, hidden.images, sides, strict=True):
        rows, columns = np.nonzero(before != after)
        assert np.ptp(rows) + 1 <= 0.4 * side + 1
        assert np.ptp(columns) + 1 <= 0.4 * side + 1
        assert len(rows) > 0.9 * (0.4 * side - 1) ** 2


def test_blur_and_smaller_pictures(few: LandmarkDataset) -> None:
    blurred = perturbed(few, "blur", 4, seed=0)
    for before, after in zip(few.images, blurred.images, strict=True):
        assert (
            np.abs(np.diff(after.astype(float))).sum() < np.abs(np.diff(before.astype(float))).sum()
        )
    small = perturbed(few, "small", 4, seed=0)
    for before, after in zip(few.images, small.images, strict=True):
        assert after.shape == tuple(round(n / 4) for n in before.shape)
