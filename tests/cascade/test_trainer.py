"""Training a whole cascade: the same bits every time, checkpoints, time budget, progress."""

import logging
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import classicface
from classicface.exceptions import DataFormatError, ModelFormatError, NotFittedError
from classicface.persistence import read_model, write_model

N_TREES = 8  # those of the tiny cascade, in each of 3 stages


class StopError(Exception):
    """Raised by a progress callback to interrupt training."""


def stop_after(n_trees):
    calls = iter(range(1, 10**9))

    def progress(fraction, text):
        if next(calls) == n_trees:
            raise StopError

    return progress


def saved(fitter, tmp_path):
    path = tmp_path / "saved.safetensors"
    fitter.save(path)
    return path.read_bytes()


@pytest.fixture
def checkpoint(tmp_path):
    return str(tmp_path / "checkpoint")


@pytest.fixture
def interrupted(tiny, few, checkpoint):
    """Return the path of the checkpoint that a training left in the middle of its last stage."""
    with pytest.raises(StopError):
        tiny(checkpoint=checkpoint).fit(few, progress=stop_after(2 * N_TREES + 3))
    return Path(checkpoint)


def test_the_same_bits_on_any_number_of_threads(tiny, few, fitted, tmp_path):
    for n_jobs in (1, 2, None):
        assert saved(tiny(n_jobs=n_jobs).fit(few), tmp_path) == saved(fitted, tmp_path)


def test_another_seed_gives_another_model(tiny, few, fitted):
    other = tiny(random_state=1).fit(few)
    assert not np.array_equal(other.cascade_.splits, fitted.cascade_.splits)
    assert not np.array_equal(other.cascade_.leaves, fitted.cascade_.leaves)


def test_a_generator_counts_as_the_seed_that_made_it(tiny, few, fitted):
    other = tiny(random_state=np.random.default_rng(0)).fit(few)
    np.testing.assert_array_equal(other.cascade_.leaves, fitted.cascade_.leaves)


def test_training_leaves_the_global_state_alone(tiny, few):
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    blas = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
    threads = threading.active_count()
    tiny(n_jobs=2).fit(few)
    with pytest.raises(StopError):
        tiny(n_jobs=2).fit(few, progress=stop_after(3))
    assert threading.active_count() == threads
    assert [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()] == blas
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_several_trainings_at_a_time(tiny, few, fitted, tmp_path):
    """They take turns, and leave BLAS the threads that it had."""
    blas = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
    with ThreadPoolExecutor(3) as pool:
        models = list(pool.map(lambda _: tiny(n_jobs=2).fit(few), range(9)))
    assert all(saved(model, tmp_path) == saved(fitted, tmp_path) for model in models)
    assert [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()] == blas


def test_the_threads_of_blas_change_no_bit(tiny, few, tmp_path):
    landmarks = few.landmarks.copy()
    landmarks[np.random.default_rng(0).random(landmarks.shape[:2]) < 0.3] = np.nan
    files = []
    for n_threads in (1, 2, 4):
        with threadpool_limits(n_threads, user_api="blas"):
            files.append(saved(tiny().fit(few.images, landmarks, few.boxes), tmp_path))
    assert files[0] == files[1] == files[2]


def test_progress_rises_to_one(tiny, few):
    calls = []
    tiny().fit(few, progress=lambda fraction, text: calls.append((fraction, text)))
    fractions = [fraction for fraction, _ in calls]
    np.testing.assert_allclose(fractions, np.arange(1, 3 * N_TREES + 1) / (3 * N_TREES))
    assert calls[-1][1] == "stage 3 of 3"


def test_the_training_error_is_that_of_the_samples(fitted):
    assert len(fitted.train_error_) == 3
    assert all(b < a for a, b in zip(fitted.train_error_, fitted.train_error_[1:], strict=False))


def test_an_interrupted_training_leaves_no_half_fitted_predictor(tiny, few, fitted, tmp_path):
    fitter = tiny()
    with pytest.raises(StopError):
        fitter.fit(few, progress=stop_after(12))
    with pytest.raises(NotFittedError):
        fitter.predict(few.images[0])
    again = tiny().fit(few)
    with pytest.raises(StopError):
        again.fit(few.subset([0, 1]), progress=stop_after(12))
    assert saved(again, tmp_path) == saved(fitted, tmp_path)


