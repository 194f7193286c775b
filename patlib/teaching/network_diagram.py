"""Encoder-decoders drawn as their stages, each with the measured size of what it hands on; notebook 08 draws four.

One grid holds them all. A stage at level i works on sides that are halved i times; column 0 is the encoder, and the
last column of level i is 4 - i for four halvings, so that the stages of a decoder stand on the way up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from torch import Tensor, nn

Place = tuple[int, int]
"""(level, column) of a stage."""

PATHS: dict[str, dict[str, Any]] = {
    "down": {"color": "0.35", "linestyle": "-"},
    "up": {"color": "#d55e00", "linestyle": "-"},
    "across": {"color": "#0173b2", "linestyle": (0, (4, 2))},
    "in and out": {"color": "0.65", "linestyle": "-"},
}
"""How each kind of path is drawn."""

ENCODER, INSIDE, DECODER = "#d9e8f5", "#eeeeee", "#fbe3d0"


def stage_sizes(network: nn.Module, stages: Mapping[Place, nn.Module], images: Tensor) -> dict[Place, tuple[int, ...]]:
    """(C,H,W) of what each stage hands on for images (N,3,H,W), measured by forward hooks.

    A stage that is called repeatedly counts with its last call, one with several results with the first of them. The
    network runs in evaluation mode, so that its batch norms keep their statistics. Raises ValueError for a stage that
    the network does not call.
    """
    sizes: dict[Place, tuple[int, ...]] = {}

    def note(place: Place) -> Callable[[nn.Module, Any, Any], None]:
        def hook(stage: nn.Module, inputs: Any, output: Any) -> None:
            sizes[place] = tuple((output[0] if isinstance(output, tuple) else output).shape[1:])

        return hook

    handles = [stage.register_forward_hook(note(place)) for place, stage in stages.items()]
    training = network.training
    with torch.no_grad():
        network.eval()(images)
    network.train(training)
    for handle in handles:
        handle.remove()
    if silent := stages.keys() - sizes.keys():
        raise ValueError(f"the network does not call the stages at {sorted(silent)}: pass modules of this network")
    return sizes


def paths(places: set[Place]) -> list[tuple[str, Place, Place]]:
    """(kind, from, to) of every path between the stages at these places, by one rule for all networks.

    The encoder goes down. A stage of a later column takes what the level below made one column earlier, and what all
    earlier columns of its own level made.
    """
    found = []
    for level, column in sorted(places):
        if column == 0 and level > 0:
            found.append(("down", (level - 1, 0), (level, 0)))
        if column > 0:
            found.append(("up", (level + 1, column - 1), (level, column)))
        found += [("across", (level, k), (level, column)) for k in range(column) if (level, k) in places]
    return found


def draw_network(
    network: nn.Module,
    stages: Mapping[Place, nn.Module],
    images: Tensor,
    down: str,
    up: str,
    across: str,
    mark: str = "",
) -> Figure:
    """One box a stage, with its channels and H × W for images (N,3,H,W), and the paths between the boxes.

    ``down``, ``up`` and ``across`` say what a path of each kind does; they are the legend. ``mark`` is written in the
    middle of every path across.
    """
    sizes = stage_sizes(network, stages, images)
    ends = {"image": tuple(images.shape[1:]), "logits": stage_sizes(network, {(0, 0): network}, images)[0, 0]}
    deepest = max(level for level, _ in sizes)
    figure, axis = plt.subplots(figsize=(8.5, 0.85 * deepest + 0.9))
    axis.set(xlim=(-1.6, 2 * deepest + 1.6), ylim=(-deepest - 0.4, 0.95))
    axis.axis("off")

    for place, size in sizes.items():
        level, column = place
        fill = ENCODER if column == 0 else DECODER if column + level == deepest else INSIDE
        _box(axis, _position(place), size, fill)
    left, right = -1.15, 2 * deepest + 1.15
    for (name, size), x in zip(ends.items(), (left, right), strict=True):
        axis.text(x, 0.42, name, ha="center", va="center", fontsize=10, fontweight="bold")
        _box(axis, (x, 0), size, "white")
    _arrow(axis, (left, 0), (0, 0), "in and out")
    _arrow(axis, (2 * deepest, 0), (right, 0), "in and out")
    for kind, start, end in paths(set(sizes)):
        (first, y), (last, _) = _position(start), _position(end)
        passes = kind == "across" and any((start[0], k) in sizes for k in range(start[1] + 1, end[1]))
        _arrow(axis, _position(start), _position(end), kind, bend=-0.22 if passes else 0)
        if kind == "across" and mark:
            axis.text((first + last) / 2, y, mark, ha="center", va="center", fontsize=10, backgroundcolor="white")
    legend = {"down": down, "up": up, "across": across}
    lines = [Line2D([], [], linewidth=1.5, label=text, **PATHS[kind]) for kind, text in legend.items()]
    figure.legend(handles=lines, loc="outside lower center", ncols=3, fontsize=10)
    return figure


def _position(place: Place) -> tuple[float, float]:
    level, column = place
    return level + 2 * column, -level


def _box(axis: Axes, position: tuple[float, float], size: tuple[int, ...], fill: str) -> None:
    channels, height, width = size
    axis.text(
        *position, f"{channels}\n{height} × {width}", ha="center", va="center", fontsize=10, zorder=3,
        bbox={"boxstyle": "round,pad=0.3", "facecolor": fill, "edgecolor": "0.4", "linewidth": 0.8},
    )  # fmt: skip


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float], kind: str, bend: float = 0) -> None:
    arrow = FancyArrowPatch(
        start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=11, linewidth=1.5,
        shrinkA=24, shrinkB=24, **PATHS[kind],
    )  # fmt: skip
    axis.add_patch(arrow)
