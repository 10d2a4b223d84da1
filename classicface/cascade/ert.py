"""ERTFitter: an ensemble of regression trees over shape-indexed pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cascade.dlib_forest import CASCADES, DlibCascade
from classicface.cascade.forest import LARGEST, Cascade
from classicface.cascade.parameters import INTEGERS, LIMITS, NUMBERS, PRESETS
from classicface.exceptions import InvalidInputError
from classicface.image.patch import face_patch
from classicface.predictor import Progress, n_threads
from classicface.refining import RefiningPredictor
from classicface.shape.boxes import box_centers_sides, landmark_box, sunflower
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_random_state,
    check_training,
)

__all__ = ["PRESETS", "ERTFitter"]


class ERTFitter(RefiningPredictor):
    """Cascade of gradient-boosted regression trees.

    The method of Kazemi and Sullivan (One millisecond face alignment with an ensemble of regression
    trees, CVPR 2014) with changes: training starts near the mean shape under jittered boxes; after
    each stage the shapes are disturbed by fresh noise of the size of what is left; every
    threshold of a pixel pair is tried; splits are scored in the leading directions of the
    residuals; leaves are int8 steps in a residual basis; pixels are smoothed in proportion to the
    face, so neither the resolution of a picture nor the detector matters.

    Parameters
    ----------
    n_stages : int, default 10
        Stages of the cascade; the pixels are read anew in each.
    n_trees : int, default 500
        Trees a stage.
    depth : int, default 4
        Levels of splits in a tree.
    shrinkage : float, default 0.1
        What share of its leaf's mean residual each tree takes (the paper's nu).
    oversampling : int, default 20
        Starting shapes drawn for each face.
    n_pixels : int, default 600
        Pixels read in each stage.
    n_candidates : int, default 60
        Pixel pairs tried at each split, each with every threshold.
    node_samples : int, default 16384
        At most so many samples score the splits of a node.
    min_leaf : int, default 1
        Least number of samples in a child.
    distance_prior : float, default 0.1
        Pairs are drawn with probability exp(-distance / prior); in sides of the box.
    padding : float, default 0.0
        How far around the mean shape pixels are drawn; in sides of the box.
    n_directions : int, default 32
        Principal directions of the residuals that the leaves hold, at least 16.
    shift_jitter, scale_jitter : float, default 0.09
        Standard deviations of the starts' shift (in sides of the box) and of their scale
        (logarithm).
    rotation_jitter : float, default 10
        Standard deviation of the starts' rotation in degrees.
    noise : float, default 0.3
        Size of the fresh noise after each stage, relative to what is left to the truth.
    light_jitter : float, default 0.25
        Standard deviation of the contrast (logarithm) of training samples.
    face_size : int, default 80
        How finely the face is seen: a pixel is smoothed over the box's side divided by this.
    margin : float, default 0.5
        What is kept of the picture around the box in training, and where a large face is
        scaled down; in sides of the box.
    n_starts : int, default 3
        Prediction runs from so many starts around the box and takes the median.
    flip : bool, default True
        Prediction runs on the mirrored patch too, where the scheme says how its points mirror;
        train with mirrored faces then.
    style : {"classicface", "dlib"}, default "classicface"
        With ``"dlib"``, training and prediction keep to the algorithm of dlib's shape_predictor, so
        that `classicface.peers.dlib_dat.write_dlib` can write the model for it: a pixel is that of
        the picture itself and black outside, steps do not turn with the shape, prediction runs
        once. `face_size`, `n_starts` and `flip` have no effect then.
    time_budget : float, optional
        Seconds that training may take: fewer pairs are tried at each split to keep within it, and
        the cascade ends with the stage that exhausts it.
    checkpoint : str, optional
        A file where each finished stage is saved; training resumes from it, to the same
        model, and removes it at the end.
    random_state : int or numpy.random.Generator, optional
        The same seed gives the same model, bit for bit, on any number of threads.
    n_jobs : int, optional
        Threads for training; by default one a core.

    Attributes
    ----------
    cascade_ : Cascade or DlibCascade
        The fitted trees, by the style.
    train_error_ : list of float
        Mean distance of the training samples to the truth after each stage,
        in sides of the box.
    """

    presets = PRESETS
    _transient_params = ("checkpoint", "n_jobs", "time_budget")

    cascade_: Cascade | DlibCascade
    train_error_: list[float]

    def __init__(
        self,
        n_stages: int = 10,
        n_trees: int = 500,
        depth: int = 4,
        shrinkage: float = 0.1,
        oversampling: int = 20,
        n_pixels: int = 600,
        n_candidates: int = 60,
        node_samples: int = 16384,
        min_leaf: int = 1,
        distance_prior: float = 0.1,
        padding: float = 0.0,
        n_directions: int = 32,
        shift_jitter: float = 0.09,
        scale_jitter: float = 0.09,
        rotation_jitter: float = 10.0,
        noise: float = 0.3,
        light_jitter: float = 0.25,
        face_size: int = 80,
        margin: float = 0.5,
        n_starts: int = 3,
        flip: bool = True,
        style: str = "classicface",
        time_budget: float | None = None,
        checkpoint: str | None = None,
        random_state: int | np.random.Generator | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_stages = n_stages
        self.n_trees = n_trees
        self.depth = depth
        self.shrinkage = shrinkage
        self.oversampling = oversampling
        self.n_pixels = n_pixels
        self.n_candidates = n_candidates
        self.node_samples = node_samples
        self.min_leaf = min_leaf
        self.distance_prior = distance_prior
        self.padding = padding
        self.n_directions = n_directions
        self.shift_jitter = shift_jitter
        self.scale_jitter = scale_jitter
        self.rotation_jitter = rotation_jitter
        self.noise = noise
        self.light_jitter = light_jitter
        self.face_size = face_size
        self.margin = margin
        self.n_starts = n_starts
        self.flip = flip
        self.style = style
        self.time_budget = time_budget
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.n_jobs = n_jobs

    def estimate_memory(
        self, n_faces: int, n_landmarks: int = 68, largest_side: float | None = None
    ) -> int:
        """Estimate the peak memory of training, in bytes, besides the pictures.

        Parameters
        ----------
        n_faces : int
            Training faces, mirror images included.
        n_landmarks : int, default 68
        largest_side : float, optional
            The longest side of a face's box, in pixels; without it, the largest that training
            does not scale down (of dlib's style, which scales nothing down, it is but a guess).
        """
        self.check_params()
        side = float(LARGEST * self.face_size)
        if largest_side is not None:
            longest = check_number(largest_side, "largest_side", 1.0)
            side = longest if self.style == "dlib" else min(side, longest)
        patch_side = side * (1 + 2 * self.margin) + 2
        n_samples = n_faces * self.oversampling
        n_dims = max(16, min(self.n_directions, 2 * n_landmarks))
        # Per sample: pixels; shapes, residuals and their temporaries; coefficients.
        per_sample = self.n_pixels + 4 * (2 * n_landmarks) * 5 + 4 * n_dims * 4 + 32
        pairs = 8 * self.n_pixels**2 * 4
        interpreter = 300_000_000
        return int(n_faces * patch_side**2 + n_samples * per_sample + pairs + interpreter)

    def check_params(self) -> None:
        """Refuse parameters that are out of range, with InvalidInputError."""
        check_choice(self.style, "style", LIMITS)
        self._check_size(*LIMITS[self.style])
        for name, low, high in INTEGERS:
            check_integer(getattr(self, name), name, low, high)
        for name, least, most in NUMBERS:
            check_number(getattr(self, name), name, least, most)
        check_flag(self.flip, "flip")
        check_training(self.time_budget, self.checkpoint)
        check_random_state(self.random_state)

    def _check_size(self, most_depth: int, most_pixels: int) -> None:
        check_integer(self.depth, "depth", 1, most_depth)
        check_integer(self.n_pixels, "n_pixels", 2, most_pixels)

    def _fit(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        scheme: LandmarkScheme,
        progress: Progress,
        starts: NDArray[np.float32] | None = None,
    ) -> None:
        from classicface.cascade.trainer import train_cascade

        self._check_size(*LIMITS["classicface"])
        if starts is not None and self.style == "dlib":
            raise InvalidInputError(_FROM_BOXES)
        self.cascade_, self.train_error_ = train_cascade(
            images,
            landmarks,
            boxes,
            self.get_params(deep=False),
            n_threads(self.n_jobs),
            progress,
            starts,
        )

    _fit_from = _fit

    def _predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        cascade, spread = self.cascade_, _START_SPREAD[: self.n_starts]
        if isinstance(cascade, DlibCascade):
            return cascade.run(image, boxes)
        centers, sides = box_centers_sides(boxes)
        result = np.empty((len(boxes), *cascade.mean_shape.shape), np.float32)
        faces = zip(centers.tolist(), sides.tolist(), strict=True)
        flip, largest = self._flips, LARGEST * self.face_size
        for i, (center, side) in enumerate(faces):
            patch = face_patch(image, center, side, largest, self.margin, crop=flip)
            x = center[0] * patch.scale + patch.offset[0]
            y = center[1] * patch.scale + patch.offset[1]
            shapes = cascade.run(patch.pixels, (x, y), side * patch.scale, spread)
            if flip:
                last = patch.pixels.shape[1] - 1
                mirrored = np.ascontiguousarray(patch.pixels[:, ::-1])
                turned = cascade.run(mirrored, (last - x, y), side * patch.scale, spread * _TURN)
                shapes = np.concatenate([shapes, self._turned(turned, last)])
            result[i] = patch.to_image(shapes[0] if len(shapes) == 1 else np.median(shapes, axis=0))
        return result

    def _refine(self, image: NDArray[np.uint8], starts: NDArray[np.float32]) -> NDArray[np.float32]:
        cascade, flip, largest = self.cascade_, self._flips, LARGEST * self.face_size
        if isinstance(cascade, DlibCascade):
            raise InvalidInputError(_FROM_BOXES)
        result = np.empty(starts.shape, np.float32)
        centers, sides = box_centers_sides(landmark_box(starts))
        for i, (center, side) in enumerate(zip(centers.tolist(), sides.tolist(), strict=True)):
            patch = face_patch(image, center, max(side, 1.0), largest, self.margin, crop=flip)
            placed = patch.from_image(starts[i : i + 1])
            shapes = cascade.refine(patch.pixels, placed)
            if flip:
                last = patch.pixels.shape[1] - 1
                mirrored = np.ascontiguousarray(patch.pixels[:, ::-1])
                turned = cascade.refine(mirrored, self._turned(placed, last))
                shapes = (shapes + self._turned(turned, last)) / np.float32(2)
            result[i] = patch.to_image(shapes[0])
        return result

    @property
    def _flips(self) -> bool:
        return self.flip and len(self.scheme_.mirror) > 0

    def _turned(self, shapes: NDArray[np.float32], last: int) -> NDArray[np.float32]:
        """Take shapes (..., L, 2) of a patch to its mirror image, or back."""
        turned = shapes[..., list(self.scheme_.mirror), :]
        turned[..., 0] = last - turned[..., 0]
        return turned

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        return {"train_error": self.train_error_}, self.cascade_.tensors()

    def _restore(self, header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
        self.train_error_ = [float(error) for error in header["train_error"]]
        self.cascade_ = CASCADES[self.style].from_tensors(tensors, self.scheme_.n_landmarks)


_START_SPREAD = sunflower(25).astype(np.float32)

# What a mirror does to a start.
_TURN = np.array([-1, 1, 1], np.float32)

_FROM_BOXES = 'a tree cascade of style="dlib" starts from a box, not from points'
