"""Facial landmarks on a CPU: classical methods and small networks under one interface.

The public names are found here; each is imported when it is first used, so that importing the
package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from classicface._version import __version__
from classicface.exceptions import (
    ClassicFaceError,
    DataFormatError,
    InvalidInputError,
    MissingDependencyError,
    ModelFormatError,
    NotFittedError,
)

if TYPE_CHECKING:
    from classicface import metrics
    from classicface.aam.model import AAMFitter
    from classicface.asm.model import ASMFitter
    from classicface.cascade.ert import ERTFitter
    from classicface.chain import ChainFitter
    from classicface.cnn.heatmap_model import HeatmapFitter
    from classicface.cnn.model import CNNFitter
    from classicface.data.dataset import LandmarkDataset, load_dataset
    from classicface.data.synthetic import synthetic_faces
    from classicface.detect import available_detectors, calibrate, get_detector
    from classicface.evaluation.comparison import compare
    from classicface.evaluation.evaluate import evaluate
    from classicface.image.io import list_images, read_image, write_image
    from classicface.landmarker import Landmarker
    from classicface.plotting import draw_landmarks
    from classicface.predictor import LandmarkPredictor
    from classicface.registry import load
    from classicface.shape.boxes import BoxMap, landmark_box
    from classicface.shape.pdm import PointDistributionModel
    from classicface.shape.procrustes import procrustes_analysis
    from classicface.shape.schemes import (
        SCHEMES,
        LandmarkScheme,
        convert_landmarks,
        get_scheme,
    )

#: Public name -> the module that holds it.
_HOMES = {
    "AAMFitter": "classicface.aam.model",
    "ASMFitter": "classicface.asm.model",
    "BoxMap": "classicface.shape.boxes",
    "CNNFitter": "classicface.cnn.model",
    "ChainFitter": "classicface.chain",
    "ERTFitter": "classicface.cascade.ert",
    "HeatmapFitter": "classicface.cnn.heatmap_model",
    "LandmarkDataset": "classicface.data.dataset",
    "LandmarkPredictor": "classicface.predictor",
    "LandmarkScheme": "classicface.shape.schemes",
    "Landmarker": "classicface.landmarker",
    "PointDistributionModel": "classicface.shape.pdm",
    "SCHEMES": "classicface.shape.schemes",
    "available_detectors": "classicface.detect",
    "calibrate": "classicface.detect",
    "compare": "classicface.evaluation.comparison",
    "convert_landmarks": "classicface.shape.schemes",
    "draw_landmarks": "classicface.plotting",
    "evaluate": "classicface.evaluation.evaluate",
    "get_detector": "classicface.detect",
    "get_scheme": "classicface.shape.schemes",
    "landmark_box": "classicface.shape.boxes",
    "list_images": "classicface.image.io",
    "load": "classicface.registry",
    "load_dataset": "classicface.data.dataset",
    "procrustes_analysis": "classicface.shape.procrustes",
    "read_image": "classicface.image.io",
    "synthetic_faces": "classicface.data.synthetic",
    "write_image": "classicface.image.io",
}

__all__ = [
    "SCHEMES",
    "AAMFitter",
    "ASMFitter",
    "BoxMap",
    "CNNFitter",
    "ChainFitter",
    "ClassicFaceError",
    "DataFormatError",
    "ERTFitter",
    "HeatmapFitter",
    "InvalidInputError",
    "LandmarkDataset",
    "LandmarkPredictor",
    "LandmarkScheme",
    "Landmarker",
    "MissingDependencyError",
    "ModelFormatError",
    "NotFittedError",
    "PointDistributionModel",
    "__version__",
    "available_detectors",
    "calibrate",
    "compare",
    "convert_landmarks",
    "draw_landmarks",
    "evaluate",
    "get_detector",
    "get_scheme",
    "landmark_box",
    "list_images",
    "load",
    "load_dataset",
    "metrics",
    "procrustes_analysis",
    "read_image",
    "synthetic_faces",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return importlib.import_module("classicface.metrics")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
