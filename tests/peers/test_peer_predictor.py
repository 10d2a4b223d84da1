"""Outside models behind our interface: what they get, what they may give, what is refused."""

import sys
import types

import numpy as np
import pytest
from sklearn.base import clone

from classicface import get_scheme, peers
from classicface.exceptions import InvalidInputError, MissingDependencyError
from classicface.peers import PeerPredictor, from_callable, is_peer, load_peer
from classicface.peers.base import import_library
from classicface.shape.boxes import BoxMap

BLANK = np.zeros((60, 80), np.uint8)
BOXES = np.float32([[10, 20, 30, 40], [20, 10, 60, 30]])


def corners(image, boxes):
    return np.stack([boxes[:, :2], boxes[:, 2:]], axis=1)


class TestPrediction:
    def test_points_and_what_the_function_gets(self):
        seen = []

        def function(image, boxes):
            seen.append((image, boxes))
            return corners(image, boxes).tolist()

        peer = from_callable(function, "points2")
        colour = np.repeat(BLANK[..., None], 3, axis=2)
        points = peer.predict(colour, BOXES)
        [(image, boxes)] = seen
        assert image.shape == (60, 80)
        assert image.dtype == np.uint8
        assert boxes.dtype == np.float32
        assert boxes.tolist() == [[10, 20, 30, 40], [20, 0, 60, 40]]  # squares
        assert points.dtype == np.float32
        assert points.tolist() == [[[10, 20], [30, 40]], [[20, 0], [60, 40]]]

    def test_its_own_boxes(self):
        box_map = BoxMap(0.0, 0.25, 0.5)
        peer = from_callable(corners, 2, box_map=box_map)
        [[low, high]] = peer.predict(BLANK, BOXES[0])
        assert [*low, *high] == [0, 0, 40, 40]
        assert box_map.apply([*low, *high]).tolist() == [BOXES[0].tolist()]

    def test_no_faces_and_many_pictures(self):
        peer = from_callable(corners, 2)
        assert peer.predict(BLANK, np.zeros((0, 4))).shape == (0, 2, 2)
        many = peer.predict_many([BLANK] * 20, np.repeat(BOXES[:1], 20, axis=0), n_jobs=3)
        assert many.shape == (20, 2, 2)
        assert (many == many[0]).all()

    def test_points_that_are_not_found(self):
        peer = from_callable(lambda image, boxes: np.full((len(boxes), 2, 2), np.nan), 2)
        assert np.isnan(peer.predict(BLANK, BOXES)).all()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (np.zeros((2, 3, 2)), r"shape \(2, 3, 2\); expected \(2, 2, 2\)"),
            (np.zeros((1, 2, 2)), r"shape \(1, 2, 2\)"),
            (np.zeros((2, 2)), r"shape \(2, 2\)"),
            (np.zeros(8), "gave no landmarks"),
            (np.full((2, 2, 2), np.inf), "reach beyond"),
            ([[[0, np.nan], [0, 0]]] * 2, "one coordinate NaN"),
            (None, "gave no landmarks"),
            ("points", "gave no landmarks"),
            ([[1], [2, 3]], "gave no landmarks"),
            (np.zeros((2, 2, 2), complex), "gave no landmarks"),
        ],
    )
    def test_what_is_no_points(self, given, message):
        peer = from_callable(lambda image, boxes: given, 2, name="the other library")
        with pytest.raises(InvalidInputError, match=message) as caught:
            peer.predict(BLANK, BOXES)
        assert "the other library" in str(caught.value)


class TestEstimator:
    def test_it_is_ready_and_tells_what_it_is(self, tmp_path):
        files = (tmp_path / "a.bin", tmp_path / "b.bin")
        for path in files:
            path.write_bytes(b"12345")
        peer = PeerPredictor(corners, "ibug68", library="other 1.2", files=files, spec="other:x")
        assert peer.scheme_ is get_scheme("ibug68")
        assert peer.provenance_ == {"library": "other 1.2", "files": ["a.bin", "b.bin"]}
        assert peer.accuracy_ == {}
        assert peer.size_bytes == 10
        assert from_callable(corners, 2).size_bytes is None
        assert from_callable(corners, 2).library == "corners"

    def test_parameters_and_clone(self):
        peer = from_callable(corners, 2, box_map=BoxMap(0.1, 0.2, 0.9))
        twin = clone(peer)
        assert twin.get_params() == peer.get_params()
        assert (twin.predict(BLANK, BOXES) == peer.predict(BLANK, BOXES)).all()

    def test_it_is_neither_trained_nor_saved(self, faces, tmp_path):
        peer = from_callable(corners, 2, name="other 1.2")
        message = "other 1.2 is not .* here; its own library trains and saves it"
        with pytest.raises(InvalidInputError, match=message):
            peer.fit(faces)
        with pytest.raises(InvalidInputError, match=message):
            peer.save(tmp_path / "model.safetensors")
        with pytest.raises(InvalidInputError, match=message):
            peer._restore({}, {})
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"function": 3}, "expected a function"),
            ({"scheme": "nonsense"}, "unknown landmark scheme"),
            ({"box_map": (0, 0, 1)}, "expected a BoxMap"),
        ],
    )
    def test_bad_parameters(self, parameters, message):
        with pytest.raises(InvalidInputError, match=message):
            PeerPredictor(**{"function": corners, "scheme": 2, **parameters})


class TestSpecs:
    @pytest.fixture
    def module(self, monkeypatch):
        module = types.ModuleType("peers_of_the_tests")
        module.zeros = lambda image, boxes: np.zeros((len(boxes), 68, 2))
        module.peer = from_callable(corners, 2, box_map=BoxMap(0.1, 0.2, 0.9), name="mine")
        module.number = 3
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module

    def test_functions(self, module):
        peer = load_peer("call:peers_of_the_tests:zeros")
        assert peer.scheme_.name == "ibug68"
        assert peer.predict(BLANK, BOXES).shape == (2, 68, 2)
        assert peer.spec == "call:peers_of_the_tests:zeros"

    def test_predictors(self, module):
        peer = load_peer("call:peers_of_the_tests:peer")
        assert (peer.library, peer.box_map) == ("mine", module.peer.box_map)
        assert peer.spec == "call:peers_of_the_tests:peer"
        assert module.peer.spec is None

    @pytest.mark.parametrize(
        "place", ["no_such_module:f", "peers_of_the_tests:f", "peers_of_the_tests", ":f", "..x:f"]
    )
    def test_what_is_not_there(self, module, place):
        with pytest.raises(InvalidInputError, match="expected call:package"):
            load_peer(f"call:{place}")
        with pytest.raises(InvalidInputError, match="expected a function"):
            load_peer("call:peers_of_the_tests:number")

    @pytest.mark.parametrize(
        "spec", ["", "ert68", "dlib", "dlib:", "torch:net.pt", "C:\\face.dat", "a/b.safetensors"]
    )
    def test_unknown_kinds(self, spec):
        assert not is_peer(spec)
        with pytest.raises(InvalidInputError, match="there are dlib:FILE, facemark-lbf:FILE, "):
            load_peer(spec)

    @pytest.mark.parametrize("kind", ["dlib", "facemark-lbf", "facemark-kazemi", "onnx", "call"])
    def test_known_kinds(self, kind):
        assert is_peer(f"{kind}:something")


def test_missing_libraries():
    with pytest.raises(MissingDependencyError, match="a test needs no_such_library: pip install x"):
        import_library("no_such_library", "a test", "pip install x")


def test_public_names():
    for name in peers.__all__:
        assert getattr(peers, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        peers.nonsense  # noqa: B018
