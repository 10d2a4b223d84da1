"""NetworkFitter: what the two network predictors share, from crop to points and in training."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from classicface.cnn.graph import Graph, State, initial_state
from classicface.cnn.network import Network
from classicface.cnn.storage import (
    check_array,
    checked_history,
    pack_state,
    rounded,
    unpack_state,
)
from classicface.cnn.view import Runner
from classicface.exceptions import InvalidInputError
from classicface.image.augment import Augmentation
from classicface.image.crop import crop_face, crop_pose
from classicface.metrics import nme
from classicface.metrics.nme import Normalizer
from classicface.predictor import LandmarkPredictor, Progress, n_threads
from classicface.shape.boxes import box_centers_sides
from classicface.shape.schemes import LandmarkScheme
from classicface.shape.similarity import apply_similarity, fit_similarity, invert_similarity
from classicface.validation import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_random_state,
    check_training,
)

if TYPE_CHECKING:
    from classicface.cnn.onnx_export import Head
    from classicface.cnn.training import Loss

__all__ = ["NetworkFitter"]

Self = TypeVar("Self", bound="NetworkFitter")

_OPTIMISERS = ("adamw", "adam", "sgd")
_SCHEDULES = ("one_cycle", "cosine", "constant")

# The mean residual of so many faces less would be taken for chance.
_PRIOR_FACES = 30.0

# Points beyond this, in crop pixels, are no points; a damaged network may give any number.
_FARTHEST = 1e5


class NetworkFitter(LandmarkPredictor):
    """Base of `CNNFitter` and `HeatmapFitter`, which document the parameters.

    A subclass gives the graph, the loss and the decoding of the network's output.

    Attributes
    ----------
    network_ : Network
        The trained network, ready to run.
    mean_points_ : ndarray of float32, shape (n_landmarks, 2)
        The mean shape of the training faces, as it lies in a crop, in crop pixels.
    offset_ : ndarray of float32, shape (n_landmarks, 2)
        What is added to the network's points, in crop pixels: how the annotation of the training
        faces differs from them on average.
    history_ : list of dict
        One an epoch of training: ``epoch``, ``rate``, ``loss``, ``validation`` (or None) and
        ``seconds`` since the start (None in a model that was loaded).
    """

    _transient_params = ("checkpoint", "n_jobs", "time_budget")

    network_: Network
    mean_points_: NDArray[np.float32]
    offset_: NDArray[np.float32]
    history_: list[dict[str, Any]]

    input_size: int
    margin: float
    loss: str
    optimiser: str
    learning_rate: float
    weight_decay: float
    schedule: str
    warm_up: float
    epochs: int
    batch_size: int
    shard_size: int
    clip_norm: float
    moving_average: float
    augmentation: Mapping[str, Any] | None
    validation: float
    patience: int | None
    n_passes: int
    flip: bool
    half_precision: bool
    time_budget: float | None
    checkpoint: str | None
    random_state: int | np.random.Generator | None
    n_jobs: int | None

    @abc.abstractmethod
    def _graph(self, n_landmarks: int) -> Graph:
        """Return the network that the parameters ask for."""

    def _initial_state(self, graph: Graph, rng: np.random.Generator) -> State:
        """Return the weights from which training starts; `mean_points_` is set."""
        return initial_state(graph, rng)

    @abc.abstractmethod
    def _loss(self) -> Loss:
        """Return the loss of the network's output."""

    @abc.abstractmethod
    def _decode(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return x, y in crop pixels and the confidence of every point, (n, n_landmarks, 3)."""

    def check_params(self) -> None:
        """Refuse parameters that are out of range, with InvalidInputError."""
        check_integer(self.input_size, "input_size", 16, 512)
        check_number(self.margin, "margin", 0.0, 2.0)
        check_choice(self.optimiser, "optimiser", _OPTIMISERS)
        check_number(self.learning_rate, "learning_rate", 1e-9, 100.0)
        check_number(self.weight_decay, "weight_decay", 0.0, 10.0)
        check_choice(self.schedule, "schedule", _SCHEDULES)
        check_number(self.warm_up, "warm_up", 0.0, 1.0)
        check_integer(self.epochs, "epochs", 1, 1_000_000)
        check_integer(self.batch_size, "batch_size", 1, 1024)
        check_integer(self.shard_size, "shard_size", 1, 1024)
        check_number(self.clip_norm, "clip_norm", 0.0, 1e9)
        check_number(self.moving_average, "moving_average", 0.0, 0.999999)
        check_number(self.validation, "validation", 0.0, 0.9)
        check_integer(self.n_passes, "n_passes", 1, 10)
        for name in ("flip", "half_precision"):
            check_flag(getattr(self, name), name)
        self._augmentation()
        if self.patience is not None:
            check_integer(self.patience, "patience", 1, 1_000_000)
            if self.validation == 0:
                raise InvalidInputError("patience needs faces to validate on; set validation")
        check_training(self.time_budget, self.checkpoint)
        check_random_state(self.random_state)

    def _augmentation(self) -> Augmentation:
        """Return the augmentation that the parameter asks for."""
        if self.augmentation is None:
            return Augmentation()
        if not isinstance(self.augmentation, Mapping):
            raise InvalidInputError(
                f"augmentation is {self.augmentation!r}; expected a dict of names and strengths"
            )
        known = Augmentation.__dataclass_fields__
        for name in self.augmentation:
            if name not in known:
                raise InvalidInputError(f"no augmentation {name!r}; there are {', '.join(known)}")
        return Augmentation(**self.augmentation)

    def _fit(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        scheme: LandmarkScheme,
        progress: Progress,
    ) -> None:
        from classicface.cnn.pipeline import Batches
        from classicface.cnn.preparation import mean_in_crop, split_faces, training_digest
        from classicface.cnn.training import Recipe, train_network

        rng = check_random_state(self.random_state)
        seed = int(rng.integers(2**63))
        graph = self._graph(landmarks.shape[1])
        learning, held_out = split_faces(len(images), self.validation, rng)
        self.mean_points_ = mean_in_crop(landmarks, self.input_size, self.margin)
        state = self._initial_state(graph, rng)
        batches = Batches(
            [images[i] for i in learning],
            landmarks[learning],
            boxes[learning],
            scheme.mirror,
            self.input_size,
            self.margin,
            self._augmentation(),
            self.batch_size,
            seed,
            n_threads(self.n_jobs),
        )

        self.offset_ = np.zeros_like(self.mean_points_)

        def validate(state: State) -> float:
            self._set_network(graph, state)
            found = [self._find(images[i], boxes[i : i + 1], scheme.mirror)[0] for i in held_out]
            kind: Normalizer = "box" if scheme.outer_eyes is None else "interocular"
            errors = nme(np.concatenate(found), landmarks[held_out], scheme, kind)
            return float(np.nanmean(errors))

        recipe = Recipe(**{name: getattr(self, name) for name in Recipe.__dataclass_fields__})
        trained, self.history_ = train_network(
            graph,
            state,
            batches,
            self._loss(),
            recipe,
            validate if len(held_out) else None,
            training_digest(self._shaping() | {"seed": seed}, [*images, landmarks, boxes]),
            seed,
            n_threads(self.n_jobs),
            progress,
        )
        self._set_network(graph, rounded(trained, self.half_precision))
        self.offset_ = self._mean_residual(images, landmarks, boxes, scheme.mirror)

    def _shaping(self) -> dict[str, Any]:
        """Return the parameters that shape the training."""
        left_out = (*self._transient_params, "random_state", "n_passes", "flip", "half_precision")
        params = self.get_params(deep=False)
        return {name: value for name, value in params.items() if name not in left_out}

    def _set_network(self, graph: Graph, state: State) -> None:
        self.graph_, self.state_ = graph, state
        self.network_ = Network.build(graph, state)
        self._runner = Runner(self.network_)
        self._mirrored = self._augmentation().mirror

    def _poses(self, boxes: NDArray[np.float32]) -> list[NDArray[np.float64]]:
        """Return the similarity from the picture to the plain crop of each box."""
        centers, sides = box_centers_sides(boxes)
        return [
            crop_pose(center, side, self.input_size, self.margin)
            for center, side in zip(centers, sides.tolist(), strict=True)
        ]

    def _find(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32], mirror: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the points, (n_faces, n_landmarks, 2) in the picture, and their confidences."""
        found = np.empty((len(boxes), len(self.mean_points_), 3), np.float32)
        for i, pose in enumerate(self._poses(boxes)):
            passes = []
            for k in range(self.n_passes):
                turned = self.flip and self._mirrored and k % 2 == 1
                read = self._read(crop_face(image, pose, self.input_size), mirror if turned else ())
                read[:, :2] = apply_similarity(invert_similarity(pose), read[:, :2])
                passes.append(read)
                if k == 0 and self.n_passes > 1:
                    pose = fit_similarity(read[:, :2], self.mean_points_)
            found[i] = np.mean(passes, axis=0)
        return found[:, :, :2], found[:, :, 2]

    def _read(self, crop: NDArray[np.uint8], mirror: tuple[int, ...]) -> NDArray[np.float32]:
        """Return x, y and confidence of the points of a crop, (n_landmarks, 3).

        With `mirror` the network sees the mirrored crop, and its points are mirrored back.
        """
        if mirror:
            read = self._decode(self._runner(crop[:, ::-1]))[0, list(mirror)]
            read[:, 0] = self.input_size - 1 - read[:, 0]
        else:
            read = self._decode(self._runner(crop))[0]
        read[:, :2] += self.offset_
        return np.clip(np.nan_to_num(read), -_FARTHEST, _FARTHEST)

    def _mean_residual(
        self,
        images: list[NDArray[np.uint8]],
        landmarks: NDArray[np.float32],
        boxes: NDArray[np.float32],
        mirror: tuple[int, ...],
    ) -> NDArray[np.float32]:
        """Return what the annotation differs from the network on average, in crop pixels.

        A network that learns from mirrored faces too is symmetric; people who annotate are not.
        """
        total = np.zeros(self.mean_points_.shape)
        count = np.full(self.mean_points_.shape, _PRIOR_FACES)
        for image, truth, pose in zip(images, landmarks, self._poses(boxes), strict=True):
            crop = crop_face(image, pose, self.input_size)
            reads = [self._read(crop, order) for order in ((), mirror)]
            residual = apply_similarity(pose, truth) - np.mean(reads, axis=0)[:, :2]
            count += ~np.isnan(residual)
            total += np.nan_to_num(residual)
        return (total / count).astype(np.float32)

    def _predict(self, image: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._find(image, boxes, self.scheme_.mirror)[0]

    def _export(self, path: str | Path, head: Head) -> None:
        """Write the network as an ONNX model."""
        from classicface.cnn.onnx_export import export_graph

        self._check_fitted()
        metadata = {
            "class": type(self).__name__,
            "scheme": self.scheme_.to_dict(),
            "provenance": self.provenance_,
        }
        margin = float(self.margin)
        export_graph(self.graph_, self.state_, path, head=head, margin=margin, metadata=metadata)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        points = {"mean_points": self.mean_points_, "offset": self.offset_}
        history = [{**row, "seconds": None} for row in self.history_]  # the same bytes each time
        return {"history": history}, points | pack_state(self.state_, self.half_precision)

    def _restore(self, header: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
        self.history_ = checked_history(header["history"])
        weights = dict(tensors)
        for name in ("mean_points", "offset"):
            points = weights.pop(name)
            check_array(name, points, (self.scheme_.n_landmarks, 2), np.float32)
            setattr(self, f"{name}_", points)
        graph = self._graph(self.scheme_.n_landmarks)
        self._set_network(graph, unpack_state(graph, weights, self.half_precision))
