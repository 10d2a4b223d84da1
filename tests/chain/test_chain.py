"""ChainFitter: the second starts where the first ends, and learns from its errors on new faces."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import classicface
from classicface.aam.model import AAMFitter
from classicface.asm.model import ASMFitter
from classicface.chain import ChainFitter
from classicface.chain.model import MAX_DEPTH
from classicface.exceptions import InvalidInputError, NotFittedError


def predict_all(predictor: Any, faces: Any) -> Any:
    return predictor.predict_many(faces.images, faces.boxes, n_jobs=1)


def mean_error(found: Any, faces: Any) -> float:
    return float(np.linalg.norm(found - faces.landmarks, axis=2).mean())


def saved(predictor: Any, folder: Path) -> bytes:
    path = folder / "saved.safetensors"
    predictor.save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def chain(trees: Any, faces: Any) -> ChainFitter:
    """Return a fitted chain of two cascades; it is immutable."""
    second = trees(n_trees=20, n_candidates=16)
    fitter = ChainFitter(trees(), second, folds=2, random_state=0, n_jobs=1)
    return fitter.fit(faces.subset(range(30)))


def test_better_than_its_first_alone_on_new_faces(chain: Any, faces: Any) -> None:
    new = faces.subset(range(30, 40))
    alone = mean_error(predict_all(chain.first_, new), new)
    assert mean_error(predict_all(chain, new), new) < 0.9 * alone


@pytest.mark.parametrize(
    "second",
    [
        ASMFitter(face_sizes=(30.0,), n_iterations=1, patch_side=3, rings=(), n_folds=3, n_jobs=1),
        AAMFitter(face_sizes=(40.0,), n_appearance=10, n_jobs=1),
    ],
    ids=lambda second: type(second).__name__,
)
def test_shape_models_mend_what_the_first_found(
    trees: Any, faces: Any, second: Any, tmp_path: Path
) -> None:
    train, new = faces.subset(range(30)), faces.subset(range(30, 40))
    chain = ChainFitter(trees(), second, folds=2, oversampling=3, random_state=0, n_jobs=1)
    chain.fit(train)
    alone = mean_error(predict_all(chain.first_, new), new)
    assert mean_error(predict_all(chain, new), new) < 0.9 * alone
    chain.save(tmp_path / "chain.safetensors")
    loaded = classicface.load(tmp_path / "chain.safetensors")
    np.testing.assert_array_equal(predict_all(loaded, new), predict_all(chain, new))


@pytest.mark.parametrize("flip", [False, True])
def test_a_second_that_hardly_moves_returns_the_points_of_the_first(
    trees: Any, few: Any, flip: bool
) -> None:
    second = trees(n_stages=1, n_trees=1, shrinkage=1e-6, flip=flip)
    chain = ChainFitter(trees(), second, folds=0, random_state=0, n_jobs=1).fit(few)
    expected = predict_all(chain.first_, few)
    np.testing.assert_allclose(predict_all(chain, few), expected, atol=1e-3)


def test_the_start_decides_where_the_second_ends(trees: Any, few: Any, chain: Any) -> None:
    image, start = few.images[0], few.landmarks[:1]
    here = chain.second_._refine(image, start)
    there = chain.second_._refine(image, start + np.float32([9, 0]))
    assert not np.array_equal(here, there)
    assert chain.second_._refine(image, start[:0]).shape == (0, 68, 2)


def test_a_mirrored_face_ends_at_the_mirrored_points(trees: Any, few: Any) -> None:
    second = trees(flip=True)
    chain = ChainFitter(trees(), second, folds=0, random_state=0, n_jobs=1)
    chain.fit(few.with_mirror())
    image, start, scheme = few.images[0], few.landmarks[0] + np.float32(3), few.scheme
    found = chain.second_._refine(image, start[None])[0]
    turned = scheme.mirror_points(start, image.shape[1])
    mirrored = np.ascontiguousarray(image[:, ::-1])
    back = chain.second_._refine(mirrored, np.float32(turned)[None])[0]
    np.testing.assert_allclose(scheme.mirror_points(back, image.shape[1]), found, atol=0.8)


def test_blend_mixes_the_two(chain: Any, few: Any) -> None:
    changed = classicface.chain.ChainFitter.from_state(*chain.state())
    first, second = predict_all(chain.first_, few), predict_all(chain, few)
    np.testing.assert_array_equal(predict_all(changed, few), second)
    for share in (0.25, 1.0):
        mixed = predict_all(changed.set_params(blend=share), few)
        np.testing.assert_allclose(mixed, second + share * (first - second), atol=1e-3)


def test_folds_show_the_errors_of_new_faces(stub: Any, few: Any) -> None:
    """A first that learns by heart makes no errors on its own faces, and no fool of the chain."""
    for faces in (few, few.with_mirror()):
        assert stub(folds=0).fit(faces).first_error_ < 1e-6
        fooled = stub(folds=5).fit(faces.images, faces.landmarks, faces.boxes)
        assert fooled.first_error_ > 0.01
        distances = np.linalg.norm(fooled.second_.starts_ - faces.landmarks[:, None], axis=-1)
        assert distances.mean(axis=(1, 2)).min() > 0.1


def test_faces_of_a_group_are_left_out_together(stub: Any, few: Any, by_heart: Any) -> None:
    seen: list[int] = []

    class Counts(by_heart):  # type: ignore[misc]
        def _fit(self, images: Any, *others: Any) -> None:
            seen.append(len(images))
            super()._fit(images, *others)

    groups = ["a"] * 6 + ["b"] * 3 + [None]
    data = few.subset(range(10))
    data.groups = groups
    for fit in (
        lambda chain: chain.fit(data),
        lambda chain: chain.fit(data, groups=groups),
        lambda chain: chain.fit(few.images, few.landmarks, few.boxes, groups=groups),
    ):
        seen.clear()
        chain = fit(stub(first=Counts(), folds=3))
        assert seen[0] == 10
        assert sorted(seen[1:]) == [4, 7, 9]
        assert not hasattr(chain, "_groups")


def test_a_first_that_is_kept_is_not_trained(stub: Any, few: Any, by_heart: Any) -> None:
    first = by_heart().fit(few.subset(range(5)))
    chain = stub(first=first, refit_first=False, folds=0)
    copied = clone(chain)
    assert copied.first is first
    assert copied.second is not chain.second
    chain.fit(few)
    assert chain.first_ is first
    assert chain.first_error_ > 0
    known = len(first.known_)
    assert stub(first=first, refit_first=False, folds=2).fit(few).first_ is first
    assert len(first.known_) == known
    with pytest.raises(NotFittedError):
        stub(refit_first=False).fit(few)
    with pytest.raises(InvalidInputError, match="points of ibug68, the faces have those of"):
        stub(first=first, refit_first=False).fit(few.images, few.landmarks[:, :5], few.boxes)


def test_only_the_training_on_all_faces_has_a_checkpoint(
    stub: Any, few: Any, by_heart: Any
) -> None:
    """The stub's checkpoint says how many faces it may see."""
    stub(first=by_heart(checkpoint=10), folds=5).fit(few)
    inner = stub(first=by_heart(checkpoint=10), folds=0)
    assert stub(first=inner, folds=5).fit(few).first_.first.checkpoint == 10


