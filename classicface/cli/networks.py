"""What the command line shows of a network: its size, and how its training went."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from classicface.cli import common
from classicface.persistence import read_model
from classicface.registry import load, model_path

if TYPE_CHECKING:
    from classicface.cnn.base import NetworkFitter

__all__ = ["load_network", "show"]


def load_network(model: str | Path) -> NetworkFitter | None:
    """Return the network of a model file or of a bundled model; None where it is none."""
    header, _ = read_model(model_path(model))
    if header.get("class") not in ("CNNFitter", "HeatmapFitter"):
        return None
    from classicface.cnn.base import NetworkFitter

    predictor = load(model)
    assert isinstance(predictor, NetworkFitter)
    return predictor


def show(network: NetworkFitter, folder: Path) -> None:
    """Draw the learning curves into a folder, and print what the network is made of."""
    from classicface.plotting import save_figure
    from classicface.plotting.training import plot_learning_curves

    path = folder / "learning-curves.png"
    normalizer = "box" if network.scheme_.outer_eyes is None else "inter-ocular"
    save_figure(plot_learning_curves(network.history_, normalizer=normalizer), path, dpi=110)
    weights = sum(math.prod(shape) for shape in network.graph_.weight_shapes().values())
    last = network.history_[-1]
    print(
        f"{type(network).__name__} for {network.scheme_.n_landmarks} points"
        f" ({network.scheme_.name}): {common.count(len(network.graph_.nodes), 'layer')},"
        f" {weights / 1e6:.2f} million weights, crops of {network.input_size} pixels.\n"
        f"Trained for {common.count(len(network.history_), 'epoch')}; the last loss was"
        f" {last['loss']:.4g}."
    )
    common.say(f"wrote {path}")
