"""ONNX networks as peers: each layout against points by hand, our own exports, bad files."""

import json
import sys

import numpy as np
import pytest

from classicface import CNNFitter, HeatmapFitter, get_scheme
from classicface.exceptions import (
    DataFormatError,
    InvalidInputError,
    MissingDependencyError,
    ModelFormatError,
)
from classicface.image.crop import crop_face, crop_pose
from classicface.peers import load_peer, onnx_predictor

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

FLOAT, BYTES = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8

#: A picture with a face in 20 x 20 pixels; with a margin of 0.5 its crop of 10 pixels takes every
#: fourth pixel, so pixel q of the crop is 4 q + 12 in the picture.
PICTURE = np.random.default_rng(0).integers(0, 256, (90, 90), np.uint8)
BOX = np.float32([20, 20, 40, 40])


def in_picture(points):
    return np.asarray(points) * 4.0 + 12.0


def write(path, shape, nodes, constants, outputs=("points",), dtype=FLOAT, notes=None):
    """Write a network of one input, ``face``."""
    make = onnx.helper
    graph = make.make_graph(
        nodes,
        "test",
        [make.make_tensor_value_info("face", dtype, shape)],
        [make.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    model = make.make_model(graph, ir_version=8, opset_imports=[make.make_opsetid("", 17)])
    for name, value in (notes or {}).items():
        model.metadata_props.add(key=name, value=value)
    path.write_bytes(model.SerializeToString())
    return path


def fixed(path, points, shape=("n", 1, 10, 10), **options):
    """Write a network that gives the same numbers for every face: those, and 0 times its input."""
    node = onnx.helper.make_node
    dtype = options.get("dtype", FLOAT)
    points = np.float32(points)
    nodes = [
        node("Cast", ["face"], ["numbers"], to=FLOAT),
        node("Flatten", ["numbers"], ["flat"]),
        node("ReduceSum", ["flat", "axis"], ["sum"], keepdims=1),
        node("Mul", ["sum", "zero"], ["nothing"]),
        node("Add", ["nothing", "values"], ["rows"]),
        node("Reshape", ["rows", "shape"], ["points"]),
    ]
    constants = {
        "axis": np.int64([1]),
        "zero": np.float32(0),
        "values": points.reshape(1, -1),
        "shape": np.int64([-1, *points.shape]),
    }
    return write(path, shape, nodes, constants, **{"dtype": dtype, **options})


def echo(path, shape, dtype=FLOAT, channels=1):
    """Write a network that gives the first eight numbers of its input for four points."""
    node = onnx.helper.make_node
    nodes = [
        node("Cast", ["face"], ["numbers"], to=FLOAT),
        node("Flatten", ["numbers"], ["flat"]),
        node("Slice", ["flat", "start", "end", "axis"], ["points"]),
    ]
    constants = {"start": np.int64([0]), "end": np.int64([8]), "axis": np.int64([1])}
    return write(path, shape, nodes, constants, dtype=dtype)


def crop(box=BOX, size=10):
    center = (box[:2] + box[2:]) / 2
    return crop_face(PICTURE, crop_pose(center, float(box[2] - box[0]), size, 0.5), size)


PAIRS = [[0.1, 0.2], [0.5, 1.0], [0.9, 0.0]]

#: What the network gives, how it is to be read, and the points in pixels of the crop by hand.
LAYOUTS = {
    "xy in one row": (np.ravel(PAIRS), {}, [[1, 2], [5, 10], [9, 0]]),
    "xy in pairs": (PAIRS, {}, [[1, 2], [5, 10], [9, 0]]),
    "from the edge": (PAIRS, {"offset": -0.5}, [[0.5, 1.5], [4.5, 9.5], [8.5, -0.5]]),
    "offsets": (PAIRS, {"offset": [1, -1]}, [[2, 1], [6, 9], [10, -1]]),
    "xyz": ([[0.1, 0.2, 9], [0.5, 1.0, 9]], {"points": "xyz"}, [[1, 2], [5, 10]]),
    "xxyy": ([0.1, 0.5, 0.9, 0.2, 1.0, 0.0], {"points": "xxyy"}, [[1, 2], [5, 10], [9, 0]]),
    "symmetric": ([[-1, 0], [1, 0.5]], {"range": "symmetric"}, [[0, 5], [10, 7.5]]),
    "pixels": ([[3, 4], [7.5, 1]], {"range": "pixels"}, [[3, 4], [7.5, 1]]),
}


class TestOutputs:
    @pytest.mark.parametrize("name", LAYOUTS)
    def test_coordinates(self, name, tmp_path):
        given, parameters, expected = LAYOUTS[name]
        peer = onnx_predictor(fixed(tmp_path / "net.onnx", given), margin=0.5, **parameters)
        assert peer.scheme_.name == f"points{len(expected)}"
        points = peer.predict(PICTURE, [BOX, BOX + 8])
        np.testing.assert_allclose(points[0], in_picture(expected), atol=1e-4)
        np.testing.assert_allclose(points[1], points[0] + 8, atol=1e-4)

    @pytest.mark.parametrize("layout", ["nchw", "nhwc"])
    def test_heatmaps(self, layout, tmp_path):
        maps = np.zeros((4, 5, 5))
        maps[0, 2, 3], maps[0, 2, 2], maps[0, 3, 3] = 9, 1, 2  # x to the left, y down
        maps[1, 0, 4] = maps[2, 4, 0] = 5  # at the rim: not moved
        maps[3] = -1
        maps[3, 1, 1] = 0
        if layout == "nhwc":
            maps = maps.transpose(1, 2, 0)
        shape = ("n", 1, 10, 10) if layout == "nchw" else ("n", 10, 10, 1)
        path = fixed(tmp_path / "net.onnx", maps, shape)
        peer = onnx_predictor(path, margin=0.5, points="heatmaps")
        in_map = np.array([[2.75, 2.25], [4, 0], [0, 4], [1, 1]])
        expected = in_picture((in_map + 0.5) * 2 - 0.5)
        np.testing.assert_allclose(peer.predict(PICTURE, BOX)[0], expected, atol=1e-4)

    def test_one_of_several(self, tmp_path):
        node = onnx.helper.make_node
        nodes = [
            node("Flatten", ["face"], ["flat"]),
            node("Slice", ["flat", "zero", "two", "one"], ["a"]),
            node("Slice", ["flat", "two", "six", "one"], ["b"]),
        ]
        numbers = {"zero": 0, "one": 1, "two": 2, "six": 6}
        constants = {name: np.int64([number]) for name, number in numbers.items()}
        path = write(tmp_path / "net.onnx", ("n", 1, 10, 10), nodes, constants, ("a", "b"))
        for output, n in ((None, 1), (0, 1), (1, 2), ("a", 1), ("b", 2)):
            assert onnx_predictor(path, margin=0.5, output=output).scheme_.n_landmarks == n
        for output in (2, -1, "c", True):
            with pytest.raises(InvalidInputError, match="output"):
                onnx_predictor(path, margin=0.5, output=output)

    @pytest.mark.parametrize(
        ("given", "parameters", "message"),
        [
            (np.zeros(5), {}, r"output points: shape \(1, 5\); expected 2 numbers a landmark"),
            (np.zeros(4), {"points": "xyz"}, "expected 3 numbers a landmark"),
            (np.zeros(4), {"points": "heatmaps"}, "expected one map a landmark"),
            (np.zeros(4), {"scheme": "ibug68"}, "gives 2 points, scheme ibug68 has 68"),
        ],
    )
    def test_what_does_not_fit(self, given, parameters, message, tmp_path):
        path = fixed(tmp_path / "net.onnx", given)
        with pytest.raises(InvalidInputError, match=message):
            onnx_predictor(path, margin=0.5, **parameters)

    @pytest.mark.parametrize("number", [np.inf, np.nan])
    def test_what_is_not_finite_was_not_found(self, number, tmp_path):
        path = fixed(tmp_path / "net.onnx", [number, 0.0, 0.1, 0.2])
        points = onnx_predictor(path, margin=0.5).predict(PICTURE, BOX)[0]
        assert np.isnan(points[0]).all()
        np.testing.assert_allclose(points[1], in_picture([1, 2]), atol=1e-4)


class TestInputs:
    """What the network sees, told by its first numbers."""

    def seen(self, path, **parameters):
        peer = onnx_predictor(path, margin=0.5, range="pixels", **parameters)
        return ((peer.predict(PICTURE, [BOX, BOX + 8]) - 12) / 4 - [[[0, 0]], [[2, 2]]]).reshape(
            2, -1
        )

    @pytest.mark.parametrize("dtype", [FLOAT, BYTES, onnx.TensorProto.DOUBLE])
    @pytest.mark.parametrize("shape", [("n", 10, 10), ("n", 1, 10, 10), ("n", 10, 10, 1)])
    def test_grey_pictures(self, shape, dtype, tmp_path):
        seen = self.seen(echo(tmp_path / "net.onnx", shape, dtype))
        np.testing.assert_allclose(seen[0], crop()[0, :8], atol=1e-3)
        np.testing.assert_allclose(seen[1], crop(BOX + 8)[0, :8], atol=1e-3)

    def test_three_channels(self, tmp_path):
        seen = self.seen(echo(tmp_path / "a.onnx", ("n", 3, 10, 10)), mean=[1, 2, 3], std=2)
        np.testing.assert_allclose(seen[0], (crop()[0, :8] - 1.0) / 2, atol=1e-3)
        path = echo(tmp_path / "b.onnx", ("n", 10, 10, 3))
        seen = self.seen(path, mean=[1, 2, 3], std=[1, 2, 4])
        grey = crop()[0, [0, 0, 0, 1, 1, 1, 2, 2]].astype(float)
        expected = (grey - [1, 2, 3, 1, 2, 3, 1, 2]) / [1, 2, 4, 1, 2, 4, 1, 2]
        np.testing.assert_allclose(seen[0], expected, atol=1e-3)

    def test_one_face_at_a_time(self, tmp_path):
        seen = self.seen(echo(tmp_path / "net.onnx", (1, 1, 10, 10)))
        np.testing.assert_allclose(seen[1], crop(BOX + 8)[0, :8], atol=1e-3)

    def test_sizes_that_the_network_does_not_tell(self, tmp_path):
        path = echo(tmp_path / "net.onnx", ("n", "c", "h", "w"))
        seen = self.seen(path, input_size=10, channels=1)
        np.testing.assert_allclose(seen[0], crop()[0, :8], atol=1e-3)
        with pytest.raises(InvalidInputError, match="channels"):
            onnx_predictor(path, margin=0.5, input_size=10)
        with pytest.raises(InvalidInputError, match="input_size"):
            onnx_predictor(path, margin=0.5, channels=1)

    def test_layout(self, tmp_path):
        path = echo(tmp_path / "net.onnx", ("n", "h", "w", "c"))
        seen = self.seen(path, input_size=10, channels=3, layout="nhwc")
        np.testing.assert_allclose(seen[0], crop()[0, [0, 0, 0, 1, 1, 1, 2, 2]], atol=1e-3)

    def test_box_maps(self, tmp_path):
        path = echo(tmp_path / "net.onnx", ("n", 1, 10, 10))
        peer = onnx_predictor(path, margin=0.5, range="pixels", box_map=[0.1, -0.2, 2.0])
        points = peer.predict(PICTURE, [10, 10, 50, 50])
        crop_there = crop(np.float32([18, 24, 38, 44]))
        in_crop = (points[0] - [10, 16]) / 4
        np.testing.assert_allclose(in_crop.ravel(), crop_there[0, :8], atol=1e-3)
        assert onnx_predictor(path, margin=0.5, box_map="hog").box_map.scale == 0.986

    @pytest.mark.parametrize(
        ("shape", "dtype", "parameters", "message"),
        [
            (("n", 1, 10, 12), FLOAT, {}, "input_size"),
            (("n", 1, 100_000, 100_000), FLOAT, {}, "input_size"),
            (("n", 1, 10, 10), FLOAT, {"input_size": 12}, "input_size"),
            (("n", 1, 10, 10), FLOAT, {"channels": 3}, "channels"),
            (("n", 4, 10, 10), FLOAT, {}, "4 channels; expected 1 or 3"),
            ((2, 1, 10, 10), FLOAT, {}, "takes 2 faces at once"),
            (("n", 100), FLOAT, {}, "expected pictures"),
            (("n", 10, 10), onnx.TensorProto.INT64, {}, "expected pictures"),
            (("n", 1, 10, 10), FLOAT, {"mean": [1, 2, 3]}, "more numbers than"),
            (("n", 10, 10), BYTES, {"mean": 1}, "takes bytes"),
            (("n", 10, 10), BYTES, {"std": 255}, "takes bytes"),
        ],
    )
    def test_what_does_not_fit(self, shape, dtype, parameters, message, tmp_path):
        path = echo(tmp_path / "net.onnx", shape, dtype)
        with pytest.raises(InvalidInputError, match=message):
            onnx_predictor(path, margin=0.5, **parameters)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"margin": None}, "does not tell its margin"),
            ({"margin": -1}, "margin"),
            ({"input_size": 0}, "input_size"),
            ({"channels": 5}, "channels"),
            ({"layout": "hwcn"}, "there are nchw, nhwc"),
            ({"points": "yx"}, "there are xy, xyz, xxyy, heatmaps"),
            ({"range": "percent"}, "there are unit, symmetric, pixels"),
            ({"mean": [1, 2]}, "expected 1 or 3"),
            ({"std": 0}, "std"),
            ({"offset": [1, 2, 3]}, "expected 1 or 2"),
            ({"offset": "one"}, "offset"),
            ({"scheme": "nonsense"}, "unknown landmark scheme"),
            ({"scheme": {"name": "x"}}, "no entry n_landmarks"),
            ({"box_map": "nonsense"}, "there are landmarks, hog"),
            ({"box_map": 3}, "shift_x, shift_y, scale"),
            ({"box_map": [0, 0, 0]}, "scale of box_map"),
            ({"n_threads": 0}, "n_threads"),
            ({"color": "rgb"}, "no parameter 'color'; there are input_size"),
        ],
    )
    def test_bad_parameters(self, parameters, message, tmp_path):
        path = echo(tmp_path / "net.onnx", ("n", 1, 10, 10))
        with pytest.raises(InvalidInputError, match=message):
            onnx_predictor(path, **{"margin": 0.5, **parameters})


