// The page: what is chosen, the tabs, the panels, the keys, the link to all of it.

import { get, url, post, follow, renewToken, recorded } from "./api.js";
import { Store, at } from "./store.js";
import { View, viewToText, viewFromText } from "./view.js";
import { make, short, cursorAt } from "./plot.js";
import { CurvePanel, curvePanels, splitOf } from "./curves.js";
import { BandPanel, bandPanels } from "./bands.js";
import { BatchPanel, TestPanel } from "./digits.js";
import { Scrub } from "./scrub.js";
import { RunStrip, RunsView } from "./runs.js";
import { Controls } from "./controls.js";
import { GraphView } from "./graph.js";
import { TimelineView } from "./timeline.js";
import { ConfusionView } from "./confusion.js";
import { DrawView } from "./draw.js";
import { ImagesView } from "./images.js";
import { TextsView } from "./texts.js";

const $ = (id) => document.getElementById(id);
const FIRST = ["loss", "accuracy"];
const TABS = [
  { name: "panels", title: "Panels" },
  { name: "graph", title: "Graph", view: GraphView, has: (info) => info.graph, why: "this run recorded no graph", hears: ["graph"] },
  { name: "timeline", title: "Timeline", view: TimelineView, has: (info) => info.trace, why: "this run recorded no traced step", hears: ["trace"] },
  { name: "confusion", title: "Confusion", view: ConfusionView, has: (info) => info.test, why: "this run recorded no test images", hears: ["test"] },
  { name: "draw", title: "Draw", view: DrawView, has: (info) => info.draw && !recorded, why: recorded ? "drawing needs the server" : "no weights are here to ask", hears: [] },
  { name: "pictures", title: "Pictures", view: ImagesView, has: (info) => info.images.length > 0, why: "this run recorded no pictures", hears: ["images"] },
  { name: "text", title: "Text", view: TextsView, has: (info) => info.texts.length > 0, why: "this run recorded no text", hears: ["texts"] },
  { name: "runs", title: "Runs" },
];

const store = new Store();
const state = { runs: [], view: "over", tab: "panels", step: null, focus: null, panel: null, filter: "", held: false, link: "connecting" };
const views = new Map();
const chosenVariables = {};
const opened = new Map();
const context = { run: null, step: null, node: null, api: { get, url, post }, store, select };
let panels = [];
let shape = "";
let steps = [];
let pendingZooms = new Map();

function viewOf(key) {
  if (!views.has(key)) {
    const view = new View(key);
    if (pendingZooms.has(key)) viewFromText(view, pendingZooms.get(key));
    view.listeners.add(() => keepLink());
    views.set(key, view);
  }
  return views.get(key);
}

// ---- the link ----

let linkTimer = 0;

function linkText() {
  const parts = [];
  const add = (name, value) => parts.push(`${name}=${encodeURIComponent(value).replace(/%2C/g, ",").replace(/%7E/g, "~").replace(/%2F/g, "/")}`);
  if (state.runs.length) parts.push(`runs=${state.runs.map((id) => encodeURIComponent(id).replace(/%2F/g, "/")).join(",")}`);
  if (state.view !== "over") add("view", state.view);
  if (state.tab !== "panels") add("tab", state.tab);
  if (state.step !== null) add("step", Math.round(state.step));
  if (state.panel) add("panel", state.panel);
  if (state.focus && state.focus !== state.runs[0]) add("focus", state.focus);
  if (state.filter) add("filter", state.filter);
  for (const [key, view] of views) {
    const text = viewToText(view);
    if (text) add(`z.${encodeURIComponent(key)}`, text);
  }
  return `#${parts.join("&")}`;
}

function keepLink() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    const text = linkText();
    try {
      if (location.hash !== text) history.replaceState(null, "", text);
    } catch {
      // A page out of a file may not be allowed to; then there is no link to keep.
    }
  }, 300);
}

