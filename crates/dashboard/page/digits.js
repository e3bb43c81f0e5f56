// Panels 1 and 4: the training batch and the test images, ink on white where recognised, on red where missed.

import { colour, make, short } from "./plot.js";
import { frame } from "./panel.js";
import { runPath, url } from "./api.js";

const sprites = new Map();
// Canvases have a greatest height; a tall sprite is kept in pieces of so many pixels.
const PIECE = 4096;

// The sprite turned to dark ink on white, ready to be multiplied onto a ground: `{ pieces, columns, width, height, rows }`.
function inked(image, { width, height, columns }) {
  const rows = Math.max(1, Math.floor(PIECE / height));
  const all = Math.ceil(image.naturalHeight / height);
  const pieces = [];
  for (let row = 0; row < all; row += rows) {
    const canvas = document.createElement("canvas");
    canvas.width = columns * width;
    canvas.height = Math.min(rows, all - row) * height;
    const ctx = canvas.getContext("2d");
    ctx.fillStyle = "#fff";
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.globalCompositeOperation = "difference";
    ctx.drawImage(image, 0, -row * height);
    pieces.push(canvas);
  }
  return { pieces, rows, columns, width, height };
}

function loadSprite(address, form) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => done(inked(image, form));
    image.onerror = () => failed(new Error("a picture could not be read"));
    image.src = address;
  });
}

// Places a sprite's tile; the context must be set to multiply.
function drawTile(ctx, sprite, index, x, y, size) {
  const row = Math.floor(index / sprite.columns);
  const piece = sprite.pieces[Math.floor(row / sprite.rows)];
  if (!piece) return;
  const high = (size * sprite.height) / sprite.width;
  ctx.drawImage(piece, (index % sprite.columns) * sprite.width, (row % sprite.rows) * sprite.height, sprite.width, sprite.height, x, y, size, high);
}

function fit(canvas, width, height) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const w = Math.max(1, Math.round(width * ratio));
  const h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.imageSmoothingQuality = "high";
  return ctx;
}

function className(run, label) {
  const names = run && run.info.settings && run.info.settings.class_names;
  return Array.isArray(names) && names[label] !== undefined ? String(names[label]) : String(label);
}

class DigitPanel {
  constructor(options, key, title) {
    Object.assign(this, options);
    this.key = key;
    const made = frame(key, title, this.runName);
    this.element = made.element;
    this.element.classList.add("digits");
    this.body = made.body;
    this.tools = made.tools;
    this.name = made.name;
    this.canvas = make("canvas", { role: "img", "aria-label": title });
    this.summary = make("span", { class: "summary" });
    this.stepText = make("span", { class: "at" });
    this.body.append(make("div", { class: "readout" }, this.summary, this.stepText));
    this.sizes = new ResizeObserver(() => this.draw());
    this.shown = null;
    this.markStep = null;
  }

  destroy() {
    this.sizes.disconnect();
    this.element.remove();
  }

  restyle() {
    this.draw();
  }

  concerns(what) {
    return what.has(`${this.key}:${this.run}`);
  }

  forget() {}

  step(step) {
    this.markStep = step;
    this.update();
  }
}

export class BatchPanel extends DigitPanel {
  constructor(options) {
    super(options, "batch", "Training batch");
    this.host = make("div", { class: "canvashost" }, this.canvas);
    this.body.append(this.host);
    this.sizes.observe(this.host);
  }

  update() {
    this.store.wantBatches(this.run);
    const batch = this.store.picture(this.run, "batch", this.markStep) || this.store.arrived(this.run, "batch");
    if (!batch || this.shown === batch) return;
    this.shown = batch;
    this.turn = (this.turn || 0) + 1;
    const turn = this.turn;
    loadSprite(batch.image, batch).then((sprite) => {
      // A later batch may have been read before this one; an older one is drawn all the same, so that a fast replay moves.
      if (turn < (this.drawnTurn || 0)) return;
      this.drawnTurn = turn;
      this.sprite = sprite;
      this.batch = batch;
      this.draw();
    }).catch(() => {});
  }

