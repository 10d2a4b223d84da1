"""The networks of classicface in PyTorch, for comparison: the same graph, weights and losses."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn.functional import log_softmax, relu
from torch.nn.utils.fusion import fuse_conv_bn_eval

from classicface.cnn.graph import INPUT, Graph, Node, State

Shape = tuple[int, int, int]

FORMATS = (torch.contiguous_format, torch.channels_last)


class Twin(nn.Module):
    """A network from its graph and state; maps are (n, channels, height, width)."""

    def __init__(self, graph: Graph, state: State) -> None:
        super().__init__()
        shapes = graph.shapes()
        read = [name for node in graph.nodes for name in node.inputs]
        self.nodes = graph.nodes
        self.alone = {name for name in read if read.count(name) == 1}
        last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
        self.done_after = [[n for n in last if last[n] == i] for i in range(len(graph.nodes))]
        own = {
            node.name: {
                key.rpartition(".")[2]: torch.from_numpy(value.copy())
                for key, value in state.items()
                if key.rpartition(".")[0] == node.name
            }
            for node in graph.nodes
        }
        self.layers = nn.ModuleList(
            layer(node, shapes[node.inputs[0]], own[node.name]) for node in graph.nodes
        )

    def fused(self) -> Twin:
        """Put the batch norms into the convolutions, as `torch.nn.utils.fusion` does; in place."""
        self.eval()
        places = {node.name: i for i, node in enumerate(self.nodes)}
        for i, node in enumerate(self.nodes):
            before = places.get(node.inputs[0])
            if node.op != "batch_norm" or before is None or node.inputs[0] not in self.alone:
                continue
            if isinstance(self.layers[before], nn.Conv2d):
                self.layers[before] = fuse_conv_bn_eval(self.layers[before], self.layers[i])
                self.layers[i] = nn.Identity()
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run the layers in order; a map is let go once no later layer reads it."""
        values = {INPUT: x}
        steps = zip(self.nodes, self.layers, self.done_after, strict=True)
        for node, module, done in steps:
            inputs = [values[name] for name in node.inputs]
            if node.op == "add":
                y = sum(inputs[1:], start=inputs[0])
            elif node.op == "concat":
                y = torch.cat(inputs, dim=1)
            else:
                y = module(inputs[0])
            for name in done:
                del values[name]
            values[node.name] = relu(y, inplace=True) if node.relu else y
        return values[self.nodes[-1].name]


def layer(node: Node, source: Shape, own: dict[str, torch.Tensor]) -> nn.Module:
    """Return the module of a node with its weights."""
    k, s, channels = node.kernel, node.stride, source[2]
    if node.op in ("conv", "depthwise"):
        groups = 1 if node.op == "conv" else channels
        options = {"padding": (k - 1) // 2, "groups": groups, "bias": node.bias}
        made = nn.Conv2d(channels, node.channels or channels, k, s, **options)
        weight = own["weight"]
        own["weight"] = (
            weight.permute(3, 2, 0, 1) if groups == 1 else weight.permute(2, 0, 1)[:, None]
        )
    elif node.op == "conv_transpose":
        options = {"padding": (k - s) // 2, "bias": node.bias}
        made = nn.ConvTranspose2d(channels, node.channels, k, s, **options)
        own["weight"] = own["weight"].permute(2, 3, 0, 1)
    elif node.op == "dense":
        linear = nn.Linear(math.prod(source), node.channels)
        rows = own["weight"].reshape(*source, node.channels).permute(3, 2, 0, 1)
        linear.load_state_dict({"weight": rows.flatten(1), "bias": own["bias"]})
        return nn.Sequential(nn.Flatten(), linear, nn.Unflatten(1, (node.channels, 1, 1)))
    elif node.op == "batch_norm":
        made = nn.BatchNorm2d(channels)
        names = ("weight", "bias", "running_mean", "running_var")
        own = dict(
            zip(names, (own[n] for n in ("scale", "shift", "mean", "variance")), strict=True)
        )
        own["num_batches_tracked"] = torch.tensor(0)
    elif node.op == "prelu":
        made, own = nn.PReLU(channels), {"weight": own["slope"]}
    else:
        return {
            "relu": nn.ReLU(),
            "max_pool": nn.MaxPool2d(k, s),
            "average_pool": nn.AvgPool2d(k, s),
            "global_pool": nn.AdaptiveAvgPool2d(1),
            "upsample": nn.Upsample(scale_factor=s, mode="bilinear", align_corners=False),
            "dropout": nn.Dropout(node.rate),
            "add": nn.Identity(),
            "concat": nn.Identity(),
        }[node.op]
    made.load_state_dict({name: value.contiguous() for name, value in own.items()})
    return made


def wing_loss(
    output: torch.Tensor, points: torch.Tensor, width: float = 10.0, curvature: float = 2.0
) -> torch.Tensor:
    """Return the wing loss of raw numbers against points, (n, L, 2)."""
    distance = (output.reshape(points.shape) - points).abs()
    beyond = distance - (width - width * math.log1p(width / curvature))
    near = width * torch.log1p(distance / curvature)
    return torch.where(distance < width, near, beyond).mean()


def heatmap_loss(logits: torch.Tensor, points: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return the cross-entropy of the maps' softmax against Gaussians around points, (n, L, 2)."""
    height, width = logits.shape[2:]
    along_x, along_y = (
        torch.exp(-((torch.arange(size) - points[:, :, axis, None]) ** 2) / (2 * sigma**2))
        for axis, size in ((0, width), (1, height))
    )
    gaussians = along_y[:, :, :, None] * along_x[:, :, None, :]
    gaussians = gaussians / gaussians.sum((2, 3), keepdim=True)
    logs = log_softmax(logits.flatten(2), dim=2)
    return -(gaussians.flatten(2) * logs).sum(2).mean()


def passes(graph: Graph, state: State, x: np.ndarray) -> dict[str, Callable[[], torch.Tensor]]:
    """Return passes over a batch, channels last, one in each memory format; by their names."""

    def new(form: torch.memory_format) -> Callable[[], torch.Tensor]:
        twin = Twin(graph, state).fused().to(memory_format=form)
        maps = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).to(memory_format=form)

        def run() -> torch.Tensor:
            with torch.inference_mode():
                return twin(maps)

        return run

    return {f"PyTorch {form}": new(form) for form in FORMATS}


def training_steps(
    graph: Graph, state: State, crops: np.ndarray, points: np.ndarray, heatmaps: bool
) -> list[Callable[[], None]]:
    """Return a training step on crops (n, size, size), one in each memory format."""
    pixels, truth = torch.from_numpy(crops)[:, None], torch.from_numpy(points)

    def new(form: torch.memory_format) -> Callable[[], None]:
        twin = Twin(graph, state).to(memory_format=form).train()
        optimiser = torch.optim.Adam(twin.parameters(), lr=1e-4, fused=True)

        def step() -> None:
            output = twin(((pixels.float() - 127.5) / 64).to(memory_format=form))
            value = heatmap_loss(output, truth, 1.0) if heatmaps else wing_loss(output, truth)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()

        return step

    return [new(form) for form in FORMATS]
