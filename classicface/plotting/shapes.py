"""Pictures of a shape model: the mean, the modes, their variance; an animation, a page of modes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.persistence import replacing
from classicface.plotting._modes_gif import PALETTE, draw_frame
from classicface.plotting._modes_page import page
from classicface.shape.pdm import PointDistributionModel
from classicface.shape.schemes import LandmarkScheme, get_scheme
from classicface.validation import check_integer, check_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_mean_shape", "plot_modes", "plot_variance", "save_modes_gif", "save_modes_html"]

Floats = NDArray[np.float64]

_INK = "#1f4e79"
_FAINT = "#c9c9c9"
_ACCENT = "#c1502e"

#: Where a mode is drawn, as shares of the widest.
_STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def plot_mean_shape(
    model: PointDistributionModel, scheme: LandmarkScheme | str | None = None
) -> Figure:
    """Draw the mean shape with the lines of the scheme and the number of each point.

    Around each point lies the ellipse of one standard deviation of it in the model, which leaves
    out position, size and rotation.

    Parameters
    ----------
    model : PointDistributionModel
    scheme : LandmarkScheme or str, optional
        By default told from the number of points.

    Returns
    -------
    matplotlib.figure.Figure
        Pass it to `classicface.plotting.save_figure`.

    Raises
    ------
    InvalidInputError
        A scheme with another number of points.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Ellipse

    chosen = _scheme_of(model, scheme)
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axes = figure.add_subplot()
    scaled = model.components * np.sqrt(model.variances)[:, None, None]
    for i, center in enumerate(model.mean):
        spread = scaled[:, i].T @ scaled[:, i]
        values, vectors = np.linalg.eigh(spread)
        width, height = 2 * np.sqrt(np.maximum(values, 0.0))
        angle = float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0])))
        axes.add_patch(Ellipse(center, width, height, angle=angle, color=_FAINT, alpha=0.5, lw=0))
    _draw(axes, model.mean, chosen, _INK, 1.2)
    if model.n_landmarks <= 120:
        for i, (x, y) in enumerate(model.mean):
            axes.annotate(str(i), (x, y), (2, 2), textcoords="offset points", fontsize=6)
    reach = np.sqrt(np.sum(scaled**2, axis=0))
    _frame(axes, np.stack([model.mean - reach, model.mean + reach]))
    return figure


def plot_modes(
    model: PointDistributionModel,
    scheme: LandmarkScheme | str | None = None,
    *,
    n_modes: int = 5,
    n_std: float = 3.0,
) -> Figure:
    """Draw the first modes, a row each: the mean moved by -1, -1/2, 0, 1/2 and 1 times `n_std`.

    Parameters
    ----------
    model : PointDistributionModel
    scheme : LandmarkScheme or str, optional
        By default told from the number of points.
    n_modes : int, default 5
        All that there are, where there are fewer.
    n_std : float, default 3.0
        The farthest that a mode is drawn, in standard deviations.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidInputError
        A model without components, a scheme with another number of points.
    """
    from matplotlib.figure import Figure

    chosen = _scheme_of(model, scheme)
    n_modes = _modes_of(model, n_modes)
    n_std = check_number(n_std, "n_std", 0.01, 100.0)
    shapes = _mode_shapes(model, n_modes, n_std * np.array(_STEPS))
    width, height = np.ptp(shapes.reshape(-1, 2), axis=0)
    tall = float(np.clip(height / max(width, 1e-9), 0.2, 3.0))
    figure = Figure(figsize=(7.4, 0.3 + 1.4 * n_modes * tall), layout="constrained")
    grid = figure.subplots(n_modes, len(_STEPS), squeeze=False)
    for j, row in enumerate(grid):
        for i, axes in enumerate(row):
            _draw(axes, model.mean, chosen, _FAINT, 0.8, points=False)
            _draw(axes, shapes[j, i], chosen, _INK, 1.0)
            _frame(axes, shapes.reshape(-1, *model.mean.shape))
            if j == 0:
                step = f"{n_std * _STEPS[i]:+g} sd".replace("-", "\N{MINUS SIGN}")
                axes.set_title("mean" if i == 2 else step, fontsize=9)
        row[0].text(
            -0.02,
            0.5,
            f"mode {j + 1}\n{100 * model.explained[j]:.1f} %",
            transform=row[0].transAxes,
            ha="right",
            va="center",
            fontsize=9,
        )
    return figure


