// A square to draw a digit in, by mouse, finger or keyboard; the probabilities
// the network gives it, as bars that move; and which pixels they hang on.
//
// Read by tests, on `.part-draw`: `data-digit` the likeliest class, `data-step` the weights' step, `data-state` (`empty`, `waiting`, `shown`,
// `no-weights`, `error`), `data-sent` questions so far, `data-ink` sum of the pixels seen, `data-truth` label of a test image.
// Bars: `[data-probability="7"]` with `data-value`; `canvas.draw-square`; `[data-do="clear|take|missed"]`, `input[data-do="saliency"]`.
import { atMostEvery, button, colours, element, everyFrame, follow, has, onScheme, pathOf, percent, whole } from "./parts.js";
import { SIDE, normalized } from "./pen.js";
import { predictionsAt, testsOf, tileOf } from "./sprite.js";

const SIZE = 280;
const WIDTH = 21;
const PAUSE = 110;
const CELL = SIZE / SIDE;

/** The view where one draws. */
export function DrawView(host, context) {
  let run = null;
  let tests = null;
  let seen = null;
  let saliency = null;
  let strokeAt = null;
  let pointer = null;
  const cursor = { x: SIZE / 2, y: SIZE / 2, down: false, shown: false };
  let pending = 0;
  let flying = false;
  let again = false;
  let last = -Infinity;
  let sent = 0;
  let gone = false;
  let inks = null;
  let truth = null;
  let bars = [];

  const ink = document.createElement("canvas");
  ink.width = ink.height = SIZE;
  const pen = ink.getContext("2d", { willReadFrequently: true });
  const square = element("canvas", { class: "draw-square", width: SIZE * 2, height: SIZE * 2, tabindex: "0", role: "application", "aria-roledescription": "drawing square",
    "aria-label": "Square to draw a digit in. Arrow keys move the pen, hold space to draw, or press P to put the pen down and lift it; shift makes small steps, delete clears.",
    onpointerdown: down, onpointermove: move, onpointerup: up, onpointercancel: up, onkeydown: keys, onkeyup: keysUp,
    onblur: () => {
      cursor.down = cursor.shown = false;
      redraw();
    } });
  const over = element("canvas", { class: "draw-over", width: SIZE * 2, height: SIZE * 2, "aria-hidden": "true" });
  const small = element("canvas", { class: "draw-small", width: SIDE, height: SIDE, role: "img", "aria-label": "What the network sees, 28 by 28 pixels" });
  const smallOver = element("canvas", { class: "draw-over", width: SIDE, height: SIDE, "aria-hidden": "true" });
  const status = element("p", { class: "part-status draw-status" });
  const spoken = element("p", { class: "part-hidden", "aria-live": "polite" });
  const warning = element("p", { class: "draw-warning", role: "status", hidden: true });
  const shade = element("input", { type: "checkbox", checked: true, "data-do": "saliency", onchange: redrawSoon });
  const number = element("input", { type: "number", min: "0", value: "0", step: "1", "aria-label": "Number of the test image", onkeydown: (event) => event.key === "Enter" && take(Number(number.value)) });
  const takeGroup = element("div", { class: "draw-take", hidden: true },
    element("label", {}, "Test image ", number), button("Take", { "data-do": "take" }, () => take(Number(number.value))), button("One that was missed", { "data-do": "missed" }, takeMissed));
  const list = element("ol", { class: "draw-bars", "aria-label": "Probabilities" });
  const legend = element("p", { class: "draw-legend" }, element("span", { class: "plus-mark", "aria-hidden": "true" }), "ink here speaks for it", element("span", { class: "minus-mark", "aria-hidden": "true" }), "speaks against it");
  const root = element("section", { class: "part-draw", "aria-label": "Draw a digit", "data-state": "empty" },
    element("div", { class: "draw-left" },
      element("div", { class: "draw-frame" }, square, over),
      element("div", { class: "part-bar" }, button("Clear", { "data-do": "clear" }, clear), element("label", {}, shade, "Saliency of the pixels")),
      legend),
    element("div", { class: "draw-right" },
      warning,
      list, status,
      element("div", { class: "draw-seen" }, element("div", { class: "draw-mini" }, small, smallOver), element("p", { class: "quiet" }, "What the network sees: scaled into 20 by 20 pixels, its centre of mass in the middle of 28 by 28, as the training images were.")),
      takeGroup),
    spoken);
  host.replaceChildren(root);
  buildBars(10);
  const redraw = everyFrame(paint);
  const endScheme = onScheme(() => {
    inks = null;
    redraw();
  });
  const tellSoon = atMostEvery(1500, () => {
    spoken.textContent = status.textContent;
  });
  // While a run trains its weights move: what stands in the square is asked anew.
  const askAgain = atMostEvery(1000, () => {
    const asks = root.dataset.state === "shown" || (root.dataset.state === "no-weights" && has(context, "draw"));
    if (seen && asks) ask();
  });
  wipe();

  function redrawSoon() {
    redraw();
  }

  function buildBars(count) {
    bars = Array.from({ length: count }, (_, digit) => {
      const fill = element("span", { class: "draw-fill" });
      const value = element("span", { class: "draw-value" }, "");
      const row = element("li", { "data-probability": digit, "data-value": "" }, element("span", { class: "draw-digit" }, String(digit)), element("span", { class: "draw-track", "aria-hidden": "true" }, fill), value);
      return { row, fill, value };
    });
    list.replaceChildren(...bars.map((bar) => bar.row));
  }

  function wipe() {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, SIZE, SIZE);
  }

  function clear() {
    wipe();
    seen = saliency = truth = null;
    delete root.dataset.truth;
    root.dataset.ink = "0";
    showNothing();
    redraw();
  }

  function showNothing() {
    if (root.dataset.state !== "no-weights") root.dataset.state = "empty";
    root.dataset.digit = "";
    for (const bar of bars) {
      bar.row.dataset.value = "";
      bar.row.classList.remove("first");
      bar.fill.style.transform = "scaleX(0)";
      bar.value.textContent = "";
    }
    status.textContent = "Draw a digit.";
  }

  function line(from, to) {
    pen.strokeStyle = "#fff";
    pen.lineWidth = WIDTH;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x + (from.x === to.x && from.y === to.y ? 0.01 : 0), to.y);
    pen.stroke();
    truth = null;
    delete root.dataset.truth;
    look();
  }

  function placeOf(event) {
    const box = square.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * SIZE, y: ((event.clientY - box.top) / box.height) * SIZE };
  }

  function down(event) {
    if (event.button || pointer !== null) return;
    event.preventDefault();
    square.focus({ preventScroll: true });
    square.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    cursor.shown = false;
    strokeAt = placeOf(event);
    line(strokeAt, strokeAt);
  }

  function move(event) {
    if (event.pointerId !== pointer) return;
    // All places since the last frame, so that a quick stroke stays round.
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const one of events.length ? events : [event]) {
      const place = placeOf(one);
      line(strokeAt, place);
      strokeAt = place;
    }
  }

  function up(event) {
    if (event.pointerId !== pointer) return;
    pointer = null;
    strokeAt = null;
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    cursor.shown = true;
    if (way) {
      const step = event.shiftKey ? 3 : CELL;
      const before = { x: cursor.x, y: cursor.y };
      cursor.x = Math.max(0, Math.min(SIZE, cursor.x + way[0] * step));
      cursor.y = Math.max(0, Math.min(SIZE, cursor.y + way[1] * step));
      if (cursor.down) line(before, cursor);
    } else if (event.key === " ") {
      if (!cursor.down) line(cursor, cursor);
      cursor.down = true;
    } else if (event.key === "p" || event.key === "P") {
      if (event.repeat) return;
      cursor.down = !cursor.down;
      if (cursor.down) line(cursor, cursor);
      spoken.textContent = cursor.down ? "pen down" : "pen up";
    } else if (event.key === "Delete" || event.key === "Backspace") clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
    redraw();
  }

  function keysUp(event) {
    if (event.key !== " ") return;
    cursor.down = false;
    event.preventDefault();
    redraw();
  }

  // Reads the square at most once in a pause, and asks the network.
  function look() {
    redraw();
    if (pending) return;
    pending = setTimeout(() => {
      pending = 0;
      const bytes = pen.getImageData(0, 0, SIZE, SIZE).data;
      const flat = new Uint8Array(SIZE * SIZE);
      for (let i = 0; i < flat.length; i += 1) flat[i] = bytes[4 * i];
      seen = normalized(flat, SIZE);
      take784();
    }, Math.max(0, PAUSE - (performance.now() - last)));
  }

  function take784() {
    last = performance.now();
    root.dataset.ink = seen ? seen.pixels.reduce((sum, pixel) => sum + pixel, 0).toFixed(2) : "0";
    redraw();
    if (seen) ask();
  }

  async function ask() {
    if (flying) {
      again = true;
      return;
    }
    if (has(context, "draw") === false) {
      noWeights("this run holds none that could be read");
      return;
    }
    flying = true;
    const asked = run;
    const pixels = seen.pixels;
    sent += 1;
    root.dataset.sent = sent;
    if (root.dataset.state === "empty") root.dataset.state = "waiting";
    try {
      const answer = await context.api.post(pathOf(asked, "predict"), { pixels: Array.from(pixels, (pixel) => Math.round(pixel * 1e4) / 1e4) });
      if (gone || run !== asked || !seen) return;
      warning.hidden = true;
      root.dataset.state = "shown";
      saliency = answer.saliency;
      tell(answer);
    } catch (error) {
      if (gone || run !== asked) return;
      if (error.status === 409) noWeights(error.message);
      else fail("error", `The network could not be asked: ${error.message}`);
    } finally {
      flying = false;
      redraw();
      if (again && !gone) {
        again = false;
        setTimeout(() => seen && !gone && ask(), Math.max(0, PAUSE - (performance.now() - last)));
      }
    }
  }

  function noWeights(why) {
    fail("no-weights", `There are no weights to ask: ${why}`);
  }

  function fail(state, text) {
    saliency = null;
    showNothing();
    root.dataset.state = state;
    warning.hidden = false;
    if (warning.textContent !== text) warning.textContent = text;
    status.textContent = "";
    redraw();
  }

  function tell({ probabilities, step }) {
    if (probabilities.length !== bars.length) buildBars(probabilities.length);
    let best = 0;
    probabilities.forEach((p, digit) => {
      if (p > probabilities[best]) best = digit;
    });
    probabilities.forEach((p, digit) => {
      const { row, fill, value } = bars[digit];
      row.dataset.value = p === null ? "" : p.toFixed(4);
      row.classList.toggle("first", digit === best);
      fill.style.transform = `scaleX(${p || 0})`;
      value.textContent = p === null ? "not a number" : percent(p);
    });
    root.dataset.digit = best;
    root.dataset.step = step;
    const known = truth === null ? "" : truth === best ? `; it is a ${truth}, recognised` : `; it is a ${truth}, missed`;
    status.textContent = `${best} with ${percent(probabilities[best])}${known}, by the weights of step ${whole(step)}`;
    tellSoon();
  }

  function paint() {
    if (gone) return;
    const ground = square.getContext("2d");
    ground.imageSmoothingEnabled = true;
    ground.drawImage(ink, 0, 0, square.width, square.height);
    const mini = small.getContext("2d");
    const image = mini.createImageData(SIDE, SIDE);
    for (let i = 0; i < SIDE * SIDE; i += 1) {
      const value = seen ? Math.round(seen.pixels[i] * 255) : 0;
      image.data.set([value, value, value, 255], 4 * i);
    }
    mini.putImageData(image, 0, 0);
    const cover = over.getContext("2d");
    cover.clearRect(0, 0, over.width, over.height);
    const tiny = smallOver.getContext("2d");
    tiny.clearRect(0, 0, SIDE, SIDE);
    legend.hidden = !shade.checked;
    const shows = shade.checked && saliency && seen;
    root.dataset.saliency = shows ? "shown" : "off";
    inks ||= colours(root, ["plus", "minus", "focus"]);
    if (shows) {
      shadeInto(tiny);
      const times = over.width / SIZE;
      cover.imageSmoothingEnabled = true;
      cover.drawImage(smallOver, seen.x * times, seen.y * times, SIDE * seen.scale * times, SIDE * seen.scale * times);
    }
    if (cursor.shown && document.activeElement === square) {
      const times = over.width / SIZE;
      cover.strokeStyle = inks.focus;
      cover.lineWidth = 3;
      cover.beginPath();
      cover.arc(cursor.x * times, cursor.y * times, (WIDTH / 2) * times, 0, 7);
      cover.stroke();
      if (cursor.down) {
        cover.fillStyle = inks.focus;
        cover.beginPath();
        cover.arc(cursor.x * times, cursor.y * times, 6, 0, 7);
        cover.fill();
      }
    }
  }

  function shadeInto(tiny) {
    let most = 0;
    for (const value of saliency) most = Math.max(most, Math.abs(value || 0));
    if (!most) return;
    for (let i = 0; i < SIDE * SIDE; i += 1) {
      const value = (saliency[i] || 0) / most;
      if (Math.abs(value) < 0.04) continue;
      tiny.globalAlpha = 0.85 * Math.sqrt(Math.abs(value)) * Math.abs(value) ** 0.25;
      tiny.fillStyle = value > 0 ? inks.plus : inks.minus;
      tiny.fillRect(i % SIDE, Math.floor(i / SIDE), 1, 1);
    }
    tiny.globalAlpha = 1;
  }

  async function take(index) {
    if (!tests) return;
    const bounded = Math.max(0, Math.min(tests.count - 1, Math.floor(index) || 0));
    number.value = String(bounded);
    const asked = run;
    const image = await tests.image.catch(() => null);
    if (!image || gone || run !== asked) return;
    const [x, y] = tileOf(tests, bounded);
    const mini = document.createElement("canvas");
    mini.width = mini.height = SIDE;
    const brush = mini.getContext("2d", { willReadFrequently: true });
    brush.drawImage(image, x, y, SIDE, SIDE, 0, 0, SIDE, SIDE);
    const bytes = brush.getImageData(0, 0, SIDE, SIDE).data;
    const pixels = new Float32Array(SIDE * SIDE);
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = bytes[4 * i] / 255;
    wipe();
    pen.imageSmoothingEnabled = true;
    pen.drawImage(mini, 0, 0, SIZE, SIZE);
    // Asked as it is: it is centred already.
    seen = { pixels, scale: CELL, x: 0, y: 0 };
    saliency = null;
    truth = tests.labels[bounded];
    root.dataset.truth = truth;
    clearTimeout(pending);
    pending = 0;
    take784();
  }

  async function takeMissed() {
    const asked = run;
    try {
      tests = await testsOf(context, asked);
      const answer = await predictionsAt(context, asked, tests, context.step);
      if (!answer || gone || run !== asked) return;
      const missed = [];
      for (let i = 0; i < tests.labels.length; i += 1) if (answer.predictions[i] !== tests.labels[i]) missed.push(i);
      if (missed.length) await take(missed[Math.floor(Math.random() * missed.length)]);
      else status.textContent = "None was missed.";
    } catch (error) {
      status.textContent = error.message;
    }
  }

  async function load() {
    const asked = context.run;
    run = asked;
    tests = null;
    saliency = null;
    warning.hidden = true;
    takeGroup.hidden = true;
    root.dataset.state = "empty";
    showNothing();
    if (seen) ask();
    else if (has(context, "draw") === false) noWeights("this run holds none that could be read");
    if (has(context, "test") === false) return;
    try {
      const answer = await testsOf(context, asked);
      if (gone || run !== asked) return;
      if (answer.width === SIDE && answer.height === SIDE) {
        tests = answer;
        number.max = String(answer.count - 1);
        takeGroup.hidden = false;
      }
    } catch {
      // a run without test images: one can still draw
    }
  }

  function update() {
    if (run !== context.run) load();
    else if (root.offsetParent) {
      if (root.dataset.state === "no-weights" && has(context, "draw") && !seen) {
        warning.hidden = true;
        root.dataset.state = "empty";
        showNothing();
      }
      askAgain();
    }
  }

  redraw();
  update();
  const endFollow = follow(context, ["info"], update);
  return {
    update,
    destroy() {
      gone = true;
      clearTimeout(pending);
      redraw.cancel();
      endScheme();
      endFollow();
      root.remove();
    },
  };
}
