"""The tables of cost and of conditions: speed, memory, size; the detector; what was compared."""

from __future__ import annotations

from classicface.evaluation.report.accuracy_tables import method_cell, speed_cells
from classicface.evaluation.report.formats import MISSING, duration, file_size, seconds, span
from classicface.evaluation.report.table import METHOD, Cell, Column, Row, Table, number_cell
from classicface.evaluation.results import Comparison, Footprint, MethodResult

__all__ = ["about_table", "cost_table", "detector_table", "methods_table"]


def cost_table(comparison: Comparison) -> Table | None:
    """Return speed, memory and size of each method; None where nothing was measured."""
    columns = [
        METHOD,
        Column("One face", "one thread"),
        Column("All cores", "a face"),
        Column("All cores", "faces/s"),
        Column("Import"),
        Column("Load"),
        Column("First prediction"),
        Column("Peak memory"),
        Column("Memory", "no model"),
        Column("Model"),
        Column("Training"),
    ]
    rows = [
        Row((method_cell(method), *_cost_cells(method)), i)
        for i, method in enumerate(comparison.methods)
    ]
    table = Table("What each method costs", columns, rows).without_empty()
    return table if len(table.columns) > 1 else None


def _cost_cells(method: MethodResult) -> tuple[Cell, ...]:
    footprint, speed = method.footprint or Footprint(), method.speed
    one, per_second = speed_cells(method)
    all_cores = number_cell(None)
    if speed is not None:
        low, high = (duration(us) for us in speed.all_cores_range_us)
        all_cores = number_cell(speed.all_cores_us, duration(speed.all_cores_us), span(low, high))
    times = (footprint.import_seconds, footprint.load_seconds, footprint.first_seconds)
    return (
        one,
        all_cores,
        per_second,
        *(number_cell(value, seconds(value)) for value in times),
        number_cell(footprint.peak_bytes, file_size(footprint.peak_bytes)),
        number_cell(footprint.base_bytes, file_size(footprint.base_bytes)),
        number_cell(footprint.model_bytes, file_size(footprint.model_bytes)),
        number_cell(method.training_seconds, seconds(method.training_seconds)),
    )


def detector_table(comparison: Comparison) -> Table | None:
    """Return what the detector that gave the boxes found; None where no detector did."""
    detector = comparison.detector
    if detector is None:
        return None
    columns = [
        Column("Detector", words=True),
        Column("Annotated faces"),
        Column("Found"),
        Column("Missed"),
        Column("False"),
        Column("One picture", "one thread"),
    ]
    counts = (
        detector.n_faces,
        detector.n_found,
        detector.n_faces - detector.n_found,
        detector.n_false,
    )
    cells = [Cell(detector.name), *(number_cell(n, f"{n:,}") for n in counts)]
    cells.append(number_cell(detector.picture_us, duration(detector.picture_us)))
    title = "The detector that gave the boxes"
    return Table(title, columns, [Row(tuple(cells))], sortable=False)


def methods_table(comparison: Comparison) -> Table:
    """Return how each method was asked for, and its terms of use."""
    columns = [Column(name, words=True) for name in ("Method", "Asked for as", "Kind", "Terms")]
    rows = [
        Row((method_cell(m), *(Cell(text or MISSING) for text in (m.spec, m.kind, m.terms))), i)
        for i, m in enumerate(comparison.methods)
    ]
    return Table("What was compared", columns, rows, sortable=False).without_empty()


def about_table(comparison: Comparison) -> Table:
    """Return the conditions of the comparison."""
    columns = [Column("Condition", words=True), Column("Value", words=True)]
    rows = [Row((Cell(name), Cell(text))) for name, text in comparison.about.items()]
    return Table("Conditions", columns, rows, sortable=False)
