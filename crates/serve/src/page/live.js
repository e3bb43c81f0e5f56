// A version's numbers now and over the last minutes.
//
// Read by tests: `#live td[data-time="latency p99"]`, `[data-fact=requests]` and the other facts.
import { batchSizes } from "./batches.js";
import { lineChart } from "./chart.js";
import { element, facts, write } from "./elements.js";
import { duration, span, three, whole } from "./numbers.js";

const TIMES = [
  ["latency", "Latency", "latency_us"],
  ["queue", "in the queue", "queue_us"],
  ["compute", "computing", "compute_us"],
];
const SHARES = [
  ["p50", "p50"],
  ["p99", "p99"],
  ["p999", "p99.9"],
];

/** The panel of a version's statistics. */
export function livePanel() {
  const cells = new Map();
  const head = element(
    "tr",
    {},
    element("td", {}),
    SHARES.map(([, name]) => element("th", { scope: "col" }, name)),
  );
  const rows = TIMES.map(([key, name]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      SHARES.map(([share]) => {
        const cell = element("td", { "data-time": `${key} ${share}` });
        cells.set(`${key} ${share}`, cell);
        return cell;
      }),
    ),
  );
  const table = element(
    "table",
    { class: "times" },
    element("caption", { class: "unseen" }, "Times of the last minute"),
    element("thead", {}, head),
    element("tbody", {}, rows),
  );
  const list = facts([
    ["per_second", "Requests a second"],
    ["requests", "Requests"],
    ["failures", "Failed"],
    ["rows", "Rows"],
    ["batches", "Batches"],
    ["last", "Last one"],
  ]);
  const latency = lineChart({
    name: "latency",
    title: "Latency",
    format: duration,
    log: true,
    series: [
      { key: "p50", name: "p50", ink: "ink-1" },
      { key: "p99", name: "p99", ink: "ink-2" },
      { key: "p999", name: "p99.9", ink: "ink-3" },
    ],
  });
  const rate = lineChart({
    name: "rate",
    title: "Requests a second",
    format: three,
    log: false,
    series: [{ key: "rate", name: "answered", ink: "ink-1" }],
  });
  const sizes = batchSizes();
  const root = element(
    "div",
    { id: "live" },
    element("div", { class: "numbers" }, table, list.root),
    element("div", { class: "charts" }, latency.root, rate.root, sizes.root),
  );

  return {
    root,
    update(statistics, samples, now) {
      for (const [key, , field] of TIMES) {
        for (const [share] of SHARES) {
          write(cells.get(`${key} ${share}`), duration(statistics[field] ? statistics[field][share] : NaN));
        }
      }
      list.set("per_second", three(statistics.per_second));
      for (const key of ["requests", "failures", "rows", "batches"]) list.set(key, whole(statistics[key]));
      list.value("failures").classList.toggle("state-failed", statistics.failures > 0);
      list.set("last", statistics.last_s === null ? "none yet" : `${span(statistics.last_s)} ago`);
      latency.draw(samples, now);
      rate.draw(samples, now);
      sizes.draw(statistics);
    },
  };
}
