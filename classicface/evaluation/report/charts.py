"""The charts beside the first: cumulative errors, errors of each landmark, robustness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface.evaluation.report.formats import capital, decimals, shorten
from classicface.evaluation.report.pareto import log_ticks
from classicface.evaluation.report.style import HEAT, INK, MUTED, RULE, line_style
from classicface.evaluation.results import NORMALIZER_NAMES, Comparison
from classicface.metrics import ced
from classicface.shape.boxes import box_centers_sides, landmark_box

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ced_figure", "landmarks_figure", "robustness_figure"]

_WIDE, _NARROW = 940, 340  # pixels

#: Where the axis of the cumulative errors ends, in percent.
_LIMIT = 10.0

_NICE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.06)
    return figure


def ced_figure(comparison: Comparison, narrow: bool) -> Figure:
    """Draw the share of faces within each error, with the area under each curve to 8 %."""
    kind, n = comparison.normalizer, len(comparison.methods)
    rows = -(-n // 2) if narrow else n
    figure = _figure(_NARROW, 310 + 17 * n) if narrow else _figure(_WIDE, max(440, 20 * rows))
    axes = figure.add_subplot()
    limits = np.linspace(0.0, _LIMIT, 101)
    handles, labels = [], []
    for i, method in enumerate(comparison.methods):
        errors = method.errors[kind]
        if np.isnan(errors).all():
            continue
        share = 100 * ced(errors, limits / 100)
        style = {**line_style(i), "lw": 1.8, "zorder": 3 - 0.01 * i}
        handles += axes.plot(limits, share, gid=f"curve-{i}", **style)
        area = decimals(method.accuracy[kind].auc_08.value, 3)
        labels.append(f"{area}  {shorten(method.name, 26)}")
    axes.axvline(8, color=MUTED, lw=0.8, ls=(0, (1, 3)))
    axes.set(xlim=(0, _LIMIT), ylim=(0, 101), xlabel=f"NME, {NORMALIZER_NAMES[kind]} [%]")
    axes.set_title("faces within this error [%]", loc="left", pad=10, color=INK)
    _legend(figure, handles, labels, "AUC to 8 %", narrow)
    return figure


def _legend(figure: Any, handles: Any, labels: list[str], title: str, narrow: bool) -> None:
    """Put the legend beside the axes, or below them on a phone."""
    if not handles:
        return
    where = "outside lower left" if narrow else "outside right upper"
    legend = figure.legend(
        handles, labels, loc=where, title=title, alignment="left", handlelength=2.2,
        labelcolor=INK, title_fontsize=11.5,
    )  # fmt: skip
    legend.get_title().set_color(MUTED)


def landmarks_figure(comparison: Comparison, narrow: bool) -> Figure:
    """Draw the mean shape for each method, each landmark the larger the larger its error."""
    kind, methods = comparison.normalizer, comparison.methods
    shape = _mean_shape(comparison.dataset.landmarks)
    n_columns = min(2 if narrow else 4, len(methods))
    rows = -(-len(methods) // n_columns)
    cell = 158 if narrow else 218
    figure = _figure(_NARROW if narrow else _WIDE, 62 + cell * rows)
    cells = figure.subplots(rows, n_columns, squeeze=False).ravel()
    values = [method.per_landmark[kind] for method in methods]
    edges = _edges(np.concatenate(values))
    unit = min(1.0, math.sqrt(68 / len(shape))) * (0.75 if narrow else 1.0)
    sizes = [unit * size for size in np.linspace(3.2, 11.0, len(HEAT))]
    for axes in cells:
        axes.set_axis_off()
    for axes, method, errors in zip(cells, methods, values, strict=False):
        axes.set_title(shorten(method.name, 20 if narrow else 26), color=INK, pad=4)
        _draw_shape(axes, shape, comparison.dataset.scheme.lines)
        level = np.searchsorted(edges, errors, side="right")
        for k, (color, size) in enumerate(zip(HEAT, sizes, strict=True)):
            there = (level == k) & ~np.isnan(errors)
            axes.plot(*shape[there].T, "o", ms=size, color=color, mew=0, zorder=3)
        axes.set_aspect("equal")
        axes.invert_yaxis()
        axes.margins(0.04)
    _dots_legend(figure, edges, sizes, NORMALIZER_NAMES[kind], narrow)
    return figure


def _mean_shape(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean of the faces in their boxes; NaN for a point that no face has."""
    centers, sides = box_centers_sides(landmark_box(landmarks))
    shapes = (landmarks - centers[:, None]) / np.where(sides > 0, sides, np.nan)[:, None, None]
    known = ~np.isnan(shapes)
    count = known.sum(axis=0)
    return np.where(count > 0, np.nansum(shapes, axis=0) / np.maximum(count, 1), np.nan)


