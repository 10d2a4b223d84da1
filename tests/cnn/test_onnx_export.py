"""ONNX models: ONNX Runtime against a plain NumPy twin, the heads, what the files tell."""

import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classicface import __version__
from classicface.cnn.bodies import BODIES, regression_graph, unet_graph
from classicface.cnn.graph import INPUT, Graph, Node, initial_state
from classicface.cnn.heatmap import decode_heatmaps
from classicface.cnn.network import Network
from classicface.cnn.onnx_export import Head, export_graph
from classicface.cnn.view import normalise
from classicface.exceptions import DataFormatError, InvalidInputError, MissingDependencyError

COORDINATES = Head("coordinates", 31.0, 15.5)


def random_state(graph, seed=0):
    """Draw weights and statistics, none of which is trivial."""
    rng = np.random.default_rng(seed)
    state = initial_state(graph, rng)
    for name, values in state.items():
        if not name.endswith("weight"):
            state[name] = values + rng.uniform(0.05, 0.3, values.shape).astype(np.float32)
    return state


def windows(x, k, s):
    """Return (n, height, width, channels, k, k)."""
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), (1, 2))[:, ::s, ::s]


def twin_transposed(x, weight, stride):
    n, height, width, _ = x.shape
    k = weight.shape[0]
    pad = (k - stride) // 2
    y = np.zeros((n, height * stride + 2 * pad, width * stride + 2 * pad, weight.shape[3]))
    for i in range(height):
        for j in range(width):
            part = np.einsum("nc,abcd->nabd", x[:, i, j], weight)
            y[:, i * stride : i * stride + k, j * stride : j * stride + k] += part
    return y[:, pad : pad + height * stride, pad : pad + width * stride]


def twin_upsampled(x, stride):
    def along(x, axis):
        size = x.shape[axis]
        place = np.clip((np.arange(size * stride) + 0.5) / stride - 0.5, 0, size - 1)
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, size - 1)
        share = (place - low).reshape([-1 if a == axis else 1 for a in range(4)])
        return x.take(low, axis) * (1 - share) + x.take(high, axis) * share

    return along(along(x, 1), 2)


def twin_layer(node, xs, own):
    x, k, s = xs[0], node.kernel, node.stride
    bias = own.get("bias", 0.0)
    if node.op in ("conv", "depthwise"):
        pad = (k - 1) // 2
        view = windows(np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))), k, s)
        how = "nhwcab,abcd->nhwd" if node.op == "conv" else "nhwcab,abc->nhwc"
        return np.einsum(how, view, own["weight"], optimize=True) + bias
    if node.op == "conv_transpose":
        return twin_transposed(x, own["weight"], s) + bias
    if node.op == "dense":
        return (x.reshape(len(x), -1) @ own["weight"] + bias)[:, None, None]
    if node.op == "batch_norm":
        return (x - own["mean"]) / np.sqrt(own["variance"] + 1e-5) * own["scale"] + own["shift"]
    return {
        "relu": lambda: np.maximum(x, 0),
        "prelu": lambda: np.where(x > 0, x, x * own.get("slope", 0)),
        "max_pool": lambda: windows(x, k, s).max(axis=(4, 5)),
        "average_pool": lambda: windows(x, k, s).mean(axis=(4, 5)),
        "global_pool": lambda: x.mean(axis=(1, 2), keepdims=True),
        "upsample": lambda: twin_upsampled(x, s),
        "concat": lambda: np.concatenate(xs, axis=3),
        "add": lambda: sum(xs),
        "dropout": lambda: x,
    }[node.op]()


def twin(graph, state, x):
    """Compute a network in float64, layer by layer."""
    values = {INPUT: x.astype(np.float64)}
    for node in graph.nodes:
        own = {
            name.rpartition(".")[2]: value.astype(np.float64)
            for name, value in state.items()
            if name.rpartition(".")[0] == node.name
        }
        y = twin_layer(node, [values[name] for name in node.inputs], own)
        values[node.name] = np.maximum(y, 0) if node.relu else y
    return values[graph.nodes[-1].name]


def twin_decoded(logits, radius):
    """Find peaks and local means, map by map."""
    n, _, width, n_maps = logits.shape
    points, confidence = np.empty((n, n_maps, 2)), np.empty((n, n_maps))
    for i in range(n):
        for j in range(n_maps):
            share = np.exp(logits[i, :, :, j] - logits[i, :, :, j].max())
            share /= share.sum()
            row, column = divmod(int(share.argmax()), width)
            top, left = max(row - radius, 0), max(column - radius, 0)
            square = share[top : row + radius + 1, left : column + radius + 1]
            y, x = np.mgrid[top : top + square.shape[0], left : left + square.shape[1]]
            confidence[i, j] = square.sum()
            points[i, j] = (square * x).sum() / square.sum(), (square * y).sum() / square.sum()
    return points, confidence


