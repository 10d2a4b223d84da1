"""Compiled kernels of the descent: one Gauss-Newton step after another, at one scale.

See `classicface.aam.fitting` for what the model and the buffers hold.
"""

import numpy as np
from numba import njit

from classicface.aam._kernels import (
    anchored_gradients,
    coefficients,
    gather,
    sample,
    structure,
    synthesize,
    times_directions,
    to_parameters,
)

#: The algorithms of `descend`.
PROJECT_OUT, SIMULTANEOUS, ALTERNATING, WIBERG = range(4)


@njit(cache=True, nogil=True)
def solve(matrix, right):
    """Solve a symmetric positive definite system in place by Cholesky's method.

    matrix: (n, n), overwritten; right: (n,), becomes the solution. A direction without information
    (a pivot that is not positive) gets the solution 0.
    """
    n = len(right)
    largest = 0.0
    for i in range(n):
        largest = max(largest, matrix[i, i])
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if i != j:
                matrix[i, j] = total / matrix[j, j] if matrix[j, j] > 0.0 else 0.0
            else:
                matrix[i, i] = np.sqrt(total) if total > 1e-12 * largest else 0.0
        total = right[i]
        for k in range(i):
            total -= matrix[i, k] * right[k]
        right[i] = total / matrix[i, i] if matrix[i, i] > 0.0 else 0.0
    for i in range(n - 1, -1, -1):
        total = right[i]
        for k in range(i + 1, n):
            total -= matrix[k, i] * right[k]
        right[i] = total / matrix[i, i] if matrix[i, i] > 0.0 else 0.0


@njit(cache=True, nogil=True)
def compose_inverse(shape, steps, triangles, gradients, moved):
    """Compose the current warp with the inverse of a small one: Matthews and Baker 2004, sec. 4.

    The small warp moves the landmarks of the reference frame by `steps`; its inverse moves them by
    about -steps, and the current warp takes them from there. Where a landmark is the corner of
    several triangles their affine maps are averaged by area, since the map of a sliver says little
    beyond it; without triangles (patches, which move but do not turn) the current warp is a
    translation.

    shape, steps, moved: (L, 2); triangles: (t, 3); gradients: (t, 3, 2), of the barycentric
    coordinates in the reference frame.
    """
    n_landmarks = len(shape)
    areas = np.zeros(n_landmarks)
    moved[:] = 0.0
    for t in range(len(triangles)):
        cross = gradients[t, 0, 0] * gradients[t, 1, 1] - gradients[t, 0, 1] * gradients[t, 1, 0]
        area = 1.0 / abs(cross)
        for corner in triangles[t]:
            areas[corner] += area
            for u in range(3):
                rate = gradients[t, u, 0] * steps[corner, 0] + gradients[t, u, 1] * steps[corner, 1]
                moved[corner, 0] -= area * rate * shape[triangles[t, u], 0]
                moved[corner, 1] -= area * rate * shape[triangles[t, u], 1]
    for i in range(n_landmarks):
        for d in range(2):
            move = moved[i, d] / areas[i] if areas[i] > 0 else -steps[i, d]
            moved[i, d] = shape[i, d] + move


@njit(cache=True, nogil=True)
def to_shape_model(shape, mean, directions, limits, b, out):
    """Bring points to the nearest shape of the model, its parameters within limits.

    shape, mean, out: (L, 2), in the frame; directions: (4 + k, 2 L), the first four those of
    similarities; limits, b: (k,), b is written in units of the directions.
    """
    n_landmarks = len(mean)
    mx = my = sx = sy = 0.0
    for i in range(n_landmarks):
        mx += mean[i, 0] / n_landmarks
        my += mean[i, 1] / n_landmarks
        sx += shape[i, 0] / n_landmarks
        sy += shape[i, 1] / n_landmarks
    dot = cross = norm = 0.0
    for i in range(n_landmarks):
        px, py = mean[i, 0] - mx, mean[i, 1] - my
        qx, qy = shape[i, 0] - sx, shape[i, 1] - sy
        dot += px * qx + py * qy
        cross += px * qy - py * qx
        norm += px * px + py * py
    sa, sb = dot / norm, cross / norm
    square = max(sa * sa + sb * sb, 1e-12)
    b[:] = 0.0
    for i in range(n_landmarks):
        qx, qy = shape[i, 0] - sx, shape[i, 1] - sy
        ux = (sa * qx + sb * qy) / square - (mean[i, 0] - mx)
        uy = (sa * qy - sb * qx) / square - (mean[i, 1] - my)
        for k in range(len(b)):
            b[k] += directions[4 + k, 2 * i] * ux + directions[4 + k, 2 * i + 1] * uy
    for k in range(len(b)):
        # The directions have the frame's scale, so that b is in units of the shape model.
        b[k] = min(max(b[k] / _square(directions[4 + k]), -limits[k]), limits[k])
    for i in range(n_landmarks):
        px, py = mean[i, 0] - mx, mean[i, 1] - my
        for k in range(len(b)):
            px += b[k] * directions[4 + k, 2 * i]
            py += b[k] * directions[4 + k, 2 * i + 1]
        out[i, 0] = sa * px - sb * py + sx
        out[i, 1] = sb * px + sa * py + sy


