"""Compiled kernels of the optimisers: one pass over the flat float32 arrays of a network."""

from __future__ import annotations

import numpy as np

from classicface.cnn._kernels import ONE, kernel


@kernel
def sgd(weights, gradient, velocity, rate, momentum, decay, mask, nesterov):
    """Take one step of gradient descent with momentum."""
    for i in range(weights.size):
        g = gradient[i] + decay * mask[i] * weights[i]
        v = momentum * velocity[i] + g
        velocity[i] = v
        weights[i] -= rate * (g + momentum * v if nesterov else v)


@kernel
def adam(weights, gradient, first, second, rates, betas, eps, coupled, decoupled, mask):
    """Take one step of Adam.

    rates holds the rate over the correction of the first moment, and one over the root of the
    correction of the second; coupled decay enters the gradient, decoupled shrinks the weights.
    """
    beta1, beta2 = betas[0], betas[1]
    rate, root = rates[0], rates[1]
    rest1, rest2 = ONE - beta1, ONE - beta2
    for i in range(weights.size):
        w = weights[i]
        g = gradient[i] + coupled * mask[i] * w
        m = beta1 * first[i] + rest1 * g
        v = beta2 * second[i] + rest2 * g * g
        first[i] = m
        second[i] = v
        weights[i] = w - decoupled * mask[i] * w - rate * m / (np.sqrt(v) * root + eps)


@kernel
def squared_norm(vector):
    """Return the sum of the squares, in float64."""
    total = 0.0
    for start in range(0, vector.size, 1024):
        part = vector[start : start + 1024]
        s = np.float32(0)
        for i in range(part.size):
            s += part[i] * part[i]
        total += s
    return total


@kernel
def blend(average, weights, decay):
    """Move the average to the weights by the share 1 - decay."""
    rest = ONE - decay
    for i in range(average.size):
        average[i] += rest * (weights[i] - average[i])
