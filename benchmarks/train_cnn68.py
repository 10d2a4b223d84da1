"""Train the bundled model ``cnn68`` on HELEN's training set and write it with its card.

    python benchmarks/train_cnn68.py [--data FOLDER] [-o classicface/weights]

Training varies and mirrors the faces itself. The test set is only used for the accuracy that the
card and the file's header state. An interrupted training goes on from the checkpoint that it left
in the output folder.
"""

from train_ert68 import SEED, bundle

from classicface import CNNFitter

if __name__ == "__main__":
    bundle(
        "cnn68",
        CNNFitter(body="resnet", input_size=96, epochs=1200, shard_size=16, random_state=SEED),
        "A convolutional network that regresses coordinates (`CNNFitter`, residual body on crops"
        " of 96 pixels)\nfor the 68 points of the iBUG scheme.",
        SEED,
        mirror=False,
    )
