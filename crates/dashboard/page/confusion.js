// The confusion matrix of the test images at the shown step: rows are what an
// image is, columns what it was taken for. A cell opens the images behind it.
//
// Read by tests, on `.part-confusion`: `data-step`, `data-correct`, `data-open` the open cell (`3-5`: is 3, taken for 5),
// `data-images` images behind it. Cells: `[data-cell="3-5"]` with `data-count`; margins: `[data-recall="3"]`, `[data-precision="5"]`.
import { absent, atMostEvery, button, element, everyFrame, fitCanvas, follow, has, notice, percent, stepAt, whole } from "./parts.js";
import { predictionsAt, testsOf, tileOf } from "./sprite.js";

const MOST_CLASSES = 40;
const TILE = 46;

/** The view of the confusion matrix. */
export function ConfusionView(host, context) {
  let run = null;
  let tests = null;
  let shown = null;
  let asking = false;
  let counts = null;
  let image = null;
  let open = null;
  let behind = [];
  let focusAt = [0, 0];
  let cells = [];
  let missing = false;
  let gone = false;
  const status = element("p", { class: "part-status", role: "status" });
  const message = element("div", {});
  const grid = element("div", { class: "confusion-grid" });
  const title = element("h3", { class: "confusion-title", "aria-live": "polite" }, "Images behind a cell");
  const canvas = element("canvas", { class: "confusion-canvas", role: "img" });
  const space = element("div", { class: "confusion-space" });
  const scroller = element("div", { class: "confusion-images", tabindex: "0", role: "region", "aria-label": "Images behind the cell" }, canvas, space);
  const pairs = element("ol", { class: "confusion-pairs" });
  const side = element("div", { class: "confusion-side" }, title, scroller, element("h3", { class: "confusion-title" }, "Most often confused"), pairs);
  const body = element("div", { class: "confusion-body" }, grid, side);
  const root = element("section", { class: "part-confusion", "aria-label": "Confusion matrix" }, element("div", { class: "part-bar" }, status), message, body);
  host.replaceChildren(root);
  const redraw = everyFrame(paint);
  scroller.addEventListener("scroll", redraw);
  scroller.addEventListener("pointermove", (event) => {
    const box = scroller.getBoundingClientRect();
    const across = Math.max(1, Math.floor((scroller.clientWidth - 2) / TILE));
    const column = Math.floor((event.clientX - box.left) / TILE);
    const index = behind[Math.floor((event.clientY - box.top + scroller.scrollTop) / TILE) * across + column];
    canvas.title = column < across && index !== undefined ? `test image ${index}` : "";
  });
  const watcher = new ResizeObserver(redraw);
  watcher.observe(scroller);
  const refresh = atMostEvery(2000, async () => {
    const asked = run;
    // The store hears of each evaluation; without it one asks.
    const heard = context.store && context.store.run && context.store.run(asked);
    if (heard && heard.tests) return;
    const fresh = await testsOf(context, asked).catch(() => null);
    if (fresh && run === asked) {
      tests = fresh;
      ask();
    }
  });

  async function load() {
    const asked = context.run;
    run = asked;
    missing = false;
    tests = shown = counts = image = open = null;
    body.hidden = true;
    message.replaceChildren();
    status.textContent = "Reading the test images";
    try {
      if (has(context, "test") === false) throw absent();
      const answer = await testsOf(context, asked);
      if (run !== asked || gone) return;
      tests = answer;
    } catch (error) {
      if (run !== asked || gone) return;
      status.textContent = "";
      missing = true;
      notice(message, error.status === 404 ? "This run holds no test images with labels and predictions." : error.message, error.status === 404 ? "empty" : "error");
      return;
    }
    tests.image.then((loaded) => {
      if (run === asked && !gone) {
        image = loaded;
        redraw();
      }
    }).catch((error) => {
      title.textContent = error.message;
    });
    if (context.store && context.store.wantTests) context.store.wantTests(asked);
    build();
    await ask();
  }

  // Fetches the predictions that the shown step asks for; one question at a time, the newest wish wins.
  async function ask() {
    if (!tests || asking) return;
    const heard = context.store && context.store.run && context.store.run(run);
    if (heard && heard.tests && heard.tests.steps) tests.steps = heard.tests.steps;
    const step = stepAt(tests.steps, context.step);
    if (step === null) {
      status.textContent = "";
      notice(message, "Nothing is evaluated yet.");
      return;
    }
    if (shown && shown.asked === step) return;
    const asked = run;
    asking = true;
    try {
      const answer = await predictionsAt(context, asked, tests, step);
      if (run !== asked || gone || !answer) return;
      shown = { ...answer, asked: step };
      count();
    } catch (error) {
      if (run === asked && !gone) notice(message, error.message, "error");
      return;
    } finally {
      asking = false;
    }
    ask();
  }

  function build() {
    const size = tests.classes;
    cells = [];
    if (size > MOST_CLASSES) {
      grid.replaceChildren(element("p", { class: "quiet" }, `${size} classes are too many for a matrix; the list holds the pairs that are confused most.`));
      return;
    }
    const names = Array.from({ length: size }, (_, i) => i);
    const head = element("tr", {}, element("th", { scope: "col", class: "corner" }, "is \\ taken for"), ...names.map((i) => element("th", { scope: "col" }, String(i))), element("th", { scope: "col", class: "margin" }, "recall"));
    const rows = names.map((truth) => {
      cells[truth] = names.map((guess) => element("td", {
        class: `cell${truth === guess ? " diagonal" : ""}`, role: "gridcell", tabindex: truth === focusAt[0] && guess === focusAt[1] ? "0" : "-1",
        "data-cell": `${truth}-${guess}`, onclick: () => openCell(truth, guess), onfocus: () => focusCell(truth, guess, false),
      }));
      return element("tr", {}, element("th", { scope: "row" }, String(truth)), ...cells[truth], element("td", { class: "margin", "data-recall": truth }));
    });
    const foot = element("tr", {}, element("th", { scope: "row", class: "margin" }, "precision"), ...names.map((i) => element("td", { class: "margin", "data-precision": i })), element("td", { class: "margin", "data-overall": "" }));
    const table = element("table", { class: "confusion-table", role: "grid", "aria-label": "Confusion matrix: rows what it is, columns what it was taken for. Arrow keys move, enter opens the images.", onkeydown: keys }, element("thead", {}, head), element("tbody", {}, ...rows, foot));
    grid.replaceChildren(table);
  }

  function count() {
    const size = tests.classes;
    const { labels } = tests;
    const { predictions } = shown;
    counts = new Uint32Array(size * size);
    let right = 0;
    let known = 0;
    for (let i = 0; i < labels.length && i < predictions.length; i += 1) {
      if (labels[i] >= size || predictions[i] >= size) continue;
      counts[labels[i] * size + predictions[i]] += 1;
      known += 1;
      if (labels[i] === predictions[i]) right += 1;
    }
    body.hidden = false;
    message.replaceChildren();
    root.dataset.step = shown.step;
    root.dataset.correct = right;
    status.textContent = `Step ${whole(shown.step)}: ${whole(right)} of ${whole(known)} test images recognised, ${percent(right / known, 2)}; ${whole(known - right)} missed`;
    fillGrid(right / known);
    fillPairs();
    if (open) openCell(...open, true);
    else openCell(...worst(), true);
  }

  function worst() {
    const size = tests.classes;
    let best = [0, 0];
    let most = 0;
    for (let t = 0; t < size; t += 1) {
      for (let g = 0; g < size; g += 1) {
        if (t !== g && counts[t * size + g] > most) {
          most = counts[t * size + g];
          best = [t, g];
        }
      }
    }
    return best;
  }

  function fillGrid(overall) {
    const size = tests.classes;
    if (!cells.length) return;
    let most = 1;
    let mostRight = 1;
    for (let t = 0; t < size; t += 1) for (let g = 0; g < size; g += 1) {
      if (t === g) mostRight = Math.max(mostRight, counts[t * size + g]);
      else most = Math.max(most, counts[t * size + g]);
    }
    const rowSums = new Float64Array(size);
    const columnSums = new Float64Array(size);
    for (let t = 0; t < size; t += 1) for (let g = 0; g < size; g += 1) {
      rowSums[t] += counts[t * size + g];
      columnSums[g] += counts[t * size + g];
    }
    for (let t = 0; t < size; t += 1) for (let g = 0; g < size; g += 1) {
      const number = counts[t * size + g];
      const cell = cells[t][g];
      cell.textContent = number ? String(number) : "";
      cell.dataset.count = number;
      cell.setAttribute("aria-label", `is ${t}, taken for ${g}: ${number}`);
      // By the root: a single miss among hundreds is still seen.
      cell.style.setProperty("--share", `${(t === g ? 12 + 50 * (number / mostRight) : number ? 8 + 72 * Math.sqrt(number / most) : 0).toFixed(1)}%`);
    }
    for (let i = 0; i < size; i += 1) {
      const right = counts[i * size + i];
      grid.querySelector(`[data-recall="${i}"]`).replaceChildren(...share(right / rowSums[i]));
      grid.querySelector(`[data-precision="${i}"]`).replaceChildren(...share(right / columnSums[i]));
    }
    grid.querySelector("[data-overall]").replaceChildren(...share(overall));
  }

  function fillPairs() {
    const size = tests.classes;
    const found = [];
    for (let t = 0; t < size; t += 1) for (let g = 0; g < size; g += 1) if (t !== g && counts[t * size + g]) found.push([t, g, counts[t * size + g]]);
    found.sort((a, b) => b[2] - a[2]);
    const most = size > MOST_CLASSES ? 40 : 8;
    const held = document.activeElement && pairs.contains(document.activeElement) ? document.activeElement.dataset.pair : null;
    pairs.replaceChildren(...found.slice(0, most).map(([t, g, number]) => element("li", {}, button(`${t} taken for ${g}`, { class: "part-link", "data-pair": `${t}-${g}` }, () => openCell(t, g)), element("span", { class: "quiet" }, ` ${whole(number)}`))));
    if (held) pairs.querySelector(`[data-pair="${held}"]`)?.focus();
  }

  function focusCell(truth, guess, move) {
    cells[focusAt[0]]?.[focusAt[1]]?.setAttribute("tabindex", "-1");
    focusAt = [truth, guess];
    cells[truth][guess].setAttribute("tabindex", "0");
    if (move) cells[truth][guess].focus();
  }

  function openCell(truth, guess, quiet) {
    if (open && cells.length) cells[open[0]]?.[open[1]]?.removeAttribute("aria-selected");
    const same = open && open[0] === truth && open[1] === guess;
    open = [truth, guess];
    if (cells.length) {
      cells[truth][guess].setAttribute("aria-selected", "true");
      if (!quiet) focusCell(truth, guess, false);
    }
    behind = [];
    for (let i = 0; i < tests.labels.length; i += 1) if (tests.labels[i] === truth && shown.predictions[i] === guess) behind.push(i);
    title.textContent = truth === guess ? `${whole(behind.length)} ${truth}s that were recognised` : `${whole(behind.length)} ${truth}s that were taken for ${guess}`;
    canvas.setAttribute("aria-label", title.textContent);
    root.dataset.open = `${truth}-${guess}`;
    root.dataset.images = behind.length;
    if (!same) scroller.scrollTop = 0;
    redraw();
  }

  // The canvas stays in sight; what is drawn on it follows the scrolling.
  function paint() {
    if (!tests || gone) return;
    const across = Math.max(1, Math.floor((scroller.clientWidth - 2) / TILE));
    space.style.height = `${Math.ceil(behind.length / across) * TILE}px`;
    const { pen, width, height } = fitCanvas(canvas);
    pen.clearRect(0, 0, width, height);
    if (!image) return;
    pen.imageSmoothingEnabled = true;
    const top = scroller.scrollTop;
    const first = Math.floor(top / TILE) * across;
    const last = Math.min(behind.length, Math.ceil((top + height) / TILE) * across);
    for (let i = first; i < last; i += 1) {
      const [x, y] = tileOf(tests, behind[i]);
      pen.drawImage(image, x, y, tests.width, tests.height, (i % across) * TILE + 1, Math.floor(i / across) * TILE - top + 1, TILE - 2, TILE - 2);
    }
  }

  function keys(event) {
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const last = tests.classes - 1;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (way) focusCell(Math.max(0, Math.min(last, focusAt[0] + way[0])), Math.max(0, Math.min(last, focusAt[1] + way[1])), true);
    else if (event.key === "Home") focusCell(focusAt[0], 0, true);
    else if (event.key === "End") focusCell(focusAt[0], last, true);
    else if (event.key === "Enter" || event.key === " ") openCell(...focusAt);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function update() {
    if (run !== context.run || (missing && has(context, "test"))) load();
    else if (tests && root.offsetParent) {
      ask();
      refresh();
    }
  }

  update();
  const endFollow = follow(context, ["test"], update, () => {
    shown = null;
    if (tests) ask();
  });
  return {
    update,
    destroy() {
      gone = true;
      endFollow();
      redraw.cancel();
      watcher.disconnect();
      root.remove();
    },
  };
}

// A share in percent; the sign stands apart, so that a narrow page can leave it out.
function share(value) {
  const [number, sign] = percent(value).split(" ");
  return sign ? [number, element("span", { class: "unit" }, ` ${sign}`)] : [number];
}
