"""Run the same networks with classicface, ONNX Runtime and PyTorch, in turns in one process.

Measured on one thread: one face and a batch of 64, the network alone (its maps in, its raw output)
and one face from the crop to its points; on two threads, a training step of 64 (forward, backward,
Adam). PyTorch runs eagerly with batch norm fused into the convolutions, in the faster of its two
memory formats; ONNX Runtime with all optimisations. A shard of ours is half the batch.

    python benchmarks/bench_cnn_vs_onnxruntime.py [--models NAME ...] [--data FOLDER] [--rounds N]

Needs ``pip install onnx onnxruntime``, and ``torch`` for its columns, which are left out without
it. A model is a bundled one or a file, or ``mobile``: the default network of `CNNFitter`, trained
for a moment on drawn faces, as a bundled one that is missing would be.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from threadpoolctl import threadpool_limits

import classicface
from classicface import load_dataset, synthetic_faces
from classicface.cnn.heatmap_model import HeatmapFitter
from classicface.cnn.losses import COORDINATE_LOSSES, HEATMAP_LOSSES
from classicface.cnn.model import CNNFitter
from classicface.cnn.training import Recipe, train_network
from classicface.cnn.view import normalise
from classicface.image.crop import crop_face, crop_pose
from classicface.registry import MODELS
from classicface.shape.boxes import box_centers_sides

try:
    import torch
    from torch_twin import passes, training_steps
except ImportError:
    torch = None

DATA = Path(os.environ.get("CLASSICFACE_DATA") or Path(__file__).parents[2] / "shared" / "data")
BATCH = 64
KINDS = {"mobile": CNNFitter, "cnn68": CNNFitter, "heatmap68": HeatmapFitter}
TRAINING_THREADS = 2
SHARD = BATCH // TRAINING_THREADS

Fitter = CNNFitter | HeatmapFitter
Times = dict[str, float]


def model_of(name: str) -> Fitter:
    """Return a trained predictor, or one of the same kind with little training."""
    if name in MODELS or name not in KINDS:
        return classicface.load(name)
    print(f"{name} is not bundled; its network is trained for a moment instead")
    return KINDS[name](epochs=1, random_state=0).fit(synthetic_faces(BATCH, random_state=0))


def crops_of(fitter: Fitter, data: Path) -> np.ndarray:
    """Return the crops of 64 faces: of HELEN's test set, or drawn where it is missing."""
    folder = data / "300w" / "helen" / "testset"
    faces = load_dataset(folder) if folder.is_dir() else synthetic_faces(BATCH, random_state=1)
    crops = np.empty((BATCH, fitter.input_size, fitter.input_size), np.uint8)
    for i in range(BATCH):
        center, side = box_centers_sides(faces.boxes[i])
        pose = crop_pose(center, float(side), fitter.input_size, fitter.margin)
        crops[i] = crop_face(faces.images[i], pose, fitter.input_size)
    return crops


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def sessions(fitter: Fitter) -> tuple[onnxruntime.InferenceSession, onnxruntime.InferenceSession]:
    """Export a network; return sessions of all of it, and of the network without its head."""
    with tempfile.TemporaryDirectory() as scratch:
        whole, bare = Path(scratch) / "whole.onnx", Path(scratch) / "bare.onnx"
        fitter.to_onnx(whole)
        made = [node.output[0] for node in onnx.load(whole).graph.node]
        last = [name for name in made if name.startswith("network/")][-1]
        onnx.utils.extract_model(str(whole), str(bare), ["input"], [last])
        return session(whole), session(bare)


def in_turns(contenders: dict[str, Callable[[], Any]], rounds: int, calls: int) -> Times:
    """Return the median milliseconds of a call of each; they take turns of several calls."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(rounds + 1):
        for name, run in contenders.items():
            for _ in range(calls):
                start = time.perf_counter()
                run()
                if i > 0:  # the first turn warms up
                    times[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(values)) for name, values in times.items()}


def torch_passes(fitter: Fitter, x: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Return PyTorch's passes over a batch, one a memory format, by a name for each."""
    return {} if torch is None else passes(fitter.graph_, fitter.state_, x)