  draw() {
    const { batch, sprite, host } = this;
    const width = host.clientWidth;
    const height = host.clientHeight;
    if (!batch || width < 20 || height < 20) return;
    const ctx = fit(this.canvas, width, height);
    const count = batch.count;
    // The number of columns that makes the images largest; a cell is an image and a column of two digits.
    let best = {};
    for (let columns = 4; columns <= Math.min(40, count); columns++) {
      const w = width / columns;
      const h = height / Math.ceil(count / columns);
      const size = Math.min((w - 3) / 1.45, ((h - 3) * batch.width) / batch.height);
      // Whole rows look better than images a little larger.
      const score = count % columns ? size : size * 1.15;
      if (size > 0 && score > (best.score || 0)) best = { score, columns, size, w, h };
    }
    if (!best.columns) return;
    const { columns, size, w, h } = best;
    const gap = Math.min(3, w * 0.06);
    const inks = [colour("--tile-ink"), colour("--tile-quiet"), colour("--tile-cry")];
    const grounds = [colour("--tile"), colour("--tile-missed")];
    let missed = 0;
    for (let i = 0; i < count; i++) {
      const wrong = batch.labels[i] !== batch.predictions[i];
      missed += wrong;
      ctx.fillStyle = grounds[Number(wrong)];
      ctx.fillRect((i % columns) * w, Math.floor(i / columns) * h, w - gap, h - gap);
    }
    ctx.globalCompositeOperation = "multiply";
    const high = (size * batch.height) / batch.width;
    for (let i = 0; i < count; i++) drawTile(ctx, sprite, i, (i % columns) * w + 1, Math.floor(i / columns) * h + (h - gap - high) / 2, size);
    ctx.globalCompositeOperation = "source-over";
    const run = this.store.run(this.run);
    const font = Math.max(7, Math.min(15, size * 0.4));
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (let i = 0; i < count; i++) {
      const wrong = batch.labels[i] !== batch.predictions[i];
      const x = (i % columns) * w + size + 1 + (w - gap - size - 1) / 2;
      const y = Math.floor(i / columns) * h;
      const room = w - gap - size;
      ctx.font = `600 ${font}px system-ui, sans-serif`;
      ctx.fillStyle = inks[0];
      ctx.fillText(className(run, batch.labels[i]), x, y + (h - gap) * 0.29, room);
      ctx.font = `${wrong ? 700 : 400} ${font}px system-ui, sans-serif`;
      ctx.fillStyle = wrong ? inks[2] : inks[1];
      ctx.fillText(className(run, batch.predictions[i]), x, y + (h - gap) * 0.72, room);
    }
    const right = count - missed;
    this.summary.replaceChildren(make("b", { text: `${right} of ${count}` }), " recognised");
    this.summary.title = "Beside each image: above the true digit, below the predicted one";
    this.stepText.textContent = `step ${short(batch.step)}`;
    const wrongs = [];
    for (let i = 0; i < count; i++) if (batch.labels[i] !== batch.predictions[i] && wrongs.length < 10) wrongs.push(`${className(run, batch.labels[i])} taken for ${className(run, batch.predictions[i])}`);
    this.canvas.setAttribute("aria-label", `Training batch at step ${batch.step}: ${right} of ${count} images recognised${wrongs.length ? `; missed: ${wrongs.join(", ")}` : ""}`);
    Object.assign(this.element.dataset, { step: batch.step, missed, count });
  }
}

const SIZES = [0, 18, 26, 40, 64];

