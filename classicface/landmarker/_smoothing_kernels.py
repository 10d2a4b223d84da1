"""Kernels of the filter over time: one call a face and frame, the state is changed in place."""

from __future__ import annotations

import math

from numba import njit

__all__ = ["filter_coordinates", "filter_face"]


@njit(cache=True, nogil=True)
def share_of_new(cutoff, step):
    """Return the weight of a new value in a low-pass with this cutoff: alpha of the paper."""
    rate = 2.0 * math.pi * cutoff * step
    return rate / (1.0 + rate)


@njit(cache=True, nogil=True)
def filter_coordinates(values, step, min_cutoff, beta, derivative_cutoff, velocities, state):
    """Filter each coordinate by itself, as the paper does.

    Parameters
    ----------
    values : (k, 2) float64, NaN where missing
    step : float, in seconds
    min_cutoff, derivative_cutoff : float, in Hz
    beta : float, Hz for a speed of one pixel a second
    velocities, state : (k, 2) float64
        The smoothed derivatives and values; both are brought to the time of `values`.
    """
    share = share_of_new(derivative_cutoff, step)
    for j in range(values.shape[0]):
        for d in range(2):
            if math.isnan(values[j, d]) or math.isnan(state[j, d]):
                state[j, d] = values[j, d]
                velocities[j, d] = 0.0
                continue
            change = values[j, d] - state[j, d]
            velocities[j, d] += share * (change / step - velocities[j, d])
            cutoff = min_cutoff + beta * abs(velocities[j, d])
            state[j, d] += share_of_new(cutoff, step) * change


@njit(cache=True, nogil=True)
def fit_motion(source, target):
    """Return the similarity a, b, tx, ty that takes `source` to `target`, without missing points.

    The least-squares fit of `classicface.shape.similarity`, without arrays in between.
    """
    count = 0
    mx = my = nx = ny = 0.0
    for j in range(source.shape[0]):
        if math.isnan(source[j, 0] + target[j, 0]):
            continue
        count += 1
        mx += source[j, 0]
        my += source[j, 1]
        nx += target[j, 0]
        ny += target[j, 1]
    if count == 0:
        return 1.0, 0.0, 0.0, 0.0
    mx, my, nx, ny = mx / count, my / count, nx / count, ny / count
    dot = cross = norm = 0.0
    for j in range(source.shape[0]):
        if math.isnan(source[j, 0] + target[j, 0]):
            continue
        px, py = source[j, 0] - mx, source[j, 1] - my
        qx, qy = target[j, 0] - nx, target[j, 1] - ny
        dot += px * qx + py * qy
        cross += px * qy - py * qx
        norm += px * px + py * py
    a, b = 1.0, 0.0
    if norm > 1e-9:
        a, b = dot / norm, cross / norm
    return a, b, nx - a * mx + b * my, ny - b * mx - a * my


@njit(cache=True, nogil=True)
def filter_face(values, step, scale, settings, head, own, state):
    """Filter the motion of the whole face and that of each point within it.

    Parameters
    ----------
    values : (k, 2) float64, NaN where missing
    step : float, in seconds
    scale : float, the size of the face in pixels
    settings : (6,) float64
        min_cutoff, beta, derivative_cutoff, own_derivative_cutoff, face_noise, point_noise; see
        `classicface.landmarker.smoothing.OneEuroFilter`.
    head, own : (k, 2) float64
        The smoothed velocities of the points with the face, and within it.
    state : (k, 2) float64
        The smoothed points. All three are brought to the time of `values`.
    """
    min_cutoff, beta = settings[0], settings[1]
    share_head = share_of_new(settings[2], step)
    share_own = share_of_new(settings[3], step)
    a, b, tx, ty = fit_motion(state, values)
    count, total = 0, 0.0
    for j in range(values.shape[0]):
        if math.isnan(state[j, 0]):
            continue
        x, y = state[j, 0], state[j, 1]
        head[j, 0] += share_head * ((a * x - b * y + tx - x) / step - head[j, 0])
        head[j, 1] += share_head * ((b * x + a * y + ty - y) / step - head[j, 1])
        count += 1
        total += head[j, 0] ** 2 + head[j, 1] ** 2
    speed = math.sqrt(total / max(count, 1)) / scale
    face_cutoff = min_cutoff + beta * max(0.0, speed - settings[4])
    share_face = share_of_new(face_cutoff, step)
    for j in range(values.shape[0]):
        if math.isnan(values[j, 0]) or math.isnan(state[j, 0]):
            state[j] = values[j]
            head[j] = 0.0
            own[j] = 0.0
            continue
        x, y = state[j, 0], state[j, 1]
        moved_x, moved_y = a * x - b * y + tx, b * x + a * y + ty
        rest_x, rest_y = values[j, 0] - moved_x, values[j, 1] - moved_y
        own[j, 0] += share_own * (rest_x / step - own[j, 0])
        own[j, 1] += share_own * (rest_y / step - own[j, 1])
        speed = math.sqrt(own[j, 0] ** 2 + own[j, 1] ** 2) / scale
        share = share_of_new(face_cutoff + beta * max(0.0, speed - settings[5]), step)
        state[j, 0] = x + share_face * (moved_x - x) + share * rest_x
        state[j, 1] = y + share_face * (moved_y - y) + share * rest_y
