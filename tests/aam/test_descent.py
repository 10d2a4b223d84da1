"""The descent: its kernels against twins, its Jacobian against differences, known warps found.

The tests of the kernels also pass with NUMBA_DISABLE_JIT=1.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface.aam import _descent, _kernels
from classicface.aam.fitting import ALGORITHMS, ScaleBuffers, steepest_descent
from classicface.shape.mesh import TriangleMesh
from classicface.shape.similarity import apply_similarity

seeds = st.integers(0, 2**32 - 1)
BOTH = pytest.mark.parametrize("parts", [True, False], ids=["parts", "holistic"])


def positive_definite(rng, n, rank):
    factor = rng.standard_normal((n, rank))
    return factor @ factor.T


@given(seed=seeds, n=st.integers(1, 12), size=st.sampled_from([1e-6, 1.0, 1e8]))
def test_solve(seed, n, size):
    rng = np.random.default_rng(seed)
    matrix = size * (positive_definite(rng, n, n + 2) + 0.1 * np.eye(n))
    right = rng.standard_normal(n)
    expected = np.linalg.solve(matrix, right)
    _descent.solve(matrix, right)
    np.testing.assert_allclose(right, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@given(seed=seeds, n=st.integers(1, 10), rank=st.integers(0, 9))
def test_solve_of_a_singular_matrix_solves_what_it_can(seed, n, rank):
    rng = np.random.default_rng(seed)
    matrix = positive_definite(rng, n, min(rank, n - 1))
    known = rng.standard_normal(n)
    right = matrix @ known
    found, work = right.copy(), matrix.copy()
    _descent.solve(work, found)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(matrix @ found, right, atol=1e-4 * (1 + np.abs(right).max()))


@pytest.mark.parametrize("empty", [[0], [2], [0, 1, 2, 3], [1, 3]])
def test_solve_leaves_directions_without_information_alone(empty):
    matrix = positive_definite(np.random.default_rng(0), 4, 4) + np.eye(4)
    matrix[empty] = matrix[:, empty] = 0.0
    right = np.ones(4)
    rest = np.setdiff1d(np.arange(4), empty)
    expected = np.linalg.solve(matrix[np.ix_(rest, rest)], right[rest])
    _descent.solve(matrix, right)
    np.testing.assert_array_equal(right[empty], 0)
    np.testing.assert_allclose(right[rest], expected)


def compose_twin(reference, shape, steps, triangles):
    """Average the affine maps of the triangles that meet at a landmark by their areas."""
    moved, areas = np.zeros_like(shape), np.zeros(len(shape))
    for triangle in triangles:
        corners = np.column_stack([reference[triangle], np.ones(3)])
        affine, area = np.linalg.solve(corners, shape[triangle]), abs(np.linalg.det(corners))
        for corner in triangle:
            moved[corner] += area * np.append(reference[corner] - steps[corner], 1) @ affine
            areas[corner] += area
    return moved / areas[:, None]


def test_a_sliver_is_hardly_heard():
    """Its affine map is wild; the point that lies next to its long side moves with the others."""
    points = np.array([[0, 0], [10, 0], [10, 10], [0, 10], [5, -0.01]], float)
    triangles = np.array([[0, 4, 1], [0, 4, 3], [4, 1, 2], [4, 2, 3]], np.int32)
    mesh = TriangleMesh(points, triangles)
    shape = points.copy()
    shape[4, 1] += 0.5  # hundreds of slopes of the sliver
    moved = compose(mesh, shape, np.full((5, 2), 1.0))
    assert np.abs(moved - (shape - 1.0)).max() < 0.3


def mesh_of(seed, n=8):
    """Return a mesh on points that keep their distance."""
    rng = np.random.default_rng(seed)
    y, x = np.divmod(np.arange(n), 3)
    return TriangleMesh.delaunay(20 * np.column_stack([x, y]) + rng.uniform(-6, 6, (n, 2)))


def compose(mesh, shape, steps, parts=False):
    moved = np.full_like(shape, np.nan)
    triangles = mesh.triangles[:0] if parts else mesh.triangles
    _descent.compose_inverse(shape, steps, triangles, mesh.gradients(), moved)
    return moved


@given(seed=seeds)
def test_compose_inverse(seed):
    mesh = mesh_of(seed)
    rng = np.random.default_rng(seed)
    shape = mesh.points + rng.normal(0, 3, mesh.points.shape)
    steps = rng.normal(0, 1, shape.shape)
    expected = compose_twin(mesh.points, shape, steps, mesh.triangles)
    np.testing.assert_allclose(compose(mesh, shape, steps), expected, atol=1e-8)
    np.testing.assert_allclose(compose(mesh, shape, steps, parts=True), shape - steps)


@given(seed=seeds, matrix=st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_compose_inverse_of_an_affine_warp_turns_the_steps(seed, matrix):
    mesh = mesh_of(seed)
    affine = np.reshape(matrix, (2, 2))
    steps = np.random.default_rng(seed).normal(0, 1, mesh.points.shape)
    moved = compose(mesh, mesh.points @ affine + [5, -3], steps)
    np.testing.assert_allclose(moved, (mesh.points - steps) @ affine + [5, -3], atol=1e-8)


@given(seed=seeds, shift=st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
def test_compose_inverse_on_the_reference_mesh(seed, shift):
    mesh = mesh_of(seed)
    steps = np.tile(shift, (len(mesh.points), 1)).astype(float)
    moved = compose(mesh, mesh.points, steps)
    np.testing.assert_allclose(moved, mesh.points - shift, atol=1e-9)
    np.testing.assert_allclose(compose(mesh, mesh.points, 0 * steps), mesh.points)


def test_a_point_that_no_triangle_holds_moves_by_itself():
    mesh = mesh_of(0, 4)
    lone = np.vstack([mesh.points, [[3.0, 4.0]]])
    steps = np.full((5, 2), 0.5)
    moved = np.empty((5, 2))
    _descent.compose_inverse(lone, steps, mesh.triangles, mesh.gradients(), moved)
    np.testing.assert_allclose(moved, lone - 0.5)


def inverse_of_piecewise_affine(mesh, moved, points):
    """Return where a piecewise-affine warp of the mesh takes from what lies at points now."""
    target = TriangleMesh(moved, mesh.triangles)
    triangle, weights = target.locate(points)
    inside = triangle >= 0
    corners = mesh.points[mesh.triangles[triangle]]
    return np.einsum("nv,nvd->nd", weights, corners), inside


def test_compose_inverse_is_the_composition_of_warps_for_small_steps():
    """Halving the step quarters what is left to the exact composition of piecewise maps."""
    mesh = mesh_of(4, 9)
    inner = np.flatnonzero(TriangleMesh.delaunay(mesh.points).locate(mesh.points)[0] >= 0)
    rng = np.random.default_rng(0)
    turn = 0.03 * rng.standard_normal((2, 2))
    affine = np.array([[1.1, 0.2], [-0.1, 0.9]])
    left = []
    for size in (1.0, 0.5, 0.25):
        small = size * ((mesh.points - mesh.points.mean(axis=0)) @ turn)
        # W(x; p) after N(x; step)^-1; both affine, so the exact composition is known everywhere.
        back = np.linalg.inv(np.eye(2) + size * turn)
        centre = mesh.points.mean(axis=0)
        exact = ((mesh.points - centre) @ back + centre) @ affine
        moved = compose(mesh, mesh.points @ affine, small)
        left.append(np.abs(moved - exact)[inner].max())
        found, inside = inverse_of_piecewise_affine(mesh, mesh.points + small, mesh.points[inner])
        np.testing.assert_allclose((found @ affine)[inside], exact[inner][inside], atol=1e-7)
    assert left[0] > 3.5 * left[1] > 12 * left[2]


def to_model(scale, shape):
    b, out = np.empty(len(scale.arrays.limits)), np.empty_like(shape)
    arrays = scale.arrays
    _descent.to_shape_model(shape, arrays.mean, arrays.directions, arrays.limits, b, out)
    return b, out


@given(
    seed=seeds,
    degrees=st.floats(-180, 180),
    ratio=st.floats(0.3, 3),
    spread=st.sampled_from([0.5, 3.0]),
    n_components=st.integers(0, 6),
)
def test_to_shape_model_of_shapes_that_the_model_holds(
    scale_of, seed, degrees, ratio, spread, n_components
):
    """Pose and parameters are those that were put in; parameters beyond the limits are cut."""
    scale, model = scale_of(True, n_components=n_components)
    rng = np.random.default_rng(seed)
    b = spread * np.sqrt(model.variances) * rng.standard_normal(n_components)
    angle, size = np.radians(degrees), ratio * scale.frame.scale
    pose = np.array([size * np.cos(angle), size * np.sin(angle), *rng.uniform(0, 99, 2)])
    shape = model.to_landmarks(b, pose)
    found_b, found = to_model(scale, shape)
    limited = model.limit(b, 3.0)
    np.testing.assert_allclose(found_b, limited, atol=1e-9)
    np.testing.assert_allclose(found, model.to_landmarks(limited, pose), atol=1e-6)
    same_pose, same_b = model.to_parameters(shape)
    np.testing.assert_allclose(found_b, model.limit(same_b, 3.0), atol=1e-6)
    np.testing.assert_allclose(same_pose, pose, atol=1e-4)


@settings(max_examples=40)
@given(seed=seeds, noise=st.floats(0, 4))
def test_to_shape_model_of_other_shapes_comes_near_the_nearest(scale_of, seed, noise):
    scale, model = scale_of(True, n_std=1e6)
    rng = np.random.default_rng(seed)
    shape = scale.frame.landmarks + rng.normal(0, noise, (9, 2))
    _, found = to_model(scale, shape)
    pose, b = model.to_parameters(shape)
    nearest = np.linalg.norm(model.to_landmarks(b, pose) - shape)
    assert nearest - 1e-9 <= np.linalg.norm(found - shape) <= 1.02 * nearest + 1e-9
    again = to_model(scale, found)[1]
    np.testing.assert_allclose(again, found, atol=1e-8)


def test_to_shape_model_of_one_point_is_finite(scale_of):
    scale, _ = scale_of(True)
    b, found = to_model(scale, np.full((9, 2), 7.0))
    np.testing.assert_allclose(found, 7)
    assert np.isfinite(b).all()


# The Jacobian, against differences of what the shape shows when its parameters move.


def sampled(scale, features, shape):
    arrays = scale.arrays
    out = np.empty((len(arrays.offsets), features.shape[2]), np.float32)
    pattern = (arrays.starts, arrays.anchors, arrays.weights, arrays.offsets)
    _kernels.sample(features, shape, *pattern, out)
    return out.ravel()


def jacobian_by_differences(scale, features, size=0.5):
    """Move each parameter until a landmark moves by `size` frame pixels, either way."""
    rows = []
    for direction in scale.arrays.directions:
        move = direction.reshape(-1, 2)
        eps = size / np.abs(move).max()
        ahead = sampled(scale, features, scale.arrays.mean + eps * move).astype(float)
        behind = sampled(scale, features, scale.arrays.mean - eps * move)
        rows.append((ahead - behind) / (2 * eps))
    return np.array(rows)


def textured_scale(scale_of, waves, parts, n_appearance, **changes):
    """Return a scale whose template and basis are smooth pictures, and what makes those.

    The returned function takes weights of the basis to the feature image of that appearance.
    """
    kept = {}

    def appearance(pattern, frame):
        pictures = [
            waves(seed, 2, 100.0, 2.0).image(frame.size) for seed in range(n_appearance + 1)
        ]
        bare, _ = scale_of(parts, **changes)
        values = np.stack([sampled(bare, picture, frame.landmarks) for picture in pictures])
        values = values.astype(float)
        # Orthonormal rows, and the same combinations of the pictures that they came from.
        factor = np.linalg.qr(values[1:].T)[1] if n_appearance else np.zeros((0, 0))
        mix = np.linalg.inv(factor).T
        basis = mix @ values[1:]
        stacked = np.stack(pictures).astype(float)
        pure = np.tensordot(mix, stacked[1:], 1)
        kept["image"] = lambda w: (stacked[0] + np.tensordot(w, pure, 1)).astype(np.float32)
        return values[0].astype(np.float32), basis

    scale, model = scale_of(parts, appearance, **changes)
    # QR may have turned the signs of the rows.
    signs = np.ones(n_appearance)
    for k in range(n_appearance):
        row = sampled(scale, kept["image"](np.eye(n_appearance)[k]), scale.arrays.mean)
        signs[k] = np.sign(scale.arrays.basis[k] @ (row - scale.arrays.template))
    return scale, model, lambda w: kept["image"](signs * np.asarray(w))


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@BOTH
def test_steepest_descent_against_differences(scale_of, waves, parts):
    scale, _, image = textured_scale(scale_of, waves, parts, 0, spacing=2.0)
    analytic = steepest_descent(scale.arrays, scale.arrays.template)
    numeric = jacobian_by_differences(scale, image([]))
    assert analytic.shape == numeric.shape
    for found, expected in zip(analytic, numeric, strict=True):
        assert relative(found, expected) < 0.03


@BOTH
def test_steepest_descent_of_a_plane_is_exact(scale_of, parts):
    """Of a linear picture differences are the gradient, at the rim of a patch too."""

    def appearance(pattern, frame):
        segment = np.repeat(np.arange(len(pattern.anchors)), np.diff(pattern.starts))
        corners = frame.landmarks[pattern.anchors[segment]]
        places = np.einsum("vm,mvd->md", pattern.weights, corners) + pattern.offsets
        values = places @ [0.03, -0.02]
        return values.astype(np.float32), np.zeros((0, len(values)))

    scale, _ = scale_of(parts, appearance)
    y, x = np.mgrid[: scale.frame.size, : scale.frame.size]
    image = (0.03 * x - 0.02 * y)[..., None].astype(np.float32)
    analytic = steepest_descent(scale.arrays, scale.arrays.template)
    numeric = jacobian_by_differences(scale, image)
    has = (scale.arrays.rates > 0).all(axis=0)
    np.testing.assert_allclose(analytic[:, has], numeric[:, has], rtol=1e-2, atol=2e-3)


@BOTH
@pytest.mark.parametrize("algorithm", ["wiberg", "simultaneous", "alternating"])
def test_normal_equations_against_differences(scale_of, waves, parts, algorithm):
    scale, _, image = textured_scale(scale_of, waves, parts, 5, spacing=2.0)
    arrays = scale.arrays
    work = ScaleBuffers.make(arrays, 3)
    rng = np.random.default_rng(0)
    weights = 5 * rng.standard_normal(5)
    shown = sampled(scale, image(weights), arrays.mean + 0.3 * rng.standard_normal((9, 2)))
    work.samples[:] = shown.reshape(work.samples.shape)
    error = shown - arrays.template
    work.error[:] = error
    work.projected[:] = arrays.basis @ error
    _descent._linearize(arrays, work, ALGORITHMS[algorithm], 0)

    basis = arrays.basis.astype(float)
    found_weights = basis @ error
    left = error - found_weights @ basis
    analytic = steepest_descent(
        arrays, (arrays.template + found_weights @ basis).astype(np.float32)
    ).astype(float)
    numeric = jacobian_by_differences(scale, image(found_weights))
    for jacobian, tolerance in ((analytic, 1e-3), (numeric, 0.06)):
        projected = jacobian
        if algorithm != "alternating":
            projected = jacobian - (jacobian @ basis.T) @ basis
        assert relative(work.hessian, projected @ projected.T) < tolerance
        assert relative(work.right, projected @ left) < 1.5 * tolerance
    np.testing.assert_allclose(work.hessian, work.hessian.T, atol=1e-6 * work.hessian.max())


@BOTH
def test_project_out_against_differences(scale_of, waves, parts):
    scale, _, image = textured_scale(
        scale_of, waves, parts, 5, spacing=2.0, algorithm="project-out"
    )
    arrays = scale.arrays
    numeric = jacobian_by_differences(scale, image(np.zeros(5)))
    basis = arrays.basis.astype(float)
    projected = numeric - (numeric @ basis.T) @ basis
    assert relative(arrays.descent, projected) < 0.05
    assert relative(arrays.hessian, projected @ projected.T) < 0.05
    assert np.abs(arrays.descent @ basis.T).max() < 1e-3 * np.abs(arrays.descent).max()


# Known warps are found again.


def warped_picture(frame, mesh, shape, truth):
    """Resample the picture `truth(x, y)` of the frame as a piecewise-affine warp takes it."""
    size = frame.size
    y, x = np.mgrid[:size, :size]
    pixels = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    if mesh is None:  # every pixel belongs to the nearest landmark, and moves with it
        nearest = np.linalg.norm(pixels[:, None] - shape, axis=2).argmin(axis=1)
        source = frame.landmarks[nearest] + pixels - shape[nearest]
    else:
        # A similarity beyond the hull, so that the samples at the rim see no edge.
        from classicface.shape.similarity import fit_similarity

        source = apply_similarity(fit_similarity(shape, frame.landmarks), pixels)
        found, inside = inverse_of_piecewise_affine(
            TriangleMesh(frame.landmarks, mesh), shape, pixels
        )
        source[inside] = found[inside]
    return np.ascontiguousarray(truth(*source.T).reshape(size, size, -1), dtype=np.float32)


@BOTH
@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
@pytest.mark.parametrize("seed", range(3))
def test_a_known_warp_is_found_to_a_tenth_of_a_pixel(scale_of, waves, parts, algorithm, seed):
    """Shape, pose and appearance are off at the start; the model can show what it sees.

    The mesh has slivers at its hull, as that of a face has. A patch moves but does not turn, so
    with parts the face is shifted and deformed only.
    """
    pictures = [waves(k, 3, 100.0, 0.5) for k in range(4)]

    def appearance(pattern, frame):
        segment = np.repeat(np.arange(len(pattern.anchors)), np.diff(pattern.starts))
        corners = frame.landmarks[pattern.anchors[segment]]
        places = np.einsum("vm,mvd->md", pattern.weights, corners) + pattern.offsets
        values = np.stack([picture(*places.T).ravel() for picture in pictures])
        return values[0].astype(np.float32), np.linalg.qr(values[1:].T)[0].T

    scale, model = scale_of(parts, appearance, algorithm=algorithm, spacing=2.0)
    frame, arrays = scale.frame, scale.arrays
    rng = np.random.default_rng(seed)
    amounts = 0.3 * rng.uniform(-1, 1, 3)
    b = rng.uniform(-1.5, 1.5, 3) * np.sqrt(model.variances)
    turn = 0.0 if parts else 0.05
    pose = [frame.scale, turn * frame.scale, frame.origin[0] + 2.3, frame.origin[1] - 1.7]
    shape = model.to_landmarks(b, pose)

    def truth(x, y):
        return pictures[0](x, y) + sum(
            a * p(x, y) for a, p in zip(amounts, pictures[1:], strict=True)
        )

    features = warped_picture(frame, None if parts else arrays.triangles, shape, truth)
    work = ScaleBuffers.make(arrays, 100)
    work.shape[:] = frame.landmarks
    work.b[:] = 0.0
    before = np.linalg.norm(work.shape - shape, axis=1).mean()
    n_steps = _descent.descend(arrays, work, features, ALGORITHMS[algorithm], 100, 1e-3)
    after = np.linalg.norm(work.shape - shape, axis=1).mean()
    assert before > 2
    assert after < 0.1
    assert work.costs[n_steps - 1] < 0.01 * work.costs[0]
    np.testing.assert_array_equal(work.trace[0], frame.landmarks)
    np.testing.assert_array_equal(work.trace[n_steps], work.shape)
