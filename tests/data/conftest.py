"""Small data sets on disk, and damage to files."""

from pathlib import Path

import numpy as np
import pytest

from classicface.data.pts import write_pts
from classicface.image.io import write_image


def _face(seed, n_landmarks=5):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (40, 50), dtype=np.uint8)
    return image, rng.uniform(8, 30, (n_landmarks, 2)).astype(np.float32)


@pytest.fixture
def faces_folder(tmp_path) -> Path:
    """Return a folder with the pictures a.png, b.png, c.png and five points each."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for i, stem in enumerate("abc"):
        image, landmarks = _face(i)
        write_image(folder / f"{stem}.png", image)
        write_pts(folder / f"{stem}.pts", landmarks)
    return folder


@pytest.fixture(scope="session")
def mutate():
    """Return a function that damages bytes at places given as fractions of their length."""

    def damage(data, edits):
        content = bytearray(data)
        for place, new, removed in edits:
            i = int(place * len(content))
            content[i : i + removed] = new
        return bytes(content)

    return damage
