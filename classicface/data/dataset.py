"""LandmarkDataset: cropped grey faces with landmarks and boxes; load_dataset reads one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.shape.boxes import BoxMap, box_centers_sides, landmark_box, square_boxes
from classicface.shape.schemes import LandmarkScheme, convert_landmarks, get_scheme
from classicface.validation import (
    check_boxes,
    check_image,
    check_landmarks,
    check_number,
    check_random_state,
)

__all__ = ["LandmarkDataset", "load_dataset", "tight_boxes"]


def tight_boxes(landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the landmark boxes of faces; one without width or height is made square.

    Parameters
    ----------
    landmarks : ndarray, shape (n, n_landmarks, 2)

    Returns
    -------
    ndarray of float32, shape (n, 4)
        NaN where a face has no point, without extent where all its points coincide.
    """
    boxes = landmark_box(landmarks)
    flat = ((boxes[:, 2:] - boxes[:, :2]) <= 0).any(axis=1)
    low, high = boxes[flat, :2].astype(np.float64), boxes[flat, 2:].astype(np.float64)
    boxes[flat] = square_boxes((low + high) / 2, (high - low).max(axis=1))
    return boxes


class LandmarkDataset:
    """Faces with landmarks, one face a picture, all in memory.

    Parameters
    ----------
    images : sequence of array-like
        Pictures as `classicface.validation.check_image` takes them; kept in grey.
    landmarks : array-like, shape (n, n_landmarks, 2)
        (x, y) in pixels of these pictures, 0-based; NaN marks a missing point.
    boxes : array-like, shape (n, 4), optional
        Landmark boxes x0, y0, x1, y1 as they will be met at prediction; by default the tight
        boxes of the landmarks.
    names : sequence of str, optional
        By default "0", "1", ...
    groups : sequence of str or None, optional
        Who is seen: faces of one group stay on one side of a split.
    scheme : LandmarkScheme, str or path-like, optional
        The meaning of the points; by default told from their number.
    origins : array-like, shape (n, 3), optional
        x, y, scale of each picture in the one that it was cut from:
        original = cropped / scale + (x, y).
    n_skipped : int, default 0
        How many faults were left out, with their faces, when the set was read.

    Raises
    ------
    InvalidInputError
        Inputs that do not fit together.
    """

    def __init__(
        self,
        images: Sequence[ArrayLike],
        landmarks: ArrayLike,
        boxes: ArrayLike | None = None,
        names: Sequence[str] | None = None,
        groups: Sequence[str | None] | None = None,
        scheme: LandmarkScheme | str | Path | None = None,
        origins: ArrayLike | None = None,
        n_skipped: int = 0,
    ) -> None:
        self.images: list[NDArray[np.uint8]] = [check_image(image) for image in images]
        n = len(self.images)
        self.landmarks: NDArray[np.float32] = check_landmarks(landmarks)
        if self.landmarks.ndim != 3 or len(self.landmarks) != n or n == 0:
            raise InvalidInputError(
                f"{n} images and landmarks of shape {self.landmarks.shape}; expected at least one"
                " image and landmarks of shape (n_images, n_landmarks, 2)"
            )
        n_landmarks = self.landmarks.shape[1]
        self.scheme: LandmarkScheme = get_scheme(n_landmarks if scheme is None else scheme)
        check_landmarks(self.landmarks, self.scheme.n_landmarks)
        given = tight_boxes(self.landmarks) if boxes is None else boxes
        self.boxes: NDArray[np.float32] = check_boxes(given)
        self.names: list[str] = [str(i) for i in (range(n) if names is None else names)]
        self.groups: list[str | None] = [None] * n if groups is None else list(groups)
        whole = np.tile([0.0, 0.0, 1.0], (n, 1))
        self.origins: NDArray[np.float64] = np.array(
            whole if origins is None else origins, np.float64
        )
        self.n_skipped = n_skipped
        lengths = {"boxes": len(self.boxes), "names": len(self.names), "groups": len(self.groups)}
        for what, length in lengths.items():
            if length != n:
                raise InvalidInputError(f"{length} {what} for {n} images")
        if self.origins.shape != (n, 3):
            raise InvalidInputError(f"origins have shape {self.origins.shape}; expected ({n}, 3)")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"<LandmarkDataset: {len(self)} faces, {self.scheme.name}>"

    def subset(self, indices: ArrayLike) -> LandmarkDataset:
        """Return the set of some faces, named by index or by a mask; pictures are shared.

        Raises
        ------
        InvalidInputError
            No face is named, or one that there is not.
        """
        try:
            chosen = np.arange(len(self))[np.asarray(indices)].ravel()
        except IndexError as error:
            raise InvalidInputError(f"indices of {len(self)} faces: {error}") from None
        return LandmarkDataset(
            [self.images[i] for i in chosen],
            self.landmarks[chosen],
            self.boxes[chosen],
            [self.names[i] for i in chosen],
            [self.groups[i] for i in chosen],
            self.scheme,
            self.origins[chosen],
        )

    def mirror(self) -> LandmarkDataset:
        """Return the mirrored faces, in the same order.

        Points change places as the scheme says. Each mirrored face has its original's group (its
        name where it has none), and is its own origin.

        Raises
        ------
        InvalidInputError
            The scheme has no mirror.
        """
        points = [
            self.scheme.mirror_points(face, image.shape[1])
            for face, image in zip(self.landmarks, self.images, strict=True)
        ]
        last = np.array([image.shape[1] - 1 for image in self.images], np.float32)
        boxes = self.boxes.copy()
        boxes[:, 0], boxes[:, 2] = last - self.boxes[:, 2], last - self.boxes[:, 0]
        return LandmarkDataset(
            [np.ascontiguousarray(image[:, ::-1]) for image in self.images],
            np.stack(points),
            boxes,
            [f"{Path(name).stem}_mirror{Path(name).suffix}" for name in self.names],
            self._named_groups(),
            self.scheme,
        )

    def with_mirror(self) -> LandmarkDataset:
        """Return the faces followed by their mirror images, each pair in one group."""
        grouped = self.subset(np.arange(len(self)))
        grouped.groups = list(self._named_groups())
        return LandmarkDataset.concatenate([grouped, self.mirror()])

    def _named_groups(self) -> list[str]:
        return [
            name if group is None else group
            for name, group in zip(self.names, self.groups, strict=True)
        ]

    def split(
        self,
        fraction: float,
        random_state: int | np.random.Generator | None = None,
        by_group: bool = True,
    ) -> tuple[LandmarkDataset, LandmarkDataset]:
        """Split the faces at random in two.

        Parameters
        ----------
        fraction : float
            The share of the faces that the first set gets, within (0, 1).
        random_state : int or numpy.random.Generator, optional
        by_group : bool, default True
            Keep the faces of a group together; the shares are then approximate.

        Returns
        -------
        first, second : LandmarkDataset
            Faces keep their order; neither is empty.

        Raises
        ------
        InvalidInputError
            Fewer than two faces, or than two groups, or a fraction out of range.
        """
        fraction = check_number(fraction, "fraction", 0, 1)
        rng = check_random_state(random_state)
        labels: list[Any] = list(range(len(self)))
        if by_group:
            labels = [i if g is None else g for i, g in enumerate(self.groups)]
        number = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        group = np.array([number[label] for label in labels])
        sizes = np.bincount(group)
        if len(sizes) < 2:
            raise InvalidInputError("a split needs two faces at least, and two groups by_group")
        order = rng.permutation(len(sizes))
        share = np.cumsum(sizes[order]) / len(self)
        count = 1 + int(np.argmin(np.abs(share[:-1] - fraction)))
        first = np.isin(group, order[:count])
        return self.subset(first), self.subset(~first)

    def convert(self, scheme: LandmarkScheme | str) -> LandmarkDataset:
        """Return the faces with the landmarks of another scheme.

        See `classicface.convert_landmarks` for the schemes that convert. A box that lay beside
        the tight box of its landmarks, or was larger, does so from the new tight box too.
        """
        target = get_scheme(scheme)
        landmarks = convert_landmarks(self.landmarks, self.scheme, target)
        (center, side), (old_center, old_side), (new_center, new_side) = (
            box_centers_sides(boxes)
            for boxes in (self.boxes, tight_boxes(self.landmarks), tight_boxes(landmarks))
        )
        boxes = square_boxes(new_center + center - old_center, side / old_side * new_side)
        return LandmarkDataset(
            self.images, landmarks, boxes, self.names, self.groups, target, self.origins
        )

    @classmethod
    def concatenate(cls, datasets: Sequence[LandmarkDataset]) -> LandmarkDataset:
        """Return one set with the faces of several, which must share their scheme."""
        if len(datasets) == 0:
            raise InvalidInputError("concatenate needs at least one data set")
        schemes = list(dict.fromkeys(part.scheme for part in datasets))
        if len(schemes) > 1:
            raise InvalidInputError(
                f"the sets have different schemes ({', '.join(s.name for s in schemes)});"
                " convert them to one first"
            )
        return cls(
            [image for part in datasets for image in part.images],
            np.concatenate([part.landmarks for part in datasets]),
            np.concatenate([part.boxes for part in datasets]),
            [name for part in datasets for name in part.names],
            [group for part in datasets for group in part.groups],
            schemes[0],
            np.concatenate([part.origins for part in datasets]),
            sum(part.n_skipped for part in datasets),
        )


