// Panels 2 and 3 and every other scalar: curves over steps, of one run or of many over each other.

import { uPlot } from "./uplot.js";
import { Plot, colour, make, short } from "./plot.js";
import { frame, zoomTools } from "./panel.js";
import { at } from "./store.js";
import { recorded } from "./api.js";

const ROLES = { train: "training", test: "test" };
const SPLITS = { train: "train", training: "train", test: "test", validation: "test", val: "test", eval: "test" };
const RESERVED = ["batch", "test", "weights", "biases"];
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 2], [12, 4], [1, 2], [6, 2, 1, 2, 1, 2]];

// "sweep/validation" beside "sweep/train" is the test side of the run "sweep".
export function splitOf(store, id) {
  const cut = id.lastIndexOf("/");
  const parent = cut < 0 ? "" : id.slice(0, cut);
  const last = id.slice(cut + 1);
  if (!(last in SPLITS)) return { group: id, role: null };
  for (const other of Object.keys(SPLITS)) {
    if (SPLITS[other] !== SPLITS[last] && store.run(parent ? `${parent}/${other}` : other)) return { group: parent || ".", role: SPLITS[last] };
  }
  return { group: id, role: null };
}

function partsOf(tag) {
  const begin = /^(train|test)\/(.+)$/.exec(tag);
  if (begin) return { name: begin[2], role: begin[1] };
  const end = /^(.+)\/(train|test)$/.exec(tag);
  if (end) return { name: end[1], role: end[2] };
  return { name: tag, role: null };
}

// The panels that the scalars of these runs make: `{ key, title, percent, lines: [{ run, tag, role, group }] }`.
export function curvePanels(store, ids) {
  const panels = new Map();
  for (const id of ids) {
    const run = store.run(id);
    if (!run) continue;
    const split = splitOf(store, id);
    const digits = run.info.batch || run.info.test;
    for (const tag of run.info.scalars) {
      const { name, role } = partsOf(tag);
      // Keys that the digits and the bands bear are not free for scalars.
      const key = RESERVED.includes(name) ? `scalar-${name}` : name;
      if (!panels.has(name)) panels.set(name, { key, title: name, percent: false, lines: [] });
      const panel = panels.get(name);
      if (name === "accuracy") Object.assign(panel, { title: "Accuracy", percent: true });
      if (name === "loss") panel.title = digits ? "Cross entropy" : "Loss";
      if (name === "images_per_second") panel.title = "Images a second";
      panel.lines.push({ run: id, tag, role: role || split.role, group: split.group });
    }
  }
  return panels;
}

function smoothed(values, weight) {
  let last = 0;
  let debias = 0;
  return values.map((v) => {
    if (v === null) return null;
    last = last * weight + v * (1 - weight);
    debias = debias * weight + (1 - weight);
    return last / debias;
  });
}

// The finer range in place of the coarse points it covers; a copy, since the store's own arrays grow.
function spliced(coarse, fine) {
  if (!fine || !fine.step.length) return { step: coarse.step.slice(), value: coarse.value.slice() };
  const before = at(coarse.step, fine.step[0] - 1e-9) + 1;
  const after = at(coarse.step, fine.step[fine.step.length - 1]) + 1;
  return {
    step: [...coarse.step.slice(0, before), ...fine.step, ...coarse.step.slice(after)],
    value: [...coarse.value.slice(0, before), ...fine.value, ...coarse.value.slice(after)],
  };
}

export class CurvePanel {
  // options: store, view, panel (of `curvePanels`), runName (side by side only), slots (group -> number).
  constructor(options) {
    Object.assign(this, options);
    const { panel, view } = this;
    this.key = panel.key;
    this.limits = panel.percent ? [-Infinity, 100] : [-Infinity, Infinity];
    const made = frame(panel.key, panel.title, this.runName);
    this.element = made.element;
    this.body = made.body;
    this.name = made.name;
    this.badge = make("span", { class: "badge", hidden: true });
    this.tools = zoomTools(made.tools, made.name, view, () => this.last(), !panel.percent);
    this.legend = make("ul", { class: "legend" });
    this.stepText = make("span");
    made.body.append(make("div", { class: "readout" }, this.legend, make("span", { class: "at" }, this.badge, this.stepText)));
    const host = make("div");
    made.body.append(host);
    this.plot = new Plot(host, { view, label: `${made.name} over steps`, last: () => this.last(), cursor: (step) => this.cursor(step) });
    this.listener = () => this.viewChanged();
    view.members.add(this);
    view.listeners.add(this.listener);
    this.fine = new Map();
    this.lines = [];
    this.drawn = [];
    this.timer = 0;
    this.cursorStep = null;
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
    return this.panel.lines.some((line) => what.has(`curves:${line.run}`));
  }

