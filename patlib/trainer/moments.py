"""Adam's moments by the name of their parameter, so that a state can keep them as plain tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def named_moments(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments and step counts of the parameters that have any, under ``optimizer <moment> <parameter>``."""
    return {
        f"optimizer {moment} {name}": value
        for name, parameter in network.named_parameters()
        for moment, value in optimizer.state.get(parameter, {}).items()
    }


def load_moments(
    network: nn.Module, optimizer: torch.optim.Optimizer, named: Mapping[str, Tensor], learning_rate: float
) -> None:
    """Give the optimiser the moments that :func:`named_moments` named, and its learning rate.

    Other tensors in ``named`` are ignored.
    """
    moments: dict[int, dict[str, Tensor]] = {}
    for index, (name, parameter) in enumerate(network.named_parameters()):
        for moment in ("step", "exp_avg", "exp_avg_sq"):
            if (value := named.get(f"optimizer {moment} {name}")) is not None:
                # A moment has its parameter's memory format, as if Adam had made it.
                moments.setdefault(index, {})[moment] = (
                    value if moment == "step" else torch.empty_like(parameter, requires_grad=False).copy_(value)
                )
    groups = optimizer.state_dict()["param_groups"]
    groups[0]["lr"] = learning_rate
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