function readLink() {
  const read = new Map();
  for (const part of location.hash.slice(1).split("&")) {
    const cut = part.indexOf("=");
    if (cut < 1) continue;
    try {
      read.set(decodeURIComponent(part.slice(0, cut)), part.slice(cut + 1));
    } catch {
      // A link cut short in the middle of a letter: that part is left out.
    }
  }
  const text = (name) => {
    try {
      return read.has(name) ? decodeURIComponent(read.get(name)) : null;
    } catch {
      return null;
    }
  };
  if (read.has("runs")) state.runs = read.get("runs").split(",").map((part) => { try { return decodeURIComponent(part); } catch { return ""; } }).filter(Boolean);
  state.view = text("view") === "side" ? "side" : "over";
  state.tab = TABS.some((t) => t.name === text("tab")) ? text("tab") : "panels";
  const step = text("step");
  state.step = step !== null && step !== "" && Number.isFinite(Number(step)) ? Number(step) : null;
  state.panel = text("panel");
  state.focus = text("focus");
  state.filter = text("filter") || "";
  pendingZooms = new Map();
  for (const key of read.keys()) if (key.startsWith("z.")) pendingZooms.set(key.slice(2), text(key) || "");
  for (const [key, view] of views) {
    viewFromText(view, pendingZooms.get(key) || "");
    view.tell();
  }
}

// ---- runs ----

function present() {
  return state.runs.filter((id) => store.run(id));
}

// The runs to begin with: those of the link; else the one that trains or the newest; all where no digits are known.
function firstChoice() {
  if (present().length || !store.runs.size) return;
  const all = [...store.runs.values()];
  const live = all.filter((run) => run.info.live);
  const digits = all.some((run) => run.info.batch || run.info.test);
  if (live.length) state.runs = live.slice(0, 4).map((run) => run.id);
  else if (!digits) state.runs = all.slice(0, 24).map((run) => run.id);
  else {
    const newest = all.reduce((a, b) => ((b.info.updated || 0) > (a.info.updated || 0) ? b : a));
    state.runs = [newest.id];
  }
  state.runs = withSiblings(state.runs);
}

function withSiblings(ids) {
  const groups = new Set(ids.map((id) => splitOf(store, id)).filter((s) => s.role).map((s) => s.group));
  return [...new Set([...ids, ...[...store.runs.keys()].filter((id) => { const s = splitOf(store, id); return s.role && groups.has(s.group); })])];
}

function choose(id, on) {
  const split = splitOf(store, id);
  const same = split.role ? [...store.runs.keys()].filter((other) => splitOf(store, other).group === split.group) : [id];
  state.runs = on ? [...state.runs, ...same.filter((s) => !state.runs.includes(s))] : state.runs.filter((r) => !same.includes(r));
  refresh();
  keepLink();
}

function focusRun() {
  const ids = present();
  if (!ids.includes(state.focus)) state.focus = ids.find((id) => store.run(id).info.live) || ids.find((id) => store.run(id).info.test) || ids[0] || null;
  return state.focus;
}

function slotsOf(ids) {
  const groups = new Map();
  for (const id of ids) {
    const { group } = splitOf(store, id);
    if (!groups.has(group)) groups.set(group, groups.size);
  }
  return groups;
}

// ---- panels ----

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const panel = panels.find((p) => p.element === entry.target);
    if (!panel) continue;
    panel.visible = entry.isIntersecting;
    if (panel.visible && panel.stale) refreshPanel(panel);
  }
}, { rootMargin: "120px" });

function refreshPanel(panel) {
  panel.stale = false;
  panel.markStep = state.step;
  panel.update();
  panel.step(state.step);
  panel.element.dataset.mark = state.step === null ? "" : state.step;
}

// The panels of some runs in the order of the talk: `{ key, make(runName), of }`.
function plan(ids, slots, focus) {
  const list = [];
  const curves = curvePanels(store, ids);
  const info = store.run(focus) && store.run(focus).info;
  const curve = (panel) => ({ key: panel.key, text: panel.title + panel.lines.map((l) => `${l.run}:${l.tag}`).join(), make: (runName) => new CurvePanel({ store, view: viewOf(panel.key), panel, runName, slots }) });
  if (info && info.batch) list.push({ key: "batch", text: focus, make: (runName) => new BatchPanel({ store, run: focus, runName }) });
  for (const name of FIRST) if (curves.has(name)) list.push(curve(curves.get(name)));
  if (info && info.test) list.push({ key: "test", text: focus, make: (runName) => new TestPanel({ store, run: focus, runName }) });
  for (const panel of info ? bandPanels(info.bands) : []) {
    const onchoose = () => { for (const p of panels) if (p.key === panel.key) p.update(); };
    list.push({ key: panel.key, text: focus + panel.tags.join(), make: (runName) => new BandPanel({ store, view: viewOf(panel.key), panel, run: focus, runName, chosen: chosenVariables, onchoose }) });
  }
  const more = [...curves.entries()].filter(([name]) => !FIRST.includes(name)).map(([, panel]) => curve(panel));
  return { list, more };
}

