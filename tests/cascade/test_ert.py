"""ERTFitter: learns one picture by heart, any scheme, any odd input; parameters and memory."""

import inspect
import subprocess
import sys

import cv2
import numpy as np
import pytest

from classicface.cascade.ert import PRESETS, ERTFitter
from classicface.exceptions import InvalidInputError
from classicface.metrics import nme
from classicface.shape.schemes import LandmarkScheme

LITTLE_JITTER = {"shift_jitter": 0.02, "scale_jitter": 0.02, "rotation_jitter": 2.0}


def errors_in_sides(found, few):
    sides = np.ptp(few.landmarks, axis=1).max(axis=1)
    return np.linalg.norm(found - few.landmarks, axis=2).mean(axis=1) / sides


def test_one_picture_is_learnt_by_heart(tiny, few):
    one = few.subset([0])
    fitter = tiny(
        n_stages=4,
        n_trees=40,
        oversampling=60,
        n_pixels=60,
        n_candidates=10,
        noise=0.0,
        light_jitter=0.0,
        **LITTLE_JITTER,
    ).fit(one)
    found = fitter.predict(one.images[0], one.boxes)
    assert nme(found, one.landmarks, one.scheme)[0] < 0.01
    assert fitter.train_error_[-1] < 0.001


def test_new_faces_of_the_same_kind(tiny, faces):
    train, test = faces.subset(range(30)), faces.subset(range(30, 40))
    fitter = tiny(n_trees=30, oversampling=20, n_candidates=20).fit(train)
    found = fitter.predict_many(test.images, test.boxes)
    start = tiny(n_stages=1, n_trees=1, shrinkage=1e-6).fit(train)  # next to the mean shape
    mean = start.predict_many(test.images, test.boxes)
    assert errors_in_sides(found, test).mean() < 0.8 * errors_in_sides(mean, test).mean()


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_parameters(preset):
    fitter = ERTFitter.from_preset(preset, n_trees=7, random_state=3)
    defaults = inspect.signature(ERTFitter).parameters
    for name, value in fitter.get_params().items():
        expected = PRESETS[preset].get(name, defaults[name].default)
        assert value == {"n_trees": 7, "random_state": 3}.get(name, expected)
    assert fitter.estimate_memory(1) > 0


def test_what_is_given_goes_before_the_preset():
    for preset, changes in PRESETS.items():
        for name in changes:
            assert getattr(ERTFitter.from_preset(preset, **{name: None}), name) is None


def test_an_unknown_preset_names_those_that_there_are():
    with pytest.raises(InvalidInputError, match="'best'; there are fast, default, accurate"):
        ERTFitter.from_preset("best")


def test_every_parameter_is_documented(root):
    page = (root / "docs" / "ert.md").read_text(encoding="utf-8")
    for name in inspect.signature(ERTFitter).parameters:
        assert f"`{name}`" in page
        assert name in ERTFitter.__doc__


BAD_PARAMETERS = [
    *[(name, value)
      for name in ("n_stages", "n_trees", "depth", "oversampling", "n_pixels", "n_candidates",
                   "node_samples", "min_leaf", "n_directions", "face_size", "n_starts")
      for value in (0, -1, 2.5, "x", None, True, 10**9, np.nan)],
    *[(name, value)
      for name in ("shrinkage", "distance_prior", "padding", "shift_jitter", "scale_jitter",
                   "rotation_jitter", "noise", "light_jitter", "margin")
      for value in (-0.1, np.nan, np.inf, "x", None, True, [0.1], 10**9)],
    *[("depth", 11), ("n_directions", 15), ("n_pixels", 1), ("n_pixels", 1025)],
    *[("shrinkage", 0.0)],
    *[("distance_prior", 0.0), ("shrinkage", 1.01), ("face_size", 7), ("n_starts", 26)],
    *[("time_budget", value) for value in (0.0, -1, np.nan, "10m")],
    *[("checkpoint", value) for value in (5, True, ["a"])],
    *[("random_state", value) for value in (-1, 1.5, "x", [1])],
    *[("flip", value) for value in (None, 1, "yes")],
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS, ids=str)
def test_bad_parameters_are_named(tiny, few, name, value):
    fitter = tiny(**{name: value})
    with pytest.raises(InvalidInputError, match=rf"\b{name} is "):
        fitter.fit(few)
    with pytest.raises(InvalidInputError, match=rf"\b{name} is "):
        fitter.estimate_memory(10)


@pytest.mark.parametrize("value", [0, -1, 1.5, "x"])
def test_bad_threads_are_named(tiny, few, value):
    with pytest.raises(InvalidInputError, match="n_jobs is "):
        tiny(n_jobs=value).fit(few)


