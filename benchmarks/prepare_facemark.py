"""Write what `facemark_train.cpp` reads: HELEN's training faces as crops of one size.

    python benchmarks/prepare_facemark.py FOLDER [--data FOLDER] [--no-mirror]

FOLDER gets the pictures and ``faces.txt``, a face a line: picture, the detector's box, points.
Facemark's LBF mirrors its faces itself; the others need the mirror images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from bench_ert_vs_dlib import DATA

from classicface import load_dataset, write_image
from classicface.image.crop import crop_face, crop_pose
from classicface.shape.box_maps import BOX_MAPS
from classicface.shape.boxes import box_centers_sides
from classicface.shape.similarity import apply_similarity

SIZE = 300
MARGIN = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--no-mirror", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    faces = load_dataset(arguments.data / "300w" / "helen" / "trainset")
    if not arguments.no_mirror:
        faces = faces.with_mirror()
    centers, sides = box_centers_sides(BOX_MAPS["hog"].invert(faces.boxes))
    side = round(SIZE / (1 + 2 * MARGIN))
    corner = (SIZE - side) // 2
    lines = []
    for i, image in enumerate(faces.images):
        path = (arguments.folder / f"{i:05d}.png").absolute()
        pose = crop_pose(centers[i], sides[i], SIZE, MARGIN)
        write_image(path, crop_face(image, pose, SIZE))
        points = apply_similarity(pose, faces.landmarks[i]).ravel()
        numbers = np.char.mod("%.2f", points).tolist()
        lines.append(" ".join([str(path), *map(str, [corner, corner, side, side]), *numbers]))
    (arguments.folder / "faces.txt").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} faces in {arguments.folder / 'faces.txt'}")


if __name__ == "__main__":
    main()