export class TestPanel extends DigitPanel {
  constructor(options) {
    super(options, "test", "Test images");
    this.zoom = 0;
    this.chosen = -1;
    this.low = 0;
    const last = make("button", { type: "button", "data-zoom": "last", "aria-pressed": "false", title: "Scale from 90 to 100 percent", "aria-label": `Scale from 90 to 100 percent: ${this.name}`, text: "last %" });
    last.addEventListener("click", () => {
      this.low = this.low ? 0 : 90;
      last.setAttribute("aria-pressed", String(this.low > 0));
      this.drawScale();
    });
    this.smaller = make("button", { type: "button", class: "icon", "data-do": "smaller", title: "Smaller images", "aria-label": `Smaller images: ${this.name}`, text: "−", onclick: () => this.resizeTiles(-1) });
    this.larger = make("button", { type: "button", class: "icon", "data-do": "larger", title: "Larger images", "aria-label": `Larger images: ${this.name}`, text: "+", onclick: () => this.resizeTiles(1) });
    this.tools.prepend(last, this.smaller, this.larger);
    this.spacer = make("div", { class: "spacer" });
    this.scroller = make("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": `${this.name}, missed ones first. Arrows go from image to image, page keys scroll.` }, this.canvas, this.spacer);
    this.scale = make("div", { class: "scale", role: "meter", "aria-label": "Percent of the test images recognised", "aria-valuemin": "0", "aria-valuemax": "100" });
    this.voice = make("span", { class: "unseen", "aria-live": "polite" });
    this.host = make("div", { class: "testhost" }, this.scroller, this.scale, this.voice);
    this.body.append(this.host);
    this.scroller.addEventListener("scroll", () => this.later(), { passive: true });
    this.scroller.addEventListener("pointermove", (event) => this.point(event, false));
    this.scroller.addEventListener("pointerdown", (event) => this.point(event, true));
    this.scroller.addEventListener("pointerleave", () => this.say(this.chosen));
    this.scroller.addEventListener("keydown", (event) => this.keys(event));
    this.sizes.observe(this.host);
    this.order = null;
    this.frame = 0;
  }

  restyle() {
    this.draw();
    this.drawScale();
  }

  resizeTiles(by) {
    this.zoom = Math.max(0, Math.min(SIZES.length - 1, this.zoom + by));
    this.scroller.scrollTop = 0;
    this.draw();
  }

  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  update() {
    this.store.wantTests(this.run);
    const run = this.store.run(this.run);
    const tests = run && run.tests;
    if (!tests) return;
    if (this.tests !== tests) {
      this.tests = tests;
      this.shown = null;
      const address = url(runPath(this.run, "sprite"));
      // Side by side the same pictures come for every run; they are read once for each address.
      if (!sprites.has(address)) sprites.set(address, loadSprite(address, tests));
      sprites.get(address).then((sprite) => {
        this.sprite = sprite;
        this.draw();
      }).catch(() => sprites.delete(address));
    }
    const result = this.store.picture(this.run, "test", this.markStep) || this.store.arrived(this.run, "test");
    if (!result || result === this.shown) return;
    this.shown = result;
    const { labels } = tests;
    const { predictions } = result;
    const missed = [];
    const right = [];
    for (let i = 0; i < tests.count; i++) (labels[i] === predictions[i] ? right : missed).push(i);
    this.missed = missed.length;
    this.order = missed.concat(right);
    const percent = (100 * right.length) / Math.max(1, tests.count);
    this.percent = percent;
    this.summary.replaceChildren(make("b", { text: `${missed.length.toLocaleString("en")} missed` }), ` of ${tests.count.toLocaleString("en")}`);
    this.stepText.textContent = `step ${short(result.step)}`;
    this.canvas.setAttribute("aria-label", `${tests.count} test images at step ${result.step}: ${missed.length} missed, shown first on red; ${percent.toFixed(2)} percent recognised`);
    Object.assign(this.element.dataset, { step: result.step, missed: missed.length, count: tests.count, percent: percent.toFixed(2) });
    this.drawScale();
    this.draw();
  }

  // The size of a tile so that the first 1,000 are seen at once, unless larger ones are asked for.
  grid() {
    const width = this.scroller.clientWidth;
    const height = this.scroller.clientHeight;
    const wish = SIZES[this.zoom];
    let size = wish || Math.sqrt((width * height) / Math.min(1000, this.order.length));
    size = Math.max(11, Math.min(wish || 28, size));
    const columns = Math.max(1, wish ? Math.floor(width / size) : Math.ceil(width / size));
    return { columns, pitch: width / columns, width, height };
  }

  draw() {
    if (!this.order || !this.sprite) return;
    const { columns, pitch, width, height } = this.grid();
    if (width < 20 || height < 20) return;
    this.layout = { columns, pitch };
    const rows = Math.ceil(this.order.length / columns);
    const total = rows * pitch;
    this.spacer.style.height = `${Math.max(0, total - height)}px`;
    const ctx = fit(this.canvas, width, height);
    const top = this.scroller.scrollTop;
    const first = Math.floor(top / pitch) * columns;
    const end = Math.min(this.order.length, (Math.floor((top + height) / pitch) + 1) * columns);
    const gap = pitch > 16 ? 1.5 : 0.75;
    const named = pitch >= 36;
    const place = (k) => [(k % columns) * pitch, Math.floor(k / columns) * pitch - top];
    const grounds = [colour("--tile"), colour("--tile-missed")];
    for (const wrong of [false, true]) {
      ctx.fillStyle = grounds[Number(wrong)];
      for (let k = first; k < end; k++) {
        if (k < this.missed !== wrong) continue;
        const [x, y] = place(k);
        ctx.fillRect(x, y, pitch - gap, pitch - gap);
      }
    }
    ctx.globalCompositeOperation = "multiply";
    const size = (pitch - gap) * (named ? 0.74 : 1);
    for (let k = first; k < end; k++) {
      const [x, y] = place(k);
      drawTile(ctx, this.sprite, this.order[k], x, y + (pitch - gap - size) / 2, size);
    }
    ctx.globalCompositeOperation = "source-over";
    if (named) this.drawNames(ctx, first, end, place, pitch - gap, size);
    if (this.chosen >= first && this.chosen < end) {
      const [x, y] = place(this.chosen);
      ctx.strokeStyle = colour("--focus");
      ctx.lineWidth = 2;
      ctx.strokeRect(x, y, pitch - gap, pitch - gap);
    }
    Object.assign(this.element.dataset, { first: first, shown: end - first, columns });
  }

  drawNames(ctx, first, end, place, cell, size) {
    const run = this.store.run(this.run);
    const inks = [colour("--tile-ink"), colour("--tile-quiet"), colour("--tile-cry")];
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (let k = first; k < end; k++) {
      const [x, y] = place(k);
      const i = this.order[k];
      const middle = x + size + (cell - size) / 2;
      ctx.font = `600 ${cell * 0.26}px system-ui, sans-serif`;
      ctx.fillStyle = inks[0];
      ctx.fillText(className(run, this.tests.labels[i]), middle, y + cell * 0.3, cell - size);
      ctx.fillStyle = k < this.missed ? inks[2] : inks[1];
      ctx.fillText(className(run, this.shown.predictions[i]), middle, y + cell * 0.7, cell - size);
    }
  }

  drawScale() {
    if (this.percent === undefined) return;
    const low = this.low;
    const place = (p) => `${(100 * (Math.max(low, p) - low)) / (100 - low)}%`;
    const tick = low ? 1 : 10;
    const ticks = [];
    for (let p = low; p <= 100; p += tick) {
      const mark = make("span", { class: "tick", "aria-hidden": "true", text: p % (tick * 2) === 0 ? String(p) : "" });
      mark.style.bottom = place(p);
      ticks.push(mark);
    }
    const fill = make("span", { class: "fill" });
    fill.style.height = place(this.percent);
    const value = make("b", { class: "value", text: `${this.percent.toFixed(this.percent === 100 ? 0 : this.percent >= 90 ? 2 : 1)}%` });
    value.style.bottom = place(this.percent);
    this.scale.replaceChildren(make("span", { class: "rail" }, fill), ...ticks, value);
    this.scale.setAttribute("aria-valuenow", this.percent.toFixed(2));
    this.scale.setAttribute("aria-valuetext", `${this.percent.toFixed(2)} percent recognised`);
  }

  point(event, choose) {
    if (!this.layout || !this.order || event.target === this.scale) return;
    const rect = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - rect.left) / this.layout.pitch);
    const row = Math.floor((event.clientY - rect.top + this.scroller.scrollTop) / this.layout.pitch);
    const k = row * this.layout.columns + column;
    if (column < 0 || column >= this.layout.columns || k < 0 || k >= this.order.length) return;
    if (choose) {
      this.chosen = k;
      this.later();
    }
    this.say(k);
  }

  // Names an image: its number, what it is, what it was taken for.
  say(k) {
    if (!this.order || !this.shown) return;
    const { tests, shown } = this;
    if (k < 0 || k >= this.order.length) {
      this.summary.replaceChildren(make("b", { text: `${this.missed.toLocaleString("en")} missed` }), ` of ${tests.count.toLocaleString("en")}`);
      return;
    }
    const run = this.store.run(this.run);
    const i = this.order[k];
    const truth = className(run, tests.labels[i]);
    const guess = className(run, shown.predictions[i]);
    this.summary.textContent = `no. ${i.toLocaleString("en")}: ${truth === guess ? `a ${truth}, recognised` : `a ${truth}, taken for ${guess}`}`;
    this.element.dataset.image = i;
  }

  keys(event) {
    if (!this.layout || !this.order) return;
    const { columns, pitch } = this.layout;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (event.key === "Escape") this.chosen = -1;
    else if (by) this.chosen = this.chosen < 0 ? 0 : Math.max(0, Math.min(this.order.length - 1, this.chosen + by));
    else if (event.key === "+" || event.key === "=") this.resizeTiles(1);
    else if (event.key === "-") this.resizeTiles(-1);
    else return;
    event.preventDefault();
    if (this.chosen >= 0) {
      const y = Math.floor(this.chosen / columns) * pitch;
      if (y < this.scroller.scrollTop) this.scroller.scrollTop = y;
      else if (y + pitch > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = y + pitch - this.scroller.clientHeight;
    }
    this.say(this.chosen);
    this.voice.textContent = this.summary.textContent;
    this.draw();
  }
}
