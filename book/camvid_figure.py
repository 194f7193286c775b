"""Draw what the eight methods predict for two CamVid test images (notebook 16 shows the result).

    python book/camvid_figure.py runs/camvid book/images/camvid_predictions.png

The first argument is a folder with one finished run a loss, weights included; the data are read below PATLIB_DATA. The
two images are, one from each of the test split's two drives, those with most of the rarest third of the classes, and
among equals with most pixels of them.
"""

import io
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from patlib import trainer
from patlib.datasets import PreparedDataset, Split
from patlib.files import replacing
from patlib.metrics import frequency_groups
from patlib.teaching import plots
from patlib.trainer import predict, records
from patlib.trainer.config import RunConfig


def chosen(dataset: PreparedDataset) -> list[int]:
    """The row of one image a drive; the drive is what an image's name begins with."""
    split = dataset.splits["test"]
    tail = frequency_groups(dataset.class_pixels, dataset.spec.num_classes)["tail"]
    pixels = np.stack([(split.masks == label).sum(axis=(1, 2)) for label in tail], axis=1)
    drives: dict[str, list[int]] = {}
    for row, name in enumerate(split.names):
        drives.setdefault(name.split("_")[0], []).append(row)
    return [max(rows, key=lambda row: ((pixels[row] > 0).sum(), pixels[row].sum())) for rows in drives.values()]


def draw(folder: Path, out: Path) -> None:
    """Write the figure as a PNG of at most 256 colours, which keeps it small."""
    dataset = trainer.open_dataset(RunConfig(**records.read_records(folder)[0]["config"]))
    test, rows = dataset.splits["test"], chosen(dataset)
    split = Split(test.images[rows], test.masks[rows], tuple(test.names[row] for row in rows))
    predicted = {plots.METHOD_LABELS[loss]: labels for loss, labels in predict.predictions_of(folder, split).items()}
    matplotlib.use("Agg")
    plots.use_style()
    figure = plots.prediction_figure(split.images, split.masks, predicted, dataset.spec)
    memory = io.BytesIO()
    figure.savefig(memory, dpi=100)
    plt.close(figure)
    with replacing(out) as temporary:
        Image.open(memory).convert("RGB").quantize(256).save(temporary, format="PNG", optimize=True)
    print(f"{', '.join(split.names)}: wrote {out}, {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
