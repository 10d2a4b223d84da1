"""Model size, start-up time and peak memory, each measured in a fresh process."""

from __future__ import annotations

import functools
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classicface.evaluation.results import Footprint
from classicface.peers import PeerPredictor
from classicface.predictor import LandmarkPredictor

__all__ = ["measure_footprint", "model_bytes"]

logger = logging.getLogger(__name__)

#: A process that takes longer is stopped, and nothing is known of it.
TIMEOUT = 300.0


def model_bytes(predictor: LandmarkPredictor) -> int | None:
    """Return the size of a model's file, or files; None where it has none."""
    if isinstance(predictor, PeerPredictor):
        return predictor.size_bytes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        predictor.save(path)
        return path.stat().st_size


def measure_footprint(
    predictor: LandmarkPredictor, image: NDArray[np.uint8], box: NDArray[np.float32]
) -> Footprint:
    """Load a predictor in a fresh process, predict one face, and see what that costs.

    Parameters
    ----------
    predictor : LandmarkPredictor
        Saved for the time of the measurement; an outside model is loaded by its ``spec``, and
        without one only its size is known.
    image : ndarray of uint8
    box : ndarray, shape (4,)

    Returns
    -------
    Footprint
    """
    with tempfile.TemporaryDirectory() as folder:
        face = Path(folder) / "face.npz"
        np.savez(face, image=image, box=box)
        if isinstance(predictor, PeerPredictor):
            model, size = predictor.spec, predictor.size_bytes
        else:
            path = Path(folder) / "model.safetensors"
            predictor.save(path)
            model, size = str(path), path.stat().st_size
        measured: dict[str, Any] = {} if model is None else _probe(model, face)
    return Footprint(model_bytes=size, **measured)


def _probe(model: str, face: Path) -> dict[str, Any]:
    """Run the probe twice, so that compiled kernels are in their cache, and read the second."""
    command = [sys.executable, "-m", "classicface.evaluation._probe", model, str(face)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = functools.partial(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT,
        env=environment,
    )
    try:
        run()
        measured: dict[str, Any] = json.loads(run().stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError) as error:
        reason = getattr(error, "stderr", None) or error
        logger.warning("%s could not be measured in a fresh process: %.500s", model, reason)
        return {}
    return measured
