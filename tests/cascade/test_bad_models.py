"""Model files that are damaged or hostile: ModelFormatError at once, and nothing else."""

import json
import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import classicface
from classicface.exceptions import ModelFormatError
from classicface.persistence import read_model, write_model


@pytest.fixture(scope="module")
def model(tiny, few, tmp_path_factory):
    """Return the file of a very small model with five points, and what it holds."""
    points = (45, 42, 36, 39, 33)
    fitter = tiny(n_stages=2, n_trees=3, depth=2, n_pixels=10)
    fitter.fit(few.images, few.landmarks[:, points], few.boxes)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    fitter.save(path)
    return path


@pytest.fixture(scope="module")
def content(model):
    return read_model(model)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "damaged.safetensors"


def refused(path, message="damaged"):
    """Load a file, which must fail soon and in little memory."""
    tracemalloc.start()
    start = time.monotonic()
    try:
        with pytest.raises(ModelFormatError, match=rf"damaged\.safetensors: .*{message}") as caught:
            classicface.load(path)
        assert time.monotonic() - start < 2
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000


def same(loaded, content):
    header, tensors = loaded._state()
    assert header["train_error"] == content[0]["train_error"]
    assert loaded.scheme_.to_dict() == content[0]["scheme"]
    assert tensors.keys() == content[1].keys()
    return all(np.array_equal(array, content[1][name]) for name, array in tensors.items())


def test_the_whole_model_loads(model, content, few):
    loaded = classicface.load(model)
    assert same(loaded, content)
    assert np.isfinite(loaded.predict(few.images[0])).all()


def test_cut_at_every_hundredth_byte(model, path):
    data = model.read_bytes()
    for length in [*range(0, len(data), 100), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ModelFormatError):
            classicface.load(path)


def test_every_seventh_byte_flipped(model, content, path):
    """Damage is told, or does no harm (a blank of the padding turned to another)."""
    data = model.read_bytes()
    rng = np.random.default_rng(0)
    n_refused, places = 0, range(0, len(data), 7)
    for i in places:
        flipped = bytearray(data)
        flipped[i] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        try:
            assert same(classicface.load(path), content)
        except ModelFormatError:
            n_refused += 1
    assert n_refused > 0.99 * len(places)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    patches=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=8)), max_size=4),
    tail=st.binary(max_size=8),
)
def test_bytes_overwritten_and_added(model, content, path, patches, tail):
    data = bytearray(model.read_bytes())
    for start, patch in patches:
        start %= len(data)
        data[start : start + len(patch)] = patch
    path.write_bytes(data + tail)
    try:
        assert same(classicface.load(path), content)
    except ModelFormatError:
        assert bytes(data) + tail != model.read_bytes()


BAD_PARAMETERS = [
    *[("face_size", value) for value in (10**9, 0, -80, 80.5, "80", None, [80], 10**4000)],
    *[("n_starts", value) for value in ("x", 0, -1, 26, 10**9, 1.5, None, True, {})],
    *[("margin", value) for value in ("nan", -0.5, 1e9, None, [0.5])],
    *[("depth", value) for value in (0, 64, "4")],
    *[("n_stages", value) for value in (0, 10**12)],
    *[("shift_jitter", value) for value in ("x", -1, 1e300)],
    *[("random_state", value) for value in ("x", -1, [[]], {"a": 1})],
    *[("flip", value) for value in (1, "yes", None)],
    *[("n_jobs", 1), ("checkpoint", "/etc/passwd"), ("time_budget", 1.0)],
    *[("unknown", 1), ("self", 1), ("face_size", "x" * 10**6)],
]


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS, ids=lambda value: str(value)[:20])
def test_parameters_out_of_range_or_of_another_type(content, path, name, value):
    header, tensors = content
    write_model(path, {**header, "params": {**header["params"], name: value}}, tensors)
    refused(path)


@pytest.mark.parametrize("params", [None, [], [1], "n_stages", 3, {"n_stages": {}}], ids=str)
def test_parameters_that_are_none(content, path, params):
    header, tensors = content
    write_model(path, {**header, "params": params}, tensors)
    refused(path)


BAD_ENTRIES = [
    *[("train_error", value) for value in (None, 3, ["x"], [None], [[1]], {"a": 1}, [10**400])],
    *[("scheme", value) for value in (None, [], "dlib5", {}, {"name": "x"}, 5)],
    *[("scheme", {"name": "x", "n_landmarks": n}) for n in (0, -5, 4, 6, 10**9, 5.0, "5", True)],
    ("scheme", {"name": "x", "n_landmarks": 5, "mirror": [1, 2, 3, 4, 0]}),
    ("scheme", {"name": "x", "n_landmarks": 5, "mirror": [0, 1, 2, 3, 10**6]}),
    ("scheme", {"name": "x", "n_landmarks": 5, "more": 1}),
    ("scheme", {"name": "x" * 10**6, "n_landmarks": 5}),
    *[(name, value) for name in ("provenance", "accuracy") for value in (None, 3, "text", [1])],
]


@pytest.mark.parametrize(("name", "value"), BAD_ENTRIES, ids=lambda value: str(value)[:40])
def test_header_entries_of_another_kind(content, path, name, value):
    header, tensors = content
    write_model(path, {**header, name: value}, tensors)
    refused(path)
    write_model(path, {key: entry for key, entry in header.items() if key != name}, tensors)
    refused(path)


def with_text(data, old, new):
    """Replace text in the JSON header of a file, and make its lengths and checksum good."""
    from classicface.persistence import _checksum

    (length,) = struct.unpack("<Q", data[:8])
    entries = json.loads(data[8 : 8 + length])
    text = entries["__metadata__"]["classicface"]
    assert old in text
    text = text.replace(old, new)
    from safetensors.numpy import load

    entries["__metadata__"] = {"classicface": text, "crc32": _checksum(text, load(data))}
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_json_should_not_hold(model, content, path, value):
    margin = json.dumps(content[0]["params"]["margin"])
    path.write_bytes(with_text(model.read_bytes(), f'"margin": {margin}', f'"margin": {value}'))
    refused(path, "margin")


