"""ASMFitter: learns one picture by heart, any scheme, any odd input, any variant."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from classicface.asm.model import PRESETS, ASMFitter
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.metrics import nme
from classicface.shape.boxes import box_centers_sides, landmark_box, square_boxes
from classicface.shape.pdm import PointDistributionModel

VARIANTS = {
    "hog": {},
    "igo, box": {"descriptor": "igo", "constraint": "box"},
    "intensity": {"descriptor": "intensity"},
    "ellipsoid": {"constraint": "ellipsoid"},
    "profile": {"descriptor": "profile"},
    "profile, box": {"descriptor": "profile", "constraint": "box", "n_iterations": 4},
    "starts": {"n_starts": 3},
}


def mean_error(found, faces):
    return 100 * nme(found, faces.landmarks, faces.scheme).mean()


def start_error(fitter, faces):
    starts = [fitter.trace(i, b)[0] for i, b in zip(faces.images, faces.boxes, strict=True)]
    return mean_error(np.stack(starts), faces)


def test_one_picture_is_learnt_by_heart(small_asm, faces):
    one = faces.subset([3])
    fitter = small_asm(face_sizes=(40.0, 80.0), oversampling=150).fit(one)
    assert fitter.shape_model_.n_components == 0
    assert mean_error(fitter.predict(one.images[0], one.boxes), one) < 1
    assert fitter.train_error_[-1] < 0.005


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_finds_new_faces(small_asm, faces, variant):
    train, test = faces.subset(range(30)), faces.subset(range(30, 40))
    fitter = small_asm(**VARIANTS[variant]).fit(train)
    found = fitter.predict_many(test.images, test.boxes)
    most = {"hog": 0.3, "starts": 0.3, "igo, box": 0.5, "ellipsoid": 0.5}.get(variant, 0.85)
    assert mean_error(found, test) < most * start_error(fitter, test)


def test_a_shift_of_the_box_is_made_good(fitted_asm, dozen):
    exact = fitted_asm.predict_many(dozen.images, dozen.boxes)
    centers, sides = box_centers_sides(dozen.boxes)
    moved = square_boxes(centers + 0.06 * sides[:, None], sides)
    shifted = fitted_asm.predict_many(dozen.images, moved)
    assert np.linalg.norm(shifted - exact, axis=2).mean() < 0.2 * 0.06 * np.sqrt(2) * sides.mean()


def test_a_shifted_picture_shifts_the_landmarks(fitted_asm, dozen):
    image, box = dozen.images[0], dozen.boxes[0]
    padded = np.pad(image, ((7, 0), (12, 0)), mode="edge")
    found = fitted_asm.predict(padded, box + np.tile([12, 7], 2).astype(np.float32))
    np.testing.assert_allclose(found - [12, 7], fitted_asm.predict(image, box), atol=0.3)


def test_trace_ends_with_the_prediction(fitted_asm, dozen):
    steps = fitted_asm.trace(dozen.images[0], dozen.boxes[0])
    assert steps.shape == (5, 68, 2)
    np.testing.assert_allclose(
        steps[-1], fitted_asm.predict(dozen.images[0], dozen.boxes[0])[0], atol=1e-4
    )
    _, sides = box_centers_sides(dozen.boxes)
    size = np.ptp(steps[0], axis=0).max()
    assert 0.7 * sides[0] < size < 1.3 * sides[0]


def test_shapes_stay_within_the_limits_of_the_model(small_asm, dozen):
    fitter = small_asm(n_std=0.5).fit(dozen)
    found = fitter.predict_many(dozen.images, dozen.boxes)
    _, b = fitter.shape_model_.to_parameters(found)
    assert np.abs(b / np.sqrt(fitter.shape_model_.variances)).max() < 0.51
    still = small_asm(n_std=0.0).fit(dozen).predict_many(dozen.images, dozen.boxes)
    _, b = fitter.shape_model_.to_parameters(still)
    assert np.abs(b).max() < 1e-4


def test_missing_landmarks_are_filled_in(small_asm, dozen):
    landmarks = dozen.landmarks.copy()
    landmarks[::2, :17] = np.nan
    fitter = small_asm().fit(dozen.images, landmarks, dozen.boxes)
    assert mean_error(fitter.predict_many(dozen.images, dozen.boxes), dozen) < 8


@pytest.mark.parametrize("descriptor", ["hog", "profile"])
def test_all_shapes_equal(small_asm, faces, descriptor):
    one = faces.subset([0] * 4)
    fitter = small_asm(descriptor=descriptor).fit(one)
    assert np.isfinite(fitter.predict(one.images[0], one.boxes[0])).all()


@pytest.mark.parametrize("descriptor", ["hog", "profile"])
def test_points_on_one_line(small_asm, dozen, descriptor):
    landmarks = dozen.landmarks[:, 27:31].copy()
    landmarks[..., 0] = landmarks[:, :1, 0]
    boxes = landmark_box(landmarks) + np.array([-9, -9, 9, 9], np.float32)
    fitter = small_asm(descriptor=descriptor).fit(dozen.images, landmarks, boxes)
    found = fitter.predict_many(dozen.images, boxes)
    assert np.isfinite(found).all()
    assert np.ptp(found, axis=1)[:, 1].min() > 3


@pytest.mark.parametrize("points", [(36, 45), (45, 42, 36, 39, 33)])
def test_few_points(small_asm, dozen, points):
    landmarks = dozen.landmarks[:, points]
    boxes = landmark_box(landmarks) + np.array([-9, -9, 9, 9], np.float32)
    fitter = small_asm().fit(dozen.images, landmarks, boxes)
    found = fitter.predict_many(dozen.images, boxes)
    assert np.linalg.norm(found - landmarks, axis=2).mean() < 4


def test_points_in_one_place_are_refused(small_asm, dozen):
    landmarks = np.repeat(dozen.landmarks[:, :1], 4, axis=1)
    boxes = landmark_box(dozen.landmarks)
    with pytest.raises(InvalidInputError):
        small_asm().fit(dozen.images, landmarks, boxes)
    with pytest.raises(InvalidInputError):
        small_asm().fit(dozen.images, landmarks[:, :1], boxes)


def test_tiny_faces_and_faces_at_the_edge(small_asm, dozen):
    landmarks, boxes = dozen.landmarks.copy(), dozen.boxes.copy()
    landmarks[0] = landmarks[0] / 100 + 3
    boxes[0] = landmark_box(landmarks[0])
    landmarks[1] -= landmarks[1].mean(axis=0)
    boxes[1] = landmark_box(landmarks[1])
    for descriptor in ("hog", "profile"):
        fitter = small_asm(descriptor=descriptor).fit(dozen.images, landmarks, boxes)
        found = fitter.predict_many(dozen.images, boxes)
        assert np.isfinite(found).all()
    for box in ([0, 0, 1e-3, 1e-3], [-1e6, -1e6, 1e6, 1e6], [30, 30, 30.01, 90]):
        assert np.isfinite(fitter.predict(dozen.images[0], box)).all()


def test_progress_rises_to_one(small_asm, dozen):
    calls = []
    small_asm(descriptor="igo").fit(dozen, progress=lambda *call: calls.append(call))
    fractions = [fraction for fraction, _ in calls]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == pytest.approx(1)
    assert [text for _, text in calls[1:5]] == [
        "stage 1 of 4",
        "stage 1 of 4",
        "stage 2 of 4",
        "stage 2 of 4",
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_file_gives_back_the_model(small_asm, dozen, tmp_path, variant):
    fitter = small_asm(**VARIANTS[variant]).fit(dozen)
    loaded = ASMFitter.from_state(*saved(fitter, tmp_path))
    assert loaded.get_params() == {**fitter.get_params(), "n_jobs": None}
    assert loaded.train_error_ == fitter.train_error_
    expected = fitter.predict_many(dozen.images, dozen.boxes)
    np.testing.assert_array_equal(loaded.predict_many(dozen.images, dozen.boxes), expected)
    shapes = PointDistributionModel.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(shapes.mean, fitter.shape_model_.mean)


def saved(fitter, folder):
    from classicface.persistence import read_model

    fitter.save(folder / "model.safetensors")
    return read_model(folder / "model.safetensors")


@pytest.mark.parametrize("variant", ["hog", "profile"])
def test_damage_is_refused(small_asm, dozen, tmp_path, variant):
    header, tensors = saved(small_asm(**VARIANTS[variant]).fit(dozen), tmp_path)
    for name, tensor in tensors.items():
        broken = [tensor.astype(np.complex64), tensor.ravel()[:-1], tensor[None]]
        if tensor.dtype.kind == "f":
            broken += [np.full_like(tensor, np.nan), np.full_like(tensor, np.inf)]
        else:
            broken += [np.full_like(tensor, 68), np.full_like(tensor, -1)]
        for array in broken:
            with pytest.raises(ModelFormatError, match="damaged"):
                ASMFitter.from_state(header, {**tensors, name: array})
        rest = {key: value for key, value in tensors.items() if key != name}
        with pytest.raises(ModelFormatError, match="damaged"):
            ASMFitter.from_state(header, rest)
    with pytest.raises(ModelFormatError, match="damaged"):
        ASMFitter.from_state(header, {**tensors, "start": np.zeros(4)})
    other = {"hog": {"patch_side": 4}, "profile": {"profile_reach": 2}}[variant]
    for change in (other, {"face_sizes": [20]}, {"n_iterations": 3}, {"cell": "a"}):
        params = {**header["params"], **change}
        with pytest.raises(ModelFormatError, match=r"damaged"):
            ASMFitter.from_state({**header, "params": params}, tensors)


BAD = {
    "descriptor": "sift",
    "constraint": 3,
    "face_sizes": (),
    "n_iterations": 0,
    "n_starts": 26,
    "patch_side": 1.5,
    "spacing": 0.0,
    "rings": "10",
    "cell": -1,
    "profile_reach": 0,
    "search_reach": None,
    "n_shape": 1.5,
    "n_std": -1.0,
    "correlation": 1.1,
    "ridge": 0.0,
    "oversampling": 0,
    "n_folds": 0,
    "shift_jitter": np.nan,
    "scale_jitter": 1.0,
    "rotation_jitter": 90.0,
    "random_state": -1,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_parameters_are_named(small_asm, dozen, name):
    with pytest.raises(InvalidInputError, match=name):
        small_asm(**{name: BAD[name]}).fit(dozen)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_parameters(preset):
    fitter = ASMFitter.from_preset(preset, ridge=0.5)
    fitter.check_params()
    defaults = inspect.signature(ASMFitter).parameters
    for name, value in fitter.get_params().items():
        assert value == {"ridge": 0.5}.get(name, PRESETS[preset].get(name, defaults[name].default))


def test_unknown_presets_are_refused():
    with pytest.raises(InvalidInputError, match="classic, fast, default"):
        ASMFitter.from_preset("best")


def test_prediction_knows_nothing_of_training():
    room = Path(inspect.getfile(ASMFitter)).parent
    for name in ("search", "view", "assembly", "_kernels"):
        text = (room / f"{name}.py").read_text()
        for module in ("training", "regression", "profiles"):
            assert f"asm.{module}" not in text
