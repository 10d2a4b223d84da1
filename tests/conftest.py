"""What every test shares: few threads, real data where there is some, no clock for hypothesis."""
# ruff: noqa: E402

import os
import sys
import types
from pathlib import Path
from typing import Any

# Before NumPy comes in, which counts the cores once.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
from hypothesis import settings

from classicface import registry
from classicface.data.dataset import LandmarkDataset
from classicface.data.pts import write_pts
from classicface.image.io import write_image
from classicface.predictor import LandmarkPredictor
from classicface.shape.boxes import box_centers_sides

# The first call of a kernel compiles it, so a deadline would only tell the machine's mood.
settings.register_profile("classicface", deadline=None)
settings.load_profile("classicface")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real face data, or skip the test where there is none."""
    folder = Path(os.environ.get("CLASSICFACE_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "300w" / "helen" / "testset").is_dir():
        pytest.skip(f"no face data in {folder}; set CLASSICFACE_DATA to run this test")
    return folder


class MeanShape(LandmarkPredictor):
    """The least predictor that keeps the interface: the mean shape, set into each box."""

    def check_params(self) -> None:
        pass

    def _fit(self, images: Any, landmarks: Any, boxes: Any, scheme: Any, progress: Any) -> None:
        centers, sides = box_centers_sides(boxes)
        shapes = (landmarks - centers[:, None]) / sides[:, None, None]
        self.mean_ = shapes.mean(axis=0).astype(np.float32)
        progress(1.0, "training")

    def _predict(self, image: Any, boxes: Any) -> Any:
        centers, sides = box_centers_sides(boxes)
        return (self.mean_ * sides[:, None, None] + centers[:, None]).astype(np.float32)

    def _state(self) -> Any:
        return {}, {"mean": self.mean_}

    def _restore(self, header: Any, tensors: Any) -> None:
        self.mean_ = tensors["mean"]


@pytest.fixture
def mean_shape(monkeypatch: pytest.MonkeyPatch) -> type[LandmarkPredictor]:
    """Return a predictor class that is registered for the time of one test."""
    module = types.ModuleType("mean_shape_of_the_tests")
    module.MeanShape = MeanShape  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(registry.CLASSES, "MeanShape", f"{module.__name__}:MeanShape")
    return MeanShape


@pytest.fixture(scope="session")
def faces() -> LandmarkDataset:
    """Return 40 drawn faces with 68 points."""
    from classicface.data.synthetic import synthetic_faces

    return synthetic_faces(40, random_state=0)


@pytest.fixture
def mean_model(mean_shape: type[LandmarkPredictor], faces: Any, tmp_path: Path) -> Path:
    """Return the file of a mean shape."""
    predictor = mean_shape().fit(faces)
    predictor.provenance_ = {"terms": "any use"}
    predictor.save(tmp_path / "mean.safetensors")
    return tmp_path / "mean.safetensors"


@pytest.fixture
def face_folder(faces: Any, tmp_path: Path) -> Path:
    """Return a folder of ten drawn faces: pictures and .pts files."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for i in range(10):
        write_image(folder / f"face{i}.png", faces.images[i])
        write_pts(folder / f"face{i}.pts", faces.landmarks[i])
    return folder
