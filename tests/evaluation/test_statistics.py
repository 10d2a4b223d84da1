"""Intervals, tests and places: against plain loops, SciPy, and what must come out."""

import numpy as np
import pytest
from scipy import stats

from classicface import metrics
from classicface.evaluation.results import Estimate, PairedTest
from classicface.evaluation.statistics import Resamples, accuracy_of, paired_tests, places


def resamples(n: int, n_resamples: int = 2000, groups=None) -> Resamples:
    return Resamples([None] * n if groups is None else groups, n_resamples, seed=0)


def test_the_interval_of_a_mean_is_the_one_of_the_textbook() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    estimate = resamples(400, 4000).mean(values)
    error = values.std(ddof=1) / np.sqrt(400)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - 1.96 * error, abs=0.03)
    assert estimate.high == pytest.approx(values.mean() + 1.96 * error, abs=0.03)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        estimate = resamples(60, 400).mean(rng.exponential(1.0, 60))
        hits += estimate.low <= 1.0 <= estimate.high
    assert 0.88 <= hits / 200 <= 0.99


@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_median_resamples_as_numpy_would(n: int) -> None:
    values = np.random.default_rng(n).exponential(1.0, n)
    rng = np.random.default_rng(0)
    drawn = rng.integers(n, size=(300, n))
    # The lower median of each resample.
    expected = np.sort(values[drawn], axis=1)[:, (n - 1) // 2]
    estimate = resamples(n, 300).median(values)
    assert estimate.value == pytest.approx(np.median(values))
    assert estimate.low == pytest.approx(np.percentile(expected, 2.5))
    assert estimate.high == pytest.approx(np.percentile(expected, 97.5))


def test_blocks_of_resamples_give_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).normal(size=50)
    whole = resamples(50).mean(values)
    monkeypatch.setattr("classicface.evaluation.statistics._BLOCK", 50 * 7)
    assert resamples(50).mean(values) == whole


def test_pictures_of_one_person_count_as_one() -> None:
    rng = np.random.default_rng(4)
    people = np.repeat(rng.normal(5.0, 1.0, 20), 30)
    groups = [f"person {i // 30}" for i in range(600)]
    grouped, single = resamples(600, groups=groups).mean(people), resamples(600).mean(people)
    assert grouped.value == single.value
    assert grouped.high - grouped.low > 3 * (single.high - single.low)


def test_faces_not_found_are_left_out_of_means_and_count_as_failures() -> None:
    errors = np.array([0.02, 0.04, 0.06, np.inf, np.nan])
    found = accuracy_of(errors, resamples(5))
    assert found.mean.value == pytest.approx(4.0)
    assert found.median.value == pytest.approx(4.0)
    assert found.failure_10.value == pytest.approx(25.0)
    assert found.failure_08.value == pytest.approx(25.0)
    assert found.auc_08.value == pytest.approx(metrics.auc(errors, 0.08))
    assert found.mean.low >= 2.0
    assert found.mean.high <= 6.0


def test_nothing_found_has_no_mean() -> None:
    found = accuracy_of(np.full(4, np.inf), resamples(4))
    assert np.isnan(found.mean.value)
    assert np.isnan(found.median.low)
    assert found.failure_10 == Estimate(100.0, 100.0, 100.0)


def test_a_clear_difference_is_told_and_noise_is_not() -> None:
    rng = np.random.default_rng(5)
    faces = rng.exponential(0.03, 200) + 0.01
    errors = {
        "good": faces,
        "same": faces + rng.normal(0, 0.002, 200),
        "bad": faces * 1.2 + rng.normal(0, 0.002, 200),
    }
    tests = {(t.first, t.second): t for t in paired_tests(errors, resamples(200))}
    assert not tests["good", "same"].distinct
    assert tests["good", "bad"].distinct
    assert tests["good", "bad"].difference.value == pytest.approx(
        100 * (errors["bad"] - errors["good"]).mean()
    )
    ranks = places(list(errors), list(tests.values()))
    assert ranks == {"good": (1, 2), "same": (1, 2), "bad": (3, 3)}


def test_p_values_are_wilcoxons_by_holms_correction() -> None:
    rng = np.random.default_rng(6)
    errors = {name: rng.normal(0.05, 0.01, 30) + 0.001 * i for i, name in enumerate("abc")}
    tests = paired_tests(errors, resamples(30))
    raw = [stats.wilcoxon(errors[t.second] - errors[t.first]).pvalue for t in tests]
    order = np.argsort(raw)
    corrected = np.maximum.accumulate(np.sort(raw) * [3, 2, 1]).clip(max=1)
    assert [tests[i].p_value for i in order] == pytest.approx(list(corrected))


def test_equal_methods_are_never_distinct() -> None:
    errors = np.random.default_rng(7).exponential(0.04, 50)
    (test,) = paired_tests({"one": errors, "two": errors.copy()}, resamples(50))
    assert test.p_value == 1.0
    assert test.difference == Estimate(0.0, 0.0, 0.0)
    assert not test.distinct


def test_means_and_ranks_that_disagree_tell_nothing_apart() -> None:
    """Better on most faces and far worse on a few: neither is the more accurate one."""
    rng = np.random.default_rng(8)
    usual = rng.exponential(0.03, 300) + 0.01
    other = usual - 0.001 * rng.random(300)
    other[:45] += 0.05
    (test,) = paired_tests({"usual": usual, "other": other}, resamples(300))
    assert test.p_value < 0.05
    assert test.difference.low > 0
    assert not test.distinct


def test_pairs_use_the_faces_that_both_found() -> None:
    one = np.array([0.02, np.inf, 0.04, 0.05])
    two = np.array([0.03, 0.03, np.nan, 0.06])
    (test,) = paired_tests({"one": one, "two": two}, resamples(4))
    assert test.difference.value == pytest.approx(1.0)


def test_places_without_any_test_are_all_open() -> None:
    pair = PairedTest("a", "b", Estimate(0.1, -0.1, 0.3), 0.4, False)
    assert places(["a", "b"], [pair]) == {"a": (1, 2), "b": (1, 2)}
    assert places(["a"], []) == {"a": (1, 1)}
