"""Labels that stand free."""

import numpy as np

from classicface.evaluation.report.placement import place_labels

FRAME = (0.0, 0.0, 400.0, 300.0)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)))


def test_a_label_alone_stands_beside_its_point() -> None:
    anchor = np.array([[200.0, 150.0]])
    (box,) = place_labels(
        anchor, np.array([[60.0, 12.0]]), np.concatenate([anchor - 5, anchor + 5], 1), FRAME
    )
    assert np.array_equal(box, [207.0, 144.0, 267.0, 156.0])


def test_labels_of_a_crowd_do_not_overlap_and_stay_inside() -> None:
    rng = np.random.default_rng(1)
    anchors = rng.uniform((60, 40), (340, 260), size=(15, 2))
    anchors[3] = anchors[2] + 1
    sizes = np.column_stack([rng.uniform(30, 90, 15), np.full(15, 12.0)])
    obstacles = np.concatenate([anchors - 5, anchors + 5], axis=1)
    placed = place_labels(anchors, sizes, obstacles, FRAME)
    assert np.allclose(placed[:, 2:] - placed[:, :2], sizes)
    assert sum(overlap(a, b) for i, a in enumerate(placed) for b in placed[:i]) < 1
    assert placed[:, :2].min() >= 0 and np.all(placed[:, 2:] <= FRAME[2:])


def test_a_label_at_the_edge_turns_inward() -> None:
    anchor = np.array([[395.0, 150.0]])
    (box,) = place_labels(anchor, np.array([[60.0, 12.0]]), np.zeros((0, 4)), FRAME)
    assert box[2] <= 395