def _draw_shape(axes: Any, shape: NDArray[np.float64], lines: Any) -> None:
    for line, closed in lines:
        points = shape[[*line, line[0]] if closed else list(line)]
        axes.plot(*points.T, color=RULE, lw=1.4, zorder=1)


def _edges(values: NDArray[np.float64]) -> list[float]:
    """Return the round numbers between the levels of error."""
    known = values[np.isfinite(values) & (values > 0)]
    low, high = np.quantile(known, (0.1, 0.97)).tolist() if len(known) else (1.0, 8.0)
    wanted = np.geomspace(low, max(high, 1.05 * low), len(HEAT) - 1)
    power = math.floor(math.log10(low)) - 1
    nice = np.array([step * 10.0 ** (power + k) for k in range(5) for step in _NICE])
    edges: list[float] = []
    for value in wanted:
        free = nice[nice > edges[-1]] if edges else nice
        edges.append(float(f"{free[np.argmin(np.abs(np.log(free / value)))]:.6g}"))
    return edges


def _dots_legend(
    figure: Any, edges: list[float], sizes: list[float], normalizer: str, narrow: bool
) -> None:
    from matplotlib.lines import Line2D

    texts = [f"< {edges[0]:g}", *(f"{edge:g}" for edge in edges)]
    texts[1:] = [f"≥ {text}" for text in texts[1:]]
    handles = [
        Line2D([], [], marker="o", ls="", ms=size, mew=0, color=color)
        for color, size in zip(HEAT, sizes, strict=True)
    ]
    legend = figure.legend(
        handles, texts, loc="outside lower left", ncols=3 if narrow else len(texts),
        title=f"mean error of a landmark, {normalizer} [%]", alignment="left", labelcolor=INK,
        handletextpad=0.2, columnspacing=1.4, title_fontsize=11.5,
    )  # fmt: skip
    legend.get_title().set_color(MUTED)


def robustness_figure(comparison: Comparison, narrow: bool) -> Figure:
    """Draw the mean error over the levels of each perturbation."""
    levels = comparison.levels
    n_columns = 1 if narrow else min(4, len(levels))
    rows = -(-len(levels) // n_columns)
    below = 20 * -(-len(comparison.methods) // (2 if narrow else 5)) + 20
    figure = _figure(_NARROW if narrow else _WIDE, (230 if narrow else 270) * rows + below)
    cells = figure.subplots(rows, n_columns, squeeze=False, sharey=True).ravel()
    for axes in cells[len(levels) :]:
        axes.set_axis_off()
    handles: dict[int, Any] = {}
    for axes, (key, level) in zip(cells, levels.items(), strict=False):
        for i, method in enumerate(comparison.methods):
            if key in method.robustness:
                values = np.array(method.robustness[key], np.float64)
                values[~np.isfinite(values)] = np.nan
                style = {**line_style(i), "lw": 1.6, "marker": "o", "ms": 3.5, "mew": 0}
                (handles[i],) = axes.plot(level.values, values, gid=f"curve-{i}", **style)
        axes.set_title(shorten(capital(level.title), 40), loc="left", color=INK)
        axes.set_xlabel(shorten(level.unit, 40), color=MUTED)
        axes.set_xticks(level.values, [f"{value:g}" for value in level.values])
        axes.tick_params(labelleft=True)
    _set_errors(cells[0], comparison)
    names = [shorten(comparison.methods[i].name, 18 if narrow else 26) for i in handles]
    figure.supylabel(f"mean NME, {NORMALIZER_NAMES[comparison.normalizer]} [%]", fontsize=12)
    if handles:
        figure.legend(
            list(handles.values()), names, loc="outside lower left",
            ncols=2 if narrow else 5, labelcolor=INK,
        )  # fmt: skip
    return figure


def _set_errors(axes: Any, comparison: Comparison) -> None:
    """Set the axis of errors that all panels share; a log axis where they differ much."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    values = np.array([v for m in comparison.methods for row in m.robustness.values() for v in row])
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) == 0:
        return
    low, high = values.min(), values.max()
    if high < 4 * low:
        axes.set_ylim(max(0.0, low - 0.2 * (high - low) - 0.02 * low), None)
        return
    axes.set_yscale("log")
    axes.set_ylim(low / 1.1, high * 1.1)
    axes.yaxis.set_major_locator(FixedLocator(log_ticks(low / 1.1, high * 1.1, 7)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
