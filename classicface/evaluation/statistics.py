"""Bootstrap intervals, paired tests, and the places that they leave to each method."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from classicface.evaluation.results import Accuracy, Estimate, PairedTest

__all__ = ["Resamples", "accuracy_of", "paired_tests", "places"]

Errors = NDArray[np.float64]

#: An interval leaves out so much on each side, in percent.
TAIL = 2.5

#: Below this a p-value tells two methods apart.
LEVEL = 0.05

# Weights that one block of resamples may hold.
_BLOCK = 4_000_000


class Resamples:
    """Bootstrap resamples of faces, the same for every method, so that methods stay paired.

    Whole groups are drawn, so that many pictures of one person do not feign many people
    (the cluster bootstrap: Davison and Hinkley, Bootstrap methods and their application, 1997,
    section 3.8).

    Parameters
    ----------
    groups : sequence
        One label a face; faces of one label are drawn together, None is a group by itself.
    n_resamples : int
    seed : int
    """

    def __init__(self, groups: Sequence[str | None], n_resamples: int, seed: int) -> None:
        labels = [i if group is None else group for i, group in enumerate(groups)]
        numbers = {label: i for i, label in enumerate(dict.fromkeys(labels))}
        self.group = np.array([numbers[label] for label in labels])
        self.n_groups = len(numbers)
        self.n_resamples = n_resamples
        self.seed = seed

    def interval(self, statistic: Callable[[NDArray[np.float64]], Errors]) -> tuple[float, float]:
        """Return the 95 % percentile interval of a statistic.

        Parameters
        ----------
        statistic : callable
            Takes how often each face is drawn, shape (m, n_faces), and returns the statistic of
            each of the m resamples, NaN where it has none.
        """
        rng = np.random.default_rng(self.seed)
        block = max(1, _BLOCK // len(self.group))
        values = []
        for start in range(0, self.n_resamples, block):
            m = min(block, self.n_resamples - start)
            drawn = rng.integers(self.n_groups, size=(m, self.n_groups))
            drawn += np.arange(m)[:, None] * self.n_groups
            counts = np.bincount(drawn.ravel(), minlength=m * self.n_groups)
            weights = counts.reshape(m, self.n_groups)[:, self.group].astype(np.float64)
            values.append(statistic(weights))
        known = np.concatenate(values)
        known = known[~np.isnan(known)]
        if len(known) == 0:
            return np.nan, np.nan
        low, high = np.percentile(known, [TAIL, 100 - TAIL]).tolist()
        return low, high

    def mean(self, values: Errors) -> Estimate:
        """Return the mean of the values that are finite."""
        finite = np.isfinite(values)
        if not finite.any():
            return Estimate(np.nan, np.nan, np.nan)
        filled = np.where(finite, values, 0.0)
        present = finite.astype(np.float64)
        low, high = self.interval(lambda w: _ratio(w @ filled, w @ present))
        return Estimate(float(values[finite].mean()), low, high)

    def median(self, values: Errors) -> Estimate:
        """Return the median of the values that are finite; of a resample, the lower one."""
        finite = np.isfinite(values)
        if not finite.any():
            return Estimate(np.nan, np.nan, np.nan)
        order = np.argsort(np.where(finite, values, np.inf), kind="stable")[: finite.sum()]

        def medians(weights: NDArray[np.float64]) -> Errors:
            together = np.cumsum(weights[:, order], axis=1)
            half = together[:, -1:] / 2
            place = np.argmax(together >= half, axis=1)
            return np.where(half[:, 0] > 0, values[order][place], np.nan)

        low, high = self.interval(medians)
        return Estimate(float(np.median(values[finite])), low, high)


def _ratio(above: Errors, below: Errors) -> Errors:
    return np.where(below > 0, above / np.maximum(below, 1e-300), np.nan)


def accuracy_of(errors: Errors, resamples: Resamples) -> Accuracy:
    """Return the accuracy of a method from its NME of each face, as fractions.

    Parameters
    ----------
    errors : ndarray, shape (n_faces,)
        Infinite for a face that was not found; NaN is left out.
    resamples : Resamples
    """
    percent = 100 * errors
    # NaN turns to NaN in each of these, and is left out; infinity to 0, and to 100.
    gain = np.maximum(0.0, 1.0 - errors / 0.08)
    unknown = np.isnan(errors)
    failures = [np.where(unknown, np.nan, 100.0 * (errors > limit)) for limit in (0.08, 0.10)]
    return Accuracy(
        mean=resamples.mean(percent),
        median=resamples.median(percent),
        auc_08=resamples.mean(gain),
        failure_08=resamples.mean(failures[0]),
        failure_10=resamples.mean(failures[1]),
    )


def paired_tests(errors: Mapping[str, Errors], resamples: Resamples) -> tuple[PairedTest, ...]:
    """Compare every pair of methods on the faces that both found.

    Parameters
    ----------
    errors : mapping of str to ndarray, shape (n_faces,)
        Method -> NME of each face, as a fraction.
    resamples : Resamples

    Notes
    -----
    The test is Wilcoxon's signed-rank test (F. Wilcoxon, Individual comparisons by ranking methods,
    Biometrics Bulletin 1, 1945) of the groups' mean differences; S. Holm's correction (A simple
    sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979)
    holds the chance of any false difference in the whole comparison at 5 %.
    """
    names = list(combinations(errors, 2))
    differences = [100 * _difference(errors[first], errors[second]) for first, second in names]
    estimates = [resamples.mean(difference) for difference in differences]
    tests = [_wilcoxon(difference, resamples.group) for difference in differences]
    p_values = _holm([p_value for p_value, _ in tests])
    return tuple(
        PairedTest(first, second, estimate, p_value, p_value < LEVEL and side == _side(estimate))
        for (first, second), estimate, p_value, (_, side) in zip(
            names, estimates, p_values, tests, strict=True
        )
    )


def _side(difference: Estimate) -> int:
    """Return 1 or -1 where a whole interval lies above or below 0, else 0."""
    return int(difference.low > 0) - int(difference.high < 0)


def _difference(first: Errors, second: Errors) -> Errors:
    """Return second less first, NaN where one of them is not finite."""
    both = np.isfinite(first) & np.isfinite(second)
    return np.where(both, np.where(both, second, 0.0) - np.where(both, first, 0.0), np.nan)


def _wilcoxon(difference: Errors, group: NDArray[np.int64]) -> tuple[float, int]:
    """Test whether the groups' mean differences lie around 0.

    Returns
    -------
    p_value : float
        Two-sided.
    side : int
        1 where the positive differences have the larger sum of ranks, -1 where the negative ones.
    """
    from scipy.stats import rankdata, wilcoxon

    known = np.isfinite(difference)
    sums = np.bincount(group[known], difference[known])
    counts = np.bincount(group[known])
    means = sums[counts > 0] / counts[counts > 0]
    means = means[means != 0]
    if len(means) < 2:
        return 1.0, 0
    side = np.sign(np.sum(np.sign(means) * rankdata(np.abs(means))))
    return float(wilcoxon(means).pvalue), int(side)


def _holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number; at most 1, in the same order."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.minimum(1.0, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    result = np.empty(len(p_values))
    result[order] = corrected
    return result.tolist()


def places(names: Sequence[str], pairs: Sequence[PairedTest]) -> dict[str, tuple[int, int]]:
    """Return the best and the worst place, from 1, that the tests leave to each method."""
    before = dict.fromkeys(names, 0)
    behind = dict.fromkeys(names, 0)
    for pair in pairs:
        if pair.distinct:
            better, worse = pair.first, pair.second
            if pair.difference.value < 0:
                better, worse = worse, better
            before[worse] += 1
            behind[better] += 1
    return {name: (1 + before[name], len(names) - behind[name]) for name in names}
