// Panels 5 and 6: how the weights and the biases are spread, as percentile bands over steps.

import { Plot, colour, make, short } from "./plot.js";
import { frame, zoomTools } from "./panel.js";
import { at } from "./store.js";
import { recorded } from "./api.js";

const NAMES = ["least", "7 %", "16 %", "31 %", "median", "69 %", "84 %", "93 %", "greatest"];
const BIAS = /(^|[/_.])(b|bias|biases|beta)\d*(:\d+)?$/i;

// The panels that these histograms make: weights, biases; one of all where nothing tells them apart.
export function bandPanels(tags) {
  const biases = tags.filter((tag) => tag === "biases" || BIAS.test(tag));
  const weights = tags.filter((tag) => !biases.includes(tag));
  const together = (list, name) => (list.includes(name) ? [name, ...list.filter((t) => t !== name)] : list);
  const panels = [];
  if (weights.length) panels.push({ key: "weights", title: "Weights", tags: together(weights, "weights") });
  if (biases.length) panels.push({ key: "biases", title: "Biases", tags: together(biases, "biases") });
  return panels;
}

export class BandPanel {
  // options: store, view, panel (of `bandPanels`), run, runName (side by side only), chosen (key -> tag, kept by the page).
  constructor(options) {
    Object.assign(this, options);
    const { panel, view } = this;
    this.key = panel.key;
    const made = frame(panel.key, panel.title, this.runName);
    this.element = made.element;
    this.name = made.name;
    this.badge = make("span", { class: "badge", hidden: true, text: "estimated" });
    this.tools = zoomTools(made.tools, made.name, view, null, false);
    this.select = make("select", { "data-do": "variable", "aria-label": `Variable: ${made.name}` });
    for (const tag of panel.tags) this.select.append(make("option", { value: tag, text: tag === panel.key ? "all together" : tag }));
    this.select.addEventListener("change", () => {
      this.chosen[this.key] = this.select.value;
      this.view.set({ y: null });
      this.onchoose();
    });
    if (panel.tags.length > 1) made.tools.prepend(this.select);
    this.values = make("span", { class: "spread" });
    this.stepText = make("span");
    made.body.append(make("div", { class: "readout" }, this.values, make("span", { class: "at" }, this.badge, this.stepText)));
    const host = make("div");
    made.body.append(host);
    this.plot = new Plot(host, { view, label: `Spread of ${made.name.toLowerCase()} over steps`, last: null, cursor: (step) => this.cursor(step) });
    this.listener = () => this.viewChanged();
    view.members.add(this);
    view.listeners.add(this.listener);
    this.cursorStep = null;
    this.fine = null;
    this.data = null;
  }

  destroy() {
    this.view.members.delete(this);
    this.view.listeners.delete(this.listener);
    clearTimeout(this.timer);
    this.plot.destroy();
    this.element.remove();
  }

  restyle() {
    this.plot.restyle();
    this.update();
  }

  concerns(what) {
    return what.has(`bands:${this.run}`);
  }

  forget() {
    this.fine = null;
  }

  get tag() {
    const wish = this.chosen[this.key];
    return this.panel.tags.includes(wish) ? wish : this.panel.tags[0];
  }

  update() {
    this.store.wantBands(this.run);
    if (this.select.value !== this.tag) this.select.value = this.tag;
    const run = this.store.run(this.run);
    const coarse = run && run.bands.get(this.tag);
    if (!coarse || !coarse.step.length) {
      this.data = null;
      this.plot.draw([[0]], [], null);
      return;
    }
    // A copy, since the store's own arrays grow while a drawing may be held.
    this.data = { ...coarse, step: coarse.step.slice(), bands: coarse.bands.map((band) => band.slice()) };
    if (this.fine && this.fine.tag === this.tag) {
      const { step, bands } = this.fine;
      const before = at(coarse.step, step[0] - 1e-9) + 1;
      const after = at(coarse.step, step[step.length - 1]) + 1;
      const splice = (a, b) => [...a.slice(0, before), ...b, ...a.slice(after)];
      this.data = { ...coarse, step: splice(coarse.step, step), bands: coarse.bands.map((band, i) => splice(band, bands[i])) };
    }
    this.badge.hidden = this.data.exact !== false;
    this.drawBands();
    this.view.settle(this);
    this.readout();
    this.describe();
  }