def faster_torch(times: Times) -> Times:
    """Put one entry in place of those of PyTorch's memory formats: the faster one."""
    others = {name: value for name, value in times.items() if not name.startswith("PyTorch")}
    found = [value for name, value in times.items() if name.startswith("PyTorch")]
    return {**others, **({"PyTorch": min(found)} if found else {})}


def predictions(fitter: Fitter, crops: np.ndarray, rounds: int) -> dict[str, Times]:
    """Measure prediction; return the times of each row."""
    whole, bare = sessions(fitter)
    source = bare.get_inputs()[0].name
    rows: dict[str, Times] = {}
    for label, n, calls in (("one face", 1, 20), (f"{BATCH} faces", BATCH, 2)):
        x = normalise(crops[:n])[..., None]
        feed = {source: x.reshape(n, 1, *x.shape[1:3])}
        out = np.empty((n, *fitter.network_.output_shape), np.float32)
        contenders = {
            "classicface": lambda x=x, out=out: fitter.network_.run(x, out),
            "ONNX Runtime": lambda feed=feed: bare.run(None, feed),
            **torch_passes(fitter, x),
        }
        rows[f"{label}, network, ms"] = faster_torch(in_turns(contenders, rounds, calls))
    face = {"crop": crops[:1]}
    contenders = {
        "classicface": lambda: fitter._read(crops[0], ()),
        "ONNX Runtime": lambda: whole.run(None, face),
    }
    rows["one face, crop to points, ms"] = in_turns(contenders, rounds, 20)
    rows |= agreement(fitter, crops, whole, bare)
    return rows


def agreement(
    fitter: Fitter,
    crops: np.ndarray,
    whole: onnxruntime.InferenceSession,
    bare: onnxruntime.InferenceSession,
) -> dict[str, Times]:
    """Return how far the others' raw outputs and landmarks are from ours at most."""
    x = normalise(crops)[..., None]
    maps = x.reshape(len(x), 1, *x.shape[1:3])
    ours = fitter.network_.run(x)
    others = {"ONNX Runtime": bare.run(None, {bare.get_inputs()[0].name: maps})[0]}
    others |= {name: run().numpy() for name, run in torch_passes(fitter, x).items()}
    raw, points = {}, {}
    for name, output in others.items():
        output = np.ascontiguousarray(output.transpose(0, 2, 3, 1))
        raw[name] = float(np.abs(output - ours).max())
        found = fitter._decode(output)[:, :, :2] + fitter.offset_
        if name == "ONNX Runtime":
            (found,) = whole.run(["landmarks"], {"crop": crops})
        decoded = fitter._decode(ours)[:, :, :2] + fitter.offset_
        points[name] = float(np.abs(found - decoded).max())
    return {
        "largest difference of the raw output": faster_torch(raw),
        "largest difference, crop pixels": faster_torch(points),
    }


