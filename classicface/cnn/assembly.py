"""The program of a network: its steps turned into instructions, tables and packed weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from classicface.cnn._inference import N_FIELDS, Code, Field
from classicface.cnn._inference_vectors import LANES, ROWS
from classicface.cnn.folding import Step
from classicface.cnn.graph import INPUT
from classicface.cnn.planning import Buffer, Layout, View

__all__ = ["Program", "assemble"]


class Program(NamedTuple):
    """What `run_program` runs: see there."""

    ends: NDArray[np.int64]
    program: NDArray[np.int64]
    table: NDArray[np.int32]
    weights: NDArray[np.float32]
    n_single: int


def assemble(steps: list[Step], output: str, layout: Layout) -> Program:
    """Turn steps, without concatenations, and the places of their maps into a program."""
    assembler = _Assembler(layout)
    n_single = 0
    for index, step in enumerate(steps):
        assembler.faces = 1 if index < layout.n_single else layout.group
        for buffer in layout.clears.get(index, ()):
            assembler.clear(buffer)
        assembler.step(step)
        if index + 1 == layout.n_single:
            n_single = len(assembler.rows)
    ends = [_end(layout.views[INPUT]), _end(layout.views[output]), [layout.group, 0, 0, 0, 0]]
    return Program(
        np.array(ends, np.int64),
        np.array(assembler.rows, np.int64).reshape(-1, N_FIELDS),
        np.concatenate([*assembler.tables, np.zeros(1, np.int32)]),
        np.concatenate([*assembler.weights, np.zeros(LANES, np.float32)]),
        n_single,
    )


def _end(view: View) -> list[int]:
    buffer = view.buffer
    return [view.base, buffer.step, buffer.height, buffer.width * view.channels, buffer.row]


class _Assembler:
    """Collects the parts of a program.

    Parameters
    ----------
    layout : Layout

    Attributes
    ----------
    faces : int
        For how many faces at once the next steps run.
    """

    def __init__(self, layout: Layout) -> None:
        self.views = layout.views
        self.faces = 1
        self.rows: list[list[int]] = []
        self.tables: list[NDArray[np.int32]] = []
        self.weights: list[NDArray[np.float32]] = []
        self._n_table = 0
        self._n_weights = 0
        self._known: dict[bytes, int] = {}

    def step(self, step: Step) -> None:
        """Append the instructions of a step."""
        write = {
            "conv": self._conv,
            "conv_transpose": self._conv_transpose,
            "dense": self._dense,
            "add": self._add,
            "upsample": self._upsample,
        }.get(step.op, self._windows)
        write(step)

    def clear(self, buffer: Buffer) -> None:
        """Append the clearing of a border."""
        inside = np.zeros((buffer.height + 2 * buffer.pad, buffer.width + 2 * buffer.pad), bool)
        inside[buffer.pad : -buffer.pad, buffer.pad : -buffer.pad] = True
        border = np.flatnonzero(~inside) * buffer.channels
        faces = np.arange(self.faces)[:, None] * buffer.step
        self._append(
            Code.CLEAR,
            PIXELS=border.size,
            CHANNELS=buffer.channels,
            OUTPUT=buffer.offset,
            OUTPUT_STEP=buffer.step,
            OUTPUT_TABLE=self._table((faces + border).ravel()),
        )

    def _append(self, code: Code, **operands: int) -> None:
        row = [0] * N_FIELDS
        row[Field.CODE] = code
        for name, value in operands.items():
            row[Field[name]] = value
        self.rows.append(row)

    def _table(self, positions: NDArray[np.int64], *, pixels: bool = True) -> int:
        """Return where the table lists these positions; pixels fill a whole tile."""
        if pixels:
            positions = np.pad(positions, (0, -len(positions) % ROWS), mode="edge")
        entries = positions.astype(np.int32)
        key = entries.tobytes()
        if key not in self._known:
            self._known[key] = self._n_table
            self.tables.append(entries)
            self._n_table += entries.size
        return self._known[key]

    def _store(self, values: NDArray[np.float64] | NDArray[np.float32]) -> int:
        """Return where the weights hold these numbers, from a line of the cache on."""
        start = self._n_weights
        flat = np.asarray(values, np.float32).ravel()
        self.weights.append(np.pad(flat, (0, -flat.size % 16)))
        self._n_weights += self.weights[-1].size
        return start

    def _channels(self, values: NDArray[np.float64]) -> int:
        """Store numbers for each channel, (..., channels), filled up to whole vectors."""
        fill = [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % LANES)]
        return self._store(np.pad(values, fill))

    def _read(self, view: View, rows: range, columns: range, name: str = "INPUT") -> dict[str, int]:
        """Return the operands that say which pixels are read."""
        return {
            name: view.base,
            f"{name}_STEP": view.buffer.step,
            f"{name}_TABLE": self._table(view.pixels(rows, columns, self.faces)),
        }

    def _write(
        self, step: Step, rows: range, columns: range, *, rectify: bool = True
    ) -> dict[str, int]:
        """Return the operands that say which pixels are written, and how they are rectified."""
        target = self.views[step.output]
        slope = step.slope if rectify else None
        slope = np.ones(target.channels) if slope is None else slope
        return {
            "PIXELS": len(rows) * len(columns),
            "CHANNELS": target.channels,
            "SLOPE": self._channels(slope),
            **self._read(target, rows, columns, "OUTPUT"),
        }

    def _every(self, step: Step) -> dict[str, int]:
        """Return the places of all pixels of the output, `stride` apart in the input."""
        height, width, stride = *self._size(step.output), step.stride
        rows, columns = range(0, height * stride, stride), range(0, width * stride, stride)
        read = self._read(self.views[step.inputs[0]], rows, columns)
        return {**read, **self._write(step, range(height), range(width))}

    def _size(self, name: str) -> tuple[int, int]:
        return self.views[name].buffer.height, self.views[name].buffer.width

    def _slabs(self, view: View, rows: range, columns: range, *, join: bool) -> dict[str, int]:
        """Return the operands of a window's slabs; with `join`, each holds a row of pixels."""
        depth = view.channels
        if join and view.whole:
            if view.buffer.pad == 0 and columns == range(view.buffer.width):
                depth, rows = depth * len(rows), rows[:1]
            depth, columns = depth * len(columns), columns[:1]
        positions = view.pixels(rows, columns, 1)
        table = self._table(positions, pixels=False)
        return {"SLABS": table, "N_SLABS": positions.size, "DEPTH": depth}

    def _panels(self, step: Step, weight: NDArray[np.float64]) -> dict[str, int]:
        """Return the operands of weights, (..., output channels), packed for the kernels."""
        assert step.bias is not None
        channels = weight.shape[-1]
        matrix = np.pad(weight.reshape(-1, channels), ((0, 0), (0, -channels % LANES)))
        starts = range(0, matrix.shape[1], 2 * LANES)
        parts = [matrix[:, start : start + 2 * LANES].ravel() for start in starts]
        return {"WEIGHT": self._store(np.concatenate(parts)), "BIAS": self._channels(step.bias)}

    def _conv(self, step: Step) -> None:
        assert step.weight is not None
        pad = (step.kernel - 1) // 2
        window = range(-pad, step.kernel - pad)
        slabs = self._slabs(self.views[step.inputs[0]], window, window, join=True)
        panels = self._panels(step, step.weight)
        self._append(Code.CONVOLVE, **self._every(step), **slabs, **panels)

    def _conv_transpose(self, step: Step) -> None:
        """Split into a convolution for each place of an output pixel between those of the input."""
        assert step.weight is not None
        height, width = self._size(step.inputs[0])
        source = self.views[step.inputs[0]]
        k, s, pad = step.kernel, step.stride, (step.kernel - step.stride) // 2
        windows = [
            range(-((k - 1 - phase - pad) // s), (phase + pad) // s + 1) for phase in range(s)
        ]
        for y, rows in enumerate(windows):
            for x, columns in enumerate(windows):
                taps = step.weight[[y + pad - s * row for row in rows]]
                taps = taps[:, [x + pad - s * column for column in columns]]
                places = {
                    **self._read(source, range(height), range(width)),
                    **self._write(step, range(y, height * s, s), range(x, width * s, s)),
                }
                slabs = self._slabs(source, rows, columns, join=True)
                self._append(Code.CONVOLVE, **places, **slabs, **self._panels(step, taps))

    def _dense(self, step: Step) -> None:
        assert step.weight is not None
        height, width = self._size(step.inputs[0])
        slabs = self._slabs(self.views[step.inputs[0]], range(height), range(width), join=True)
        panels = self._panels(step, step.weight)
        self._append(Code.CONVOLVE, **self._every(step), **slabs, **panels)

    def _windows(self, step: Step) -> None:
        """Append what handles each channel on its own: filters, pools, factors and copies."""
        height, width = self._size(step.inputs[0])
        rows, columns = range(step.kernel), range(step.kernel)
        if step.op == "depthwise":
            pad = (step.kernel - 1) // 2
            rows = columns = range(-pad, step.kernel - pad)
        elif step.op == "global_pool":
            rows, columns = range(height), range(width)
        slabs = self._slabs(self.views[step.inputs[0]], rows, columns, join=False)
        places = self._every(step)
        channels = places["CHANNELS"]
        if step.op in ("max_pool", "copy"):
            self._append(Code.LARGEST, **places, **slabs)
            return
        if step.op in ("average_pool", "global_pool"):
            weight, bias = np.full(channels, 1 / slabs["N_SLABS"]), np.zeros(channels)
            slabs["DEPTH"] = 0  # one weight for all
        else:
            assert step.weight is not None and step.bias is not None
            weight, bias = step.weight, step.bias
            slabs["DEPTH"] = -(-channels // LANES) * LANES
        parts = {"WEIGHT": self._channels(weight), "BIAS": self._channels(bias)}
        self._append(Code.DEPTHWISE, **places, **slabs, **parts)

    def _add(self, step: Step) -> None:
        """Append the additions of the maps one after the other; the last one rectifies."""
        height, width = self._size(step.output)
        rows, columns = range(height), range(width)
        total = self.views[step.inputs[0]]
        for i, name in enumerate(step.inputs[1:], start=2):
            self._append(
                Code.ADD,
                **self._read(total, rows, columns),
                **self._read(self.views[name], rows, columns, "SECOND"),
                **self._write(step, rows, columns, rectify=i == len(step.inputs)),
            )
            total = self.views[step.output]

    def _upsample(self, step: Step) -> None:
        """Append the enlarging; its table holds two rows or columns for each of the output."""
        source = self.views[step.inputs[0]]
        height, width = self._size(step.output)
        positions, shares = [], []
        for size, stride in (
            (source.buffer.height, source.buffer.row),
            (source.buffer.width, source.buffer.channels),
        ):
            place = (np.arange(size * step.stride) + 0.5) / step.stride - 0.5
            place = np.clip(place, 0, size - 1)
            low = np.floor(place).astype(np.int64)
            high = np.minimum(low + 1, size - 1)
            positions.append(np.stack([low, high], axis=1).ravel() * stride)
            shares.append(place - low)
        table = self._table(np.concatenate(positions), pixels=False)
        self._append(
            Code.UPSAMPLE,
            **self._write(step, range(height), range(width)),
            INPUT=source.base,
            INPUT_STEP=source.buffer.step,
            INPUT_TABLE=table,
            WEIGHT=self._store(np.concatenate(shares)),
            HEIGHT=height,
            WIDTH=width,
        )
