// Runs: the strip that chooses which are shown, and the table of all with their settings.

import { colour, make, short } from "./plot.js";
import { get, runPath } from "./api.js";

function swatch(slot, count) {
  const mark = make("span", { class: "dot", "aria-hidden": "true" });
  mark.style.backgroundColor = slot < 0 ? "transparent" : count > 1 ? colour(`--run-${slot % 8}`) : colour("--train");
  return mark;
}

// The strip of runs above the panels, each a check box.
export class RunStrip {
  constructor(host, { store, choose, focus }) {
    this.host = host;
    this.store = store;
    this.choose = choose;
    this.focus = focus;
    this.shape = "";
  }

  show(chosen, slots) {
    const shape = JSON.stringify([[...this.store.runs.keys()], chosen, [...this.store.runs.values()].map((r) => r.info.state), matchMedia("(prefers-color-scheme: dark)").matches]);
    if (shape === this.shape) return;
    this.shape = shape;
    const held = document.activeElement && this.host.contains(document.activeElement) ? document.activeElement.value : null;
    this.host.replaceChildren(...[...this.store.runs.values()].map((run) => {
      const box = make("input", { type: "checkbox", value: run.id, "data-run": run.id });
      box.checked = chosen.includes(run.id);
      box.addEventListener("change", () => this.choose(run.id, box.checked));
      const state = run.info.live ? make("span", { class: `state ${run.info.state}`, text: run.info.state === "running" ? "live" : run.info.state }) : null;
      return make("label", { class: box.checked ? "chip on" : "chip" }, box, swatch(box.checked ? slots.get(run.id) : -1, slots.size), make("span", { text: run.id }), state);
    }));
    if (held !== null) {
      const box = [...this.host.querySelectorAll("input")].find((b) => b.value === held);
      if (box) box.focus();
    }
  }
}

