"""Compiled kernels of head pose: a head with modes is fitted to points by Levenberg-Marquardt.

Unknowns, in this order: three small turns about x, y and z of the picture, the logarithm of the
scale, the place (x, y), the nearness (one over the distance), then the weight of each mode. Lengths
of the head are in centimetres, z is towards the camera; the picture is in units of the caller's.
"""

import math

import numpy as np
from numba import njit

N_POSE = 7


@njit(cache=True, nogil=True)
def rotate(turn, step, out):
    """Turn a rotation further by a small turn (Rodrigues): out = exp([step]) turn; all (3, 3)."""
    angle = math.sqrt(step[0] * step[0] + step[1] * step[1] + step[2] * step[2])
    a = 1.0 - angle * angle / 6.0
    b = 0.5 - angle * angle / 24.0
    if angle > 1e-4:
        a = math.sin(angle) / angle
        b = (1.0 - math.cos(angle)) / (angle * angle)
    for j in range(3):
        x, y, z = turn[0, j], turn[1, j], turn[2, j]
        cx, cy, cz = step[1] * z - step[2] * y, step[2] * x - step[0] * z, step[0] * y - step[1] * x
        out[0, j] = x + a * cx + b * (step[1] * cz - step[2] * cy)
        out[1, j] = y + a * cy + b * (step[2] * cx - step[0] * cz)
        out[2, j] = z + a * cz + b * (step[0] * cy - step[1] * cx)


@njit(cache=True, nogil=True)
def deform(mean, modes, weights, out):
    """Return the points of a head: mean (n, 3) + sum of weights (m,) times modes (m, n, 3)."""
    out[:] = mean
    for k in range(len(weights)):
        for i in range(len(mean)):
            for c in range(3):
                out[i, c] += weights[k] * modes[k, i, c]


@njit(cache=True, nogil=True, fastmath=True)
def linearise(target, head, modes, turn, view, eye, residuals, jacobian):
    """Write what is left of each point, and its derivative by each unknown.

    target: (n, 2); head: (n, 3); modes: (m, n, 3); turn: (3, 3); view: scale, x, y, nearness;
    eye: x and y of the principal point and focal length, which is 0 where it is not known (the
    face is then seen along its own line of sight). residuals: (2 n,), target - projection;
    jacobian: (2 n, 7 + m), of the projection.
    """
    scale, nearness = view[0], view[3]
    known = eye[2] > 0.0
    for i in range(len(head)):
        hx, hy, hz = head[i, 0], head[i, 1], head[i, 2]
        x = turn[0, 0] * hx + turn[0, 1] * hy + turn[0, 2] * hz
        y = turn[1, 0] * hx + turn[1, 1] * hy + turn[1, 2] * hz
        z = turn[2, 0] * hx + turn[2, 1] * hy + turn[2, 2] * hz
        near = 1.0 / (1.0 - nearness * z)
        for c in range(2):
            row = 2 * i + c
            flat = scale * (x if c == 0 else y)
            if known:
                flat += view[1 + c] - eye[c]
                value = eye[c] + flat * near
            else:
                value = view[1 + c] + flat * near
            residuals[row] = target[i, c] - value
            across = scale * near  # by x or y of the turned head
            along = flat * near * near * nearness  # by its z
            # A turn moves (x, y, z) by its cross product with the axis.
            if c == 0:
                jacobian[row, 0] = along * y
                jacobian[row, 1] = across * z - along * x
                jacobian[row, 2] = -across * y
            else:
                jacobian[row, 0] = -across * z + along * y
                jacobian[row, 1] = -along * x
                jacobian[row, 2] = across * x
            by_nearness = flat * near * near * z
            jacobian[row, 3] = scale * (x if c == 0 else y) * near
            jacobian[row, 4 + c] = near if known else 1.0
            jacobian[row, 5 - c] = 0.0
            jacobian[row, 6] = by_nearness
            if known:  # the nearness is scale / focal length
                jacobian[row, 3] += by_nearness * nearness
                jacobian[row, 6] = 0.0
            # One row of the projection's derivative by the head's own x, y and z.
            px = across * turn[c, 0] + along * turn[2, 0]
            py = across * turn[c, 1] + along * turn[2, 1]
            pz = across * turn[c, 2] + along * turn[2, 2]
            for k in range(len(modes)):
                jacobian[row, N_POSE + k] = (
                    px * modes[k, i, 0] + py * modes[k, i, 1] + pz * modes[k, i, 2]
                )