  // Drops the finer ranges of a run (null: of all), which are void now.
  forget(run) {
    for (const key of [...this.fine.keys()]) if (run === null || key.startsWith(`${run}\n`)) this.fine.delete(key);
  }

  style(line, points) {
    const many = this.slots.size > 1;
    const slot = this.slots.get(line.group) || 0;
    if (!many) return { stroke: colour(line.role === "test" ? "--test" : "--train"), width: line.role === "test" ? 2 : 1, dash: [] };
    const stroke = colour(`--run-${slot % 8}`);
    const paired = this.panel.lines.some((l) => l.role === "test") && this.panel.lines.some((l) => l.role === "train");
    if (paired && line.role === "train") return { stroke: `${stroke}40`, width: 1, dash: [] };
    // Dashes tell few points apart from each other; of a dense curve they make dust, so there they only tell apart what bears one colour.
    const dash = points <= 400 || slot >= 8 ? DASHES[(slot + Math.floor(slot / 8)) % DASHES.length] : [];
    return { stroke, width: this.slots.size > 6 ? 1.25 : 2, dash };
  }

  // Takes the newest data and draws.
  update() {
    const wanted = new Map();
    for (const line of this.panel.lines) {
      if (!wanted.has(line.run)) wanted.set(line.run, []);
      wanted.get(line.run).push(line.tag);
    }
    for (const [run, tags] of wanted) this.store.wantCurves(run, tags);
    const factor = this.panel.percent ? 100 : 1;
    this.lines = [];
    for (const line of this.panel.lines) {
      const run = this.store.run(line.run);
      const coarse = run && run.curves.get(line.tag);
      if (!coarse) continue;
      const { step, value } = spliced(coarse, this.fine.get(`${line.run}\n${line.tag}`));
      const values = factor === 1 ? value : value.map((v) => (v === null ? null : v * factor));
      this.lines.push({ ...line, step, values, style: this.style(line, step.length), label: this.label(line), count: coarse.count });
    }
    // The training curve lies under the test curve.
    this.lines.sort((a, b) => (a.role === "test") - (b.role === "test"));
    const memberX = this.extent(this.lines);
    this.xs = memberX;
    this.ys = null;
    this.drawLines();
    this.view.settle(this);
    this.showLegend();
    this.describe();
  }

  label(line) {
    const role = line.role ? ROLES[line.role] : "";
    if (this.slots.size > 1) return line.role ? `${line.group} ${line.role}` : line.group;
    return role || line.tag;
  }

  // All lines but those of the side that is left out, unless nothing would remain.
  seenLines() {
    const seen = this.lines.filter((line) => !line.role || line.role !== this.view.without);
    return seen.length ? seen : this.lines;
  }

  extent(lines) {
    let from = Infinity;
    let to = -Infinity;
    for (const { step } of lines) {
      if (!step.length) continue;
      from = Math.min(from, step[0]);
      to = Math.max(to, step[step.length - 1]);
    }
    return from > to ? null : [from, to];
  }

  extentX() {
    return this.xs || null;
  }

  extentY(x) {
    if (this.ys && this.ys.x[0] === x[0] && this.ys.x[1] === x[1] && this.ys.log === this.view.log && this.ys.without === this.view.without) return this.ys.y;
    let from = Infinity;
    let to = -Infinity;
    for (const { step, values } of this.seenLines()) {
      const end = Math.min(values.length - 1, at(step, x[1]) + 1);
      for (let i = Math.max(0, at(step, x[0])); i <= end; i++) {
        const v = values[i];
        if (v === null || (this.view.log && v <= 0)) continue;
        if (v < from) from = v;
        if (v > to) to = v;
      }
    }
    const y = from > to ? null : [from, to];
    this.ys = { x: [...x], y, log: this.view.log, without: this.view.without };
    return y;
  }

