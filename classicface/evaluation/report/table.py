"""Tables before they become HTML or Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from classicface.evaluation.report.formats import MISSING, decimals, interval
from classicface.evaluation.results import Estimate

__all__ = ["METHOD", "Cell", "Column", "Row", "Table", "estimate_cell", "number_cell"]


@dataclass(frozen=True)
class Cell:
    """What stands in a table.

    Parameters
    ----------
    text : str
    minor : str
        In smaller type behind or below it.
    sort : float, str or None
        What the column is sorted by; None where nothing is known.
    heat : float or None
        The shade behind it, from 0 to 1.
    tone : str
        ``ahead``, ``behind`` or ``same`` of a comparison; ``front`` for a method on the front.
    """

    text: str
    minor: str = ""
    sort: float | str | None = None
    heat: float | None = None
    tone: str = ""


@dataclass(frozen=True)
class Column:
    """The head of a column.

    Parameters
    ----------
    title, unit : str
    words : bool
        Whether it stands to the left; numbers stand to the right.
    name : str
        By which the style sheet knows it.
    sorted : bool
        Whether the rows come sorted by it.
    """

    title: str
    unit: str = ""
    words: bool = False
    name: str = ""
    sorted: bool = False


#: The head of the column that names the methods.
METHOD = Column("Method", words=True)


@dataclass(frozen=True)
class Row:
    """Cells, and the place of the method that they are about."""

    cells: tuple[Cell, ...]
    method: int | None = None


@dataclass(frozen=True)
class Table:
    """A table.

    Parameters
    ----------
    title : str
    columns : sequence of Column
    rows : sequence of Row
    head : int
        The column that names the rows.
    sortable : bool
        Whether a click on a column sorts by it.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    head: int = 0
    sortable: bool = True

    def without_empty(self) -> Table:
        """Return the table without the columns in which nothing is known."""
        kept = [
            i
            for i in range(len(self.columns))
            if any(row.cells[i].text not in ("", MISSING) for row in self.rows)
        ]
        rows = [replace(row, cells=tuple(row.cells[i] for i in kept)) for row in self.rows]
        columns = [self.columns[i] for i in kept]
        return replace(self, columns=columns, rows=rows, head=kept.index(self.head))


def number_cell(value: float | None, text: str | None = None, minor: str = "") -> Cell:
    """Return a number, with two decimals or as the given text."""
    known = value is not None and not math.isnan(value)
    shown = decimals(value) if text is None else text
    return Cell(shown, minor, float(value) if known and value is not None else None)


def estimate_cell(estimate: Estimate, digits: int = 2) -> Cell:
    """Return a figure with its interval."""
    return number_cell(estimate.value, decimals(estimate.value, digits), interval(estimate, digits))