@pytest.mark.parametrize("n_trees", [3, N_TREES, N_TREES + 1, 2 * N_TREES + 5, 3 * N_TREES])
def test_resuming_gives_the_uninterrupted_model(tiny, few, fitted, checkpoint, tmp_path, n_trees):
    with pytest.raises(StopError):
        tiny(checkpoint=checkpoint).fit(few, progress=stop_after(n_trees))
    done = (n_trees - 1) // N_TREES
    assert Path(checkpoint).exists() == (done > 0)
    fractions = []
    resumed = tiny(checkpoint=checkpoint, n_jobs=2)
    resumed.fit(few, progress=lambda fraction, _: fractions.append(fraction))
    assert fractions[0] == pytest.approx((done * N_TREES + 1) / (3 * N_TREES))
    assert saved(resumed, tmp_path) == saved(fitted, tmp_path)
    assert resumed.train_error_ == fitted.train_error_
    assert [path.name for path in tmp_path.iterdir()] == ["saved.safetensors"]


def test_a_training_may_stop_more_than_once(tiny, few, fitted, checkpoint, tmp_path):
    for n_trees in (N_TREES + 1, 2, N_TREES + 1):
        with pytest.raises(StopError):
            tiny(checkpoint=checkpoint).fit(few, progress=stop_after(n_trees))
    resumed = tiny(checkpoint=checkpoint).fit(few)
    assert saved(resumed, tmp_path) == saved(fitted, tmp_path)


def test_what_does_not_shape_the_trees_may_change(tiny, few, fitted, interrupted):
    changes = {"n_starts": 3, "flip": True, "time_budget": 1000.0, "n_jobs": 2}
    resumed = tiny(checkpoint=interrupted, **changes).fit(few)
    np.testing.assert_array_equal(resumed.cascade_.leaves, fitted.cascade_.leaves)


@pytest.mark.parametrize(
    "change",
    [{"random_state": 1}, {"n_trees": 9}, {"shrinkage": 0.2}, {"noise": 0.0}, {"n_stages": 4}],
    ids=str,
)
def test_the_checkpoint_of_another_run_is_refused_and_kept(tiny, few, interrupted, change):
    before = interrupted.read_bytes()
    with pytest.raises(ModelFormatError, match="the checkpoint of another training"):
        tiny(checkpoint=str(interrupted), **change).fit(few)
    assert interrupted.read_bytes() == before


