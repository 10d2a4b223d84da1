"""menpofit's active appearance model for `classicface compare`, trained when this is imported.

    PYTHONPATH=benchmarks classicface compare helen/testset
        --models ert68,menpofit=call:menpofit_predictor:predictor

menpofit 0.7.1 and classicface then share an environment: Python 3.10, and

    pip install "classicface[dlib,onnx]" "menpofit==0.7.1" "menpo==0.11.1" "numpy<2" "scipy<1.12"

It learns from HELEN's training set, without mirror images, in the settings of menpofit_peer.py that
were the most accurate there.
"""

from __future__ import annotations

import threading
from importlib.metadata import version

import numpy as np
from bench_ert_vs_dlib import DATA
from menpo.image import Image
from menpofit_peer import SETTINGS, fit, train

from classicface import load_dataset
from classicface.peers import PeerPredictor, from_callable

_SETTINGS = SETTINGS["tuned"]


def trained() -> PeerPredictor:
    """Train the model and return it as a predictor."""
    faces = load_dataset(DATA / "300w" / "helen" / "trainset")
    images = [Image(image[None] / 255.0) for image in faces.images]
    fitter = train(images, faces.landmarks, _SETTINGS)
    alone = threading.Lock()  # the fitter keeps the state of a fit in itself

    def predict(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        picture = Image(image[None] / 255.0)
        with alone:
            return np.array([fit(fitter, picture, box, _SETTINGS["max_iters"]) for box in boxes])

    return from_callable(predict, faces.scheme, name=f"menpofit {version('menpofit')}")


predictor = trained()
