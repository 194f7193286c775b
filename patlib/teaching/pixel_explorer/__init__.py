"""A real prediction under the reader's hand: what a method does to its pixels while T, eps and gamma move.

Three things follow the controls: the weight of a pixel over p, the weight of each pixel of the image, and each class's
share of the gradient. :func:`pixel_explorer` draws them with a kernel (ipywidgets) and asks the library's own losses;
:func:`pixel_chart` draws them without one (Vega-Lite, in the browser) from mask sizes and probabilities alone.

Shapes use L classes, H rows, W columns, G points of a curve; one image at a time.
"""

from patlib.teaching.pixel_explorer.chart import pixel_chart
from patlib.teaching.pixel_explorer.view import EXPLORED_METHODS, PixelView, pixel_view
from patlib.teaching.pixel_explorer.widget import pixel_explorer

__all__ = ["EXPLORED_METHODS", "PixelView", "pixel_chart", "pixel_explorer", "pixel_view"]
