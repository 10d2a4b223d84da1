"""`ERTFitter(style="dlib")`: it keeps the contract, and its files are checked."""

import numpy as np
import pytest

import classicface
from classicface.cascade.compression import compress
from classicface.cascade.dlib_forest import DlibCascade
from classicface.cascade.ert import ERTFitter
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.persistence import read_model, write_model
from classicface.shape.boxes import BoxMap


@pytest.fixture(scope="module")
def fitter(tiny, few):
    """Return a fitted tiny cascade of dlib's style; it is immutable."""
    return tiny(style="dlib").fit(few)


@pytest.fixture(scope="module")
def content(fitter, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    fitter.save(path)
    return read_model(path)


def test_same_seed_same_bytes_on_any_number_of_threads(tiny, few, fitter, tmp_path):
    fitter.save(tmp_path / "first")
    for n_jobs in (1, 2):
        tiny(style="dlib", n_jobs=n_jobs).fit(few).save(tmp_path / "other")
        assert (tmp_path / "other").read_bytes() == (tmp_path / "first").read_bytes()


def test_a_checkpoint_is_taken_up(tiny, few, fitter, tmp_path):
    path = str(tmp_path / "checkpoint")
    with pytest.raises(KeyboardInterrupt):
        tiny(style="dlib", checkpoint=path).fit(few, progress=interrupt_late)
    resumed = tiny(style="dlib", checkpoint=path).fit(few)
    assert np.array_equal(resumed.cascade_.leaves, fitter.cascade_.leaves)


def interrupt_late(fraction, text):
    if fraction > 0.7:
        raise KeyboardInterrupt


def test_load_gives_back_what_was_saved(fitter, few, tmp_path):
    fitter.save(tmp_path / "model.safetensors")
    loaded = classicface.load(tmp_path / "model.safetensors")
    assert isinstance(loaded.cascade_, DlibCascade)
    expected = fitter.predict_many(few.images, few.boxes)
    assert np.array_equal(loaded.predict_many(few.images, few.boxes, n_jobs=2), expected)
    assert expected.dtype == np.float32


def test_what_is_of_the_other_style_has_no_effect(tiny, few, fitter):
    other = tiny(style="dlib", n_starts=5, flip=True, face_size=20).fit(few)
    for name, array in fitter.cascade_.tensors().items():
        assert np.array_equal(getattr(other.cascade_, name), array)
    image, boxes = few.images[0], few.boxes
    assert np.array_equal(other.predict(image, boxes), fitter.predict(image, boxes))


def test_it_learns_as_well_as_the_other_style(tiny, faces):
    errors = {}
    for style in ("classicface", "dlib"):
        fitter = tiny(style=style, n_trees=40, depth=4).fit(faces)
        points = fitter.predict_many(faces.images, faces.boxes)
        errors[style] = np.linalg.norm(points - faces.landmarks, axis=2).mean()
    assert errors["dlib"] < 1.3 * errors["classicface"]


def test_a_model_without_a_style_is_of_ours(fitted, few, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    header, tensors = read_model(tmp_path / "model.safetensors")
    del header["params"]["style"]
    write_model(tmp_path / "old.safetensors", header, tensors)
    old = classicface.load(tmp_path / "old.safetensors")
    assert old.style == "classicface"
    assert np.array_equal(
        old.predict(few.images[0], few.boxes), fitted.predict(few.images[0], few.boxes)
    )


def test_outside_the_picture_it_is_black(fitter, few):
    """The same as on a picture with a black margin."""
    image, box = few.images[0], few.boxes[0] + np.float32(60)
    padded = np.pad(image, 200)
    assert np.allclose(
        fitter.predict(padded, box + 200) - 200, fitter.predict(image, box), atol=1e-3
    )


def test_faces_at_the_edge_tiny_or_huge_are_no_trouble(fitter, few):
    boxes = [[-30, -30, 5, 5], [10, 10, 10.01, 10.2], [-1e5, -1e5, 1e5, 1e5]]
    assert np.isfinite(fitter.predict(few.images[0], boxes)).all()
    assert np.isfinite(fitter.predict(np.zeros((1, 1), np.uint8), [0, 0, 1, 1])).all()
    assert fitter.predict(few.images[0], np.zeros((0, 4))).shape == (0, 68, 2)


def test_it_starts_from_boxes_only(tiny, fitter, few):
    starts = few.landmarks[:, None]
    with pytest.raises(InvalidInputError, match="starts from a box"):
        fitter._refine(few.images[0], few.landmarks[:1])
    with pytest.raises(InvalidInputError, match="starts from a box"):
        tiny(style="dlib")._fit_from(
            few.images, few.landmarks, few.boxes, few.scheme, lambda *_: None, starts
        )


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"style": "opencv"}, "style"),
        ({"style": None}, "style"),
        ({"depth": 11}, "depth"),
        ({"n_pixels": 1025}, "n_pixels"),
        ({"style": "dlib", "depth": 16}, "depth"),
        ({"style": "dlib", "n_pixels": 65537}, "n_pixels"),
    ],
)
def test_parameters_out_of_range(tiny, parameters, name):
    with pytest.raises(InvalidInputError, match=name):
        tiny(**parameters).check_params()


