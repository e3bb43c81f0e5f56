// The page: what is chosen, the tabs, the panels, the keys, the link to all of it.

import { get, url, post, follow, renewToken, recorded } from "./api.js";
import { Store, at } from "./store.js";
import { View, viewFromText } from "./view.js";
import { formatLink, parseLink } from "./link.js";
import { make, short, cursorAt } from "./plot.js";
import { splitOf } from "./curves.js";
import { Board } from "./board.js";
import { firstRuns, slotsOf, withSiblings } from "./choice.js";
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
const opened = new Map();
const context = { run: null, step: null, node: null, api: { get, url, post }, store, select };
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

function keepLink() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    const text = formatLink(state, views);
    try {
      if (location.hash !== text) history.replaceState(null, "", text);
    } catch {
      // A page out of a file may not be allowed to; then there is no link to keep.
    }
  }, 300);
}

function readLink() {
  const link = parseLink(location.hash);
  pendingZooms = link.zooms;
  delete link.zooms;
  if (!link.runs) delete link.runs;
  if (!TABS.some((tab) => tab.name === link.tab)) link.tab = "panels";
  Object.assign(state, link);
  for (const [key, view] of views) {
    viewFromText(view, pendingZooms.get(key) || "");
    view.tell();
  }
}

// ---- runs ----

function present() {
  return state.runs.filter((id) => store.run(id));
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
  board.moved();
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
  document.querySelector(".arrange").hidden = !onPanels || slotsOf(store, ids).size < 2;
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
  if (!present().length) state.runs = withSiblings(store, firstRuns(store));
  const ids = present();
  const focus = focusRun();
  const groups = slotsOf(store, ids);
  const slots = new Map(ids.map((id) => [id, groups.get(splitOf(store, id).group)]));
  strip.show(ids, slots);
  $("runsbar").hidden = store.runs.size < 2;
  $(`arrange-${state.view}`).checked = true;
  const options = [...$("focus").options].map((o) => o.value);
  if (options.join("\n") !== ids.join("\n")) $("focus").replaceChildren(...ids.map((id) => make("option", { value: id, text: id })));
  if (focus) $("focus").value = focus;
  const settings = focus ? store.run(focus).info.settings || {} : {};
  $("title").textContent = String(settings.graph || settings.network || "").split("/").pop();
  board.build(ids, focus);
  if (!available(TABS.find((t) => t.name === state.tab)) && !opened.has(state.tab)) {
    updateTab();
  }
  showTabs();
  updateTab();
  gatherSteps();
  showProgress();
  document.documentElement.dataset.ready = store.runs.size;
}

// Steps are gathered at most every 90 ms for news of pictures and bands and every 400 ms for other news.
// What comes within that time is gathered at its end: of a run that is over, nothing else may ever come.
let stepsAt = 0;
let stepsDue = Infinity;
let stepsTimer = 0;

function gatherSoon(apart) {
  const now = performance.now();
  const due = Math.max(now, stepsAt + apart);
  if (due >= stepsDue) return;
  clearTimeout(stepsTimer);
  stepsDue = due;
  stepsTimer = setTimeout(() => {
    stepsDue = Infinity;
    stepsAt = performance.now();
    if (!state.held) gatherSteps();
  }, due - now);
}

function heard(changed) {
  if (changed.has("runs") || changed.has("fresh")) refresh();
  for (const what of changed) if (what.startsWith("error:")) say(what.slice(6), true);
  board.heard(changed);
  const tab = TABS.find((t) => t.name === state.tab);
  const run = focusRun();
  if (tab.name === "runs" || (tab.hears && tab.hears.some((kind) => changed.has(`${kind}:${run}`)))) updateTab();
  if (!state.held) gatherSoon([...changed].some((what) => /^(batch|test|bands|reset):/.test(what)) ? 90 : 400);
  showProgress();
}

function hold(held) {
  state.held = held;
  if (!held) {
    gatherSteps();
    board.catchUp();
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
    board.enlarge(null);
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

const board = new Board({ panels: $("panels"), more: $("more"), morePanels: $("morepanels"), moreCount: $("morecount"), empty: $("empty"), filter: $("filter") }, { store, state, viewOf });
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
  document.addEventListener("visibilitychange", () => { if (!document.hidden) board.catchUp(); });
  document.addEventListener("pointerleave", () => cursorAt(null));
  for (const name of ["over", "side"]) $(`arrange-${name}`).addEventListener("change", () => { state.view = name; refresh(); keepLink(); });
  $("focus").addEventListener("change", () => { state.focus = $("focus").value; refresh(); keepLink(); });
  $("filter").addEventListener("input", () => { state.filter = $("filter").value; board.filter(); keepLink(); });
  $("main").addEventListener("click", (event) => {
    const button = event.target.closest('[data-do="enlarge"]');
    if (!button) return;
    const panel = button.closest("[data-panel]");
    state.panel = button.getAttribute("aria-pressed") === "true" ? panel.dataset.panel : null;
    board.enlarge(state.panel);
    keepLink();
  });
  window.addEventListener("hashchange", () => {
    readLink();
    refresh();
    board.enlarge(state.panel);
    setStep(state.step);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    board.restyle();
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
