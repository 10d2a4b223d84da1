"""Outside models as predictors, so that they are measured and used like our own.

The public names are imported when they are first used: who runs a model of another library loads
no technique of ours.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classicface.peers.base import PeerPredictor
    from classicface.peers.callables import from_callable
    from classicface.peers.dlib_dat import read_dlib, write_dlib
    from classicface.peers.dlib_peer import dlib_predictor, train_dlib
    from classicface.peers.facemark import facemark_predictor
    from classicface.peers.onnx_peer import onnx_predictor
    from classicface.peers.specs import is_peer, load_peer

# Public name -> the module that holds it.
_HOMES = {
    "PeerPredictor": "base",
    "dlib_predictor": "dlib_peer",
    "facemark_predictor": "facemark",
    "from_callable": "callables",
    "is_peer": "specs",
    "load_peer": "specs",
    "onnx_predictor": "onnx_peer",
    "read_dlib": "dlib_dat",
    "train_dlib": "dlib_peer",
    "write_dlib": "dlib_dat",
}

__all__ = [
    "PeerPredictor",
    "dlib_predictor",
    "facemark_predictor",
    "from_callable",
    "is_peer",
    "load_peer",
    "onnx_predictor",
    "read_dlib",
    "train_dlib",
    "write_dlib",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
