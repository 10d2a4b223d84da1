"""Training an active shape model: samples that go through its stages as new faces will."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.asm import _kernels
from classicface.asm.assembly import make_views, patch_offsets
from classicface.asm.profiles import learn_profiles, line_neighbours
from classicface.asm.regression import RANGES, fold_numbers, learn_gain, learn_regressors
from classicface.asm.search import Constraint, ProfileSearch
from classicface.asm.view import View
from classicface.image.descriptors import FEATURES
from classicface.predictor import Progress
from classicface.shape.boxes import box_centers_sides, mean_start
from classicface.shape.missing import complete_landmarks
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.similarity import (
    apply_similarity,
    compose_similarity,
    invert_similarity,
)
from classicface.validation import check_random_state

__all__ = ["Trainer", "train"]

logger = logging.getLogger(__name__)

_BLOCK = 16  # samples that a thread takes at once
_CUT = 2.5  # jitter is cut at so many standard deviations

Floats = NDArray[np.float32]
Look = Callable[[int, Floats, Floats], None]


def train(
    images: list[NDArray[np.uint8]],
    landmarks: Floats,
    boxes: Floats,
    lines: Sequence[tuple[Sequence[int], bool]],
    params: dict[str, Any],
    n_jobs: int,
    progress: Progress,
    starts: Floats | None = None,
) -> tuple[dict[str, NDArray[Any]], list[float]]:
    """Train an active shape model; the parameters are those of `ASMFitter`.

    Parameters
    ----------
    images : list of ndarray of uint8, shape (height, width)
    landmarks : ndarray of float32, shape (n_faces, L, 2)
        NaN marks a missing point.
    boxes : ndarray of float32, shape (n_faces, 4)
    lines : sequence of (indices, closed)
        The lines of the landmark scheme.
    params : dict
    n_jobs : int
    progress : callable
    starts : ndarray of float32, shape (n_faces, n_starts, L, 2), optional
        Where the samples start; by default at the mean shape, near the boxes.

    Returns
    -------
    tensors : dict of str to ndarray
        What `classicface.asm.assembly.build_model` takes, and the shape model.
    errors : list of float
        Mean distance of the samples to the truth after each stage, in sides of the box.
    """
    landmarks = complete_landmarks(landmarks)
    progress(0.0, "aligning shapes")
    shape_model = PointDistributionModel.fit(landmarks, params["n_shape"])
    start = mean_start(shape_model.mean, landmarks, boxes)
    n_levels, n_iterations = len(params["face_sizes"]), params["n_iterations"]
    done = 0.0

    def tick(share: float) -> None:
        nonlocal done
        done += share / (n_levels * n_iterations)
        stage = int(done * n_levels * n_iterations + 0.51)
        progress(min(done, 1.0), f"stage {stage} of {n_levels * n_iterations}")

    trainer = Trainer(*(images, landmarks, boxes, shape_model, start, params, n_jobs, tick), starts)
    tensors = {"start": start, **shape_model.tensors()}
    views = make_views(params, shape_model)
    if params["descriptor"] == "profile":
        tensors |= trainer.profile_levels(views, line_neighbours(lines, shape_model.mean))
    else:
        tensors |= trainer.patch_levels(views, patch_offsets(params))
    if params["constraint"] == "posterior":
        gains = np.stack(trainer.gains)
        tensors["gains"] = gains.reshape(n_levels, n_iterations, *gains.shape[1:])
    progress(1.0, "done")
    return tensors, trainer.errors


class Trainer:
    """The samples of one training, and where their shapes are by now.

    Parameters
    ----------
    images : list of ndarray of uint8, shape (height, width)
    landmarks : ndarray of float32, shape (n_faces, L, 2)
        None is missing.
    boxes : ndarray of float32, shape (n_faces, 4)
    shape_model : PointDistributionModel
    start : ndarray of float64, shape (4,)
        The similarity that takes the mean shape to a box of centre 0 and side 1.
    params : dict
        Those of `ASMFitter`.
    n_jobs : int
    tick : callable
        Called after each part of the work with what share of a stage it was.
    starts : ndarray of float32, shape (n_faces, n_starts, L, 2), optional

    Attributes
    ----------
    errors : list of float
        Mean distance of the samples to the truth after each stage, in sides of the box.
    gains : list of ndarray of float32
        Of each stage, where the constraint is a posterior.
    """

    def __init__(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: Floats,
        boxes: Floats,
        shape_model: PointDistributionModel,
        start: NDArray[np.float64],
        params: dict[str, Any],
        n_jobs: int,
        tick: Callable[[float], None],
        starts: Floats | None = None,
    ) -> None:
        self.images, self.params, self.n_jobs, self.tick = images, params, n_jobs, tick
        self.landmarks = landmarks.astype(np.float64)
        per_face = params["oversampling"] if starts is None else starts.shape[1]
        self.faces = np.repeat(np.arange(len(images)), per_face)
        self.constraint = Constraint(shape_model, params["constraint"], params["n_std"])
        centers, self.sides = box_centers_sides(boxes)
        if starts is None:
            rng = check_random_state(params["random_state"])
            poses = compose_similarity(self._jittered(centers, rng), start)
            self.shapes = apply_similarity(poses, shape_model.mean)
        else:
            self.shapes = np.concatenate(starts).astype(np.float64)
        self.errors: list[float] = []
        self.gains: list[Floats] = []

    def _jittered(
        self, centers: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return for each sample the similarity from a box of centre 0 and side 1 to its box."""
        params, sides = self.params, self.sides[self.faces]
        noise = np.clip(rng.standard_normal((len(self.faces), 4)), -_CUT, _CUT)
        moved = centers[self.faces] + params["shift_jitter"] * sides[:, None] * noise[:, :2]
        scale = sides * np.exp(params["scale_jitter"] * noise[:, 2])
        angle = np.deg2rad(params["rotation_jitter"]) * noise[:, 3]
        return np.column_stack([scale * np.cos(angle), scale * np.sin(angle), moved])

    def profile_levels(
        self, views: Sequence[View], neighbours: NDArray[np.int32]
    ) -> dict[str, NDArray[Any]]:
        """Learn the profiles of each level at the true landmarks; let the samples search it."""
        learnt = []
        moves = np.empty(self.shapes.shape, np.float32)
        for view in views:
            means, inverses = learn_profiles(self._read_profiles(view, neighbours))
            search = ProfileSearch(neighbours, means, inverses, self.params["search_reach"])

            def look(
                i: int, features: Floats, points: Floats, search: ProfileSearch = search
            ) -> None:
                moves[i] = search.moves(features, points)

            first = self.shapes
            for _ in range(self.params["n_iterations"]):
                self._advance(view, self._look(view, first, look), moves)
            learnt.append((means, inverses))
        means, inverses = (np.stack(arrays) for arrays in zip(*learnt, strict=True))
        return {"neighbours": neighbours, "profile_means": means, "profile_inverses": inverses}

    def _read_profiles(self, view: View, neighbours: NDArray[np.int32]) -> Floats:
        """Return the profiles of every face at its true landmarks, (n_faces, L, n)."""
        n = 2 * self.params["profile_reach"] + 1
        profiles = np.empty((len(self.images), len(neighbours), n), np.float32)

        def read(i: int) -> None:
            features, to_image = view.see(self.images[i], self.landmarks[i], self.constraint.mean)
            points = _in_frame(to_image, self.landmarks[i]).astype(np.float32)
            _kernels.read_profiles(features, points, neighbours, profiles[i])

        self._each(len(self.images), read)
        return profiles

    def patch_levels(self, views: Sequence[View], offsets: Floats) -> dict[str, NDArray[Any]]:
        """Learn the regressors of each level, and let the samples search it.

        A sample goes where regressors send it that have not seen its face. So the next stage meets
        the errors that new faces have, and the gain knows the noise of new faces.
        """
        low, high = RANGES[views[0].features]
        step = np.float32((high - low) / 255)
        size = len(offsets) * FEATURES[views[0].features]
        described = np.empty((*self.shapes.shape[:2], size), np.uint8)
        folds = fold_numbers(self.faces, self.params["n_folds"])
        learnt = []

        def look(i: int, features: Floats, points: Floats) -> None:
            _kernels.describe(features, points, offsets, np.float32(low), step, described[i])

        for view in views:
            first = self.shapes
            for _ in range(self.params["n_iterations"]):
                to_image = self._look(view, first, look)
                weights, biases, moves = learn_regressors(
                    described, self._wanted(to_image), folds, self.params["ridge"], self._each
                )
                rounded = (weights / np.float32(high - low)).astype(np.float16)
                learnt.append((rounded, biases - np.float32(low) * rounded.sum(2, np.float32)))
                self._advance(view, to_image, moves)
        stages = (len(views), self.params["n_iterations"])
        arrays = [np.stack(parts) for parts in zip(*learnt, strict=True)]
        weights, biases = (array.reshape(*stages, *array.shape[1:]) for array in arrays)
        return {"weights": weights, "biases": biases}

    def _look(self, view: View, first: NDArray[np.float64], look: Look) -> NDArray[np.float64]:
        """Call look(sample, features, points) for each; return the frames' similarities, (n, 4).

        The frames are those of the shapes at the first iteration of the level, as in prediction.
        """
        to_image = np.empty((len(self.faces), 4))

        def work(i: int) -> None:
            image = self.images[self.faces[i]]
            features, to_image[i] = view.see(image, first[i], self.constraint.mean)
            look(i, features, _in_frame(to_image[i], self.shapes[i]).astype(np.float32))

        self._each(len(self.faces), work)
        self.tick(0.5)
        return to_image

    def _wanted(self, to_image: NDArray[np.float64]) -> Floats:
        """Return the moves, (n, L, 2), that would take each sample to the truth."""
        truth = _in_frame(to_image, self.landmarks[self.faces])
        return (truth - _in_frame(to_image, self.shapes)).astype(np.float32)

    def _advance(self, view: View, to_image: NDArray[np.float64], moves: Floats) -> None:
        """Learn the gain, where there is to be one, and move the samples."""
        constraint, scale = self.constraint, view.frame.scale
        gain = np.zeros((0, 0))
        if self.params["constraint"] == "posterior":
            errors = (moves - self._wanted(to_image)).reshape(len(moves), -1).astype(np.float64)
            learnt = learn_gain(
                *(errors, constraint.directions, constraint.deviations),
                *(self.params["correlation"], scale),
            )
            self.gains.append(learnt)
            gain = learnt.astype(np.float64)
        moved = _in_frame(to_image, self.shapes)
        self._each(len(moved), lambda i: constraint.advance(moved[i], moves[i], scale, gain))
        self.shapes = apply_similarity(to_image, moved)
        distances = np.linalg.norm(self.shapes - self.landmarks[self.faces], axis=2).mean(axis=1)
        self.errors.append(float(np.mean(distances / self.sides[self.faces])))
        logger.info("after stage %d: %.4f sides", len(self.errors), self.errors[-1])
        self.tick(0.5)

    def _each(self, count: int, task: Callable[[int], None]) -> None:
        """Call task(0) ... task(count - 1) in threads."""
        block = 1 if count < 1000 else _BLOCK

        def work(first: int) -> None:
            for i in range(first, min(first + block, count)):
                task(i)

        with ThreadPoolExecutor(self.n_jobs) as pool:
            list(pool.map(work, range(0, count, block)))


def _in_frame(to_image: NDArray[np.float64], shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shapes, (..., L, 2), in the pixels of their frames."""
    return apply_similarity(invert_similarity(to_image), shapes)
