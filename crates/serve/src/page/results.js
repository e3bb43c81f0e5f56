// What a model answered: few numbers as bars, one as itself, all others as text.
//
// Read by tests: `.output[data-output=NAME]` with `data-kind` (`value`, `bars`, `text`); `data-value`
// of a single one; `data-largest` of bars (`li[data-index]` with `data-value`, `.first` the largest).
import { element } from "./elements.js";
import { shapeText, value as show, whole } from "./numbers.js";
import { print } from "./json.js";
import { rowsOf } from "./tensors.js";

// A row with at most so many numbers is drawn as bars, and of at most so many rows.
const BARS = 20;
const ROWS = 8;

// So much text of a long output is shown.
const SHOWN = 20_000;

/** An output, and in words for a screen reader. */
export function outputView(output) {
  const { name, datatype, shape, data } = output;
  const rows = rowsOf(data, shape);
  const head = element(
    "h4",
    {},
    name,
    " ",
    element("span", { class: "quiet type" }, `${datatype} ${shapeText(shape)}`),
  );
  const root = element("section", { class: "output", "data-output": name }, head);
  const numbers = rows.every((row) =>
    row.every(
      (item) => typeof item === "number" || typeof item === "bigint" || item === null || isWord(item),
    ),
  );
  if (rows.length === 1 && rows[0].length === 1) {
    const text = show(rows[0][0]);
    root.dataset.kind = "value";
    root.dataset.value = print(rows[0][0]);
    root.append(element("p", { class: "single" }, text));
    return { root, words: `${name} is ${text}.` };
  }
  if (
    numbers &&
    rows.length &&
    rows.length <= ROWS &&
    rows.every((row) => row.length > 1 && row.length <= BARS)
  ) {
    root.dataset.kind = "bars";
    const lists = rows.map((row, at) => bars(row, rows.length > 1 ? `${name}, row ${at}` : name));
    lists.forEach(({ list }, at) =>
      root.append(...(rows.length > 1 ? [element("p", { class: "quiet" }, `row ${at}`)] : []), list),
    );
    const { largest } = lists[0];
    root.dataset.largest = largest === null ? "" : largest;
    if (largest === null) return { root, words: `${name} has no largest number.` };
    const where = rows.length > 1 ? " in row 0" : "";
    return { root, words: `${name}: the largest${where} is number ${largest}, ${show(rows[0][largest])}.` };
  }
  root.dataset.kind = "text";
  const text = layout(rows);
  const cut = text.length > SHOWN;
  const shown = cut ? `${text.slice(0, SHOWN)}…` : text;
  const count = whole(rows.reduce((sum, row) => sum + row.length, 0));
  root.append(element("pre", { tabindex: "0", "aria-label": `Values of ${name}` }, shown));
  if (cut) root.append(element("p", { class: "quiet" }, `The first of ${count} values; all are copied.`));
  return { root, words: `${name} has ${count} values.` };
}

function isWord(item) {
  return item === "NaN" || item === "Infinity" || item === "-Infinity";
}

function layout(rows) {
  const lines = rows.map((row) =>
    row
      .map((item) => (typeof item === "string" && !isWord(item) ? JSON.stringify(item) : show(item)))
      .join("  "),
  );
  return lines.join("\n") || "(empty)";
}

// Bars from the least or zero to the greatest or zero; probabilities fill their whole width at one.
function bars(row, label) {
  const values = row.map((item) => (item === null ? NaN : Number(item)));
  const finite = values.filter(Number.isFinite);
  const shares = finite.length === values.length && finite.every((value) => value >= 0 && value <= 1);
  const high = shares ? 1 : Math.max(0, ...finite);
  const low = Math.min(0, ...finite);
  const size = high - low || 1;
  let largest = null;
  values.forEach((value, index) => {
    if (!Number.isNaN(value) && (largest === null || value > values[largest])) largest = index;
  });
  // Where all are the same, none is the largest.
  if (values.every((value) => value === values[0])) largest = null;
  const items = values.map((value, index) => {
    const bar = element("span", { class: "fill" });
    const end = Number.isFinite(value) ? value : value > 0 ? high : value < 0 ? low : 0;
    bar.style.left = `${(100 * (Math.min(0, end) - low)) / size}%`;
    bar.style.width = `${(100 * Math.abs(end)) / size}%`;
    const first = index === largest;
    const text = shares ? value.toFixed(4) : show(row[index]);
    return element(
      "li",
      {
        "data-index": index,
        "data-value": print(row[index]),
        class: [first && "first", value < 0 && "below"].filter(Boolean).join(" ") || null,
      },
      element("span", { class: "label" }, String(index)),
      element("span", { class: "track", "aria-hidden": "true" }, bar),
      element("span", { class: "amount", title: print(row[index]) }, text),
      first ? element("span", { class: "unseen" }, "largest") : null,
    );
  });
  return { list: element("ol", { class: "meters", "aria-label": label }, items), largest };
}