def test_the_checkpoint_of_other_data_is_refused_and_kept(tiny, few, interrupted):
    before = interrupted.read_bytes()
    moved = few.landmarks.copy()
    moved[0, 0, 0] += 0.5
    darker = [image // 2 for image in few.images]
    for images, landmarks, boxes in [
        (few.images, moved, few.boxes),
        (darker, few.landmarks, few.boxes),
        (few.images, few.landmarks, few.boxes + np.float32(1)),
        (few.images[:7], few.landmarks[:7], few.boxes[:7]),
    ]:
        with pytest.raises(ModelFormatError, match="another training"):
            tiny(checkpoint=str(interrupted)).fit(images, landmarks, boxes)
    assert interrupted.read_bytes() == before


def test_a_damaged_checkpoint_is_refused_and_kept(tiny, few, interrupted):
    whole = interrupted.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (b"", whole[:100], whole[:-1], bytes(flipped), pickle.dumps([1]), b"{}"):
        interrupted.write_bytes(content)
        with pytest.raises(ModelFormatError):
            tiny(checkpoint=str(interrupted)).fit(few)
        assert interrupted.read_bytes() == content


def test_a_model_is_no_checkpoint_and_a_checkpoint_no_model(tiny, few, fitted, interrupted):
    with pytest.raises(ModelFormatError, match="ERTFitter checkpoint"):
        classicface.load(interrupted)
    fitted.save(interrupted)
    model = interrupted.read_bytes()
    with pytest.raises(ModelFormatError, match="another training"):
        tiny(checkpoint=str(interrupted)).fit(few)
    assert interrupted.read_bytes() == model


def test_a_checkpoint_that_cannot_be_written_is_told(tiny, few, tmp_path):
    with pytest.raises(DataFormatError, match="cannot be written"):
        tiny(checkpoint=tmp_path / "missing" / "checkpoint").fit(few)
    with pytest.raises(ModelFormatError):
        tiny(checkpoint=tmp_path).fit(few)
    assert list(tmp_path.iterdir()) == []


def test_a_time_budget_is_kept_and_gives_a_working_model(tiny, few, tmp_path, caplog):
    fitter = tiny(n_stages=1000, n_trees=30, oversampling=40, time_budget=1.0)
    start = time.monotonic()
    with caplog.at_level(logging.INFO, "classicface.cascade.trainer"):
        fitter.fit(few)
    assert time.monotonic() - start < 6
    n_stages = fitter.cascade_.n_stages
    assert 1 <= n_stages < 1000
    assert f"time budget spent after {n_stages} stages" in caplog.text
    assert "pairs are tried at each split" in caplog.text
    assert len(fitter.train_error_) == n_stages
    fitter.save(tmp_path / "model.safetensors")
    loaded = classicface.load(tmp_path / "model.safetensors")
    found = loaded.predict_many(few.images, few.boxes)
    assert np.isfinite(found).all()
    sides = np.ptp(few.landmarks, axis=1).max(axis=1)
    assert np.mean(np.linalg.norm(found - few.landmarks, axis=2).mean(axis=1) / sides) < 0.05


def test_a_generous_time_budget_changes_nothing(tiny, few, fitted):
    other = tiny(time_budget=1000.0).fit(few)
    np.testing.assert_array_equal(other.cascade_.leaves, fitted.cascade_.leaves)


def test_a_generator_is_told_by_what_it_would_draw(tiny, few, fitted, checkpoint, tmp_path):
    """As after a restart of the program: another generator of the same seed takes up the run."""
    with pytest.raises(StopError):
        tiny(checkpoint=checkpoint, random_state=np.random.default_rng(0)).fit(
            few, progress=stop_after(N_TREES + 1)
        )
    with pytest.raises(ModelFormatError, match="another training"):
        tiny(checkpoint=checkpoint, random_state=np.random.default_rng(1)).fit(few)
    resumed = tiny(checkpoint=checkpoint, random_state=np.random.default_rng(0)).fit(few)
    np.testing.assert_array_equal(resumed.cascade_.leaves, fitted.cascade_.leaves)


def test_a_crafted_checkpoint_is_our_error(tiny, few, interrupted):
    header, tensors = read_model(interrupted)
    changed_headers = [
        {**header, **change}
        for change in (
            {"digest": None},
            {"errors": 3},
            {"errors": []},
            {"errors": [0.1] * 9},
            {"random_state": None},
            {"random_state": {"bit_generator": "PCG64"}},
            {"seconds": "long"},
            {"seconds": 10**400},
        )
    ]
    changed_headers += [
        {key: value for key, value in header.items() if key != name}
        for name in ("class", "digest", "errors", "random_state", "seconds")
    ]
    contents = [(changed, tensors) for changed in changed_headers]
    for name, array in tensors.items():
        contents += [
            (header, {key: value for key, value in tensors.items() if key != name}),
            (header, {**tensors, name: array[:-1]}),
            (header, {**tensors, name: array.astype(np.float64).ravel()}),
        ]
    for name, value in (
        ("0.splits", 40),
        ("1.splits", 40 << 10),
        ("1.splits", -1),
        ("0.anchors", 68),
        ("0.anchors", -1),
        ("0.offsets", np.nan),
        ("1.directions", np.inf),
    ):
        array = tensors[name].copy()
        array.flat[-1] = value
        contents.append((header, {**tensors, name: array}))
    for changed, arrays in contents:
        write_model(interrupted, changed, arrays)
        before = interrupted.read_bytes()
        with pytest.raises(ModelFormatError, match="checkpoint"):
            tiny(checkpoint=str(interrupted)).fit(few)
        assert interrupted.read_bytes() == before


def fit_from(fitter, few, starts, progress):
    fitter.check_params()
    fitter._fit_from(few.images, few.landmarks, few.boxes, few.scheme, progress, starts)
    fitter.scheme_, fitter.provenance_, fitter.accuracy_ = few.scheme, {}, {}
    return fitter


def test_a_training_from_given_starts_resumes_from_these_alone(tiny, few, checkpoint, tmp_path):
    starts = np.stack([few.landmarks + np.float32(i) for i in range(4)], axis=1)
    whole = fit_from(tiny(), few, starts, lambda *_: None)
    with pytest.raises(StopError):
        fit_from(tiny(checkpoint=checkpoint), few, starts, stop_after(2 * N_TREES + 3))
    for others in (starts + 1, starts[:, :3]):
        with pytest.raises(ModelFormatError, match="another training"):
            fit_from(tiny(checkpoint=checkpoint), few, others, lambda *_: None)
    resumed = fit_from(tiny(checkpoint=checkpoint), few, starts, lambda *_: None)
    assert saved(resumed, tmp_path) == saved(whole, tmp_path)