class TestSidecar:
    def write(self, folder, content):
        path = fixed(folder / "net.onnx", [0.1, 0.5, 0.2, 1.0])
        (folder / "net.json").write_text(content)
        return path

    def test_it_says_how_to_read_the_network(self, tmp_path):
        scheme = {"name": "pair", "n_landmarks": 2}
        content = {"margin": 0.5, "points": "xxyy", "offset": [0, 1], "scheme": scheme}
        path = self.write(tmp_path, json.dumps(content))
        peer = load_peer(f"onnx:{path}")
        assert peer.scheme_.name == "pair"
        assert peer.spec == f"onnx:{path}"
        np.testing.assert_allclose(
            peer.predict(PICTURE, BOX)[0], in_picture([[1, 3], [5, 11]]), atol=1e-4
        )

    def test_parameters_go_first(self, tmp_path):
        path = self.write(tmp_path, '{"margin": 0.1, "points": "xxyy"}')
        peer = onnx_predictor(path, margin=0.5, points="xy")
        np.testing.assert_allclose(
            peer.predict(PICTURE, BOX)[0], in_picture([[1, 5], [2, 10]]), atol=1e-4
        )

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('{"margin": 0.5, "colour": 1}', r"net\.json: no parameter 'colour'; there are"),
            ("{margin", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("[1]", "expected names with values"),
            (" " * (1 << 20) + "{}", "larger than 1 MiB"),
        ],
    )
    def test_faults(self, content, message, tmp_path):
        with pytest.raises(DataFormatError, match=message):
            onnx_predictor(self.write(tmp_path, content))

    def test_values_out_of_range(self, tmp_path):
        with pytest.raises(InvalidInputError, match=r"net\.onnx: margin is 'wide'"):
            onnx_predictor(self.write(tmp_path, '{"margin": "wide"}'))


