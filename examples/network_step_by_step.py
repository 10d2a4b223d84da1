"""Train a small network that draws heatmaps, look at what it sees, and export it.

    python examples/network_step_by_step.py [FOLDER] [--faces DATA] [--model MODEL]

Writes into FOLDER: network-learning.png, the learning curves; network-heatmaps.png, the heatmaps
of three faces, and of the same faces with the mouth hidden; network.safetensors; network.onnx,
which needs the packages onnx and onnxruntime. Without data it trains on synthetic faces, less than
a minute on two cores; with a model it trains nothing.
"""

import argparse
from pathlib import Path

import numpy as np

import classicface
from classicface import HeatmapFitter, LandmarkDataset, load_dataset, synthetic_faces, write_image
from classicface.exceptions import MissingDependencyError
from classicface.image.crop import crop_face, crop_pose
from classicface.metrics import nme
from classicface.plotting import grid, save_figure
from classicface.plotting.heatmaps import draw_heatmaps
from classicface.plotting.training import plot_learning_curves
from classicface.shape.boxes import box_centers_sides
from classicface.shape.similarity import apply_similarity, invert_similarity

MOUTH = slice(48, 68)


def train(faces: LandmarkDataset) -> HeatmapFitter:
    """Train a network that is small enough to watch: a quarter of the default's pixels."""
    fitter = HeatmapFitter(
        input_size=64,
        widths=(24, 32, 48),
        head_width=32,
        epochs=60,
        learning_rate=4e-3,
        moving_average=0.98,  # of some hundred steps; the default is for many thousands
        validation=0.2,
        random_state=0,
    )
    return fitter.fit(faces)


def hide_mouth(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return the picture with a grey rectangle over the mouth."""
    (x0, y0), (x1, y1) = landmarks[MOUTH].min(axis=0), landmarks[MOUTH].max(axis=0)
    x, y = int(0.15 * (x1 - x0)), int(0.3 * (y1 - y0))
    hidden = image.copy()
    hidden[int(y0) - y : int(y1) + y, int(x0) - x : int(x1) + x] = 128
    return hidden


def picture(fitter: HeatmapFitter, image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the heatmaps over the crop that the network saw, with the points found in them."""
    crop, maps = fitter.heatmaps(image, box)
    (center,), (side,) = box_centers_sides(box[None])
    pose = crop_pose(center, float(side), fitter.input_size, fitter.margin)
    points = apply_similarity(pose, fitter.predict(image, box)[0])
    scale = 256 / fitter.input_size
    return draw_heatmaps(crop, maps, fitter.scheme_, points=points, scale=scale)


def run_exported(
    fitter: HeatmapFitter, path: Path, image: np.ndarray, box: np.ndarray
) -> np.ndarray:
    """Run the exported network in ONNX Runtime; return the points in the picture."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    # What the exported model leaves to its user: the crop, and the way back into the picture.
    (center,), (side,) = box_centers_sides(box[None])
    pose = crop_pose(center, float(side), fitter.input_size, fitter.margin)
    crop = crop_face(image, pose, fitter.input_size)
    points, _confidence = session.run(None, {"crop": crop[None]})
    return apply_similarity(invert_similarity(pose), points[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("network"))
    parser.add_argument("--faces", type=Path, help="annotated faces to train on")
    parser.add_argument("--model", help="a trained heatmap network, by its name or file")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)

    if arguments.model:
        fitter = classicface.load(arguments.model)
        assert isinstance(fitter, HeatmapFitter), "only a heatmap network draws heatmaps"
    else:
        fitter = train(load_dataset(arguments.faces) if arguments.faces else synthetic_faces(160))
        fitter.save(folder / "network.safetensors")
    save_figure(plot_learning_curves(fitter.history_), folder / "network-learning.png", dpi=100)

    others = synthetic_faces(40, random_state=10_000)  # none that it has seen
    errors = nme(fitter.predict_many(others.images, others.boxes), others.landmarks)
    print(f"error on other faces: {100 * np.mean(errors):.2f} % of the inter-ocular distance")

    rows = []
    for image, box, landmarks in zip(
        others.images[:3], others.boxes, others.landmarks, strict=False
    ):
        hidden = hide_mouth(image, landmarks)
        rows.append((picture(fitter, image, box), picture(fitter, hidden, box)))
        seen, unseen = (fitter.predict_with_confidence(i, box)[1][0] for i in (image, hidden))
        print(
            f"confidence of the mouth: {seen[MOUTH].mean():.2f}, hidden"
            f" {unseen[MOUTH].mean():.2f}; of the rest: {seen[:48].mean():.2f},"
            f" {unseen[:48].mean():.2f}"
        )
    tiles = [tile for column in zip(*rows, strict=True) for tile in column]
    write_image(folder / "network-heatmaps.png", grid(tiles, len(rows)))

    path = folder / "network.onnx"
    try:
        fitter.to_onnx(path)
        theirs = run_exported(fitter, path, others.images[0], others.boxes[0])
    except (MissingDependencyError, ImportError) as error:
        print(f"the export was not tried: {error}")
        return
    fitter.set_params(n_passes=1)  # the exported network is one pass
    ours = fitter.predict(others.images[0], others.boxes[0])[0]
    print(f"{path}: ONNX Runtime differs by {np.abs(theirs - ours).max():.1e} pixels at most")


if __name__ == "__main__":
    main()
