"""Decoding heatmaps to points: the local soft-argmax."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from classicface.cnn._decoding import exponential_sums, find_peaks, local_expectation

__all__ = ["decode_heatmaps"]


class _Scratch(threading.local):
    """Small arrays of a thread, one number a landmark."""

    def get(self, n: int) -> list[NDArray[np.generic]]:
        if len(getattr(self, "row", ())) != n:
            self.top, self.total = np.empty((2, n), np.float32)
            self.row, self.column, self.exponents = np.empty((3, n), np.int32)
        return [self.top, self.total, self.row, self.column, self.exponents]


_scratch = _Scratch()


def decode_heatmaps(
    logits: NDArray[np.float32], radius: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find each landmark in its heatmap to a fraction of a pixel.

    The peak says where the landmark is; the mean position under the softmax of the map, taken in a
    square window around the peak, says it finely (a soft-argmax that a second peak elsewhere
    cannot pull away).

    Parameters
    ----------
    logits : ndarray of float32, shape (n, height, width, n_landmarks)
    radius : int
        The window reaches so many heatmap pixels to each side of the peak; at the rim of the map
        it is cut.

    Returns
    -------
    points : ndarray of float32, shape (n, n_landmarks, 2)
        (x, y) in heatmap pixels.
    confidence : ndarray of float32, shape (n, n_landmarks)
        The share of the softmax's mass that lies in the window, 0 to 1.
    """
    n_maps = logits.shape[-1]
    points = np.empty((len(logits), n_maps, 2), np.float32)
    confidence = np.empty((len(logits), n_maps), np.float32)
    top, total, row, column, exponents = _scratch.get(n_maps)
    for i, maps in enumerate(logits):
        find_peaks(maps, top, row, column)
        exponential_sums(maps, top, exponents, exponents.view(np.float32), total)
        local_expectation(maps, top, row, column, total, radius, points[i], confidence[i])
    return points, confidence
