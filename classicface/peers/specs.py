"""Outside models by name: ``dlib:face.dat``, ``onnx:net.onnx``, ``call:module:function``."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from classicface.exceptions import InvalidInputError
from classicface.peers.base import PeerPredictor
from classicface.peers.callables import from_callable
from classicface.peers.dlib_peer import dlib_predictor
from classicface.peers.facemark import KINDS, facemark_predictor
from classicface.peers.onnx_peer import onnx_predictor

__all__ = ["is_peer", "load_peer"]


def is_peer(spec: str) -> bool:
    """Return whether a text names an outside model, as `load_peer` takes it."""
    kind, colon, rest = spec.partition(":")
    return kind in _LOADERS and bool(colon and rest)


def load_peer(spec: str) -> PeerPredictor:
    """Load an outside model.

    Parameters
    ----------
    spec : str
        ``dlib:FILE.dat``, ``facemark-lbf:FILE``, ``facemark-kazemi:FILE``, ``facemark-aam:FILE``,
        ``onnx:FILE.onnx``, or ``call:package.module:name``. The last names a `PeerPredictor`, or a
        function as `from_callable` takes it, with 68 points and landmark boxes. The module is
        imported, and with it run.

    Raises
    ------
    InvalidInputError
        No such kind of model, module or function.
    MissingDependencyError
        The library that runs the model is not installed.
    ModelFormatError
        The file is missing or damaged.
    """
    kind, _, rest = spec.partition(":")
    if not is_peer(spec):
        known = ", ".join(f"{name}:FILE" for name in _LOADERS if name != "call")
        raise InvalidInputError(
            f"{spec!r:.200} names no outside model; there are {known}, call:MODULE:FUNCTION"
        )
    return _LOADERS[kind](rest)


def _load_facemark(kind: str) -> Callable[[str], PeerPredictor]:
    return lambda path: facemark_predictor(path, kind)


def _load_call(place: str) -> PeerPredictor:
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"call:{place}: {error}; expected call:package.module:function of an importable module"
        ) from None
    peer = found if isinstance(found, PeerPredictor) else from_callable(found, "ibug68")
    return PeerPredictor(**{**peer.get_params(deep=False), "spec": f"call:{place}"})


_LOADERS: dict[str, Callable[[str], PeerPredictor]] = {
    "dlib": dlib_predictor,
    **{f"facemark-{kind}": _load_facemark(kind) for kind in KINDS},
    "onnx": onnx_predictor,
    "call": _load_call,
}