function addPanel(host, planned, runName) {
  const panel = planned.make(runName);
  panel.visible = false;
  panel.stale = true;
  panels.push(panel);
  host.append(panel.element);
  seen.observe(panel.element);
}

function buildPanels() {
  const ids = present();
  const focus = focusRun();
  const groups = slotsOf(ids);
  const side = state.view === "side" && groups.size > 1;
  let columns;
  if (side) {
    columns = [...groups.keys()].map((group) => {
      const own = ids.filter((id) => splitOf(store, id).group === group);
      return { name: group, ...plan(own, new Map([[group, 0]]), own.find((id) => store.run(id).info.test) || own[0]) };
    });
  } else columns = [{ name: undefined, ...plan(ids, groups, focus) }];
  const signature = JSON.stringify([side, columns.map((c) => [c.name, c.list.map((p) => [p.key, p.text]), c.more.map((p) => [p.key, p.text])])]);
  if (signature === shape) return;
  shape = signature;
  for (const panel of panels) {
    seen.unobserve(panel.element);
    panel.destroy();
  }
  panels = [];
  $("panels").replaceChildren();
  $("morepanels").replaceChildren();
  for (const [host, part] of [[$("panels"), "list"], [$("morepanels"), "more"]]) {
    host.classList.toggle("side", side);
    host.style.setProperty("--columns", String(columns.length));
    const keys = [...new Set(columns.flatMap((c) => c[part].map((p) => p.key)))];
    for (const key of keys) {
      for (const column of columns) {
        const planned = column[part].find((p) => p.key === key);
        if (planned) addPanel(host, planned, column.name);
        else host.append(make("div", { class: "none", text: `${column.name}: none` }));
      }
    }
  }
  // Few panels take the room of many.
  const main = columns[0].list.length;
  $("panels").dataset.few = !side && main && main < 3 ? main : "";
  $("more").querySelector("h2").textContent = main ? "More measurements" : "Measurements";
  $("more").hidden = !columns.some((c) => c.more.length);
  $("empty").hidden = panels.length > 0;
  $("empty").textContent = !store.runs.size ? "No run is recorded here yet; the panels appear with the first step." : !ids.length ? "No run is chosen." : "This run has recorded nothing yet.";
  applyFilter();
  enlarge(state.panel);
}

function applyFilter() {
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  let all = 0;
  for (const element of $("morepanels").children) {
    if (!element.dataset.panel) continue;
    all += 1;
    const name = element.dataset.panel.toLowerCase();
    element.hidden = !words.every((word) => name.includes(word));
    if (!element.hidden) count += 1;
  }
  $("morecount").textContent = words.length ? `${count} of ${all}` : `${all}`;
  if ($("filter").value !== state.filter) $("filter").value = state.filter;
}

function enlarge(key) {
  for (const panel of panels) {
    const large = panel.key === key;
    panel.element.classList.toggle("large", large);
    panel.element.querySelector('[data-do="enlarge"]').setAttribute("aria-pressed", String(large));
  }
}

// ---- steps ----

function gatherSteps() {
  const ids = present();
  const all = new Set();
  for (const id of ids) {
    const run = store.run(id);
    if (ids.length <= 6) {
      store.wantBatches(id);
      store.wantTests(id);
    }
    for (const step of run.batches || []) all.add(step);
    for (const step of run.tests ? run.tests.steps : []) all.add(step);
    for (const band of run.bands.values()) {
      for (const step of band.step) all.add(step);
      break;
    }
    if (all.size < 2) {
      // A run of curves alone: the steps of its longest one.
      let longest = [];
      for (const curve of run.curves.values()) if (curve.step.length > longest.length) longest = curve.step;
      for (const step of longest) all.add(step);
    }
  }
  steps = [...all].sort((a, b) => a - b);
  scrub.setSteps(steps, ids.some((id) => store.run(id).info.live));
}

function setStep(step) {
  state.step = step;
  scrub.setStep(step);
  for (const panel of panels) {
    if (panel.visible) {
      panel.step(step);
      panel.element.dataset.mark = step === null ? "" : step;
      if (step === null) panel.update();
    } else panel.stale = true;
  }
  context.step = step;
  updateTab();
  keepLink();
}

