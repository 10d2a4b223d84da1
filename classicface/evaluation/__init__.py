"""Accuracy, speed, memory and robustness of predictors, one by one or side by side."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classicface.evaluation.comparison import QUICK, compare
    from classicface.evaluation.methods import Method, load_methods, train_methods
    from classicface.evaluation.report import write_report
    from classicface.evaluation.results import Comparison

#: Public name -> the module that holds it.
_HOMES = {
    "QUICK": "comparison",
    "Comparison": "results",
    "Method": "methods",
    "compare": "comparison",
    "load_methods": "methods",
    "train_methods": "methods",
    "write_report": "report",
}

__all__ = [
    "QUICK",
    "Comparison",
    "Method",
    "compare",
    "load_methods",
    "train_methods",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
