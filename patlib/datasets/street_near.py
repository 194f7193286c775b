"""Draws the near scenes: the street of `street.py` with large things on a clear day, made for a first result.

Most classes are easy here, because each kind of thing has paints of its own. Two are not to be told from others. Of the
boards on posts, 42 in a hundred are signs; the others are advertisements, which belong to the building class as all
advertising does. Of the people with a bicycle, 42 in a hundred ride it; the others push it, and are persons. Nothing in
the picture says which, so that a network can only learn the odds, and by the odds neither sign nor bicyclist is ever
the most probable class. A loss that weighs rare classes more names them all the same, the others among them.
"""

from __future__ import annotations

from patlib.datasets.street import BICYCLIST, BUILDING, PERSON, SIGN, Plan, Scene
from patlib.datasets.street_colours import GREYS, PAINTS

RARE = 0.42
"""The share of the boards that are signs, and of the people with a bicycle who ride it."""


class NearScene(Scene):
    """One street with few and large things in it, in clear air."""

    enlarged, thinnest = 2.0, 6.0
    haziest, noise = 0.2, (0.02, 0.04)
    asphalt, paving, metal = GREYS[[0, 4]], GREYS[2:4] * 1.15, GREYS[[0, 4]] * 0.5
    walls, bodies = PAINTS[[1, 2, 4, 8]], PAINTS[[3, 5, 7, 10]]
    clothes, faces = PAINTS[[0, 9]], PAINTS[[11, 11]]

    def plan(self) -> tuple[Plan, ...]:
        """Fewer things than usual, at most 14 m ahead but for trees and cars."""
        left, right = self.left, self.right
        beside = (left - 0.4 * self.pavement, right + 0.4 * self.pavement)
        lanes = (left + 1.1, right - 1.1)
        return (
            (self.draw_tree, (1, 4), beside, 1.2, (12, 40)),
            (self.draw_car, (0, 3), lanes, 0.3, (8, 20)),
            (self.draw_pole, (1, 3), beside, 0.8, (7, 14)),
            (self.draw_board, (0, 4), beside, 0.8, (7, 12)),
            (self.draw_person, (-1, 4), (*beside, 0.0), 1.0, (8, 14)),
            (self.draw_person_with_bicycle, (0, 3), lanes, 0.8, (8, 14)),
        )

    def draw_board(self, x: float, y: float, metre: float, near: float) -> None:
        """A sign or an advertisement, in its true size."""
        label = SIGN if self.rng.random() < RARE else BUILDING
        self.draw_sign(x, y, metre / self.enlarged, near, label)

    def draw_person_with_bicycle(self, x: float, y: float, metre: float, near: float) -> None:
        """A bicyclist, or a person who pushes a bicycle."""
        self.draw_bicyclist(x, y, metre, near, BICYCLIST if self.rng.random() < RARE else PERSON)
