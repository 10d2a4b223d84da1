"""The page and the Markdown: templates, and what they are filled with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from classicface.evaluation.report import accuracy_tables, cost_tables, gallery
from classicface.evaluation.report.charts import ced_figure, landmarks_figure, robustness_figure
from classicface.evaluation.report.formats import (
    capital,
    decimals,
    duration,
    file_size,
    interval,
    listing,
    rate,
    shorten,
    span,
)
from classicface.evaluation.report.pareto import is_outside, on_chart, pareto_figure
from classicface.evaluation.report.pictures import data_uri
from classicface.evaluation.report.statements import in_short
from classicface.evaluation.report.style import SERIES, VARIABLES, dashes
from classicface.evaluation.report.svg import draw_svg, inline_svg
from classicface.evaluation.results import NORMALIZER_NAMES, Comparison, MethodResult

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

    from classicface.evaluation.report.gallery import TileRow

__all__ = ["Chart", "Content", "charts", "content", "to_html", "to_markdown"]

_Draw = Callable[[Comparison, bool], "Figure"]

#: Normaliser -> what it is.
_NORMALIZERS = {
    "interocular": "the distance between the outer corners of the eyes",
    "interpupil": "the distance between the pupils, each the mean of its eye's points",
    "box": "the size of the landmark box, the square root of width times height",
}

#: What the report measures, and how: enough to do it again.
_MEASURES = (
    (
        "NME",
        "Normalised mean error: the mean distance between found and annotated landmarks of a face,"
        " divided by a length of the same face, the normaliser.",
    ),
    (
        "AUC to 8 %",
        "The area under the curve of cumulative errors up to an NME of 8 %, from 0 to 1: the mean"
        " over the faces of max(0, 1 - NME / 8 %).",
    ),
    ("Over 8 %, over 10 %", "The share of the faces with a larger NME; a face not found counts."),
    (
        "Intervals",
        "95 % percentile bootstrap: faces are drawn again with replacement, the same draws for"
        " every method; pictures of one person are drawn together where the data set names people.",
    ),
    (
        "Tests",
        "Two methods are distinct where the bootstrap interval of their mean paired difference"
        " leaves out 0, Wilcoxon's signed-rank test has p below 0.05 by Holm's correction for all"
        " pairs, and both point the same way.",
    ),
    (
        "Front",
        "A method is off the front where another is clearly faster (its third quartile below the"
        " other's first) and not clearly less accurate, or clearly more accurate and not clearly"
        " slower.",
    ),
)


@dataclass(frozen=True)
class Chart:
    """A chart: what it shows, and its drawings for a wide page and for a phone."""

    title: str
    wide: str
    narrow: str


@dataclass(frozen=True, eq=False)
class Content:
    """What a report holds, before it becomes a page."""

    comparison: Comparison
    charts: Mapping[str, Chart]
    gallery: Sequence[TileRow]
    worst: Sequence[TileRow]


def content(comparison: Comparison, n_gallery: int) -> Content:
    """Gather charts and pictures; without pictures where `n_gallery` is 0."""
    shown = n_gallery > 0
    return Content(
        comparison,
        charts(comparison),
        gallery.same_faces(comparison, n_gallery) if shown else (),
        gallery.worst_faces(comparison) if shown else (),
    )


def charts(comparison: Comparison) -> dict[str, Chart]:
    """Draw the charts for which something was measured."""
    kind = NORMALIZER_NAMES[comparison.normalizer]
    errors = [method.errors[comparison.normalizer] for method in comparison.methods]
    known: list[tuple[Any, str, _Draw, str]] = [
        (
            on_chart(comparison),
            "pareto",
            pareto_figure,
            f"Mean NME ({kind}) over the time of one face",
        ),
        (
            not np.isnan(errors).all(),
            "ced",
            ced_figure,
            f"Share of faces within each NME ({kind})",
        ),
        (
            True,
            "landmarks",
            landmarks_figure,
            f"Mean error of each landmark ({kind}) on the mean shape",
        ),
        (
            comparison.levels,
            "robustness",
            robustness_figure,
            f"Mean NME ({kind}) over what is done to the faces",
        ),
    ]
    return {
        name: Chart(
            title,
            draw_svg(partial(draw, comparison, False)),
            draw_svg(partial(draw, comparison, True)),
        )
        for is_there, name, draw, title in known
        if is_there
    }


def to_html(report: Content) -> str:
    """Return the page, with all that it needs inside."""
    from markupsafe import Markup

    environment = _environment()
    labels = [_label(report.comparison, method) for method in report.comparison.methods]
    drawn = {
        name: {
            width: Markup(inline_svg(drawing, f"{name}-{width}-", chart.title, labels))
            for width, drawing in (("wide", chart.wide), ("narrow", chart.narrow))
        }
        for name, chart in report.charts.items()
    }
    environment.filters["data_uri"] = data_uri
    environment.filters["unbroken"] = _unbroken
    template = environment.get_template("report.html")
    return template.render(**_values(report), drawn=drawn) + "\n"


def to_markdown(report: Content) -> str:
    """Return the Markdown, whose pictures lie in ``images/``."""
    environment = _environment()
    environment.filters["md"] = _escape_markdown
    environment.globals["nbsp"] = "\N{NO-BREAK SPACE}"
    text = environment.get_template("report.md").render(**_values(report))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("classicface.evaluation.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _unbroken(text: str) -> str:
    """Return text in which no line ends between a number and its unit."""
    return re.sub(r"(?<=\d) (?=(?:µs|ms|s|kB|MB|GB)\b|%)", "\N{NO-BREAK SPACE}", text)


def _escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in a paragraph and in a table."""
    plain = shorten(str(text), 2000).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]|~>$])", r"\\\1", plain)