  drawLines() {
    const tables = [];
    const series = [];
    const { smooth, log } = this.view;
    this.drawnFor = this.drawing();
    const positive = (values) => (log ? values.map((v) => (v !== null && v > 0 ? v : null)) : values);
    for (const line of this.seenLines()) {
      const common = { label: line.label, ...line.style };
      if (smooth) {
        tables.push([line.step, positive(line.values)]);
        series.push({ ...common, stroke: line.style.stroke.slice(0, 7) + "40", width: 1, dash: [] });
        tables.push([line.step, positive(smoothed(line.values, smooth))]);
        series.push({ ...common, stroke: line.style.stroke.slice(0, 7) });
      } else {
        tables.push([line.step, positive(line.values)]);
        series.push(common);
      }
    }
    for (const one of series) one.points = { show: (u, index) => u.data[index].length < 2 };
    this.badge.hidden = !smooth;
    this.badge.textContent = smooth ? `smoothed ${smooth}` : "";
    if (!tables.length) {
      this.plot.draw([[0]], [], null);
      return;
    }
    this.plot.draw(uPlot.join(tables), series, null);
    const panel = this.element.dataset;
    panel.points = this.lines.reduce((sum, l) => sum + l.step.length, 0);
    panel.count = this.lines.reduce((sum, l) => sum + l.count, 0);
    panel.series = this.lines.map((l) => `${l.run}:${l.tag}`).join(" ");
    panel.smooth = smooth;
    panel.last = this.xs ? this.xs[1] : "";
  }

  // What of the view changes the lines and not only the ranges.
  drawing() {
    return `${this.view.log} ${this.view.smooth} ${this.view.without}`;
  }

  viewChanged() {
    this.tools();
    if (this.drawnFor === this.drawing()) this.plot.apply(false);
    else this.drawLines();
    this.showLegend();
    clearTimeout(this.timer);
    if (!recorded && this.view.x) this.timer = setTimeout(() => this.finer(), 180);
    if (!this.view.x && this.fine.size) {
      this.fine.clear();
      this.update();
    }
  }

  // Fetches the range that is seen again where the overview holds only some of its points.
  finer() {
    const x = this.view.x;
    if (!x) return;
    const span = x[1] - x[0];
    const byRun = new Map();
    for (const line of this.lines) {
      const run = this.store.run(line.run);
      const coarse = run && run.curves.get(line.tag);
      if (!coarse || coarse.count <= coarse.step.length) continue;
      const had = this.fine.get(`${line.run}\n${line.tag}`);
      if (had && had.from <= x[0] && had.to >= x[1] && (had.whole || had.to - had.from < span * 3.5)) continue;
      if (!byRun.has(line.run)) byRun.set(line.run, []);
      byRun.get(line.run).push(line.tag);
    }
    const from = x[0] - span * 0.5;
    const to = x[1] + span * 0.5;
    for (const [run, tags] of byRun) {
      this.store.range(run, tags, from, to).then((found) => {
        for (const [tag, curve] of Object.entries(found.tags)) {
          this.fine.set(`${run}\n${tag}`, { ...curve, from, to, whole: curve.count <= curve.step.length });
        }
        if (this.view.x) this.update();
      }).catch(() => {});
    }
  }

  // Zooms y to where the end of training is decided.
  last() {
    let x = this.view.rangeX();
    if (!x) return;
    let top = -Infinity;
    const tests = this.lines.filter((l) => l.role === "test");
    const lines = tests.length ? tests : this.lines;
    if (this.panel.percent) {
      for (const { values } of lines) for (const v of values) if (v !== null && v > top) top = v;
      const range = top >= 97 ? [97, 100] : [Math.max(0, Math.floor(top) - 3), Math.min(100, Math.ceil(top) + 1)];
      this.view.set({ y: range });
      return;
    }
    // The spread of the last half of what is seen, without its wildest twentieth.
    const late = [];
    const middle = (x[0] + x[1]) / 2;
    for (const { step, values } of this.seenLines()) for (let i = Math.max(0, at(step, middle)); i < values.length && step[i] <= x[1]; i++) if (values[i] !== null) late.push(values[i]);
    if (late.length < 2) return;
    late.sort((a, b) => a - b);
    const low = late[0];
    const high = late[Math.floor((late.length - 1) * 0.95)];
    const margin = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
    this.view.set({ y: [low >= 0 && !this.view.log ? Math.max(0, low - margin) : low, high + margin] });
  }

