"""Training a network: sharded steps, schedule, moving average, checkpoints, early stopping."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.cnn.backprop import Weights, backward, forward
from classicface.cnn.graph import Graph, State
from classicface.cnn.optim import OPTIMISERS, SCHEDULES, MovingAverage, clip_gradient
from classicface.cnn.pipeline import Batches
from classicface.cnn.view import normalise
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.persistence import read_checkpoint, write_model
from classicface.predictor import Progress

__all__ = ["Loss", "Recipe", "train_network"]

logger = logging.getLogger(__name__)

#: (output, points, weights) -> (loss, its gradient with respect to the output).
Loss = Callable[
    [NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]],
    tuple[float, NDArray[np.float32]],
]

# How fast the running statistics of batch normalisation follow those of a step.
_MOMENTUM = 0.1


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the fields are the parameters of the fitters."""

    epochs: int
    shard_size: int
    optimiser: str
    learning_rate: float
    weight_decay: float
    schedule: str
    warm_up: float
    clip_norm: float
    moving_average: float
    patience: int | None
    time_budget: float | None
    checkpoint: str | None


def train_network(
    graph: Graph,
    state: State,
    batches: Batches,
    loss: Loss,
    recipe: Recipe,
    validate: Callable[[State], float] | None,
    digest: str,
    seed: int,
    n_jobs: int,
    progress: Progress,
) -> tuple[State, list[dict[str, Any]]]:
    """Train a network from an initial state.

    Each batch is cut into shards of at most `shard_size` samples. A shard runs forward and
    backward in a thread of its own and has its own batch statistics (ghost batch normalisation:
    Hoffer et al., NeurIPS 2017); gradients are summed in the order of the shards, so the number
    of threads changes nothing.

    Parameters
    ----------
    graph : Graph
    state : dict of str to ndarray
    batches : Batches
    loss : callable
    recipe : Recipe
    validate : callable, optional
        Takes a state and returns its error, which early stopping goes by.
    digest : str
        Tells this training from others, for the checkpoint.
    seed : int
        For dropout.
    n_jobs : int
    progress : callable

    Returns
    -------
    state : dict of str to ndarray
        The moving average of the weights; with `patience`, where validation found it best.
    history : list of dict
        One an epoch: ``epoch``, ``rate``, ``loss``, ``validation`` (or None), ``seconds``.

    Raises
    ------
    InvalidInputError
        The loss is no number any more.
    """
    with ThreadPoolExecutor(n_jobs) as pool:
        run = _Run(graph, state, batches, loss, recipe, validate, digest, seed)
        run.resume()
        while run.unfinished():
            run.train_epoch(pool, progress)
    run.remove_checkpoint()
    return run.best_state if recipe.patience is not None else run.average_state(), run.history


