// Numbers as text.

const NONE = "–";

/** A whole number with its thousands apart. */
export function whole(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : NONE;
}

/** Microseconds with a unit that fits, in three digits. */
export function duration(micros) {
  if (!Number.isFinite(micros)) return NONE;
  if (micros >= 999_500) return `${three(micros / 1e6)} s`;
  if (micros >= 999.5) return `${three(micros / 1000)} ms`;
  return `${three(micros)} µs`;
}

/** A number of at least three digits: `12.5`, `0.25`, `1,234`. */
export function three(value) {
  if (!Number.isFinite(value)) return NONE;
  if (Math.abs(value) >= 999.5) return whole(value);
  return String(Number(value.toPrecision(3)));
}

/** Bytes with a unit that fits. */
export function bytes(count) {
  if (!Number.isFinite(count)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = count;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${three(size)} ${units[unit]}`;
}

/** A span of seconds in its two largest units: `3 d 4 h`, `12 s`. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return NONE;
  const parts = [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ];
  let rest = Math.max(0, Math.round(seconds));
  const first = parts.findIndex(([, size]) => rest >= size);
  if (first < 0) return "0 s";
  const said = [];
  for (const [unit, size] of parts.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) said.push(`${count} ${unit}`);
  }
  return said.join(" ");
}

/** A time of the server (RFC 3339) in the reader's own clock. */
export function time(text) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text || NONE;
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString() : date.toLocaleString();
}

/** `1 model`, `2 models`. */
export function count(number, one, many = `${one}s`) {
  return `${whole(number)} ${number === 1 ? one : many}`;
}

/** A shape with unknown sizes by letters: `[N, 28, 28, 1]`; a second unknown one is `?`. */
export function shapeText(shape) {
  return `[${shape.map((size, axis) => (size >= 0 ? size : axis === 0 ? "N" : "?")).join(", ")}]`;
}

/** A tensor's element for a reader: floats in six digits, all others as they are. */
export function value(item) {
  if (item === null) return "NaN";
  if (typeof item !== "number" || Number.isInteger(item)) return String(item);
  return String(Number(item.toPrecision(6)));
}
