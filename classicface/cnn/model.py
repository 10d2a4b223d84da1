"""CNNFitter: a network that regresses the coordinates of the landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface.cnn.base import NetworkFitter
from classicface.cnn.bodies import BODIES, regression_graph
from classicface.cnn.graph import Graph, State
from classicface.exceptions import InvalidInputError
from classicface.validation import check_choice, check_integer, check_number

if TYPE_CHECKING:
    from classicface.cnn.training import Loss

__all__ = ["PRESETS", "CNNFitter"]

#: What the presets change of the defaults of `CNNFitter`.
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"epochs": 60},
    "default": {},
    "accurate": {"body": "resnet", "input_size": 96, "epochs": 1200},
}

_LOSSES = ("wing", "smooth_l1", "mae", "mse")


class CNNFitter(NetworkFitter):
    """Convolutional network that regresses the coordinates of the landmarks.

    Parameters
    ----------
    body : {"mobile", "plain", "resnet"}, default "mobile"
        ``mobile``: depthwise separable convolutions (Howard et al., MobileNets, 2017), the
        fastest; ``plain``: 3x3 convolutions and max pooling (Simonyan and Zisserman, ICLR 2015);
        ``resnet``: residual blocks (He et al., CVPR 2016).
    input_size : int, default 64
        Pixels along a side of the crop that the network sees; a multiple of 16.
    margin : float, default 0.25
        How much of the picture around the landmark box the crop holds, in sides of the box.
    width : float, default 1.0
        Scales the channels of every layer.
    depth : int, default 2
        Blocks a stage of the body.
    dropout : float, default 0.0
        Share of values dropped before the dense layer, in training.
    loss : {"wing", "smooth_l1", "mae", "mse"}, default "wing"
        Of the points in percent of the crop's side. ``wing``: Feng et al., CVPR 2018.
    optimiser : {"adamw", "adam", "sgd"}, default "adamw"
    learning_rate : float, default 2e-3
        The peak of the schedule.
    weight_decay : float, default 1e-4
    schedule : {"one_cycle", "cosine", "constant"}, default "one_cycle"
    warm_up : float, default 0.15
        The share of the training in which the rate rises.
    epochs : int, default 200
    batch_size : int, default 16
    shard_size : int, default 8
        So many samples of a batch share the statistics of batch normalisation, and a thread.
    clip_norm : float, default 0.0
        The gradient is scaled down to this norm where it is larger; 0 leaves it.
    moving_average : float, default 0.995
        Decay of the moving average of the weights, which are what `fit` keeps; 0 for none.
    augmentation : dict, optional
        Names and strengths of `classicface.image.augment.Augmentation` that differ from its
        defaults.
    validation : float, default 0.0
        Share of the faces kept aside to measure the error after each epoch.
    patience : int, optional
        Stop after so many epochs without a better validation error, and keep the best weights.
    n_passes : int, default 2
        Prediction runs the network so often and takes the mean; from the second time on, the
        face is cropped anew by the points of the first, upright.
    flip : bool, default True
        Every second pass sees the mirrored crop, where training mirrored faces too and the scheme
        says how its points mirror.
    half_precision : bool, default True
        Weights are kept in float16: half the file.
    time_budget : float, optional
        Seconds that training may take: the schedule is shortened to end by then.
    checkpoint : str, optional
        A file where the state after each epoch is saved; training resumes from it, to the same
        model bit for bit, and removes it at the end.
    random_state : int or numpy.random.Generator, optional
        The same seed gives the same model, bit for bit, on any number of threads.
    n_jobs : int, optional
        Threads for training; by default one a core.

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

    Examples
    --------
    >>> from classicface import CNNFitter, synthetic_faces
    >>> faces = synthetic_faces(60, random_state=0)
    >>> fitter = CNNFitter(input_size=32, epochs=5, random_state=0).fit(faces)
    >>> fitter.predict(faces.images[0], faces.boxes[0]).shape
    (1, 68, 2)
    """

    presets = PRESETS

    def __init__(
        self,
        *,
        body: str = "mobile",
        input_size: int = 64,
        margin: float = 0.25,
        width: float = 1.0,
        depth: int = 2,
        dropout: float = 0.0,
        loss: str = "wing",
        optimiser: str = "adamw",
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-4,
        schedule: str = "one_cycle",
        warm_up: float = 0.15,
        epochs: int = 200,
        batch_size: int = 16,
        shard_size: int = 8,
        clip_norm: float = 0.0,
        moving_average: float = 0.995,
        augmentation: Mapping[str, Any] | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        n_passes: int = 2,
        flip: bool = True,
        half_precision: bool = True,
        time_budget: float | None = None,
        checkpoint: str | None = None,
        random_state: int | np.random.Generator | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.body = body
        self.input_size = input_size
        self.margin = margin
        self.width = width
        self.depth = depth
        self.dropout = dropout
        self.loss = loss
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warm_up = warm_up
        self.epochs = epochs
        self.batch_size = batch_size
        self.shard_size = shard_size
        self.clip_norm = clip_norm
        self.moving_average = moving_average
        self.augmentation = augmentation
        self.validation = validation
        self.patience = patience
        self.n_passes = n_passes
        self.flip = flip
        self.half_precision = half_precision
        self.time_budget = time_budget
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.n_jobs = n_jobs

    def check_params(self) -> None:
        """Refuse parameters that are out of range, with InvalidInputError."""
        super().check_params()
        if self.input_size % 16:
            raise InvalidInputError(f"input_size is {self.input_size}; expected a multiple of 16")
        check_choice(self.body, "body", BODIES)
        check_number(self.width, "width", 0.05, 16.0)
        check_integer(self.depth, "depth", 1, 20)
        check_number(self.dropout, "dropout", 0.0, 0.9)
        check_choice(self.loss, "loss", _LOSSES)

    def _graph(self, n_landmarks: int) -> Graph:
        return regression_graph(
            *(self.body, self.input_size, 2 * n_landmarks),
            *(float(self.width), self.depth, float(self.dropout)),
        )

    def _initial_state(self, graph: Graph, rng: np.random.Generator) -> State:
        """Start from the mean shape: little weight on the features, the mean in the bias."""
        state = super()._initial_state(graph, rng)
        dense = graph.nodes[-1].name
        state[f"{dense}.weight"] *= np.float32(0.3)
        state[f"{dense}.bias"][:] = self.mean_points_.ravel() / self._unit
        return state

    @property
    def _unit(self) -> float:
        """Crop pixels per unit of the network's output: a tenth of the crop's side."""
        return self.input_size / 10

    def _decode(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        found = np.ones((len(output), len(self.mean_points_), 3), np.float32)
        points = output.reshape(len(output), -1, 2)
        np.multiply(points, np.float32(self._unit), out=found[:, :, :2])
        return found

    def _loss(self) -> Loss:
        from classicface.cnn.losses import COORDINATE_LOSSES

        loss, percent = COORDINATE_LOSSES[self.loss], np.float32(100 / self.input_size)
        per_unit = percent * np.float32(self._unit)

        def coordinate_loss(
            output: NDArray[np.float32], points: NDArray[np.float32], weights: NDArray[np.float32]
        ) -> tuple[float, NDArray[np.float32]]:
            found = output.reshape(points.shape) * per_unit
            value, gradient = loss(found, points * percent, weights)
            return value, (gradient * per_unit).reshape(output.shape)

        return coordinate_loss

    def to_onnx(self, path: str | Path) -> None:
        """Write the network as an ONNX model, from a crop to its landmarks, in one pass.

        See `classicface.cnn.onnx_export.export_graph` for what it takes and gives.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        MissingDependencyError
            The package ``onnx`` is not installed.
        """
        from classicface.cnn.onnx_export import Head

        self._export(path, Head("coordinates", self._unit, self.offset_))
