"""Pictures of appearance: values as pictures, modes, templates of gradients, a fit step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicface.exceptions import InvalidInputError
from classicface.plotting.drawing import draw_landmarks
from classicface.shape.boxes import box_centers_sides, landmark_box
from classicface.shape.schemes import LandmarkScheme
from classicface.validation import check_image, check_landmarks, check_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["appearance_image", "plot_appearance_modes", "plot_convergence", "plot_orientations"]

_INK = "#1f4e79"
_COLORS = ("#1f4e79", "#c1502e", "#3a7d44", "#8a5a9e", "#9a7b1f", "#4c4c4c", "#2a8c8c", "#b03a6b")

#: More pixels than this in a picture of an appearance, and its spacing is surely wrong.
_MAX_PIXELS = 25_000_000

#: The pixels to which a face is drawn, in the cells of a fit.
_CELL = 280


def appearance_image(points: ArrayLike, values: ArrayLike, spacing: float) -> NDArray[np.float32]:
    """Lay values that were sampled on a regular grid out as a picture.

    Parameters
    ----------
    points : array-like, shape (m, 2)
        Where the samples lie, `spacing` apart in x and in y.
    values : array-like, shape (m,) or (m, n_channels)
    spacing : float

    Returns
    -------
    ndarray of float32, shape (height, width) or (height, width, n_channels)
        One pixel a place of the grid; NaN where no sample lies.

    Raises
    ------
    InvalidInputError
        Shapes that do not fit together, or points that such a grid of sensible size does not hold.
    """
    places, samples = np.asarray(points, np.float64), np.asarray(values, np.float32)
    spacing = check_number(spacing, "spacing", 1e-6, 1e6)
    if places.ndim != 2 or places.shape[1] != 2 or samples.shape[:1] != places.shape[:1]:
        raise InvalidInputError(
            f"points have shape {places.shape} and values {samples.shape}; expected (m, 2) and"
            " (m,) or (m, n_channels)"
        )
    if len(places) == 0 or not np.isfinite(places).all():
        raise InvalidInputError("there are no points to lay out, or some are not finite")
    steps = (places - places.min(axis=0)) / spacing
    width, height = (float(n) + 1 for n in np.round(steps.max(axis=0)))
    if width * height > _MAX_PIXELS or np.abs(steps - np.round(steps)).max() > 0.01:
        raise InvalidInputError(f"the points do not lie on a grid with a spacing of {spacing:g}")
    picture = np.full((int(height), int(width), *samples.shape[1:]), np.nan, np.float32)
    columns, rows = np.round(steps).astype(np.int64).T
    picture[rows, columns] = samples
    return picture


def plot_appearance_modes(
    pictures: ArrayLike, steps: Sequence[float], shares: Sequence[float] | None = None
) -> Figure:
    """Draw modes of appearance, a row each: what the mean becomes along one component.

    Parameters
    ----------
    pictures : array-like, shape (n_modes, n_steps, height, width)
        Grey values on any scale, the same for all; NaN is left white.
    steps : sequence of float, length n_steps
        How many standard deviations each column is from the mean.
    shares : sequence of float, length n_modes, optional
        The share of the variance of each mode, 0 to 1.

    Returns
    -------
    matplotlib.figure.Figure
        Pass it to `classicface.plotting.save_figure`.

    Raises
    ------
    InvalidInputError
        Arrays that do not fit together.
    """
    from matplotlib.figure import Figure

    values = np.asarray(pictures, np.float32)
    if values.ndim != 4 or values.size == 0 or values.shape[1] != len(steps):
        raise InvalidInputError(
            f"pictures have shape {values.shape}; expected (n_modes, n_steps, height, width) with"
            f" {len(steps)} steps"
        )
    if shares is not None and len(shares) != len(values):
        raise InvalidInputError(f"{len(shares)} shares for {len(values)} modes")
    present = values[np.isfinite(values)]
    if len(present) == 0:
        raise InvalidInputError("the pictures hold no finite value")
    low, high = np.percentile(present, (0.5, 99.5))
    tall = values.shape[2] / values.shape[3]
    figure = Figure(figsize=(0.5 + 1.3 * len(steps), 0.3 + 1.33 * tall * len(values)), dpi=100)
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.01)
    cells = figure.subplots(*values.shape[:2], squeeze=False)
    for j, row in enumerate(cells):
        for i, axes in enumerate(row):
            axes.imshow(values[j, i], cmap="gray", vmin=low, vmax=high, interpolation="bilinear")
            axes.set_axis_off()
            if j == 0:
                axes.set_title(_step_name(steps[i]), fontsize=9)
        share = "" if shares is None else f"\n{100 * shares[j]:.1f} %"
        _row_label(row[0], f"mode {j + 1}{share}")
    return figure


def plot_orientations(points: ArrayLike, channels: ArrayLike, *, length: float) -> Figure:
    """Draw samples of gradient orientation as strokes along the edges that they stand for.

    Parameters
    ----------
    points : array-like, shape (m, 2)
        Where the samples lie.
    channels : array-like, shape (m, n_channels)
        How much gradient there is in each of `n_channels` directions that divide the full turn,
        the first to the right, then downward (as in the feature ``hog``). Two opposite
        directions are one edge.
    length : float
        The length of the strongest stroke, in the units of the points.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidInputError
        Arrays that do not fit together; an odd number of channels.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    centers, strengths = np.asarray(points, np.float64), np.asarray(channels, np.float64)
    length = check_number(length, "length", 1e-9, 1e9)
    fits = centers.ndim == strengths.ndim == 2 and len(centers) == len(strengths) > 0
    if not fits or centers.shape[1] != 2 or strengths.shape[1] < 2 or strengths.shape[1] % 2:
        raise InvalidInputError(
            f"points have shape {centers.shape} and channels {strengths.shape}; expected (m, 2)"
            " and (m, n_channels) with an even number of channels"
        )
    if not (np.isfinite(centers).all() and np.isfinite(strengths).all()):
        raise InvalidInputError("points or channels are not finite")
    half = strengths.shape[1] // 2
    edges = np.maximum(strengths[:, :half] + strengths[:, half:], 0.0)
    edges = edges / max(float(edges.max()), 1e-12)
    angles = np.pi * np.arange(half) / half + np.pi / 2
    along = 0.5 * length * np.column_stack([np.cos(angles), np.sin(angles)])
    reach = edges[:, :, None] * along
    strokes = np.stack([centers[:, None] - reach, centers[:, None] + reach], axis=2)
    figure = Figure(figsize=(5.4, 5.4), layout="constrained")
    axes = figure.add_subplot()
    axes.add_collection(
        LineCollection(
            strokes.reshape(-1, 2, 2).tolist(),
            colors=_INK,
            alpha=np.clip(edges.ravel() ** 1.5, 0.03, 1.0),  # what is strongest shall be seen
            linewidths=1.2,
        )
    )
    low, high = centers.min(axis=0) - length, centers.max(axis=0) + length
    axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), aspect="equal")
    axes.set_axis_off()
    return figure


