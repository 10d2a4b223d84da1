"""Training samples: patches of all faces, and starting shapes near the mean."""

import numpy as np
import pytest

from classicface.cascade.samples import FacePatches, draw_samples, place_samples
from classicface.shape.boxes import box_centers_sides


@pytest.fixture(scope="module")
def patches(few):
    return FacePatches.cut(few.images, few.landmarks, few.boxes, 320, 0.5)


def draw(patches, jitter=(0.0, 0.0, 0.0), oversampling=3, seed=0):
    rng = np.random.default_rng(seed)
    return draw_samples(patches, patches.mean_shape(), oversampling, jitter, rng)


@pytest.mark.parametrize("largest", [320, 60, 20])
def test_truth_lies_where_it_lay_in_the_picture(few, largest):
    patches = FacePatches.cut(few.images, few.landmarks, few.boxes, largest, 0.5)
    centers, sides = box_centers_sides(few.boxes)
    halvings = np.log2(sides / patches.sides)
    np.testing.assert_allclose(halvings, np.rint(halvings), atol=1e-6)
    assert np.all(patches.sides < largest)
    assert np.all((halvings == 0) | (patches.sides >= largest / 2))
    relative = (few.landmarks - centers[:, None]) / sides[:, None, None]
    placed = relative * patches.sides[:, None, None] + patches.centers[:, None]
    np.testing.assert_allclose(patches.truth, placed, atol=1e-3)
    np.testing.assert_allclose(patches.mean_shape(), relative.mean(axis=0), atol=1e-5)


def test_a_patch_is_what_lies_around_the_box(few):
    patches = FacePatches.cut(few.images, few.landmarks, few.boxes, 320, 0.25)
    sides = np.ptp(few.boxes.reshape(-1, 2, 2), axis=1).max(axis=1)
    for i, image in enumerate(few.images):
        offset = few.landmarks[i] - patches.truth[i]
        x, y = np.rint(offset[0]).astype(int)
        np.testing.assert_allclose(offset, np.tile([x, y], (68, 1)), atol=1e-3)
        height, width = patches.heights[i], patches.widths[i]
        np.testing.assert_array_equal(
            patches.pixels[i, :height, :width], image[y : y + height, x : x + width]
        )
        assert 1.5 * sides[i] - 1 <= height <= 1.5 * sides[i] + 2  # inside the picture
        assert 1.5 * sides[i] - 1 <= width <= 1.5 * sides[i] + 2


def test_patches_of_several_sizes_are_padded(few):
    """A face in the corner of its picture has a smaller patch than the others."""
    images = [few.images[0], few.images[1][:90, :100]]
    patches = FacePatches.cut(images, few.landmarks[:2], few.boxes[:2], 40, 0.5)
    assert patches.pixels.shape == (2, patches.heights.max(), patches.widths.max())
    assert patches.heights[1] < patches.heights[0]
    assert np.all(patches.pixels[1, patches.heights[1] :] == 0)
    assert np.all(patches.pixels[1, :, patches.widths[1] :] == 0)


def test_without_jitter_the_mean_shape_stands_in_every_box(patches):
    samples = draw(patches)
    n_faces = len(patches.sides)
    assert len(samples) == 3 * n_faces
    np.testing.assert_array_equal(np.bincount(samples.faces), np.full(n_faces, 3))
    expected = (
        patches.mean_shape() * patches.sides[:, None, None] + patches.centers[:, None]
    ).astype(np.float32)
    np.testing.assert_allclose(samples.shapes, expected[samples.faces], rtol=1e-5)
    assert samples.shapes.dtype == np.float32


def test_jitter_has_the_size_that_was_asked_for(patches):
    mean = patches.mean_shape()
    samples = draw(patches, (0.1, 0.2, 10.0), oversampling=2000)
    sides, centers = patches.sides[samples.faces], patches.centers[samples.faces]
    relative = (samples.shapes - centers[:, None]) / sides[:, None, None]
    centered = mean - mean.mean(axis=0)
    z, m = (p[..., 0] + 1j * p[..., 1] for p in (relative, centered))
    similarity = (z * m.conj()).sum(axis=1) / np.sum(np.abs(m) ** 2)
    shift = z.mean(axis=1) - similarity * (mean.mean(axis=0) @ [1, 1j])
    for values, deviation in [
        (shift.real, 0.1),
        (shift.imag, 0.1),
        (np.log(np.abs(similarity)), 0.2),
        (np.angle(similarity, deg=True), 10.0),
    ]:
        assert abs(values.mean()) < 0.05 * deviation
        assert values.std() == pytest.approx(deviation, rel=0.05)
        assert np.abs(values).max() < 2.51 * deviation


def test_the_seed_decides(patches):
    jitter = (0.1, 0.1, 5.0)
    first, again, other = (draw(patches, jitter, seed=seed).shapes for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("largest", [320, 60])
def test_given_starts_lie_in_the_patch_as_in_the_picture(few, largest):
    patches = FacePatches.cut(few.images, few.landmarks, few.boxes, largest, 0.5)
    starts = np.stack([few.landmarks, few.landmarks + np.float32([8, -4])], axis=1)
    samples = place_samples(patches, starts)
    np.testing.assert_array_equal(samples.faces, np.tile(np.arange(8), 2))
    assert samples.shapes.dtype == np.float32
    truth = patches.truth[samples.faces]
    moves = np.repeat([[0, 0], [8, -4]], 8, axis=0) * patches.scales[samples.faces, None]
    np.testing.assert_allclose(samples.shapes, truth + moves[:, None], atol=1e-3)