class TestOurExports:
    """A network that this library exported runs without a parameter."""

    @pytest.mark.parametrize("cls", [CNNFitter, HeatmapFitter])
    def test_agreement(self, cls, faces, tmp_path):
        fitter = cls(input_size=32, epochs=2, n_passes=1, random_state=0).fit(faces)
        fitter.to_onnx(tmp_path / "net.onnx")
        peer = onnx_predictor(tmp_path / "net.onnx")
        assert peer.scheme_ == get_scheme("ibug68")
        expected = fitter.predict_many(faces.images, faces.boxes)
        found = peer.predict_many(faces.images, faces.boxes, n_jobs=3)
        np.testing.assert_allclose(found, expected, atol=0.02)
        both = peer.predict(faces.images[0], faces.boxes[:2])
        np.testing.assert_allclose(
            both, fitter.predict(faces.images[0], faces.boxes[:2]), atol=0.02
        )

    def test_notes_of_others_are_not_read(self, tmp_path):
        notes = {"library": "other", "margin": "0.5"}
        path = fixed(tmp_path / "net.onnx", [0.1, 0.5], notes=notes)
        with pytest.raises(InvalidInputError, match="does not tell its margin"):
            onnx_predictor(path)
        notes["library"] = "classicface 0.1"
        fixed(path, [0.1, 0.5], notes=notes)
        np.testing.assert_allclose(onnx_predictor(path).predict(PICTURE, BOX), [[[16, 32]]])


