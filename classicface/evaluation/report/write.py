"""`write_report`: a comparison as a page, Markdown with pictures, JSON and CSV."""

from __future__ import annotations

import json
from pathlib import Path

from classicface.evaluation.report import spreadsheets
from classicface.evaluation.report.page import content, to_html, to_markdown
from classicface.evaluation.report.pictures import jpeg, sheet
from classicface.evaluation.report.svg import standalone_svg
from classicface.evaluation.results import Comparison
from classicface.exceptions import DataFormatError
from classicface.persistence import replacing
from classicface.validation import check_integer

__all__ = ["write_report"]

#: More faces than this side by side make a page that nobody wants to load.
MAX_GALLERY = 24

# All that `images/` may hold.
_PICTURES = (
    *("pareto.svg", "ced.svg", "landmarks.svg", "robustness.svg"),
    *("gallery.jpg", "worst.jpg"),
)

# How many of a method's worst pictures a sheet of Markdown has room for.
_WORST_ON_SHEET = 6


def write_report(comparison: Comparison, folder: str | Path, *, n_gallery: int = 6) -> list[Path]:
    """Write the report of a comparison.

    ``report.html`` is a page by itself, which opens offline; ``report.md`` has the same tables,
    with its pictures in ``images/``; ``results.json``, ``methods.csv``, ``faces.csv`` and
    ``landmarks.csv`` hold the figures. The same comparison gives the same bytes. Pictures of an
    earlier report in the folder that this one lacks are removed.

    Parameters
    ----------
    comparison : Comparison
    folder : path-like
        A folder that exists.
    n_gallery : int, default 6
        How many faces are shown under every method, up to 24. With 0 the report shows no face,
        not even those with the largest errors: for data whose pictures may not be passed on.

    Returns
    -------
    list of Path
        The files, the page first.

    Raises
    ------
    InvalidInputError
        `n_gallery` is out of range.
    DataFormatError
        A file cannot be written; each is whole or as it was.
    """
    n_gallery = check_integer(n_gallery, "n_gallery", 0, MAX_GALLERY)
    folder = Path(folder)
    report = content(comparison, n_gallery)
    figures = json.dumps(comparison.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    files: dict[str, str | bytes] = {
        "report.html": to_html(report),
        "report.md": to_markdown(report),
        "results.json": figures + "\n",
        "methods.csv": spreadsheets.methods_csv(comparison),
        "faces.csv": spreadsheets.faces_csv(comparison),
        "landmarks.csv": spreadsheets.landmarks_csv(comparison),
    }
    for name, chart in report.charts.items():
        files[f"images/{name}.svg"] = standalone_svg(chart.wide, chart.title)
    if report.gallery:
        files["images/gallery.jpg"] = jpeg(sheet(report.gallery, n_gallery))
        files["images/worst.jpg"] = jpeg(sheet(report.worst, _WORST_ON_SHEET))
    try:
        (folder / "images").mkdir(exist_ok=True)
    except OSError as error:
        raise DataFormatError(f"cannot be written: {error.strerror}", folder / "images") from None
    written = [_write(folder / name, data) for name, data in files.items()]
    for name in _PICTURES:
        if f"images/{name}" not in files:  # of an earlier report
            (folder / "images" / name).unlink(missing_ok=True)
    return written


def _write(path: Path, data: str | bytes) -> Path:
    with replacing(path) as partial_path:
        partial_path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    return path
