"""The two network fitters: passes, confidence, precision, memory, and what they refuse."""

import copy
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classicface
from classicface.cnn.heatmap_model import HeatmapFitter
from classicface.cnn.model import CNNFitter
from classicface.data.dataset import LandmarkDataset
from classicface.data.synthetic import synthetic_faces
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.metrics import nme
from classicface.persistence import read_model, write_model

#: A bundled network allocates no more than this for a face, in bytes.
MOST_MEMORY = 100_000


@pytest.fixture(scope="module")
def some() -> LandmarkDataset:
    return synthetic_faces(60, random_state=5)


@pytest.fixture(scope="module")
def heatmap(some: LandmarkDataset) -> HeatmapFitter:
    return HeatmapFitter(
        input_size=64, widths=(16, 24, 32), head_width=24, epochs=40, learning_rate=4e-3,
        batch_size=16, random_state=0,
    ).fit(some)  # fmt: skip


@pytest.fixture(scope="module")
def coordinates(some: LandmarkDataset) -> CNNFitter:
    return CNNFitter(input_size=32, width=0.5, depth=1, epochs=15, random_state=0).fit(some)


def variant(fitter: Any, **changes: Any) -> Any:
    """Return a fitted copy that predicts in another way."""
    other = copy.copy(fitter)
    return other.set_params(**changes)


def test_confidence_is_lower_where_a_part_is_hidden(
    heatmap: HeatmapFitter, some: LandmarkDataset
) -> None:
    image, box = some.images[0].copy(), some.boxes[0]
    points, confidence = heatmap.predict_with_confidence(image, box)
    assert np.array_equal(points, heatmap.predict(image, box))
    assert confidence.shape == (1, 68)
    assert ((confidence > 0) & (confidence <= 1)).all()
    x, y = some.landmarks[0][48:68].mean(axis=0).astype(int)
    reach = int((box[2] - box[0]) / 5)
    image[y - reach : y + reach, x - reach : x + reach] = 128
    _, hidden = heatmap.predict_with_confidence(image, box)
    assert hidden[0, 48:68].mean() < confidence[0, 48:68].mean()


def test_a_second_mirrored_pass_lowers_the_error(
    heatmap: HeatmapFitter, some: LandmarkDataset
) -> None:
    faces = synthetic_faces(40, random_state=6)
    error = {
        passes: nme(
            variant(heatmap, n_passes=passes).predict_many(faces.images, faces.boxes),
            faces.landmarks,
        ).mean()
        for passes in (1, 2)
    }
    assert error[2] < error[1]


def test_mirrored_passes_need_mirrored_training(some: LandmarkDataset) -> None:
    image, box = some.images[0], some.boxes[0]
    for mirror in (True, False):
        params: dict[str, Any] = {
            "input_size": 32, "width": 0.5, "epochs": 2, "random_state": 0,
            "augmentation": {"mirror": mirror},
        }  # fmt: skip
        fitter = CNNFitter(**params).fit(some)
        points = [variant(fitter, flip=flip).predict(image, box) for flip in (True, False)]
        assert np.array_equal(*points) != mirror


def test_heatmaps_are_distributions(heatmap: HeatmapFitter, some: LandmarkDataset) -> None:
    crop, maps = heatmap.heatmaps(some.images[0], some.boxes[0])
    assert crop.shape == (64, 64)
    assert crop.dtype == np.uint8
    assert maps.shape == (16, 16, 68)
    assert maps.sum(axis=(0, 1)) == pytest.approx(np.ones(68), abs=1e-4)
    with pytest.raises(InvalidInputError, match="one face"):
        heatmap.heatmaps(some.images[0], [some.boxes[0], some.boxes[0]])


def test_half_precision_halves_the_file_and_costs_little(
    some: LandmarkDataset, coordinates: CNNFitter, tmp_path: Path
) -> None:
    full = CNNFitter(**{**coordinates.get_params(), "half_precision": False}).fit(some)
    coordinates.save(tmp_path / "half.safetensors")
    full.save(tmp_path / "full.safetensors")
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.65 * sizes[1]
    box = some.boxes[0]
    difference = coordinates.predict(some.images[0], box) - full.predict(some.images[0], box)
    assert 0 < np.abs(difference).max() < 0.01 * (box[2] - box[0])


@pytest.mark.parametrize("technique", ["coordinates", "heatmap"])
def test_a_face_allocates_little(
    technique: str, some: LandmarkDataset, request: pytest.FixtureRequest
) -> None:
    fitter = request.getfixturevalue(technique)
    image, box = some.images[0], some.boxes[:1]
    fitter.predict(image, box)
    tracemalloc.start()
    fitter.predict(image, box)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("technique", ["coordinates", "heatmap"])
def test_fitted_networks_can_be_copied_and_pickled(
    technique: str, some: LandmarkDataset, request: pytest.FixtureRequest
) -> None:
    fitter = request.getfixturevalue(technique)
    wanted = fitter.predict(some.images[0], some.boxes[0])
    for other in (copy.deepcopy(fitter), pickle.loads(pickle.dumps(fitter))):
        assert np.array_equal(other.predict(some.images[0], some.boxes[0]), wanted)


