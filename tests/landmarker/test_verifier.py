"""The fit score: faces against what is none, points that move away, schemes, hostile input."""

import dataclasses
import json
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classicface
from classicface.data.synthetic import draw_face, random_face
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.landmarker import verifier
from classicface.landmarker.verifier import FaceVerifier
from classicface.persistence import read_model, write_model
from classicface.shape.schemes import convert_landmarks
from classicface.validation import check_image

FILE = Path(verifier.__file__).parent / "weights" / "fit.safetensors"

#: The landmark box of the astronaut's face.
BOX = np.array([[176, 78, 272, 176]], np.float32)


@pytest.fixture(scope="module")
def judge():
    return FaceVerifier.load()


@pytest.fixture(scope="module")
def astronaut():
    """Return the astronaut in grey and the landmarks that ert68 finds."""
    from skimage.data import astronaut as picture

    grey = check_image(picture())
    return grey, classicface.load("ert68").predict(grey, BOX)


def distance(points):
    return float(np.linalg.norm(points[36] - points[45]))


def test_a_face_fits_and_background_does_not(judge, astronaut):
    grey, points = astronaut
    assert judge.check(grey, points, "ibug68").fits[0] > 0.9
    elsewhere = np.array([[20, 300, 120, 400], [380, 40, 480, 140], [60, 20, 160, 120]], np.float32)
    found = classicface.load("ert68").predict(grey, elsewhere)
    assert (judge.check(grey, found, "ibug68").fits < 0.1).all()


def test_drawn_faces_fit_until_another_covers_them(judge):
    rng = np.random.default_rng(5)
    fits, covered = [], []
    for _ in range(20):
        front = random_face(rng, max_yaw=15.0)
        picture, points = draw_face(random_face(rng, max_yaw=15.0), size=240, random_state=rng)
        fits.append(judge.check(check_image(picture), points[None], "ibug68").fits[0])
        x, y = 120 + 0.3 * distance(points) * rng.choice([-1.0, 1.0], 2)
        picture, _ = draw_face(front, canvas=picture, center=(x, y))
        covered.append(judge.check(check_image(picture), points[None], "ibug68").fits[0])
    assert np.mean(np.array(fits) > 0.5) >= 0.9
    assert np.mean(np.array(covered) < 0.5) >= 0.9


def test_the_fit_falls_as_points_move_away(judge, astronaut):
    grey, points = astronaut
    for direction in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        shifts = distance(points[0]) * np.array([0, 0.06, 0.12, 0.2, 0.3])
        moved = points + shifts[:, None, None] * np.array(direction, np.float32)
        fits = judge.check(grey, moved.astype(np.float32), "ibug68").fits
        assert (np.diff(fits) < 0.02).all()
        assert fits[-1] < 0.1


def test_every_scheme_with_the_inner_points_is_judged_alike(judge, astronaut):
    grey, points = astronaut
    whole = judge.check(grey, points, "ibug68")
    for scheme in ("ibug51", "ibug49"):
        part = judge.check(grey, convert_landmarks(points, "ibug68", scheme), scheme)
        assert np.array_equal(part.fits, whole.fits)
        assert np.array_equal(part.templates, whole.templates)
    assert judge.supports("wflw98")
    points98 = np.zeros((1, 98, 2), np.float32)
    points98[:] = points.mean(axis=1)
    points98[0, :, 0] += np.arange(98)
    assert 0 <= judge.check(grey, points98, "wflw98").fits[0] <= 1


@pytest.mark.parametrize("scheme", ["dlib5", "lfpw29", "points7"])
def test_other_schemes_cannot_be_judged(judge, astronaut, scheme):
    n = classicface.get_scheme(scheme).n_landmarks
    points = np.random.default_rng(0).random((3, n, 2)).astype(np.float32)
    checks = judge.check(astronaut[0], points, scheme)
    assert not judge.supports(scheme)
    assert np.isnan(checks.fits).all()
    assert np.isnan(checks.plausibilities).all()
    assert not checks.templates.any()


def test_a_scheme_of_the_same_name_with_other_points_is_not_supported(judge):
    own = dataclasses.replace(classicface.get_scheme("ibug49"), name="mine")
    assert not judge.supports(own)