// ---- tabs ----

function buildTabs() {
  for (const tab of TABS) {
    const button = make("button", { type: "button", role: "tab", id: `tab-${tab.name}`, "aria-controls": `view-${tab.name}`, "aria-selected": "false", tabindex: "-1", text: tab.title, onclick: () => openTab(tab.name) });
    $("tabs").append(button);
    if (tab.name !== "panels") $("main").append(make("section", { id: `view-${tab.name}`, role: "tabpanel", "aria-labelledby": `tab-${tab.name}`, hidden: true }));
  }
  $("tabs").addEventListener("keydown", (event) => {
    const buttons = [...$("tabs").children];
    const here = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: (here + 1) % buttons.length, ArrowLeft: (here + buttons.length - 1) % buttons.length, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || here < 0) return;
    event.preventDefault();
    event.stopPropagation();
    buttons[to].focus();
    const tab = TABS[to];
    if (available(tab)) openTab(tab.name);
    else say(`${tab.title}: ${tab.why}.`);
  });
}

function available(tab) {
  if (!tab.has) return true;
  const run = store.run(focusRun());
  return Boolean(run && tab.has(run.info));
}

function showTabs() {
  // What arranges the panels has no meaning elsewhere; the other tabs show one run.
  const ids = present();
  const onPanels = state.tab === "panels";
  document.querySelector(".arrange").hidden = !onPanels || slotsOf(ids).size < 2;
  const pictured = ids.some((id) => { const { info } = store.run(id); return info.batch || info.test || info.bands.length; });
  $("focusbox").hidden = ids.length < 2 || state.tab === "runs" || (onPanels && (state.view === "side" || !pictured));
  $("focusbox").firstElementChild.textContent = onPanels ? "images and weights of" : "run";
  for (const tab of TABS) {
    const button = $(`tab-${tab.name}`);
    const on = available(tab);
    const chosen = tab.name === state.tab;
    button.setAttribute("aria-disabled", String(!on));
    button.title = on ? "" : tab.why;
    if (on) button.removeAttribute("aria-description");
    else button.setAttribute("aria-description", tab.why);
    button.setAttribute("aria-selected", String(chosen));
    button.tabIndex = chosen ? 0 : -1;
    $(`view-${tab.name}`).hidden = !chosen;
  }
}

function openTab(name) {
  const tab = TABS.find((t) => t.name === name);
  if (!available(tab)) {
    say(`${tab.title}: ${tab.why}.`);
    return;
  }
  state.tab = name;
  showTabs();
  updateTab();
  keepLink();
}

// Fills the open tab, at its first opening, or tells it that its run, its step or its data are others now.
function updateTab() {
  const tab = TABS.find((t) => t.name === state.tab);
  context.run = focusRun();
  context.step = state.step;
  if (tab.name === "panels") return;
  const host = $(`view-${tab.name}`);
  if (opened.has(tab.name)) {
    opened.get(tab.name).update();
    return;
  }
  if (tab.name === "runs") opened.set("runs", new RunsView(host, { store, choose, chosen: () => [...state.runs] }));
  else if (available(tab) && context.run) {
    opened.set(tab.name, tab.view(host, context));
    opened.get(tab.name).update();
  } else host.replaceChildren(make("p", { class: "notice", text: `${tab.title}: ${tab.why}.` }));
}

// What the views of the tabs call to lead elsewhere: `select({ tab, run, step, node })`.
function select(what) {
  if (!what) return;
  if (what.run && store.run(what.run)) {
    if (!state.runs.includes(what.run)) state.runs.push(what.run);
    state.focus = what.run;
  }
  if (what.node !== undefined) context.node = what.node;
  if (what.step !== undefined) setStep(what.step);
  if (what.tab || what.node !== undefined) openTab(what.tab || "graph");
  refresh();
}

// ---- words ----

let sayTimer = 0;

function say(text, bad) {
  const box = $("message");
  box.hidden = false;
  box.textContent = text;
  box.classList.toggle("bad", Boolean(bad));
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => { box.hidden = true; }, bad ? 12000 : 6000);
}

function newest(run, tag) {
  const curve = run.curves.get(tag);
  return curve && curve.value.length ? curve.value[curve.value.length - 1] : null;
}

