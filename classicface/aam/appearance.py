"""Training: the appearance model of one scale, principal components of what samples show."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from classicface.aam import _kernels
from classicface.aam.pattern import Pattern
from classicface.aam.storage import MAX_APPEARANCES
from classicface.image.descriptors import FEATURES, feature_image
from classicface.image.frame import ReferenceFrame
from classicface.shape.similarity import apply_similarity, invert_similarity

__all__ = ["principal_components", "read_appearances"]

Floats = NDArray[np.float32]


def read_appearances(
    images: list[NDArray[np.uint8]],
    landmarks: NDArray[np.floating],
    poses: NDArray[np.floating],
    frame: ReferenceFrame,
    pattern: Pattern,
    features: str,
    cell: int,
    n_jobs: int,
) -> Floats:
    """Sample the features of every face at its true landmarks.

    Parameters
    ----------
    images : list of ndarray of uint8, shape (height, width)
    landmarks : ndarray, shape (n_faces, L, 2)
    poses : ndarray, shape (n_faces, 4)
        From the shape model to the pictures.
    frame : ReferenceFrame
    pattern : Pattern
    features : str
    cell : int
    n_jobs : int

    Returns
    -------
    ndarray of float32, shape (n_faces, m C)
    """
    result = np.empty((len(images), pattern.n_samples, FEATURES[features]), np.float32)

    def read(i: int) -> None:
        pixels, to_image = frame.crop(images[i], poses[i])
        shape = apply_similarity(invert_similarity(to_image), landmarks[i])
        _kernels.sample(
            feature_image(pixels, features, cell),
            shape,
            pattern.starts,
            pattern.anchors,
            pattern.weights,
            pattern.offsets,
            result[i],
        )

    with ThreadPoolExecutor(n_jobs) as pool:
        list(pool.map(read, range(len(images))))
    return result.reshape(len(images), -1)


def principal_components(values: Floats, n_components: int | float) -> tuple[Floats, Floats, float]:
    """Return mean, components and the variance that these leave in each value.

    The eigenvectors of the smaller of the two inner-product matrices (Turk and Pentland 1991).

    Parameters
    ----------
    values : ndarray of float32, shape (n, D)
        Overwritten.
    n_components : int or float
        How many to keep, or the share of the variance to explain; at most n - 1,
        and `classicface.aam.storage.MAX_APPEARANCES`.

    Returns
    -------
    mean : ndarray of float32, shape (D,)
    basis : ndarray of float32, shape (k, D)
    noise : float
    """
    from scipy.linalg import eigh

    mean = values.mean(axis=0)
    values -= mean
    n, size = values.shape
    transposed = size < n
    gram = (values.T @ values if transposed else values @ values.T).astype(np.float64) / n
    total = float(np.trace(gram))
    most = min(n - 1, size, MAX_APPEARANCES)
    wanted = most if isinstance(n_components, float) else min(n_components, most)
    if wanted == 0 or total <= 0.0:
        return mean, np.zeros((0, size), np.float32), max(0.0, total) / size
    first = len(gram) - wanted
    variances, vectors = eigh(gram, subset_by_index=(first, len(gram) - 1), driver="evr")
    variances, vectors = variances[::-1], vectors[:, ::-1]
    if isinstance(n_components, float):
        wanted = int(np.searchsorted(np.cumsum(variances) / total, n_components)) + 1
    kept = min(wanted, int((variances > 1e-9 * total).sum()))
    vectors = vectors[:, :kept].astype(np.float32)
    basis = vectors.T if transposed else vectors.T @ values
    basis = basis / np.linalg.norm(basis, axis=1, keepdims=True)
    signs = np.sign(basis[np.arange(kept), np.abs(basis).argmax(axis=1)])
    left = max(0.0, total - float(variances[:kept].sum()))
    return mean, np.ascontiguousarray(basis * signs[:, None]), left / max(1, size - kept)
