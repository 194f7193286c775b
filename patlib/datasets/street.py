"""Draws the synthetic street scenes: a pinhole camera at the wheel of a car, and everything placed in metres.

What keeps the classes from being told apart by colour: walls, cars, clothes and signs draw from one pool of paints;
road, sidewalk, poles and cloudy sky are all grey; windows mirror the sky; posters on walls look like signs; tree trunks
look like poles; a cyclist's upper body is a person's. Light, haze, shadows and noise change from scene to scene.

Only additions, multiplications, divisions and comparisons are used, so that a seed gives the same bytes on every
machine: `sin`, `exp` and sums may differ in the last bit from one processor to the next.

`street_canvas.py` has the empty picture, and the shapes that everything is made of.
"""

from __future__ import annotations

import numpy as np

from patlib.datasets.spec import IGNORE_INDEX
from patlib.datasets.street_canvas import ALL, COLUMNS, HEIGHT, ROWS, WIDTH, Area, Canvas, box, disc, window_of

SKY, BUILDING, ROAD, SIDEWALK, VEGETATION, CAR, POLE, SIGN, PERSON, BICYCLIST = range(10)


def _colours(codes: str) -> np.ndarray:
    """(K, 3) RGB in 0..1 from hexadecimal codes."""
    return np.array([list(bytes.fromhex(code)) for code in codes.split()], dtype=np.float32) / 255


PAINTS = _colours("b4553c d9c7a0 8f8f8a 6f7f94 c9a66b e4ded2 7a3b33 46506b a9b9c4 c43a31 2f5f9e d8b13a 56634a")
SKIES = _colours("8fbfe6 b9cfdd c4c6c6 e7c9a4 a5b5d6")
GREENS = _colours("4f7a35 6d8a3c 8a8446 3d6344 a07a3a")
GREYS = _colours("6d6b6e 7d7a76 8b8985 9c978d 5d5f66")
SKINS = _colours("f0c8a0 c68e63 8a5a3c 5a3a28")
DARK, WHITE, RED, BARK = _colours("2a2a30 f2f0ea cc2019 6b6157")


