"""``classicface train cnn``, ``heatmap`` and ``chain``, and ``show`` of a network."""

from pathlib import Path

import numpy as np
import pytest

import classicface
from classicface.chain import ChainFitter
from classicface.cli import main
from classicface.cnn.heatmap_model import HeatmapFitter
from classicface.cnn.model import CNNFitter

CNN = ["--set", "input_size=32", "--set", "width=0.5", "--set", "epochs=2", "--set", "depth=1"]
HEATMAP = ["--set", "input_size=32", "--set", "widths=[8,16]", "--set", "epochs=2"]


def train(technique: str, folder: Path, output: Path, *more: str) -> int:
    return main(["train", technique, str(folder), "-o", str(output), *more])


@pytest.mark.parametrize(
    ("technique", "settings", "cls"),
    [("cnn", CNN, CNNFitter), ("heatmap", HEATMAP, HeatmapFitter)],
)
def test_networks(
    technique: str,
    settings: list[str],
    cls: type,
    face_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, checkpoint = tmp_path / "model.safetensors", tmp_path / "checkpoint"
    more = ["--seed", "3", "--resume", str(checkpoint), "--time-budget", "10m"]
    assert train(technique, face_folder, output, *settings, *more) == 0
    err = capsys.readouterr().err
    assert "10 faces to train on" in err  # the network mirrors faces itself
    assert not checkpoint.exists()
    model = classicface.load(output)
    assert type(model) is cls
    assert model.provenance_["command"] == (
        f"classicface train {technique} faces --preset default"
        f" {' '.join(settings)} --seed 3 --time-budget 10m"
    )
    folder = tmp_path / "pictures"
    assert main(["show", str(output), "-o", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{cls.__name__} for 68 points (ibug68): ")
    assert "Trained for 2 epochs; the last loss was " in out
    assert [path.name for path in folder.iterdir()] == ["learning-curves.png"]


def test_parameters_of_networks_are_checked_before_the_data_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "model.safetensors"
    nowhere = tmp_path / "nowhere"
    assert train("cnn", nowhere, output, "--set", "epoch=2") == 2
    assert "did you mean epochs?" in capsys.readouterr().err
    assert train("cnn", nowhere, output, "--set", "checkpoint=x") == 2
    assert "use --checkpoint" in capsys.readouterr().err
    assert train("heatmap", nowhere, output, "--set", "input_size=100") == 2
    assert "multiple of 32" in capsys.readouterr().err


def test_a_chain_of_two_techniques(face_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.safetensors"
    settings = [
        *("--set", "first__face_sizes=[30.0,60.0]", "--set", "first__n_appearance=5"),
        *("--set", "second__n_stages=2", "--set", "second__n_trees=5", "--set", "folds=2"),
    ]
    assert train("chain", face_folder, output, "--second", "ert", *settings) == 0
    chain = classicface.load(output)
    assert isinstance(chain, ChainFitter)
    assert type(chain.second_).__name__ == "ERTFitter"
    assert chain.provenance_["command"].startswith(
        "classicface train chain faces --first aam --second ert --preset default --set first__"
    )


def test_a_chain_that_starts_from_a_model_file(
    face_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, output = tmp_path / "first.safetensors", tmp_path / "model.safetensors"
    assert train("cnn", face_folder, first, *CNN) == 0
    settings = ["--set", "second__face_sizes=[40.0]", "--set", "second__oversampling=2"]
    more = ["--set", "folds=0", "--set", "oversampling=2", "--first", str(first)]
    assert train("chain", face_folder, output, *more, *settings) == 0
    chain, alone = classicface.load(output), classicface.load(first)
    assert isinstance(chain, ChainFitter)
    image = classicface.read_image(face_folder / "face0.png")
    assert np.array_equal(chain.first_.predict(image), alone.predict(image))
    capsys.readouterr()
    assert train("chain", face_folder, output, "--first", "nothing") == 2
    assert "nothing: no such model file" in capsys.readouterr().err
