"""A user's program, for the type checker alone: `mypy` reads it with the package, and nothing runs it.

In strict mode an `assert_type` that does not hold is an error, and so is a `type: ignore` of a line without one.
"""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from patlib import RunConfig, SegmentationMetrics, build_loss, build_model, fit, prepare
from patlib.datasets import PreparedDataset, from_folder, from_pairs, get_spec
from patlib.losses import PAT, CrossEntropy, PixelLoss, count_class_pixels, mask_sizes
from patlib.metrics import CalibrationError, frequency_groups
from patlib.trainer import load_model

logits, target = torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2).long()


class Mine(PixelLoss):
    """A loss of one's own."""

    def weight(self, nll: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        return nll.new_ones(())


loss = build_loss("pat", num_classes=3, T=20)
assert_type(loss, PixelLoss)
for each in (loss(logits, target), PAT(3, T=5.0)(logits, target), Mine(3)(logits, target)):
    assert_type(each, Tensor)
assert_type(loss.normaliser(target != 255), Tensor)
assert_type(count_class_pixels([target], 3), Tensor)
assert_type(mask_sizes(target, 3), Tensor)
loss(logits)  # type: ignore[call-arg]
loss(logits, [0])  # type: ignore[arg-type]
PAT(3, 20)  # type: ignore[call-arg]
PAT(3, temperature=2.0)  # type: ignore[call-arg]
PAT("3")  # type: ignore[arg-type]
build_loss(3, 4)  # type: ignore[arg-type]

metrics = SegmentationMetrics(num_classes=3)
metrics.update(logits, target)
assert_type(metrics.scalars(), dict[str, float])
assert_type(metrics.compute(), dict[str, Tensor])
assert_type(metrics.per_class(), pd.DataFrame)
assert_type(metrics.confusion, Tensor)
assert_type(CalibrationError(3).compute(), dict[str, Tensor])
assert_type(frequency_groups([1, 2, 3], 3), dict[str, list[int]])
metrics.update(logits)  # type: ignore[call-arg]

assert_type(build_model("unet", 3, 8), nn.Module)
build_model("unet")  # type: ignore[call-arg]

data = from_folder("images", Path("masks"), classes=["a", "b"], size=(8, 8))
assert_type(data, PreparedDataset)
assert_type(from_pairs([(0, 1)] * 3, classes=("a", "b"), size=(2, 2), name="x"), PreparedDataset)
assert_type(from_pairs({"train": [1], "val": [2]}, classes=["a", "b"], size=(2, 2), name="x"), PreparedDataset)
assert_type(data.splits["train"].images, np.ndarray)
assert_type(get_spec("camvid").classes, tuple[str, ...])
from_folder("images", "masks", classes=["a", "b"], size=5)  # type: ignore[arg-type]
prepare("camvid", size="90x120")  # type: ignore[arg-type]

RunConfig(loss="pat", T=20, epochs=3)
RunConfig(loss="focal", loss_parameters={"gamma": 3})
config = RunConfig(model="unet")
assert_type(config.epochs, int)
record = fit(config, "runs/x", data, progress=False, network=nn.Conv2d(3, 2, 1), loss=CrossEntropy(2))
assert_type(record, dict[str, Any])
assert_type(load_model("runs/x", record), nn.Module)
RunConfig(epochs="three")  # type: ignore[arg-type]
RunConfig(precision="fp8")  # type: ignore[arg-type]
fit("config")  # type: ignore[arg-type]
