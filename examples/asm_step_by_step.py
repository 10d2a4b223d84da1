"""Watch an active shape model search: the shape at the start and after each level of the pyramid.

    python examples/asm_step_by_step.py [FILE] [--model MODEL] [--picture PICTURE]

Writes a row of pictures to FILE. Without a model it trains one on synthetic faces; without a
picture it searches in another such face.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

import classicface
from classicface import draw_landmarks, get_detector, read_image, synthetic_faces, write_image
from classicface.asm.model import ASMFitter
from classicface.shape.boxes import box_centers_sides

SIDE = 250  # of each picture, in pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=Path("asm-search.png"))
    parser.add_argument("--model", help="a trained model, by its name or file")
    parser.add_argument("--picture", type=Path, help="a picture with one face")
    arguments = parser.parse_args()
    if arguments.model:
        fitter = classicface.load(arguments.model)
    else:
        fitter = ASMFitter(random_state=0).fit(synthetic_faces(150).with_mirror())
    if arguments.picture:
        picture = read_image(arguments.picture)
        box = get_detector().detect(picture).boxes[0]
    else:
        other = synthetic_faces(1, random_state=10_000)
        picture, box = other.images[0], other.boxes[0]
    # A start that is off by a tenth of the box's side, so that there is something to see.
    box = box + 0.1 * (box[2] - box[0])

    steps = fitter.trace(picture, box)
    (center,), (side,) = box_centers_sides(box[None])
    scale = SIDE / (1.7 * side)
    # The face in the middle of a square picture.
    to_tile = np.array(
        [
            [scale, 0, SIDE / 2 - scale * center[0]],
            [0, scale, SIDE / 2 - scale * center[1]],
        ]
    )
    tile = cv2.warpAffine(
        picture, to_tile, (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    tiles = []
    for i in range(0, len(steps), fitter.n_iterations):
        points = (steps[i] * scale + to_tile[:, 2]).astype(np.float32)
        tiles.append(draw_landmarks(tile, points[None], fitter.scheme_))
        level = i // fitter.n_iterations - 1
        name = "start" if i == 0 else f"after level {level + 1}, {fitter.face_sizes[level]:g} px"
        print(f"{name}: {np.abs(steps[i] - steps[-1]).max():.1f} px from the end at most")
    write_image(arguments.file, np.hstack(tiles))


if __name__ == "__main__":
    main()