@pytest.mark.parametrize("technique", ["coordinates", "heatmap"])
def test_damaged_models_are_refused(
    technique: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    request.getfixturevalue(technique).save(path)
    header, tensors = read_model(path)
    weights = [name for name in tensors if name.endswith(".weight")]
    variance = next(name for name in tensors if name.endswith(".variance"))
    row = {"epoch": 1, "rate": "much", "loss": 1.0, "seconds": 1.0, "validation": None}
    damages: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {weights[0]: tensors[weights[0]][..., :-1]}),
        ({}, {weights[0]: tensors[weights[0]].astype(np.float32)}),
        ({}, {weights[-1]: np.full_like(tensors[weights[-1]], np.nan)}),
        ({}, {variance: -tensors[variance] - 1}),
        ({}, {"mean_points": tensors["mean_points"][:-1]}),
        ({}, {"network.more": np.zeros(3, np.float32)}),
        ({"history": [row]}, {}),
        ({"history": None}, {}),
        ({"params": {**header["params"], "input_size": 10**9}}, {}),
        ({"params": {**header["params"], "margin": -1}}, {}),
        ({"params": {**header["params"], "n_passes": 10**9}}, {}),
        ({"params": {**header["params"], "augmentation": {"wind": 1}}}, {}),
        ({"params": {**header["params"], "checkpoint": "x"}}, {}),
    ]
    for changed_header, changed_tensors in damages:
        write_model(path, {**header, **changed_header}, {**tensors, **changed_tensors})
        with pytest.raises(ModelFormatError):
            classicface.load(path)
    fewer = {name: array for name, array in tensors.items() if name != weights[0]}
    write_model(path, header, fewer)
    with pytest.raises(ModelFormatError):
        classicface.load(path)
    write_model(path, header, tensors)
    classicface.load(path)


@pytest.mark.parametrize(
    ("cls", "params", "words"),
    [
        (CNNFitter, {"body": "transformer"}, "mobile, plain, resnet"),
        (CNNFitter, {"input_size": 60}, "multiple of 16"),
        (CNNFitter, {"input_size": 8}, "input_size"),
        (CNNFitter, {"width": 0}, "width"),
        (CNNFitter, {"depth": 0}, "depth"),
        (CNNFitter, {"dropout": 1.0}, "dropout"),
        (CNNFitter, {"loss": "cross_entropy"}, "wing"),
        (CNNFitter, {"optimiser": "lion"}, "adamw"),
        (CNNFitter, {"schedule": "linear"}, "one_cycle"),
        (CNNFitter, {"learning_rate": float("nan")}, "learning_rate"),
        (CNNFitter, {"epochs": 0}, "epochs"),
        (CNNFitter, {"batch_size": 2000}, "batch_size"),
        (CNNFitter, {"shard_size": 0}, "shard_size"),
        (CNNFitter, {"moving_average": 1.0}, "moving_average"),
        (CNNFitter, {"augmentation": {"rotations": 3}}, "no augmentation 'rotations'"),
        (CNNFitter, {"augmentation": {"rotation": -3}}, "rotation"),
        (CNNFitter, {"augmentation": 0.5}, "dict"),
        (CNNFitter, {"validation": 1.0}, "validation"),
        (CNNFitter, {"patience": 5}, "set validation"),
        (CNNFitter, {"n_passes": 0}, "n_passes"),
        (CNNFitter, {"flip": 1}, "True or False"),
        (CNNFitter, {"time_budget": 0}, "time_budget"),
        (CNNFitter, {"checkpoint": 3}, "path of a file"),
        (HeatmapFitter, {"widths": ()}, "one to seven"),
        (HeatmapFitter, {"widths": (8, 0)}, "widths"),
        (HeatmapFitter, {"head_width": 0}, "head_width"),
        (HeatmapFitter, {"input_size": 100}, "multiple of 32"),
        (HeatmapFitter, {"map_stride": 3}, "1, 2, 4 or 8"),
        (HeatmapFitter, {"sigma": 0}, "sigma"),
        (HeatmapFitter, {"radius": -1}, "radius"),
        (HeatmapFitter, {"loss": "wing"}, "cross_entropy"),
        (HeatmapFitter, {"position_weight": -1}, "position_weight"),
    ],
)
def test_parameters_out_of_range_are_named(
    cls: Any, params: dict[str, Any], words: str, some: LandmarkDataset
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        cls(**params).fit(some)


def test_faces_without_a_shape_are_refused(some: LandmarkDataset) -> None:
    landmarks = some.landmarks.copy()
    landmarks[3] = 20.0
    with pytest.raises(InvalidInputError, match="coincide"):
        CNNFitter(input_size=32, epochs=1).fit(some.images, landmarks, some.boxes)


def test_one_face_is_enough_to_train(some: LandmarkDataset) -> None:
    for fitter in (
        CNNFitter(input_size=32, width=0.5, epochs=2, validation=0.5),
        HeatmapFitter(input_size=32, widths=(8, 16), epochs=2, loss="mse"),
    ):
        fitter.fit(some.images[:1], some.landmarks[:1], some.boxes[:1])
        assert np.isfinite(fitter.predict(some.images[0], some.boxes[0])).all()


def test_a_scheme_without_mirror_trains_and_predicts(some: LandmarkDataset) -> None:
    fitter = CNNFitter(input_size=32, width=0.5, epochs=2, random_state=0)
    fitter.fit(some.images, some.landmarks[:, :7], some.boxes)
    assert fitter.scheme_.mirror == ()
    assert fitter.predict(some.images[0], some.boxes[0]).shape == (1, 7, 2)