function plain(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return short(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function day(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  const two = (n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

function span(seconds) {
  if (!(seconds >= 0)) return "";
  const s = Math.round(seconds);
  return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

// The table of runs; a view like those of the other tabs.
export class RunsView {
  constructor(host, { store, choose, chosen }) {
    this.host = host;
    this.store = store;
    this.choose = choose;
    this.chosen = chosen;
    this.sort = { key: "started", down: true };
    this.only = false;
    this.filter = "";
    this.ends = new Map();
    const only = make("input", { type: "checkbox", id: "runs-only" });
    only.addEventListener("change", () => { this.only = only.checked; this.build(); });
    const filter = make("input", { type: "search", id: "runs-filter", placeholder: "filter", "aria-label": "Filter runs by name or setting" });
    filter.addEventListener("input", () => { this.filter = filter.value.toLowerCase(); this.build(); });
    const clear = make("button", { type: "button", text: "Choose none", onclick: () => { for (const id of this.chosen()) this.choose(id, false); this.build(); } });
    this.count = make("span", { class: "quiet" });
    this.table = make("div", { class: "tablewrap", tabindex: "0", role: "region", "aria-label": "Runs and their settings" });
    host.append(make("h2", { class: "unseen", text: "Runs" }), make("div", { class: "bar" }, filter, make("label", {}, only, " only settings that differ"), clear, this.count), this.table);
    this.build();
  }

  destroy() {
    this.host.replaceChildren();
  }

  update() {
    const now = performance.now();
    // The figures of live runs move; the table need not follow each of them.
    if (now - (this.built || 0) > 1500) this.build();
  }

  // The last values of a run's test curves: of curves that are here, else fetched once.
  end(run, tag) {
    const curve = run.curves.get(tag);
    if (curve && curve.value.length) return curve.value[curve.value.length - 1];
    const key = `${run.id}\n${tag}\n${run.info.step}`;
    if (this.ends.has(key)) return this.ends.get(key);
    const tags = ["test/accuracy", "test/loss"].filter((t) => run.info.scalars.includes(t));
    for (const t of tags) this.ends.set(`${run.id}\n${t}\n${run.info.step}`, null);
    get(`${runPath(run.id, "curves")}?points=2${tags.map((t) => `&tag=${encodeURIComponent(t)}`).join("")}`).then((found) => {
      for (const t of tags) {
        const values = found.tags[t] ? found.tags[t].value : [];
        this.ends.set(`${run.id}\n${t}\n${run.info.step}`, values.length ? values[values.length - 1] : null);
      }
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.build(), 100);
    }).catch(() => {});
    return null;
  }

  columns(runs) {
    const some = (tag) => runs.some((run) => run.info.scalars.includes(tag));
    const columns = [
      { key: "id", title: "run", value: (run) => run.id },
      { key: "state", title: "state", value: (run) => run.info.state || "" },
      { key: "step", title: "step", number: true, value: (run) => run.info.step, text: (run) => short(run.info.step) },
    ];
    if (some("test/accuracy")) columns.push({ key: "accuracy", title: "test accuracy", number: true, best: 1, value: (run) => (run.info.scalars.includes("test/accuracy") ? this.end(run, "test/accuracy") : null), text: (run, v) => (v === null ? "" : `${(v * 100).toFixed(2)} %`) });
    if (some("test/loss")) columns.push({ key: "loss", title: "test loss", number: true, best: -1, value: (run) => (run.info.scalars.includes("test/loss") ? this.end(run, "test/loss") : null), text: (run, v) => (v === null ? "" : short(v)) });
    columns.push({ key: "started", title: "started", number: true, value: (run) => run.info.started || 0, text: (run) => day(run.info.started) });
    columns.push({ key: "took", title: "took", number: true, value: (run) => (run.info.updated || 0) - (run.info.started || 0), text: (run, v) => span(v) });
    const settings = new Set();
    for (const run of runs) for (const name of Object.keys(run.info.settings || {})) settings.add(name);
    const rest = [];
    for (const name of settings) {
      // A log of another program has no settings: that is no difference.
      const values = new Set(runs.filter((run) => Object.keys(run.info.settings || {}).length).map((run) => JSON.stringify((run.info.settings || {})[name])));
      const differs = values.size > 1;
      if (this.only && !differs) continue;
      rest.push({ key: `s:${name}`, title: name, differs, setting: true, number: runs.every((run) => typeof ((run.info.settings || {})[name] ?? 0) === "number"), value: (run) => (run.info.settings || {})[name], text: (run, v) => plain(v) });
    }
    rest.sort((a, b) => b.differs - a.differs);
    return columns.concat(rest);
  }

  build() {
    this.built = performance.now();
    const all = [...this.store.runs.values()];
    const columns = this.columns(all);
    const runs = all.filter((run) => !this.filter || `${run.id} ${JSON.stringify(run.info.settings)}`.toLowerCase().includes(this.filter));
    const by = columns.find((c) => c.key === this.sort.key) || columns[0];
    const order = (a, b) => {
      const x = by.value(a);
      const y = by.value(b);
      if (x === y) return 0;
      if (x === undefined || x === null) return 1;
      if (y === undefined || y === null) return -1;
      const less = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
      return this.sort.down ? -less : less;
    };
    runs.sort(order);
    this.count.textContent = `${runs.length} of ${all.length} runs`;
    const held = document.activeElement && this.table.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const heads = columns.map((column) => {
      const sorted = column.key === this.sort.key;
      const button = make("button", { type: "button", "data-key": `h:${column.key}`, text: column.title, onclick: () => { this.sort = { key: column.key, down: sorted ? !this.sort.down : Boolean(column.number) }; this.build(); } });
      return make("th", { scope: "col", class: [column.number ? "number" : "", column.differs ? "differs" : ""].join(" ").trim(), "aria-sort": sorted ? (this.sort.down ? "descending" : "ascending") : "none" }, button);
    });
    const chosen = this.chosen();
    const best = new Map();
    for (const column of columns) {
      if (!column.best) continue;
      const values = runs.map((run) => column.value(run)).filter((v) => v !== null && Number.isFinite(v));
      if (values.length > 1) best.set(column.key, column.best > 0 ? Math.max(...values) : Math.min(...values));
    }
    const rows = runs.map((run) => {
      const box = make("input", { type: "checkbox", "data-run": run.id, "data-key": `r:${run.id}`, "aria-label": `Show ${run.id}` });
      box.checked = chosen.includes(run.id);
      box.addEventListener("change", () => { this.choose(run.id, box.checked); this.build(); });
      const cells = columns.map((column, i) => {
        const value = column.value(run);
        const text = column.text ? column.text(run, value) : plain(value);
        const cell = make(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: [column.number ? "number" : "", column.setting && !column.differs ? "same" : "", column.differs ? "differs" : "", best.has(column.key) && best.get(column.key) === value ? "best" : ""].join(" ").trim(), text, title: text.length > 24 ? text : null });
        return cell;
      });
      return make("tr", { class: box.checked ? "on" : "" }, make("td", {}, box), ...cells);
    });
    this.table.replaceChildren(make("table", {}, make("caption", { class: "unseen", text: "Runs and their settings" }), make("thead", {}, make("tr", {}, make("th", { scope: "col" }, make("span", { class: "unseen", text: "shown" })), ...heads)), make("tbody", {}, ...rows)));
    if (held) {
      const again = [...this.table.querySelectorAll("[data-key]")].find((e) => e.dataset.key === held);
      if (again) again.focus();
    }
  }
}