def test_extreme_parameters_train(tiny, few):
    two = few.subset([0, 1])
    for changes in (
        {"depth": 1},
        {"depth": 10},
        {"shrinkage": 1.0},
        {"shrinkage": 1e-6},
        {"n_candidates": 1},
        {"oversampling": 1},
        {"node_samples": 1},
        {"node_samples": 3},
        {"min_leaf": 1000},
        {"min_leaf": 5, "node_samples": 7},
        {"n_directions": 4096},
        {"face_size": 8},
        {"face_size": 300, "margin": 2.0},
        {"margin": 0.0, "padding": 1.0},
        {"noise": 1.0, "light_jitter": 1.0},
        {"shift_jitter": 0.4, "scale_jitter": 0.4, "rotation_jitter": 60.0},
        {"distance_prior": 1e3},
        {"distance_prior": 1e-3},
        {"distance_prior": 1e-3, "n_pixels": 2},
        {"n_pixels": 1024},
    ):
        fitter = tiny(n_trees=3, **changes).fit(two)
        assert np.isfinite(fitter.predict_many(two.images, two.boxes)).all(), changes


def test_missing_landmarks_are_trained_on_and_predicted(tiny, few, fitted):
    landmarks = few.landmarks.copy()
    missing = np.random.default_rng(0).random(landmarks.shape[:2]) < 0.2
    landmarks[missing] = np.nan
    fitter = tiny().fit(few.images, landmarks, few.boxes)
    found = fitter.predict_many(few.images, few.boxes)
    assert np.isfinite(found).all()
    whole = errors_in_sides(fitted.predict_many(few.images, few.boxes), few).mean()
    assert errors_in_sides(found, few).mean() < 2 * whole


@pytest.mark.parametrize(
    "points",
    [(36, 45), (36, 45, 57), (45, 42, 36, 39, 33), tuple(range(17, 68))],
    ids=lambda points: f"{len(points)} points",
)
def test_any_number_of_points(tiny, few, points):
    landmarks = few.landmarks[:, points]
    fitter = tiny(n_trees=30, oversampling=20).fit(few.images, landmarks, few.boxes)
    found = fitter.predict_many(few.images, few.boxes)
    assert found.shape == (8, len(points), 2)
    start = tiny(n_stages=1, n_trees=1, shrinkage=1e-6).fit(few.images, landmarks, few.boxes)
    mean = start.predict_many(few.images, few.boxes)
    errors = [np.linalg.norm(p - landmarks, axis=2).mean() for p in (found, mean)]
    assert errors[0] < 0.8 * errors[1]


def test_a_scheme_of_ones_own(tiny, few, tmp_path):
    import classicface

    scheme = LandmarkScheme("paw", 4, {"toes": (0, 1, 2, 3)}, mirror=(3, 2, 1, 0))
    fitter = tiny().fit(few.images, few.landmarks[:, :4], few.boxes, scheme=scheme)
    fitter.save(tmp_path / "paw.safetensors")
    assert classicface.load(tmp_path / "paw.safetensors").scheme_ == scheme
    assert fitter.predict(few.images[0]).shape == (1, 4, 2)


def pictures(*shape, value=77):
    return [np.full(shape, value, np.uint8)] * 8


BOXES = np.array([[40, 40, 120, 120]] * 8, np.float32)
DOWN = np.array([0, 80], np.float32)
DOWN2 = np.array([0, 80, 0, 80], np.float32)
LINE = np.stack([np.linspace(40, 120, 68), np.full(68, 80.0)], axis=1)

