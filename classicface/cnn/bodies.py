"""The networks that the fitters train: three bodies that regress coordinates, and a U-Net."""

from __future__ import annotations

from typing import Any

from classicface.cnn.graph import INPUT, Graph, Node

__all__ = ["BODIES", "regression_graph", "unet_graph"]

#: The bodies that `regression_graph` knows.
BODIES = ("mobile", "plain", "resnet")


class _Builder:
    """Collects nodes; each method adds some and returns the name of the last."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(self, op: str, *inputs: str, **options: Any) -> str:
        name = f"{op}{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs, **options))
        return name

    def conv(
        self, source: str, channels: int, kernel: int = 3, stride: int = 1, relu: bool = True
    ) -> str:
        """Add a convolution, its batch normalisation and, by default, a rectifier."""
        source = self.add("conv", source, channels=channels, kernel=kernel, stride=stride)
        return self.add("batch_norm", source, relu=relu)

    def separable(self, source: str, channels: int, stride: int = 1, relu: bool = True) -> str:
        """Add a depthwise 3x3 and a pointwise convolution (Howard et al., MobileNets, 2017)."""
        source = self.add("depthwise", source, kernel=3, stride=stride)
        source = self.add("batch_norm", source, relu=True)
        return self.conv(source, channels, kernel=1, relu=relu)

    def residual(
        self, source: str, incoming: int, channels: int, stride: int = 1, light: bool = False
    ) -> str:
        """Add two 3x3 convolutions, or separable ones if `light`, and a skip around them.

        He et al., CVPR 2016. Where the map is halved the skip averages it, so that it sees every
        pixel (He et al., CVPR 2019).
        """
        layer = self.separable if light else self.conv
        body = layer(source, channels, stride=stride)
        body = layer(body, channels, relu=False)
        if stride != 1:
            source = self.add("average_pool", source, kernel=stride, stride=stride)
        if incoming != channels:
            source = self.conv(source, channels, kernel=1, relu=False)
        return self.add("add", body, source, relu=True)


def _round8(channels: float) -> int:
    """Return a number of channels that suits vectors of eight."""
    return max(8, 8 * round(channels / 8))


def regression_graph(
    body: str, input_size: int, n_outputs: int, width: float, depth: int, dropout: float
) -> Graph:
    """Return a network from a grey crop to numbers.

    Every stage halves the map and doubles the channels, until a grid of at most 6 x 6 is left; a
    pointwise convolution then narrows it, and a dense layer reads all of it, so that positions
    are not averaged away.

    Parameters
    ----------
    body : {"mobile", "plain", "resnet"}
    input_size : int
        Pixels along a side of the crop; a multiple of 16.
    n_outputs : int
    width : float
        Scales the channels.
    depth : int
        Blocks a stage.
    dropout : float
        Before the dense layer; 0 leaves it out.
    """
    net = _Builder()
    size, channels = input_size // 2, _round8(16 * width)
    x = net.conv(INPUT, channels, stride=2)
    stage = 0
    while size > 6 and size % 2 == 0:
        incoming, channels = channels, _round8(min(32 * 2**stage, 256) * width)
        for i in range(depth):
            if body == "plain":
                x = net.conv(x, channels)
            else:
                stride = 2 if i == 0 else 1
                x = net.residual(x, incoming, channels, stride, light=body == "mobile")
            incoming = channels
        if body == "plain":
            x = net.add("max_pool", x, kernel=2, stride=2)
        size //= 2
        stage += 1
    x = net.conv(x, _round8(32 * width), kernel=1)
    if dropout > 0:
        x = net.add("dropout", x, rate=dropout)
    net.add("dense", x, channels=n_outputs)
    return Graph((input_size, input_size, 1), tuple(net.nodes))


def unet_graph(
    input_size: int,
    n_landmarks: int,
    widths: tuple[int, ...],
    head_width: int,
    depth: int,
    map_stride: int,
) -> Graph:
    """Return a U-Net from a grey crop to one heatmap a landmark (Ronneberger et al., 2015).

    Strided convolutions bring the crop down to the size of the heatmaps; from there each level
    halves the map, by residual blocks. On the way up a map is enlarged bilinearly, the one of the
    way down is added, and a convolution mixes them.

    Parameters
    ----------
    input_size : int
        Pixels along a side; a multiple of ``map_stride * 2 ** (len(widths) - 1)``.
    n_landmarks : int
    widths : tuple of int
        Channels of each level, the finest first.
    head_width : int
        Channels of the last map before the heatmaps.
    depth : int
        Residual blocks a level, on the way down.
    map_stride : int
        Crop pixels per heatmap pixel: 1, 2, 4, ...
    """
    net = _Builder()
    x, channels, stride = INPUT, widths[0], map_stride
    if stride == 1:
        x = net.conv(x, channels)
    while stride > 1:
        stride //= 2
        channels = widths[0] if stride == 1 else _round8(widths[0] / stride)
        x = net.conv(x, channels, stride=2)
    skips = []
    for level, width in enumerate(widths):
        for i in range(depth):
            x = net.residual(x, channels, width, stride=2 if level > 0 and i == 0 else 1)
            channels = width
        skips.append(x)
    skips.pop()
    for width, narrower in zip(widths[-2::-1], [*widths[-3::-1], head_width], strict=True):
        if channels != width:
            x = net.conv(x, width, kernel=1)
        x = net.add("upsample", x, stride=2)
        x = net.add("add", x, skips.pop())
        x, channels = net.conv(x, narrower), narrower
    net.add("conv", x, channels=n_landmarks, bias=True)
    return Graph((input_size, input_size, 1), tuple(net.nodes))