let spoken = 0;
let spokenText = "";

function showProgress() {
  const run = store.run(focusRun());
  const box = $("progress");
  const info = run && run.info;
  const parts = [];
  if (info) {
    parts.push(`step ${short(info.step)}${info.steps ? ` of ${short(info.steps)}` : ""}`);
    if (info.live && run.speed) parts.push(`${Math.round(run.speed).toLocaleString("en")} images/s`);
    if (info.state && info.state !== "running") parts.push(info.state);
  }
  const spans = parts.map((text, i) => make("span", { class: i === 1 && parts.length > 1 && text.endsWith("/s") ? "wide" : "", text: i ? ` · ${text}` : text }));
  box.replaceChildren(...spans);
  box.dataset.step = info ? info.step : "";
  box.dataset.state = info ? info.state : "";
  const running = [...store.runs.values()].some((r) => r.info.live);
  const connection = $("connection");
  const words = { live: running ? "live" : "connected", reconnecting: "reconnecting", recording: "recording", connecting: "connecting" };
  if (connection.textContent !== words[state.link]) connection.textContent = words[state.link];
  connection.dataset.state = state.link;
  connection.classList.toggle("running", running);
  controls.show(focusRun());
  const now = performance.now();
  if (!info || now - spoken < (spoken ? 20000 : 1500)) return;
  const accuracy = newest(run, "test/accuracy");
  const loss = newest(run, "test/loss") ?? newest(run, "train/loss");
  const text = `${run.id}: step ${short(info.step)}${info.steps ? ` of ${short(info.steps)}` : ""}${accuracy === null ? "" : `, test accuracy ${(accuracy * 100).toFixed(1)} percent`}${loss === null ? "" : `, loss ${short(loss)}`}${info.live ? "" : `, ${info.state}`}.`;
  if (text === spokenText) return;
  spoken = now;
  spokenText = text;
  $("summary").textContent = text;
  document.title = `${run.id === "." ? "" : `${run.id} · `}${accuracy === null ? `step ${short(info.step)}` : `${(accuracy * 100).toFixed(2)} %`} · Abeyance`;
}

// ---- all together ----

function refresh() {
  firstChoice();
  const ids = present();
  const focus = focusRun();
  const groups = slotsOf(ids);
  const slots = new Map(ids.map((id) => [id, groups.get(splitOf(store, id).group)]));
  strip.show(ids, slots);
  $("runsbar").hidden = store.runs.size < 2;
  $(`arrange-${state.view}`).checked = true;
  const options = [...$("focus").options].map((o) => o.value);
  if (options.join("\n") !== ids.join("\n")) $("focus").replaceChildren(...ids.map((id) => make("option", { value: id, text: id })));
  if (focus) $("focus").value = focus;
  const settings = focus ? store.run(focus).info.settings || {} : {};
  $("title").textContent = String(settings.graph || settings.network || "").split("/").pop();
  buildPanels();
  if (!available(TABS.find((t) => t.name === state.tab)) && !opened.has(state.tab)) {
    updateTab();
  }
  showTabs();
  updateTab();
  gatherSteps();
  showProgress();
  document.documentElement.dataset.ready = store.runs.size;
}

let stepsAt = 0;

function heard(changed) {
  if (changed.has("fresh")) {
    for (const panel of panels) {
      if (panel.fine instanceof Map) panel.fine.clear();
      else panel.forget();
      panel.stale = true;
    }
  }
  if (changed.has("runs") || changed.has("fresh")) refresh();
  for (const what of changed) {
    if (what.startsWith("reset:")) for (const panel of panels) panel.forget(what.slice(6));
    if (what.startsWith("error:")) say(what.slice(6), true);
  }
  for (const panel of panels) {
    if (!changed.has("fresh") && !panel.concerns(changed)) continue;
    // Pictures of a chosen step may come while the picture is held; nothing newer may.
    const still = state.held && !(state.step !== null && (panel.key === "batch" || panel.key === "test"));
    if (still || !panel.visible || state.tab !== "panels" || document.hidden) panel.stale = true;
    else {
      panel.update();
      panel.stale = false;
    }
  }
  const tab = TABS.find((t) => t.name === state.tab);
  const run = focusRun();
  if (tab.name === "runs" || (tab.hears && tab.hears.some((kind) => changed.has(`${kind}:${run}`)))) updateTab();
  const now = performance.now();
  if (!state.held && (now - stepsAt > 400 || [...changed].some((w) => /^(batch|test|bands):/.test(w)) && now - stepsAt > 90)) {
    stepsAt = now;
    gatherSteps();
  }
  showProgress();
}

