"""Curves of errors with matplotlib, which is imported when the first is plotted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from classicface.exceptions import DataFormatError, InvalidInputError
from classicface.metrics import auc, ced
from classicface.persistence import replacing
from classicface.validation import check_integer, check_number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_ced", "plot_nme_curve", "save_figure"]


def plot_ced(
    curves: Mapping[str, ArrayLike], *, threshold: float = 0.10, normalizer: str = "inter-ocular"
) -> Figure:
    """Plot cumulative error distributions: the share of faces by the error that they stay under.

    Parameters
    ----------
    curves : mapping of str to array-like, shape (n_faces,)
        The errors of each method, as fractions (0.04 is 4 %), one a face.
    threshold : float, default 0.10
        Where the axis ends; the legend gives the area under each curve up to there.
    normalizer : str
        What the errors were divided by; written at the axis.

    Returns
    -------
    matplotlib.figure.Figure
        Pass it to `save_figure`.

    Raises
    ------
    InvalidInputError
        No curve, or errors that `classicface.metrics.ced` does not take.
    """
    threshold = check_number(threshold, "threshold", 1e-6, 10.0)
    limits = np.linspace(0.0, threshold, 501)
    figure, axes = _axes(curves)
    for name, errors in curves.items():
        label = f"{name} (AUC {auc(errors, threshold):.3f})"
        axes.plot(100 * limits, 100 * ced(errors, limits), label=label)
    axes.set(xlabel=f"NME, {normalizer} [%]", ylabel="faces [%]", ylim=(0, 100))
    axes.set_xlim(0, 100 * threshold)
    axes.legend(loc="lower right")
    return figure


def plot_nme_curve(
    x: ArrayLike, curves: Mapping[str, ArrayLike], *, xlabel: str, normalizer: str = "inter-ocular"
) -> Figure:
    """Plot the NME of methods against a number: yaw, faces to train on, time, a parameter.

    Parameters
    ----------
    x : array-like, shape (n,)
    curves : mapping of str to array-like, shape (n,)
        NME as fractions; NaN leaves a gap.
    xlabel : str
        What `x` is.
    normalizer : str
        What the errors were divided by; written at the axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidInputError
        No curve, or one of another length than `x`.
    """
    places = np.asarray(x, np.float64)
    figure, axes = _axes(curves)
    for name, errors in curves.items():
        values = np.asarray(errors, np.float64)
        if places.ndim != 1 or values.shape != places.shape:
            raise InvalidInputError(
                f"curve {name!r} has shape {values.shape}, x has shape {places.shape};"
                " expected one number for each x"
            )
        axes.plot(places, 100 * values, marker="o", label=name)
    axes.set(xlabel=xlabel, ylabel=f"NME, {normalizer} [%]")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def _axes(curves: Mapping[str, Any]) -> tuple[Figure, Any]:
    """Return an empty figure of its own: no window, nothing shared with pyplot."""
    from matplotlib.figure import Figure

    if len(curves) == 0:
        raise InvalidInputError("there is no curve to plot")
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(alpha=0.3)
    return figure, axes


def save_figure(figure: Figure, path: str | Path, *, dpi: int = 150) -> None:
    """Write a figure as PNG, SVG or PDF, as the ending of the name says.

    Raises
    ------
    DataFormatError
        Another ending, or the file cannot be written; nothing is left behind.
    """
    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise DataFormatError("unknown ending; use .png, .svg or .pdf", path)
    dpi = check_integer(dpi, "dpi", 10, 1200)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=dpi)
