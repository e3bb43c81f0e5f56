// The link that opens the same picture again: what is chosen and how far it is zoomed, in the address after "#".

import { viewToText } from "./view.js";

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // A link cut short in the middle of a letter.
    return null;
  }
}

// `{ runs, view, tab, step, panel, focus, filter, zooms }`; what the link does not name is null or empty.
export function parseLink(hash) {
  const read = new Map();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const cut = part.indexOf("=");
    const name = cut > 0 ? decoded(part.slice(0, cut)) : null;
    if (name) read.set(name, part.slice(cut + 1));
  }
  const text = (name) => (read.has(name) ? decoded(read.get(name)) : null);
  const step = Number(text("step") || NaN);
  const zooms = new Map();
  for (const key of read.keys()) if (key.startsWith("z.")) zooms.set(key.slice(2), text(key) || "");
  return {
    runs: read.has("runs") ? read.get("runs").split(",").map(decoded).filter(Boolean) : null,
    view: text("view") === "side" ? "side" : "over",
    tab: text("tab") || "panels",
    step: Number.isFinite(step) ? step : null,
    panel: text("panel"),
    focus: text("focus"),
    filter: text("filter") || "",
    zooms,
  };
}

export function formatLink(state, views) {
  const parts = [];
  const plain = (value) => encodeURIComponent(value).replace(/%2F/g, "/");
  const add = (name, value) => parts.push(`${name}=${plain(value).replace(/%2C/g, ",").replace(/%7E/g, "~")}`);
  if (state.runs.length) parts.push(`runs=${state.runs.map(plain).join(",")}`);
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