def crops_of(n, size, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size), np.uint8)


def run(path, crops):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return dict(
        zip(
            [o.name for o in session.get_outputs()], session.run(None, {"crop": crops}), strict=True
        )
    )


def closed(nodes, channels=4):
    """Let layers be followed by a dense one, so that any of them gives coordinates."""
    first = Node("first", "conv", (INPUT,), channels=channels, kernel=3)
    last = Node("last", "dense", (nodes[-1].name,), channels=6)
    return Graph((12, 12, 1), (first, *nodes, last))


def node(op, *inputs, name="x", **options):
    return Node(name, op, inputs or ("first",), **options)


LAYERS = {
    "conv 5x5 stride 2": [node("conv", channels=5, kernel=5, stride=2, bias=True)],
    "conv 1x1": [node("conv", channels=3)],
    "conv even": [node("conv", channels=3, kernel=2, stride=2)],
    "depthwise": [node("depthwise", kernel=3, bias=True)],
    "depthwise stride 2": [node("depthwise", kernel=5, stride=2)],
    "transposed 2": [node("conv_transpose", channels=3, kernel=2, stride=2, bias=True)],
    "transposed 4": [node("conv_transpose", channels=3, kernel=4, stride=2)],
    "transposed by 3": [node("conv_transpose", channels=2, kernel=5, stride=3)],
    "relu": [node("relu")],
    "prelu": [node("prelu")],
    "max_pool": [node("max_pool", kernel=3, stride=2)],
    "average_pool": [node("average_pool", kernel=2, stride=2)],
    "global_pool": [node("global_pool")],
    "upsample": [node("upsample", stride=2)],
    "upsample by 3": [node("upsample", stride=3)],
    "concat": [node("relu", name="r"), node("concat", "r", "first", "r")],
    "add": [node("relu", name="r"), node("add", "r", "first", relu=True)],
    "add three": [node("relu", name="r"), node("add", "r", "first", "first")],
    "dropout": [node("dropout", rate=0.5)],
    "dense and on": [
        *(node("dense", name="d", channels=7), node("batch_norm", "d", name="b", relu=True)),
        *(node("prelu", "b", name="p"), node("conv", "p", channels=5)),
    ],
    "batch_norm in conv": [node("batch_norm", relu=True)],
    "batch_norm in depthwise": [
        node("depthwise", name="d", kernel=3, bias=True),
        node("batch_norm", "d"),
    ],
    "batch_norm in transposed": [
        node("conv_transpose", name="t", channels=3, kernel=4, stride=2, bias=True),
        node("batch_norm", "t", relu=True),
    ],
    "batch_norm alone": [node("batch_norm", name="b"), node("add", "b", "first")],
    "batch_norm twice": [node("batch_norm", name="b", relu=True), node("batch_norm", "b")],
}


class TestLayers:
    @pytest.mark.parametrize("name", LAYERS)
    def test_each_against_its_twin(self, name, tmp_path):
        graph = closed(LAYERS[name])
        state = random_state(graph)
        export_graph(graph, state, tmp_path / "net.onnx", head=COORDINATES, margin=0.3)
        crops = crops_of(3, 12)
        found = run(tmp_path / "net.onnx", crops)["landmarks"]
        raw = twin(graph, state, (crops[..., None] - 127.5) / 64)
        expected = raw.reshape(3, 3, 2) * 31.0 + 15.5
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4 * np.ptp(expected))

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("batch_norm in conv", ["Conv", "Relu"]),
            ("batch_norm in depthwise", ["Conv", "Conv"]),
            ("batch_norm in transposed", ["Conv", "ConvTranspose", "Relu"]),
            ("batch_norm twice", ["Conv", "Relu", "Mul", "Add"]),
            ("relu", ["Conv", "Relu"]),
            ("add", ["Conv", "Relu", "Add", "Relu"]),
            ("dropout", ["Conv"]),
        ],
    )
    def test_layers_are_folded(self, name, expected, tmp_path):
        graph = closed(LAYERS[name])
        state = random_state(graph)
        export_graph(graph, state, tmp_path / "net.onnx", head=COORDINATES, margin=0.3)
        ops = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
        assert ops[:4] == ["Cast", "Sub", "Div", "Unsqueeze"]
        assert ops[4:-6] == expected
        assert ops[-6:] == ["Flatten", "Gemm", "Reshape", "Reshape", "Mul", "Add"]

    def test_an_unknown_layer_is_named(self, tmp_path):
        graph = closed([node("sigmoid")])
        with pytest.raises(InvalidInputError, match="layer x: 'sigmoid' has no form in ONNX"):
            export_graph(
                graph, random_state(graph), tmp_path / "net.onnx", head=COORDINATES, margin=0.3
            )
        assert list(tmp_path.iterdir()) == []


