"""What every registered predictor keeps: one test, run over every class in the registry."""

import copy
import inspect
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

import classicface
from classicface import registry
from classicface.cascade.ert import ERTFitter
from classicface.exceptions import InvalidInputError, ModelFormatError, NotFittedError
from classicface.persistence import read_model, write_model
from classicface.predictor import LandmarkPredictor

TREES: dict[str, Any] = {
    "n_stages": 3,
    "n_trees": 20,
    "depth": 3,
    "oversampling": 5,
    "random_state": 0,
}

NETWORK: dict[str, Any] = {
    "input_size": 32,
    "epochs": 60,
    "batch_size": 8,
    "learning_rate": 0.01,
    "moving_average": 0.9,
    "augmentation": {"rotation": 0.0, "scale": 0.02, "shift": 0.02, "occlusion": 0.0},
}

#: Parameters with which a class trains in about a second on 40 small faces.
SMALL: dict[str, dict[str, Any]] = {
    "AAMFitter": {"n_appearance": 10, "face_sizes": (30.0, 60.0)},
    "ASMFitter": {"face_sizes": (20.0, 40.0), "oversampling": 3},
    "CNNFitter": {**NETWORK, "width": 0.25},
    "ChainFitter": {
        "first": ERTFitter(**TREES),
        "second": ERTFitter(**TREES),
        "folds": 2,
        "oversampling": 5,
    },
    "ERTFitter": TREES,
    "HeatmapFitter": {**NETWORK, "widths": (8, 16, 16), "head_width": 16},
}

Maker = Any


@pytest.fixture(scope="module", params=list(registry.CLASSES))
def make(request: pytest.FixtureRequest) -> Maker:
    """Return what makes an unfitted predictor of the class, with a seed."""
    cls = registry.predictor_class(request.param)
    names = inspect.signature(cls).parameters

    def maker(**changes: Any) -> LandmarkPredictor:
        chosen = {**SMALL[request.param], "random_state": 0, **changes}
        return cls(**{name: value for name, value in chosen.items() if name in names})

    return maker


@pytest.fixture(scope="module")
def fitted(make: Maker, faces: Any) -> LandmarkPredictor:
    """Return the fitted predictor that the tests share; it is immutable."""
    return make().fit(faces)


def predict_all(predictor: LandmarkPredictor, faces: Any) -> Any:
    return np.stack(
        [predictor.predict(faces.images[i], faces.boxes[i])[0] for i in range(len(faces))]
    )


def test_init_stores_its_parameters_and_nothing_else(make: Maker) -> None:
    predictor = make()
    params = predictor.get_params()
    assert vars(predictor) == predictor.get_params(deep=False)
    other = type(predictor)().set_params(**params)
    assert other.get_params() == params
    copied = clone(predictor)
    assert copied is not predictor
    assert repr(copied.get_params()) == repr(params)


def test_clone_of_a_fitted_predictor_is_unfitted(fitted: LandmarkPredictor) -> None:
    check_is_fitted(fitted)
    with pytest.raises(NotFittedError):
        clone(fitted).predict(np.zeros((9, 9), np.uint8))


def test_unfitted_says_so(make: Maker, faces: Any, tmp_path: Path) -> None:
    predictor = make()
    for act in (
        lambda: predictor.predict(faces.images[0], faces.boxes[0]),
        lambda: predictor.predict_many(faces.images, faces.boxes),
        lambda: predictor.save(tmp_path / "model.safetensors"),
    ):
        with pytest.raises(NotFittedError, match="not fitted"):
            act()
    assert list(tmp_path.iterdir()) == []


def test_fit_returns_self_and_takes_arrays(make: Maker, faces: Any, fitted: Any) -> None:
    predictor = make()
    assert predictor.fit(faces.images, faces.landmarks, faces.boxes) is predictor
    assert np.array_equal(predict_all(predictor, faces), predict_all(fitted, faces))


def test_same_seed_same_bytes_on_any_number_of_threads(
    make: Maker, faces: Any, fitted: LandmarkPredictor, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "first.safetensors")
    first = (tmp_path / "first.safetensors").read_bytes()
    for n_jobs in (1, 2):
        path = tmp_path / f"{n_jobs}.safetensors"
        make(n_jobs=n_jobs).fit(faces).save(path)
        assert path.read_bytes() == first


def test_another_seed_changes_the_model(make: Maker, faces: Any, fitted: Any) -> None:
    if "random_state" not in fitted.get_params():
        pytest.skip("this technique draws nothing at random")
    other = make(random_state=1).fit(faces)
    assert not np.array_equal(predict_all(other, faces), predict_all(fitted, faces))


def test_inputs_stay_untouched(make: Maker, faces: Any) -> None:
    before = copy.deepcopy((faces.images, faces.landmarks, faces.boxes))
    predictor = make().fit(faces)
    predict_all(predictor, faces)
    predictor.predict_many(faces.images, faces.boxes)
    after = (faces.images, faces.landmarks, faces.boxes)
    for old, new in zip(before, after, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))


def test_predicting_leaves_the_predictor_as_it_was(fitted: Any, faces: Any) -> None:
    attributes = dict(vars(fitted))
    state = copy.deepcopy(fitted._state())
    predict_all(fitted, faces)
    assert vars(fitted) == attributes
    header, tensors = fitted._state()
    assert header == state[0]
    assert all(np.array_equal(tensors[name], state[1][name]) for name in state[1])


