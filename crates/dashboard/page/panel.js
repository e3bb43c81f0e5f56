// The frame of a panel: heading, tools, body, and the tools that all drawings over steps share.

import { make } from "./plot.js";

export function frame(key, title, runName) {
  const name = runName === undefined ? title : `${title}, ${runName}`;
  const id = `panel-${key}`;
  const heading = make("h3", { title: name }, make("span", { class: "name", text: title }));
  if (runName !== undefined) heading.append(make("span", { class: "of", text: runName }));
  const tools = make("div", { class: "tools" });
  const head = make("header", {}, heading, tools);
  const body = make("div", { class: "body" });
  const element = make("section", { class: "panel", "data-panel": key, "aria-label": name }, head, body);
  // A second panel of the same kind (side by side) must not bear the same id.
  if (!document.getElementById(id)) element.id = id;
  const enlarge = make("button", { type: "button", class: "icon", "data-do": "enlarge", "aria-pressed": "false", title: "Enlarge", "aria-label": `Enlarge ${name}`, text: "⤢" });
  enlarge.addEventListener("click", () => {
    const large = element.classList.toggle("large");
    enlarge.setAttribute("aria-pressed", String(large));
    if (large) element.scrollIntoView({ block: "nearest" });
  });
  tools.append(enlarge);
  return { element, head, tools, body, heading, name };
}

// The buttons of a drawing over steps, before "enlarge".
export function zoomTools(tools, name, view, last, lossLike) {
  const button = (what, text, title, press) => make("button", { type: "button", "data-zoom": what, title, "aria-label": `${title}: ${name}`, text, onclick: press });
  const reset = button("reset", "reset", "Show all and follow new data (0)", () => view.reset());
  const list = [];
  let log = null;
  let smooth = null;
  if (last) list.push(button("last", "last %", "Zoom to the last percent (L)", last));
  list.push(reset);
  if (lossLike) {
    log = make("button", { type: "button", "data-do": "log", "aria-pressed": "false", title: "Logarithmic axis", "aria-label": `Logarithmic axis: ${name}`, text: "log" });
    log.addEventListener("click", () => view.set({ log: !view.log, y: null }));
    list.push(log);
  }
  if (last || lossLike) {
    smooth = make("select", { "data-do": "smooth", title: "Smoothing", "aria-label": `Smoothing: ${name}` });
    for (const [value, text] of [[0, "raw"], [0.6, "smooth 0.6"], [0.9, "smooth 0.9"], [0.97, "smooth 0.97"], [0.99, "smooth 0.99"]]) smooth.append(make("option", { value, text }));
    smooth.addEventListener("change", () => view.set({ smooth: Number(smooth.value) }));
    list.push(smooth);
  }
  tools.prepend(...list);
  const show = () => {
    reset.disabled = !view.zoomed;
    if (log) log.setAttribute("aria-pressed", String(view.log));
    if (smooth) {
      smooth.value = String(view.smooth);
      smooth.classList.toggle("on", view.smooth > 0);
    }
  };
  show();
  return show;
}