def _label(comparison: Comparison, method: MethodResult) -> str:
    """Return what a screen reader says of a method's point."""
    facts = (f"{name}: {value}" for name, value in _facts(comparison, method))
    return shorten("; ".join([method.name, *facts]), 500)


def _facts(comparison: Comparison, method: MethodResult) -> list[tuple[str, str]]:
    """Return what the tooltip of a method says."""
    accuracy, speed = method.accuracy[comparison.normalizer], method.speed
    kind = NORMALIZER_NAMES[comparison.normalizer]
    facts = [
        ("kind", method.kind),
        (f"NME, {kind}", f"{decimals(accuracy.mean.value)} % ({interval(accuracy.mean)})"),
        ("median", f"{decimals(accuracy.median.value)} %"),
    ]
    if speed is not None:
        low, high = (duration(us) for us in speed.one_face_quartiles_us)
        facts.append(("one face", f"{duration(speed.one_face_us)} ({span(low, high)})"))
        facts.append(("all cores", f"{rate(speed.faces_per_second)} faces/s"))
    if method.footprint is not None and method.footprint.model_bytes is not None:
        facts.append(("model", file_size(method.footprint.model_bytes)))
    return facts


def _values(report: Content) -> dict[str, Any]:
    """Return what both templates show."""
    comparison = report.comparison
    methods = comparison.methods
    kinds = list(methods[0].accuracy)
    shown = {"Tests": len(methods) > 1, "Front": len(comparison.front()) > 0}
    return {
        "comparison": comparison,
        "n_faces": len(comparison.dataset),
        "scheme": comparison.dataset.scheme,
        "leading": NORMALIZER_NAMES[comparison.normalizer],
        "measures": [
            *(one for one in _MEASURES if shown.get(one[0], True)),
            *(
                (f"Normaliser: {NORMALIZER_NAMES[k]}", f"{capital(_NORMALIZERS[k])}.")
                for k in kinds
            ),
        ],
        "variables": {name: color for color, name in VARIABLES.items()},
        "leading_is": _NORMALIZERS[comparison.normalizer],
        "lost": any(np.isinf(m.errors[comparison.normalizer]).any() for m in methods),
        "statements": in_short(comparison),
        "charts": report.charts,
        "gallery": report.gallery,
        "worst": report.worst,
        "untimed": _untimed(comparison),
        "outside": any(is_outside(methods[i]) for i in on_chart(comparison)),
        "colors": [
            {"series": i % len(SERIES), "dashes": " ".join(f"{d:g}" for d in dashes(i))}
            for i in range(len(methods))
        ],
        "facts": [{"name": method.name, "rows": _facts(comparison, method)} for method in methods],
        "main": accuracy_tables.main_table(comparison),
        "by_normalizer": accuracy_tables.normalizer_tables(comparison),
        "regions": accuracy_tables.region_table(comparison),
        "points": accuracy_tables.points_table(comparison),
        "pairs": accuracy_tables.pairs_table(comparison),
        "robustness": accuracy_tables.robustness_tables(comparison),
        "cost": cost_tables.cost_table(comparison),
        "detector": cost_tables.detector_table(comparison),
        "methods": cost_tables.methods_table(comparison),
        "about": cost_tables.about_table(comparison),
    }


def _untimed(comparison: Comparison) -> str:
    """Return the names that the first chart cannot show; empty where it shows all."""
    shown = on_chart(comparison)
    names = [m.name for i, m in enumerate(comparison.methods) if i not in shown]
    return listing(names) if names and shown else ""
