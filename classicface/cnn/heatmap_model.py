"""HeatmapFitter: a network that draws one heatmap for each landmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.cnn.base import NetworkFitter
from classicface.cnn.bodies import unet_graph
from classicface.cnn.graph import Graph
from classicface.cnn.heatmap import decode_heatmaps
from classicface.exceptions import InvalidInputError
from classicface.image.crop import crop_face
from classicface.validation import check_choice, check_integer, check_number

if TYPE_CHECKING:
    from classicface.cnn.training import Loss

__all__ = ["PRESETS", "HeatmapFitter"]

#: What the presets change of the defaults of `HeatmapFitter`.
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"epochs": 40},
    "default": {},
    "accurate": {"epochs": 500},
}

_LOSSES = ("cross_entropy", "mse")


class HeatmapFitter(NetworkFitter):
    """Convolutional network that draws one heatmap for each landmark.

    A U-Net (Ronneberger et al., MICCAI 2015) with residual blocks gives one map of logits a
    landmark; the landmark is read from its map by a local soft-argmax, to a fraction of a pixel,
    with a confidence.

    Parameters
    ----------
    input_size : int, default 128
        Pixels along a side of the crop that the network sees; a multiple of
        ``map_stride * 2 ** (len(widths) - 1)``.
    margin : float, default 0.25
        How much of the picture around the landmark box the crop holds, in sides of the box.
    widths : tuple of int, default (32, 64, 128, 128)
        Channels of each level of the U-Net, from the finest, which has the heatmaps' size.
    head_width : int, default 64
        Channels of the map from which the heatmaps are drawn.
    depth : int, default 1
        Residual blocks a level, on the way down.
    map_stride : int, default 4
        Crop pixels per heatmap pixel: 1, 2, 4 or 8.
    sigma : float, default 1.0
        Standard deviation of the Gaussian that the heatmaps are to be, in heatmap pixels.
    radius : int, default 2
        The window around the peak that is decoded reaches so many heatmap pixels to each side.
    loss : {"cross_entropy", "mse"}, default "cross_entropy"
        ``cross_entropy``: between the softmax of a map and the Gaussian of sum 1; ``mse``:
        between the map and the Gaussian of height 1.
    position_weight : float, default 2.0
        How much the distance of the softmax's mean position from the landmark counts besides
        (Sun et al., ECCV 2018; Nibali et al., 2018).
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
    >>> from classicface import HeatmapFitter, synthetic_faces
    >>> faces = synthetic_faces(60, random_state=0)
    >>> fitter = HeatmapFitter(input_size=64, epochs=5, random_state=0).fit(faces)
    >>> fitter.predict(faces.images[0], faces.boxes[0]).shape
    (1, 68, 2)
    """

    presets = PRESETS

    def __init__(
        self,
        *,
        input_size: int = 128,
        margin: float = 0.25,
        widths: tuple[int, ...] = (32, 64, 128, 128),
        head_width: int = 64,
        depth: int = 1,
        map_stride: int = 4,
        sigma: float = 1.0,
        radius: int = 2,
        loss: str = "cross_entropy",
        position_weight: float = 2.0,
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
        self.input_size = input_size
        self.margin = margin
        self.widths = widths
        self.head_width = head_width
        self.depth = depth
        self.map_stride = map_stride
        self.sigma = sigma
        self.radius = radius
        self.loss = loss
        self.position_weight = position_weight
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
        if not isinstance(self.widths, (tuple, list)) or not 1 <= len(self.widths) <= 7:
            raise InvalidInputError(
                f"widths is {self.widths!r}; expected the channels of one to seven levels"
            )
        for width in self.widths:
            check_integer(width, "widths", 1, 2048)
        check_integer(self.head_width, "head_width", 1, 2048)
        check_integer(self.depth, "depth", 1, 20)
        if check_integer(self.map_stride, "map_stride", 1, 8) not in (1, 2, 4, 8):
            raise InvalidInputError(f"map_stride is {self.map_stride}; expected 1, 2, 4 or 8")
        check_number(self.sigma, "sigma", 0.1, 100.0)
        check_integer(self.radius, "radius", 0, 256)
        check_choice(self.loss, "loss", _LOSSES)
        check_number(self.position_weight, "position_weight", 0.0, 1e6)
        step = self.map_stride * 2 ** (len(self.widths) - 1)
        if self.input_size % step:
            raise InvalidInputError(
                f"input_size is {self.input_size}; with these widths and map_stride it must be a"
                f" multiple of {step}"
            )

    def _graph(self, n_landmarks: int) -> Graph:
        return unet_graph(
            self.input_size,
            n_landmarks,
            tuple(self.widths),
            self.head_width,
            self.depth,
            self.map_stride,
        )

    @property
    def _first_center(self) -> float:
        """Crop pixel of the first heatmap pixel's centre."""
        return (self.map_stride - 1) / 2

    def _decode(self, output: NDArray[np.float32]) -> NDArray[np.float32]:
        points, confidence = decode_heatmaps(output, self.radius)
        points *= np.float32(self.map_stride)
        points += np.float32(self._first_center)
        return np.concatenate([points, confidence[:, :, None]], axis=2)

    def _loss(self) -> Loss:
        from classicface.cnn.losses import heatmap_loss_of

        on_maps = heatmap_loss_of(self.loss, float(self.sigma), float(self.position_weight))

        def heatmap_loss(
            output: NDArray[np.float32], points: NDArray[np.float32], weights: NDArray[np.float32]
        ) -> tuple[float, NDArray[np.float32]]:
            places = (points - np.float32(self._first_center)) / np.float32(self.map_stride)
            return on_maps(output, places, weights)

        return heatmap_loss

    def predict_with_confidence(
        self, image: ArrayLike, boxes: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Find the landmarks of the faces of one picture, and how sure each of them is.

        Parameters
        ----------
        image : array-like
        boxes : array-like, shape (n_faces, 4), optional
            As `predict` takes them.

        Returns
        -------
        points : ndarray of float32, shape (n_faces, n_landmarks, 2)
            What `predict` returns.
        confidence : ndarray of float32, shape (n_faces, n_landmarks)
            The share of a heatmap's mass that lies around its peak, 0 to 1.
        """
        picture, checked = self._checked(image, boxes)
        return self._find(picture, checked, self.scheme_.mirror)

    def heatmaps(
        self, image: ArrayLike, box: ArrayLike
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return what the network sees of one face, and the heatmaps that it draws.

        Parameters
        ----------
        image : array-like
            As `predict` takes it.
        box : array-like, shape (4,)
            The landmark box of the face.

        Returns
        -------
        crop : ndarray of uint8, shape (input_size, input_size)
        maps : ndarray of float32, shape (height, width, n_landmarks)
            The softmax of each map; it sums to 1.
        """
        picture, checked = self._checked(image, box)
        if len(checked) != 1:
            raise InvalidInputError(f"heatmaps shows one face; there are {len(checked)} boxes")
        (pose,) = self._poses(checked)
        crop = crop_face(picture, pose, self.input_size)
        logits = self._runner(crop)[0]
        maps = np.exp(logits - logits.max(axis=(0, 1)))
        return crop, maps / maps.sum(axis=(0, 1))

    def to_onnx(self, path: str | Path) -> None:
        """Write the network as an ONNX model: crop to landmarks and confidences, in one pass.

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

        self._export(
            path,
            Head("heatmap", float(self.map_stride), self._first_center + self.offset_, self.radius),
        )
