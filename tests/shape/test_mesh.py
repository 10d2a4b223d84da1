"""Triangle meshes: they cover the hull, points are found, gradients are those of the weights."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from classicface.exceptions import InvalidInputError
from classicface.shape.mesh import TriangleMesh

seeds = st.integers(0, 2**32 - 1)


def random_mesh(seed, n, scale=1.0):
    points = np.random.default_rng(seed).uniform(-1, 1, (n, 2)) * scale
    return TriangleMesh.delaunay(points)


def areas(mesh):
    a, b, c = np.moveaxis(mesh.points[mesh.triangles], 1, 0)
    return 0.5 * np.abs(np.linalg.det(np.stack([b - a, c - a], axis=1)))


@given(seed=seeds, n=st.integers(3, 40), scale=st.sampled_from([1e-3, 1.0, 1e4]))
def test_triangles_cover_the_hull(seed, n, scale):
    mesh = random_mesh(seed, n, scale)
    assert mesh.triangles.dtype == np.int32
    assert mesh.triangles.flags.c_contiguous
    assert areas(mesh).sum() == pytest.approx(ConvexHull(mesh.points).volume, rel=1e-6)
    assert len(np.unique(np.sort(mesh.triangles, axis=1), axis=0)) == len(mesh.triangles)


@given(seed=seeds, n=st.integers(3, 20))
def test_every_circumcircle_is_empty(seed, n):
    mesh = random_mesh(seed, n)
    for triangle in mesh.triangles:
        a, b, c = mesh.points[triangle]
        sides = np.stack([b - a, c - a])
        assume(abs(np.linalg.det(sides)) > 1e-4)
        centre = a + np.linalg.solve(2 * sides, np.sum(sides**2, axis=1))
        distances = np.linalg.norm(mesh.points - centre, axis=1)
        assert distances.min() >= np.linalg.norm(a - centre) - 1e-6


def test_triangles_come_in_one_order():
    points = np.random.default_rng(0).uniform(0, 1, (30, 2))
    first = TriangleMesh.delaunay(points).triangles
    rows = np.sort(first, axis=1).tolist()
    assert rows == sorted(rows)
    np.testing.assert_array_equal(first, TriangleMesh.delaunay(points.copy()).triangles)


@given(seed=seeds, n=st.integers(3, 20))
def test_locate_reproduces_points_by_their_weights(seed, n):
    mesh = random_mesh(seed, n)
    rng = np.random.default_rng(seed + 1)
    mixture = rng.dirichlet(np.ones(n), 50)
    points = mixture @ mesh.points
    triangle, weights = mesh.locate(points)
    assert (triangle >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights > -1e-6).all()
    corners = mesh.points[mesh.triangles[triangle]]
    np.testing.assert_allclose((weights[..., None] * corners).sum(axis=1), points, atol=1e-7)


@given(seed=seeds, n=st.integers(3, 20))
def test_locate_says_what_lies_outside(seed, n):
    mesh = random_mesh(seed, n)
    angles = np.linspace(0, 6, 40)
    far = 3 * np.column_stack([np.cos(angles), np.sin(angles)])
    triangle, weights = mesh.locate(far)
    assert (triangle == -1).all()
    assert not weights.any()
    assert mesh.locate(np.zeros((0, 2)))[0].shape == (0,)


@given(seed=seeds, n=st.integers(3, 20))
def test_corners_are_found(seed, n):
    mesh = random_mesh(seed, n)
    triangle, weights = mesh.locate(mesh.points)
    assert (triangle >= 0).all()
    for i in range(n):
        corner = mesh.triangles[triangle[i]].tolist().index(i)
        assert weights[i, corner] == pytest.approx(1)


@given(seed=seeds)
def test_gradients_are_those_of_the_weights(seed):
    mesh = random_mesh(seed, 6)
    assume(areas(mesh).min() > 1e-3)
    gradients, step = mesh.gradients(), 1e-5
    assert gradients.shape == (len(mesh.triangles), 3, 2)
    for t, corners in enumerate(mesh.points[mesh.triangles]):
        one = TriangleMesh(corners, np.array([[0, 1, 2]], np.int32))
        centre = corners.mean(axis=0)
        for d in range(2):
            move = step * np.eye(2)[d]
            _, weights = one.locate([centre - move, centre + move])
            slope = (weights[1] - weights[0]) / (2 * step)
            np.testing.assert_allclose(gradients[t, :, d], slope, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradients.sum(axis=1), 0, atol=1e-6 * np.abs(gradients).max())


def test_a_point_that_comes_twice_leaves_the_mesh_sound():
    points = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [1, 1], [0.4, 0.4], [0.4, 0.4]], float)
    mesh = TriangleMesh.delaunay(points)
    assert areas(mesh).sum() == pytest.approx(1)
    assert np.isfinite(mesh.gradients()).all()


@pytest.mark.parametrize(
    "points",
    [
        *(np.zeros((0, 2)), [[1, 2]], [[0, 0], [3, 4]], [[0, 0], [1, 1], [2, 2], [5, 5]]),
        *([[0, 0], [1, 0], [2, 0]], [[3, 0], [3, 1], [3, 7]], [[1, 1]] * 5),
        np.outer(np.linspace(-1, 1, 9), [0.3, 0.7]),
        np.outer(np.linspace(-1, 1, 68), [0.123, 0.991]) + 1e-17,
    ],
    ids=lambda points: str(np.shape(points)),
)
def test_points_without_area_are_refused(points):
    with pytest.raises(InvalidInputError, match="lie on one line or are fewer than three"):
        TriangleMesh.delaunay(np.asarray(points, float))