  step(step) {
    this.markStep = step;
    this.plot.mark(step);
    this.showLegend();
  }

  cursor(step) {
    this.cursorStep = step;
    this.showLegend();
  }

  valueAt(line, step) {
    const index = step === null ? line.values.length - 1 : at(line.step, step);
    return index < 0 ? null : line.values[index];
  }

  // Legend and values in one: under the cursor, else at the step that is shown, else the newest.
  showLegend() {
    const lines = this.lines;
    const step = this.cursorStep !== null ? this.cursorStep : this.markStep === undefined ? null : this.markStep;
    const shape = `${this.view.without}|${lines.map((l) => l.label + l.style.stroke + l.style.dash).join("|")}`;
    if (shape !== this.legendShape) {
      this.legendShape = shape;
      this.buildLegend();
    }
    for (const [line, output] of this.outputs) {
      const value = this.valueAt(line, step);
      const text = value === null ? "–" : this.panel.percent ? `${value.toFixed(2)} %` : short(value);
      if (output.textContent !== text) output.textContent = text;
    }
    const shown = step === null ? (this.xs ? this.xs[1] : null) : step;
    this.stepText.textContent = shown === null ? "" : `step ${Math.round(shown).toLocaleString("en")}`;
  }

  // One run: an entry a curve. Several: an entry a run, its training value before its test value.
  buildLegend() {
    const { lines, view } = this;
    this.outputs = [];
    const output = (line) => {
      const made = make("output", { "data-series": `${line.run}:${line.tag}` });
      this.outputs.push([line, made]);
      return made;
    };
    const swatch = (line) => {
      const mark = make("span", { class: "swatch" });
      mark.style.borderTopColor = line.style.stroke.slice(0, 7);
      mark.style.borderTopStyle = line.style.dash.length ? (line.style.dash[0] > 3 ? "dashed" : "dotted") : "solid";
      return mark;
    };
    const sides = new Set(lines.map((l) => l.role).filter(Boolean));
    const side = (role) => make("button", { type: "button", class: "leaveout", "data-side": role, "aria-pressed": String(view.without !== role), title: `${view.without === role ? "Show" : "Leave out"} the ${ROLES[role]} side`, text: this.slots.size > 1 ? role : ROLES[role], onclick: () => {
      view.set({ without: view.without === role ? "" : role });
      const again = this.legend.querySelector(`[data-side="${role}"]`);
      if (again) again.focus();
    } });
    const paired = sides.size > 1;
    if (this.slots.size < 2) {
      this.legend.replaceChildren(...[...lines].sort((a, b) => (a.role === "test") - (b.role === "test")).map((line) => make("li", {}, swatch(line), paired ? side(line.role) : make("span", { text: line.label }), output(line))));
      return;
    }
    const groups = new Map();
    for (const line of lines) {
      const key = line.role ? line.group : line.label;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(line);
    }
    const items = paired ? [make("li", { class: "sides" }, side("train"), side("test"))] : [];
    for (const [group, own] of groups) {
      const parts = own.flatMap((line, i) => (i ? [make("span", { text: "·" }), output(line)] : [output(line)]));
      items.push(make("li", {}, swatch(own[own.length - 1]), make("span", { text: group }), ...parts));
    }
    this.legend.replaceChildren(...items);
  }

  describe() {
    const parts = this.lines.map((line) => {
      const value = this.valueAt(line, null);
      return `${line.label} ${value === null ? "unknown" : this.panel.percent ? `${value.toFixed(1)} percent` : short(value)}`;
    });
    const range = this.xs ? `steps ${short(this.xs[0])} to ${short(this.xs[1])}` : "no steps yet";
    this.plot.describe(`${this.name}, ${range}; at the end ${parts.slice(0, 6).join(", ") || "nothing"}`);
  }
}
