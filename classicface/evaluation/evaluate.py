"""`evaluate`: what one predictor reaches on one data set, in accuracy, speed and size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface import metrics
from classicface.evaluation.accuracy import common_scheme, share
from classicface.evaluation.footprint import model_bytes
from classicface.exceptions import InvalidInputError
from classicface.predictor import LandmarkPredictor, Progress
from classicface.shape.schemes import LandmarkScheme

if TYPE_CHECKING:
    from classicface.data.dataset import LandmarkDataset

__all__ = ["evaluate"]

#: Faces that are timed; more would not change the median.
MAX_TIMED = 500


def evaluate(
    predictor: LandmarkPredictor,
    dataset: LandmarkDataset,
    *,
    timing: bool = True,
    min_seconds: float = 1.0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure a predictor on annotated faces.

    Parameters
    ----------
    predictor : LandmarkPredictor
        Fitted.
    dataset : LandmarkDataset
        Faces with landmarks and the boxes to start from. Where its scheme and the
        predictor's differ, both are taken to the points that they share.
    timing : bool, default True
        Whether to measure the speed too.
    min_seconds : float, default 1.0
        Passes over the faces are repeated for at least this long for each of the two speeds.
    progress : callable, optional
        Called with the fraction done and a short text.

    Returns
    -------
    dict
        ``n``: faces. ``nme_interocular_mean``, ``nme_interocular_median``: the normalised mean
        error in percent of the distance between the outer eye corners; ``nme_interpupil_mean``:
        in percent of the distance between the pupils. ``auc_08``: area under the cumulative error
        curve up to 0.08, from 0 to 1; ``failure_10``: percent of the faces with an error over
        0.10; both by the inter-ocular distance. ``us_per_face``: microseconds that `predict`
        takes for one face on one thread, the median over repeated passes;
        ``us_per_face_all_cores``: likewise for `predict_many`. ``model_bytes``: size of the file.

        For a scheme without eyes the NMEs above are None; ``nme_box_mean`` and ``nme_box_median``
        are added, in percent of the size of the landmark box, and ``auc_08`` and ``failure_10`` go
        by that. With ``timing=False`` the speeds are None.

    Raises
    ------
    InvalidInputError
        The data set is empty or shares no points with the predictor.
    """
    report = progress or (lambda fraction, text: None)
    if len(dataset) == 0:
        raise InvalidInputError("the data set holds no face; there is nothing to evaluate")
    report(0.0, "predicting")
    predicted = predictor.predict_many(dataset.images, dataset.boxes)
    scheme = common_scheme(dataset.scheme, [predictor.scheme_])
    predicted = share(predicted, predictor.scheme_, scheme)
    landmarks = share(dataset.landmarks, dataset.scheme, scheme)
    result: dict[str, Any] = {"n": len(dataset), **_accuracy(predicted, landmarks, scheme)}
    result["us_per_face"] = result["us_per_face_all_cores"] = None
    if timing:
        report(0.3, "timing one thread")
        n = min(len(dataset), MAX_TIMED)
        images, boxes = list(dataset.images[:n]), dataset.boxes[:n]

        def one_by_one() -> None:
            for image, box in zip(images, boxes, strict=True):
                predictor.predict(image, box)

        def all_cores() -> None:
            predictor.predict_many(images, boxes)

        result["us_per_face"] = _microseconds(one_by_one, min_seconds) / n
        report(0.65, "timing all cores")
        result["us_per_face_all_cores"] = _microseconds(all_cores, min_seconds) / n
    result["model_bytes"] = model_bytes(predictor)
    report(1.0, "done")
    return result


def _accuracy(
    predicted: NDArray[np.float32], landmarks: NDArray[np.float32], scheme: LandmarkScheme
) -> dict[str, Any]:
    interocular = interpupil = box = None
    if scheme.eyes is not None:
        interpupil = metrics.nme(predicted, landmarks, scheme, "interpupil")
    if scheme.outer_eyes is not None:
        interocular = metrics.nme(predicted, landmarks, scheme, "interocular")
    else:
        box = metrics.nme(predicted, landmarks, scheme, "box")
    leading = box if interocular is None else interocular
    assert leading is not None
    result = {
        "nme_interocular_mean": _percent(np.mean, interocular),
        "nme_interocular_median": _percent(np.median, interocular),
        "nme_interpupil_mean": _percent(np.mean, interpupil),
        "auc_08": float(metrics.auc(leading, 0.08)),
        "failure_10": 100 * float(metrics.failure_rate(leading, 0.10)),
    }
    if box is not None:
        result["nme_box_mean"] = _percent(np.mean, box)
        result["nme_box_median"] = _percent(np.median, box)
    return result


def _percent(
    average: Callable[[NDArray[np.floating]], Any], errors: NDArray[np.floating] | None
) -> float | None:
    """Return the average in percent of the errors that could be measured; None without any."""
    measured = np.zeros(0) if errors is None else errors[~np.isnan(errors)]
    return 100 * float(average(measured)) if len(measured) else None


def _microseconds(work: Callable[[], None], min_seconds: float) -> float:
    """Return the median time of a pass, after one pass to warm up and over at least three."""
    work()
    passes: list[float] = []
    while len(passes) < 3 or sum(passes) < min_seconds:
        start = time.perf_counter()
        work()
        passes.append(time.perf_counter() - start)
    return 1e6 * statistics.median(passes)