def test_shapes_and_types(fitted: LandmarkPredictor, faces: Any) -> None:
    image = faces.images[0]
    boxes = np.repeat(faces.boxes[:1], 3, axis=0)
    many = fitted.predict(image, boxes)
    assert many.shape == (3, 68, 2)
    assert many.dtype == np.float32
    assert np.isfinite(many).all()
    assert np.array_equal(many[0], many[2])
    assert fitted.predict(image, np.zeros((0, 4))).shape == (0, 68, 2)
    assert fitted.predict(image).shape == (1, 68, 2)
    rgb = np.repeat(image[:, :, None], 3, axis=2)
    assert np.array_equal(fitted.predict(rgb, boxes), many)


def test_one_by_one_equals_many(fitted: LandmarkPredictor, faces: Any) -> None:
    single = predict_all(fitted, faces)
    for n_jobs in (1, 2, 4):
        many = fitted.predict_many(faces.images, faces.boxes, n_jobs=n_jobs)
        assert np.array_equal(many, single)


def test_four_threads_share_a_predictor(fitted: LandmarkPredictor, faces: Any) -> None:
    expected = predict_all(fitted, faces)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: predict_all(fitted, faces), range(8)))
    assert all(np.array_equal(result, expected) for result in results)


def test_learns_something(fitted: LandmarkPredictor, faces: Any, mean_shape: Any) -> None:
    start = mean_shape().fit(faces)
    errors = [
        np.linalg.norm(p.predict_many(faces.images, faces.boxes) - faces.landmarks, axis=2).mean()
        for p in (fitted, start)
    ]
    assert errors[0] < 0.9 * errors[1]


def test_load_gives_back_what_was_saved(fitted: Any, faces: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    fitted.save(first)
    loaded = classicface.load(first)
    assert type(loaded) is type(fitted)
    assert loaded.scheme_ == fitted.scheme_
    assert np.array_equal(predict_all(loaded, faces), predict_all(fitted, faces))
    loaded.save(second)
    assert second.read_bytes() == first.read_bytes()


def test_a_file_without_a_part_is_refused(fitted: LandmarkPredictor, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    header, tensors = read_model(path)
    for name in tensors:
        damaged = tmp_path / "damaged.safetensors"
        write_model(damaged, header, {k: v for k, v in tensors.items() if k != name})
        with pytest.raises(ModelFormatError, match="damaged"):
            classicface.load(damaged)
        write_model(damaged, header, {**tensors, name: tensors[name].ravel()[:-1]})
        with pytest.raises(ModelFormatError, match="damaged"):
            classicface.load(damaged)


BAD_IMAGES: list[Any] = [
    *(np.zeros((0, 5), np.uint8), np.zeros((5, 5, 2), np.uint8), np.zeros(5), "image", None),
    *(np.full((5, 5), np.nan), np.full((5, 5), 2.0), np.zeros((5, 5), np.int64)),
]
BAD_BOXES: list[Any] = [
    *([0, 0, 0, 9], [9, 9, 0, 0], [0, 0, np.nan, 9], [0, 0, np.inf, 9], [0, 0, 9], "box"),
    *([500, 500, 600, 600], [-50, -50, -10, -10], [[[0, 0, 9, 9]]], [0, 0, 1e30, 9]),
]


@pytest.mark.parametrize("image", BAD_IMAGES, ids=lambda image: str(np.shape(image)))
def test_bad_images_are_our_error(fitted: LandmarkPredictor, image: Any) -> None:
    with pytest.raises(InvalidInputError):
        fitted.predict(image, [0, 0, 5, 5])


@pytest.mark.parametrize("box", BAD_BOXES, ids=str)
def test_bad_boxes_are_our_error(fitted: LandmarkPredictor, box: Any) -> None:
    with pytest.raises(InvalidInputError):
        fitted.predict(np.zeros((100, 100), np.uint8), box)


def test_bad_training_sets_are_our_error(make: Maker, faces: Any) -> None:
    images, landmarks, boxes = faces.images, faces.landmarks, faces.boxes
    infinite = landmarks.copy()
    infinite[3, 4, 0] = np.inf
    for arguments in (
        (images,),
        (images[:-1], landmarks),
        ([], landmarks[:0]),
        (images, landmarks[:, :, :1]),
        (images, infinite),
        (images, landmarks, boxes[:-1]),
        (images, landmarks, boxes[:, ::-1]),
    ):
        with pytest.raises(InvalidInputError):
            make().fit(*arguments)
    with pytest.raises(InvalidInputError):
        make().fit(faces, scheme="dlib5")


def test_a_face_at_the_edge_or_tiny_is_no_trouble(fitted: LandmarkPredictor) -> None:
    image = np.zeros((40, 60), np.uint8)
    boxes = [[-30, -30, 5, 5], [55, 35, 90, 80], [10, 10, 12, 12], [-1e5, -1e5, 1e5, 1e5]]
    assert np.isfinite(fitted.predict(image, boxes)).all()
    assert np.isfinite(fitted.predict(np.zeros((1, 1), np.uint8), [0, 0, 1, 1])).all()
