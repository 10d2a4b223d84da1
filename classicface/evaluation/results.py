"""What a comparison finds: plain records, which the report turns into pages and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from classicface.metrics import PrecisionRecall

if TYPE_CHECKING:
    from classicface.data.dataset import LandmarkDataset

__all__ = [
    "NORMALIZER_NAMES",
    "Accuracy",
    "Comparison",
    "DetectorResult",
    "Estimate",
    "Footprint",
    "Levels",
    "MethodResult",
    "PairedTest",
    "Speed",
]

#: Normaliser -> how a reader knows it.
NORMALIZER_NAMES = {
    "interocular": "inter-ocular",
    "interpupil": "inter-pupil",
    "box": "landmark box",
}


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % bootstrap interval over the faces."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a method by one normaliser.

    Parameters
    ----------
    mean, median : Estimate
        NME of the faces that were found, in percent.
    auc_08 : Estimate
        Area under the cumulative error curve up to 0.08, from 0 to 1; a face that was not found
        adds nothing.
    failure_08, failure_10 : Estimate
        Percent of the faces with an NME over 0.08 and over 0.10, or not found.
    """

    mean: Estimate
    median: Estimate
    auc_08: Estimate
    failure_08: Estimate
    failure_10: Estimate


@dataclass(frozen=True)
class Speed:
    """How fast a method is; detection and reading of pictures apart.

    Parameters
    ----------
    one_face_us : float
        Microseconds that `predict` takes for one face on one thread, the median over faces and
        passes.
    one_face_quartiles_us : tuple of float
        The first and third quartile of the same.
    all_cores_us : float
        Microseconds a face of `predict_many` on all cores, the median over passes.
    all_cores_range_us : tuple of float
        The fastest and the slowest pass.
    """

    one_face_us: float
    one_face_quartiles_us: tuple[float, float]
    all_cores_us: float
    all_cores_range_us: tuple[float, float]

    @property
    def faces_per_second(self) -> float:
        """Faces a second on all cores."""
        return 1e6 / self.all_cores_us


@dataclass(frozen=True)
class Footprint:
    """What a method costs a fresh process; None where it could not be measured.

    Parameters
    ----------
    model_bytes : int or None
        Size of the model's file.
    import_seconds : float or None
        Importing the library.
    load_seconds : float or None
        Loading the model, with the modules that it needs.
    first_seconds : float or None
        The first prediction, which may compile or read from a cache.
    base_bytes : int or None
        The memory that the process held (resident) with the library imported and no model loaded.
    peak_bytes : int or None
        The most memory that the process held (resident), interpreter and libraries included.
    """

    model_bytes: int | None = None
    import_seconds: float | None = None
    load_seconds: float | None = None
    first_seconds: float | None = None
    base_bytes: int | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Levels:
    """A perturbation of the test faces, from none to strong.

    Parameters
    ----------
    title : str
        Such as ``box shifted``.
    unit : str
        What the values count, such as ``% of its side``.
    values : tuple of float
        The first leaves the faces as they are.
    """

    title: str
    unit: str
    values: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class MethodResult:
    """All that was measured of one method.

    Parameters
    ----------
    name : str
        What the report calls it; unique in a comparison.
    spec : str
        How it was asked for, such as ``ert68``, ``ert:fast`` or ``dlib:face.dat``.
    kind : str
        The class, or the library that runs it, such as ``ERTFitter`` or ``dlib 20.0.1``.
    terms : str
        Terms of use of the model; empty where they are not known.
    landmarks : ndarray of float32, shape (n_faces, n_landmarks, 2)
        What it found, in pixels of the data set's pictures; NaN where the face was not found.
    errors : mapping of str to ndarray, shape (n_faces,)
        Normaliser -> NME of each face, as a fraction; infinite where the face was not found, NaN
        where it could not be measured.
    accuracy : mapping of str to Accuracy
        Normaliser -> accuracy.
    regions : mapping of str to mapping of str to float
        Normaliser -> region of the scheme -> NME in percent, of the faces that were found.
    per_landmark : mapping of str to ndarray, shape (n_landmarks,)
        Normaliser -> NME of each landmark in percent, of the faces that were found.
    points : PrecisionRecall
        Of points within the comparison's ``point_threshold``, by its leading normaliser.
    worst : tuple of int
        The faces with the largest errors (leading normaliser), the worst first.
    rank : tuple of int
        The best and the worst place, from 1, that the paired tests leave to it.
    speed : Speed or None
    footprint : Footprint or None
    training_seconds : float or None
        Where the comparison trained it.
    robustness : mapping of str to tuple of float
        Perturbation -> mean NME in percent (leading normaliser) at each of its levels.
    """

    name: str
    spec: str
    kind: str
    terms: str
    landmarks: NDArray[np.float32]
    errors: Mapping[str, NDArray[np.float64]]
    accuracy: Mapping[str, Accuracy]
    regions: Mapping[str, Mapping[str, float]]
    per_landmark: Mapping[str, NDArray[np.float64]]
    points: PrecisionRecall
    worst: tuple[int, ...]
    rank: tuple[int, int]
    speed: Speed | None = None
    footprint: Footprint | None = None
    training_seconds: float | None = None
    robustness: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class PairedTest:
    """Two methods on the same faces.

    Parameters
    ----------
    first, second : str
        Names of the methods.
    difference : Estimate
        Mean over the faces of the second's NME less the first's, in points of percent (leading
        normaliser).
    p_value : float
        Of Wilcoxon's signed-rank test, by Holm's correction for all pairs of the comparison.
    distinct : bool
        Whether the interval leaves out 0, the p-value is below 0.05 and both point the same way;
        only then does one rank before the other.
    """

    first: str
    second: str
    difference: Estimate
    p_value: float
    distinct: bool


