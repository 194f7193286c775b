/** Fill the film's place with its pictures, curves and controls. Everything that moves follows one variable of the
    style sheet, --film-at, which goes from 0 at the first frame to 1 at the last. */
function startFilm(film, { name, values, start, markup, scores }) {
  const last = values.length - 1, FRAME = 400; // milliseconds that a frame stays
  film.querySelector(".film-still").remove();
  film.insertAdjacentHTML("beforeend", `
    <div class="film-controls">
      <button type="button" class="film-play">Play</button>
      <label><span>${name} <output class="film-value"></output></span>
        <input type="range" min="0" max="${last}" step="1" value="${start}" autocomplete="off" aria-label="${name}">
      </label>
    </div>${markup}`);
  const slider = film.querySelector("input"), play = film.querySelector("button");
  const value = film.querySelector(".film-value");
  const rows = [...film.querySelectorAll("li:not([aria-hidden])")].map(row => [...row.querySelectorAll("output")]);
  let timer = null;

  function show() {
    const frame = +slider.value;
    film.style.setProperty("--film-at", frame / last);
    value.textContent = values[frame];
    slider.setAttribute("aria-valuetext", `${name} ${values[frame]}`);
    rows.forEach((cells, row) => cells.forEach((cell, line) => {
      cell.textContent = scores[row][line][frame].toFixed(1);
    }));
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function step() {
    slider.value = +slider.value + 1;
    show();
    if (+slider.value === last) pause();
  }

  play.addEventListener("click", () => {
    if (timer) return pause();
    if (+slider.value === last) slider.value = 0;
    show();
    play.textContent = "Pause";
    timer = setInterval(step, FRAME);
  });
  slider.addEventListener("input", () => { pause(); show(); });
  // JupyterLab has shortcuts on the arrow keys and keeps them from doing what they do to a slider.
  slider.addEventListener("keydown", event => {
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!way) return;
    event.preventDefault();
    slider.value = +slider.value + way;
    pause();
    show();
  });
  show();
}