class TestNetworks:
    @pytest.mark.parametrize("body", BODIES)
    def test_bodies(self, body, tmp_path):
        graph = regression_graph(body, 32, 20, 0.5, 2, 0.1)
        state = random_state(graph)
        path = tmp_path / "net.onnx"
        export_graph(graph, state, path, head=COORDINATES, margin=0.3)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        crops = crops_of(4, 32)
        found = run(path, crops)
        raw = twin(graph, state, (crops[..., None] - 127.5) / 64)
        expected = raw.reshape(4, 10, 2) * 31.0 + 15.5
        assert list(found) == ["landmarks"]
        assert found["landmarks"].dtype == np.float32
        np.testing.assert_allclose(found["landmarks"], expected, atol=1e-4 * np.ptp(expected))
        alone = run(path, crops[:1])["landmarks"]
        np.testing.assert_allclose(alone, found["landmarks"][:1], atol=1e-5 * np.ptp(expected))

    @pytest.mark.parametrize("radius", [0, 2, 20])
    def test_unet(self, radius, tmp_path):
        graph = unet_graph(32, 5, widths=(8, 16), head_width=12, depth=1, map_stride=2)
        state = random_state(graph)
        path = tmp_path / "net.onnx"
        head = Head("heatmap", 2.0, 0.5, radius=radius)
        export_graph(graph, state, path, head=head, margin=0.3)
        onnx.checker.check_model(onnx.load(path), full_check=True)
        crops = crops_of(4, 32)
        found = run(path, crops)
        points, confidence = twin_decoded(
            twin(graph, state, (crops[..., None] - 127.5) / 64), radius
        )
        assert found["landmarks"].shape == (4, 5, 2)
        np.testing.assert_allclose(found["landmarks"], points * 2 + 0.5, atol=1e-3)
        np.testing.assert_allclose(found["confidence"], confidence, atol=1e-4)


@pytest.fixture(scope="module")
def decode(tmp_path_factory):
    """Return the head alone: the network hands its input on, so the grey values are the map."""
    graph = Graph((9, 9, 1), (Node("same", "dropout", (INPUT,)),))
    sessions = {}

    def decode(pixels, radius):
        if radius not in sessions:
            path = tmp_path_factory.mktemp("head") / "net.onnx"
            head = Head("heatmap", 4.0, 1.5, radius=radius, mean=0.0, deviation=20.0)
            export_graph(graph, {}, path, head=head, margin=0.0)
            sessions[radius] = onnxruntime.InferenceSession(path)
        return sessions[radius].run(None, {"crop": pixels})

    return decode


class TestHeatmapHead:
    @settings(max_examples=60)
    @given(st.integers(0, 2**32 - 1), st.integers(0, 4), st.integers(0, 255))
    def test_against_the_twin(self, decode, seed, radius, spread):
        pixels = np.random.default_rng(seed).integers(0, spread + 1, (2, 9, 9), np.uint8)
        landmarks, confidence = decode(pixels, radius)
        points, share = twin_decoded(pixels[..., None] / 20.0, radius)
        np.testing.assert_allclose(landmarks, points * 4.0 + 1.5, atol=1e-4)
        np.testing.assert_allclose(confidence, share, rtol=1e-4)

    @pytest.mark.parametrize("place", [(0, 0), (8, 8), (0, 8), (8, 0), (4, 4)])
    def test_a_single_peak(self, decode, place):
        pixels = np.zeros((1, 9, 9), np.uint8)
        pixels[0][place] = 255
        landmarks, confidence = decode(pixels, 1)
        expected = np.array([place[1], place[0]]) * 4 + 1.5
        np.testing.assert_allclose(landmarks[0, 0], expected, atol=1e-3)
        assert confidence[0, 0] > 0.999

    def test_no_faces(self, decode):
        landmarks, confidence = decode(np.zeros((0, 9, 9), np.uint8), 1)
        assert landmarks.shape == (0, 1, 2)
        assert confidence.shape == (0, 1)


class TestAgreement:
    """ONNX Runtime and the library itself, on networks of the sizes that are bundled."""

    @pytest.mark.parametrize("body", BODIES)
    def test_coordinates(self, body, tmp_path):
        graph = regression_graph(body, 64, 136, 1.0, 2, 0.0)
        state = random_state(graph)
        export_graph(graph, state, tmp_path / "net.onnx", head=COORDINATES, margin=0.25)
        crops = crops_of(2, 64)
        raw = Network.build(graph, state).run(normalise(crops)[..., None])
        expected = raw.reshape(2, 68, 2) * 31.0 + 15.5
        found = run(tmp_path / "net.onnx", crops)["landmarks"]
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.ptp(expected))

    def test_heatmaps(self, tmp_path):
        graph = unet_graph(128, 68, widths=(32, 64, 96), head_width=64, depth=1, map_stride=4)
        state = random_state(graph)
        head = Head("heatmap", 4.0, 1.5, radius=2)
        export_graph(graph, state, tmp_path / "net.onnx", head=head, margin=0.25)
        crops = crops_of(2, 128)
        logits = Network.build(graph, state).run(normalise(crops)[..., None])
        points, confidence = decode_heatmaps(logits, 2)
        found = run(tmp_path / "net.onnx", crops)
        np.testing.assert_allclose(found["landmarks"], points * 4 + 1.5, atol=1e-3)
        np.testing.assert_allclose(found["confidence"], confidence, atol=1e-4)


