"""The tables of accuracy: the main one, one of each normaliser, regions, points, pairs, levels."""

from __future__ import annotations

import math

import numpy as np

from classicface.evaluation.report.formats import (
    MISSING,
    capital,
    decimals,
    duration,
    file_size,
    place,
    rate,
    seconds,
    signed,
    span,
)
from classicface.evaluation.report.table import (
    METHOD,
    Cell,
    Column,
    Row,
    Table,
    estimate_cell,
    number_cell,
)
from classicface.evaluation.results import (
    NORMALIZER_NAMES,
    Comparison,
    Footprint,
    MethodResult,
    PairedTest,
)

__all__ = [
    "main_table",
    "method_cell",
    "normalizer_tables",
    "pairs_table",
    "points_table",
    "region_table",
    "robustness_tables",
    "speed_cells",
]


def method_cell(method: MethodResult, tone: str = "") -> Cell:
    """Return the cell that names a method."""
    return Cell(method.name, sort=method.name, tone=tone)


def speed_cells(method: MethodResult) -> tuple[Cell, Cell]:
    """Return the time of one face with its quartiles, and the faces a second on all cores."""
    speed = method.speed
    if speed is None:
        return number_cell(None), number_cell(None)
    low, high = (duration(us) for us in speed.one_face_quartiles_us)
    one = number_cell(speed.one_face_us, duration(speed.one_face_us), span(low, high))
    return one, number_cell(speed.faces_per_second, rate(speed.faces_per_second))


def main_table(comparison: Comparison) -> Table:
    """Return the summary, a row a method, by the mean error."""
    kind, front = comparison.normalizer, comparison.front()
    columns = [
        Column("Place"),
        METHOD,
        Column("Kind", words=True, name="kind"),
        Column("NME mean", "%", sorted=True),
        Column("NME median", "%"),
        Column("AUC to 8 %"),
        Column("Over 10 %", "% of faces"),
        Column("Not found", "faces"),
        Column("One face", "one thread"),
        Column("All cores", "faces/s"),
        Column("Model"),
        Column("Peak memory"),
        Column("Training"),
    ]
    lost = [int(np.isinf(method.errors[kind]).sum()) for method in comparison.methods]
    rows = []
    for i, method in enumerate(comparison.methods):
        accuracy, footprint = method.accuracy[kind], method.footprint or Footprint()
        cells = (
            Cell(place(method.rank), sort=method.rank[0] + method.rank[1] / 1e4),
            method_cell(method, "front" if method.name in front else ""),
            Cell(method.kind, sort=method.kind),
            estimate_cell(accuracy.mean),
            number_cell(accuracy.median.value),
            number_cell(accuracy.auc_08.value, decimals(accuracy.auc_08.value, 3)),
            number_cell(accuracy.failure_10.value, decimals(accuracy.failure_10.value, 1)),
            number_cell(lost[i] if any(lost) else None, str(lost[i]) if any(lost) else MISSING),
            *speed_cells(method),
            number_cell(footprint.model_bytes, file_size(footprint.model_bytes)),
            number_cell(footprint.peak_bytes, file_size(footprint.peak_bytes)),
            number_cell(method.training_seconds, seconds(method.training_seconds)),
        )
        rows.append(Row(cells, i))
    title = f"By the mean NME ({NORMALIZER_NAMES[kind]})"
    return Table(title, columns, rows, head=1).without_empty()


def normalizer_tables(comparison: Comparison) -> list[Table]:
    """Return a table for each normaliser, the leading one first."""
    columns = [
        METHOD,
        Column("NME mean", "%"),
        Column("NME median", "%"),
        Column("AUC to 8 %"),
        Column("Over 8 %", "% of faces"),
        Column("Over 10 %", "% of faces"),
    ]
    kinds = [kind for kind in NORMALIZER_NAMES if kind in comparison.methods[0].accuracy]
    kinds.sort(key=lambda kind: kind != comparison.normalizer)
    tables = []
    for kind in kinds:
        rows = []
        for i, method in enumerate(comparison.methods):
            accuracy = method.accuracy[kind]
            cells = (
                method_cell(method),
                estimate_cell(accuracy.mean),
                estimate_cell(accuracy.median),
                estimate_cell(accuracy.auc_08, 3),
                estimate_cell(accuracy.failure_08, 1),
                estimate_cell(accuracy.failure_10, 1),
            )
            rows.append(Row(cells, i))
        tables.append(Table(f"Normaliser: {NORMALIZER_NAMES[kind]}", columns, rows))
    return tables


