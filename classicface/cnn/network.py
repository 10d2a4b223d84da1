"""Prediction with a network: everything is planned once, then one compiled call does a batch."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.cnn._inference import run_program
from classicface.cnn._inference_vectors import LANES
from classicface.cnn.assembly import Program, assemble
from classicface.cnn.folding import fold
from classicface.cnn.graph import Graph, State
from classicface.cnn.planning import place_concats, plan_memory
from classicface.exceptions import InvalidInputError

__all__ = ["Network"]

# Memory begins at a line of the cache: this many numbers.
_ALIGN = 16


class Network:
    """A network ready to predict; immutable, and safe to use from several threads.

    Batch norms are folded into the layers before them, and rectifiers, paddings and
    concatenations cost no pass of their own. `build` makes one.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
        Height, width and channels.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        output_shape: tuple[int, int, int],
        program: Program,
        size: int,
    ) -> None:
        self.input_shape = input_shape
        self.output_shape = output_shape
        self._program = program
        self._size = size
        self._local = threading.local()

    @classmethod
    def build(cls, graph: Graph, state: State) -> Network:
        """Prepare a network for prediction.

        Parameters
        ----------
        graph : Graph
        state : dict of str to ndarray
            Its weights, which are copied.

        Raises
        ------
        InvalidInputError
            If the weights do not fit the graph, the graph joins maps of unlike shapes, or its maps
            would fill more than two gigabytes.
        """
        shapes = graph.shapes()
        steps, output = fold(graph, state)
        steps, parents = place_concats(steps, shapes)
        layout = plan_memory(steps, output, shapes, parents)
        program = assemble(steps, output, layout)
        return cls(graph.input_shape, graph.output_shape, program, layout.size)

    def run(self, x: ArrayLike, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Compute the network's outputs; each face's is the same in whatever batch it comes.

        Parameters
        ----------
        x : array-like of float32, shape (n, *input_shape)
        out : ndarray of float32, shape (n, *output_shape), optional
            Where to write; C-contiguous.

        Returns
        -------
        ndarray of float32, shape (n, *output_shape)
            `out`, or a new array.

        Raises
        ------
        InvalidInputError
            If `x` or `out` has another shape, or `out` another type.
        """
        faces = np.ascontiguousarray(x, np.float32)
        if faces.ndim != 4 or faces.shape[1:] != self.input_shape:
            raise InvalidInputError(
                f"the network takes faces of shape (n, {', '.join(map(str, self.input_shape))});"
                f" these have {faces.shape}"
            )
        n = faces.shape[0]
        if out is None:
            out = np.empty((n, *self.output_shape), np.float32)
        elif (
            out.shape != (n, *self.output_shape)
            or out.dtype != np.float32
            or not out.flags.c_contiguous
        ):
            raise InvalidInputError(
                f"the output needs a contiguous float32 array of {(n, *self.output_shape)};"
                f" this one is {out.dtype} of {out.shape}"
            )
        ends, program, table, weights, n_single = self._program
        run_program(
            ends,
            program,
            table,
            weights,
            self._memory(),
            faces.reshape(n, math.prod(self.input_shape)),
            out.reshape(n, math.prod(self.output_shape)),
            n_single,
        )
        return out

    def __reduce__(self) -> tuple[type[Network], tuple[Any, ...]]:
        """Leave the memory of the threads behind when copied."""
        return Network, (self.input_shape, self.output_shape, self._program, self._size)

    def _memory(self) -> NDArray[np.float32]:
        """Return this thread's memory for the maps."""
        memory: NDArray[np.float32] | None = getattr(self._local, "memory", None)
        if memory is None:
            # Kernels may read up to a vector beyond the last map.
            block = np.zeros(self._size + LANES + _ALIGN, np.float32)
            start = -(block.ctypes.data // block.itemsize) % _ALIGN
            memory = self._local.memory = block[start : start + self._size + LANES]
        return memory
