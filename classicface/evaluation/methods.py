"""The methods of a comparison: bundled models, files and outside models, or trained here."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classicface.exceptions import InvalidInputError
from classicface.peers import is_peer, load_peer
from classicface.predictor import LandmarkPredictor, Progress
from classicface.registry import MODELS, TECHNIQUES, load, predictor_class

if TYPE_CHECKING:
    from classicface.data.dataset import LandmarkDataset

__all__ = [
    "TRAINED",
    "Method",
    "as_methods",
    "load_method",
    "load_methods",
    "train_methods",
    "unfitted",
]

#: What `train_methods` trains where nothing is named: what takes minutes, not hours.
TRAINED = ("ert", "asm", "aam")

#: Techniques that learn from mirrored faces too; networks mirror faces themselves.
_MIRRORED = ("aam", "asm", "dlib", "ert")


@dataclass(frozen=True, eq=False)
class Method:
    """A predictor in a comparison.

    Parameters
    ----------
    name : str
        What the report calls it.
    spec : str
        How it was asked for.
    predictor : LandmarkPredictor
    training_seconds : float or None
        How long it was trained, where that was measured.
    """

    name: str
    spec: str
    predictor: LandmarkPredictor
    training_seconds: float | None = None


def load_method(spec: str) -> Method:
    """Load one method.

    Parameters
    ----------
    spec : str
        The name of a bundled model; a file of ours or of dlib's ``shape_predictor``, which runs
        here without dlib; or an outside model as `classicface.peers.load_peer` takes it, such as
        ``dlib:face.dat``. ``NAME=`` before any of them sets the name.

    Raises
    ------
    InvalidInputError, ModelFormatError, MissingDependencyError
        It cannot be loaded.
    """
    name, equals, model = spec.partition("=")
    if not equals or is_peer(spec) or Path(spec).is_file():
        name, model = "", spec
    predictor = load_peer(model) if is_peer(model) else load(model)
    return Method(name or _default_name(model), model, predictor)


def _default_name(model: str) -> str:
    kind, _, place = model.partition(":")
    if is_peer(model):
        return f"{kind} {place if kind == 'call' else Path(place).stem}"
    return model if model in MODELS else Path(model).stem


def load_methods(specs: Sequence[str] | None = None) -> list[Method]:
    """Load the methods of a comparison; by default every bundled model.

    Parameters
    ----------
    specs : sequence of str, optional
        See `load_method`.

    Raises
    ------
    InvalidInputError
        Two methods share a name; ``NAME=`` before one of them mends that.
    """
    methods = [load_method(spec) for spec in (list(MODELS) if specs is None else specs)]
    names = [method.name for method in methods]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(f"two methods are called {name!r}; write NAME={name} for one")
    return methods


def as_methods(methods: Sequence[Method] | Mapping[str, LandmarkPredictor]) -> list[Method]:
    """Return methods that are given as such, or as predictors by name.

    Raises
    ------
    InvalidInputError
        There is none, or two share a name.
    """
    if isinstance(methods, Mapping):
        methods = [Method(name, name, predictor) for name, predictor in methods.items()]
    names = [method.name for method in methods]
    if not names or len(set(names)) < len(names):
        raise InvalidInputError(
            f"the methods are {', '.join(names) or 'none'}; expected at least one, each with a"
            " name of its own"
        )
    return list(methods)


def train_methods(
    techniques: Sequence[str],
    dataset: LandmarkDataset,
    folder: Path,
    *,
    preset: str = "default",
    random_state: int = 0,
    progress: Progress | None = None,
) -> list[Method]:
    """Train techniques on the same faces.

    Parameters
    ----------
    techniques : sequence of str
        ``ert``, ``asm``, ``aam``, ``cnn``, ``heatmap``, ``chain`` or ``dlib``; ``ert:fast`` names
        a preset.
    dataset : LandmarkDataset
        Faces to train on; mirrored ones are added where the technique does not mirror faces itself
        and the scheme knows how.
    folder : Path
        Where the models are saved.
    preset : str, default "default"
        For the techniques that name none and have it.
    random_state : int, default 0
    progress : callable, optional

    Raises
    ------
    InvalidInputError
        No such technique or preset.
    """
    report = progress or (lambda fraction, text: None)
    chosen = [_parse(technique, preset) for technique in dict.fromkeys(techniques)]
    mirrored = dataset.with_mirror() if dataset.scheme.mirror else dataset
    methods = []
    for i, (name, technique, its_preset) in enumerate(chosen):

        def step(fraction: float, text: str, done: int = i, name: str = name) -> None:
            report((done + fraction) / len(chosen), f"training {name}: {text}")

        step(0.0, "starting")
        faces = mirrored if technique in _MIRRORED else dataset
        start = time.perf_counter()
        if technique == "dlib":
            from classicface.peers import train_dlib

            predictor: LandmarkPredictor = train_dlib(
                faces, folder / "dlib.dat", random_state=random_state
            )
            seconds = time.perf_counter() - start
        else:
            predictor = unfitted(technique, its_preset, random_state)
            predictor.fit(faces, progress=step)
            seconds = time.perf_counter() - start
            predictor.save(folder / f"{name.replace(':', '-')}.safetensors")
        methods.append(Method(name, name, predictor, seconds))
    return methods


def _parse(spec: str, preset: str) -> tuple[str, str, str]:
    """Return the name, the technique and the preset of what is to be trained."""
    technique, colon, named = spec.partition(":")
    if technique == "dlib" and not colon:
        return spec, technique, ""
    if technique not in TECHNIQUES:
        raise InvalidInputError(
            f"{spec!r} cannot be trained; there are {', '.join([*TECHNIQUES, 'dlib'])}"
        )
    presets = predictor_class(TECHNIQUES[technique]).presets
    if colon and named not in presets:
        raise InvalidInputError(f"{technique} has no preset {named!r}: {', '.join(presets)}")
    return spec, technique, named or (preset if preset in presets else "default")


def unfitted(technique: str, preset: str, random_state: int) -> LandmarkPredictor:
    """Return an unfitted predictor of a technique, with the seed if it draws anything."""
    cls = predictor_class(TECHNIQUES[technique])
    parts: dict[str, Any] = {}
    if technique == "chain":
        parts = {
            "first": unfitted("aam", "default", random_state),
            "second": unfitted("asm", "default", random_state),
        }
    predictor = cls.from_preset(preset, **parts)
    if "random_state" in predictor.get_params(deep=False):
        predictor.set_params(random_state=random_state)
    return predictor