def test_turning_and_scaling_the_picture_changes_little(judge, astronaut):
    grey, points = astronaut
    plain = judge.check(grey, points, "ibug68")
    turned = np.ascontiguousarray(np.rot90(grey))
    around = np.stack([points[..., 1], grey.shape[1] - 1 - points[..., 0]], axis=-1)
    larger = np.kron(grey, np.ones((3, 3), np.uint8))
    for picture, there in ((turned, around), (larger, 3 * points + 1)):
        checks = judge.check(picture, there.astype(np.float32), "ibug68")
        assert abs(checks.fits[0] - plain.fits[0]) < 0.1
        assert abs(checks.plausibilities[0] - plain.plausibilities[0]) < 0.01
        assert checks.templates[0] @ plain.templates[0] > 0.9


def test_templates_are_normalised_and_know_the_light_from_the_face(judge, astronaut):
    grey, points = astronaut
    checks = judge.check(grey, points, "ibug68")
    assert np.linalg.norm(checks.templates[0]) == pytest.approx(1, abs=1e-5)
    darker = judge.check((grey // 2 + 20).astype(np.uint8), points, "ibug68")
    assert checks.templates[0] @ darker.templates[0] > 0.95
    picture, drawn = draw_face(random_face(1), size=200)
    other = judge.check(check_image(picture), drawn[None], "ibug68")
    assert checks.templates[0] @ other.templates[0] < 0.6


def test_plausibility_tells_torn_shapes(judge, astronaut):
    grey, points = astronaut
    usual = judge.check(grey, points, "ibug68").plausibilities[0]
    assert usual < 2
    noise = np.random.default_rng(0).normal(0, 0.15 * distance(points[0]), points.shape)
    assert judge.check(grey, points + noise.astype(np.float32), "ibug68").plausibilities[0] > 4
    mirrored = points * (-1, 1) + (400, 0)
    assert judge.check(grey, mirrored.astype(np.float32), "ibug68").plausibilities[0] > 4


def test_no_faces(judge, astronaut):
    checks = judge.check(astronaut[0], np.zeros((0, 68, 2), np.float32), "ibug68")
    assert len(checks) == 0
    assert checks.templates.shape[0] == 0


def test_missing_points(judge, astronaut):
    grey, points = astronaut
    few = points.copy()
    few[0, 20:24] = np.nan
    assert judge.check(grey, few, "ibug68").fits[0] > 0.5
    few[0, 17:50] = np.nan
    checks = judge.check(grey, few, "ibug68")
    assert np.isnan(checks.fits[0])
    assert np.isnan(checks.plausibilities[0])
    assert not checks.templates.any()
    jawless = points.copy()
    jawless[0, :17] = np.nan
    assert np.array_equal(
        judge.check(grey, jawless, "ibug68").fits, judge.check(grey, points, "ibug68").fits
    )


def test_points_that_are_no_shape_do_not_fit(judge, astronaut):
    grey, points = astronaut
    together = np.full_like(points, 100.0)
    torn = points.copy()
    torn[0, 30] = 1e6
    checks = judge.check(grey, np.concatenate([together, torn]), "ibug68")
    assert (checks.fits < 0.05).all()
    assert (checks.plausibilities > 4).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (3, 500)])
def test_no_picture_is_too_small(judge, astronaut, shape):
    grey = np.full(shape, 77, np.uint8)
    for factor in (0.001, 0.01, 1.0, 100.0):
        checks = judge.check(grey, astronaut[1] * np.float32(factor), "ibug68")
        assert checks.fits[0] < 0.1


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-3, 0.02, 1.0, 30.0, 3000.0]),
    st.sampled_from([0.0, 100.0, -5e3, 4e5]),
)
def test_points_of_any_size_and_place_are_judged(seed, factor, shift):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, rng.integers(1, 90, 2)).astype(np.uint8)
    points = (rng.random((2, 68, 2)) * 100 * factor + shift).astype(np.float32)
    checks = FaceVerifier.load().check(grey, points, "ibug68")
    assert ((checks.fits >= 0) & (checks.fits <= 1)).all()
    assert np.isfinite(checks.templates).all()
    assert (checks.plausibilities >= 0).all()


def test_a_huge_face_costs_no_more_than_its_pixels(judge, astronaut):
    grey, points = astronaut
    large = np.ascontiguousarray(np.kron(grey, np.ones((6, 6), np.uint8)))
    there = (6 * points + 2.5).astype(np.float32)
    assert judge.check(large, there, "ibug68").fits[0] > 0.8


def test_faces_are_judged_one_by_one(judge, astronaut):
    grey, points = astronaut
    shifted = points + np.float32(40)
    both = judge.check(grey, np.concatenate([points, shifted]), "ibug68")
    assert both.fits[0] == judge.check(grey, points, "ibug68").fits[0]
    assert both.fits[1] == judge.check(grey, shifted, "ibug68").fits[0]


