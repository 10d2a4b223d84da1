"""Where the maps of a network lie in one block of memory: borders, shared room, no copies.

A map that a convolution reads lies within a border of zeros; the parts of a concatenation are
written straight into their range of its channels; maps that are not alive at the same time share
their room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classicface.cnn.folding import Step
from classicface.cnn.graph import INPUT
from classicface.exceptions import InvalidInputError

__all__ = ["GROUP", "Layout", "View", "border", "place_concats", "plan_memory"]

Shape = tuple[int, int, int]

#: The most faces that the small maps at a network's end are computed for at once.
GROUP = 8
# The most numbers in the living maps of a face where faces are computed in groups, so that a
# group stays in the second cache, and the fewest weights that make it worth while.
_GROUP_NUMBERS = 24 * 1024
_GROUP_WEIGHTS = 16 * 1024
# Maps begin at a multiple of this many numbers, a line of the cache.
_ALIGN = 16
# The most numbers in a network's memory; so tables of 32 bits can hold all positions.
_MAX_NUMBERS = 1 << 29
_NEVER = 1 << 30


@dataclass
class Buffer:
    """The room of a map and its border; `first` and `last` are the steps between which it lives."""

    height: int
    width: int
    channels: int
    first: int
    last: int
    pad: int = 0
    offset: int = 0
    step: int = 0

    @property
    def row(self) -> int:
        """The distance of two rows."""
        return (self.width + 2 * self.pad) * self.channels

    @property
    def size(self) -> int:
        """How many numbers it holds, rounded up."""
        size = (self.height + 2 * self.pad) * self.row
        return -(-size // _ALIGN) * _ALIGN


@dataclass
class View:
    """A map: a range of the channels of a buffer."""

    buffer: Buffer
    channel: int
    channels: int

    @property
    def base(self) -> int:
        """The position of the first number."""
        buffer = self.buffer
        return buffer.offset + buffer.pad * (buffer.row + buffer.channels) + self.channel

    @property
    def whole(self) -> bool:
        """Whether the pixels of a row lie side by side."""
        return self.channels == self.buffer.channels

    def pixels(self, rows: Iterable[int], columns: Iterable[int], faces: int) -> NDArray[np.int64]:
        """Return the positions of the pixels in these rows and columns of each face."""
        face = np.arange(faces)[:, None, None] * self.buffer.step
        row = np.asarray(rows)[:, None] * self.buffer.row
        return (face + row + np.asarray(columns) * self.buffer.channels).ravel()


@dataclass
class Layout:
    """Where everything lies.

    Parameters
    ----------
    views : dict
        The place of every map.
    clears : dict
        The buffers whose border is to be cleared before a step.
    n_single : int
        How many of the first steps run face by face; the others run on `group` faces at once.
    group : int
    size : int
        The numbers in the whole memory, for a group.
    """

    views: dict[str, View]
    clears: dict[int, list[Buffer]]
    n_single: int
    group: int
    size: int


def plan_memory(
    steps: list[Step],
    output: str,
    shapes: Mapping[str, Shape],
    parents: Mapping[str, tuple[str, int]],
) -> Layout:
    """Place all maps of a network.

    Parameters
    ----------
    steps, parents
        As `place_concats` returns them.
    output : str
        The name of the last map.
    shapes : mapping of str to tuple
        The shape of every map.

    Raises
    ------
    InvalidInputError
        If the maps would fill more than two gigabytes.
    """
    buffers: dict[str, Buffer] = {}
    views = {
        name: _view(name, parents, buffers, shapes)
        for name in [
            INPUT,
            *(step.output for step in steps),
            *(parent for parent, _ in parents.values()),
        ]
    }
    for index, step in enumerate(steps):
        written = views[step.output].buffer
        written.first = min(written.first, index)
        for name in step.inputs:
            read = views[name].buffer
            read.last = max(read.last, index)
            read.pad = max(read.pad, border(step))
    views[INPUT].buffer.first = 0
    views[output].buffer.last = len(steps)
    n_single, group = _split(steps, list(buffers.values()))
    shared = [buffer for buffer in buffers.values() if buffer.last < n_single]
    own = [buffer for buffer in buffers.values() if buffer.last >= n_single]
    shared_size, own_size = _allocate(shared), _allocate(own)
    for buffer in own:
        buffer.offset += shared_size
        buffer.step = own_size
    size = shared_size + group * own_size
    if size > _MAX_NUMBERS:
        raise InvalidInputError(
            f"the network needs {size} numbers of memory for its maps; at most"
            f" {_MAX_NUMBERS} are allowed"
        )
    clears: dict[int, list[Buffer]] = {}
    for buffer in buffers.values():
        if buffer.pad:
            clears.setdefault(buffer.first, []).append(buffer)
    return Layout(views, clears, n_single, group, size)


def place_concats(
    steps: list[Step], shapes: dict[str, Shape]
) -> tuple[list[Step], dict[str, tuple[str, int]]]:
    """Replace concatenations by copies of those parts that cannot be written into place.

    Returns
    -------
    steps : list of Step
        Without concatenations; a new operation ``copy`` for parts that are needed elsewhere
        in another place, which also get their shape in `shapes`.
    parents : dict
        For each part, the map that it is a range of the channels of, and its first channel.
    """
    parents: dict[str, tuple[str, int]] = {}
    remaining = []
    for step in steps:
        if step.op != "concat":
            remaining.append(step)
            continue
        channel = 0
        for i, name in enumerate(step.inputs):
            part = name
            if name in parents or name == INPUT:
                part = f"{step.output}[{i}]"
                while part in shapes:
                    part += "'"
                shapes[part] = shapes[name]
                remaining.append(Step("copy", part, (name,)))
            parents[part] = (step.output, channel)
            channel += shapes[name][2]
    return remaining, parents


def border(step: Step) -> int:
    """Return how wide a border of zeros a step reads around its input."""
    if step.op in ("conv", "depthwise"):
        return (step.kernel - 1) // 2
    if step.op == "conv_transpose":
        return ((step.kernel - step.stride) // 2 + step.stride - 1) // step.stride
    return 0


def _view(
    name: str,
    parents: Mapping[str, tuple[str, int]],
    buffers: dict[str, Buffer],
    shapes: Mapping[str, Shape],
) -> View:
    channel, root = 0, name
    while root in parents:
        root, start = parents[root]
        channel += start
    if root not in buffers:
        buffers[root] = Buffer(*shapes[root], first=_NEVER, last=0)
    return View(buffers[root], channel, shapes[name][2])


def _split(steps: list[Step], buffers: list[Buffer]) -> tuple[int, int]:
    """Return how many of the first steps run face by face, and for how many faces the others."""
    n_single = 0
    for index in range(len(steps)):
        alive = sum(buffer.size for buffer in buffers if buffer.first <= index <= buffer.last)
        if alive > _GROUP_NUMBERS:
            n_single = index + 1
    weights = sum(step.weight.size for step in steps[n_single:] if step.weight is not None)
    return (n_single, GROUP) if weights >= _GROUP_WEIGHTS else (0, 1)


def _allocate(buffers: list[Buffer]) -> int:
    """Give each buffer the lowest place where it meets none that lives at the same time.

    The largest are placed first. Returns the size of the room.
    """
    placed: list[Buffer] = []
    size = 0
    for buffer in sorted(buffers, key=lambda buffer: (-buffer.size, buffer.first)):
        offset = 0
        for other in sorted(placed, key=lambda other: other.offset):
            meets = other.first <= buffer.last and buffer.first <= other.last
            if meets and other.offset < offset + buffer.size:
                offset = max(offset, other.offset + other.size)
        buffer.offset = offset
        placed.append(buffer)
        size = max(size, offset + buffer.size)
    return size