@pytest.mark.parametrize("parameters", [{"depth": 12}, {"n_pixels": 2000}])
def test_what_can_be_read_but_not_trained(tiny, few, parameters):
    fitter = tiny(style="dlib", **parameters)
    fitter.check_params()
    with pytest.raises(InvalidInputError, match=next(iter(parameters))):
        fitter.fit(few)


def test_the_preset():
    assert ERTFitter.from_preset("dlib").style == "dlib"


def first_set_to(value):
    def change(array):
        array = array.copy()
        array[(0,) * array.ndim] = value
        return array

    return change


NAMES = ["mean_shape", "anchors", "offsets", "splits", "leaves", "directions", "box_map"]
BAD = [
    *[(name, lambda array: array[:-1]) for name in NAMES],
    *[(name, lambda array: array[:0]) for name in NAMES],
    *[(name, lambda array: array.astype(bool)) for name in NAMES],
    *[(name, first_set_to(value)) for name in ("mean_shape", "offsets", "directions", "box_map")
      for value in (np.nan, np.inf, 1e12)],
    ("box_map", lambda array: np.array([0, 0, 0.0])),
    ("box_map", lambda array: np.array([0, 0, -1.0])),
    ("anchors", first_set_to(-1)),
    ("anchors", first_set_to(68)),
    ("splits", first_set_to(40)),
    ("splits", first_set_to(1023 << 10)),
    ("splits", lambda array: array.astype(np.int64) | 40),
    ("leaves", lambda array: array.astype(np.float32)),
    ("leaves", lambda array: array[:, :, :3]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change"), BAD, ids=[f"{i}-{n}" for i, (n, _) in enumerate(BAD)])
def test_tensors_that_do_not_fit(content, tmp_path, name, change):
    header, tensors = content
    write_model(tmp_path / "damaged", header, {**tensors, name: change(tensors[name])})
    with pytest.raises(ModelFormatError, match="damaged cascade"):
        classicface.load(tmp_path / "damaged")


@pytest.mark.parametrize("change", [{"style": "classicface"}, {"style": "x"}, {"style": 3}])
def test_a_style_that_does_not_fit(content, tmp_path, change):
    header, tensors = content
    write_model(tmp_path / "x", {**header, "params": {**header["params"], **change}}, tensors)
    with pytest.raises(ModelFormatError):
        classicface.load(tmp_path / "x")


def test_a_model_that_passes_every_check_cannot_crash_prediction(content, few):
    header, tensors = content
    rng = np.random.default_rng(0)
    for _ in range(5):
        wild = {
            "offsets": (rng.standard_normal(tensors["offsets"].shape) * 1e9).astype(np.float32),
            "directions": (rng.standard_normal(tensors["directions"].shape) * 1e9).astype("f4"),
            "mean_shape": (rng.standard_normal((68, 2)) * 1e9).astype(np.float32),
            "box_map": rng.uniform(0.1, 90, 3),
        }
        loaded = ERTFitter.from_state(header, {**tensors, **wild})
        with np.errstate(all="ignore"):
            assert loaded.predict(few.images[0], few.boxes).shape == (8, 68, 2)


def test_compressing_keeps_the_points_nearly(fitter, few):
    cascade = fitter.cascade_
    exact = DlibCascade(
        **{**cascade.tensors(), "leaves": cascade.exact_leaves(), "directions": None}
    )
    assert np.allclose(
        exact.run(few.images[0], few.boxes), cascade.run(few.images[0], few.boxes), atol=1e-2
    )
    small = compress(exact, 32)
    assert small.leaves.dtype == np.int8
    # All 16 directions that the leaves were made of are kept.
    assert np.allclose(small.exact_leaves(), exact.leaves, atol=np.abs(exact.leaves).max() / 50)
    again = compress(exact, 32)
    assert np.array_equal(small.leaves, again.leaves)


def test_a_box_map_takes_the_box_to_the_rectangle(fitter, few):
    """The cascade in another rectangle finds what it finds in the box that the map makes of it."""
    box_map = BoxMap(0.1, -0.2, 0.8)
    rectangles = np.array([[20, 30, 120, 130], [33, 41, 90, 98]], np.float32)
    tensors = fitter.cascade_.tensors()
    other = DlibCascade(**{**tensors, "box_map": np.array([0.1, -0.2, 0.8])})
    assert np.array_equal(
        other.run(few.images[0], box_map.apply(rectangles)),
        fitter.cascade_.run(few.images[0], rectangles),
    )
