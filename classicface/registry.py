"""The registered predictors, the bundled models, and `load`, which reads any model file."""

from __future__ import annotations

import importlib
from pathlib import Path

from classicface.exceptions import InvalidInputError, ModelFormatError
from classicface.persistence import read_model
from classicface.predictor import LandmarkPredictor

__all__ = [
    "CLASSES",
    "DEFAULT_MODEL",
    "MODELS",
    "TECHNIQUES",
    "load",
    "model_path",
    "predictor_class",
]

#: Class name, as it stands in a model file -> "module:class"; imported when first needed.
CLASSES: dict[str, str] = {
    "AAMFitter": "classicface.aam.model:AAMFitter",
    "ASMFitter": "classicface.asm.model:ASMFitter",
    "CNNFitter": "classicface.cnn.model:CNNFitter",
    "ChainFitter": "classicface.chain:ChainFitter",
    "ERTFitter": "classicface.cascade.ert:ERTFitter",
    "HeatmapFitter": "classicface.cnn.heatmap_model:HeatmapFitter",
}

#: Name of a technique on the command line -> its class.
TECHNIQUES: dict[str, str] = {
    "aam": "AAMFitter",
    "asm": "ASMFitter",
    "chain": "ChainFitter",
    "cnn": "CNNFitter",
    "ert": "ERTFitter",
    "heatmap": "HeatmapFitter",
}

#: The model that is taken where none is named.
DEFAULT_MODEL = "ert68"

#: Name of a bundled model -> its file; the card is beside it, with the ending ``.md``.
MODELS: dict[str, Path] = {
    path.stem: path for path in sorted((Path(__file__).parent / "weights").glob("*.safetensors"))
}


def predictor_class(name: str) -> type[LandmarkPredictor]:
    """Return the registered predictor class of a name.

    Raises
    ------
    InvalidInputError
        No class is registered under that name.
    """
    if name not in CLASSES:
        raise InvalidInputError(f"no predictor class {name!r}; there are {', '.join(CLASSES)}")
    module, _, attribute = CLASSES[name].partition(":")
    found: type[LandmarkPredictor] = getattr(importlib.import_module(module), attribute)
    return found


def model_path(model: str | Path) -> Path:
    """Return the file of a model that is given as a file or as the name of a bundled one.

    Raises
    ------
    ModelFormatError
        There is neither such a bundled model nor such a file.
    """
    if str(model) in MODELS:
        return MODELS[str(model)]
    path = Path(model)
    if not path.is_file():
        bundled = ", ".join(MODELS) or "none"
        raise ModelFormatError(f"{model}: no such model file; bundled models: {bundled}")
    return path


def load(model: str | Path = DEFAULT_MODEL) -> LandmarkPredictor:
    """Load a trained predictor.

    Parameters
    ----------
    model : path-like or str, default "ert68"
        A model file that `LandmarkPredictor.save` wrote, a file ``.dat`` of dlib's shape_predictor
        (see `classicface.peers.dlib_dat.read_dlib`), or the name of a bundled model.

    Returns
    -------
    LandmarkPredictor
        An object of the class that was saved, ready to predict.

    Raises
    ------
    ModelFormatError
        There is no such model, or the file is damaged, foreign or from a newer version. Nothing
        that a file holds is ever executed.

    Examples
    --------
    >>> import classicface
    >>> predictor = classicface.load("ert68")  # doctest: +SKIP
    """
    path = model_path(model)
    if path.suffix.lower() == ".dat":
        from classicface.peers.dlib_dat import read_dlib

        return read_dlib(path)
    header, tensors = read_model(path)
    name = header.get("class")
    if name == "PointDistributionModel":
        raise ModelFormatError(
            f"{path}: holds a shape model, which by itself finds no landmarks;"
            " read it with classicface.PointDistributionModel.load"
        )
    if not isinstance(name, str) or name not in CLASSES:
        raise ModelFormatError(
            f"{path}: holds a model of class {name!r:.100}; this version knows {', '.join(CLASSES)}"
        )
    try:
        return predictor_class(name).from_state(header, tensors)
    except ModelFormatError as error:
        raise ModelFormatError(f"{path}: {error}") from None
