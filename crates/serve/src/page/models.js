// The list of models: each a link, with its state and how much it answers.
//
// Read by tests: `#modellist li[data-model=NAME]` with `data-state`, `data-versions`; `#filter`;
// `a[aria-current]` is the one shown.
import { element, keyed, put, write } from "./elements.js";
import { count, duration, three } from "./numbers.js";
import { link } from "./place.js";

// From here on a field filters the names.
const MANY = 8;

/** A version number's order: newest first, also beyond what a float holds. */
export function newestFirst(a, b) {
  return b.version.localeCompare(a.version, "en", { numeric: true });
}

/** The version that a model is shown by: the one asked for, else the answering, else the newest. */
export function shownVersion(model, asked) {
  const of = (name) => model.versions.find(({ version }) => version === name);
  return (
    (asked && of(asked)) || of(model.default_version) || [...model.versions].sort(newestFirst)[0] || null
  );
}

/** A model's state by its versions, and what went wrong with a newer one. */
export function stateOf(model) {
  if (model.default_version !== null) return "ready";
  const states = model.versions.map(({ state }) => state);
  return ["loading", "failed", "retired"].find((state) => states.includes(state)) || "retired";
}

/** Fills the list. */
export function modelList({ list, filter, none }) {
  const rows = new Map();
  let given = [];
  let shown = null;
  filter.addEventListener("input", render);

  function render() {
    const wish = filter.value.trim().toLowerCase();
    filter.parentElement.hidden = given.length < MANY;
    const found = given.filter(
      ({ name }) => filter.parentElement.hidden || name.toLowerCase().includes(wish),
    );
    keyed(list, rows, found, ({ name }) => name, rowOf);
    for (const [name, row] of rows) put(row.anchor, "aria-current", name === shown ? "true" : null);
    write(
      none,
      found.length || !given.length ? "" : `None of ${count(given.length, "model")} has that in its name.`,
    );
  }

  return {
    update(models, name) {
      given = models;
      shown = name;
      render();
    },
  };
}

function rowOf() {
  const name = element("span", { class: "name" });
  const more = element("span", { class: "more" });
  const rate = element("span", { class: "rate" });
  const anchor = element("a", { href: "#" }, name, rate, more);
  const root = element("li", {}, anchor);
  return {
    root,
    anchor,
    update(model) {
      const state = stateOf(model);
      put(root, "data-model", model.name);
      put(root, "data-state", state);
      put(root, "data-versions", model.versions.length);
      put(anchor, "href", link({ model: model.name }));
      put(anchor, "title", model.name);
      write(name, model.name);
      const version = shownVersion(model, null);
      const statistics = state === "ready" && version ? version.statistics : null;
      const wrong = model.versions.filter((one) => one.state === "failed").length;
      const said = [state];
      if (version) said.push(`version ${version.version}`);
      if (wrong && state !== "failed") said.push(`${wrong} failed`);
      if (statistics && statistics.latency_us) said.push(`p99 ${duration(statistics.latency_us.p99)}`);
      write(more, said.join(" · "));
      write(rate, statistics ? `${three(statistics.per_second)}/s` : "");
    },
  };
}
