from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from classicface.apps.pose import _kernels as kernels
from classicface.apps.pose import rotation_matrix
from classicface.apps.pose.fit import NEARNESS, NEARNESS_DEVIATION
from classicface.apps.pose.head import head_model

Floats = NDArray[np.float64]


def seen_by(
    head: Floats, modes: Floats, turn: Floats, view: Floats, eye: Floats, step: Floats
) -> Floats:
    """Return the projection, (2 n,), after a step in the unknowns, as the docs have it."""
    turned = (head + np.tensordot(step[7:], modes, 1)) @ (
        Rotation.from_rotvec(step[:3]).as_matrix() @ turn
    ).T
    scale, place = view[0] * np.exp(step[3]), view[1:3] + step[4:6]
    nearness = scale / eye[2] if eye[2] > 0 else view[3] + step[6]
    center = eye[:2] if eye[2] > 0 else place
    near = 1 / (1 - nearness * turned[:, 2:])
    seen = center + (scale * turned[:, :2] + place - center) * near
    return np.asarray(seen).ravel()


@pytest.fixture
def scene() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    head = rng.normal(0, 4, (9, 3))
    return {
        "head": head,
        "modes": rng.normal(0, 0.3, (3, 9, 3)),
        "turn": rotation_matrix(20.0, -10.0, 30.0),
        "target": rng.normal(0, 4, (9, 2)),
    }


@pytest.mark.parametrize("focal", [0.0, 80.0])
def test_linearise(scene: dict[str, Any], focal: float) -> None:
    eye = np.array([3.0, -5.0, focal])
    view = np.array([1.2, 0.4, -0.3, 1.2 / focal if focal else 0.011])
    arguments = scene["head"], scene["modes"], scene["turn"], view, eye
    residuals, jacobian = np.empty(18), np.empty((18, 10))
    kernels.linearise(scene["target"], *arguments, residuals, jacobian)
    start = seen_by(*arguments, np.zeros(10))
    np.testing.assert_allclose(residuals, scene["target"].ravel() - start, atol=1e-12)
    for k in range(10):
        step = np.zeros(10)
        step[k] = 1e-6
        slope = (seen_by(*arguments, step) - seen_by(*arguments, -step)) / 2e-6
        np.testing.assert_allclose(jacobian[:, k], slope, atol=1e-6)


def test_rotate_and_deform(scene: dict[str, Any]) -> None:
    for step in ([0.3, -0.2, 0.5], [1e-6, 2e-6, 0.0], [0.0, 0.0, 0.0]):
        out = np.empty((3, 3))
        kernels.rotate(scene["turn"], np.array(step), out)
        expected = Rotation.from_rotvec(step).as_matrix() @ scene["turn"]
        np.testing.assert_allclose(out, expected, atol=1e-12)
    moved, weights = np.empty((9, 3)), np.array([0.5, -1.0, 2.0])
    kernels.deform(scene["head"], scene["modes"], weights, moved)
    expected = scene["head"] + np.tensordot(weights, scene["modes"], 1)
    np.testing.assert_allclose(moved, expected, atol=1e-12)


def test_normal_equations_and_their_solution() -> None:
    rng = np.random.default_rng(0)
    residuals, jacobian, weights = rng.normal(size=12), rng.normal(size=(12, 9)), rng.random(6)
    values, prior = rng.normal(size=3), np.abs(rng.normal(size=(3, 2)))
    matrix, vector = np.empty((9, 9)), np.empty(9)
    kernels.normal_equations(residuals, jacobian, weights, values, prior, matrix, vector)
    W = np.diag(np.repeat(weights, 2))
    P = np.diag([0.0] * 6 + prior[:, 1].tolist())
    pull = np.concatenate([np.zeros(6), prior[:, 1] * (prior[:, 0] - values)])
    full = jacobian.T @ W @ jacobian + P
    np.testing.assert_allclose(np.tril(matrix), np.tril(full), atol=1e-12)
    np.testing.assert_allclose(vector, jacobian.T @ W @ residuals + pull, atol=1e-12)
    cost = kernels.cost_of(residuals, weights, values, prior)
    expected = residuals @ W @ residuals + prior[:, 1] @ (values - prior[:, 0]) ** 2
    assert cost == pytest.approx(0.5 * expected)
    factor, out = np.zeros((9, 9)), np.empty(9)
    assert kernels.factorise(matrix, 0.1, factor)
    kernels.solve(factor, vector, out)
    damped = full + 0.1 * np.diag(np.diag(full))
    np.testing.assert_allclose(out, np.linalg.solve(damped, vector), atol=1e-9)
    assert not kernels.factorise(np.zeros((9, 9)), 0.1, factor)


def test_the_fit_is_where_scipy_finds_it() -> None:
    head = head_model()
    modes = head.modes[:6]
    rng = np.random.default_rng(1)
    turn, view = rotation_matrix(15.0, 8.0, -5.0), np.array([1.0, 0.3, -0.2, 0.012])
    still = np.zeros(13)
    person = head.mean + np.tensordot(rng.normal(size=6), modes, 1)
    target = seen_by(person, modes, turn, view, np.zeros(3), still).reshape(-1, 2)
    target += rng.normal(0, 0.05, target.shape)
    prior = np.array([[NEARNESS, NEARNESS_DEVIATION**-2], *[[0.0, 1.0]] * 6])
    trust = np.full(51, 0.15**-2)
    ours, seen, values = np.eye(3), np.array([1.0, 0.0, 0.0, NEARNESS]), np.zeros(7)
    values[0] = NEARNESS
    fitted, covariance = np.empty((51, 3)), np.empty((3, 3))
    steps = kernels.fit_head(
        target, trust, head.mean, modes, np.zeros(3), prior, 50,
        ours, seen, values, fitted, covariance,
    )  # fmt: skip
    assert 0 < steps < 20

    def left(x: Floats) -> Floats:
        start = np.array([1.0, 0.0, 0.0, NEARNESS])
        projected = seen_by(head.mean, modes, np.eye(3), start, np.zeros(3), x)
        shift = np.concatenate([[x[6] / NEARNESS_DEVIATION], x[7:]])
        return np.concatenate([(target.ravel() - projected) / 0.15, shift])

    best = least_squares(left, np.zeros(13), x_scale=np.r_[np.ones(6), 0.01, np.ones(6)])
    np.testing.assert_allclose(values[1:], best.x[7:], atol=0.02)
    expected = Rotation.from_rotvec(best.x[:3]).as_matrix()
    np.testing.assert_allclose(ours, expected, atol=2e-3)
    # The covariance of the turns is that of the linear problem at the minimum.
    inverse = np.linalg.inv(best.jac.T @ best.jac)[:3, :3]
    np.testing.assert_allclose(np.trace(covariance), np.trace(inverse), rtol=0.1)
