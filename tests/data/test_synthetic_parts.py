"""The parts under the synthetic faces: rasteriser, curves, masks, poses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.data.synthetic._head import head_model, project
from classicface.data.synthetic._kernels import rasterize
from classicface.data.synthetic._paint import blend, curve, fill, polygon_mask, stroke, tint
from classicface.shape.rotations import rotation_matrix

SQUARE = np.array([[2.0, 2.0], [9.0, 2.0], [9.0, 9.0], [2.0, 9.0]])


def plain_rasterize(points, colors, triangles, depth, image):
    """The naive twin: every pixel of the picture against every triangle."""
    ys, xs = np.mgrid[: depth.shape[0], : depth.shape[1]]
    for a, b, c in triangles:
        corners = np.vstack([points[[a, b, c], :2].T.astype(float), np.ones(3)])
        area = np.linalg.det(corners)
        if area <= 1e-6:
            continue
        pixels = np.stack([xs, ys, np.ones_like(xs)]).reshape(3, -1)
        weights = np.linalg.solve(corners, pixels).reshape(3, *depth.shape)
        nearness = np.tensordot(points[[a, b, c], 2].astype(float), weights, 1)
        drawn = (weights > -1e-4).all(axis=0) & (nearness > depth)
        depth[drawn] = nearness[drawn]
        blended = np.tensordot(colors[[a, b, c]].T.astype(float), weights, 1).transpose(1, 2, 0)
        image[drawn, :3] = blended[drawn]
        image[drawn, 3] = 1


def blank(size=12):
    return np.full((size, size), -np.inf, np.float32), np.zeros((size, size, 4), np.float32)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_rasterize_equals_its_naive_twin(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-6, 18, (9, 3)).astype(np.float32)
    colors = rng.uniform(0, 255, (9, 3)).astype(np.float32)
    triangles = np.stack([rng.permutation(9)[:3] for _ in range(8)]).astype(np.int32)
    (depth, image), (plain_depth, plain_image) = blank(), blank()
    rasterize(points, colors, triangles, depth, image)
    plain_rasterize(points, colors, triangles, plain_depth, plain_image)
    same = np.isclose(depth, plain_depth, atol=1e-3)
    # Pixels on an edge, or where two triangles are equally near, may fall to either side.
    assert same.mean() > 0.97
    close = same & np.isfinite(depth)
    apart = np.abs(image - plain_image)[close].max(axis=-1, initial=0)
    assert np.sum(apart > 0.1) <= 0.03 * depth.size


def test_rasterize_draws_the_nearer_triangle_and_no_back():
    points = np.array([[0, 0, 1], [11, 0, 1], [0, 11, 1], [0, 0, 5], [6, 0, 5], [0, 6, 5]])
    colors = np.repeat([[10.0, 10, 10], [200, 200, 200]], 3, axis=0)
    depth, image = blank()
    near_first = np.array([[3, 4, 5], [0, 1, 2]], np.int32)
    rasterize(points.astype(np.float32), colors.astype(np.float32), near_first, depth, image)
    assert image[1, 1].tolist() == [200, 200, 200, 1]
    assert image[8, 1].tolist() == [10, 10, 10, 1]
    assert image[11, 11].tolist() == [0, 0, 0, 0]
    depth, image = blank()
    from_behind = near_first[:, ::-1].copy()
    rasterize(points.astype(np.float32), colors.astype(np.float32), from_behind, depth, image)
    assert not image.any()


def test_a_curve_goes_through_its_points_and_keeps_lines_straight():
    points = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [4.0, 4.0]])
    np.testing.assert_allclose(curve(points, 10)[::3], points, atol=1e-12)
    line = np.linspace([0.0, 1.0], [9.0, 4.0], 4)
    np.testing.assert_allclose(curve(line, 7), np.linspace([0.0, 1.0], [9.0, 4.0], 7), atol=1e-12)


def test_a_mask_covers_its_polygon():
    window, cover = polygon_mask((20, 20), SQUARE)
    whole = np.zeros((20, 20))
    whole[window] = cover
    assert whole[3:9, 3:9].min() == 1
    assert whole[0].max() == whole[:, 12:].max() == 0
    assert 49 <= whole.sum() <= 49 + 28  # the edge is up to a pixel wide
    assert polygon_mask((20, 20), SQUARE + 100) is None
    assert polygon_mask((20, 20), SQUARE - 100, soft=2.0) is None


def test_painting_stays_inside_and_survives_the_outside():
    picture = np.full((20, 20, 3), 100, np.float32)
    fill(picture, SQUARE, [200.0, 0.0, 50.0])
    assert picture[5, 5].tolist() == [200, 0, 50]
    assert picture[15, 15].tolist() == [100, 100, 100]
    tint(picture, polygon_mask(picture.shape, SQUARE), [0.5, 1.0, 2.0])
    assert picture[5, 5].tolist() == [100, 0, 100]
    stroke(picture, np.array([[12.0, 15.0], [18.0, 15.0]]), 2.0, [0.0, 0.0, 0.0])
    assert picture[15, 15].max() < 50
    kept = picture.copy()
    fill(picture, SQUARE + 100, [0.0, 0.0, 0.0])
    stroke(picture, SQUARE - 100, 2.0, [0.0, 0.0, 0.0])
    blend(picture, None, [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(picture, kept)


@given(st.floats(-60, 60), st.floats(-45, 45), st.floats(-180, 180))
def test_rotations_keep_lengths_and_sides(yaw, pitch, roll):
    turn = rotation_matrix(yaw, pitch, roll)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_near_points_are_drawn_larger():
    points = np.array([[1.0, 4.0, 1.0], [1.0, 4.0, 11.0]])  # at the pivot's depth, 10 cm before it
    seen = project(points, np.eye(3), 100.0)
    np.testing.assert_allclose(seen[:, 0], [1.0, 100 / 90])
    np.testing.assert_allclose(seen[:, 2], [0.0, 10.0])


def test_the_head_is_kept_and_consistent():
    model = head_model()
    assert head_model() is model
    assert len(model.rest) == model.n_vertices + 51 + model.jaw_normals.shape[0] * 25
    assert model.fields.shape == (21, len(model.rest), 3)
    assert max(t.max() for t in model.triangles.values()) == model.n_vertices - 1
    neutral = model.deform(np.zeros(16), np.zeros(5))
    np.testing.assert_array_equal(neutral, model.rest)
    vertices, inner, lines = model.split(model.rest)
    assert (vertices.shape[1], inner.shape, lines.shape) == (3, (51, 3), (17, 25, 3))
    # Landmarks of the mean face lie on its mesh.
    gap = np.linalg.norm(vertices[model.nearest[17:]] - inner, axis=1)
    assert gap.max() < 0.35
