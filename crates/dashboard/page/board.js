// The board of panels: which there are, in what order, over each other or side by side; only what is seen works.

import { make } from "./plot.js";
import { CurvePanel, curvePanels, splitOf } from "./curves.js";
import { BandPanel, bandPanels } from "./bands.js";
import { BatchPanel, TestPanel } from "./digits.js";
import { slotsOf } from "./choice.js";

const FIRST = ["loss", "accuracy"];

export class Board {
  // elements: { panels, more, morePanels, moreCount, empty, filter }; viewOf(key) gives a panel's view.
  constructor(elements, { store, state, viewOf }) {
    this.elements = elements;
    this.store = store;
    this.state = state;
    this.viewOf = viewOf;
    this.panels = [];
    this.shape = "";
    this.variables = {};
    this.seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const panel = this.panels.find((p) => p.element === entry.target);
        if (!panel) continue;
        panel.visible = entry.isIntersecting;
        if (panel.visible && panel.stale) this.refresh(panel);
      }
    }, { rootMargin: "120px" });
  }

  refresh(panel) {
    panel.stale = false;
    panel.markStep = this.state.step;
    panel.update();
    this.mark(panel);
  }

  mark(panel) {
    const { step } = this.state;
    panel.step(step);
    panel.element.dataset.mark = step === null ? "" : step;
  }

  // The panels of some runs in the order of the talk: `{ list, more }` of `{ key, text, make(runName) }`.
  plan(ids, slots, focus) {
    const { store, viewOf } = this;
    const list = [];
    const curves = curvePanels(store, ids);
    const info = store.run(focus) && store.run(focus).info;
    const curve = (panel) => ({ key: panel.key, text: panel.title + panel.lines.map((l) => `${l.run}:${l.tag}`).join(), make: (runName) => new CurvePanel({ store, view: viewOf(panel.key), panel, runName, slots }) });
    if (info && info.batch) list.push({ key: "batch", text: focus, make: (runName) => new BatchPanel({ store, run: focus, runName }) });
    for (const name of FIRST) if (curves.has(name)) list.push(curve(curves.get(name)));
    if (info && info.test) list.push({ key: "test", text: focus, make: (runName) => new TestPanel({ store, run: focus, runName }) });
    for (const panel of info ? bandPanels(info.bands) : []) {
      const onchoose = () => { for (const p of this.panels) if (p.key === panel.key) p.update(); };
      list.push({ key: panel.key, text: focus + panel.tags.join(), make: (runName) => new BandPanel({ store, view: viewOf(panel.key), panel, run: focus, runName, chosen: this.variables, onchoose }) });
    }
    const more = [...curves.entries()].filter(([name]) => !FIRST.includes(name)).map(([, panel]) => curve(panel));
    return { list, more };
  }

  // Makes the panels anew if others are due than stand there.
  build(ids, focus) {
    const { store, state, elements } = this;
    const groups = slotsOf(store, ids);
    const side = state.view === "side" && groups.size > 1;
    let columns = [];
    if (side) {
      columns = [...groups.keys()].map((group) => {
        const own = ids.filter((id) => splitOf(store, id).group === group);
        return { name: group, ...this.plan(own, new Map([[group, 0]]), own.find((id) => store.run(id).info.test) || own[0]) };
      });
    } else columns = [{ name: undefined, ...this.plan(ids, groups, focus) }];
    const shape = JSON.stringify([side, store.runs.size > 0, columns.map((c) => [c.name, c.list.map((p) => [p.key, p.text]), c.more.map((p) => [p.key, p.text])])]);
    if (shape === this.shape) return;
    this.shape = shape;
    for (const panel of this.panels) {
      this.seen.unobserve(panel.element);
      panel.destroy();
    }
    this.panels = [];
    for (const [host, part] of [[elements.panels, "list"], [elements.morePanels, "more"]]) {
      host.replaceChildren();
      host.classList.toggle("side", side);
      host.style.setProperty("--columns", String(columns.length));
      for (const key of new Set(columns.flatMap((c) => c[part].map((p) => p.key)))) {
        for (const column of columns) {
          const planned = column[part].find((p) => p.key === key);
          if (planned) this.add(host, planned, column.name);
          else host.append(make("div", { class: "none", text: `${column.name}: none` }));
        }
      }
    }
    // Few panels take the room of many.
    const main = columns[0].list.length;
    elements.panels.dataset.few = !side && main && main < 3 ? main : "";
    elements.more.querySelector("h2").textContent = main ? "More measurements" : "Measurements";
    elements.more.hidden = !columns.some((c) => c.more.length);
    elements.empty.hidden = this.panels.length > 0;
    elements.empty.textContent = !store.runs.size ? "No run is recorded here yet; the panels appear with the first step." : !ids.length ? "No run is chosen." : "This run has recorded nothing yet.";
    this.filter();
    this.enlarge(state.panel);
  }

  add(host, planned, runName) {
    const panel = planned.make(runName);
    panel.visible = false;
    panel.stale = true;
    this.panels.push(panel);
    host.append(panel.element);
    this.seen.observe(panel.element);
  }

  // Shows of the further measurements those whose name holds every word.
  filter() {
    const words = this.state.filter.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    let all = 0;
    for (const element of this.elements.morePanels.children) {
      if (!element.dataset.panel) continue;
      all += 1;
      const name = element.dataset.panel.toLowerCase();
      element.hidden = !words.every((word) => name.includes(word));
      if (!element.hidden) count += 1;
    }
    this.elements.moreCount.textContent = words.length ? `${count} of ${all}` : `${all}`;
    if (this.elements.filter.value !== this.state.filter) this.elements.filter.value = this.state.filter;
  }

  enlarge(key) {
    for (const panel of this.panels) {
      const large = panel.key === key;
      panel.element.classList.toggle("large", large);
      panel.element.querySelector('[data-do="enlarge"]').setAttribute("aria-pressed", String(large));
    }
  }

  // Moves all panels to the step of the page.
  moved() {
    for (const panel of this.panels) {
      if (!panel.visible) {
        panel.stale = true;
        continue;
      }
      this.mark(panel);
      if (this.state.step === null) panel.update();
    }
  }

  // Takes what the store tells: what is seen is drawn, the rest remembers that it is behind.
  heard(changed) {
    const { state } = this;
    const fresh = changed.has("fresh");
    for (const panel of this.panels) {
      if (fresh) panel.forget(null);
      for (const what of changed) if (what.startsWith("reset:")) panel.forget(what.slice(6));
      if (!fresh && !panel.concerns(changed)) continue;
      // Pictures of a chosen step may come while the picture is held; nothing newer may.
      const held = state.held && !(state.step !== null && (panel.key === "batch" || panel.key === "test"));
      if (held || !panel.visible || state.tab !== "panels" || document.hidden) panel.stale = true;
      else {
        panel.update();
        panel.stale = false;
      }
    }
  }

  catchUp() {
    if (this.state.held || this.state.tab !== "panels") return;
    for (const panel of this.panels) if (panel.stale && panel.visible) this.refresh(panel);
  }

  restyle() {
    for (const panel of this.panels) panel.restyle();
  }
}
