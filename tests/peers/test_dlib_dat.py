"""Files of dlib: the same points as dlib in both directions; hostile files are refused."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import classicface
from classicface.cascade.ert import ERTFitter
from classicface.exceptions import (
    DataFormatError,
    InvalidInputError,
    ModelFormatError,
    NotFittedError,
)
from classicface.peers import dlib_dat
from classicface.peers.dlib_dat import read_dlib, write_dlib
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import IDENTITY, BoxMap

HOG = BOX_MAPS["hog"]
SMALL = {"n_stages": 2, "n_trees": 11, "depth": 3, "n_pixels": 30, "oversampling": 5}


@pytest.fixture(scope="module")
def fitter(faces):
    """Return a small cascade of dlib's style; it is immutable."""
    return ERTFitter.from_preset("dlib", **SMALL, random_state=0).fit(faces)


@pytest.fixture(scope="module")
def written(fitter, tmp_path_factory):
    """Return the file of the small cascade for dlib."""
    path = tmp_path_factory.mktemp("dlib") / "model.dat"
    write_dlib(fitter, path)
    return path


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    """Return the file of a small predictor that dlib trained."""
    dlib = pytest.importorskip("dlib")
    options = dlib.shape_predictor_training_options()
    options.cascade_depth, options.num_trees_per_cascade_level, options.tree_depth = 4, 30, 3
    options.feature_pool_size, options.oversampling_amount, options.num_test_splits = 1500, 4, 5
    truth = [
        [dlib.full_object_detection(rectangle, [dlib.point(*p) for p in points])]
        for rectangle, points in zip(
            map(to_dlib, squares(faces.boxes)),
            np.rint(faces.landmarks).astype(int).tolist(),
            strict=True,
        )
    ]
    path = tmp_path_factory.mktemp("dlib") / "trained.dat"
    dlib.train_shape_predictor(faces.images, truth, options).save(str(path))
    return path


def squares(boxes):
    """Return whole squares, (n, 4), where dlib's detector would draw them."""
    corners = np.rint(HOG.invert(boxes)).astype(int)
    return np.column_stack([corners[:, :2], corners[:, :2] + (corners[:, 2:3] - corners[:, :1])])


def to_dlib(rectangle):
    dlib = pytest.importorskip("dlib")
    return dlib.rectangle(*np.asarray(rectangle).tolist())


def by_dlib(path, image, rectangles):
    dlib = pytest.importorskip("dlib")
    predictor = dlib.shape_predictor(str(path))
    parts = [predictor(image, to_dlib(rectangle)).parts() for rectangle in rectangles]
    return np.array([[(p.x, p.y) for p in part] for part in parts])