ODD_INPUTS = {
    "one face": lambda d: (d.images[:1], d.landmarks[:1], d.boxes[:1]),
    "all shapes equal": lambda d: (d.images, d.landmarks[[0] * 8], d.boxes[[0] * 8]),
    "a box of one pixel": lambda d: (d.images, d.landmarks, np.array([[80, 80, 81, 81]] * 8)),
    "boxes larger than the picture": lambda d: (d.images, d.landmarks, BOXES * 100 - 5000),
    "the largest boxes": lambda d: (d.images, d.landmarks, np.array([[-1e6, -1e6, 1e6, 1e6]] * 8)),
    "faces at the border": lambda d: (d.images, d.landmarks + 70, d.boxes + 70),
    "pictures of one pixel": lambda d: (pictures(1, 1), d.landmarks - 79, d.boxes - 79),
    "pictures of one line": lambda d: (pictures(1, 200), d.landmarks - DOWN, d.boxes - DOWN2),
    "pictures of one column": lambda d: (
        pictures(200, 1),
        d.landmarks - DOWN[::-1],
        d.boxes - DOWN2[[1, 0, 3, 2]],
    ),
    "large faces in pictures of one pixel": lambda d: (
        pictures(1, 1),
        d.landmarks * 9 - 700,
        d.boxes * 9 - 700,
    ),
    "large faces in pictures of one line": lambda d: (
        pictures(1, 900),
        (d.landmarks - DOWN) * 9,
        (d.boxes - DOWN2) * 9,
    ),
    "pictures of one value": lambda d: (pictures(160, 160), d.landmarks, d.boxes),
    "pictures of all sizes": lambda d: (
        [image[: 60 + 14 * i, : 160 - 14 * i] for i, image in enumerate(d.images)],
        d.landmarks,
        d.boxes,
    ),
    "points on a line": lambda d: (d.images, np.stack([LINE] * 8), BOXES),
    "points far from the box": lambda d: (d.images, d.landmarks + 5000, d.boxes),
    "points far apart": lambda d: (d.images, d.landmarks * 1000, d.boxes),
    "two points": lambda d: (d.images, d.landmarks[:, [36, 45]], d.boxes),
}


@pytest.mark.parametrize("name", ODD_INPUTS)
def test_odd_inputs_give_finite_results(tiny, few, name):
    images, landmarks, boxes = ODD_INPUTS[name](few)
    for changes in ({}, {"shift_jitter": 0.0, "scale_jitter": 0.0, "rotation_jitter": 0.0}):
        fitter = tiny(n_trees=3, **changes).fit(images, landmarks, boxes)
        assert np.isfinite(fitter.train_error_).all()
        assert np.isfinite(fitter.predict(images[0], [0, 0, 1, 1])).all()
        assert np.isfinite(fitter.predict(few.images[0], few.boxes)).all()


def holed(landmarks, face, point):
    landmarks = landmarks.copy()
    landmarks[face, point] = np.nan
    return landmarks


