"""``classicface train cnn`` and ``train heatmap``: from annotated faces to a network."""

from __future__ import annotations

from typing import Annotated

import typer

from classicface.cli.train import (
    Boxes,
    Checkpoint,
    Data,
    Jobs,
    Output,
    Scheme,
    Seed,
    Settings,
    SkipFaulty,
    Terms,
    TimeBudget,
    Wanted,
    run,
)

__all__ = ["cnn", "heatmap"]

Preset = Annotated[str, typer.Option(help="fast, default or accurate.")]


def cnn(
    data: Data,
    output: Output,
    preset: Preset = "default",
    settings: Settings = None,
    boxes: Boxes = "auto",
    scheme: Scheme = None,
    skip_faulty: SkipFaulty = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    time_budget: TimeBudget = None,
    checkpoint: Checkpoint = None,
    terms: Terms = None,
) -> None:
    """Train a network that regresses coordinates.

    It mirrors and varies the faces itself.

    Example: [bold]classicface train cnn faces/train -o mine.safetensors --set body=resnet
    --time-budget 30m --resume mine.checkpoint[/bold]
    """
    from classicface.cnn.model import CNNFitter

    wanted = Wanted(data, output, preset, settings, boxes, scheme, None, skip_faulty, jobs, terms)
    run(CNNFitter, "cnn", wanted, seed, time_budget, checkpoint)


def heatmap(
    data: Data,
    output: Output,
    preset: Preset = "default",
    settings: Settings = None,
    boxes: Boxes = "auto",
    scheme: Scheme = None,
    skip_faulty: SkipFaulty = False,
    seed: Seed = 0,
    jobs: Jobs = None,
    time_budget: TimeBudget = None,
    checkpoint: Checkpoint = None,
    terms: Terms = None,
) -> None:
    """Train a network that draws a heatmap for each landmark.

    It mirrors and varies the faces itself.

    Example: [bold]classicface train heatmap faces/train -o mine.safetensors --set epochs=100
    --time-budget 1h --resume mine.checkpoint[/bold]
    """
    from classicface.cnn.heatmap_model import HeatmapFitter

    wanted = Wanted(data, output, preset, settings, boxes, scheme, None, skip_faulty, jobs, terms)
    run(HeatmapFitter, "heatmap", wanted, seed, time_budget, checkpoint)
