"""Learning curves: every number at its place, the best epoch marked, bad histories refused."""

import numpy as np
import pytest

from classicface.exceptions import InvalidInputError
from classicface.plotting import save_figure
from classicface.plotting.training import plot_learning_curves


def history_of(n, validated=True):
    return [
        {
            "epoch": i + 1,
            "rate": 1e-3 * (n - i) / n,
            "loss": 5.0 / (i + 1),
            "validation": 0.04 + 0.001 * abs(i - 6) if validated else None,
            "seconds": 90.0 * (i + 1),
        }
        for i in range(n)
    ]


def curves(axes):
    return [line.get_xydata() for line in axes.get_lines()]


def test_two_panels_hold_the_numbers():
    history = history_of(10)
    figure = plot_learning_curves(history)
    loss, error, rate = figure.axes
    epochs = np.arange(1, 11)
    expected = np.column_stack([epochs, [row["loss"] for row in history]])
    np.testing.assert_allclose(curves(loss)[0], expected)
    expected = np.column_stack([epochs, [row["rate"] for row in history]])
    np.testing.assert_allclose(curves(rate)[0], expected)
    expected = np.column_stack([epochs, [100 * row["validation"] for row in history]])
    np.testing.assert_allclose(curves(error)[0], expected)
    assert loss.get_yscale() == error.get_yscale() == "log"
    assert rate.get_yscale() == "linear"
    assert figure.get_suptitle() == "10 epochs in 15 min"


def test_the_best_epoch_is_marked():
    error = plot_learning_curves(history_of(10)).axes[1]
    np.testing.assert_allclose(curves(error)[1], [[7, 4.0]])
    assert error.get_legend().get_texts()[0].get_text() == "best: 4.00 % after epoch 7"


def test_epochs_without_a_validation_leave_gaps():
    history = history_of(10)
    history[6]["validation"] = history[0]["validation"] = None
    error = plot_learning_curves(history, normalizer="box").axes[1]
    assert np.isnan(curves(error)[0][[0, 6], 1]).all()
    assert curves(error)[1][0, 0] == 6
    assert "box" in error.get_ylabel()


def test_without_any_validation_there_is_one_panel():
    figure = plot_learning_curves(history_of(10, validated=False))
    assert [axes.get_ylabel() for axes in figure.axes] == ["training loss", "learning rate"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(119, "119 s"), (5400, "90 min"), (7200, "2 h 00 min")]
)
def test_a_single_epoch(seconds, text, tmp_path):
    [row] = history_of(1)
    figure = plot_learning_curves([{**row, "seconds": seconds}])
    assert figure.get_suptitle() == f"1 epoch in {text}"
    save_figure(figure, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_a_loss_of_zero_is_drawn_too(tmp_path):
    history = [{**row, "loss": 0.0, "validation": 0.0} for row in history_of(3)]
    figure = plot_learning_curves(history)
    assert figure.axes[0].get_yscale() == "linear"
    save_figure(figure, tmp_path / "curves.svg")


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([], "no epoch"),
        ([{"epoch": 1}], "no number 'rate'"),
        ([{**history_of(1)[0], "loss": "much"}], "no number 'loss'"),
        ([1, 2], "no number 'epoch'"),
    ],
)
def test_what_is_no_history(history, message):
    with pytest.raises(InvalidInputError, match=message):
        plot_learning_curves(history)
