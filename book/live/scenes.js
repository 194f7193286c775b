/* Street scenes of 32x48 pixels, drawn from a seed: much sky, wall and road, few cars, fewer poles and pedestrians.

   As on a real street, colour alone does not give a class away: walls, cars and clothes draw from one pool of paints,
   poles are as grey as the road, windows mirror the sky, and doors are as tall as a pedestrian. */
"use strict";

const HEIGHT = 32, WIDTH = 48;

const CLASSES = ["Sky", "Building", "Road", "Car", "Pole", "Pedestrian"];
const [SKY, BUILDING, ROAD, CAR, POLE, PEDESTRIAN] = CLASSES.keys();

const PAINTS = [[180, 85, 60], [217, 199, 160], [143, 143, 138], [111, 127, 148], [201, 166, 107], [122, 59, 51],
  [70, 80, 107], [196, 58, 49], [47, 95, 158], [216, 177, 58], [86, 99, 74], [228, 222, 210]];
const SKIES = [[143, 191, 230], [185, 207, 221], [196, 198, 198], [231, 201, 164]];
const GREYS = [[109, 107, 110], [125, 122, 118], [139, 137, 133], [93, 95, 102]];
const SKINS = [[240, 200, 160], [198, 142, 99], [138, 90, 60]];
const DARK = [42, 42, 48], WHITE = [235, 232, 225];

/** Numbers in [0, 1) from a seed: Mulberry32 by T. Ettinger, in the public domain; the same on every machine. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One scene: {image (3, H, W) Float32Array around 0, labels (H, W) Uint8Array}. */
function drawScene(random) {
  const colours = new Float32Array(3 * HEIGHT * WIDTH), labels = new Uint8Array(HEIGHT * WIDTH);
  const between = (low, high) => low + Math.floor(random() * (high - low + 1)); // both ends included
  const oneOf = list => list[Math.floor(random() * list.length)];
  /** A filled rectangle; without a class it changes the colour alone. */
  function box(left, top, width, height, colour, label) {
    for (let y = Math.max(top, 0); y < Math.min(top + height, HEIGHT); y++) {
      for (let x = Math.max(left, 0); x < Math.min(left + width, WIDTH); x++) {
        const at = y * WIDTH + x;
        for (let channel = 0; channel < 3; channel++) colours[channel * HEIGHT * WIDTH + at] = colour[channel];
        if (label !== undefined) labels[at] = label;
      }
    }
  }

  const horizon = between(13, 17), sky = oneOf(SKIES), grey = oneOf(GREYS);
  box(0, 0, WIDTH, HEIGHT, sky, SKY);
  box(0, horizon, WIDTH, HEIGHT, grey, ROAD);
  for (let x = between(0, 8); x < WIDTH; x += 9) box(x, horizon + 9, 4, 1, WHITE);
  for (let left = between(-6, 2); left < WIDTH;) {
    const width = between(6, 13), top = between(2, horizon - 4);
    if (random() < 0.85) {
      box(left, top, width, horizon + 1 - top, oneOf(PAINTS), BUILDING);
      const pane = random() < 0.5 ? sky : DARK;
      for (let y = top + 2; y < horizon - 4; y += 3) {
        for (let x = left + 1; x < left + width - 1; x += 3) box(x, y, 1, 2, pane);
      }
      box(left + between(1, width - 3), horizon - 3, 2, 4, random() < 0.5 ? DARK : oneOf(PAINTS));
    }
    left += width;
  }
  for (let count = between(0, 2); count > 0; count--) {
    const foot = horizon + between(1, 4), tall = between(9, 14);
    box(between(1, WIDTH - 2), foot - tall, 1, tall, oneOf(GREYS), POLE);
  }
  for (let count = between(0, 2); count > 0; count--) {
    const width = between(7, 11), left = between(-2, WIDTH - 5), foot = horizon + between(3, 11), paint = oneOf(PAINTS);
    box(left + 2, foot - 4, width - 4, 2, paint, CAR);
    box(left + 3, foot - 4, width - 6, 1, DARK);
    box(left, foot - 2, width, 2, paint, CAR);
    box(left + 1, foot, 2, 1, DARK, CAR);
    box(left + width - 3, foot, 2, 1, DARK, CAR);
  }
  for (let count = between(-1, 2); count > 0; count--) {
    const left = between(1, WIDTH - 3), foot = horizon + between(2, 9);
    box(left, foot - 6, 2, 1, oneOf(SKINS), PEDESTRIAN);
    box(left, foot - 5, 2, 3, oneOf(PAINTS), PEDESTRIAN);
    box(left, foot - 2, 2, 2, oneOf([DARK, ...GREYS]), PEDESTRIAN);
  }

  const light = 0.7 + 0.4 * random();
  const noisy = value => (light * value + 14 * (random() + random() + random() - 1.5)) / 128 - 1;
  return { image: colours.map(noisy), labels };
}
