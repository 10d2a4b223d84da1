"""Train the bundled model ``heatmap68`` on HELEN's training set and write it with its card.

    python benchmarks/train_heatmap68.py [--data FOLDER] [-o classicface/weights]

Training varies and mirrors the faces itself. The test set is only used for the accuracy that the
card and the file's header state. An interrupted training goes on from the checkpoint that it left
in the output folder.
"""

from train_ert68 import SEED, bundle

from classicface import HeatmapFitter

if __name__ == "__main__":
    bundle(
        "heatmap68",
        HeatmapFitter(epochs=500, shard_size=16, random_state=SEED),
        "A convolutional network that draws a heatmap for each landmark (`HeatmapFitter`, default"
        " parameters but\nfor the number of epochs) for the 68 points of the iBUG scheme.",
        SEED,
        mirror=False,
    )
