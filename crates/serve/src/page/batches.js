// How many rows ran together, as bars; sizes are grouped by powers of two.
//
// Read by tests: `.batches li[data-sizes="3 to 4"]` with `data-count`.
import { element, put, write } from "./elements.js";
import { three, whole } from "./numbers.js";

/** The panel of batch sizes. */
export function batchSizes() {
  const list = element("ol", { class: "meters", "aria-label": "Batches by their number of rows" });
  const mean = element("span", { class: "quiet when" });
  const empty = element("p", { class: "nothing quiet" }, "nothing yet");
  const root = element(
    "figure",
    { class: "batches" },
    element("figcaption", {}, element("b", {}, "Rows a batch"), mean),
    list,
    empty,
  );
  const rows = new Map();

  return {
    root,
    draw({ batch_sizes: sizes, rows: all, batches }) {
      const groups = grouped(sizes || {});
      const most = Math.max(1, ...groups.map(({ count }) => count));
      empty.hidden = groups.length > 0;
      write(mean, batches ? `${three(all / batches)} on average` : "");
      for (const [name, row] of rows) {
        if (groups.some((group) => group.name === name)) continue;
        row.root.remove();
        rows.delete(name);
      }
      groups.forEach(({ name, count }, place) => {
        const row = rows.get(name) || rowOf(name);
        rows.set(name, row);
        if (list.children[place] !== row.root) list.insertBefore(row.root, list.children[place] || null);
        put(row.root, "data-count", count);
        row.bar.style.transform = `scaleX(${count / most})`;
        write(row.count, whole(count));
      });
    },
  };
}

function rowOf(name) {
  const bar = element("span", { class: "fill" });
  const count = element("span", { class: "amount" });
  const root = element(
    "li",
    { "data-sizes": name },
    element("span", { class: "label" }, name),
    element("span", { class: "track", "aria-hidden": "true" }, bar),
    count,
  );
  return { root, bar, count };
}

function grouped(sizes) {
  const groups = new Map();
  for (const [size, count] of Object.entries(sizes)) {
    const power = Math.ceil(Math.log2(Math.max(1, Number(size))));
    groups.set(power, (groups.get(power) || 0) + count);
  }
  return [...groups]
    .sort(([a], [b]) => a - b)
    .map(([power, count]) => {
      const from = power < 1 ? 1 : 2 ** (power - 1) + 1;
      const to = 2 ** power;
      return { name: from === to ? String(to) : `${from} to ${to}`, count };
    });
}
