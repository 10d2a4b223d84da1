"""Find the fastest method at the accuracy that you need, on your data, on your machine.

    python examples/compare_speed_accuracy.py                   # on drawn faces, anywhere
    python examples/compare_speed_accuracy.py helen/testset     # on your own annotated faces
    python examples/compare_speed_accuracy.py helen/testset helen/trainset    # training first

Writes the report into the folder comparison.
"""

import shlex
import sys
from pathlib import Path

from classicface import load_dataset, synthetic_faces
from classicface.evaluation import compare, load_methods, train_methods, write_report


def main() -> None:
    data = sys.argv[1:]
    folder = Path("comparison")
    folder.mkdir(exist_ok=True)

    # The faces to test on, each with the box that the methods start from.
    faces = load_dataset(data[0]) if data else synthetic_faces(100, box_jitter=0.05)

    # Bundled models; files of your own and outside models ("dlib:face.dat") are named likewise.
    methods = load_methods(["ert68", "asm68", "aam68", "cnn68", "heatmap68", "best68"])

    # Techniques trained on your own faces, with a preset each.
    if len(data) > 1:
        methods += train_methods(["ert:fast", "asm"], load_dataset(data[1]), folder)

    comparison = compare(
        methods,
        faces,
        data=Path(data[0]).name if data else "drawn faces",
        command=shlex.join(["python", *sys.argv]),
        progress=lambda fraction, text: print(f"{100 * fraction:3.0f} % {text}", file=sys.stderr),
    )
    for name in comparison.front():
        method = comparison[name]
        error = method.accuracy[comparison.normalizer].mean
        print(
            f"{name}: {error.value:.2f} % ({error.low:.2f} to {error.high:.2f}),"
            f" {method.speed.one_face_us / 1000:.2f} ms a face"
        )
    print("wrote", write_report(comparison, folder)[0])


if __name__ == "__main__":
    main()