def test_parameters_reach_the_parts(trees: Any) -> None:
    chain = ChainFitter(trees(n_trees=7), trees(n_trees=8), folds=3)
    params = chain.get_params()
    assert (params["first__n_trees"], params["second__n_trees"], params["folds"]) == (7, 8, 3)
    chain.set_params(second__n_trees=9)
    assert clone(chain).second.n_trees == 9
    assert clone(chain).first is not chain.first


def test_the_same_bits_on_any_number_of_threads(
    chain: Any, trees: Any, few: Any, tmp_path: Path
) -> None:
    def fit(**changes: Any) -> bytes:
        parts = (trees(n_jobs=changes["n_jobs"]) for _ in range(2))
        fitter = ChainFitter(*parts, **{"folds": 2, "random_state": 0, **changes})
        return saved(fitter.fit(few), tmp_path)

    once = fit(n_jobs=1)
    assert fit(n_jobs=2) == once
    assert fit(n_jobs=None) == once
    assert fit(n_jobs=1, random_state=1) != once


def test_a_chain_within_a_chain(chain: Any, trees: Any, few: Any, tmp_path: Path) -> None:
    inner = ChainFitter(trees(), trees(), folds=2, oversampling=2, random_state=0)
    outer = ChainFitter(inner, trees(), folds=2, oversampling=2, random_state=0).fit(few)
    once = saved(outer, tmp_path)
    loaded = classicface.load(tmp_path / "saved.safetensors")
    np.testing.assert_array_equal(predict_all(loaded, few), predict_all(outer, few))
    assert saved(loaded, tmp_path) == once
    assert isinstance(loaded.first_, ChainFitter)
    again = clone(loaded).fit(few)
    assert saved(again, tmp_path) == once


