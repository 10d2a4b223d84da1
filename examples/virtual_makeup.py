"""Put make-up on a photograph, layer by layer, and on drawn faces of several skins.

python examples/virtual_makeup.py [folder]
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from skimage.data import astronaut

from classicface import Landmarker, write_image
from classicface.apps.makeup import LOOKS, Makeup, apply_makeup
from classicface.data.synthetic import FaceParameters, draw_face
from classicface.plotting import grid


def main(folder: str = ".") -> None:
    picture = astronaut()
    faces = Landmarker().detect(picture)
    low, high = faces.landmarks[0].min(axis=0), faces.landmarks[0].max(axis=0)
    x0, y0 = (low - np.array([22, 36])).astype(int)
    x1, y1 = (high + np.array([22, 14])).astype(int)

    def made_up(makeup: Makeup) -> np.ndarray:
        painted = apply_makeup(picture, faces.landmarks, makeup, faces.scheme)
        size = (2 * (x1 - x0), 2 * (y1 - y0))
        return cv2.resize(painted[y0:y1, x0:x1], size, interpolation=cv2.INTER_CUBIC)

    looks = [made_up(Makeup()), *(made_up(look) for look in LOOKS.values())]
    write_image(Path(folder) / "makeup_looks.jpg", grid(looks, 4))

    evening = LOOKS["evening"]
    layers = [
        Makeup(lipstick="#a01030:0.9"),
        Makeup(blush=("#d06070", 0.8)),
        Makeup(eyeshadow=("#503c60", 0.9)),
        Makeup(liner=("black", 0.9)),
        Makeup(brows=("#402418", 1.0)),
        Makeup(smooth=1.0),
    ]
    write_image(Path(folder) / "makeup_layers.jpg", grid([made_up(layer) for layer in layers], 3))

    # Light and dark skin, with the mouth open: the teeth stay as they are.
    rows: list[list[np.ndarray]] = [[], []]
    for skin in (0.0, 0.25, 0.5, 0.75, 1.0):
        face = FaceParameters(skin=skin, mouth_open=0.45, smile=0.5, hairline=-0.2)
        drawn, points = draw_face(face, size=200, random_state=3)
        rows[0].append(drawn)
        rows[1].append(apply_makeup(drawn, points, evening, "ibug68"))
    write_image(Path(folder) / "makeup_skins.jpg", grid([*rows[0], *rows[1]], 5))


if __name__ == "__main__":
    main(*sys.argv[1:2])
