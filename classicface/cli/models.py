"""``classicface models``: the bundled models, their accuracy and the terms of their use."""

from __future__ import annotations

from typing import Any

from classicface.cli import common

__all__ = ["command"]


def command() -> None:
    """List the bundled models: class, points, size, accuracy, terms of use.

    Example: [bold]classicface models[/bold]
    """
    from classicface.persistence import read_model
    from classicface.registry import DEFAULT_MODEL, MODELS

    if not MODELS:
        common.say("no model is bundled with this installation")
        return
    table = common.new_table("name", "class", "points", "size", "accuracy", "terms")
    for name, path in MODELS.items():
        header, _ = read_model(path)
        table.add_row(
            name + (" (default)" if name == DEFAULT_MODEL else ""),
            header["class"],
            str(header["scheme"]["n_landmarks"]),
            common.size_text(path.stat().st_size),
            accuracy_text(header["accuracy"]),
            str(header["provenance"].get("terms", "not stated")),
        )
    common.print_table(table)


def accuracy_text(accuracy: dict[str, Any]) -> str:
    """Return the measured accuracy with its normaliser and data, as far as the model says it."""
    for key, normalizer in (
        ("nme_interocular_mean", "inter-ocular"),
        ("nme_interpupil_mean", "inter-pupil"),
        ("nme_box_mean", "landmark box"),
    ):
        if accuracy.get(key) is not None:
            where = f" on {accuracy['data']}" if "data" in accuracy else ""
            return f"NME {accuracy[key]:.2f} % ({normalizer}){where}"
    return "not measured"