  drawBands() {
    if (!this.data) return;
    const stroke = colour("--band");
    const clear = "transparent";
    // Drawn from the outermost pair inwards, so that the shades lie over each other.
    const edge = (label) => ({ label, stroke: clear, width: 0 });
    const series = [0, 8, 1, 7, 2, 6, 3, 5].map((i) => edge(NAMES[i]));
    series.push({ label: "median", stroke, width: 1.75 });
    const shades = ["1f", "30", "48", "66"];
    const bands = shades.map((shade, i) => ({ series: [2 * i + 2, 2 * i + 1], fill: stroke + shade }));
    const b = this.data.bands;
    this.plot.draw([this.data.step, b[0], b[8], b[1], b[7], b[2], b[6], b[3], b[5], b[4]], series, bands);
    const panel = this.element.dataset;
    panel.points = this.data.step.length;
    panel.tag = this.tag;
    panel.last = this.data.step[this.data.step.length - 1];
  }

  viewChanged() {
    this.tools();
    this.plot.apply(false);
    clearTimeout(this.timer);
    if (!recorded && this.view.x) this.timer = setTimeout(() => this.finer(), 180);
    if (!this.view.x && this.fine) {
      this.fine = null;
      this.update();
    }
  }

  finer() {
    const x = this.view.x;
    if (!x || !this.data) return;
    const coarse = this.store.run(this.run).bands.get(this.tag);
    if (!coarse || coarse.step.length < 400) return;
    const span = x[1] - x[0];
    if (this.fine && this.fine.tag === this.tag && this.fine.from <= x[0] && this.fine.to >= x[1] && this.fine.to - this.fine.from < span * 3.5) return;
    const tag = this.tag;
    const from = x[0] - span / 2;
    const to = x[1] + span / 2;
    this.store.rangeBands(this.run, from, to).then((found) => {
      const band = found.tags[tag];
      if (!band || !band.step.length || !this.view.x) return;
      this.fine = { ...band, tag, from, to };
      this.update();
    }).catch(() => {});
  }

  extentX() {
    const step = this.data && this.data.step;
    return step && step.length ? [step[0], step[step.length - 1]] : null;
  }

  extentY(x) {
    if (!this.data) return null;
    const { step, bands } = this.data;
    let from = Infinity;
    let to = -Infinity;
    const end = Math.min(step.length - 1, at(step, x[1]) + 1);
    for (let i = Math.max(0, at(step, x[0])); i <= end; i++) {
      if (bands[0][i] !== null && bands[0][i] < from) from = bands[0][i];
      if (bands[8][i] !== null && bands[8][i] > to) to = bands[8][i];
    }
    return from > to ? null : [from, to];
  }

  step(step) {
    this.markStep = step;
    this.plot.mark(step);
    this.readout();
  }

  cursor(step) {
    this.cursorStep = step;
    this.readout();
  }

  readout() {
    if (!this.data) return;
    const { step, bands } = this.data;
    const shown = this.cursorStep !== null ? this.cursorStep : this.markStep === undefined ? null : this.markStep;
    const i = shown === null ? step.length - 1 : Math.max(0, at(step, shown));
    const number = (v) => (v === null ? "–" : Number(v.toPrecision(3)).toString());
    this.values.textContent = `${number(bands[0][i])} ‹ ${number(bands[2][i])} · ${number(bands[4][i])} · ${number(bands[6][i])} › ${number(bands[8][i])}`;
    this.values.title = "least, 16 %, median, 84 %, greatest";
    this.stepText.textContent = `step ${short(step[i])}`;
  }

  describe() {
    const { step, bands } = this.data;
    const i = step.length - 1;
    this.plot.describe(`${this.name}, ${this.tag}, steps ${short(step[0])} to ${short(step[i])}; at the end from ${short(bands[0][i])} to ${short(bands[8][i])}, median ${short(bands[4][i])}, the middle two thirds from ${short(bands[2][i])} to ${short(bands[6][i])}`);
  }
}