def draw_scene(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one scene.

    Returns:
        Image (H, W, 3) uint8, and mask (H, W) uint8 with class ids 0..9 and 255 on the bonnet of the car we sit in.
    """
    scene = Scene(rng)
    scene.draw_sky()
    scene.draw_ground()
    scene.draw_buildings()
    scene.draw_things()
    scene.draw_bonnet()
    return scene.develop(), scene.mask


class Scene(Canvas):
    """One street: where the camera stands, and all that it sees."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.horizon = HEIGHT * rng.uniform(0.36, 0.48)
        self.vanishing = WIDTH * rng.uniform(0.32, 0.68)
        # In metres: height of the camera, the edges of the road to its left and right, the width of the sidewalks.
        self.camera = rng.uniform(1.4, 1.9)
        self.left, self.right = -rng.uniform(2.8, 6.0), rng.uniform(1.9, 3.8)
        self.pavement = rng.uniform(1.8, 3.6)
        self.sky = self.pick(SKIES)
        self.haze = rng.uniform(0.0, 0.75)
        # How far a pixel of the ground lies to the right of the camera, and in front of it, in metres.
        below = np.maximum(ROWS - self.horizon, 0.5)
        self.across = (COLUMNS - self.vanishing) * self.camera / below
        self.ahead = self.camera * HEIGHT / below
        self.below = ROWS > self.horizon
        self.fine, self.coarse = self.cloud(40), self.cloud(14)

    def paint(self, area: Area, colour: np.ndarray, label: int, nearness: float = 1.0) -> None:
        """Give an area a colour, (3,) or (h, w, 3), veiled by haze where far, and a label."""
        window, inside = area
        far = 1 - min(nearness, 1.0)
        veil = self.haze * far * far * far * far
        seen = colour * (1 - veil) + self.sky * veil
        # A mask repeated for the three channels is copied six times as fast as one that is broadcast.
        np.copyto(self.image[window], seen, where=np.repeat(inside[..., None], 3, axis=2))
        np.copyto(self.mask[window], np.uint8(label), where=inside)

    def draw_sky(self) -> None:
        """The sky, paler towards the horizon, with clouds in some scenes."""
        fade = np.clip(ROWS / self.horizon, 0, 1)[..., None]
        clear = self.sky * (1 - 0.35 * fade) + WHITE * 0.35 * fade
        clouds = np.clip(self.cloud(5) + 0.5 * self.coarse + self.rng.uniform(-0.6, 0.4), 0, 1)[..., None]
        cloudy = clear * (1 - clouds) + self.pick(GREYS[2:4]) * 1.2 * clouds
        self.paint((ALL, np.ones((HEIGHT, WIDTH), dtype=bool)), cloudy, SKY)

    def draw_ground(self) -> None:
        """A hedge at the horizon, the sidewalks, and the road with its marks and the shade on it."""
        stain = 0.05 * self.cloud(9)[..., None]
        hedge = ROWS > self.horizon - HEIGHT * (0.05 + 0.04 * self.coarse)
        self.paint((ALL, hedge), self.pick(GREENS) + stain + 0.12 * self.fine[..., None], VEGETATION, 0.3)
        walked = self.below & (self.across > self.left - self.pavement) & (self.across < self.right + self.pavement)
        self.paint((ALL, walked), self.pick(GREYS) + stain, SIDEWALK)
        driven = self.below & (self.across > self.left) & (self.across < self.right)
        self.paint((ALL, driven), self.pick(GREYS) + stain, ROAD)
        # Lane marks and kerb stones are as pale as a sidewalk and belong to the road.
        marks = (abs(self.across - (self.left + self.right) / 2) < 0.09) & (self.ahead % 6 < 3.5)
        if self.rng.random() < 0.6:
            marks = marks | (abs(self.across - self.left - 0.2) < 0.1) | (abs(self.across - self.right + 0.2) < 0.1)
        self.paint((ALL, driven & marks), WHITE * 0.85, ROAD)
        shade = (self.across > self.rng.uniform(-2, 6)) ^ (self.rng.random() < 0.5)
        self.image[walked & shade] *= self.rng.uniform(0.55, 0.95)

    def draw_buildings(self) -> None:
        """Walls that stand along both sidewalks and recede to the vanishing point."""
        wall = max(self.right, -self.left) + self.pavement + self.rng.uniform(0.1, 2.5)
        x = -self.rng.uniform(0, 20)
        while x < WIDTH:
            width, near = self.rng.uniform(14, 46), 0.0
            if self.rng.random() < 0.84:
                near = abs(x + width / 2 - self.vanishing) / WIDTH
                window = window_of(x, 0, x + width, HEIGHT)
                away = abs(COLUMNS[:, window[1]] - self.vanishing)
                rise = self.rng.uniform(3.5, 22) / wall * (0.35 * away + 0.65 * near * WIDTH)
                front = (ROWS < self.horizon + away * self.camera / wall) & (ROWS > self.horizon - rise)
                colour = self.pick(PAINTS) * 0.9 + 0.05 * self.fine[window][..., None]
                self.paint((window, front), colour, BUILDING, 0.2 + near)
                self.draw_windows(window, front, near)
                if self.rng.random() < 0.35:
                    self.draw_poster(x + width * self.rng.uniform(0.1, 0.6), near)
            x += width

    def draw_windows(self, window: tuple[slice, slice], front: np.ndarray, near: float) -> None:
        """Rows of windows on a front, which are labelled as the wall that they are in."""
        wide, high = self.rng.uniform(6, 9) * (0.6 + near), self.rng.uniform(7, 11) * (0.6 + near)
        share_x, share_y = self.rng.uniform(0.35, 0.65), self.rng.uniform(0.35, 0.65)
        columns = (COLUMNS[:, window[1]] - window[1].start) % wide < share_x * wide
        rows = ((ROWS - self.horizon) % high < share_y * high) & (self.horizon > ROWS)
        glass = self.sky * 0.8 if self.rng.random() < 0.5 else self.pick(GREYS) * 0.6
        self.paint((window, front & columns & rows), glass + 0.1 * self.coarse[window][..., None], BUILDING, 0.2 + near)

    def draw_poster(self, left: float, near: float) -> None:
        """A poster looks like a sign and belongs to the wall."""
        top, size = self.horizon - HEIGHT * self.rng.uniform(0.05, 0.25), self.rng.uniform(4, 9)
        window, inside = box(left, top, size * self.rng.uniform(0.7, 1.6), size)
        self.paint((window, inside & (self.mask[window] == BUILDING)), self.pick(PAINTS), BUILDING, 0.2 + near)

    def draw_things(self) -> None:
        """Everything that stands on the ground, the farthest first."""
        rng, left, right = self.rng, self.left, self.right
        beside = (left - 0.5 * self.pavement, right + 0.5 * self.pavement)
        lanes = (left + 1.1, right - 1.1, (left + right) / 2 - 1.6)
        # What, how many (negative numbers are none), where across, how far from there, and how far ahead.
        plan = (
            (self.draw_tree, (1, 6), beside, 1.2, (7, 40)),
            (self.draw_car, (0, 5), lanes, 0.3, (7, 38)),
            (self.draw_pole, (0, 5), beside, 0.8, (7, 25)),
            (self.draw_sign, (-2, 4), beside, 0.8, (7, 16)),
            (self.draw_person, (-3, 5), (*beside, 0.0), 1.0, (7, 22)),
            (self.draw_bicyclist, (0, 2), lanes, 0.8, (7.5, 17)),
        )
        things = [
            (rng.uniform(*depths), draw, places[rng.integers(len(places))] + rng.uniform(-spread, spread))
            for draw, counts, places, spread, depths in plan
            for _ in range(rng.integers(*counts))
        ]
        for depth, draw, across in sorted(things, key=lambda thing: -thing[0]):
            # The focal length is one picture height, so a metre at this depth covers HEIGHT / depth pixels.
            metre = HEIGHT / depth
            draw(self.vanishing + across * metre, self.horizon + self.camera * metre, metre, metre / 12)

    def draw_tree(self, x: float, y: float, metre: float, near: float) -> None:
        """A trunk that stands at (x, y), and a ragged crown on it."""
        tall = self.rng.uniform(3.5, 8) * metre
        bark = BARK * self.rng.uniform(0.7, 1.3)
        self.paint(box(x - 0.12 * metre, y - tall, 0.24 * metre, tall), bark, VEGETATION, near)
        radius = tall * self.rng.uniform(0.22, 0.4)
        window, inside = disc(x, y - tall, radius, 1.25 * radius, 1 + 0.35 * self.fine + 0.3 * self.coarse)
        leaves = self.pick(GREENS) * (1 + 0.35 * self.fine[window] - 0.25 * self.coarse[window])[..., None]
        self.paint((window, inside), leaves, VEGETATION, near)

    def draw_car(self, x: float, y: float, metre: float, near: float) -> None:
        """A car seen from in front, from behind or, twice as wide, from the side; its shadow belongs to the road."""
        wide, tall = self.rng.uniform(1.7, 2.1) * metre, self.rng.uniform(1.35, 1.8) * metre
        if self.rng.random() < 0.35:
            wide *= 2
        body, lamp = self.pick(PAINTS), RED if self.rng.random() < 0.7 else WHITE
        window, inside = disc(x, y, 0.6 * wide, 0.12 * tall)
        self.image[window][inside & (self.mask[window] == ROAD)] *= 0.6
        for side in (-0.34, 0.34):
            self.paint(disc(x + side * wide, y - 0.14 * tall, 0.11 * wide, 0.17 * tall), DARK, CAR, near)
        self.paint(disc(x, y - 0.56 * tall, 0.42 * wide, 0.44 * tall), body * 0.9, CAR, near)
        self.paint(disc(x, y - 0.66 * tall, 0.34 * wide, 0.28 * tall), self.sky * 0.45 + DARK * 0.3, CAR, near)
        self.paint(box(x - 0.5 * wide, y - 0.58 * tall, wide, 0.44 * tall), body, CAR, near)
        self.paint(box(x - 0.5 * wide, y - 0.26 * tall, wide, 0.1 * tall), body * 0.6, CAR, near)
        for side in (-0.46, 0.32):
            self.paint(box(x + side * wide, y - 0.5 * tall, 0.14 * wide, 0.12 * tall), lamp, CAR, near)

    def draw_pole(self, x: float, y: float, metre: float, near: float) -> None:
        """A lamp post, in some cases with an arm."""
        tall, thick = self.rng.uniform(3.5, 7) * metre, max(2.0, self.rng.uniform(0.1, 0.18) * metre)
        grey = self.pick(GREYS) * self.rng.uniform(0.6, 1.2)
        self.paint(box(x, y - tall, thick, tall), grey, POLE, near)
        if self.rng.random() < 0.4:
            arm = metre * self.rng.uniform(0.8, 1.6)
            self.paint(box(x if x < self.vanishing else x - arm, y - tall, arm, thick), grey, POLE, near)

    def draw_sign(self, x: float, y: float, metre: float, near: float) -> None:
        """A round or square sign on a thin pole."""
        tall, thick = self.rng.uniform(2.2, 3) * metre, max(2.0, 0.09 * metre)
        self.paint(box(x - thick / 2, y - tall, thick, tall), self.pick(GREYS), POLE, near)
        outer, round_ = self.rng.uniform(0.34, 0.55) * metre, self.rng.random() < 0.5
        face = WHITE if self.rng.random() < 0.5 else self.pick(PAINTS)
        for radius, colour in ((outer, self.pick(PAINTS)), (0.62 * outer, face)):
            square = box(x - radius, y - tall - radius, 2 * radius, 2 * radius)
            self.paint(disc(x, y - tall, radius, radius) if round_ else square, colour, SIGN, near)

    def draw_person(self, x: float, y: float, metre: float, near: float) -> None:
        """Somebody who stands at (x, y)."""
        tall, trousers = self.rng.uniform(1.5, 1.85) * metre, self.pick(PAINTS) * 0.6
        for side in (-0.1, 0.02):
            self.paint(box(x + side * tall, y - 0.48 * tall, 0.09 * tall, 0.48 * tall), trousers, PERSON, near)
        self.draw_upper_body(x, y, tall, PERSON, near)

    def draw_bicyclist(self, x: float, y: float, metre: float, near: float) -> None:
        """Seen from the side or from behind; the rider belongs to it and looks like any other person."""
        wheel, apart = 0.36 * metre, self.rng.uniform(0.1, 0.6) * metre
        for side in (-apart, apart):
            self.paint(disc(x + side, y - wheel, wheel * (0.3 + apart / metre), wheel), DARK, BICYCLIST, near)
        self.paint(box(x - apart, y - 1.8 * wheel, 2 * apart, 0.5 * wheel), self.pick(PAINTS), BICYCLIST, near)
        self.draw_upper_body(x, y - 0.1 * metre, 1.7 * metre, BICYCLIST, near)

    def draw_upper_body(self, x: float, y: float, tall: float, label: int, near: float) -> None:
        """The chest and head of a person or a bicyclist, as the label says."""
        self.paint(disc(x, y - 0.64 * tall, 0.14 * tall, 0.22 * tall), self.pick(PAINTS), label, near)
        self.paint(disc(x, y - 0.92 * tall, 0.07 * tall, 0.08 * tall), self.pick(SKINS), label, near)

    def draw_bonnet(self) -> None:
        """The front of our own car, which like a dashboard in real recordings carries no label."""
        high, middle = self.rng.uniform(4, 8), WIDTH * self.rng.uniform(0.4, 0.6)
        edge = HEIGHT - high * (1 - ((COLUMNS - middle) / (0.7 * WIDTH)) ** 2)
        shine = np.clip((ROWS - edge) / high, 0, 1)[..., None]
        self.paint((ALL, edge < ROWS), self.pick(PAINTS) * (0.9 - 0.5 * shine), IGNORE_INDEX)
