"""Draw synthetic faces: random people, their landmarks, and one face that turns and smiles.

python examples/synthetic_faces.py [faces.png]
"""

import sys

import numpy as np

from classicface import draw_landmarks, write_image
from classicface.data.synthetic import FaceParameters, draw_face, random_face
from classicface.plotting import grid


def main(path: str = "synthetic_faces.png") -> None:
    seeds = (1, 7, 10, 14, 20)
    people = [draw_face(random_face(seed), size=128, random_state=seed) for seed in seeds]
    pictures = [picture for picture, _ in people]
    pictures += [draw_landmarks(picture, landmarks, "ibug68") for picture, landmarks in people]

    # With parameters of your own: a face that turns while it smiles and opens its mouth.
    wall = np.full((128, 128, 3), (176, 190, 197), np.uint8)
    for t in np.linspace(-1.0, 1.0, 5):
        face = FaceParameters(yaw=35 * t, smile=0.5 + 0.5 * t, mouth_open=0.4 + 0.4 * t)
        picture, landmarks = draw_face(face, canvas=wall)
        pictures.append(draw_landmarks(picture, landmarks))
    write_image(path, grid(pictures, 5))


if __name__ == "__main__":
    main(*sys.argv[1:2])