BAD_INPUTS = {
    "a box beside its picture": (
        lambda d: (d.landmarks + 300, d.boxes + 300),
        "misses its picture",
    ),
    "half a pixel": (lambda d: (d.landmarks, BOXES / 160), "side of 0.5 px"),
    "one point a face": (lambda d: (d.landmarks[:, :1], d.boxes), "coincide"),
    "points that coincide": (lambda d: (np.full_like(d.landmarks, 9), d.boxes), "coincide"),
    "a face without points": (lambda d: (holed(d.landmarks, 3, slice(None)), d.boxes), "face 3"),
    "a point that is nowhere": (
        lambda d: (holed(d.landmarks, slice(None), 3), d.boxes),
        "landmark 3 is missing",
    ),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_inputs_are_named(tiny, few, name):
    make, message = BAD_INPUTS[name]
    with pytest.raises(InvalidInputError, match=message):
        tiny().fit(few.images, *make(few))


def test_pictures_at_another_resolution(tiny, few):
    fitter = tiny(n_trees=30, oversampling=20, **LITTLE_JITTER).fit(few)
    sides = np.ptp(few.landmarks, axis=1).max(axis=1)
    small = fitter.predict_many(few.images, few.boxes)
    for factor in (2, 3, 5):  # the last is halved
        pictures = [cv2.resize(image, None, fx=factor, fy=factor) for image in few.images]
        shift = (factor - 1) / 2  # the centre of the first pixel moves
        large = fitter.predict_many(pictures, few.boxes * factor + shift)
        distances = np.linalg.norm((large - shift) / factor - small, axis=2)
        assert np.mean(distances / sides[:, None]) < 0.015


def test_several_starts_agree_with_one(tiny, few):
    fitter = tiny(n_trees=30, oversampling=20).fit(few)
    one = fitter.predict_many(few.images, few.boxes)
    nine = fitter.set_params(n_starts=9).predict_many(few.images, few.boxes)
    assert not np.array_equal(one, nine)
    sides = np.ptp(few.landmarks, axis=1).max(axis=1)
    assert np.mean(np.linalg.norm(one - nine, axis=2) / sides[:, None]) < 0.05


def test_with_flip_the_mirror_image_gives_the_mirrored_landmarks(tiny, few):
    fitter = tiny(flip=True).fit(few.with_mirror())
    image, box = few.images[0], np.array([40, 40, 120, 120])
    width = image.shape[1]
    found = fitter.predict(image, box)
    mirrored_box = [width - 1 - box[2], box[1], width - 1 - box[0], box[3]]
    mirrored = fitter.predict(image[:, ::-1], mirrored_box)
    back = few.scheme.mirror_points(mirrored, width)
    assert np.linalg.norm(found - back, axis=2).mean() < 0.8
    alone = fitter.set_params(flip=False).predict(image, box)
    assert not np.array_equal(alone, found)


def test_flip_without_a_mirror_changes_nothing(tiny, few):
    fitter = tiny(flip=True).fit(few.images, few.landmarks[:, :9], few.boxes)
    assert not fitter.scheme_.mirror
    found = fitter.predict(few.images[0], few.boxes)
    np.testing.assert_array_equal(
        fitter.set_params(flip=False).predict(few.images[0], few.boxes), found
    )


MEMORY = """
import resource
import numpy as np
from classicface.cascade.ert import ERTFitter
rng = np.random.default_rng(0)
face_size, n_faces, oversampling, n_pixels, size = {parameters}
pictures = [rng.integers(0, 256, (size, size), dtype=np.uint8) for _ in range(10)]
landmarks = rng.uniform(0.3 * size, 0.7 * size, (1, 68, 2)) + rng.normal(0, 2, (n_faces, 68, 2))
fitter = ERTFitter(n_stages=2, n_trees=2, depth=2, oversampling=oversampling, n_pixels=n_pixels,
                   n_candidates=2, face_size=face_size, random_state=0, n_jobs=1)
print(fitter.estimate_memory(n_faces, largest_side=float(np.ptp(landmarks, axis=1).max())))
fitter.fit(pictures * (n_faces // 10), landmarks)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def run_python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory as Linux counts it")
@pytest.mark.parametrize(
    "parameters",
    [
        (120, 1500, 40, 800, 200),  # samples
        (90, 800, 2, 50, 850),  # patches, of faces as large as they may be
        (60, 1200, 2, 50, 850),  # patches, of faces that are scaled down
    ],
    ids=["samples", "patches", "scaled patches"],
)
def test_the_memory_estimate_is_near_the_truth(parameters):
    estimate, peak = map(int, run_python(MEMORY.format(parameters=parameters)))
    assert peak > 400e6  # else it would be the interpreter that is measured
    assert peak / 2 < estimate < 2 * peak


def test_the_memory_estimate_grows_with_what_is_trained(tiny):
    base = tiny().estimate_memory(1000)
    for more in (
        tiny().estimate_memory(2000),
        tiny(oversampling=60).estimate_memory(1000),
        tiny(n_pixels=800).estimate_memory(1000),
        tiny(face_size=200).estimate_memory(1000),
        tiny().estimate_memory(1000, n_landmarks=98),
    ):
        assert more > base
    assert base == tiny().estimate_memory(1000, largest_side=320.0)
    assert base == tiny().estimate_memory(1000, largest_side=5000.0)
    assert base > tiny().estimate_memory(1000, largest_side=200.0)


@pytest.mark.parametrize("side", [0.0, -1.0, np.nan, np.inf, "x"])
def test_a_bad_side_is_named(tiny, side):
    with pytest.raises(InvalidInputError, match="largest_side is "):
        tiny().estimate_memory(10, largest_side=side)


def test_predicting_never_loads_the_training_code(fitted, tmp_path):
    fitted.save(tmp_path / "model.safetensors")
    code = (
        "import sys, numpy, classicface;"
        f"classicface.load({str(tmp_path / 'model.safetensors')!r})"
        ".predict(numpy.zeros((90, 90), numpy.uint8));"
        "print(*[name for name in sys.modules if name.startswith('classicface.cascade')])"
    )
    names = {name.rpartition(".")[2] for name in run_python(code)}
    kernels = {"_kernels", "_dlib_kernels"}
    assert names == kernels | {"cascade", "dlib_forest", "ert", "forest", "parameters"}


@pytest.mark.parametrize("move", [(300, 0), (0, 300), (-300, 0), (0, -300)])
def test_a_box_beside_its_picture_is_refused_and_named(few, tiny, move):
    boxes = few.boxes.copy()
    boxes[1] += np.tile(np.float32(move), 2)
    with pytest.raises(InvalidInputError, match=r"box of face 1, .* misses its picture"):
        tiny().fit(few.images, few.landmarks, boxes)


def test_the_mirror_reads_the_same_from_a_large_picture(few, tiny):
    """The mirrored patch is cut out of the picture; what lies far from the face does not matter."""
    fitter = tiny(flip=True, margin=1.0).fit(few)
    image, box = few.images[0], few.boxes[0]
    large = np.pad(image, ((700, 500), (600, 900)), mode="edge")
    moved = fitter.predict(large, box + np.float32([600, 700, 600, 700]))[0]
    np.testing.assert_allclose(moved, fitter.predict(image, box)[0] + [600, 700], atol=0.05)
