"""Frames under a slider: what networks predict and how they score, from one frame to the next.

A frame may be an epoch of training or a value of a setting. :func:`film` makes one piece of HTML that carries its
pictures, its curves and its script (`film.js`). So it moves in the book, without a kernel and from the disk, and in
JupyterLab alike. Where no script runs, its first picture stands still.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from IPython.display import HTML
from PIL import Image

from patlib.datasets import DatasetSpec, colourise

HERE = Path(__file__).parent
GAP = 4
"""Pixels between the tiles of the picture that stands where no script runs."""


def film(
    frames: Sequence[float] | np.ndarray,
    name: str,
    pictures: Mapping[str, np.ndarray],
    predictions: Mapping[str, np.ndarray],
    scores: Mapping[str, Mapping[str, Sequence[float] | np.ndarray]],
    spec: DatasetSpec,
    colours: Mapping[str, str],
    start: int = 0,
) -> HTML:
    """Predictions and scores of K frames under one slider, which is called ``name`` and shows the value of its frame.

    ``pictures`` stand still: images (N,H,W,3) uint8 and label masks (N,H,W), by what stands above them. ``predictions``
    move: labels (K,N,H,W) uint8 by name. ``scores`` are rows of curves in per cent, {row: {name: (K,)}}; a row with the
    name of a class carries its colour and thereby explains the pictures. ``colours`` are those of the names, and
    ``start`` is the place of the frame that is shown first.

    Raises ValueError for fewer than two frames, for an array of another length, and for a score outside 0 to 100.
    """
    values = [f"{value:g}" for value in frames]
    _check(values, predictions, scores)
    columns = {
        **{title: [tile[None] for tile in arrays] for title, arrays in pictures.items()},
        **{title: list(np.moveaxis(labels, 1, 0)) for title, labels in predictions.items()},
    }
    markup = _pictures(columns, predictions, spec, colours) + _rows(scores, spec, colours)
    numbers = [[[round(float(value), 1) for value in line] for line in lines.values()] for lines in scores.values()]
    data = {"name": name, "values": values, "start": start, "markup": markup, "scores": numbers}
    style = (HERE / "film.css").read_text(encoding="utf-8")
    script = (HERE / "film.js").read_text(encoding="utf-8")
    titles = ", ".join(columns)
    still = _png(
        _montage([[tiles[min(start, len(tiles) - 1)] for tiles in column] for column in columns.values()], spec)
    )
    alt = f"From left to right: {titles}, at {name} {values[start]}. Run the cell to move it."
    inline = json.dumps(data).replace("</", r"<\/")  # `</script>` would end the script
    return HTML(
        f'<div class="film"><img class="film-still dark-light" alt="{escape(alt)}" src="{still}">\n'
        f"<style>\n{style}</style>\n<script>\n(() => {{\n{script}"
        f"startFilm(document.currentScript.parentElement, {inline});\n}})();\n</script></div>"
    )


def _check(
    values: list[str],
    predictions: Mapping[str, np.ndarray],
    scores: Mapping[str, Mapping[str, Sequence[float] | np.ndarray]],
) -> None:
    if len(values) < 2:
        raise ValueError(f"a film has at least two frames, and got {len(values)}")
    lengths = {f"predictions[{name!r}]": len(labels) for name, labels in predictions.items()}
    lengths |= {
        f"scores[{row!r}][{name!r}]": len(line) for row, lines in scores.items() for name, line in lines.items()
    }
    for what, length in lengths.items():
        if length != len(values):
            raise ValueError(f"{what} has {length} frames, and there are {len(values)}: give one of each")
    for row, lines in scores.items():
        for name, line in lines.items():
            if not np.all((np.asarray(line) >= 0) & (np.asarray(line) <= 100)):
                raise ValueError(f"scores[{row!r}][{name!r}] are per cent, 0 to 100, and hold {np.asarray(line)}")


def _pictures(
    columns: Mapping[str, list[np.ndarray]],
    predictions: Mapping[str, np.ndarray],
    spec: DatasetSpec,
    colours: Mapping[str, str],
) -> str:
    """A grid: the titles, then a row an image; each moving picture is a strip of its frames, one below the other.

    What is called dark-light is left as it is by the book's theme, which would dim a picture in the dark.
    """
    cells = [
        f"<div{_line_colour(colours[title]) if title in predictions else ''}>{escape(title)}</div>" for title in columns
    ]
    height, width = next(iter(columns.values()))[0].shape[1:3]
    for image in range(len(next(iter(columns.values())))):
        for title, tiles in columns.items():
            strip = np.concatenate([_colours(tile, spec) for tile in tiles[image]])
            cells.append(f'<img class="dark-light" alt="{escape(title)}, image {image + 1}" src="{_png(strip)}">')
    return (
        f'<div class="film-pictures" style="--film-columns: {len(columns)}; --film-shape: {width} / {height}">'
        f"{''.join(cells)}</div>"
    )


def _rows(
    scores: Mapping[str, Mapping[str, Sequence[float] | np.ndarray]], spec: DatasetSpec, colours: Mapping[str, str]
) -> str:
    """A row a score: its name, its curves over the frames on an axis from 0 to 100, and the values of the frame."""
    names = list(next(iter(scores.values())))
    heads = "".join(f"<b{_line_colour(colours[name])}>{escape(name)}</b>" for name in names)
    rows = [f'<li aria-hidden="true"><span></span><small>0 to 100 %</small>{heads}</li>']
    for row, lines in scores.items():
        swatch = ""
        if row in spec.classes:
            swatch = '<i style="background: rgb({}, {}, {})"></i>'.format(*spec.palette[spec.classes.index(row)])
        curves = "".join(
            f'<polyline points="{_points(line)}" style="stroke: {colours[name]}"/>' for name, line in lines.items()
        )
        cells = "".join(f'<output aria-label="{escape(name)}"></output>' for name in lines)
        rows.append(
            f'<li><span>{swatch}{escape(row)}</span><div class="film-curve"><svg viewBox="0 0 100 100" '
            f'preserveAspectRatio="none" aria-hidden="true">{curves}</svg></div>{cells}</li>'
        )
    return f'<ul class="film-rows" style="--film-lines: {len(names)}">{"".join(rows)}</ul>'


def _line_colour(colour: str) -> str:
    return f' style="border-bottom: 3px solid {colour}"'


def _points(line: Sequence[float] | np.ndarray) -> str:
    return " ".join(f"{100 * at / (len(line) - 1):.2f},{100 - value:.1f}" for at, value in enumerate(line))


def _colours(tile: np.ndarray, spec: DatasetSpec) -> np.ndarray:
    """(H,W,3) uint8 of an image as it is, or of labels in the colours of their classes."""
    return tile if tile.ndim == 3 else colourise(tile, spec)


def _montage(columns: list[list[np.ndarray]], spec: DatasetSpec) -> np.ndarray:
    """All tiles in one picture on white, each column one below the other."""
    pad = ((GAP, 0), (GAP, 0), (0, 0))
    stacks = [
        np.concatenate([np.pad(_colours(tile, spec), pad, constant_values=255) for tile in column])
        for column in columns
    ]
    return np.concatenate(stacks, axis=1)


def _png(pixels: np.ndarray) -> str:
    """The address of a PNG of (H,W,3) uint8; one of few colours takes few bytes."""
    colours, places = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    picture = Image.fromarray(pixels)
    if len(colours) <= 256:
        picture = Image.fromarray(places.reshape(pixels.shape[:2]).astype(np.uint8))
        picture.putpalette(colours.tobytes())
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
