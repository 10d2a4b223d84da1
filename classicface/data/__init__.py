"""Reading, writing, checking and making annotated faces; the names are imported when used.

`classicface.data.convert` and `classicface.data.validate` are modules, with a function each.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classicface.data.arrays import read_npz, write_npz
    from classicface.data.boxes_csv import read_boxes
    from classicface.data.csv_table import read_csv, write_csv
    from classicface.data.dataset import LandmarkDataset, load_dataset
    from classicface.data.dlib_xml import read_dlib_xml, write_dlib_xml
    from classicface.data.faults import Fault
    from classicface.data.pts import read_pts, write_pts
    from classicface.data.synthetic import synthetic_faces

_HOMES = {
    "Fault": "faults",
    "LandmarkDataset": "dataset",
    "load_dataset": "dataset",
    "read_boxes": "boxes_csv",
    "read_csv": "csv_table",
    "read_dlib_xml": "dlib_xml",
    "read_npz": "arrays",
    "read_pts": "pts",
    "synthetic_faces": "synthetic",
    "write_csv": "csv_table",
    "write_dlib_xml": "dlib_xml",
    "write_npz": "arrays",
    "write_pts": "pts",
}

__all__ = [
    "Fault",
    "LandmarkDataset",
    "load_dataset",
    "read_boxes",
    "read_csv",
    "read_dlib_xml",
    "read_npz",
    "read_pts",
    "synthetic_faces",
    "write_csv",
    "write_dlib_xml",
    "write_npz",
    "write_pts",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
