// One drawing over steps: uPlot with zoom, pan, keys, touch, a cursor shared by all and a marker of the step.

import { uPlot } from "./uplot.js";

const plots = new Set();
let showing = false;

// A colour of the style sheet.
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Makes an element: `make("p", { class: "quiet", text: "so" }, child, ...)`.
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A number as short as it may be: 1200 -> "1,200", 0.01234567 -> "0.01235".
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return value.toLocaleString("en");
  if (size >= 1e12 || (size < 1e-4 && size > 0)) return value.toExponential(3);
  if (size >= 1e5) return Math.round(value).toLocaleString("en");
  if (size >= 1000) return value.toLocaleString("en", { maximumFractionDigits: 1 });
  return String(Number(value.toPrecision(4)));
}

function axisNumbers(u, splits) {
  const steps = splits.filter((v) => v !== null);
  const gap = steps.length > 1 ? Math.abs(steps[1] - steps[0]) : 1;
  let digits = 0;
  // As many digits as the distance of the ticks needs: 0.25 needs two.
  while (digits < 8 && Math.abs(gap * 10 ** digits - Math.round(gap * 10 ** digits)) > 1e-6 * 10 ** digits * gap) digits += 1;
  return splits.map((v) => {
    if (v === null) return "";
    const size = Math.abs(v);
    if (size >= 1e6 && gap >= 1e5) return `${Number((v / 1e6).toFixed(2))}M`;
    if (size >= 1e4 && gap >= 100) return `${Number((v / 1e3).toFixed(2))}k`;
    return v.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  });
}

function logNumbers(u, splits) {
  return splits.map((v) => (v === null ? "" : Math.abs(Math.log10(v) % 1) < 1e-6 || splits.length < 8 ? String(Number(v.toPrecision(2))) : ""));
}

// Shows the cursor of every plot at a step; null hides it.
export function cursorAt(step, from) {
  if (showing) return;
  showing = true;
  for (const plot of plots) if (plot !== from) plot.showCursor(step);
  showing = false;
}

export class Plot {
  // options: view, label, last() zooms to the last percent,
  // cursor(step|null) is told where the cursor is.
  constructor(host, options) {
    this.host = host;
    this.options = options;
    this.view = options.view;
    this.u = null;
    this.shape = "";
    this.markStep = null;
    this.pointers = new Map();
    this.gesture = null;
    host.classList.add("plot");
    host.tabIndex = 0;
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", options.label);
    host.setAttribute("aria-describedby", "plotkeys");
    this.marker = make("div", { class: "marker", hidden: true });
    this.future = make("div", { class: "future", hidden: true });
    this.box = make("div", { class: "zoombox", hidden: true });
    host.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(host);
    plots.add(this);
  }

  destroy() {
    plots.delete(this);
    this.sizes.disconnect();
    if (this.u) this.u.destroy();
    this.u = null;
  }

  size() {
    return { width: Math.max(80, this.host.clientWidth), height: Math.max(80, this.host.clientHeight) };
  }

  resize() {
    if (!this.u || !this.host.clientWidth) return;
    const size = this.size();
    if (size.width === this.u.width && size.height === this.u.height) return;
    this.u.setSize(size);
    this.mark(this.markStep);
  }

  // Draws a table [x, y...] with uPlot's series and bands; makes the drawing anew only if their shape changed.
  draw(table, series, bands) {
    this.table = table;
    this.series = series;
    this.bands = bands;
    if (!this.host.clientWidth) return;
    const shape = JSON.stringify([series.map((s) => [s.label, s.stroke, s.width, s.dash]), this.view.log]);
    if (shape !== this.shape || !this.u) {
      this.shape = shape;
      this.build();
    } else {
      this.apply(true);
    }
  }

  restyle() {
    this.shape = "";
  }