class _Run:
    """The state of one training between epochs."""

    def __init__(
        self,
        graph: Graph,
        state: State,
        batches: Batches,
        loss: Loss,
        recipe: Recipe,
        validate: Callable[[State], float] | None,
        digest: str,
        seed: int,
    ) -> None:
        self.graph, self.batches, self.loss = graph, batches, loss
        self.recipe, self.validate, self.digest, self.seed = recipe, validate, digest, seed
        self.weights = Weights(graph, state)
        size = len(self.weights.vector)
        self.optimiser = OPTIMISERS[recipe.optimiser](size, weight_decay=recipe.weight_decay)
        self.average = MovingAverage(self.weights.vector, recipe.moving_average)
        self.n_shards = -(-batches.batch_size // recipe.shard_size)
        self.gradients = np.zeros((self.n_shards, size), np.float32)
        self.views = [self.weights.views(vector) for vector in self.gradients]
        self.history: list[dict[str, Any]] = []
        self.best_state: State = {}
        self.start = time.monotonic()

    def unfinished(self) -> bool:
        """Tell whether another epoch is due."""
        epochs, patience = len(self.history), self.recipe.patience
        if epochs == 0:
            return True
        if epochs >= self.recipe.epochs or self._done(epochs, 0) >= 1:
            return False
        return patience is None or epochs - self._best_epoch() < patience

    def train_epoch(self, pool: ThreadPoolExecutor, progress: Progress) -> None:
        """Train one epoch, validate, report, and save a checkpoint."""
        epoch = len(self.history)
        losses = []
        rate = 0.0
        for step, batch in enumerate(self.batches.epoch(epoch)):
            done = self._done(epoch, step)
            factor = SCHEDULES[self.recipe.schedule](min(done, 1.0), self.recipe.warm_up)
            rate = self.recipe.learning_rate * factor
            losses.append(self._step(pool, batch, rate, epoch * self.batches.n_steps + step))
            progress(min(done, 1.0), self._text())
        validation = None
        if self.validate is not None:
            validation = self.validate(self.average_state())
        self.history.append(
            {
                "epoch": epoch + 1,
                "rate": rate,
                "loss": float(np.mean(losses)),
                "validation": validation,
                "seconds": time.monotonic() - self.start,
            }
        )
        if self.recipe.patience is not None and self._best_epoch() == epoch + 1:
            self.best_state = self.average_state()
        logger.info("%s", self._text())
        self._save_checkpoint()
        progress(min(self._done(epoch + 1, 0), 1.0), self._text())

    def average_state(self) -> State:
        """Return the moving average of the weights, with the statistics."""
        averaged = self.weights.views(self.average.weights)
        return {name: array.copy() for name, array in {**averaged, **self.weights.measured}.items()}

    def _step(
        self, pool: ThreadPoolExecutor, batch: tuple[NDArray[Any], ...], rate: float, step: int
    ) -> float:
        """Take one step of the optimiser; return the loss."""
        n_shards = -(-len(batch[0]) // self.recipe.shard_size)
        shards = [[array[i::n_shards] for array in batch] for i in range(n_shards)]

        def run(i: int) -> tuple[float, NDArray[np.float32]]:
            return self._run_shard(i, shards[i], step)

        results = list(pool.map(run, range(n_shards)))
        gradient = self.gradients[0]
        for other in self.gradients[1:n_shards]:
            gradient += other
        gradient *= np.float32(1 / n_shards)
        if self.recipe.clip_norm > 0:
            clip_gradient(gradient, self.recipe.clip_norm)
        self.optimiser.step(self.weights.vector, gradient, rate, self.weights.decay_mask)
        self.average.update(self.weights.vector)
        seen = np.mean([statistics for _, statistics in results], axis=0)
        self.weights.statistics += np.float32(_MOMENTUM) * (seen - self.weights.statistics)
        return float(np.mean([value for value, _ in results]))

    def _run_shard(
        self, i: int, shard: list[NDArray[Any]], step: int
    ) -> tuple[float, NDArray[np.float32]]:
        """Run one shard forward and backward; the gradient goes to its place.

        Returns the loss, and the statistics of the batch normalisations.
        """
        pixels, points, weights = shard
        rng = np.random.Generator(np.random.Philox(key=[self.seed, step * self.n_shards + i]))
        with np.errstate(over="ignore", invalid="ignore"):
            output, caches, statistics = forward(
                self.graph, self.weights.learnt, normalise(pixels), True, rng
            )
            value, gradient = self.loss(output, points, weights)
            if not np.isfinite(value):
                raise InvalidInputError(
                    f"training diverged in epoch {len(self.history) + 1}: the loss is {value};"
                    " a lower learning_rate may help"
                )
            backward(self.graph, caches, gradient, self.views[i])
        return value, self.weights.joined(statistics)

    def _done(self, epoch: int, step: int) -> float:
        """Return what share of the training is done, by steps or by the time budget."""
        total = self.recipe.epochs * self.batches.n_steps
        done = (epoch * self.batches.n_steps + step) / total
        if self.recipe.time_budget is not None:
            done = max(done, (time.monotonic() - self.start) / self.recipe.time_budget)
        return done

    def _best_epoch(self) -> int:
        """Return the number of the epoch with the least validation error."""
        return 1 + int(np.argmin([row["validation"] for row in self.history]))

    def _text(self) -> str:
        text = f"epoch {len(self.history)} of {self.recipe.epochs}"
        if self.history:
            last = self.history[-1]
            text += f", loss {last['loss']:.4g}"
            if last["validation"] is not None:
                text += f", validation {100 * last['validation']:.2f} %"
        return text

    def _save_checkpoint(self) -> None:
        if self.recipe.checkpoint is None:
            return
        parts = {
            "weights": {"vector": self.weights.vector},
            "measured": self.weights.measured,
            "optimiser": self.optimiser.state(),
            "average": self.average.state(),
            "best": self.best_state,
        }
        tensors = {
            f"{part}/{n}": array for part, some in parts.items() for n, array in some.items()
        }
        header = {
            "class": "network checkpoint",
            "digest": self.digest,
            "history": self.history,
            "seconds": time.monotonic() - self.start,
        }
        write_model(self.recipe.checkpoint, header, tensors)

    def resume(self) -> None:
        """Take up the checkpoint, where there is one of this training."""
        path = self.recipe.checkpoint
        if path is None or not Path(path).exists():
            return
        header, tensors = read_checkpoint(path, "network checkpoint", self.digest)
        parts: dict[str, dict[str, NDArray[Any]]] = {"best": {}, "measured": {}}
        for name, array in tensors.items():
            part, _, rest = name.partition("/")
            parts.setdefault(part, {})[rest] = array
        try:
            self.weights.vector[:] = parts["weights"]["vector"]
            for name, array in self.weights.measured.items():
                array[:] = parts["measured"][name]
            self.optimiser.restore(parts["optimiser"])
            self.average.restore(parts["average"])
            self.best_state = parts["best"]
            self.history = list(header["history"])
            self.start -= float(header["seconds"])
        except (LookupError, TypeError, ValueError) as error:
            raise ModelFormatError(f"{path}: damaged checkpoint ({error!r:.300})") from None
        logger.info("resumed after epoch %d", len(self.history))

    def remove_checkpoint(self) -> None:
        """Remove the checkpoint once it is not needed any more."""
        if self.recipe.checkpoint is not None:
            Path(self.recipe.checkpoint).unlink(missing_ok=True)
