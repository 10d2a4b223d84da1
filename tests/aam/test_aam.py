"""AAMFitter: learns one picture by heart, any odd input, damaged models, traces, memory."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import classicface
from classicface import AAMFitter
from classicface.aam.fitting import ALGORITHMS, spread_starts
from classicface.exceptions import ClassicFaceError, InvalidInputError, ModelFormatError
from classicface.metrics import nme
from classicface.persistence import read_model, write_model

#: Trains in a tenth of a second. Every parameter is here, so that defaults may change.
SMALL = {
    "features": "hog",
    "algorithm": "wiberg",
    "parts": True,
    "face_sizes": (30.0, 60.0),
    "patch_side": 4,
    "spacing": 3.0,
    "cell": 2,
    "n_shape": 0.98,
    "n_appearance": 6,
    "shape_prior": 60.0,
    "n_std": 3.0,
    "max_iterations": 10,
    "tolerance": 0.1,
    "n_starts": 1,
    "n_jobs": 1,
}
ALGORITHM = pytest.mark.parametrize("algorithm", ALGORITHMS)
BOTH = pytest.mark.parametrize("parts", [True, False], ids=["parts", "holistic"])


def make(**changes):
    return AAMFitter(**{**SMALL, **changes})


@pytest.fixture(scope="module")
def few(faces):
    return faces.subset(range(8))


@pytest.fixture(scope="module")
def fitted(few):
    """Return a fitted model; it is immutable."""
    return make().fit(few)


def moved_box(box, dx, dy, growth):
    """Return a box moved by shares of its sides and grown about its centre."""
    x0, y0, x1, y1 = np.asarray(box, float)
    width, height = x1 - x0, y1 - y0
    cx, cy = (x0 + x1) / 2 + dx * width, (y0 + y1) / 2 + dy * height
    half = np.array([width, height]) * growth / 2
    return np.array([cx - half[0], cy - half[1], cx + half[0], cy + half[1]], np.float32)


# By heart.


@ALGORITHM
@BOTH
def test_one_picture_is_learnt_by_heart(few, algorithm, parts):
    one = few.subset([0])
    fitter = make(algorithm=algorithm, parts=parts, max_iterations=30, tolerance=0.01).fit(one)
    for dx, dy, growth in ((0, 0, 1), (0.05, -0.04, 1.05), (-0.06, 0.03, 0.95)):
        found = fitter.predict(one.images[0], moved_box(one.boxes[0], dx, dy, growth))
        assert nme(found, one.landmarks, one.scheme)[0] < 0.01


@pytest.mark.parametrize("features", ["hog", "igo", "intensity"])
def test_any_descriptor_learns_one_picture(few, features):
    one = few.subset([1, 1, 1])
    fitter = make(features=features, max_iterations=30, tolerance=0.01).fit(one)
    found = fitter.predict(one.images[0], moved_box(one.boxes[0], 0.02, -0.02, 1.02))
    assert nme(found, one.landmarks[:1], one.scheme)[0] < 0.01


@ALGORITHM
@BOTH
def test_a_few_pictures_are_learnt(few, algorithm, parts):
    """All shapes and appearances are in the model; project-out may lose a face all the same."""
    changes = {"n_shape": 1.0, "n_appearance": 1.0, "shape_prior": 0.1, "max_iterations": 30}
    fitter = make(algorithm=algorithm, parts=parts, **changes).fit(few)
    found = fitter.predict_many(few.images, few.boxes)
    errors = np.sort(nme(found, few.landmarks, few.scheme))
    assert errors[4 if algorithm == "project-out" else 6] < 0.01


# Odd inputs.


def pictures(*shape, value=77):
    return [np.full(shape, value, np.uint8)] * 8


def missing(landmarks):
    landmarks = landmarks.copy()
    landmarks[np.random.default_rng(0).random(landmarks.shape[:2]) < 0.2] = np.nan
    return landmarks


DOWN, DOWN2 = np.float32([0, 80]), np.float32([0, 80, 0, 80])

ODD_INPUTS = {
    "one face": lambda d: (d.images[:1], d.landmarks[:1], d.boxes[:1]),
    "all shapes equal": lambda d: (d.images, d.landmarks[[0] * 8], d.boxes[[0] * 8]),
    "all faces equal": lambda d: (d.images[:1] * 8, d.landmarks[[0] * 8], d.boxes[[0] * 8]),
    "boxes of one pixel": lambda d: (d.images, d.landmarks, np.array([[80, 80, 81, 81]] * 8)),
    "the largest boxes": lambda d: (d.images, d.landmarks, np.array([[-1e6, -1e6, 1e6, 1e6]] * 8)),
    "faces at the border": lambda d: (d.images, d.landmarks + 70, d.boxes + 70),
    "pictures of one pixel": lambda d: (pictures(1, 1), d.landmarks - 79, d.boxes - 79),
    "pictures of one line": lambda d: (pictures(1, 200), d.landmarks - DOWN, d.boxes - DOWN2),
    "pictures of one column": lambda d: (
        pictures(200, 1),
        d.landmarks - DOWN[::-1],
        d.boxes - DOWN2[::-1],
    ),
    "grey pictures": lambda d: (pictures(160, 160), d.landmarks, d.boxes),
    "missing points": lambda d: (d.images, missing(d.landmarks), d.boxes),
    "three points": lambda d: (d.images, d.landmarks[:, [36, 45, 57]], d.boxes),
    "a point twice": lambda d: (d.images, d.landmarks[:, [36, 45, 57, 57, 30]], d.boxes),
}  # fmt: skip


@BOTH
@pytest.mark.parametrize("name", ODD_INPUTS)
def test_odd_inputs_train_and_predict(few, parts, name):
    images, landmarks, boxes = ODD_INPUTS[name](few)
    fitter = make(parts=parts).fit(images, landmarks, boxes)
    for i in range(min(len(images), 3)):
        found = fitter.predict(images[i], boxes[i])
        assert found.shape == (1, landmarks.shape[1], 2)
        assert np.isfinite(found).all()
    assert np.isfinite(fitter.predict(np.zeros((1, 1), np.uint8))).all()
    assert np.isfinite(fitter.predict(few.images[0], [79.9, 80, 80, 80.1])).all()


@pytest.mark.parametrize("features", ["hog", "igo", "intensity"])
@ALGORITHM
def test_a_picture_that_shows_nothing_leaves_the_mean_shape_in_the_box(
    fitted, few, features, algorithm
):
    fitter = make(features=features, algorithm=algorithm).fit(few)
    sides = np.ptp(few.landmarks, axis=1).max(axis=1)
    found = fitter.predict(np.full((160, 160), 128, np.uint8), few.boxes[0])[0]
    assert np.isfinite(found).all()
    low, high = found.min(axis=0), found.max(axis=0)
    assert 0.2 * sides.min() < (high - low).max() < 4 * sides.max()


def on_a_line(few):
    """Return training faces of five points on one line, their distances all different."""
    rng = np.random.default_rng(0)
    along = np.cumsum(rng.uniform(8, 20, (8, 5)), axis=1)
    landmarks = np.stack([40 + 0.6 * along, 40 + 0.8 * along], axis=2).astype(np.float32)
    return few.images, landmarks, np.tile(np.float32([40, 40, 100, 110]), (8, 1))


def test_points_on_a_line_need_parts(few):
    arguments = on_a_line(few)
    fitter = make().fit(*arguments)
    assert np.isfinite(fitter.predict_many(arguments[0], arguments[2])).all()
    with pytest.raises(InvalidInputError, match=r"too thin for a mesh; use parts=True|on one line"):
        make(parts=False).fit(*arguments)


def test_two_points_need_parts(few):
    landmarks = few.landmarks[:, [36, 45]]
    fitter = make().fit(few.images, landmarks, few.boxes)
    assert fitter.predict_many(few.images, few.boxes).shape == (8, 2, 2)
    with pytest.raises(InvalidInputError, match="fewer than three"):
        make(parts=False).fit(few.images, landmarks, few.boxes)


def test_one_point_or_points_on_one_spot_are_refused_clearly(few):
    spot = np.full((8, 5, 2), 80, np.float32)
    for landmarks in (few.landmarks[:, :1], spot):
        with pytest.raises(InvalidInputError):
            make().fit(few.images, landmarks, few.boxes)


@pytest.mark.parametrize("changes", [
    {"n_shape": 0}, {"n_appearance": 0}, {"n_shape": 0, "n_appearance": 0},
    {"n_shape": 5000, "n_appearance": 500}, {"n_shape": 1.0, "n_appearance": 1.0},
    {"n_shape": 0.001, "n_appearance": 0.001}, {"n_std": 0.0}, {"n_std": 100.0},
    {"shape_prior": 0.0}, {"shape_prior": 1e9}, {"max_iterations": 1}, {"max_iterations": 1000},
    {"tolerance": 0.0}, {"tolerance": 100.0}, {"face_sizes": (8.0,)}, {"face_sizes": (300,)},
    {"face_sizes": (60.0, 30.0)}, {"face_sizes": (20.0,) * 8}, {"patch_side": 2},
    {"patch_side": 12, "spacing": 0.5}, {"spacing": 64.0}, {"cell": 0}, {"cell": 5},
    {"n_starts": 2}, {"n_starts": 9},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("algorithm", ["wiberg", "project-out"])
def test_extreme_parameters(few, changes, algorithm):
    two = few.subset([0, 1, 2])
    fitter = make(algorithm=algorithm, **changes).fit(two)
    assert np.isfinite(fitter.predict_many(two.images, two.boxes)).all()


def test_a_model_of_nothing_but_a_pose(few):
    fitter = make(n_shape=0, n_appearance=0).fit(few)
    assert fitter.shape_model_.n_components == 0
    found = fitter.predict(few.images[0], few.boxes[0])
    pose, _ = fitter.shape_model_.to_parameters(found[0])
    np.testing.assert_allclose(fitter.shape_model_.to_landmarks([], pose), found[0], atol=1e-3)


def test_the_prior_holds_without_appearance_components_too(few):
    """A strong prior keeps the mean shape, whatever the number of appearances."""
    for n_appearance in (0, 5):
        fitter = make(n_appearance=n_appearance, shape_prior=1e9).fit(few)
        found = fitter.predict(few.images[0], few.boxes[0])[0]
        _, b = fitter.shape_model_.to_parameters(found)
        assert fitter.shape_model_.plausibility(b) < 0.05


BAD_PARAMETERS = [
    *[("features", value) for value in ("sift", "", None, 3)],
    *[("algorithm", value) for value in ("lucas-kanade", "WIBERG", None, 0)],
    *[("parts", value) for value in (None, 1, "yes", 0.0)],
    *[("face_sizes", value)
      for value in (40, (), None, "abc", (40,) * 9, (7.9,), (1025,), (np.nan,), ("40",), (None,),
                    (True,), {40.0})],
    *[(name, value) for name in ("patch_side", "cell", "max_iterations", "n_starts")
      for value in (-1, 2.5, "x", None, True, 10**9, np.nan)],
    *[("patch_side", 1), ("cell", 6), ("max_iterations", 0), ("n_starts", 0)],
    *[(name, value) for name in ("spacing", "shape_prior", "n_std", "tolerance")
      for value in (-0.1, np.nan, np.inf, "x", None, True, [0.1], 1e10)],
    ("spacing", 0.0),
    *[(name, value) for name in ("n_shape", "n_appearance")
      for value in (-1, 5001, 0.0, 1.01, -0.5, np.nan, np.inf, "x", None, True, [3])],
    *[("n_jobs", value) for value in (0, -1, 1.5, "x")],
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS, ids=str)
def test_bad_parameters_are_named(few, name, value):
    with pytest.raises(InvalidInputError, match=rf"\b{name} is "):
        make(**{name: value}).fit(few)


@pytest.mark.parametrize("features", [[], {}, ["hog"]])
def test_unhashable_names_are_named_too(few, features):
    with pytest.raises(InvalidInputError, match="features is "):
        make(features=features).fit(few)
    with pytest.raises(InvalidInputError, match="algorithm is "):
        make(algorithm=features).fit(few)


# Saving, threads, memory.


@pytest.mark.parametrize("sizes", [[25.0, 50], (25, 50.0), [np.float64(25), np.int64(50)]], ids=str)
def test_face_sizes_of_any_kind_survive(few, tmp_path, sizes):
    fitter = make(face_sizes=sizes).fit(few)
    fitter.save(tmp_path / "model.safetensors")
    loaded = classicface.load(tmp_path / "model.safetensors")
    assert tuple(loaded.face_sizes) == (25, 50)
    for i in range(8):
        found = loaded.predict(few.images[i], few.boxes[i])
        np.testing.assert_array_equal(found, fitter.predict(few.images[i], few.boxes[i]))


def test_models_of_several_forms_share_threads(few):
    """The buffers of a thread are kept by form; models that differ must not disturb each other."""
    models = [
        make(n_appearance=k, features=features, parts=parts, cell=cell).fit(few)
        for k, features, parts, cell in (
            *((3, "hog", True, 1), (3, "hog", True, 3), (5, "hog", True, 1)),
            *((3, "igo", True, 1), (3, "hog", False, 1), (3, "intensity", False, 1)),
        )
    ]
    tasks = [(model, i) for i in range(8) for model in models]

    def predict(task):
        model, i = task
        return model.predict(few.images[i], few.boxes[i])

    expected = [predict(task) for task in tasks]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for found, alone in zip(pool.map(predict, tasks), expected, strict=True):
                np.testing.assert_array_equal(found, alone)


def test_more_forms_than_buffers_are_kept(few):
    sizes = [float(size) for size in range(20, 38)]
    one = few.subset([0, 1])
    models = [make(face_sizes=(size,), max_iterations=3).fit(one) for size in sizes]
    first = [model.predict(one.images[0], one.boxes[0]) for model in models]
    again = [model.predict(one.images[0], one.boxes[0]) for model in models]
    np.testing.assert_array_equal(first, again)


@BOTH
def test_predict_allocates_next_to_nothing(few, parts):
    import cv2

    fitter = AAMFitter(parts=parts, n_jobs=1).fit(few)
    ratio = 200 / float(np.ptp(few.landmarks[0], axis=0).max())
    image = cv2.resize(few.images[0], None, fx=ratio, fy=ratio)
    box = few.boxes[0] * ratio
    fitter.predict(image, box)
    tracemalloc.start()
    try:
        fitter.predict(image, box)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500_000


# The trace.


@ALGORITHM
@BOTH
@pytest.mark.parametrize("n_starts", [1, 9])
def test_the_trace_tells_what_predict_did(few, algorithm, parts, n_starts):
    fitter = make(algorithm=algorithm, parts=parts, n_starts=n_starts).fit(few.subset(range(5)))
    for i, growth in enumerate([1.0, 1.0, 1.3, 0.8, 1.0, 1.0, 1.2, 0.7]):
        box = moved_box(few.boxes[i], 0.15 * (i % 3 - 1), 0.1 * (i % 2), growth)
        trace = fitter.trace(few.images[i], box)
        assert [step.face_size for step in trace] == list(SMALL["face_sizes"])
        found = fitter.predict(few.images[i], box)[0]
        np.testing.assert_allclose(trace[-1].shapes[-1], found, atol=1e-4)
        for scale in trace:
            n_steps = len(scale.costs)
            assert 1 <= n_steps <= 10
            assert scale.shapes.shape == (n_steps + 1, 68, 2)
            assert scale.shapes.dtype == np.float32
            assert np.isfinite(scale.costs).all()
            assert (scale.costs >= 0).all()
            if n_steps < 10:
                assert scale.converged
        # The finer scale takes over where the coarser one ended, up to the limits of its model.
        distance = np.linalg.norm(trace[1].shapes[0] - trace[0].shapes[-1], axis=1)
        assert distance.max() < 1e-2


@BOTH
def test_the_trace_starts_at_the_start_and_its_costs_fall(few, parts):
    fitter = make(parts=parts, max_iterations=30).fit(few)
    falls = []
    for i in range(8):
        box = moved_box(few.boxes[i], 0.06, -0.05, 1.05)
        trace = fitter.trace(few.images[i], box)
        a, b, tx, ty = fitter.start_
        mean = fitter.shape_model_.mean
        centre, side = (box[:2] + box[2:]) / 2, max(box[2] - box[0], box[3] - box[1])
        turned = np.stack([a * mean[:, 0] - b * mean[:, 1], b * mean[:, 0] + a * mean[:, 1]], 1)
        np.testing.assert_allclose(
            trace[0].shapes[0], centre + side * (turned + np.array([tx, ty])), atol=1e-2
        )
        costs = trace[0].costs
        falls.append(costs[-1] / costs[0])
        assert costs.min() > 0.98 * costs[-1] or costs[-1] < 1.1 * costs.min()
    assert np.median(falls) < 0.8
    assert max(falls) <= 1.02


@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), [[10, 10, 90, 90]] * 2])
def test_the_trace_is_of_one_face(fitted, few, boxes):
    with pytest.raises(InvalidInputError, match=f"there are {len(boxes)} boxes"):
        fitted.trace(few.images[0], boxes)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 25])
def test_starts_begin_with_the_first_and_stay_near(count):
    start = np.array([0.4, 0.01, 0.02, -0.03])
    starts = spread_starts(start, count)
    assert starts.shape == (count, 4)
    np.testing.assert_allclose(starts[0], start)
    sizes = np.hypot(starts[:, 0], starts[:, 1]) / np.hypot(start[0], start[1])
    np.testing.assert_allclose(sizes, [1.0, 1.0, 1.0, 1.3, *[1.0] * count][:count])
    assert np.linalg.norm(starts[:, 2:] - start[2:], axis=1).max() < 0.25
    assert len(np.unique(starts.round(6), axis=0)) >= min(count, 3)


# Damaged models.


@pytest.fixture(scope="module", params=["wiberg", "project-out"])
def content(few, request, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    make(algorithm=request.param, n_starts=3, patch_side=2).fit(few.subset(range(4))).save(path)
    return read_model(path)


def first_set_to(value):
    def change(array):
        array = array.copy()
        array[(0,) * array.ndim] = value
        return array

    return change


TENSORS = ["start", "doubt", "scale0.template", "scale1.basis", "scale0.noise"]
BAD_TENSORS = [
    *[(name, "flat and cut", lambda array: array.ravel()[:-1]) for name in TENSORS],
    *[(name, "a scalar", lambda array: array.ravel()[0]) for name in TENSORS],
    *[(name, "float16", lambda array: array.astype(np.float16)) for name in TENSORS],
    *[(name, "int64", lambda array: array.astype(np.int64)) for name in TENSORS],
    *[(name, "bool", lambda array: array.astype(bool)) for name in TENSORS],
    *[(name, f"first is {value}", first_set_to(value))
      for name in ("start", "scale0.template", "scale0.noise")
      for value in (np.nan, np.inf, -np.inf, 3e38)],
    *[("doubt", f"is {value}", first_set_to(value)) for value in (np.nan, -1.0, -np.inf)],
    ("scale0.noise", "negative", first_set_to(-1e-9)),
    ("scale0.noise", "1e300", first_set_to(1e300)),
    ("start", "zeros", lambda array: array * [0, 0, 1, 1]),
    ("start", "tiny", lambda array: array * [1e-200, 1e-200, 1, 1]),
    ("start", "huge", lambda array: array * 1e200),
    ("scale1.basis", "float32", lambda array: array.astype(np.float32)),
    ("scale1.basis", "more rows than values", lambda array: np.tile(array, (800, 1))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "what", "change"), BAD_TENSORS, ids=[f"{name}-{what}" for name, what, _ in BAD_TENSORS]
)
def test_damaged_tensors_are_refused(content, tmp_path, name, what, change):
    header, tensors = content
    with np.errstate(all="ignore"):
        write_model(tmp_path / "bad.safetensors", header, {**tensors, name: change(tensors[name])})
    with pytest.raises(ModelFormatError, match="damaged AAMFitter model"):
        classicface.load(tmp_path / "bad.safetensors")


def wild(seed):
    rng = np.random.default_rng(seed)
    return lambda array: rng.integers(-127, 128, array.shape).astype(np.int8)


ODD_TENSORS = [
    ("scale0.basis", "zeros", lambda array: 0 * array),
    ("scale0.basis", "a row of zeros", lambda array: np.vstack([0 * array[:1], array[1:]])),
    ("scale0.basis", "all rows equal", lambda array: array[[0] * len(array)]),
    ("scale0.basis", "-128", lambda array: np.full_like(array, -128)),
    ("scale0.basis", "noise", wild(0)),
    ("scale0.basis", "many rows", lambda array: wild(1)(np.tile(array, (60, 1)))),
    ("scale0.basis", "no rows", lambda array: array[:0]),
    ("scale0.template", "zeros", lambda array: 0 * array),
    ("scale0.template", "large", lambda array: array * np.float32(1e5)),
    ("scale0.template", "one value is large", first_set_to(9e5)),
    ("scale0.noise", "zero", lambda array: 0 * array),
    ("scale0.noise", "large", lambda array: 0 * array + 9e5),
    ("doubt", "zero", lambda array: 0 * array),
    ("doubt", "infinite", lambda array: array + np.inf),
    ("start", "far away", lambda array: array + np.array([0, 0, 9e8, -9e8])),
    ("start", "very large", lambda array: array * 1e8),
    ("start", "very small", lambda array: array * 1e-8),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "what", "change"), ODD_TENSORS, ids=[f"{name}-{what}" for name, what, _ in ODD_TENSORS]
)
def test_odd_but_possible_tensors_give_finite_points(content, few, tmp_path, name, what, change):
    header, tensors = content
    tensor = np.ascontiguousarray(change(tensors[name]).astype(tensors[name].dtype))
    write_model(tmp_path / "odd.safetensors", header, {**tensors, name: tensor})
    loaded = classicface.load(tmp_path / "odd.safetensors")
    for i in range(4):
        assert np.isfinite(loaded.predict(few.images[i], few.boxes[i])).all()


@pytest.mark.parametrize(("name", "value"), [
    ("face_sizes", []), ("face_sizes", 40), ("face_sizes", [1e9, 1e9]),
    ("face_sizes", [[30.0], 60.0]), ("patch_side", 64), ("patch_side", 10**9), ("parts", False),
    ("features", "igo"), ("features", ["hog"]), ("algorithm", None), ("spacing", 1e-9),
    ("max_iterations", 10**12), ("n_starts", 10**9), ("n_jobs", 2), ("unknown", 1),
], ids=str)  # fmt: skip
def test_parameters_that_do_not_fit_the_tensors(content, tmp_path, name, value):
    header, tensors = content
    params = {**header["params"], name: value}
    write_model(tmp_path / "bad.safetensors", {**header, "params": params}, tensors)
    with pytest.raises(ModelFormatError):
        classicface.load(tmp_path / "bad.safetensors")


def test_random_bytes_in_any_tensor_do_no_harm(content, few, tmp_path):
    """Damage that the checksum would tell, were it not written anew: an error, or finite points."""
    header, tensors = content
    rng = np.random.default_rng(0)
    for _ in range(30):
        name = str(rng.choice(list(tensors)))
        raw = bytearray(tensors[name].tobytes())
        for _ in range(3):
            raw[int(rng.integers(len(raw)))] = int(rng.integers(256))
        tensor = np.frombuffer(bytes(raw), tensors[name].dtype).reshape(tensors[name].shape)
        write_model(tmp_path / "bad.safetensors", header, {**tensors, name: tensor})
        try:
            loaded = classicface.load(tmp_path / "bad.safetensors")
        except ClassicFaceError:
            continue
        assert np.isfinite(loaded.predict(few.images[0], few.boxes[0])).all(), name
