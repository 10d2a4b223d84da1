"""The samples that a cascade trains on: faces under many starting shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.image.patch import face_patch
from classicface.shape.boxes import box_centers_sides

__all__ = ["FacePatches", "Samples", "draw_samples", "place_samples"]


@dataclass(frozen=True)
class FacePatches:
    """The patches of all training faces, in one array.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (n_faces, height, width)
        Padded below and to the right.
    heights, widths : ndarray of int, shape (n_faces,)
        What of each patch is picture.
    truth : ndarray of float32, shape (n_faces, L, 2)
        The landmarks in patch coordinates.
    centers : ndarray, shape (n_faces, 2)
        The centres of the boxes in patch coordinates.
    sides : ndarray, shape (n_faces,)
        The sides of the boxes in patch pixels.
    scales : ndarray, shape (n_faces,)
    offsets : ndarray, shape (n_faces, 2)
        A picture point p lies at ``p * scale + offset`` in its patch.
    """

    pixels: NDArray[np.uint8]
    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    truth: NDArray[np.float32]
    centers: NDArray[np.float64]
    sides: NDArray[np.float64]
    scales: NDArray[np.float64]
    offsets: NDArray[np.float64]

    @classmethod
    def cut(
        cls,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        largest: float,
        margin: float,
    ) -> FacePatches:
        """Cut the patch of each face out of its picture; see `classicface.image.patch`."""
        centers, sides = box_centers_sides(boxes)
        cut, truth, middles, scales, offsets = [], [], [], [], []
        for image, points, center, side in zip(images, landmarks, centers, sides, strict=True):
            patch = face_patch(image, tuple(center), float(side), largest, margin, crop=True)
            cut.append(patch.pixels)
            truth.append(patch.from_image(points))
            middles.append(patch.from_image(center))
            scales.append(patch.scale)
            offsets.append(patch.offset)
        heights = np.array([pixels.shape[0] for pixels in cut])
        widths = np.array([pixels.shape[1] for pixels in cut])
        padded = np.zeros((len(cut), heights.max(), widths.max()), np.uint8)
        for i, pixels in enumerate(cut):
            padded[i, : heights[i], : widths[i]] = pixels
        scaled = np.array(scales)
        return cls(
            padded,
            heights,
            widths,
            np.stack(truth).astype(np.float32),
            np.stack(middles),
            sides * scaled,
            scaled,
            np.array(offsets),
        )

    def mean_shape(self) -> NDArray[np.float32]:
        """Return the mean of the landmarks relative to the boxes (centre 0, side 1)."""
        relative = (self.truth - self.centers[:, None]) / self.sides[:, None, None]
        return relative.mean(axis=0).astype(np.float32)


@dataclass
class Samples:
    """Faces under their current shapes.

    Parameters
    ----------
    faces : ndarray of int32, shape (N,)
        The face of each sample.
    shapes : ndarray of float32, shape (N, L, 2)
        The current shapes in patch coordinates.
    sides : ndarray, shape (N,)
        The sides of the boxes that the samples started from, in patch pixels.
    """

    faces: NDArray[np.int32]
    shapes: NDArray[np.float32]
    sides: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.faces)


def draw_samples(
    patches: FacePatches,
    mean_shape: NDArray[np.float32],
    oversampling: int,
    jitter: tuple[float, float, float],
    rng: np.random.Generator,
) -> Samples:
    """Place the mean shape on every face `oversampling` times, near where its box says.

    Starting near the mean, as prediction does, teaches more than starting from other people's
    shapes; the jitter stands for the errors of detectors and for faces that are turned.

    Parameters
    ----------
    patches : FacePatches
    mean_shape : ndarray of float32, shape (L, 2)
    oversampling : int
    jitter : tuple of float
        Standard deviations: shift in sides of the box, scale as a logarithm, rotation in degrees.
        Draws are cut at 2.5 standard deviations.
    rng : numpy.random.Generator
    """
    n_faces = len(patches.sides)
    faces = np.tile(np.arange(n_faces, dtype=np.int32), oversampling)
    shift, scale, rotation = jitter
    noise = np.clip(rng.standard_normal((len(faces), 4)), -2.5, 2.5)
    sides = patches.sides[faces]
    centers = patches.centers[faces] + noise[:, :2] * shift * sides[:, None]
    sides = sides * np.exp(noise[:, 2] * scale)
    angles = np.deg2rad(noise[:, 3] * rotation)
    cos, sin = (sides * np.cos(angles))[:, None], (sides * np.sin(angles))[:, None]
    x, y = mean_shape[:, 0], mean_shape[:, 1]
    shapes = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1) + centers[:, None]
    return Samples(faces, shapes.astype(np.float32), sides)


def place_samples(patches: FacePatches, starts: NDArray[np.float32]) -> Samples:
    """Return the samples of given starting shapes.

    Parameters
    ----------
    patches : FacePatches
    starts : ndarray of float32, shape (n_faces, n_starts, L, 2)
        In picture coordinates.
    """
    n_faces, n_starts = starts.shape[:2]
    faces = np.tile(np.arange(n_faces, dtype=np.int32), n_starts)
    shapes = starts * patches.scales[:, None, None, None] + patches.offsets[:, None, None]
    placed = np.concatenate(shapes.swapaxes(0, 1)).astype(np.float32)
    return Samples(faces, placed, patches.sides[faces])
