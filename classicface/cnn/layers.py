"""The layers by name; each is a pair of pure functions, forward and backward.

``forward(xs, params, node, training, rng)`` returns the output and a cache;
``backward(dy, cache, need_input=True)`` returns the gradients of the inputs, None for each where
they are not needed, and those of the learned weights. Maps are float32, (n, height, width,
channels) and C-contiguous. Nothing is kept between calls and no argument is written to, but
outputs and gradients may share memory with arguments and with one another, so a caller writes to
none of them.
"""

from __future__ import annotations

from classicface.cnn.activations import ADD, PRELU, RELU
from classicface.cnn.convolution import CONV, CONV_TRANSPOSE, DENSE, DEPTHWISE
from classicface.cnn.layer import Layer
from classicface.cnn.normalisation import BATCH_NORM, DROPOUT, batch_norm_statistics
from classicface.cnn.resampling import AVERAGE_POOL, CONCAT, GLOBAL_POOL, MAX_POOL, UPSAMPLE

__all__ = ["LAYERS", "Layer", "batch_norm_statistics"]

#: Every `op` of a graph's node.
LAYERS: dict[str, Layer] = {
    "conv": CONV,
    "depthwise": DEPTHWISE,
    "conv_transpose": CONV_TRANSPOSE,
    "dense": DENSE,
    "batch_norm": BATCH_NORM,
    "dropout": DROPOUT,
    "relu": RELU,
    "prelu": PRELU,
    "add": ADD,
    "max_pool": MAX_POOL,
    "average_pool": AVERAGE_POOL,
    "global_pool": GLOBAL_POOL,
    "upsample": UPSAMPLE,
    "concat": CONCAT,
}
