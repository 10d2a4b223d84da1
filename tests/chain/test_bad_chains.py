"""Chain files that are damaged or hostile: ModelFormatError, and nothing else."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import classicface
from classicface.chain import ChainFitter
from classicface.chain.model import MAX_DEPTH
from classicface.exceptions import ModelFormatError
from classicface.persistence import read_model, write_model


@pytest.fixture(scope="module")
def content(trees: Any, few: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the header and tensors of a small chain."""
    path = tmp_path_factory.mktemp("chain") / "model.safetensors"
    ChainFitter(trees(), trees(), folds=0, oversampling=2, random_state=0).fit(few).save(path)
    return read_model(path)


def refused(header: Any, tensors: Any, folder: Path, message: str = "damaged") -> None:
    path = folder / "damaged.safetensors"
    write_model(path, header, tensors)
    with pytest.raises(ModelFormatError, match=message) as caught:
        classicface.load(path)
    assert len(str(caught.value)) < 1000


def test_the_whole_chain_loads(content: Any, tmp_path: Path, few: Any) -> None:
    write_model(tmp_path / "good.safetensors", *content)
    loaded = classicface.load(tmp_path / "good.safetensors")
    assert loaded.get_params()["first__n_trees"] == 10
    assert np.isfinite(loaded.predict(few.images[0])).all()


@pytest.mark.parametrize("part", ["first", "second"])
def test_parts_of_another_kind(content: Any, tmp_path: Path, part: str) -> None:
    header, tensors = content
    for value in (None, 3, "ERTFitter", [], {}, [1]):
        refused({**header, part: value}, tensors, tmp_path)
    refused({k: v for k, v in header.items() if k != part}, tensors, tmp_path)
    for name in ("os:system", "PointDistributionModel", None, 3, ["ERTFitter"], "x" * 10**5):
        refused({**header, part: {**header[part], "class": name}}, tensors, tmp_path)
    for key in header[part]:
        short = {k: v for k, v in header[part].items() if k != key}
        refused({**header, part: short}, tensors, tmp_path)
    wrong = {**header[part]["params"], "n_trees": -1}
    refused({**header, part: {**header[part], "params": wrong}}, tensors, tmp_path)


@pytest.mark.parametrize("part", ["first", "second"])
def test_tensors_that_are_missing_or_out_of_range(content: Any, tmp_path: Path, part: str) -> None:
    header, tensors = content
    for name in (name for name in tensors if name.startswith(f"{part}.")):
        rest = {k: v for k, v in tensors.items() if k != name}
        refused(header, rest, tmp_path)
        refused(header, {**rest, name.partition(".")[2]: tensors[name]}, tmp_path)
    name = f"{part}.anchors"
    refused(header, {**tensors, name: np.full_like(tensors[name], 68)}, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("first_error", value) for value in (None, "x", [], [1.0], 10**400)],
        *[("params", value) for value in (None, [], {"first": None}, {"n_jobs": 1}, {"blend": 2})],
        *[("scheme", value) for value in (None, {}, {"name": "points5", "n_landmarks": 5})],
    ],
    ids=lambda value: str(value)[:30],
)
def test_entries_that_do_not_fit(content: Any, tmp_path: Path, name: str, value: Any) -> None:
    refused({**content[0], name: value}, content[1], tmp_path)


def test_a_second_that_cannot_start_from_points(
    content: Any, tmp_path: Path, by_heart: Any, few: Any
) -> None:
    header, tensors = content
    second, arrays = by_heart().fit(few).state()
    arrays = {f"second.{name}": array for name, array in arrays.items()}
    refused({**header, "second": second}, {**tensors, **arrays}, tmp_path, "ByHeart cannot be")
    refused({**header, "second": header}, tensors, tmp_path)


def nested(header: Any, depth: int) -> Any:
    for _ in range(depth):
        header = {**header, "first": header}
    return header


def test_chains_that_are_too_deep(content: Any, tmp_path: Path) -> None:
    header, tensors = copy.deepcopy(content)
    deep = nested(header, MAX_DEPTH - 1)
    arrays = {}
    for name, array in tensors.items():
        arrays |= {"first." * i + name: array for i in range(MAX_DEPTH)}
    write_model(tmp_path / "deep.safetensors", deep, arrays)
    assert isinstance(classicface.load(tmp_path / "deep.safetensors"), ChainFitter)
    refused(nested(header, MAX_DEPTH), tensors, tmp_path, "too deep")
    refused(nested(header, 150), tensors, tmp_path, "too deep")
