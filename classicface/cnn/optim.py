"""Optimisers of one flat float32 vector of weights, gradient clipping, the moving average.

All change their arguments in place, in one pass, and depend on nothing but what they are given and
their state, which `state` returns and `restore` takes back to the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from classicface.cnn import _optim_kernels
from classicface.cnn.schedules import SCHEDULES
from classicface.exceptions import InvalidInputError

__all__ = [
    "OPTIMISERS",
    "SCHEDULES",
    "SGD",
    "Adam",
    "AdamW",
    "MovingAverage",
    "Optimiser",
    "clip_gradient",
]

Array = NDArray[np.float32]


class Optimiser(Protocol):
    """What every optimiser does."""

    def step(self, weights: Array, gradient: Array, rate: float, decay_mask: Array) -> None:
        """Change the weights (size,) in place; the mask says how much each one decays."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that the next step depends on."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where `state` was taken."""


class SGD:
    """Gradient descent with momentum, as in PyTorch: v = momentum v + g, w = w - rate v.

    Parameters
    ----------
    size : int
        Number of weights.
    momentum : float
    weight_decay : float
        Times the weights, added to the gradient (L2 penalty).
    nesterov : bool
        Whether to step along g + momentum v (Sutskever et al., ICML 2013).
    """

    def __init__(
        self,
        size: int,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self._options = np.float32(momentum), np.float32(weight_decay)
        self._nesterov = bool(nesterov)
        self._velocity = np.zeros(size, np.float32)

    def step(self, weights: Array, gradient: Array, rate: float, decay_mask: Array) -> None:
        """Change the weights (size,) in place; the mask says how much each one decays."""
        momentum, decay = self._options
        _optim_kernels.sgd(
            weights,
            gradient,
            self._velocity,
            np.float32(rate),
            momentum,
            decay,
            decay_mask,
            self._nesterov,
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that the next step depends on."""
        return {"velocity": self._velocity.copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where `state` was taken."""
        self._velocity = _restored(state, "velocity", self._velocity.size)


class Adam:
    """Adam (Kingma and Ba, ICLR 2015).

    Parameters
    ----------
    size : int
        Number of weights.
    betas : tuple of float
        How much of the moments of first and second order stays at each step.
    eps : float
        Added to the root of the second moment.
    weight_decay : float
        Times the weights, added to the gradient (L2 penalty).
    """

    _decoupled = False

    def __init__(
        self,
        size: int,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self._betas = (float(betas[0]), float(betas[1]))
        self._eps, self._decay = float(eps), float(weight_decay)
        self._first = np.zeros(size, np.float32)
        self._second = np.zeros(size, np.float32)
        self._n_steps = 0

    def step(self, weights: Array, gradient: Array, rate: float, decay_mask: Array) -> None:
        """Change the weights (size,) in place; the mask says how much each one decays."""
        self._n_steps += 1
        beta1, beta2 = self._betas
        rates = (
            rate / (1 - beta1**self._n_steps),
            1 / (1 - beta2**self._n_steps) ** 0.5,
        )
        _optim_kernels.adam(
            weights,
            gradient,
            self._first,
            self._second,
            np.array(rates, np.float32),
            np.array(self._betas, np.float32),
            np.float32(self._eps),
            np.float32(0.0 if self._decoupled else self._decay),
            np.float32(rate * self._decay if self._decoupled else 0.0),
            decay_mask,
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that the next step depends on."""
        return {
            "first": self._first.copy(),
            "second": self._second.copy(),
            "n_steps": np.array(self._n_steps, np.int64),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where `state` was taken."""
        self._first = _restored(state, "first", self._first.size)
        self._second = _restored(state, "second", self._second.size)
        self._n_steps = int(state["n_steps"])


class AdamW(Adam):
    """Adam whose weight decay shrinks the weights themselves (Loshchilov and Hutter, ICLR 2019).

    Parameters
    ----------
    size : int
        Number of weights.
    betas : tuple of float
        How much of the moments of first and second order stays at each step.
    eps : float
        Added to the root of the second moment.
    weight_decay : float
        Times the rate, the share of every weight that a step takes away.
    """

    _decoupled = True

    def __init__(
        self,
        size: int,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(size, betas, eps, weight_decay)


#: The optimisers by name.
OPTIMISERS: dict[str, type[SGD] | type[Adam]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}


def clip_gradient(gradient: Array, max_norm: float) -> float:
    """Shrink a gradient in place to a Euclidean norm of at most max_norm; return what it had.

    A norm that is not finite is returned and the gradient left as it is (Pascanu et al. 2013).
    """
    norm = float(_optim_kernels.squared_norm(gradient)) ** 0.5
    if max_norm < norm < np.inf:
        gradient *= np.float32(max_norm / norm)
    return norm


class MovingAverage:
    """Exponential moving average of weights (Polyak and Juditsky 1992).

    The decay of update t is at most (1 + t) / (10 + t), so that the start is soon forgotten.

    Parameters
    ----------
    weights : ndarray of float32, shape (size,)
        Where the average starts; copied.
    decay : float
    """

    def __init__(self, weights: Array, decay: float = 0.999) -> None:
        self.weights: Array = np.array(weights, np.float32)
        self._decay = float(decay)
        self._n_updates = 0

    def update(self, weights: Array) -> None:
        """Take in the weights after a step."""
        self._n_updates += 1
        t = self._n_updates
        decay = min(self._decay, (1 + t) / (10 + t))
        _optim_kernels.blend(self.weights, weights, np.float32(decay))

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that the next update depends on."""
        return {
            "weights": self.weights.copy(),
            "n_updates": np.array(self._n_updates, np.int64),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where `state` was taken."""
        self.weights = _restored(state, "weights", self.weights.size)
        self._n_updates = int(state["n_updates"])


def _restored(state: Mapping[str, NDArray[Any]], name: str, size: int) -> Array:
    values = np.array(state[name], np.float32)
    if values.shape != (size,):
        raise InvalidInputError(
            f"the saved {name!r} has shape {values.shape}; the network needs ({size},)"
        )
    return values