class TestFiles:
    @pytest.mark.parametrize("content", [b"", b"hello" * 100])
    def test_what_is_no_network(self, content, tmp_path, capfd):
        path = tmp_path / "net.onnx"
        path.write_bytes(content)
        with pytest.raises(ModelFormatError, match="no network of ONNX"):
            onnx_predictor(path, margin=0.5)
        with pytest.raises(ModelFormatError, match="no such file"):
            onnx_predictor(tmp_path / "nowhere.onnx", margin=0.5)
        assert capfd.readouterr() == ("", "")

    def test_a_cut_file(self, tmp_path):
        path = fixed(tmp_path / "net.onnx", PAIRS)
        path.write_bytes(path.read_bytes()[:-50])
        with pytest.raises(ModelFormatError, match="no network of ONNX"):
            onnx_predictor(path, margin=0.5)

    def test_no_other_file_is_read(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "weights.bin").write_bytes(np.float32([[0.5, 0.5]]).tobytes())
        path = fixed(tmp_path / "net.onnx", [0.5, 0.5])
        model = onnx.load(path)
        [values] = [c for c in model.graph.initializer if c.name == "values"]
        values.ClearField("raw_data")
        values.data_location = onnx.TensorProto.EXTERNAL
        values.external_data.add(key="location", value="weights.bin")
        path.write_bytes(model.SerializeToString())
        with pytest.raises(ModelFormatError, match="no network of ONNX"):
            onnx_predictor(path, margin=0.5)

    def test_a_network_that_fails(self, tmp_path, capfd):
        node = onnx.helper.make_node
        nodes = [node("Reshape", ["face", "shape"], ["points"])]
        path = write(tmp_path / "net.onnx", ("n", 1, 10, 10), nodes, {"shape": np.int64([1, 7])})
        with pytest.raises(ModelFormatError, match="the network fails"):
            onnx_predictor(path, margin=0.5)
        assert capfd.readouterr() == ("", "")

    def test_without_the_package(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(MissingDependencyError, match=r"classicface\[onnx\]"):
            onnx_predictor(tmp_path / "net.onnx")
