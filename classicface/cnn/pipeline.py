"""Training batches of a network: random views of faces, made in threads ahead of their use."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError
from classicface.image.augment import Augmentation
from classicface.image.crop import FaceCut, crop_pose
from classicface.shape.boxes import box_centers_sides, landmark_box
from classicface.shape.similarity import apply_similarity
from classicface.validation import check_integer, check_number

__all__ = ["Batch", "Batches"]

Batch = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]

# So many faces lend parts of themselves to hide others.
_MAX_DONORS = 256


class Batches:
    """Random views of faces, batch by batch.

    What a batch holds follows from the seed, the number of the epoch and the faces alone, not
    from the threads that make it.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (height, width)
        One face each. A face that is larger than in the crops is kept as a halved copy of its
        surroundings, any other as a view of its picture.
    landmarks : ndarray of float32, shape (n, n_landmarks, 2)
        NaN where missing.
    boxes : ndarray of float32, shape (n, 4)
        Landmark boxes.
    scheme_mirror : tuple of int
        What each landmark becomes in the mirrored picture; empty where this is not known, and
        then no face is mirrored.
    size : int
        The side of the views, in pixels.
    margin : float
        What a view shows beyond the box on each side, in sides of the box.
    augmentation : Augmentation
    batch_size : int
        With fewer faces, all of them are a batch.
    seed : int
    n_workers : int
        Threads that make batches.
    ahead : int, default 4
        How many batches are made ahead.

    Raises
    ------
    InvalidInputError
        A number is out of range, or there is not one picture and one box a face.
    """

    def __init__(
        self,
        images: Sequence[NDArray[np.uint8]],
        landmarks: NDArray[np.floating],
        boxes: NDArray[np.floating],
        scheme_mirror: tuple[int, ...],
        size: int,
        margin: float,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        n_workers: int,
        ahead: int = 4,
    ) -> None:
        if not len(images) == len(landmarks) == len(boxes) > 0:
            raise InvalidInputError(
                f"{len(images)} images, {len(landmarks)} faces' landmarks and {len(boxes)} boxes;"
                " expected at least one, and one of each a face"
            )
        self.size = check_integer(size, "size", 1, 4096)
        self.margin = check_number(margin, "margin", 0.0, 10.0)
        self.augmentation = augmentation
        self.batch_size = min(check_integer(batch_size, "batch_size", 1), len(images))
        self.seed = check_integer(seed, "seed", 0)
        self.n_workers = check_integer(n_workers, "n_workers", 1)
        self.ahead = check_integer(ahead, "ahead", 1)
        self._mirror = list(scheme_mirror) if augmentation.mirror else []
        self._landmarks = np.asarray(landmarks, np.float64)
        self._centers, self._sides = box_centers_sides(boxes)
        lacking = np.isnan(self._landmarks.sum(axis=(1, 2)))[:, None]
        tight = np.where(lacking, boxes, landmark_box(self._landmarks))
        self._tight_centers, self._tight_sides = box_centers_sides(tight)
        poses = [self._pose(i) for i in range(len(images))]
        reach = augmentation.reach(self.margin)
        self._faces = [
            FaceCut.around(image, pose, self.size, reach)
            for image, pose in zip(images, poses, strict=True)
        ]
        rng = np.random.default_rng(self.seed)
        chosen = rng.permutation(len(images))[:_MAX_DONORS].tolist()
        self._donors = np.stack([self._faces[i].crop(poses[i], self.size) for i in chosen])

    @property
    def n_steps(self) -> int:
        """The number of batches of an epoch; faces that do not fill one are left for another."""
        return len(self._faces) // self.batch_size

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, in an order of its own.

        Parameters
        ----------
        number : int
            From 0.

        Yields
        ------
        pixels : ndarray of uint8, shape (batch, size, size, 1)
        points : ndarray of float32, shape (batch, n_landmarks, 2)
            The landmarks in pixels of the views; 0 where missing.
        weights : ndarray of float32, shape (batch, n_landmarks)
            1, or 0 where a landmark is missing.
        """
        # No face has this index, so no face's draws are those of the order.
        rng = np.random.default_rng((self.seed, number, len(self._faces)))
        order = rng.permutation(len(self._faces))
        parts = [
            order[step * self.batch_size : (step + 1) * self.batch_size]
            for step in range(self.n_steps)
        ]
        pool = ThreadPoolExecutor(self.n_workers, thread_name_prefix="classicface-batches")
        try:
            waiting: deque[Future[Batch]] = deque()
            for part in parts:
                waiting.append(pool.submit(self._batch, number, part))
                if len(waiting) > self.ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _batch(self, number: int, faces: NDArray[np.intp]) -> Batch:
        pixels = np.empty((len(faces), self.size, self.size, 1), np.uint8)
        poses = np.empty((len(faces), 4))
        mirrored = np.zeros(len(faces), bool)
        for row, face in enumerate(faces.tolist()):
            rng = np.random.default_rng((self.seed, number, face))
            poses[row] = self._drawn_pose(face, rng)
            mirrored[row] = rng.random() < 0.5 and bool(self._mirror)
            view = self._faces[face].crop(poses[row], self.size)
            view = self.augmentation.photometric(view, rng, self._donors)
            pixels[row, :, :, 0] = view[:, ::-1] if mirrored[row] else view
        points = apply_similarity(poses, self._landmarks[faces])
        if self._mirror:
            points[mirrored] = points[mirrored][:, self._mirror]
            points[mirrored, :, 0] = self.size - 1 - points[mirrored, :, 0]
        weights = np.ones(points.shape[:2], np.float32)
        weights[np.isnan(points).any(axis=-1)] = 0.0
        points[weights == 0] = 0.0
        return pixels, points.astype(np.float32), weights

    def _drawn_pose(self, face: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return where a face lies in a random view."""
        shift_x, shift_y, scale, angle = self.augmentation.draw_pose(rng)
        (x, y), side = self._centers[face].tolist(), float(self._sides[face])
        if rng.random() < self.augmentation.tight:
            (x, y), side = self._tight_centers[face].tolist(), float(self._tight_sides[face])
            shift_x, shift_y, scale = shift_x / 2, shift_y / 2, scale / 2
        center = (x + shift_x * side, y + shift_y * side)
        return crop_pose(center, side * math.exp(scale), self.size, self.margin, angle)

    def _pose(self, face: int) -> NDArray[np.float64]:
        """Return where a face lies in its plain view."""
        center, side = self._centers[face], float(self._sides[face])
        return crop_pose(center, side, self.size, self.margin)
