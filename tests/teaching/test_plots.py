import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from patlib import datasets
from patlib.losses import LOSSES
from patlib.teaching import plots

matplotlib.use("Agg")


def test_every_method_has_its_own_colour():
    assert len(set(plots.METHOD_COLOURS.values())) == len(LOSSES)


def test_rows_show_images_and_coloured_masks_and_name_the_classes_present():
    spec = datasets.get_spec("synthetic")
    image, mask = np.zeros((6, 8, 3), np.uint8), np.full((6, 8), 255, np.uint8)
    mask[0] = 2
    figure = plots.image_rows({"image": [image, image], "truth": [mask]}, spec)
    assert len(figure.axes) == 4
    shown = figure.axes[2].images[0].get_array()
    assert tuple(shown[0, 0]) == spec.palette[2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [spec.classes[2]]
    plt.close(figure)


def test_an_error_map_marks_wrong_pixels_and_greys_those_without_a_label():
    image = np.full((2, 3, 3), (0, 90, 210), np.uint8)
    truth, predicted = np.array([[1, 1, 255], [2, 2, 2]]), np.array([[1, 3, 1], [2, 2, 0]])
    picture = plots.error_map(image, truth, predicted)
    assert tuple(picture[0, 1]) == tuple(picture[1, 2]) == plots.ERROR_COLOUR
    assert tuple(picture[0, 2]) == plots.UNKNOWN_COLOUR
    right = picture[(predicted == truth)]
    assert len(np.unique(right)) == 1 and right.min() > image.mean()


def test_predictions_stand_over_their_errors_with_image_and_truth_before_them():
    spec = datasets.get_spec("synthetic")
    image, truth = np.zeros((6, 8, 3), np.uint8), np.zeros((6, 8), np.uint8)
    truth[0] = 255
    half = truth.copy()
    half[:, :4] = 3
    predictions = {"CE": [truth * 0, half], "Focal": [half, truth * 0], "PAT": [half, half]}
    figure = plots.prediction_figure([image, image], [truth, truth], predictions, spec, columns=2)
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:6] == ["image", "CE", "Focal", "truth", "0 % wrong", "50 % wrong"]
    assert titles[6:12] == ["image", "PAT", "", "truth", "50 % wrong", ""]
    assert titles[12:18] == ["image", "CE", "Focal", "truth", "50 % wrong", "0 % wrong"]
    shown = figure.axes[2].images[0].get_array()
    assert tuple(shown[1, 0]) == spec.palette[3] and tuple(shown[1, 7]) == spec.palette[0]
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {spec.classes[0], spec.classes[3]}
    plt.close(figure)


def test_each_seed_is_a_dot_and_the_mean_a_line_in_the_methods_colour():
    figure, axis = plt.subplots()
    colours = {"CE": "#111111", "PAT": "#222222", "BMS": "#333333"}
    plots.seed_dots(axis, {"CE": [1.0, 2.0, 6.0], "PAT": [4.0], "BMS": []}, colours, "mIoU, %")
    dots, mean, one, _, none = axis.lines
    assert dots.get_xdata().tolist() == [1, 2, 6] and dots.get_marker() == "o" and dots.get_color() == "#111111"
    assert list(mean.get_xdata()) == [3, 3] and mean.get_color() == "#111111"
    assert (one.get_xdata().tolist(), one.get_ydata().tolist()) == ([4], [1]) and not len(none.get_xdata())
    assert [text.get_text() for text in axis.get_yticklabels()] == ["CE  (n = 3)", "PAT  (n = 1)", "BMS  (n = 0)"]
    assert axis.get_xlabel() == "mIoU, %" and axis.yaxis_inverted()
    plt.close(figure)