  build() {
    if (this.u) this.u.destroy();
    const quiet = colour("--quiet");
    const line = colour("--line");
    const log = this.view.log;
    const axis = { stroke: quiet, font: "11px system-ui, sans-serif", ticks: { stroke: line, size: 4, width: 1 }, grid: { stroke: line, width: 1 } };
    const options = {
      ...this.size(),
      padding: [8, 18, 0, 0],
      legend: { show: false },
      scales: { x: { time: false, auto: false }, y: { auto: false, distr: log ? 3 : 1 } },
      axes: [
        { ...axis, size: 26, gap: 4, space: 60, values: axisNumbers },
        { ...axis, size: 46, gap: 4, space: 32, values: log ? logNumbers : axisNumbers },
      ],
      series: [{}, ...this.series.map((s) => ({ points: { show: false }, ...s, points: s.points || { show: false } }))],
      bands: this.bands || [],
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        bind: { mousedown: () => null, mouseup: () => null, click: () => null, dblclick: () => null },
        points: { show: !this.bands, size: 6 },
        dataIdx: (u, index, hovered) => this.nearest(u.data[index], hovered),
      },
      hooks: { setCursor: [(u) => this.cursorMoved(u)] },
    };
    this.u = new uPlot(options, this.table, this.host);
    const canvas = this.host.querySelector("canvas");
    canvas.setAttribute("role", "img");
    this.u.over.append(this.future, this.marker, this.box);
    this.listen(this.u.over);
    this.describe(this.text || "");
    this.apply(true);
  }

  // Says in words what is drawn.
  describe(text) {
    this.text = text;
    const canvas = this.host.querySelector("canvas");
    if (canvas) canvas.setAttribute("aria-label", text || this.options.label);
  }

  apply(fresh) {
    const u = this.u;
    if (!u) return;
    const x = this.view.rangeX() || [0, 1];
    const y = [...(this.view.rangeY(x) || [this.view.log ? 0.1 : 0, 1])];
    if (this.view.log && y[0] <= 0) y[0] = y[1] / 1e4;
    u.batch(() => {
      if (fresh) u.setData(this.table, false);
      u.setScale("x", { min: x[0], max: x[1] });
      u.setScale("y", { min: y[0], max: y[1] });
    });
    const panel = this.host.closest("[data-panel]");
    if (panel) {
      panel.dataset.xmin = x[0];
      panel.dataset.xmax = x[1];
      panel.dataset.min = y[0];
      panel.dataset.max = y[1];
      panel.dataset.zoomed = String(this.view.zoomed);
    }
    u.over.classList.toggle("zoomed", this.view.zoomed);
    this.mark(this.markStep);
  }

  nearest(values, index) {
    if (!values || index === null || index === undefined || (values[index] !== undefined && values[index] !== null)) return index;
    for (let d = 1; d < 300; d++) {
      const left = values[index - d];
      if (left !== undefined && left !== null) return index - d;
      const right = values[index + d];
      if (right !== undefined && right !== null) return index + d;
    }
    return index;
  }

  // The line at the step that is shown; what comes after it is dimmed.
  mark(step) {
    this.markStep = step;
    const hide = step === null || !this.u;
    this.marker.hidden = hide;
    this.future.hidden = hide;
    if (hide) return;
    const width = this.u.over.clientWidth;
    const left = this.u.valToPos(step, "x");
    const inside = left >= -1 && left <= width + 1;
    this.marker.hidden = !inside;
    this.marker.style.transform = `translateX(${Math.round(left)}px)`;
    const start = Math.max(0, Math.min(width, left));
    this.future.style.left = `${start}px`;
    this.future.style.width = `${width - start}px`;
  }

  cursorMoved(u) {
    const step = u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null;
    this.options.cursor(step);
    cursorAt(step, this);
  }

  showCursor(step) {
    const u = this.u;
    if (!u || !this.host.offsetParent) return;
    const left = step === null ? -10 : u.valToPos(step, "x");
    u.setCursor({ left: left >= 0 && left <= u.over.clientWidth ? left : -10, top: 10 });
    if (step !== null) this.options.cursor(step);
  }

  // Positions on y are reckoned in logarithms where the axis is one.
  bend(v) {
    return this.view.log ? Math.log10(v) : v;
  }

  unbend(v) {
    return this.view.log ? 10 ** v : v;
  }

  ranges() {
    const { x, y } = this.u.scales;
    return { x: [x.min, x.max], y: [this.bend(y.min), this.bend(y.max)] };
  }

  setRanges(x, y) {
    if (x && x[1] - x[0] < 1e-3) x = undefined;
    const flat = y && !(y[1] - y[0] > Math.abs(y[1]) * 1e-9 + 1e-12);
    this.view.zoom(x, y && !flat ? [this.unbend(y[0]), this.unbend(y[1])] : undefined);
  }

  // Zooms by factors about a point given in fractions from the left and from the bottom.
  zoomAbout(fx, fy, byX, byY) {
    if (!this.u) return;
    const { x, y } = this.ranges();
    const scale = (r, f, by) => {
      const at = r[0] + (r[1] - r[0]) * f;
      return [at - (at - r[0]) * by, at + (r[1] - at) * by];
    };
    this.setRanges(byX === 1 ? undefined : scale(x, fx, byX), byY === 1 ? undefined : scale(y, fy, byY));
  }

  pan(byX, byY, from) {
    if (!this.u) return;
    const { x, y } = from || this.ranges();
    const move = (r, by) => r.map((v) => v + (r[1] - r[0]) * by);
    this.setRanges(byX ? move(x, byX) : undefined, byY ? move(y, byY) : undefined);
  }

  key(event) {
    if (event.target !== this.host || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (arrow && event.shiftKey) {
      this.zoomAbout(0.5, 0.5, arrow[0] ? (arrow[0] > 0 ? 0.8 : 1.25) : 1, arrow[1] ? (arrow[1] > 0 ? 0.8 : 1.25) : 1);
    } else if (arrow) this.pan(arrow[0] * 0.1, arrow[1] * 0.1);
    else if (event.key === "+" || event.key === "=") this.zoomAbout(0.5, 0.5, 0.75, 0.75);
    else if (event.key === "-" || event.key === "_") this.zoomAbout(0.5, 0.5, 1 / 0.75, 1 / 0.75);
    else if (event.key === "0" || event.key === "Home") this.view.reset();
    else if ((event.key === "l" || event.key === "L") && this.options.last) this.options.last();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  listen(over) {
    over.addEventListener("wheel", (event) => {
      // A page that is being scrolled goes on scrolling over a plot.
      if (performance.now() - Plot.scrolled < 250) return;
      event.preventDefault();
      const rect = over.getBoundingClientRect();
      const by = Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.004);
      const fx = (event.clientX - rect.left) / rect.width;
      const fy = 1 - (event.clientY - rect.top) / rect.height;
      this.zoomAbout(fx, fy, by, event.shiftKey ? 1 : by);
    }, { passive: false });
    over.addEventListener("dblclick", () => this.view.reset());
    over.addEventListener("pointerdown", (event) => this.down(event, over));
    over.addEventListener("pointermove", (event) => this.move(event, over));
    over.addEventListener("pointerup", (event) => this.up(event, over));
    over.addEventListener("pointercancel", (event) => this.up(event, over, true));
    over.addEventListener("auxclick", (event) => event.preventDefault());
  }

  down(event, over) {
    const rect = over.getBoundingClientRect();
    const at = { x: event.clientX - rect.left, y: event.clientY - rect.top };
    this.pointers.set(event.pointerId, at);
    over.setPointerCapture(event.pointerId);
    if (event.pointerType === "mouse") this.host.focus({ preventScroll: true });
    const touch = event.pointerType !== "mouse";
    const pan = touch || event.shiftKey || event.button === 1;
    if (event.button === 1) event.preventDefault();
    if (event.button === 2) return;
    if (this.pointers.size === 2) this.gesture = { kind: "pinch", ranges: this.ranges(), start: [...this.pointers.values()].map((p) => ({ ...p })) };
    else this.gesture = { kind: pan ? "pan" : "box", ranges: this.ranges(), start: at, touch };
  }

  move(event, over) {
    if (!this.pointers.has(event.pointerId)) return;
    const rect = over.getBoundingClientRect();
    const at = { x: event.clientX - rect.left, y: event.clientY - rect.top };
    this.pointers.set(event.pointerId, at);
    const gesture = this.gesture;
    if (!gesture) return;
    if (gesture.kind === "pan") {
      const dx = (at.x - gesture.start.x) / rect.width;
      const dy = (at.y - gesture.start.y) / rect.height;
      if (Math.hypot(at.x - gesture.start.x, at.y - gesture.start.y) < 4) return;
      // An axis that follows the data goes on following it unless the drag is along it.
      this.pan(Math.abs(dx) > 0.01 ? -dx : 0, Math.abs(dy) > 0.01 && (!gesture.touch || this.view.zoomed) ? dy : 0, gesture.ranges);
    } else if (gesture.kind === "pinch" && this.pointers.size === 2) {
      this.pinch(gesture, [...this.pointers.values()], rect);
    } else if (gesture.kind === "box") {
      gesture.end = { x: Math.max(0, Math.min(rect.width, at.x)), y: Math.max(0, Math.min(rect.height, at.y)) };
      this.drawBox(gesture, rect);
    }
  }

  pinch(gesture, now, rect) {
    const apart = (points, axis) => Math.max(30, Math.abs(points[0][axis] - points[1][axis]));
    const middle = (points, axis) => (points[0][axis] + points[1][axis]) / 2;
    const axis = (range, name, size, flip) => {
      const by = apart(gesture.start, name) / apart(now, name);
      const f0 = middle(gesture.start, name) / size;
      const f1 = middle(now, name) / size;
      const held = range[0] + (range[1] - range[0]) * (flip ? 1 - f0 : f0);
      const span = (range[1] - range[0]) * by;
      const from = held - span * (flip ? 1 - f1 : f1);
      return [from, from + span];
    };
    this.setRanges(axis(gesture.ranges.x, "x", rect.width, false), axis(gesture.ranges.y, "y", rect.height, true));
  }

  drawBox(gesture, rect) {
    const { start, end } = gesture;
    const wide = Math.abs(end.x - start.x);
    const high = Math.abs(end.y - start.y);
    gesture.axes = { x: wide >= 8 && wide > high / 6, y: high >= 8 && high > wide / 6 };
    const style = this.box.style;
    this.box.hidden = !(gesture.axes.x || gesture.axes.y);
    style.left = `${gesture.axes.x ? Math.min(start.x, end.x) : 0}px`;
    style.width = `${gesture.axes.x ? wide : rect.width}px`;
    style.top = `${gesture.axes.y ? Math.min(start.y, end.y) : 0}px`;
    style.height = `${gesture.axes.y ? high : rect.height}px`;
  }

  up(event, over, cancelled) {
    this.pointers.delete(event.pointerId);
    const gesture = this.gesture;
    this.gesture = null;
    this.box.hidden = true;
    if (cancelled || !gesture || gesture.kind !== "box" || !gesture.end || !gesture.axes) return;
    const { start, end, axes } = gesture;
    const x = [start.x, end.x].map((p) => this.u.posToVal(p, "x")).sort((a, b) => a - b);
    const y = [start.y, end.y].map((p) => this.u.posToVal(p, "y")).sort((a, b) => a - b);
    if (axes.x || axes.y) this.view.zoom(axes.x ? x : undefined, axes.y ? y : undefined);
  }
}

Plot.scrolled = 0;
window.addEventListener("scroll", () => { Plot.scrolled = performance.now(); }, { passive: true, capture: true });
