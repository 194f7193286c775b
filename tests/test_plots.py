import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from patlib import data, plots
from patlib.losses import LOSSES

matplotlib.use("Agg")


def test_every_method_has_its_own_colour():
    assert len(set(plots.METHOD_COLOURS.values())) == len(LOSSES)


def test_rows_show_images_and_coloured_masks_and_name_the_classes_present():
    spec = data.get_spec("synthetic")
    image, mask = np.zeros((6, 8, 3), np.uint8), np.full((6, 8), 255, np.uint8)
    mask[0] = 2
    figure = plots.image_rows({"image": [image, image], "truth": [mask]}, spec)
    assert len(figure.axes) == 4
    shown = figure.axes[2].images[0].get_array()
    assert tuple(shown[0, 0]) == spec.palette[2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [spec.classes[2]]
    plt.close(figure)
