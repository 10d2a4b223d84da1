"""Training networks: it learns, resumes to the same bits, stops when it should."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classicface.cnn.heatmap_model import HeatmapFitter
from classicface.cnn.model import CNNFitter
from classicface.data.dataset import LandmarkDataset
from classicface.data.synthetic import synthetic_faces
from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.metrics import nme

#: A network that trains in a blink.
TINY: dict[str, Any] = {"input_size": 32, "width": 0.5, "depth": 1, "batch_size": 20}

#: An augmentation that changes nothing.
STILL: dict[str, Any] = dict.fromkeys(
    [
        *("rotation", "scale", "shift", "contrast", "brightness", "gamma", "lighting", "blur"),
        *("low_resolution", "noise", "occlusion", "tight"),
    ],
    0.0,
)


class StopError(Exception):
    """What a user's interruption is in these tests."""


@pytest.fixture(scope="module")
def few() -> LandmarkDataset:
    return synthetic_faces(40, random_state=3)


def weights_of(fitter: Any) -> dict[str, Any]:
    return {name: array.tobytes() for name, array in fitter.state_.items()}


def errors(fitter: Any, faces: LandmarkDataset) -> Any:
    return 100 * nme(fitter.predict_many(faces.images, faces.boxes), faces.landmarks)


#: A training that knows nothing but its faces, each always seen in the same way.
BY_HEART: dict[str, Any] = {
    "augmentation": {**STILL, "mirror": False},
    "moving_average": 0.9,
    "weight_decay": 0.0,
    "n_passes": 1,
    "random_state": 0,
}


@pytest.mark.parametrize("body", ["mobile", "plain", "resnet"])
def test_eight_faces_are_learnt_by_heart(body: str) -> None:
    faces = synthetic_faces(8, random_state=1)
    fitter = CNNFitter(
        body=body, input_size=32, width=0.5, depth=1, loss="mae", learning_rate=3e-3, epochs=400,
        **BY_HEART,
    )  # fmt: skip
    assert errors(fitter.fit(faces), faces).max() < 1.0


def test_heatmaps_of_eight_faces_are_learnt() -> None:
    faces = synthetic_faces(8, random_state=1)
    fitter = HeatmapFitter(
        input_size=48, margin=0.15, widths=(16, 24, 32), head_width=32, map_stride=2,
        learning_rate=4e-3, epochs=300, **BY_HEART,
    )  # fmt: skip
    assert errors(fitter.fit(faces), faces).max() < 3.0


def test_training_goes_on_where_it_was_interrupted(few: LandmarkDataset, tmp_path: Path) -> None:
    params = {**TINY, "epochs": 4, "random_state": 0, "dropout": 0.2}
    whole = CNNFitter(**params).fit(few)
    path = tmp_path / "checkpoint.safetensors"

    def interrupt(fraction: float, text: str) -> None:
        if fraction > 0.6:
            raise StopError

    with pytest.raises(StopError):
        CNNFitter(**params, checkpoint=str(path)).fit(few, progress=interrupt)
    assert path.exists()
    seen: list[str] = []
    resumed = CNNFitter(**params, checkpoint=str(path)).fit(
        few, progress=lambda fraction, text: seen.append(text)
    )
    assert not path.exists()
    assert not any(text.startswith(("epoch 0", "epoch 1")) for text in seen)
    assert weights_of(resumed) == weights_of(whole)
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in resumed.history_]
    assert rows == [{k: v for k, v in row.items() if k != "seconds"} for row in whole.history_]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]


def test_the_checkpoint_of_another_training_is_refused(
    few: LandmarkDataset, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.safetensors"

    def interrupt(fraction: float, text: str) -> None:
        if fraction > 0.6:
            raise StopError

    params = {**TINY, "epochs": 3, "random_state": 0, "checkpoint": str(path)}
    with pytest.raises(StopError):
        CNNFitter(**params).fit(few, progress=interrupt)
    before = path.read_bytes()
    for change in ({"random_state": 1}, {"epochs": 5}, {"loss": "mae"}):
        with pytest.raises(ModelFormatError, match="another training"):
            CNNFitter(**{**params, **change}).fit(few)
    with pytest.raises(ModelFormatError, match="another training"):
        CNNFitter(**params).fit(few.subset(range(39)))
    assert path.read_bytes() == before
    path.write_bytes(before[:-100])
    with pytest.raises(ModelFormatError):
        CNNFitter(**params).fit(few)


def test_the_time_budget_shortens_the_schedule(few: LandmarkDataset) -> None:
    fitter = CNNFitter(**TINY, epochs=100_000, time_budget=2.0, random_state=0).fit(few)
    assert fitter.history_[-1]["seconds"] < 4
    assert len(fitter.history_) < 5000
    assert fitter.history_[-1]["rate"] < 0.1 * fitter.learning_rate


def test_early_stopping_keeps_the_best_epoch(few: LandmarkDataset) -> None:
    fitter = CNNFitter(
        **TINY, epochs=200, validation=0.25, patience=3, learning_rate=0.05, random_state=0
    ).fit(few)
    scores = [row["validation"] for row in fitter.history_]
    assert len(scores) < 200
    assert int(np.argmin(scores)) == len(scores) - 1 - 3


def test_a_training_that_diverges_says_so(few: LandmarkDataset) -> None:
    fitter = CNNFitter(
        **TINY, epochs=50, optimiser="sgd", schedule="constant", learning_rate=100.0,
        clip_norm=0.0, loss="mse", warm_up=0.0,
    )  # fmt: skip
    with np.errstate(all="ignore"), pytest.raises(InvalidInputError, match="learning_rate"):
        fitter.fit(few)


def test_missing_points_are_learnt_around(few: LandmarkDataset) -> None:
    landmarks = few.landmarks.copy()
    landmarks[::2, 5] = np.nan
    for fitter in (
        CNNFitter(**TINY, epochs=2, random_state=0),
        HeatmapFitter(input_size=32, widths=(8, 16), epochs=2, random_state=0),
    ):
        fitter.fit(few.images, landmarks, few.boxes)
        assert np.isfinite(fitter.predict(few.images[0], few.boxes[0])).all()


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "constant"])
def test_every_optimiser_and_schedule_lowers_the_loss(
    few: LandmarkDataset, optimiser: str, schedule: str
) -> None:
    fitter = CNNFitter(
        **TINY, epochs=15, optimiser=optimiser, schedule=schedule, random_state=0,
        learning_rate=0.03 if optimiser == "sgd" else 5e-3, augmentation=STILL, warm_up=0.1,
    ).fit(few)  # fmt: skip
    assert fitter.history_[-1]["loss"] < 0.9 * fitter.history_[0]["loss"]


def test_each_epoch_is_logged(few: LandmarkDataset, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "classicface"):
        CNNFitter(**TINY, epochs=2, validation=0.2, random_state=0).fit(few)
    texts = [record.getMessage() for record in caplog.records]
    assert texts[0].startswith("epoch 1 of 2, loss ")
    assert texts[1].endswith(" %")
