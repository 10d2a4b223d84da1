"""Make the table of 3-D points and modes that head pose is fitted with.

The points are those of the synthetic heads, which are shaped by hand, so the table is free of any
data set's terms. Its modes are the principal directions of two covariances together: that of
random people and expressions, and that of a Gaussian process (Luethi et al., Gaussian Process
Morphable Models, PAMI 2018), which lets the head differ smoothly in ways that nobody shaped, with
brows, nose and mouth that sit higher or lower.

    python benchmarks/make_head_model.py [--write] [--modes 32] [--people 2000]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classicface.data.synthetic import random_face
from classicface.data.synthetic._head import PIVOT, head_model
from classicface.data.synthetic._modes import close_lids, expression_weights
from classicface.shape.schemes import get_scheme

TABLE = Path(__file__).resolve().parent.parent / "classicface" / "apps" / "pose" / "_table.py"

# Standard deviations in centimetres and lengths over which neighbours move together: the head's
# build, the build of its parts; and the share of that by which its halves differ.
BUILD, PARTS, ASYMMETRY = (0.16, 5.0), (0.10, 2.0), 0.35
DEPTH = 0.07  # how much deeper or flatter one face is than another

# How much higher a part sits in one face than in another, in centimetres; the nose by its length.
HEIGHTS = {"brows": 0.4, "nose": 0.3, "tip of the nose": 0.12, "mouth": 0.4}

HEADER = '''"""The head that pose is fitted with: 51 points and their modes; made by a script.

``benchmarks/make_head_model.py --write`` makes this file from the synthetic heads; a test holds
both equal. One line a row of numbers, in thousandths of a centimetre: first x, y and z of the mean
points (17 to 67 of the 68) from the point about which the head turns, x to the right of the
picture, y down, z towards the camera; then those of each mode, one standard deviation of it.
"""

'''


def people(n: int, modes: list[int] | None = None, seed: int = 0) -> NDArray[np.float64]:
    """Return the points, (n, 51, 3), of random people with random expressions.

    `modes` are the identity modes by which they differ; by default all.
    """
    rng = np.random.default_rng(seed)
    model = head_model()
    start = model.n_vertices
    rest = model.rest[start : start + 51]
    fields = model.fields[:, start : start + 51].astype(np.float64)
    points = np.empty((n, 51, 3))
    for i in range(n):
        face = random_face(rng)
        identity = np.array(face.identity)
        if modes is not None:
            identity[np.setdiff1d(np.arange(len(identity)), modes)] = 0.0
        moves = expression_weights(face.mouth_open, face.smile, face.pucker, face.brow_raise)
        moved = rest + np.tensordot(np.concatenate([identity, moves]), fields, 1)
        points[i] = close_lids(moved, (face.eyes_closed[0], face.eyes_closed[1]))
    return points - PIVOT


def process(points: NDArray[np.float64], sigma: float, length: float) -> NDArray[np.float64]:
    """Return the covariance, (153, 153), of smooth fields that are mostly symmetric."""
    mirror = np.array(get_scheme("ibug51").mirror)
    square = ((points[:, None] - points) ** 2).sum(axis=2)
    near = np.exp(-0.5 * square / length**2)
    flip = np.diag([-1.0, 1.0, 1.0])
    swap = np.zeros((51, 51))
    swap[np.arange(51), mirror] = 1.0
    whole, mirrored = np.kron(near, np.eye(3)), np.kron(swap, flip)
    symmetric = 0.25 * (whole + mirrored @ whole + whole @ mirrored + mirrored @ whole @ mirrored)
    other = 0.25 * (whole - mirrored @ whole - whole @ mirrored + mirrored @ whole @ mirrored)
    return sigma**2 * (symmetric + ASYMMETRY**2 * other)


def without_motion(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the projection, (153, 153), that takes shifts, turns and growth out of a field."""
    centered = points - points.mean(axis=0)
    x, y, z = centered.T
    zero, one = np.zeros(51), np.ones(51)
    motions = [np.column_stack(columns).ravel() for columns in (
        (one, zero, zero), (zero, one, zero), (zero, zero, one),
        (zero, -z, y), (z, zero, -x), (-y, x, zero), (x, y, z),
    )]  # fmt: skip
    basis, _ = np.linalg.qr(np.stack(motions, axis=1))
    return np.eye(153) - basis @ basis.T


def freedom(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the covariance, (153, 153), of what people differ in beside the shaped modes."""
    depth = np.zeros((51, 3))
    depth[:, 2] = DEPTH * (mean[:, 2] - mean[:, 2].mean())
    extra = process(mean, *BUILD) + process(mean, *PARTS) + np.outer(depth, depth)
    still = without_motion(mean)
    covariance = still @ extra @ still
    along = np.clip((mean[10:19, 1] - mean[10, 1]) / (mean[16, 1] - mean[10, 1]), 0.0, 1.0)
    places = {"brows": slice(0, 10), "nose": slice(10, 19), "mouth": slice(31, 51)}
    for name, size in HEIGHTS.items():
        moved = np.zeros((51, 3))
        moved[places.get(name, 13), 1] = size * (along if name == "nose" else 1.0)
        covariance += np.outer(moved, moved)
    return covariance


def head_table(
    n_modes: int = 32, n_people: int = 2000, modes: list[int] | None = None, free: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return mean (51, 3), modes (n_modes, 51, 3), and the share of variance that they hold.

    `modes` leaves out identity modes, `free=False` what nobody shaped: for measuring what the
    fit owes to them.
    """
    sample = people(n_people, modes)
    mean = sample.mean(axis=0)
    mirror = np.array(get_scheme("ibug51").mirror)
    mean = 0.5 * (mean + mean[mirror] * [-1.0, 1.0, 1.0])
    flat = (sample - mean).reshape(n_people, -1)
    flipped = (sample[:, mirror] * [-1.0, 1.0, 1.0] - mean).reshape(n_people, -1)
    covariance = (flat.T @ flat + flipped.T @ flipped) / (2 * n_people)
    if free:
        covariance = covariance + freedom(mean)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1][:n_modes], vectors[:, ::-1][:, :n_modes]
    signs = np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(n_modes)] < 0, -1.0, 1.0)
    scaled = (vectors * signs * np.sqrt(values)).T.reshape(n_modes, 51, 3)
    return mean, scaled, float(values.sum() / np.trace(covariance))


def table_text(mean: NDArray[np.float64], modes: NDArray[np.float64]) -> str:
    """Return the module that holds the table."""
    rows = np.round(np.concatenate([mean[None], modes]) * 1000).astype(int).reshape(-1, 51 * 3)
    lines: list[str] = []
    for row in rows:
        line = ""
        for number in map(str, row.tolist()):
            if len(line) + len(number) + 1 > 100:
                lines.append(line)
                line = ""
            line += (" " if line else "") + number
        lines.append(line)
    return f'{HEADER}N_MODES = {len(modes)}\n\nNUMBERS = """\\\n' + "\n".join(lines) + '\n"""\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    parser.add_argument("--modes", type=int, default=32)
    parser.add_argument("--people", type=int, default=2000)
    arguments = parser.parse_args()
    mean, modes, share = head_table(arguments.modes, arguments.people)
    left = np.sqrt((1 / share - 1) * (modes**2).sum() / 153)
    print(f"{len(modes)} modes hold {100 * share:.1f} % of the variance; {left:.3f} cm are left")
    if arguments.write:
        TABLE.write_text(table_text(mean, modes), encoding="utf-8")


if __name__ == "__main__":
    main()
