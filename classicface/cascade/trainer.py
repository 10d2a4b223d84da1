"""Training a whole cascade: stages in turn, checkpoints, time budget, progress."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cascade.dlib_forest import CASCADES, DlibCascade
from classicface.cascade.forest import LARGEST, REACH, Cascade
from classicface.cascade.grower import Stage, StageGrower, TreeParameters
from classicface.cascade.samples import FacePatches, draw_samples, place_samples
from classicface.cascade.workers import Workers
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.persistence import read_checkpoint, write_model
from classicface.predictor import Progress
from classicface.shape.missing import complete_landmarks
from classicface.validation import check_random_state

__all__ = ["train_cascade"]

logger = logging.getLogger(__name__)


def train_cascade(
    images: list[NDArray[np.uint8]],
    landmarks: NDArray[np.float32],
    boxes: NDArray[np.float32],
    params: dict[str, Any],
    n_jobs: int,
    progress: Progress,
    starts: NDArray[np.float32] | None = None,
) -> tuple[Cascade | DlibCascade, list[float]]:
    """Train a cascade; the parameters are those of `ERTFitter`.

    Parameters
    ----------
    images : list of ndarray of uint8, shape (height, width)
    landmarks : ndarray of float32, shape (n_faces, L, 2)
        NaN marks a missing point.
    boxes : ndarray of float32, shape (n_faces, 4)
    params : dict
    n_jobs : int
    progress : callable
    starts : ndarray of float32, shape (n_faces, n_starts, L, 2), optional
        Where the samples start in the pictures; by default near the mean shape in the boxes.

    Returns
    -------
    cascade : Cascade or DlibCascade
        By the style.
    errors : list of float
        Mean distance of the samples to the truth after each stage, in sides of the box.
    """
    with Workers(n_jobs) as workers:
        run = _Run(images, complete_landmarks(landmarks), boxes, params, progress, starts)
        run.resume()
        while run.unfinished():
            run.grow_stage(workers)
    stages = run.stages
    arrays = {name: np.stack([getattr(s, name) for s in stages]) for name in _STAGE_ARRAYS}
    run.remove_checkpoint()
    return CASCADES[params["style"]](**run.with_frame(arrays)), run.errors


_STAGE_ARRAYS = ("anchors", "offsets", "splits", "leaves", "directions")


class _Run:
    """The state of one training run between stages."""

    def __init__(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        params: dict[str, Any],
        progress: Progress,
        starts: NDArray[np.float32] | None,
    ) -> None:
        self.params = params
        self.progress = progress
        self.rng = check_random_state(params["random_state"])
        self.seed = repr(params["random_state"])
        if params["random_state"] is self.rng:  # a generator: what it would draw
            self.seed = repr(self.rng.bit_generator.state)
        self.start = time.monotonic()
        largest = math.inf if params["style"] == "dlib" else LARGEST * params["face_size"]
        self.patches = FacePatches.cut(images, landmarks, boxes, largest, params["margin"])
        self.reach = REACH / params["face_size"]
        self.mean_shape = self.patches.mean_shape()
        if np.ptp(self.mean_shape, axis=0).max() < 1e-6:
            raise InvalidInputError("the landmarks of the faces coincide; no shape to learn")
        jitter = (params["shift_jitter"], params["scale_jitter"], params["rotation_jitter"])
        self.starts = starts
        if starts is None:
            self.samples = draw_samples(
                self.patches, self.mean_shape, params["oversampling"], jitter, self.rng
            )
        else:
            self.samples = place_samples(self.patches, starts)
        fields = TreeParameters.__dataclass_fields__
        self.trees = TreeParameters(**{name: params[name] for name in fields})
        self.stages: list[Stage] = []
        self.errors: list[float] = []
        self.out_of_time = False

    def unfinished(self) -> bool:
        """Tell whether another stage is due."""
        return len(self.stages) < self.params["n_stages"] and not self.out_of_time

    def with_frame(self, stages: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the arrays of the stages with those that all stages share."""
        if self.params["style"] == "dlib":  # the box is dlib's rectangle; its corner is at 0
            corner = self.mean_shape + np.float32(0.5)
            return {"mean_shape": corner, "box_map": np.array([0.0, 0.0, 1.0]), **stages}
        reach = np.array([self.reach], np.float32)
        return {"mean_shape": self.mean_shape, "reach": reach, **stages}

    def grow_stage(self, workers: Workers) -> None:
        """Grow the next stage, report, and save a checkpoint."""
        n_stages = self.params["n_stages"]
        last = len(self.stages) == n_stages - 1
        began = time.monotonic()
        total = n_stages * self.trees.n_trees
        done = len(self.stages) * self.trees.n_trees
        text = f"stage {len(self.stages) + 1} of {n_stages}"

        def after_tree() -> None:
            nonlocal done
            done += 1
            self.progress(done / total, text)

        grower = StageGrower(self.patches, self.mean_shape, self.trees, self.reach, workers)
        noise = 0.0 if last else self.params["noise"]
        self.stages.append(grower.grow(self.samples, noise, self.rng, after_tree))
        self.errors.append(self._error())
        logger.info("%s: %.4f sides of the box to the truth", text, self.errors[-1])
        if not last:
            self._save_checkpoint()
            self._keep_to_budget(time.monotonic() - began)

    def _error(self) -> float:
        distances = np.linalg.norm(
            self.patches.truth[self.samples.faces] - self.samples.shapes, axis=2
        ).mean(axis=1)
        return float(np.mean(distances / self.patches.sides[self.samples.faces]))

    def _keep_to_budget(self, stage_seconds: float) -> None:
        """Try fewer pairs from now on, or stop, where the time would not suffice."""
        budget = self.params["time_budget"]
        if budget is None:
            return
        left = budget - (time.monotonic() - self.start)
        needed = stage_seconds * (self.params["n_stages"] - len(self.stages))
        if left < stage_seconds / 2:
            self.out_of_time = True
            logger.warning("time budget spent after %d stages", len(self.stages))
        elif needed > left:
            fewer = max(4, int(self.trees.n_candidates * left / needed))
            logger.info("to keep the time budget, %d pairs are tried at each split", fewer)
            self.trees = dataclasses.replace(self.trees, n_candidates=fewer)

    @functools.cached_property
    def _digest(self) -> str:
        """Return what tells this run from others: data and parameters that shape the model."""
        digest = hashlib.sha256()
        shaping = {
            name: value
            for name, value in self.params.items()
            if name
            not in ("n_jobs", "checkpoint", "time_budget", "n_starts", "flip", "random_state")
        }
        shaping["seed"] = self.seed
        digest.update(json.dumps(shaping, sort_keys=True).encode())
        arrays = [self.patches.pixels, self.patches.truth, self.patches.centers]
        if self.starts is not None:
            arrays.append(self.starts)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _save_checkpoint(self) -> None:
        if self.params["checkpoint"] is None:
            return
        tensors = {"shapes": self.samples.shapes}
        for i, stage in enumerate(self.stages):
            tensors.update({f"{i}.{name}": getattr(stage, name) for name in _STAGE_ARRAYS})
        header = {
            "class": "ERTFitter checkpoint",
            "digest": self._digest,
            "errors": self.errors,
            "random_state": self.rng.bit_generator.state,
            "seconds": time.monotonic() - self.start,
        }
        write_model(self.params["checkpoint"], header, tensors)

    def resume(self) -> None:
        """Take up the checkpoint, where there is one of this run."""
        path = self.params["checkpoint"]
        if path is None or not Path(path).exists():
            return
        header, tensors = read_checkpoint(path, "ERTFitter checkpoint", self._digest)
        try:
            self.errors = [float(error) for error in header["errors"]]
            stages = {
                name: np.stack([tensors[f"{i}.{name}"] for i in range(len(self.errors))])
                for name in _STAGE_ARRAYS
            }
            cascade = CASCADES[self.params["style"]]
            cascade.from_tensors(self.with_frame(stages), len(self.mean_shape))
            self.samples.shapes[:] = tensors["shapes"]
            self.rng.bit_generator.state = header["random_state"]
            self.start -= float(header["seconds"])
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ModelFormatError(f"{path}: damaged checkpoint ({error!r:.300})") from None
        self.stages = [
            Stage(**{name: stages[name][i] for name in _STAGE_ARRAYS})
            for i in range(len(self.errors))
        ]
        logger.info("resumed after stage %d", len(self.stages))

    def remove_checkpoint(self) -> None:
        """Remove the checkpoint once it is not needed any more."""
        if self.params["checkpoint"] is not None:
            Path(self.params["checkpoint"]).unlink(missing_ok=True)
