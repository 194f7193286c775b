"""A film holds every frame and every score, shows its first picture without a script, and refuses what does not fit."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from patlib.datasets import colourise, get_spec
from patlib.teaching.film import film

SPEC = get_spec("synthetic")
K, N, H, W = 4, 2, 6, 9
COLOURS = {"CE": "#949494", "PAT": "#d55e00"}


def arguments():
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 10, (N, H, W)).astype(np.uint8)
    truth[:, 0] = 255
    return {
        "frames": np.linspace(0, 1.5, K),
        "name": "tau",
        "pictures": {"image": generator.integers(0, 256, (N, H, W, 3)).astype(np.uint8), "truth": truth},
        "predictions": {name: generator.integers(0, 10, (K, N, H, W)).astype(np.uint8) for name in COLOURS},
        "scores": {row: {name: generator.uniform(0, 100, K) for name in COLOURS} for row in ("mIoU", "Road")},
        "spec": SPEC,
        "colours": COLOURS,
        "start": 2,
    }


def read(html):
    """What the script is handed, and the pictures in it by their descriptions."""
    (data,) = re.findall(r"parentElement, (\{.*\})\);", html)
    data = json.loads(data)
    return data, {alt: pixels(address) for alt, address in re.findall(r'alt="([^"]+)" src="([^"]+)"', data["markup"])}


def pixels(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))


def test_a_strip_holds_the_frames_from_the_top_down_and_a_still_picture_one():
    given = arguments()
    data, strips = read(film(**given).data)
    assert data["values"] == ["0", "0.5", "1", "1.5"] and (data["name"], data["start"]) == ("tau", 2)
    assert len(strips) == 4 * N
    for image in range(N):
        for name, labels in given["predictions"].items():
            frames = strips[f"{name}, image {image + 1}"].reshape(K, H, W, 3)
            assert np.array_equal(frames, colourise(labels[:, image], SPEC))
        assert np.array_equal(strips[f"image, image {image + 1}"], given["pictures"]["image"][image])
        assert np.array_equal(strips[f"truth, image {image + 1}"], colourise(given["pictures"]["truth"][image], SPEC))


def test_the_numbers_and_the_curves_are_the_scores():
    given = arguments()
    data, _ = read(film(**given).data)
    lines = [line for lines in given["scores"].values() for line in lines.values()]
    assert np.allclose(np.reshape(data["scores"], (4, K)), np.round(lines, 1))
    curves = re.findall(r'points="([^"]+)" style="stroke: (#\w+)"', data["markup"])
    assert [colour for _, colour in curves] == 2 * list(COLOURS.values())
    for (points, _), line in zip(curves, lines, strict=True):
        x, y = np.array([point.split(",") for point in points.split()], dtype=float).T
        assert np.allclose(x, np.linspace(0, 100, K), atol=0.01) and np.allclose(y, 100 - line, atol=0.06)


def test_a_row_of_a_class_has_its_colour_and_another_has_none():
    data, _ = read(film(**arguments()).data)
    red, green, blue = SPEC.palette[SPEC.classes.index("Road")]
    assert f'<i style="background: rgb({red}, {green}, {blue})"></i>Road' in data["markup"]
    assert "<span>mIoU</span>" in data["markup"] and data["markup"].count("<i ") == 1


def test_without_a_script_the_frame_at_the_start_stands_there():
    given = arguments()
    html = film(**given).data
    alt, address = re.findall(r'<img class="film-still dark-light" alt="([^"]+)" src="([^"]+)"', html)[0]
    assert "image, truth, CE, PAT, at tau 1." in alt
    still, across = pixels(address), W + 4
    assert still.shape == (N * (H + 4), 4 * across, 3)
    seen = still[-H:, -W:]
    assert np.array_equal(seen, colourise(given["predictions"]["PAT"][2, 1], SPEC))


def test_a_name_cannot_end_the_script():
    html = film(**{**arguments(), "name": "</script><b>"}).data
    assert html.count("</script>") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": [1]}, "at least two frames, and got 1"),
        ({"frames": [1, 2, 3]}, r"predictions\['CE'\] has 4 frames, and there are 3"),
        ({"scores": {"mIoU": {"CE": [1, 2, 3]}}}, r"scores\['mIoU'\]\['CE'\] has 3 frames"),
        ({"scores": {"mIoU": {"CE": [1, 2, 3, np.nan]}}}, "are per cent, 0 to 100"),
        ({"scores": {"mIoU": {"CE": [1, 2, 3, 101]}}}, "are per cent, 0 to 100"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        film(**{**arguments(), **change})