class TestFile:
    def write(self, path, **options):
        graph = closed([node("relu")])
        chosen = {"head": COORDINATES, "margin": 0.25, **options}
        export_graph(graph, random_state(graph), path, **chosen)

    def test_it_tells_what_it_is(self, tmp_path):
        self.write(
            tmp_path / "net.onnx",
            metadata={"scheme": "ibug68", "regions": {"nose": [1, 2]}, "terms": "any use"},
        )
        model = onnx.load(tmp_path / "net.onnx")
        notes = {entry.key: entry.value for entry in model.metadata_props}
        assert notes["scheme"] == "ibug68"
        assert json.loads(notes["regions"]) == {"nose": [1, 2]}
        assert notes["terms"] == "any use"
        assert notes["library"] == f"classicface {__version__}"
        assert (notes["input_size"], notes["margin"]) == ("12", "0.25")
        assert (notes["output"], notes["points"], notes["range"]) == ("landmarks", "xy", "pixels")
        assert "spans 8 pixels" in model.doc_string
        assert "centre at (5.5, 5.5)" in model.doc_string
        [crop] = model.graph.input
        assert crop.type.tensor_type.elem_type == onnx.TensorProto.UINT8

    def test_the_same_bytes_again(self, tmp_path):
        for name, metadata in (("a", {"x": 1, "y": 2}), ("b", {"y": 2, "x": 1})):
            self.write(tmp_path / f"{name}.onnx", metadata=metadata)
        assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()

    def test_other_endings_and_places(self, tmp_path):
        with pytest.raises(DataFormatError, match=r"use \.onnx"):
            self.write(tmp_path / "net.pb")
        with pytest.raises(DataFormatError, match="cannot be written"):
            self.write(tmp_path / "nowhere" / "net.onnx")

    def test_without_the_package(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnx", None)
        with pytest.raises(MissingDependencyError, match=r"classicface\[onnx\]"):
            self.write(tmp_path / "net.onnx")

    @pytest.mark.parametrize("margin", [-0.1, np.nan, 11])
    def test_margins(self, tmp_path, margin):
        with pytest.raises(InvalidInputError, match="margin"):
            self.write(tmp_path / "net.onnx", margin=margin)


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(
        "options",
        [
            {"kind": "points"},
            {"scale": np.nan},
            {"offset": np.inf},
            {"radius": -1},
            {"radius": 1.5},
            {"mean": np.inf},
            {"deviation": 0.0},
        ],
    )
    def test_heads(self, options):
        with pytest.raises(InvalidInputError):
            Head(**{"kind": "heatmap", "scale": 1.0, "offset": 0.0, **options})

    def test_weights(self, tmp_path):
        graph = closed([node("relu")])
        state = random_state(graph)
        path = tmp_path / "net.onnx"
        with pytest.raises(InvalidInputError, match=r"last\.bias .* shape \(2,\), not \(6,\)"):
            wrong = {**state, "last.bias": np.zeros(2, np.float32)}
            export_graph(graph, wrong, path, head=COORDINATES, margin=0.3)
        del state["last.bias"]
        with pytest.raises(InvalidInputError, match=r"last\.bias .* missing"):
            export_graph(graph, state, path, head=COORDINATES, margin=0.3)

    @pytest.mark.parametrize(
        ("shape", "channels", "message"),
        [((8, 9, 1), 4, "a square"), ((8, 8, 3), 4, "one channel"), ((8, 8, 1), 5, "coordinates")],
    )
    def test_shapes(self, shape, channels, message, tmp_path):
        graph = Graph(shape, (Node("last", "dense", (INPUT,), channels=channels),))
        with pytest.raises(InvalidInputError, match=message):
            export_graph(
                graph, random_state(graph), tmp_path / "net.onnx", head=COORDINATES, margin=0.3
            )
        maps = Graph((8, 8, 1), (Node("same", "dropout", (INPUT,)),))
        with pytest.raises(InvalidInputError, match="coordinates"):
            export_graph(maps, {}, tmp_path / "net.onnx", head=COORDINATES, margin=0.3)
