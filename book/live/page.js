/* The controls and the drawing of the live picture. LIVE_WORKER, the text of the worker, stands before this file:
   a page opened from the disk may start a worker from its own text only, not from a file beside it. */

const TEMPERATURES = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100];
const HEIGHT = 32, WIDTH = 48;
const USES = { pat: ["T", "alpha"], size: ["alpha"], cb: [], bms: [], focal: [] };

const live = document.getElementById("live");
const control = name => document.getElementById(`live-${name}`);
const parts = selector => [...live.querySelectorAll(selector)];

let worker, running = false, finished = true; // what is stored with the page is a finished run

const temperature = () => TEMPERATURES[control("T").value];
const choice = () => ({ method: control("method").value, T: temperature(), alpha: +control("alpha").value });

function send(message) {
  if (!worker) {
    worker = new Worker(URL.createObjectURL(new Blob([LIVE_WORKER], { type: "text/javascript" })));
    worker.onmessage = ({ data }) => (data.truths ? drawScenes(data) : drawState(data));
    if (!message.reset) worker.postMessage({ reset: { seed: seed(), choice: choice() } });
  }
  worker.postMessage(message);
}

const seed = () => Math.trunc(Math.min(Math.max(+control("seed").value, 0), 9999));

function reset() {
  running = finished = false; // known here before the worker says so
  send({ reset: { seed: seed(), choice: choice() } });
}

/** The picture (H, W) whose pixel k has the colour rgb(k), as the address of a PNG. */
function png(rgb) {
  const canvas = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext("2d"), data = context.createImageData(WIDTH, HEIGHT);
  for (let k = 0; k < WIDTH * HEIGHT; k++) data.data.set([...rgb(k), 255], 4 * k);
  context.putImageData(data, 0, 0);
  return canvas.toDataURL();
}

/** The classes' colours, [r, g, b] each, as the style sheet gives them to the table. */
const palette = () => parts(".live-swatch").map(
  swatch => getComputedStyle(swatch).backgroundColor.match(/\d+/g).map(Number));

function drawTiles(column, pictures) {
  parts(`[data-tile=${column}]`).forEach((tile, k) => { tile.src = png(pictures[k]); });
}

function drawLabels(column, masks) {
  const colours = palette();
  drawTiles(column, masks.map(labels => pixel => colours[labels[pixel]]));
}

function drawScenes({ images, truths, shares }) {
  const size = HEIGHT * WIDTH; // of one channel, whose values lie around 0
  drawTiles("scene", images.map(image => pixel => [0, 1, 2].map(channel => 128 * (1 + image[channel * size + pixel]))));
  drawLabels("truth", truths);
  parts(".live-share").forEach((cell, c) => { cell.textContent = percent(shares[c], shares[c] < 0.1 ? 1 : 0); });
}

const percent = (value, digits = 0) => (value === null ? "–" : `${(100 * value).toFixed(digits)} %`);

function drawState(state) {
  ({ running, finished } = state);
  state.sides.forEach((side, k) => {
    const name = ["left", "right"][k];
    drawLabels(name, side.predictions);
    parts(`[data-step=${name}]`)[0].textContent = side.step;
    const values = [...side.recall, side.accuracy, side.miou];
    parts(`.live-bar.live-${name}`).forEach((bar, row) => {
      bar.firstElementChild.style.width = `${100 * values[row]}%`;
      bar.nextElementSibling.textContent = percent(values[row]);
    });
    // The first value is that of step 1, the others are means of some steps and stand at the last of these.
    const points = side.losses.map((loss, at) => {
      const x = 240 * at * state.every / state.steps, y = 60 - 60 * Math.min(loss / side.losses[0], 1);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    parts(`[data-loss=${name}]`)[0].setAttribute("points", points.join(" "));
  });
  control("run").textContent = running ? "Pause" : finished ? "Start again" : "Start";
  const step = Math.min(...state.sides.map(side => side.step));
  let words = step ? `Paused at step ${step}.` : "Ready.";
  if (running) words = "Learning.";
  if (finished) words = `Finished after ${step} steps.`;
  const status = parts(".live-status")[0];
  if (status.textContent !== words) status.textContent = words; // a screen reader speaks only what has changed
}

/** Names and values beside the controls, and which of them the method uses. */
function describe() {
  const { method, T, alpha } = choice();
  live.dataset.method = method;
  const name = control("method").selectedOptions[0].textContent;
  control("name").textContent = parts("[data-name]")[0].textContent = name;
  control("T-value").textContent = T;
  control("alpha-value").textContent = alpha.toFixed(1);
  control("T").setAttribute("aria-valuetext", T === 20 ? "20, the paper's" : T);
  for (const name of ["T", "alpha"]) control(name).disabled = !USES[method].includes(name);
}

if (live) {
  control("run").addEventListener("click", () => {
    if (finished) reset();
    running = !running;
    send({ run: running });
  });
  control("reset").addEventListener("click", reset);
  control("seed").addEventListener("change", () => { control("seed").value = seed(); reset(); });
  for (const name of ["T", "alpha"]) control(name).addEventListener("input", describe);
  for (const name of ["method", "T", "alpha"]) control(name).addEventListener("change", () => {
    describe();
    finished = false;
    send({ right: choice() });
  });
  parts(".live-controls")[0].addEventListener("submit", event => event.preventDefault());
  describe();
  parts(".live-controls")[0].hidden = false;
}
