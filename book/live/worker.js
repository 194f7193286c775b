/* Learns in the background. Hears {reset: {seed, choice}}, {right: choice} and {run: true or false}; tells the scenes
   after a reset, and after every EVERY steps what both networks predict. */
"use strict";

const STEPS = 600, EVERY = 10, SHOWN = 4;

let world, left, right, timer, running = false;

const side = choice => judged({ ...newLearner(world, choice), losses: [], recent: [] });

/** A side with its predictions and scores of now. */
function judged(learner) {
  const predictions = world.heldOut.map(({ image }) => predict(world, learner, image));
  const report = scores(world.heldOut.map(({ labels }) => labels), predictions, CLASSES.length);
  return Object.assign(learner, { report: { ...report, predictions: predictions.slice(0, SHOWN) } });
}

function tell() {
  const sides = [left, right].map(({ adam, losses, report }) => ({ step: adam.step, losses, ...report }));
  postMessage({ running, finished: sides.every(({ step }) => step === STEPS), sides, every: EVERY, steps: STEPS });
}

/** The side that is behind learns one step, or both do. So a method chosen late catches up before they go on. */
function advance() {
  const step = Math.min(left.adam.step, right.adam.step);
  for (const learner of [left, right].filter(({ adam }) => adam.step === step)) {
    const loss = learn(world, learner);
    if (step === 0) learner.losses.push(loss);
    learner.recent.push(loss);
    if (learner.recent.length === EVERY) {
      learner.losses.push(learner.recent.reduce((a, b) => a + b) / EVERY);
      learner.recent = [];
      judged(learner);
    }
  }
  running = step + 1 < STEPS;
  if ((step + 1) % EVERY === 0) tell();
  if (running) timer = setTimeout(advance); // between two steps messages are heard
}

onmessage = ({ data }) => {
  clearTimeout(timer);
  if (data.reset) {
    running = false;
    world = newWorld(data.reset.seed, STEPS);
    [left, right] = [side({ method: "ce" }), side(data.reset.choice)];
    const shares = Array.from(world.classPixels, pixels => pixels / (TRAINING * PIXELS));
    const scenes = world.heldOut.slice(0, SHOWN);
    postMessage({ images: scenes.map(({ image }) => image), truths: scenes.map(({ labels }) => labels), shares });
  }
  if (data.right) right = side(data.right);
  if ("run" in data) running = data.run && Math.min(left.adam.step, right.adam.step) < STEPS;
  if (data.run === false) [left, right].forEach(judged); // what is looked at longest is of this very step
  if (running) timer = setTimeout(advance);
  tell();
};
