"""Pictures of a training: how loss, learning rate and validation error went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface.exceptions import InvalidInputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_learning_curves"]

_INK = "#1f4e79"
_FAINT = "#9a9a9a"
_ACCENT = "#c1502e"

# Legends stand above the axes, where they hide nothing.
_ABOVE: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.02, 0.98), "frameon": False}


def plot_learning_curves(
    history: Sequence[Mapping[str, Any]], *, normalizer: str = "inter-ocular"
) -> Figure:
    """Plot the loss and the learning rate of every epoch, and the validation error beside them.

    Loss and error are on logarithmic axes, where the long flat end of a training still shows.

    Parameters
    ----------
    history : sequence of mapping
        One an epoch, as ``history_`` of a fitted network holds them: ``epoch``, ``rate``,
        ``loss``, ``validation`` (NME as a fraction, or None) and ``seconds`` since the start (or
        None).
        Without any validation error its panel is left out.
    normalizer : str
        What the validation errors were divided by; written at the axis.

    Returns
    -------
    matplotlib.figure.Figure
        Pass it to `classicface.plotting.save_figure`.

    Raises
    ------
    InvalidInputError
        No epoch, or one without these entries.
    """
    from matplotlib.figure import Figure

    if len(history) == 0:
        raise InvalidInputError("there is no epoch to plot")
    epoch, rate, loss, error, seconds = (
        _column(history, name) for name in ("epoch", "rate", "loss", "validation", "seconds")
    )
    validated = bool(np.isfinite(error).any())
    figure = Figure(figsize=(9.6 if validated else 5.6, 3.8), layout="constrained")
    count = f"{len(history)} epoch" + ("" if len(history) == 1 else "s")
    took = "" if math.isnan(seconds[-1]) else f" in {_duration(float(seconds[-1]))}"
    figure.suptitle(count + took, fontsize=10)
    panels = figure.subplots(1, 2 if validated else 1, squeeze=False)[0]
    _draw_loss(panels[0], epoch, loss, rate)
    if validated:
        _draw_error(panels[1], epoch, 100 * error, normalizer)
    return figure


def _column(history: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    """Return an entry of every epoch; NaN for None."""
    try:
        values = [math.nan if row[name] is None else float(row[name]) for row in history]
    except (LookupError, TypeError, ValueError):
        raise InvalidInputError(
            f"an epoch of the history has no number {name!r}; expected what a fitted network's"
            " history_ holds"
        ) from None
    return np.array(values, np.float64)


def _draw_loss(
    axes: Any, epoch: NDArray[np.float64], loss: NDArray[np.float64], rate: NDArray[np.float64]
) -> None:
    beside = axes.twinx()
    axes.set_zorder(beside.get_zorder() + 1)  # the loss lies above the rate
    axes.patch.set_visible(False)
    (thin,) = beside.plot(epoch, rate, color=_FAINT, lw=1, ls="--", label="learning rate")
    beside.set_ylim(bottom=0)
    beside.set_ylabel("learning rate", color=_FAINT)
    beside.tick_params(axis="y", colors=_FAINT, labelsize=8)
    beside.ticklabel_format(axis="y", style="sci", scilimits=(-2, 2))
    (line,) = axes.plot(epoch, loss, color=_INK, label="training loss", **_marks(epoch))
    axes.set_ylabel("training loss")
    _set_axes(axes, loss)
    axes.legend(handles=[line, thin], ncols=2, **_ABOVE)


def _draw_error(
    axes: Any, epoch: NDArray[np.float64], error: NDArray[np.float64], normalizer: str
) -> None:
    axes.plot(epoch, error, color=_INK, **_marks(epoch))
    best = int(np.nanargmin(error))
    label = f"best: {error[best]:.2f} % after epoch {epoch[best]:.0f}"
    axes.plot(epoch[best], error[best], "o", ms=7, color=_ACCENT, label=label, zorder=3)
    axes.axhline(error[best], color=_ACCENT, lw=0.8, ls=":")
    axes.set_ylabel(f"validation NME, {normalizer} [%]")
    _set_axes(axes, error)
    axes.legend(**_ABOVE)


def _marks(epoch: NDArray[np.float64]) -> dict[str, Any]:
    """Return the style of a curve: points on short ones, which a line alone would hide."""
    return {"lw": 1.5, "marker": "." if len(epoch) <= 40 else None}


def _set_axes(axes: Any, values: NDArray[np.float64]) -> None:
    """Set a logarithmic axis of values with readable numbers, and one of epochs."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    if np.nanmin(values) > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _duration(seconds: float) -> str:
    """Return a duration as people read it."""
    minutes = seconds / 60
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes:.0f} min"
    return f"{minutes // 60:.0f} h {minutes % 60:02.0f} min"
