"""Figures of matplotlib as clean SVG: for a page, which styles them, or as files of their own."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from classicface.evaluation.report.style import INK, MUTED, PAPER, RULE, VARIABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_svg", "inline_svg", "standalone_svg"]

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

#: The radius around a point that answers to mouse and finger.
_REACH = 13

_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "classicface",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": RULE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 11.5,
}


def draw_svg(make: Callable[[], Figure]) -> str:
    """Draw a figure; the same figure gives the same text.

    Groups whose gid is ``point-3`` or ``curve-3`` will have the class ``point`` or ``curve`` and
    ``data-method="3"``.

    Parameters
    ----------
    make : callable
        Returns the figure; called with the style of the charts in force.
    """
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # Text stays text, so what matters are the reader's fonts.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        make().savefig(stream, format="svg", transparent=True, dpi=72, metadata={"Date": None})
    return stream.getvalue()


def inline_svg(drawing: str, prefix: str, title: str, labels: Sequence[str]) -> str:
    """Return a drawing as an element of an HTML page.

    Points can be focused and have a label.

    Parameters
    ----------
    drawing : str
        As `draw_svg` returns it.
    prefix : str
        Of the ids, which must differ between the figures of a page.
    title : str
        What a screen reader says.
    labels : sequence of str
        What it says of the point of each method.
    """
    root = _clean(drawing, prefix)
    root.attrib.update({"role": "group", "aria-label": title})
    for name in ("width", "height"):
        root.attrib.pop(name)
    for group in list(root.iter(f"{{{_SVG}}}g")):
        if group.get("class") == "point":
            label = labels[int(group.get("data-method", ""))]
            group.attrib.update({"tabindex": "0", "role": "img", "aria-label": label})
            _add_reach(group)
    text = ElementTree.tostring(root, encoding="unicode")
    return re.sub("#[0-9a-f]{6}", lambda hit: _variable(hit[0]), text)


def standalone_svg(drawing: str, title: str) -> str:
    """Return a drawing as the text of an SVG file, on paper of its own."""
    root = _clean(drawing, "")
    root.insert(0, ElementTree.Element(f"{{{_SVG}}}title"))
    root[0].text = title
    paper = {"width": "100%", "height": "100%", "fill": PAPER}
    root.insert(1, ElementTree.Element(f"{{{_SVG}}}rect", paper))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _variable(color: str) -> str:
    return f"var({VARIABLES[color]})" if color in VARIABLES else color


def _clean(text: str, prefix: str) -> ElementTree.Element:
    """Drop what a page does not need and make ids unique; numbers keep two decimals."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(text)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{_SVG}}}metadata" or child.tag == f"{{{_SVG}}}style":
                parent.remove(child)
    for element in root.iter():
        element.tail = None
        if element.tag != f"{{{_SVG}}}text":
            element.text = None
        _clean_attributes(element, prefix)
    used = set(re.findall('(?:url\\(|href=")#([^")]+)', ElementTree.tostring(root, "unicode")))
    for element in root.iter():
        _share_style(element)
        name = element.get("id", "")
        if name not in used:
            element.attrib.pop("id", None)
        if method := re.fullmatch(r"(point|curve)-(\d+)", name.removeprefix(prefix)):
            element.attrib.update({"class": method[1], "data-method": method[2]})
    style = f"stroke-linejoin: round; stroke-linecap: butt; font-family: {_FONT}"
    root.set("style", style)
    return root


def _clean_attributes(element: ElementTree.Element, prefix: str) -> None:
    if (reference := element.attrib.pop(_HREF, None)) is not None:
        element.set("href", f"#{prefix}{reference[1:]}")
    for name, value in list(element.attrib.items()):
        if name == "id":
            element.set(name, prefix + value)
        elif name == "clip-path":
            element.set(name, value.replace("#", f"#{prefix}"))
        elif name == "style":
            element.set(name, re.sub(r"font-family: [^;]+(; )?", "", value))
        elif name in ("d", "x", "y", "transform", "width", "height"):
            short = re.sub(r"-?\d+\.\d+", lambda hit: _short(hit[0]), value)
            element.set(name, " ".join(short.split()))
    if element.get("transform", "").startswith("rotate(-0 "):
        element.attrib.pop("transform")


def _share_style(group: ElementTree.Element) -> None:
    """Write the style of many equal markers once."""
    styles = {child.get("style") for child in group}
    if len(group) > 1 and len(styles) == 1 and {child.tag for child in group} == {f"{{{_SVG}}}use"}:
        group.set("style", styles.pop() or "")
        for child in group:
            child.attrib.pop("style", None)


def _short(number: str) -> str:
    return f"{float(number):.2f}".rstrip("0").rstrip(".")


def _add_reach(group: ElementTree.Element) -> None:
    """Put a circle around each marker: a ring when it is lit, and a larger place to touch."""
    for marker in list(group.iter(f"{{{_SVG}}}use")):
        place = {"cx": marker.get("x", ""), "cy": marker.get("y", ""), "r": str(_REACH)}
        circle = ElementTree.Element(f"{{{_SVG}}}circle", {"class": "reach", **place})
        group.insert(0, circle)