@njit(cache=True, nogil=True)
def _square(row):
    total = 0.0
    for value in row:
        total += value * value
    return total


@njit(cache=True, nogil=True)
def descend(model, work, features, algorithm, max_iterations, tolerance):
    """Fit one face at one scale by inverse compositional Gauss-Newton steps.

    model: ScaleArrays; work: ScaleBuffers, whose `shape` is the start and becomes the result;
    features: (H, W, C) float32; `tolerance` ends the descent where no landmark moves by more frame
    pixels. Returns the number of steps; work.trace[:steps + 1] are the shapes and
    work.costs[:steps] the costs before each step: what of the squared error the appearance basis
    does not explain, per value.
    """
    work.trace[0] = work.shape
    for step in range(max_iterations):
        sample(
            features,
            work.shape,
            model.starts,
            model.anchors,
            model.weights,
            model.offsets,
            work.samples,
        )
        error = work.error
        squared = 0.0
        values = work.samples.reshape(-1)
        for i in range(len(error)):
            error[i] = values[i] - model.template[i]
            squared += error[i] * error[i]
        coefficients(model.basis, error, work.projected)
        for value in work.projected:
            squared -= value * value
        work.costs[step] = squared / len(error)
        if algorithm == PROJECT_OUT:
            coefficients(model.descent, error, work.right)
            work.hessian[:] = model.hessian
        else:
            _linearize(model, work, algorithm, step)
        for p in range(4, len(work.right)):
            work.hessian[p, p] += model.prior[p - 4]
            work.right[p] += model.prior[p - 4] * work.b[p - 4]
        solve(work.hessian, work.right)
        if algorithm == SIMULTANEOUS:
            for k in range(len(work.appearance)):
                work.appearance[k] = work.projected[k]
                for p in range(len(work.right)):
                    work.appearance[k] -= work.coupled[k, p] * work.right[p]
        largest = 0.0
        work.steps[:] = 0.0
        flat = work.steps.reshape(-1)
        for p in range(len(work.right)):
            for i in range(len(flat)):
                flat[i] += work.right[p] * model.directions[p, i]
        for value in flat:
            largest = max(largest, abs(value))
        compose_inverse(work.shape, work.steps, model.triangles, model.gradients, work.moved)
        to_shape_model(work.moved, model.mean, model.directions, model.limits, work.b, work.shape)
        work.trace[step + 1] = work.shape
        if largest < tolerance:
            return step + 1
    return max_iterations


@njit(cache=True, nogil=True)
def _linearize(model, work, algorithm, step):
    """Set up the normal equations of a step around the appearance that fits best now.

    The Jacobian is that of the template plus the appearance (Gross, Matthews and Baker 2005).
    Simultaneous and Wiberg steps solve for shape and appearance together, with the appearance
    eliminated (Tzimiropoulos and Pantic 2013, eq. 18 to 24): they differ in where the
    appearance stands, at the last step's joint solution or at the best for the current shape.
    Alternating steps hold the appearance fixed.
    """
    if algorithm != SIMULTANEOUS or step == 0:
        work.appearance[:] = work.projected
    synthesize(model.template, model.basis, work.appearance, work.synthetic)
    anchored_gradients(
        work.synthetic.reshape(work.samples.shape),
        model.neighbours,
        model.rates,
        model.weights,
        work.gradients,
    )
    gradients = work.gradients.reshape(len(model.weights), 2, len(work.error))
    structure(gradients, model.starts, model.anchors, work.structure)
    to_parameters(model.moves, work.structure, work.half, work.hessian)
    if algorithm == ALTERNATING:
        values = work.samples.reshape(-1)
        for i in range(len(work.error)):
            work.error[i] = values[i] - work.synthetic[i]
    gather(gradients, model.starts, model.anchors, work.error, work.pull)
    for p in range(len(work.right)):
        work.right[p] = 0.0
        for i in range(len(work.pull)):
            work.right[p] += model.directions[p, i] * work.pull[i]
    if algorithm == ALTERNATING:
        return
    for k in range(len(model.basis)):
        gather(gradients, model.starts, model.anchors, model.basis[k], work.coupling[k])
    times_directions(work.coupling, model.directions, work.coupled)
    for k in range(len(model.basis)):
        for p in range(len(work.right)):
            work.right[p] -= work.coupled[k, p] * work.projected[k]
            for q in range(len(work.right)):
                work.hessian[p, q] -= work.coupled[k, p] * work.coupled[k, q]
