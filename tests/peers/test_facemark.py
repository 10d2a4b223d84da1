"""Facemark as a peer, with a stand-in for OpenCV's contrib modules, which few have."""

import struct
import threading
import time
import types

import cv2
import numpy as np
import pytest

from classicface.exceptions import InvalidInputError, MissingDependencyError, ModelFormatError
from classicface.peers import facemark_predictor, load_peer
from classicface.shape.boxes import IDENTITY, BoxMap

BLANK = np.zeros((60, 80), np.uint8)
BOX = np.float32([10, 20, 30, 40])
MEAN = np.float32([[-10, -6], [10, -6], [0, 14]])


class Model:
    """Three points of each box, or of an appearance model at the middle; it remembers its box."""

    def __init__(self, kind):
        self.kind = kind
        self.calls = []
        self.silent = False
        self.box = None

    def read(self, node):
        self.silent = not node.getNode("verbose").real()

    def loadModel(self, path):  # noqa: N802
        if "bad" in path:
            raise cv2.error("no model")
        assert self.silent or self.kind != "lbf"

    def fit(self, image, boxes):
        self.calls.append((image, boxes))
        faces = []
        for box in boxes:
            self.box = box
            time.sleep(1e-4)
            x, y, width, height = self.box.tolist()
            if self.kind == "aam":
                points = MEAN + np.float32(image.shape[::-1]) / 2
            else:
                points = np.float32([[x, y], [x + width, y], [x, y + height]])
            faces.append(points[None])
        return len(faces) > 0 and boxes[0, 0] != 7, tuple(faces)


@pytest.fixture
def models(monkeypatch):
    """Give OpenCV a stand-in for its contrib modules; return the models that it makes."""
    made = []

    def maker(kind):
        def make():
            made.append(Model(kind))
            return made[-1]

        return make

    kinds = {"LBF": "lbf", "Kazemi": "kazemi", "AAM": "aam"}
    functions = {f"createFacemark{name}": maker(kind) for name, kind in kinds.items()}
    monkeypatch.setattr(cv2, "face", types.SimpleNamespace(**functions), raising=False)
    return made


def entry(name, number):
    return struct.pack(f"<Q{len(name)}sQ", len(name), name, number)


CONTENTS = {
    "lbf": b"%YAML:1.0\n---\nstages_n: 5\nn_landmarks: 3\n",
    "kazemi": entry(b"cascade_depth", 2)
    + entry(b"pixel_coordinates", 3)
    + bytes(48)
    + entry(b"mean_shape", 3),
    "aam": b"%YAML:1.0\n---\ns0: [ -10., -6., 10., -6., 0., 14. ]\n",
}


@pytest.fixture
def files(tmp_path):
    paths = {kind: tmp_path / f"{kind}.yaml" for kind in CONTENTS}
    for kind, path in paths.items():
        path.write_bytes(CONTENTS[kind])
    return paths


class TestBoxes:
    @pytest.mark.parametrize("kind", ["lbf", "kazemi"])
    def test_points(self, kind, models, files):
        peer = facemark_predictor(files[kind], kind, scheme=3, box_map=IDENTITY)
        points = peer.predict(BLANK, [BOX + 0.3, BOX + 2])
        assert points.tolist() == [
            [[10, 20], [30, 20], [10, 40]],
            [[12, 22], [32, 22], [12, 42]],
        ]
        [(image, boxes)] = models[0].calls
        assert image.shape == ((60, 80) if kind == "lbf" else (60, 80, 3))
        assert boxes.dtype == np.int32
        assert peer.size_bytes == files[kind].stat().st_size
        assert peer.library == f"Facemark {kind} of OpenCV {cv2.__version__}"

    def test_its_own_boxes(self, models, files):
        peer = facemark_predictor(files["lbf"], scheme=3, box_map=BoxMap(0, 0.25, 0.5))
        assert peer.predict(BLANK, BOX)[0].tolist() == [[0, 0], [40, 0], [0, 40]]

    def test_faces_that_are_not_found(self, models, files):
        peer = facemark_predictor(files["lbf"], scheme=3, box_map=IDENTITY)
        assert np.isnan(peer.predict(BLANK, [7, 20, 27, 40])).all()

    def test_threads_do_not_share_a_model(self, models, files):
        peer = facemark_predictor(files["lbf"], scheme=3, box_map=IDENTITY)
        boxes = BOX + np.arange(200)[:, None] % 20
        alone = peer.predict_many([BLANK] * 200, boxes, n_jobs=1)
        assert len(models) == 1
        assert (peer.predict_many([BLANK] * 200, boxes, n_jobs=4) == alone).all()
        assert 1 <= len(models) <= 4
        threads = threading.active_count()
        peer.predict_many([BLANK] * 200, boxes, n_jobs=2)
        assert len(models) <= 4
        assert threading.active_count() == threads


class TestAppearance:
    def test_it_starts_from_the_box(self, models, files):
        """The stand-in gives its mean shape; its box, 20 x 20, must come out as the face's."""
        peer = facemark_predictor(files["aam"], "aam", scheme=3)
        for box in (BOX, BOX * 1.7, BOX - 15):
            side, corner = box[2] - box[0], box[:2]
            expected = (MEAN + np.float32([10, 6])) / 20 * side + corner
            np.testing.assert_allclose(peer.predict(BLANK, box)[0], expected, atol=1e-3)
        image, boxes = models[0].calls[0]
        assert image.shape == (40, 40)
        assert boxes.tolist() == [[0, 0, 40, 40]]


class TestFiles:
    @pytest.mark.parametrize("kind", CONTENTS)
    @pytest.mark.parametrize("content", [b"", b"hello" * 9, b"\xff" * 99, *CONTENTS.values()])
    def test_what_is_no_model(self, kind, content, models, tmp_path):
        (tmp_path / "model.yaml").write_bytes(content)
        if content is CONTENTS[kind]:
            content = b""
            (tmp_path / "model.yaml").write_bytes(content)
        with pytest.raises(ModelFormatError, match=f"no Facemark model of the kind {kind}"):
            facemark_predictor(tmp_path / "model.yaml", kind, scheme=3)

    @pytest.mark.parametrize("kind", CONTENTS)
    def test_other_numbers_of_points(self, kind, models, files):
        with pytest.raises(ModelFormatError, match="tells 3 points, the scheme has 68"):
            facemark_predictor(files[kind], kind)

    def test_what_opencv_refuses(self, models, files, tmp_path):
        (tmp_path / "bad.yaml").write_bytes(CONTENTS["lbf"])
        with pytest.raises(ModelFormatError, match="no model"):
            facemark_predictor(tmp_path / "bad.yaml", scheme=3)
        with pytest.raises(ModelFormatError, match="no such file"):
            facemark_predictor(tmp_path / "nowhere.yaml", scheme=3)
        with pytest.raises(InvalidInputError, match="there are lbf, kazemi, aam"):
            facemark_predictor(files["lbf"], "sdm")


def test_specs(models, tmp_path):
    path = tmp_path / "face.yaml"
    path.write_bytes(CONTENTS["lbf"].replace(b": 3", b": 68"))
    peer = load_peer(f"facemark-lbf:{path}")
    assert peer.spec == f"facemark-lbf:{path}"
    assert peer.scheme_.name == "ibug68"


def test_without_the_contrib_modules(files, monkeypatch):
    monkeypatch.delattr(cv2, "face", raising=False)
    with pytest.raises(MissingDependencyError, match="pip install opencv-contrib-python"):
        facemark_predictor(files["lbf"], scheme=3)
