"""dlib as a peer: the same points as dlib itself, training, options, bad files."""

import sys

import numpy as np
import pytest

from classicface.exceptions import (
    DataFormatError,
    InvalidInputError,
    MissingDependencyError,
    ModelFormatError,
)
from classicface.peers import dlib_predictor, load_peer, train_dlib
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import IDENTITY

dlib = pytest.importorskip("dlib")

SMALL = {
    "cascade_depth": 2,
    "num_trees_per_cascade_level": 5,
    "feature_pool_size": 30,
    "tree_depth": 2,
    "oversampling_amount": 2,
}


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    path = tmp_path_factory.mktemp("dlib") / "face.dat"
    return train_dlib(faces, path, n_jobs=1, **SMALL)


def test_it_tells_what_it_is(trained):
    [path] = trained.files
    assert trained.scheme_.name == "ibug68"
    assert trained.library == f"dlib {dlib.__version__}"
    assert trained.size_bytes == path.stat().st_size
    assert trained.box_map is BOX_MAPS["hog"]
    again = load_peer(trained.spec)
    assert again.spec == trained.spec == f"dlib:{path}"


def test_the_points_are_those_of_dlib(trained, faces):
    model = dlib.shape_predictor(str(trained.files[0]))
    boxes = np.rint(BOX_MAPS["hog"].invert(faces.boxes)).astype(int)
    found = trained.predict_many(faces.images, faces.boxes, n_jobs=3)
    for image, box, points in zip(faces.images, boxes, found, strict=True):
        parts = model(image, dlib.rectangle(*box.tolist())).parts()
        assert [[p.x, p.y] for p in parts] == points.tolist()
    both = trained.predict(faces.images[0], faces.boxes[:2])
    assert both.shape == (2, 68, 2)
    assert (both[0] == found[0]).all()


def test_other_boxes_and_schemes(trained, faces):
    other = dlib_predictor(trained.files[0], box_map=IDENTITY, scheme="ibug68")
    moved = other.predict(faces.images[0], BOX_MAPS["hog"].invert(faces.boxes[:1]))
    assert (moved == trained.predict(faces.images[0], faces.boxes[:1])).all()
    wrong = dlib_predictor(trained.files[0], scheme="ibug49")
    with pytest.raises(InvalidInputError, match="gave points of shape"):
        wrong.predict(faces.images[0], faces.boxes[0])


class TestTraining:
    def test_seeds(self, faces, tmp_path):
        few = faces.subset(range(10))
        for name, seed in (("a", 0), ("b", 0), ("c", 1)):
            train_dlib(few, tmp_path / name, n_jobs=1, random_state=seed, **SMALL)
        a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
        assert a == b != c

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n_trees": 3}, "no option 'n_trees'; there are be_verbose, cascade_depth"),
            ({"num_threads": 3}, "no option 'num_threads'"),
            ({"tree_depth": "deep"}, "which dlib does not take"),
            ({"nu": 7.0}, "dlib does not train on this"),
            ({"random_state": -1}, "random_state"),
            ({"n_jobs": 0}, "n_jobs"),
        ],
    )
    def test_options(self, options, message, faces, tmp_path):
        with pytest.raises(InvalidInputError, match=message):
            train_dlib(faces, tmp_path / "face.dat", **options)
        assert list(tmp_path.iterdir()) == []

    def test_missing_points_and_folders(self, faces, tmp_path):
        few = faces.subset([0, 1])
        with pytest.raises(DataFormatError, match="cannot be written"):
            train_dlib(few, tmp_path / "nowhere" / "face.dat", **SMALL)
        few.landmarks[0, 3] = np.nan
        with pytest.raises(InvalidInputError, match="missing points are not accepted"):
            train_dlib(few, tmp_path / "face.dat", **SMALL)


class TestFiles:
    @pytest.mark.parametrize("content", [b"", b"hello" * 100, b"\x01\x01" + b"\xff" * 99])
    def test_what_is_no_model(self, content, tmp_path):
        (tmp_path / "face.dat").write_bytes(content)
        with pytest.raises(ModelFormatError, match="no shape predictor of dlib"):
            dlib_predictor(tmp_path / "face.dat")
        with pytest.raises(ModelFormatError, match="no such file"):
            dlib_predictor(tmp_path / "nowhere.dat")

    def test_a_cut_file(self, trained, tmp_path):
        data = trained.files[0].read_bytes()
        (tmp_path / "face.dat").write_bytes(data[: len(data) // 2])
        with pytest.raises(ModelFormatError, match="no shape predictor of dlib"):
            dlib_predictor(tmp_path / "face.dat")

    def test_without_the_package(self, trained, monkeypatch):
        monkeypatch.setitem(sys.modules, "dlib", None)
        with pytest.raises(MissingDependencyError, match=r"classicface\[dlib\]"):
            dlib_predictor(trained.files[0])
