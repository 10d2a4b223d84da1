"""The colours and lines of the charts; the style sheet of the page has the same colours by name."""

from __future__ import annotations

from typing import Any

__all__ = ["HEAT", "INK", "MUTED", "PAPER", "RULE", "SERIES", "VARIABLES", "dashes", "line_style"]

# Colours of charts, as they stand in SVG files. In the page they become variables of CSS, so each
# must differ from the others.
INK = "#1c2227"
MUTED = "#5b6670"
RULE = "#e2e6ea"
PAPER = "#fffffe"

#: Colours of the methods, told apart with colour-blind eyes too (after Okabe and Ito, 2002).
SERIES = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#aa4499",
    "#b07d00",
    "#3a9bdc",
    "#882255",
    "#6b7680",
)

#: Colours from a small to a large error, readable on white and on black.
HEAT = ("#3b6fc4", "#6f7fc0", "#9a83b5", "#bd7f93", "#d2744f", "#d9541e")

#: Colour -> its variable in the style sheet.
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    PAPER: "--paper",
    **{color: f"--s{i}" for i, color in enumerate(SERIES)},
}

# Three and eight have no common divisor: 24 methods differ in colour or in line.
_DASHES = ((), (6.0, 2.0), (1.6, 1.6))


def dashes(index: int) -> tuple[float, ...]:
    """Return the lengths of dash and gap of a method's line; empty where it is drawn through."""
    return _DASHES[index % len(_DASHES)]


def line_style(index: int) -> dict[str, Any]:
    """Return the colour and dashes of a method, by its place in the comparison."""
    pattern = dashes(index)
    return {"color": SERIES[index % len(SERIES)], "ls": (0, pattern) if pattern else "-"}
