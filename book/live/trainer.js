/* One seed's scenes, a network that learns them with one loss, and how well it does on scenes it has not seen. */
"use strict";

// Scenes, network and these numbers were settled with cross-entropy and CB alone, so that they favour neither PAT nor
// any other method that a reader may choose.
const TRAINING = 48, HELD_OUT = 16, BATCH = 2, LEARNING_RATE = 0.006;
const PIXELS = HEIGHT * WIDTH;

/** What both networks share: scenes to learn and to be tested on, first parameters, and the order of the scenes. */
function newWorld(seed, steps) {
  const random = generator(seed);
  const training = Array.from({ length: TRAINING }, () => drawScene(random));
  const heldOut = Array.from({ length: HELD_OUT }, () => drawScene(random));
  const classPixels = new Float64Array(CLASSES.length);
  for (const { labels } of training) for (const label of labels) classPixels[label] += 1;
  const layers = architecture(CLASSES.length);
  const start = initialParameters(layers, random);
  const order = Array.from({ length: steps * BATCH }, () => training[Math.floor(random() * TRAINING)]);
  return { heldOut, classPixels, layers, start, order };
}

/** A network at step 0 of a world; `choice` is that of its loss. */
function newLearner(world, choice) {
  const parameters = world.start.map(array => array.slice());
  return { choice, parameters, adam: newAdam(parameters) };
}

/** One step of Adam on these scenes; the loss before it. */
function trainingStep(layers, { choice, parameters, adam }, scenes, classPixels, height, width) {
  const size = classPixels.length * height * width; // logits of one image
  const planes = scenes.map(({ image }) => forward(layers, parameters, image, height, width));
  const logits = new Float32Array(scenes.length * size), labels = new Uint8Array(scenes.length * height * width);
  scenes.forEach((scene, k) => {
    logits.set(planes[k].at(-1), k * size);
    labels.set(scene.labels, k * height * width);
  });
  const { value, gradient } = lossAndGradient(choice, logits, labels, scenes.length, classPixels);
  const sums = zerosLike(parameters);
  planes.forEach((own, k) => {
    backward(layers, parameters, own, gradient.subarray(k * size, (k + 1) * size), sums, height, width);
  });
  adamStep(parameters, sums, adam, LEARNING_RATE);
  return value;
}

/** The learner's next step in its world's order. */
function learn(world, learner) {
  const from = learner.adam.step * BATCH;
  return trainingStep(world.layers, learner, world.order.slice(from, from + BATCH), world.classPixels, HEIGHT, WIDTH);
}

/** The class of the largest logit at every pixel, (pixels). The raw logits, for BMS too. */
function predict({ layers }, { parameters }, image) {
  const logits = forward(layers, parameters, image, HEIGHT, WIDTH).at(-1), labels = new Uint8Array(PIXELS);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    for (let c = 1; c < CLASSES.length; c++) {
      if (logits[c * PIXELS + pixel] > logits[labels[pixel] * PIXELS + pixel]) labels[pixel] = c;
    }
  }
  return labels;
}

/** Recall of each class, pixel accuracy and mean intersection over union of predictions; null for a class not there. */
function scores(truths, predictions, classes) {
  const both = new Array(classes).fill(0), actual = [...both], predicted = [...both];
  truths.forEach((labels, k) => labels.forEach((label, pixel) => {
    actual[label] += 1;
    predicted[predictions[k][pixel]] += 1;
    if (label === predictions[k][pixel]) both[label] += 1;
  }));
  const sum = values => values.reduce((a, b) => a + b);
  const unions = both.map((hits, c) => actual[c] + predicted[c] - hits);
  const present = [...both.keys()].filter(c => unions[c] > 0);
  return {
    recall: both.map((hits, c) => (actual[c] ? hits / actual[c] : null)),
    accuracy: sum(both) / sum(actual),
    miou: sum(present.map(c => both[c] / unions[c])) / present.length,
  };
}