function catchUp() {
  for (const panel of panels) if (panel.stale && panel.visible && !state.held && state.tab === "panels") refreshPanel(panel);
}

function hold(held) {
  state.held = held;
  if (!held) {
    gatherSteps();
    catchUp();
  }
}

// Fetches everything again, after a restart of the server or when too much was missed.
let reloading = false;

function reload() {
  if (reloading) return;
  reloading = true;
  const attempt = () => {
    renewToken();
    store.load(true).then(() => { reloading = false; }).catch(() => setTimeout(attempt, 1000));
  };
  attempt();
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const target = event.target;
  if (target.closest("input:not([type=range]):not([type=checkbox]):not([type=radio]), select, textarea")) return;
  if (event.key === " " && target.closest("button, summary, input, a, [role=tab], [tabindex]:not(main)")) return;
  const move = (by) => {
    const here = state.step === null ? steps.length - 1 : at(steps, state.step);
    const to = Math.max(0, Math.min(steps.length - 1, here + by));
    if (steps.length) scrub.stop();
    if (steps.length) setStep(steps[to]);
  };
  if (event.key === " ") scrub.setHeld(!state.held);
  else if (event.key === "p" || event.key === "P") $("play").click();
  else if (event.key === ",") move(-1);
  else if (event.key === ".") move(1);
  else if (event.key === "n" || event.key === "N") scrub.goLive();
  else if (event.key === "Escape" && state.panel) {
    state.panel = null;
    enlarge(null);
    keepLink();
  } else return;
  event.preventDefault();
}

// The height left for the panels between what stands above and the bar below.
function measure() {
  const above = $("main").getBoundingClientRect().top + window.scrollY;
  const room = window.innerHeight - above - document.querySelector(".player").offsetHeight - 22;
  document.documentElement.style.setProperty("--room", `${Math.max(200, Math.round(room))}px`);
}

const scrub = new Scrub($("scrubbar"), { change: setStep, hold });
const strip = new RunStrip($("runstrip"), { store, choose });
const controls = new Controls($("controls"), { store, say });

function start() {
  buildTabs();
  readLink();
  scrub.setStep(state.step);
  store.listen(heard);
  const sizes = new ResizeObserver(measure);
  for (const element of [document.querySelector(".top"), $("runsbar"), document.querySelector(".player")]) sizes.observe(element);
  window.addEventListener("resize", measure);
  document.addEventListener("keydown", keys);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) catchUp(); });
  document.addEventListener("pointerleave", () => cursorAt(null));
  for (const name of ["over", "side"]) $(`arrange-${name}`).addEventListener("change", () => { state.view = name; refresh(); keepLink(); });
  $("focus").addEventListener("change", () => { state.focus = $("focus").value; refresh(); keepLink(); });
  $("filter").addEventListener("input", () => { state.filter = $("filter").value; applyFilter(); keepLink(); });
  $("main").addEventListener("click", (event) => {
    const button = event.target.closest('[data-do="enlarge"]');
    if (!button) return;
    const panel = button.closest("[data-panel]");
    state.panel = button.getAttribute("aria-pressed") === "true" ? panel.dataset.panel : null;
    enlarge(state.panel);
    keepLink();
  });
  window.addEventListener("hashchange", () => {
    readLink();
    refresh();
    enlarge(state.panel);
    setStep(state.step);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const panel of panels) panel.restyle();
    strip.shape = "";
    refresh();
  });
  // The stream is opened first: what is fetched after that can miss nothing in between.
  let begun = false;
  const begin = () => {
    if (begun) return;
    begun = true;
    store.load(false).catch((error) => {
      say(`The runs could not be listed: ${error.message}.`, true);
      begun = false;
      setTimeout(begin, 1500);
    });
  };
  follow({
    update: (event) => { if (store.boot && !store.update(event)) reload(); },
    reload: () => { if (store.boot) reload(); },
    state: (link) => {
      state.link = link;
      if (link !== "reconnecting") begin();
      showProgress();
    },
  });
  setTimeout(begin, 800);
}

start();