def placed(faces):
    """Return pictures and rectangles: in the middle, at edges, partly outside, tiny, huge."""
    rectangles = squares(faces.boxes)
    for i in range(6):
        own = rectangles[i]
        size = faces.images[i].shape[0]
        yield faces.images[i], np.stack([own, own + 7, own - own[0], own + (size - own[2])])
        yield faces.images[i], np.stack([own - size // 2, own + size // 3])
        yield faces.images[i], [[50, 60, 53, 63], [40, 41, 60, 61], [-300, -300, 500, 500]]


def test_the_points_are_those_of_dlib(trained, faces):
    predictor = classicface.load(trained)
    for image, rectangles in placed(faces):
        ours = predictor.predict(image, HOG.apply(rectangles))
        assert np.abs(ours - by_dlib(trained, image, rectangles)).max() < 0.501


def test_of_a_box_the_longer_side_counts(trained, faces):
    predictor = read_dlib(trained)
    square = HOG.apply(squares(faces.boxes[:1]))
    narrow = square + np.float32([[10, 0, -10, 0]])
    expected = predictor.predict(faces.images[0], square)
    assert np.allclose(predictor.predict(faces.images[0], narrow), expected, atol=1e-3)


def test_dlib_reads_what_was_written(fitter, written, faces):
    for image, rectangles in placed(faces):
        ours = fitter.predict(image, HOG.apply(rectangles))
        # int8 steps are summed in another order, which moves a pixel once in a while.
        difference = np.abs(ours - by_dlib(written, image, rectangles))
        assert np.mean(difference < 0.501) > 0.97
        exact = read_dlib(written).predict(image, HOG.apply(rectangles))
        assert np.abs(exact - by_dlib(written, image, rectangles)).max() < 0.501


@pytest.mark.parametrize("box_map", [IDENTITY, BoxMap(0.05, -0.1, 1.3)])
def test_a_model_for_other_boxes(fitter, faces, tmp_path, box_map):
    write_dlib(fitter, tmp_path / "x.dat", box_map=box_map)
    read = read_dlib(tmp_path / "x.dat", box_map=box_map)
    boxes = box_map.apply(squares(faces.boxes))
    ours, theirs = (p.predict_many(faces.images, boxes) for p in (fitter, read))
    assert np.mean(np.abs(ours - theirs) < 0.01) > 0.9


def test_reading_what_was_written_changes_nothing(trained, tmp_path):
    first = read_dlib(trained)
    write_dlib(first, tmp_path / "again.dat")
    second = read_dlib(tmp_path / "again.dat")
    for name, array in first.cascade_.tensors().items():
        assert np.array_equal(getattr(second.cascade_, name), array), name
    write_dlib(second, tmp_path / "third.dat")
    assert (tmp_path / "third.dat").read_bytes() == (tmp_path / "again.dat").read_bytes()


def test_what_is_read(trained, written):
    predictor = read_dlib(trained)
    assert (predictor.n_stages, predictor.n_trees, predictor.depth) == (4, 30, 3)
    assert (predictor.n_pixels, predictor.style) == (1500, "dlib")
    assert predictor.cascade_.splits.dtype == np.int64
    assert read_dlib(written).cascade_.splits.dtype == np.int32
    assert predictor.scheme_.name == "ibug68"


def test_saved_in_our_own_format(trained, faces, tmp_path):
    for n_directions in (None, 16):
        predictor = read_dlib(trained, n_directions=n_directions)
        predictor.save(tmp_path / "model.safetensors")
        loaded = classicface.load(tmp_path / "model.safetensors")
        expected = predictor.predict_many(faces.images, faces.boxes)
        assert np.array_equal(loaded.predict_many(faces.images, faces.boxes), expected)
    assert (tmp_path / "model.safetensors").stat().st_size < trained.stat().st_size / 3


def test_compressed_it_is_as_good(trained, faces):
    exact, small = read_dlib(trained), read_dlib(trained, n_directions=32)
    errors = [
        np.linalg.norm(p.predict_many(faces.images, faces.boxes) - faces.landmarks, axis=2).mean()
        for p in (exact, small)
    ]
    assert errors[1] < 1.05 * errors[0]


def test_a_scheme_of_ones_own(written):
    scheme = classicface.LandmarkScheme("mine", 68)
    assert read_dlib(written, scheme=scheme).scheme_ == scheme
    with pytest.raises(InvalidInputError, match="5 points"):
        read_dlib(written, scheme="dlib5")


@pytest.mark.parametrize("n_directions", [0, 15, -1, 2.5, "32", True])
def test_directions_out_of_range(written, n_directions):
    with pytest.raises(InvalidInputError, match="n_directions"):
        read_dlib(written, n_directions=n_directions)


def test_what_dlib_cannot_hold(faces, mean_shape, tmp_path):
    ours = ERTFitter(**{**SMALL, "n_trees": 2}, random_state=0).fit(faces)
    with pytest.raises(InvalidInputError, match=r"smoothed pixels.*n_starts=3, flip=True.*style"):
        write_dlib(ours, tmp_path / "x.dat")
    with pytest.raises(InvalidInputError, match="MeanShape is no tree cascade"):
        write_dlib(mean_shape().fit(faces), tmp_path / "x.dat")
    with pytest.raises(NotFittedError):
        write_dlib(ERTFitter(style="dlib"), tmp_path / "x.dat")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(fitter, tmp_path):
    with pytest.raises(DataFormatError):
        write_dlib(fitter, tmp_path / "nowhere" / "x.dat")


def refused(path: Path, message: str) -> None:
    """Load a file, which must fail soon and in little memory."""
    tracemalloc.start()
    start = time.monotonic()
    try:
        with pytest.raises(ModelFormatError, match=message) as caught:
            classicface.load(path)
        assert time.monotonic() - start < 5
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 500


def whole(value):
    size = max(1, -(-abs(value).bit_length() // 8))
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def vector(*items):
    return whole(len(items)) + b"".join(items)


ONE = whole(1) + whole(0)


def column(size):
    return whole(-size) + whole(-1) + ONE * size


TREE = vector(whole(0) + whole(1) + ONE) + vector(column(4), column(4))
PIXELS = [vector(vector(whole(0), whole(1))), vector(vector(ONE * 2, ONE * 2))]


PARTS = {"version": whole(1), "shape": column(4), "forests": vector(vector(TREE))}


def file(pixels=PIXELS, **changes):
    return b"".join([*{**PARTS, **changes}.values(), *pixels])


def test_the_least_model(tmp_path):
    path = tmp_path / "x.dat"
    path.write_bytes(file())
    assert classicface.load(path).predict(np.zeros((9, 9), np.uint8)).shape == (1, 2, 2)
    older = whole(4) + whole(1) + ONE * 4
    path.write_bytes(file(shape=older))
    assert classicface.load(path).scheme_.n_landmarks == 2


HUGE = [whole(n) for n in (10**5, 2**31, 2**62)]
HOSTILE = {
    "empty": (b"", "too early"),
    "text": (b"a model, I promise", "damaged"),
    "version 0": (file(version=whole(0)), "version 0"),
    "version 2": (file(version=whole(2)), "version 2"),
    "one landmark": (file(shape=column(2)), "single landmark"),
    "no landmark": (file(shape=column(0)), "mean shape"),
    "odd": (file(shape=column(5)), "mean shape"),
    "two columns": (file(shape=whole(-4) + whole(-2) + ONE * 8), "differ in size"),
    "NaN": (file(shape=whole(-4) + whole(-1) + (whole(0) + whole(32002)) * 4), "infinite"),
    "infinite": (file(shape=whole(-4) + whole(-1) + (whole(0) + whole(32000)) * 4), "infinite"),
    "old reals": (file(shape=whole(-4) + whole(-1) + b"1.5 " * 4), "as text"),
    "no stage": (file(forests=vector()), "0 stages"),
    "no tree": (file(forests=vector(vector())), "0 trees"),
    "no split": (file(forests=vector(vector(vector() + vector(column(4))))), "0 splits"),
    "two splits": (
        file(forests=vector(vector(vector(ONE * 4, ONE * 4) + vector()))), "full binary tree"),
    "one leaf": (
        file(forests=vector(vector(vector(whole(0) + whole(1) + ONE) + vector(column(4)) * 2))),
        "differ in size"),
    "another leaf": (
        file(forests=vector(vector(TREE[:-14] + column(3) + bytes(40)))), "differ in size|whole"),
    "another stage": (file(forests=vector(vector(TREE), vector(TREE, TREE))), "differ in size"),
    "pixel 2": (
        file(forests=vector(vector(TREE.replace(whole(0) + whole(1), whole(0) + whole(2), 1)))),
        "a split points to a pixel"),
    "pixel 65536": (
        file(forests=vector(vector(vector(whole(65536) + whole(0) + ONE) + TREE[9:]))),
        "not there"),
    "landmark 2": (file(pixels=[vector(vector(whole(0), whole(2))), PIXELS[1]]), "not there"),
    "landmark -1": (file(pixels=[vector(vector(whole(0), whole(-1))), PIXELS[1]]), "not there"),
    "no pixels": (file(pixels=[vector(), PIXELS[1]]), "differ in size"),
    "fewer offsets": (file(pixels=[PIXELS[0], vector(vector(ONE * 2))]), "differ in size"),
    "a byte more": (file() + b"\0", "1 bytes follow"),
    **{f"stages {i}": (file(forests=n + vector(TREE)), "stages|differ|early")
       for i, n in enumerate(HUGE)},
    **{f"trees {i}": (file(forests=whole(1) + n + TREE), "trees|early")
       for i, n in enumerate(HUGE)},
    **{f"splits {i}": (file(forests=whole(1) + whole(1) + n + TREE), "splits|early")
       for i, n in enumerate(HUGE)},
    **{f"landmarks {i}": (whole(1) + n + whole(-1) + ONE * 9, "mean shape|early")
       for i, n in enumerate(HUGE)},
    **{f"pixels {i}": (file(pixels=[whole(1) + n + whole(0)]), "pixels|early")
       for i, n in enumerate(HUGE)},
    "all at once": (
        file(forests=whole(1000) + whole(100_000) + whole(32767) + bytes(1000)), "early"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(tmp_path, content, message):
    path = tmp_path / "hostile.dat"
    path.write_bytes(content)
    refused(path, rf"hostile\.dat: no model file of dlib's shape_predictor: .*({message})")


def test_a_file_that_is_not_there_or_too_large(tmp_path, monkeypatch):
    refused(tmp_path / "x.dat", "no such model file")
    with pytest.raises(ModelFormatError, match="no such file"):
        read_dlib(tmp_path / "x.dat")
    with (tmp_path / "large.dat").open("wb") as large:
        large.truncate((1 << 30) + 1)
    refused(tmp_path / "large.dat", "larger than")


def test_cut_anywhere(tmp_path):
    path, content = tmp_path / "cut.dat", file()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refused(path, "too early|differ|trees|splits")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    patches=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=8)), max_size=4),
    cut=st.integers(0, 200),
    whole_model=st.booleans(),
)
def test_bytes_overwritten_and_cut(written, tmp_path, patches, cut, whole_model):
    """Damage is told, or what comes is a model that predicts."""
    content = bytearray(written.read_bytes() if whole_model else file())
    for start, patch in patches:
        start %= len(content)
        content[start : start + len(patch)] = patch
    path = tmp_path / "damaged.dat"
    path.write_bytes(content[: len(content) - max(0, cut - 100)])
    try:
        loaded = classicface.load(path)
    except ModelFormatError:
        return
    with np.errstate(all="ignore"):
        loaded.predict(np.full((30, 40), 99, np.uint8), [[5, 5, 25, 25]])


def test_the_module_needs_no_dlib():
    assert "dlib" not in vars(dlib_dat)
