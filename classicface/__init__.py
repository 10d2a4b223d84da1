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
    from classicface.apps.align import align_face, align_faces, frontalize
    from classicface.apps.drowsiness import DrowsinessMonitor
    from classicface.apps.expression import measure_expression
    from classicface.apps.makeup import Makeup, apply_makeup
    from classicface.apps.pose import head_pose
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
    from classicface.video import VideoWriter, open_video

#: Public name -> the module that holds it.
_HOMES = {
    "AAMFitter": "classicface.aam.model",
    "ASMFitter": "classicface.asm.model",
    "BoxMap": "classicface.shape.boxes",
    "CNNFitter": "classicface.cnn.model",
    "ChainFitter": "classicface.chain",
    "DrowsinessMonitor": "classicface.apps.drowsiness",
    "ERTFitter": "classicface.cascade.ert",
    "HeatmapFitter": "classicface.cnn.heatmap_model",
    "LandmarkDataset": "classicface.data.dataset",
    "LandmarkPredictor": "classicface.predictor",
    "LandmarkScheme": "classicface.shape.schemes",
    "Landmarker": "classicface.landmarker",
    "Makeup": "classicface.apps.makeup",
    "PointDistributionModel": "classicface.shape.pdm",
    "SCHEMES": "classicface.shape.schemes",
    "VideoWriter": "classicface.video",
    "align_face": "classicface.apps.align",
    "align_faces": "classicface.apps.align",
    "apply_makeup": "classicface.apps.makeup",
    "available_detectors": "classicface.detect",
    "calibrate": "classicface.detect",
    "compare": "classicface.evaluation.comparison",
    "convert_landmarks": "classicface.shape.schemes",
    "draw_landmarks": "classicface.plotting",
    "evaluate": "classicface.evaluation.evaluate",
    "frontalize": "classicface.apps.align",
    "get_detector": "classicface.detect",
    "get_scheme": "classicface.shape.schemes",
    "head_pose": "classicface.apps.pose",
    "landmark_box": "classicface.shape.boxes",
    "list_images": "classicface.image.io",
    "load": "classicface.registry",
    "load_dataset": "classicface.data.dataset",
    "measure_expression": "classicface.apps.expression",
    "open_video": "classicface.video",
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
    "DrowsinessMonitor",
    "ERTFitter",
    "HeatmapFitter",
    "InvalidInputError",
    "LandmarkDataset",
    "LandmarkPredictor",
    "LandmarkScheme",
    "Landmarker",
    "Makeup",
    "MissingDependencyError",
    "ModelFormatError",
    "NotFittedError",
    "PointDistributionModel",
    "VideoWriter",
    "__version__",
    "align_face",
    "align_faces",
    "apply_makeup",
    "available_detectors",
    "calibrate",
    "compare",
    "convert_landmarks",
    "draw_landmarks",
    "evaluate",
    "frontalize",
    "get_detector",
    "get_scheme",
    "head_pose",
    "landmark_box",
    "list_images",
    "load",
    "load_dataset",
    "measure_expression",
    "metrics",
    "open_video",
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