def plot_convergence(
    image: ArrayLike,
    shapes: Sequence[ArrayLike],
    costs: Sequence[ArrayLike],
    labels: Sequence[str],
    scheme: LandmarkScheme | str | None = None,
    *,
    steps: Sequence[int] = (0, 1, 2, 4),
) -> Figure:
    """Draw how a fit went: the face after some steps, a row a scale, and the cost of each step.

    Parameters
    ----------
    image : array-like
        The picture, as `classicface.validation.check_image` takes it.
    shapes : sequence of array-like, shape (n_steps + 1, n_landmarks, 2)
        For each scale the points in the picture, from its start to its end.
    costs : sequence of array-like, shape (n_steps,)
        For each scale the cost before each step.
    labels : sequence of str
        The name of each scale.
    scheme : LandmarkScheme or str, optional
        Draws the lines of the scheme too.
    steps : sequence of int, default (0, 1, 2, 4)
        The steps to draw of each scale, where it has them; its last is always drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidInputError
        Lists or arrays that do not fit together.
    """
    from matplotlib.figure import Figure

    traces = [check_landmarks(trace) for trace in shapes]
    heights = [np.asarray(cost, np.float64) for cost in costs]
    if not len(traces) == len(heights) == len(labels) > 0:
        raise InvalidInputError(
            f"{len(traces)} scales of shapes, {len(heights)} of costs, {len(labels)} labels;"
            " expected as many of each, and one at least"
        )
    for trace, cost in zip(traces, heights, strict=True):
        if trace.ndim != 3 or cost.shape != (len(trace) - 1,):
            raise InvalidInputError(
                f"shapes {trace.shape} and costs {cost.shape} of a scale; expected"
                " (n_steps + 1, n_landmarks, 2) and (n_steps,)"
            )
        if not np.isfinite(trace).all():
            raise InvalidInputError("shapes of a scale are not finite")
    picture, origin, scale = _around(check_image(image), np.concatenate(traces))
    columns = sorted({int(step) for step in steps})
    n_rows, n_columns = len(traces), len(columns) + 1
    figure = Figure(figsize=(1.45 * n_columns + 0.4, 1.6 * n_rows + 1.9), dpi=100)
    figure.set_layout_engine("constrained", w_pad=0.01, h_pad=0.02)
    grid = figure.add_gridspec(n_rows + 1, n_columns, height_ratios=[1.6] * n_rows + [1.7])
    for j, trace in enumerate(traces):
        last = len(trace) - 1
        for i, step in enumerate([*(s for s in columns if s < last), last]):
            axes = figure.add_subplot(grid[j, i])
            axes.imshow(draw_landmarks(picture, trace[step] - origin, scheme, scale=scale))
            axes.set_axis_off()
            name = {0: "start", 1: "1 step"}.get(step, f"{step} steps")
            axes.set_title(name, fontsize=8, pad=2)
            if i == 0:
                _row_label(axes, labels[j])
    _draw_costs(figure.add_subplot(grid[n_rows, :]), heights, labels)
    return figure


