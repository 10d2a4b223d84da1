"""What the tests of chains share: a first that learns by heart, a second that stays, small sets."""

import sys
import types
from typing import Any

import numpy as np
import pytest

from classicface import registry
from classicface.cascade.ert import ERTFitter
from classicface.chain import ChainFitter
from classicface.data.dataset import LandmarkDataset
from classicface.predictor import LandmarkPredictor
from classicface.refining import RefiningPredictor
from classicface.shape.boxes import box_centers_sides


class ByHeart(LandmarkPredictor):
    """Knows the faces that it was trained on, and their mirror images; others get the mean."""

    def __init__(self, checkpoint: Any = None) -> None:
        self.checkpoint = checkpoint

    def check_params(self) -> None:
        pass

    def _fit(self, images: Any, landmarks: Any, boxes: Any, scheme: Any, progress: Any) -> None:
        assert self.checkpoint is None or len(images) == self.checkpoint
        centers, sides = box_centers_sides(boxes)
        relative = (landmarks - centers[:, None]) / sides[:, None, None]
        self.mean_ = np.nanmean(relative, axis=0).astype(np.float32)
        self.known_ = {}
        for image, points in zip(images, landmarks, strict=True):
            self.known_[image.tobytes()] = points
            width = image.shape[1]
            self.known_[image[:, ::-1].tobytes()] = scheme.mirror_points(points, width)

    def _predict(self, image: Any, boxes: Any) -> Any:
        centers, sides = box_centers_sides(boxes)
        if image.tobytes() in self.known_:
            return np.stack([self.known_[image.tobytes()]] * len(boxes))
        return (self.mean_ * sides[:, None, None] + centers[:, None]).astype(np.float32)

    def _state(self) -> Any:
        return {}, {"mean": self.mean_}

    def _restore(self, header: Any, tensors: Any) -> None:
        self.mean_, self.known_ = tensors["mean"], {}


class Stays(RefiningPredictor):
    """Returns the points that it is given, and keeps those of training."""

    def check_params(self) -> None:
        pass

    def _fit(self, images: Any, landmarks: Any, boxes: Any, scheme: Any, progress: Any) -> None:
        raise AssertionError("a second is trained from starts")

    def _fit_from(
        self, images: Any, landmarks: Any, boxes: Any, scheme: Any, progress: Any, starts: Any
    ) -> None:
        self.starts_ = starts
        progress(1.0, "done")

    def _predict(self, image: Any, boxes: Any) -> Any:
        raise AssertionError("a second starts from points")

    def _refine(self, image: Any, starts: Any) -> Any:
        return starts.copy()

    def _state(self) -> Any:
        return {}, {"starts": self.starts_}

    def _restore(self, header: Any, tensors: Any) -> None:
        self.starts_ = tensors["starts"]


@pytest.fixture(autouse=True)
def known_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the classes of these tests."""
    module = types.ModuleType("parts_of_the_tests")
    for cls in (ByHeart, Stays):
        setattr(module, cls.__name__, cls)
        monkeypatch.setitem(registry.CLASSES, cls.__name__, f"{module.__name__}:{cls.__name__}")
    monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture(scope="session")
def few(faces: LandmarkDataset) -> LandmarkDataset:
    """Return ten drawn faces."""
    return faces.subset(range(10))


@pytest.fixture(scope="session")
def trees() -> Any:
    """Return what makes an unfitted small cascade."""

    def make(**changes: Any) -> ERTFitter:
        small = {"n_stages": 2, "n_trees": 10, "depth": 3, "oversampling": 4, "n_pixels": 60}
        few = {"n_candidates": 8, "n_starts": 1, "flip": False, "random_state": 0, "n_jobs": 1}
        return ERTFitter(**{**small, **few, **changes})

    return make


@pytest.fixture(scope="session")
def by_heart() -> type[ByHeart]:
    """Return the class of firsts that learn by heart."""
    return ByHeart


@pytest.fixture(scope="session")
def stub() -> Any:
    """Return what makes a chain of the two classes of these tests."""

    def make(**changes: Any) -> ChainFitter:
        chosen = {"oversampling": 3, "noise": 0.0, "random_state": 0, "n_jobs": 1, **changes}
        return ChainFitter(chosen.pop("first", ByHeart()), chosen.pop("second", Stays()), **chosen)

    return make