def load_dataset(
    path: str | Path,
    *,
    boxes: str | Path | BoxMap = "auto",
    margin: float = 0.6,
    max_side: int = 480,
    scheme: LandmarkScheme | str | Path | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    progress: Callable[[float, str], None] | None = None,
) -> LandmarkDataset:
    """Read annotated faces: a folder of pictures and .pts files, a dlib .xml, a .csv or an .npz.

    Each picture is read by itself, cut around the face and scaled down when what is left is
    still large, so that memory depends on the number of faces alone. An .npz is taken as it is.

    Parameters
    ----------
    path : path-like
        See docs/data.md for the layouts.
    boxes : {"auto", "landmarks"}, path-like, str or BoxMap, default "auto"
        Where the landmark boxes come from. "auto": from ``boxes.csv`` in the folder, from the
        box columns of the .csv, from the .npz, or else the tight boxes of the landmarks.
        "landmarks": always the tight boxes. A path: another file like ``boxes.csv``. The name of
        a detector, or a map: the boxes in the .xml or .csv are as that detector draws them.
    margin : float, default 0.6
        What is kept around the face on each side, in longer sides of the face's box.
    max_side : int, default 480
        The longer side, in pixels, that a cut picture may have.
    scheme : LandmarkScheme, str or path-like, optional
        The meaning of the points; by default told from their number.
    on_error : {"raise", "skip"}, default "raise"
        Whether the first fault stops the load, or the face is left out, logged and counted in
        ``n_skipped``.
    progress : callable, optional
        Called with the fraction done and a short text.

    Raises
    ------
    DataFormatError
        Names the file and the line of the first fault.
    """
    from classicface.data.loading import load

    return load(
        path,
        boxes=boxes,
        margin=margin,
        max_side=max_side,
        scheme=scheme,
        on_error=on_error,
        progress=progress,
    )