def plot_variance(model: PointDistributionModel) -> Figure:
    """Plot the share of the variance that each component holds, and that all up to it hold.

    Parameters
    ----------
    model : PointDistributionModel

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidInputError
        A model without components.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    n = _modes_of(model, model.n_components)
    number = np.arange(1, n + 1)
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    axes.bar(number, 100 * model.explained, color=_INK, label="this component")
    together = 100 * np.cumsum(model.explained)
    axes.plot(number, together, color=_ACCENT, marker=".", label="all up to it")
    axes.set(xlabel="component", ylabel="variance explained [%]", ylim=(0, 104))
    axes.set_xlim(0.4, n + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center right")
    return figure


def save_modes_gif(
    model: PointDistributionModel,
    path: str | Path,
    scheme: LandmarkScheme | str | None = None,
    *,
    n_modes: int = 5,
    n_std: float = 3.0,
    n_frames: int = 30,
) -> None:
    """Write an animated GIF in which the first modes swing, side by side, there and back.

    Parameters
    ----------
    model : PointDistributionModel
    path : path-like
        Ends in ``.gif``.
    scheme : LandmarkScheme or str, optional
    n_modes : int, default 5
    n_std : float, default 3.0
    n_frames : int, default 30
        Of one swing, 50 ms each.

    Raises
    ------
    InvalidInputError
        A model without components, a scheme with another number of points.
    DataFormatError
        Another ending, or the file cannot be written; nothing is left behind.
    """
    from PIL import Image

    path = _checked_ending(path, ".gif")
    chosen = _scheme_of(model, scheme)
    n_modes = _modes_of(model, min(check_integer(n_modes, "n_modes", 1), 20))
    n_std = check_number(n_std, "n_std", 0.01, 100.0)
    n_frames = check_integer(n_frames, "n_frames", 2, 200)
    swing = n_std * np.sin(2 * np.pi * np.arange(n_frames) / n_frames)
    shapes = _mode_shapes(model, n_modes, swing)
    low, high = shapes.min(axis=(0, 1, 2)), shapes.max(axis=(0, 1, 2))
    shapes = 0.5 + 0.9 * (shapes - (low + high) / 2) / max(float((high - low).max()), 1e-9)
    labels = [f"{j + 1}: {100 * model.explained[j]:.1f} %" for j in range(n_modes)]
    frames = []
    for t in range(n_frames):
        frames.append(Image.fromarray(draw_frame(shapes[:, t], chosen, labels)))
        frames[t].putpalette(PALETTE)
    with replacing(path) as partial:
        frames[0].save(partial, save_all=True, append_images=frames[1:], duration=50, loop=0)


def save_modes_html(
    model: PointDistributionModel,
    path: str | Path,
    scheme: LandmarkScheme | str | None = None,
    *,
    n_modes: int = 10,
    n_std: float = 3.0,
) -> None:
    """Write a page with a slider for each of the first modes; it needs no network.

    Parameters
    ----------
    model : PointDistributionModel
    path : path-like
        Ends in ``.html``.
    scheme : LandmarkScheme or str, optional
    n_modes : int, default 10
    n_std : float, default 3.0
        Where the sliders end.

    Raises
    ------
    InvalidInputError
        A model without components, a scheme with another number of points.
    DataFormatError
        Another ending, or the file cannot be written; nothing is left behind.
    """
    path = _checked_ending(path, ".html")
    chosen = _scheme_of(model, scheme)
    n_modes = _modes_of(model, n_modes)
    n_std = check_number(n_std, "n_std", 0.01, 100.0)
    text = page(model, chosen, n_modes, n_std)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _checked_ending(path: str | Path, ending: str) -> Path:
    path = Path(path)
    if path.suffix.lower() != ending:
        raise DataFormatError(f"unknown ending; use {ending}", path)
    return path


def _scheme_of(
    model: PointDistributionModel, scheme: LandmarkScheme | str | None
) -> LandmarkScheme:
    chosen = get_scheme(model.n_landmarks if scheme is None else scheme)
    if chosen.n_landmarks != model.n_landmarks:
        raise InvalidInputError(
            f"scheme {chosen.name} has {chosen.n_landmarks} points, the shape model"
            f" {model.n_landmarks}"
        )
    return chosen


def _modes_of(model: PointDistributionModel, n_modes: int) -> int:
    if model.n_components == 0:
        raise InvalidInputError("the shape model has no components: its shapes do not vary")
    return min(check_integer(n_modes, "n_modes", 1), model.n_components)


def _mode_shapes(model: PointDistributionModel, n_modes: int, steps: Floats) -> Floats:
    """Return each mode alone at steps of its standard deviation, (n_modes, n_steps, L, 2)."""
    b = np.zeros((n_modes, len(steps), model.n_components))
    for j in range(n_modes):
        b[j, :, j] = steps * np.sqrt(model.variances[j])
    return model.to_landmarks(b)


def _draw(
    axes: Any, shape: Floats, scheme: LandmarkScheme, color: str, width: float, points: bool = True
) -> None:
    for line, closed in scheme.lines:
        x, y = shape[[*line, line[0]] if closed else list(line)].T
        axes.plot(x, y, color=color, lw=width, solid_capstyle="round")
    if points or not scheme.lines:
        axes.scatter(*shape.T, s=2.5 * width**2, color=color, lw=0, zorder=3)


def _frame(axes: Any, shapes: Floats) -> None:
    """Set the limits to shapes, y downwards as in a picture, without ticks."""
    points = shapes.reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    gap = 0.05 * float((high - low).max()) + 1e-9
    axes.set(xlim=(low[0] - gap, high[0] + gap), ylim=(high[1] + gap, low[1] - gap))
    axes.set_aspect("equal")
    axes.set_axis_off()