def test_progress_rises_to_one(stub: Any, trees: Any, few: Any) -> None:
    told: list[tuple[float, str]] = []
    stub(first=trees(), second=trees(), folds=2).fit(few, progress=lambda *a: told.append(a))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {text.partition(":")[0] for _, text in told} == {
        *("first", "second"),
        *("first without part 1 of 2", "first without part 2 of 2"),
    }


def test_missing_landmarks_are_filled_in(stub: Any, trees: Any, few: Any) -> None:
    landmarks = few.landmarks.copy()
    landmarks[np.random.default_rng(0).random(landmarks.shape[:2]) < 0.2] = np.nan
    chain = stub(first=trees(), second=trees(), folds=2, noise=0.5)
    chain.fit(few.images, landmarks, few.boxes)
    assert np.isfinite(chain.first_error_)
    assert np.isfinite(predict_all(chain, few)).all()


def test_points_of_a_damaged_first_are_no_trouble(chain: Any, few: Any) -> None:
    class Lost(type(chain.first_)):  # type: ignore[misc]
        def _predict(self, image: Any, boxes: Any) -> Any:
            return np.tile(np.float32([[np.nan, np.inf], [-np.inf, 3e38]]), (len(boxes), 34, 1))

    lost = ChainFitter.from_state(*chain.state())
    lost.first_ = Lost(**chain.first_.get_params())
    with np.errstate(all="ignore"):
        assert lost.predict(few.images[0], few.boxes[0]).shape == (1, 68, 2)


BAD_PARAMETERS: list[tuple[str, Any]] = [
    *[("folds", value) for value in (-1, 1001, 2.5, "x", None, True)],
    *[("oversampling", value) for value in (0, 1001, 2.5, None)],
    *[(name, value) for name in ("shift_jitter", "scale_jitter") for value in (-0.1, 0.5, "x")],
    *[("noise", value) for value in (-0.1, 11, np.nan, None)],
    *[("blend", value) for value in (-0.1, 1.1, np.nan, "x")],
    *[("refit_first", value) for value in (None, 1, "yes")],
    *[("random_state", value) for value in (-1, 1.5, "x")],
    *[("first", value) for value in (3, "AAMFitter", AAMFitter)],
    *[("second", value) for value in (3, "ERTFitter", ChainFitter())],
    *[("first__n_trees", 0), ("second__n_trees", 0)],
]


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS, ids=str)
def test_bad_parameters_are_named(trees: Any, few: Any, name: str, value: Any) -> None:
    chain = ChainFitter(trees(), trees()).set_params(**{name: value})
    with pytest.raises(InvalidInputError, match=rf"\b{name.split('__')[-1]} is "):
        chain.fit(few)


def test_chains_are_not_too_deep(trees: Any, few: Any) -> None:
    chain: Any = trees()
    for _ in range(MAX_DEPTH):
        chain = ChainFitter(chain, trees())
    chain.check_params()
    with pytest.raises(InvalidInputError, match="more than 8 deep"):
        ChainFitter(chain).fit(few)
    chain = ChainFitter()
    chain.first = chain
    with pytest.raises(InvalidInputError, match="more than 8 deep"):
        chain.fit(few)


def test_one_group_cannot_be_left_out(stub: Any, few: Any) -> None:
    one = few.subset([0]).with_mirror()
    with pytest.raises(InvalidInputError, match="folds is 5, but the faces are of one group"):
        stub().fit(one)
    stub(folds=0).fit(one)
    with pytest.raises(InvalidInputError, match="3 groups for 10 images"):
        stub().fit(few, groups=[1, 2, 3])


def test_without_parts_it_takes_the_defaults() -> None:
    chain = ChainFitter()
    chain.check_params()
    assert isinstance(clone(chain)._second(), ASMFitter)
    with pytest.raises(NotFittedError):
        chain.predict(np.zeros((9, 9), np.uint8))


def test_every_parameter_is_documented() -> None:
    for name in inspect.signature(ChainFitter).parameters:
        assert name in (ChainFitter.__doc__ or "")