@dataclass(frozen=True)
class DetectorResult:
    """The face detector that gave the boxes.

    Parameters
    ----------
    name : str
    n_faces : int
        Annotated faces.
    n_found : int
    n_false : int
        Detected boxes that belong to no annotated face.
    picture_us : float
        Microseconds a picture on one thread, the median.
    """

    name: str
    n_faces: int
    n_found: int
    n_false: int
    picture_us: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Every method on the same faces.

    Parameters
    ----------
    data : str
        Name of the data set.
    dataset : LandmarkDataset
        The faces, in the scheme that all were compared in.
    boxes : str
        Where the boxes come from.
    normalizer : str
        The leading normaliser: what the ranking, charts and robustness go by.
    point_threshold : float
        Within which error a point is correct, as a fraction of the leading normaliser.
    methods : tuple of MethodResult
        By the mean NME, the lowest first.
    pairs : tuple of PairedTest
    levels : mapping of str to Levels
        Perturbation -> what was done to the faces; empty where robustness was not measured.
    detector : DetectorResult or None
    about : mapping of str to str
        Machine, versions, seeds, settings, command, date: what repeats the comparison.
    """

    data: str
    dataset: LandmarkDataset
    boxes: str
    normalizer: str
    point_threshold: float
    methods: tuple[MethodResult, ...]
    pairs: tuple[PairedTest, ...]
    levels: Mapping[str, Levels]
    detector: DetectorResult | None
    about: Mapping[str, str]

    def __getitem__(self, name: str) -> MethodResult:
        """Return the result of a method by its name."""
        for method in self.methods:
            if method.name == name:
                return method
        raise KeyError(name)

    def front(self) -> tuple[str, ...]:
        """Return the names of the methods that no other makes superfluous, the fastest first.

        A method is superfluous where another is clearly faster (its third quartile below the
        method's first) and not clearly less accurate, or not clearly slower and clearly more
        accurate.
        """
        timed = [m for m in self.methods if m.speed is not None]
        kept = [m for m in timed if not any(self._beats(other, m) for other in timed)]
        return tuple(m.name for m in sorted(kept, key=_one_face_us))

    def _beats(self, one: MethodResult, other: MethodResult) -> bool:
        assert one.speed is not None
        assert other.speed is not None
        faster = one.speed.one_face_quartiles_us[1] < other.speed.one_face_quartiles_us[0]
        slower = other.speed.one_face_quartiles_us[1] < one.speed.one_face_quartiles_us[0]
        sign = self.order(one.name, other.name)
        return (faster and sign >= 0) or (not slower and sign > 0)

    def order(self, one: str, other: str) -> int:
        """Return 1 where a method is clearly more accurate than another, -1 where less, else 0."""
        for pair in self.pairs:
            if {pair.first, pair.second} == {one, other} and pair.distinct:
                ahead = pair.first if pair.difference.value > 0 else pair.second
                return 1 if ahead == one else -1
        return 0

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the pictures as plain JSON values; not finite numbers are None."""
        from classicface.evaluation.record import comparison_record

        return comparison_record(self)


def _one_face_us(method: MethodResult) -> float:
    assert method.speed is not None
    return method.speed.one_face_us