@njit(cache=True, nogil=True)
def cost_of(residuals, weights, values, prior):
    """Return half the weighted square of residuals (2 n,) and of the distance from the prior."""
    total = 0.0
    for row in range(len(residuals)):
        total += weights[row // 2] * residuals[row] * residuals[row]
    for k in range(len(values)):
        total += prior[k, 1] * (values[k] - prior[k, 0]) ** 2
    return 0.5 * total


@njit(cache=True, nogil=True, fastmath=True)
def normal_equations(residuals, jacobian, weights, values, prior, matrix, vector):
    """Sum matrix = J^T W J + the prior's weights (lower half) and vector = J^T W r + its pull."""
    n = jacobian.shape[1]
    matrix[:] = 0.0
    vector[:] = 0.0
    for row in range(len(residuals)):
        weight = weights[row // 2]
        for i in range(n):
            a = weight * jacobian[row, i]
            vector[i] += a * residuals[row]
            for j in range(i + 1):
                matrix[i, j] += a * jacobian[row, j]
    for k in range(len(values)):
        i = n - len(values) + k
        matrix[i, i] += prior[k, 1]
        vector[i] += prior[k, 1] * (prior[k, 0] - values[k])


@njit(cache=True, nogil=True, fastmath=True)
def factorise(matrix, damping, out):
    """Write the Cholesky factor of matrix + damping times its diagonal; False where there is none.

    Only the lower halves are read and written.
    """
    n = len(matrix)
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            if i == j:
                total += damping * total
            for k in range(j):
                total -= out[i, k] * out[j, k]
            if i > j:
                out[i, j] = total / out[j, j]
            elif total > 1e-12 * matrix[i, i] and total > 0.0:
                out[i, i] = math.sqrt(total)
            else:
                return False
    return True


@njit(cache=True, nogil=True)
def solve(factor, vector, out):
    """Solve with a Cholesky factor (n, n): factor factor^T out = vector."""
    n = len(vector)
    for i in range(n):
        total = vector[i]
        for k in range(i):
            total -= factor[i, k] * out[k]
        out[i] = total / factor[i, i]
    for i in range(n - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, n):
            total -= factor[k, i] * out[k]
        out[i] = total / factor[i, i]


@njit(cache=True, nogil=True)
def fit_head(
    target, weights, mean, modes, eye, prior, max_iterations, turn, view, values, head, covariance
):
    """Fit turn, view and the weights of the modes to points, and return the number of steps.

    target: (n, 2); weights: (n,), one over the variance of a point; mean: (n, 3); modes:
    (m, n, 3); eye: (3,), see `linearise`; prior: (1 + m, 2), mean and one over the variance of the
    nearness and of each mode; turn (3, 3), view (4,) and values (1 + m,; the nearness first) hold
    the start and are changed; head: (n, 3), written; covariance: (3, 3), of the three turns,
    written. Returns -1 where there is no fit.
    """
    n, m = len(mean), len(modes)
    size = N_POSE + m
    residuals, trial_residuals = np.empty(2 * n), np.empty(2 * n)
    jacobian, trial_jacobian = np.empty((2 * n, size)), np.empty((2 * n, size))
    matrix, factor = np.zeros((size, size)), np.zeros((size, size))
    vector, step = np.empty(size), np.empty(size)
    trial_turn, trial_view, trial_values = turn.copy(), view.copy(), values.copy()
    known = eye[2] > 0.0
    deform(mean, modes, values[1:], head)
    linearise(target, head, modes, turn, view, eye, residuals, jacobian)
    cost = cost_of(residuals, weights, values, prior)
    damping = 1e-4
    steps = 0
    for _ in range(max_iterations):
        normal_equations(residuals, jacobian, weights, values, prior, matrix, vector)
        if not factorise(matrix, damping, factor):
            return -1
        solve(factor, vector, step)
        rotate(turn, step[:3], trial_turn)
        trial_view[0] = view[0] * math.exp(min(max(step[3], -1.0), 1.0))
        trial_view[1], trial_view[2] = view[1] + step[4], view[2] + step[5]
        trial_values[:] = values + step[6:]
        if known:
            trial_values[0] = trial_view[0] / eye[2]
        trial_values[0] = min(max(trial_values[0], 0.0), 0.03)
        trial_view[3] = trial_values[0]
        deform(mean, modes, trial_values[1:], head)
        linearise(target, head, modes, trial_turn, trial_view, eye, trial_residuals, trial_jacobian)
        trial_cost = cost_of(trial_residuals, weights, trial_values, prior)
        steps += 1
        if trial_cost <= cost:
            gain = cost - trial_cost
            turn[:], view[:], values[:] = trial_turn, trial_view, trial_values
            residuals, trial_residuals = trial_residuals, residuals
            jacobian, trial_jacobian = trial_jacobian, jacobian
            cost = trial_cost
            damping *= 0.1
            if gain < 1e-4 * cost + 1e-9:
                break
        else:
            damping = max(10.0 * damping, 1e-3)
            if damping > 1e6:
                break
    deform(mean, modes, values[1:], head)
    normal_equations(residuals, jacobian, weights, values, prior, matrix, vector)
    if not factorise(matrix, 0.0, factor):
        return -1
    for j in range(3):
        vector[:] = 0.0
        vector[j] = 1.0
        solve(factor, vector, step)
        for i in range(3):
            covariance[i, j] = step[i]
    return steps