def region_table(comparison: Comparison) -> Table | None:
    """Return the error of each region, shaded; None for a scheme without regions."""
    kind, regions = comparison.normalizer, list(comparison.dataset.scheme.regions)
    if not regions:
        return None
    columns = [METHOD, *(Column(name.replace("_", " "), "%") for name in regions)]
    values = [
        [method.regions[kind].get(name, math.nan) for name in regions]
        for method in comparison.methods
    ]
    rows = [
        Row((method_cell(method), *heat_cells(row, values)), i)
        for i, (method, row) in enumerate(zip(comparison.methods, values, strict=True))
    ]
    title = f"Mean NME of each region ({NORMALIZER_NAMES[kind]}), darker where it is larger"
    return Table(title, columns, rows)


def heat_cells(row: list[float], table: list[list[float]]) -> list[Cell]:
    """Return numbers with shades, on a log scale from the least to the largest of the table."""
    logs = sorted(math.log(v) for line in table for v in line if math.isfinite(v) and v > 0)
    cells = []
    for value in row:
        heat = None
        if math.isfinite(value) and value > 0:
            heat = round((math.log(value) - logs[0]) / (logs[-1] - logs[0] or 1.0), 3)
        cells.append(Cell(decimals(value), sort=None if math.isnan(value) else value, heat=heat))
    return cells


def points_table(comparison: Comparison) -> Table:
    """Return precision, recall and F1 of points."""
    columns = [
        METHOD,
        *(Column(name, "%") for name in ("Precision", "Recall", "F1")),
        *(Column(name, "points") for name in ("Correct", "Found", "Annotated")),
    ]
    rows = []
    for i, method in enumerate(comparison.methods):
        points = method.points
        shares = [100 * value for value in (points.precision, points.recall, points.f1)]
        counts = (points.n_correct, points.n_predicted, points.n_true)
        cells = [number_cell(value, decimals(value, 1)) for value in shares]
        cells += [number_cell(n, f"{n:,}") for n in counts]
        rows.append(Row((method_cell(method), *cells), i))
    limit = f"{100 * comparison.point_threshold:g} %"
    kind = NORMALIZER_NAMES[comparison.normalizer]
    return Table(f"Points within {limit} of the truth ({kind})", columns, rows)


def pairs_table(comparison: Comparison) -> Table | None:
    """Return the differences of all pairs, row less column; None for a single method."""
    names = [method.name for method in comparison.methods]
    if len(names) < 2:
        return None
    pairs = {(pair.first, pair.second): pair for pair in comparison.pairs}
    rows = []
    for i, name in enumerate(names):
        cells = [method_cell(comparison.methods[i])]
        cells += [_pair_cell(pairs, name, other) for other in names]
        rows.append(Row(tuple(cells), i))
    columns = [METHOD, *map(Column, names)]
    kind = NORMALIZER_NAMES[comparison.normalizer]
    title = f"Difference of mean NME, row less column, in points of percent ({kind})"
    return Table(title, columns, rows, sortable=False)


def _pair_cell(pairs: dict[tuple[str, str], PairedTest], row: str, column: str) -> Cell:
    if row == column:
        return Cell("")
    sign = -1 if (row, column) in pairs else 1  # the record has the second less the first
    pair = pairs.get((row, column)) or pairs.get((column, row))
    if pair is None or math.isnan(pair.difference.value):
        return Cell("", tone="same")
    value = sign * pair.difference.value
    if not pair.distinct:
        return Cell("not distinct", signed(value), tone="same")
    low, high = sorted((sign * pair.difference.low, sign * pair.difference.high))
    tone = "ahead" if value < 0 else "behind"
    return Cell(signed(value), span(signed(low), signed(high)), tone=tone)


def robustness_tables(comparison: Comparison) -> list[Table]:
    """Return a table for each perturbation: the mean error at each of its levels."""
    kind = NORMALIZER_NAMES[comparison.normalizer]
    tables = []
    for key, level in comparison.levels.items():
        measured = [(i, m) for i, m in enumerate(comparison.methods) if key in m.robustness]
        values = [list(method.robustness[key]) for _, method in measured]
        columns = [METHOD, *(Column(f"{value:g}") for value in level.values)]
        rows = [
            Row((method_cell(method), *heat_cells(row, values)), i)
            for (i, method), row in zip(measured, values, strict=True)
        ]
        title = f"{capital(level.title)} [{level.unit}]: mean NME in percent ({kind})"
        tables.append(Table(title, columns, rows))
    return tables
