import io

import numpy as np
from PIL import Image

from patlib.teaching.pixel_explorer import EXPLORED_METHODS, pixel_explorer, pixel_view
from patlib.teaching.pixel_explorer.widget import PixelFigure


def test_every_control_redraws_the_picture(prediction, image, spec):
    explorer = pixel_explorer(image, *prediction, spec)
    *controls, picture = explorer.children
    seen = [picture.value]
    for control, value in zip(controls, ("PAT, beta only", 0.2, 0.5), strict=False):
        control.value = value
        seen.append(picture.value)
    controls[0].value = "focal"
    seen.append(picture.value)
    controls[3].value = 5.0
    seen.append(picture.value)
    assert len(set(seen)) == 6
    assert controls[0].options == tuple(EXPLORED_METHODS)
    assert {Image.open(io.BytesIO(png)).size for png in seen} == {(810, 486)}


def test_the_picture_shows_the_view(prediction, image, spec):
    figure = PixelFigure(image, pixel_view(*prediction), spec)
    view = pixel_view(*prediction, "PAT", T=0.2)
    figure.show(view)
    assert [spec.classes[label] for label in figure.order] == ["Sky", "Road", "Car", "Bicyclist"]
    assert np.allclose([bar.get_width() for bar in figure.bars], view.share[figure.order])
    assert np.allclose([line.get_ydata() for line in figure.lines], view.curve[figure.order])
    level = np.asarray(figure.map.get_array().filled(np.nan))
    assert np.allclose(10**level, view.weight / np.nanmean(view.weight), equal_nan=True)


def test_a_weight_of_zero_is_drawn_without_a_warning(prediction, image, spec):
    logits = prediction.logits.copy()
    logits[prediction.target[1, 1], 1, 1] = 1000.0  # p = 1: focal's weight is 0, whose logarithm is infinite
    view = pixel_view(logits, prediction.target, prediction.class_pixels, "focal")
    assert view.weight[1, 1] < 1e-100
    assert PixelFigure(image, view, spec).show(view).startswith(b"\x89PNG")