def test_threads_share_a_verifier(judge, astronaut):
    grey, points = astronaut
    sets = [points + np.float32(shift) for shift in range(8)]
    alone = [judge.check(grey, one, "ibug68").fits[0] for one in sets]
    wrong = []

    def work(i):
        fits = [judge.check(grey, sets[i], "ibug68").fits[0] for _ in range(30)]
        wrong.extend(fit != alone[i] for fit in fits)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 240
    assert not any(wrong)


def test_inputs_stay_as_they_are_and_the_verifier_is_frozen(judge, astronaut):
    grey, points = astronaut[0].copy(), astronaut[1].copy()
    grey.setflags(write=False)
    points.setflags(write=False)
    judge.check(grey, points, "ibug68")
    with pytest.raises(dataclasses.FrozenInstanceError):
        judge.last_bias = 0.0
    with pytest.raises(ValueError, match="read-only"):
        judge.biases[0] = 1.0
    assert FaceVerifier.load() is judge


@pytest.mark.parametrize(
    ("landmarks", "scheme", "message"),
    [
        (np.zeros((68, 2)), "ibug68", r"expected \(n, 68, 2\)"),
        (np.zeros((1, 49, 2)), "ibug68", "49 landmarks a face; expected 68"),
        (np.full((1, 68, 2), np.inf), "ibug68", "beyond"),
        (np.zeros((1, 68, 2)), "nonsense", "unknown landmark scheme"),
    ],
)
def test_bad_landmarks_are_refused(judge, landmarks, scheme, message):
    with pytest.raises(InvalidInputError, match=message):
        judge.check(np.zeros((9, 9), np.uint8), landmarks, scheme)


def test_a_missing_or_foreign_file_is_refused(tmp_path):
    with pytest.raises(ModelFormatError, match="no such file"):
        FaceVerifier.load(tmp_path / "none.safetensors")
    with pytest.raises(ModelFormatError, match="no face verifier"):
        FaceVerifier.load(classicface.registry.MODELS["ert68"])


def test_a_damaged_file_is_refused(tmp_path):
    data = FILE.read_bytes()
    path = tmp_path / "fit.safetensors"
    for damaged in (data[:-7], data[:100], b"", data[:-50] + bytes(50)):
        path.write_bytes(damaged)
        with pytest.raises(ModelFormatError):
            FaceVerifier.load(path)
    (length,) = struct.unpack("<Q", data[:8])
    assert json.loads(data[8 : 8 + length])["__metadata__"]["classicface"]


def _without(name):
    return lambda header, tensors: (header, {k: v for k, v in tensors.items() if k != name})


def _with_tensor(name, change):
    return lambda header, tensors: (header, {**tensors, name: change(tensors[name])})


def _with_header(name, value):
    return lambda header, tensors: ({**header, name: value}, tensors)


@pytest.mark.parametrize(
    "change",
    [
        *[_without(name) for name in ("mean", "look", "weights", "biases", "variances")],
        _with_tensor("weights", lambda array: array[:, :-1]),
        _with_tensor("weights", lambda array: array.T),
        _with_tensor("biases", lambda array: array[:-1]),
        _with_tensor("biases", lambda array: array * np.nan),
        _with_tensor("mean", lambda array: array[:-1]),
        _with_tensor("mean", lambda array: array * 0 + 3),
        _with_tensor("offsets", lambda array: array + 1e9),
        _with_tensor("variances", lambda array: -array),
        _with_tensor("components", lambda array: array[:-1]),
        _with_tensor("offsets", lambda array: array[:, :1]),
        _with_tensor("offsets", lambda array: np.array(["x"] * 4).view(np.uint32)),
        _with_header("size", 10**6),
        _with_header("size", 0),
        _with_header("size", "40"),
        _with_header("noise_variance", 0.0),
        _with_header("last_bias", None),
    ],
)
def test_a_file_with_other_content_is_refused(tmp_path, change):
    header, tensors = read_model(FILE)
    path = tmp_path / "fit.safetensors"
    write_model(path, *change(header, tensors))
    with pytest.raises(ModelFormatError, match=r"fit\.safetensors"):
        FaceVerifier.load(path)


def test_points_of_a_model_it_was_not_trained_on(judge, data_dir):
    test = classicface.load_dataset(data_dir / "300w" / "helen" / "testset")
    predictor = classicface.load("cnn68")
    fits = [
        judge.check(image, predictor.predict(image, box), "ibug68").fits[0]
        for image, box in zip(test.images[:40], test.boxes[:40], strict=True)
    ]
    assert np.mean(np.array(fits) > 0.5) > 0.9