class TrainingBatches:
    """Gives one batch again and again, and times the steps: ours, and a peer's before each."""

    def __init__(self, batch: tuple[np.ndarray, ...], n_steps: int, peer: Callable | None) -> None:
        self.batch, self.n_steps, self.batch_size, self.peer = batch, n_steps, BATCH, peer
        self.times: dict[str, list[float]] = {"classicface": [], "PyTorch": []}
        self.start = 0.0

    def epoch(self, number: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Give the batch for every step, as `train_network` asks for it."""
        for _ in range(self.n_steps):
            if self.peer is not None:
                start = time.perf_counter()
                self.peer()
                self.times["PyTorch"].append(time.perf_counter() - start)
            time.sleep(0.02)  # threads that wait for work in a loop come to rest
            self.start = time.perf_counter()
            yield self.batch

    def progress(self, fraction: float, text: str) -> None:
        """Take the time: a step has ended."""
        if len(self.times["classicface"]) < self.n_steps:
            self.times["classicface"].append(time.perf_counter() - self.start)

    def medians(self) -> Times:
        """Return the median milliseconds of a step; the first two warm up."""
        return {
            name: 1e3 * float(np.median(values[2:]))
            for name, values in self.times.items()
            if values
        }


def training(fitter: Fitter, crops: np.ndarray, steps: int) -> Times:
    """Measure training steps of 64, with PyTorch's between ours."""
    rng = np.random.default_rng(0)
    points = rng.uniform(2, 20, (BATCH, 68, 2)).astype(np.float32)
    weights = np.ones((BATCH, 68), np.float32)
    heatmaps = isinstance(fitter, HeatmapFitter)

    def loss(output: np.ndarray, points: np.ndarray, weights: np.ndarray) -> Any:
        if heatmaps:
            return HEATMAP_LOSSES["cross_entropy"](output, points, weights, 1.0)
        value, gradient = COORDINATE_LOSSES["wing"](output.reshape(points.shape), points, weights)
        return value, gradient.reshape(output.shape)

    recipe = Recipe(
        epochs=1,
        shard_size=SHARD,
        optimiser="adam",
        learning_rate=1e-4,
        weight_decay=0.0,
        schedule="constant",
        warm_up=0.0,
        clip_norm=0.0,
        moving_average=0.0,
        patience=None,
        time_budget=None,
        checkpoint=None,
    )
    found: Times = {}
    peers: list[Any] = [None]
    if torch is not None:
        peers = training_steps(fitter.graph_, fitter.state_, crops, points, heatmaps)
    for peer in peers:
        batches = TrainingBatches((crops[..., None], points, weights), steps, peer)
        train_network(
            *(fitter.graph_, fitter.state_, batches, loss, recipe, None, "", 0),
            *(TRAINING_THREADS, batches.progress),
        )
        for name, value in batches.medians().items():
            found[name] = min(value, found.get(name, value))
    return found


def report(rows: dict[str, Times]) -> None:
    """Print the rows, and what ours takes of the time of each other."""
    names = ("classicface", "ONNX Runtime", "PyTorch")
    heads = [f"{name:>14}" for name in names] + [f"{'/ ONNX Rt.':>12}{'/ PyTorch':>12}"]
    print(f"{'':37}" + "".join(heads))
    for label, times in rows.items():
        style = ".1e" if "difference" in label else ".3f"
        line = "".join(f"{format(times[n], style) if n in times else '-':>14}" for n in names)
        if "classicface" in times:
            shares = [times["classicface"] / times[n] if n in times else None for n in names[1:]]
            line += "".join(f"{'' if share is None else f'{share:.2f}':>12}" for share in shares)
        print(f"{label:37}{line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(KINDS), metavar="NAME")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=10, help="of training, for each measurement")
    arguments = parser.parse_args()
    versions = {"classicface": classicface.__version__, "onnxruntime": onnxruntime.__version__}
    if torch is None:
        print("torch is not installed: its columns are left out")
    else:
        versions["torch"] = torch.__version__
    print("; ".join(f"{name} {version}" for name, version in versions.items()))
    for name in arguments.models:
        fitter = model_of(name)
        crops = crops_of(fitter, arguments.data)
        n_weights = sum(array.size for array in fitter.state_.values()) / 1e6
        with threadpool_limits(1, user_api="blas"):
            if torch is not None:
                torch.set_num_threads(1)
            rows = predictions(fitter, crops, arguments.rounds)
            if torch is not None:
                torch.set_num_threads(TRAINING_THREADS)
            label = f"training step of {BATCH}, 2 threads, ms"
            if arguments.steps > 0:
                rows[label] = training(fitter, crops, arguments.steps + 2)
        size = fitter.input_size
        print(f"\n{name}: {size} x {size} pixels, {n_weights:.2f} M weights")
        report(rows)


if __name__ == "__main__":
    main()
