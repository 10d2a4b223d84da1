"""The parts of training a face verifier: its describer from shapes, its network by Adam."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from verifier_faces import eye_distance

from classicface import PointDistributionModel
from classicface.landmarker._verifier_kernels import LEAK
from classicface.landmarker.description import FaceDescriber
from classicface.persistence import write_model


def make_describer(
    model: PointDistributionModel, size: int, eyes: float, offset: float
) -> FaceDescriber:
    """Return a describer: the outer eye corners are `eyes` pixels apart in the crops."""
    scale = eyes / eye_distance(model.mean)
    mean = model.mean * scale
    mean += (size - 1) / 2 - (mean.min(axis=0) + mean.max(axis=0)) / 2
    mean[:, 1] += 0.02 * size  # the forehead shows less than the chin
    offsets = np.array([(x, y) for y in (-offset, offset) for x in (-offset, offset)])
    return FaceDescriber(
        size,
        mean.astype(np.float32),
        offsets.astype(np.float32),
        model.components.astype(np.float32),
        (model.variances * scale**2).astype(np.float32),
        float(model.noise_variance * scale**2),
    )


def targets(errors: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the network should say, in [0, 1], and which samples say something clear.

    It falls smoothly with the error: 0.97 at 0.04, 1/2 at 0.1, 0.06 at 0.2. It is 0 where half the
    face is hidden; where less, but much of it is hidden, nothing is clear.
    """
    wanted = 1 / (1 + (np.nan_to_num(errors, nan=9.0) / 0.1) ** 4)
    wanted[visible < 0.5] = 0.0
    clear = (visible < 0.5) | (visible > 0.8) | (errors > 0.2)
    return wanted.astype(np.float32), clear


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def leaky(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, LEAK * x)


class Network:
    """One hidden layer of leaky rectifiers; cross-entropy, Adam (Kingma and Ba, ICLR 2015)."""

    def __init__(self, n_inputs: int, hidden: int, rng: np.random.Generator) -> None:
        scale = np.sqrt(2 / n_inputs)
        self.p = [
            (scale * rng.standard_normal((n_inputs, hidden))).astype(np.float32),
            np.zeros(hidden, np.float32),
            (rng.standard_normal(hidden) / np.sqrt(hidden)).astype(np.float32),
            np.zeros(1, np.float32),
        ]

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return the output before the sigmoid."""
        w, b, v, c = self.p
        out = [
            leaky(x[i : i + 4096].astype(np.float32) @ w + b) @ v + c
            for i in range(0, len(x), 4096)
        ]
        return np.concatenate(out)

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        rng: np.random.Generator,
        *,
        epochs: int = 12,
        rate: float = 1.5e-3,
        decay: float = 0.02,
        dropout: float = 0.1,
        batch: int = 256,
    ) -> Network:
        """Train on features (n, F) and wanted outputs (n,)."""
        m = [np.zeros_like(p) for p in self.p]
        s = [np.zeros_like(p) for p in self.p]
        steps, t = epochs * (len(x) // batch), 0
        for _ in range(epochs):
            order = rng.permutation(len(x))
            for start in range(0, len(x) - batch + 1, batch):
                rows = order[start : start + batch]
                xb = x[rows].astype(np.float32)
                if dropout:
                    xb *= (rng.random(xb.shape, np.float32) > dropout) / np.float32(1 - dropout)
                w, _, v, _ = self.p
                z = xb @ w + self.p[1]
                h = leaky(z)
                d = (sigmoid(h @ v + self.p[3]) - y[rows]) / batch
                dh = (np.where(z > 0, 1, LEAK) * d[:, None] * v).astype(np.float32)
                gradients = [xb.T @ dh, dh.sum(axis=0), h.T @ d, d.sum(keepdims=True)]
                t += 1
                now = rate * 0.5 * (1 + np.cos(np.pi * t / steps))
                for i, g in enumerate(gradients):
                    m[i] += 0.1 * (g - m[i])
                    s[i] += 0.001 * (g * g - s[i])
                    step = m[i] / (1 - 0.9**t) / (np.sqrt(s[i] / (1 - 0.999**t)) + 1e-8)
                    if i in (0, 2):
                        step = step + decay * self.p[i]
                    self.p[i] -= (now * step).astype(np.float32)
        return self


def coarse(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix in 8 bits and the scales of its rows."""
    scales = (np.abs(matrix).max(axis=1) / 127).astype(np.float32)
    scales[scales == 0] = 1
    return np.rint(matrix / scales[:, None]).astype(np.int8), scales


def learn_look(
    features: np.ndarray, groups: np.ndarray, principal: int, kept: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of features, and a projection in which a group's features differ little.

    Fisher's linear discriminants of the first principal components: they are whitened by the
    covariance within groups (here, the frames of a video), then those that vary most are kept.
    """
    mean = features.mean(axis=0)
    rest = features - mean
    basis = np.linalg.eigh(rest.T @ rest)[1][:, : -principal - 1 : -1]
    z = rest @ basis
    within = np.zeros((principal, principal))
    for group in np.unique(groups):
        own = z[groups == group]
        own = own - own.mean(axis=0)
        within += own.T @ own
    within /= len(z)
    within += 0.1 * np.trace(within) / principal * np.eye(principal)
    values, directions = np.linalg.eigh(within)
    whitened = directions / np.sqrt(values)
    between = np.linalg.eigh(np.cov((z @ whitened).T))[1][:, : -kept - 1 : -1]
    return mean, (basis @ whitened @ between).T


def write_verifier(
    path: Path,
    describer: FaceDescriber,
    network: Network,
    calibration: tuple[float, float],
    look: tuple[np.ndarray, np.ndarray],
    header: dict[str, Any],
) -> None:
    """Write a verifier; the calibration is a slope and an offset of the network's output."""
    w, b, v, c = network.p
    slope, offset = calibration
    weights, weights_scales = coarse(w.T)
    projection, look_scales = coarse(look[1])
    half = {"components": describer.components, "look_mean": look[0]}
    tensors = {
        **{name: array.astype(np.float16) for name, array in half.items()},
        "mean": describer.mean,
        "offsets": describer.offsets,
        "variances": describer.variances,
        "weights": weights,
        "weights_scales": weights_scales,
        "biases": b,
        "last_weights": (slope * v).astype(np.float32),
        "look": projection,
        "look_scales": look_scales,
    }
    header = {
        **header,
        "class": "FaceVerifier",
        "size": describer.size,
        "noise_variance": describer.noise_variance,
        "last_bias": float(slope * c[0] + offset),
    }
    write_model(path, header, tensors)