def cut(axis):
    return lambda array: array.take(range(array.shape[axis] - 1), axis)


def first_set_to(value):
    def change(array):
        array = array.copy()
        array[(0,) * array.ndim] = value
        return array

    return change


FLOATS = ["mean_shape", "offsets", "directions", "reach"]
WHOLES = ["anchors", "splits", "leaves"]
BAD_TENSORS = [
    *[(name, "cut", cut(0)) for name in FLOATS + WHOLES],
    *[(name, "cut at the end", cut(-1)) for name in FLOATS + WHOLES if name != "offsets"],
    *[(name, "flat", np.ravel) for name in FLOATS + WHOLES if name != "reach"],
    *[(name, "a scalar", lambda array: array.ravel()[0]) for name in FLOATS + WHOLES],
    *[(name, "empty", lambda array: array[:0]) for name in FLOATS + WHOLES],
    *[(name, "empty inside", lambda array: array[..., :0]) for name in FLOATS + WHOLES],
    *[(name, "float64", lambda array: array.astype(float)) for name in FLOATS + WHOLES],
    *[(name, "bool", lambda array: array.astype(bool)) for name in FLOATS + WHOLES],
    *[(name, str(value), first_set_to(value))
      for name in FLOATS for value in (np.nan, np.inf, -3e38)],
    *[("anchors", str(value), first_set_to(value)) for value in (-1, 5, 32767, -32768)],
    *[("splits", f"pixels {a} and {b}, threshold {t}", first_set_to((t << 20) + (b << 10) + a))
      for a, b in [(10, 0), (0, 10), (1023, 1023)] for t in (-2048, -1, 0, 2047)],
    *[("reach", str(value), first_set_to(value)) for value in (-1e-3, -1e9, 1e11)],
    ("reach", "two", lambda array: np.repeat(array, 2)),
    ("leaves", "one leaf", lambda array: array[:, :, :1]),
    ("leaves", "three leaves", lambda array: array[:, :, :3]),
    ("leaves", "more leaves", lambda array: np.repeat(array, 2, axis=2)),
    ("splits", "more trees", lambda array: np.repeat(array, 2, axis=1)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "what", "change"), BAD_TENSORS, ids=[f"{name}-{what}" for name, what, _ in BAD_TENSORS]
)
def test_tensors_that_do_not_fit(content, path, name, what, change):
    header, tensors = content
    write_model(path, header, {**tensors, name: change(tensors[name])})
    refused(path, "damaged cascade")


def test_trees_of_depth_zero(content, path):
    header, tensors = content
    stumps = {"leaves": tensors["leaves"][:, :, :1], "splits": tensors["splits"][:, :, :0]}
    write_model(path, header, {**tensors, **stumps})
    refused(path, "damaged cascade")


def test_no_stage_no_tree_no_landmark(content, path):
    header, tensors = content
    for empty in (
        {name: array[:0] for name, array in tensors.items() if name != "mean_shape"},
        {name: tensors[name][:, :0] for name in ("splits", "leaves")},
        {name: tensors[name][:, :0] for name in ("anchors", "offsets")},
        {name: tensors[name][..., :0] for name in ("leaves", "directions")},
        {"mean_shape": tensors["mean_shape"][:0], "directions": tensors["directions"][:, :0]},
    ):
        write_model(path, header, {**tensors, **empty})
        refused(path, "damaged cascade")


@pytest.mark.parametrize("n", [10**6, 2**31, 2**62, -1])
def test_huge_claimed_sizes(model, path, n):
    data = model.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    entries = json.loads(data[8 : 8 + length])
    for name in ("leaves", "mean_shape"):
        changed = json.loads(json.dumps(entries))
        changed[name]["shape"][0] = n
        if n < 2**60:
            changed[name]["data_offsets"][1] = changed[name]["data_offsets"][0] + n
        header = json.dumps(changed).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length :])
        refused(path)


def test_another_class_of_the_same_parts(content, path):
    header, tensors = content
    for name in ("ERTFitter checkpoint", "object", "classicface.cascade.ert:ERTFitter", None):
        write_model(path, {**header, "class": name}, tensors)
        refused(path, "holds a model of class")


def random_splits(rng, shape):
    """Return packed splits of any threshold on 10 pixels."""
    a, b = rng.integers(0, 10, (2, *shape))
    return (rng.integers(-2048, 2048, shape) * 2**20 + b * 2**10 + a).astype(np.int32)


def test_a_model_that_passes_every_check_cannot_crash_prediction(content, path, few):
    """Any steps and offsets: the result may be nonsense, the process lives."""
    header, tensors = content
    rng = np.random.default_rng(0)
    for _ in range(20):
        wild = {
            "offsets": (rng.standard_normal(tensors["offsets"].shape) * 1e9).astype(np.float32),
            "directions": (rng.standard_normal(tensors["directions"].shape) * 1e9).astype("f4"),
            "leaves": rng.integers(-128, 128, tensors["leaves"].shape).astype(np.int8),
            "mean_shape": (rng.standard_normal((5, 2)) * 1e9).astype(np.float32),
            "reach": (rng.random(1) * 1e9).astype(np.float32),
            "splits": random_splits(rng, tensors["splits"].shape),
        }
        write_model(path, header, {**tensors, **wild})
        loaded = classicface.load(path)
        with np.errstate(all="ignore"):
            assert loaded.predict(few.images[0], few.boxes).shape == (8, 5, 2)
