// What part of a panel is seen: its zoom, its scale, its smoothing.
// Panels that stand side by side share one view, so that they are read on the same scale.

export class View {
  constructor(key) {
    this.key = key;
    this.x = null;
    this.y = null;
    this.log = false;
    this.smooth = 0;
    // "train" or "test": the side that is left out.
    this.without = "";
    this.settled = "";
    this.members = new Set();
    this.listeners = new Set();
  }

  get zoomed() {
    return this.x !== null || this.y !== null;
  }

  // The range of x that is seen; null while nothing is there.
  rangeX() {
    return this.x || this.autoX();
  }

  autoX() {
    let from = Infinity;
    let to = -Infinity;
    for (const member of this.members) {
      const extent = member.extentX();
      if (!extent) continue;
      from = Math.min(from, extent[0]);
      to = Math.max(to, extent[1]);
    }
    if (from > to) return null;
    return from === to ? [from - 0.5, to + 0.5] : [from, to];
  }

  rangeY(x) {
    return this.y || this.autoY(x);
  }

  autoY(x) {
    let from = Infinity;
    let to = -Infinity;
    let limits = [-Infinity, Infinity];
    for (const member of this.members) {
      const extent = member.extentY(x);
      if (!extent) continue;
      from = Math.min(from, extent[0]);
      to = Math.max(to, extent[1]);
      limits = member.limits || limits;
    }
    if (from > to) return null;
    if (this.log) {
      if (to <= 0) return [0.1, 1];
      from = Math.max(from, to * 1e-9);
      return from === to ? [from / 2, to * 2] : [from / 1.15, to * 1.15];
    }
    if (from === to) {
      const half = Math.abs(from) * 0.1 || 1;
      return [from - half, to + half];
    }
    const margin = (to - from) * 0.05;
    // What is never negative does not get an axis that is.
    const floor = from >= 0 ? 0 : -Infinity;
    return [Math.max(from - margin, limits[0], floor), Math.min(to + margin, limits[1])];
  }

  // Takes new ranges; one that holds everything means "all", and the axis follows the data again.
  zoom(x, y) {
    if (x !== undefined) {
      const all = this.autoX();
      this.x = x && all && x[0] <= all[0] && x[1] >= all[1] ? null : x;
    }
    if (y !== undefined) {
      const seen = this.rangeX();
      const all = y && seen ? this.autoY(seen) : null;
      this.y = y && all && y[0] <= all[0] && y[1] >= all[1] ? null : y;
    }
    this.tell();
  }

  // After a member drew new data: the others take over the range if it grew, so that all stay on one scale.
  settle(from) {
    if (this.members.size < 2) return;
    const x = this.rangeX();
    const now = JSON.stringify([x, x && this.rangeY(x)]);
    if (now === this.settled) return;
    this.settled = now;
    for (const member of this.members) if (member !== from) member.plot.apply(false);
  }

  reset() {
    this.x = null;
    this.y = null;
    this.tell();
  }

  set(settings) {
    Object.assign(this, settings);
    this.tell();
  }

  tell() {
    for (const listener of this.listeners) listener(this);
  }
}

// The view as text for a link, and back.
export function viewToText(view) {
  const range = (r) => (r ? r.map((v) => Number(v.toPrecision(7))).join("~") : "");
  const text = [range(view.x), range(view.y), view.log ? "log" : "", view.smooth || "", view.without].join(",");
  return text === ",,,," ? "" : text;
}

export function viewFromText(view, text) {
  const [x, y, log, smooth, without] = text.split(",");
  const range = (part) => {
    const pair = (part || "").split("~").map(Number);
    return part && pair.length === 2 && pair.every(Number.isFinite) && pair[0] < pair[1] ? pair : null;
  };
  view.x = range(x);
  view.y = range(y);
  view.log = log === "log";
  view.without = without === "train" || without === "test" ? without : "";
  const weight = Number(smooth);
  view.smooth = weight > 0 && weight < 1 ? weight : 0;
}