def _draw_costs(axes: Any, heights: Sequence[NDArray[np.float64]], labels: Sequence[str]) -> None:
    first = 0
    for j, (cost, label) in enumerate(zip(heights, labels, strict=True)):
        x = first + np.arange(len(cost))
        axes.plot(x, cost, marker="o", ms=3.5, color=_COLORS[j % len(_COLORS)], label=label)
        first += len(cost)
    axes.grid(alpha=0.3)
    axes.set_xlabel("steps done", fontsize=8)
    axes.set_ylabel("unexplained error", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_ylim(bottom=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=8)


def _around(
    image: NDArray[np.uint8], shapes: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
    """Cut the surroundings of all shapes out; return them, their origin and how far to enlarge."""
    box = landmark_box(shapes.reshape(-1, 2))
    centers, sides = box_centers_sides(box)
    side = float(sides)
    last = np.array(image.shape[::-1]) - 1
    low = np.clip(np.floor(centers - 0.65 * side), 0, last).astype(int)
    high = np.clip(np.ceil(centers + 0.65 * side), low, last).astype(int)
    cut = image[low[1] : high[1] + 1, low[0] : high[0] + 1]
    scale = float(np.clip(_CELL / max(cut.shape), 0.05, 32.0))
    return cut, low.astype(np.float32), scale


def _step_name(step: float) -> str:
    """Return the name of a column of modes."""
    return "mean" if step == 0 else f"{step:+g} sd".replace("-", "\N{MINUS SIGN}")


def _row_label(axes: Any, text: str) -> None:
    axes.text(*(-0.04, 0.5, text), transform=axes.transAxes, ha="right", va="center", fontsize=9)
