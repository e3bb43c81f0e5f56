// Shapes of tensors, and nested arrays as such.

const FLOATS = new Set(["FP16", "BF16", "FP32", "FP64"]);

/** Whether elements of this datatype have fractions. */
export function isFloat(datatype) {
  return FLOATS.has(datatype);
}

/** How many elements a shape holds, unknown sizes being one. */
export function elements(shape) {
  return shape.reduce((product, size) => product * (size < 0 ? 1 : size), 1);
}

/** The shape of one row: unknown sizes are one. */
export function oneRow(shape) {
  return shape.map((size) => (size < 0 ? 1 : size));
}

/**
 * How an input can be drawn: `{ height, width, channels }` of `[N, H, W, 1 or 3]` and of
 * `[N, H * H]`; `null` where it cannot.
 */
export function imageOf({ shape }) {
  if (shape.length === 4) {
    const [rows, height, width, channels] = shape;
    const sized = [height, width].every((size) => size >= 4 && size <= 2048);
    if (Math.abs(rows) === 1 && sized && (channels === 1 || channels === 3))
      return { height, width, channels };
  }
  if (shape.length === 2 && Math.abs(shape[0]) === 1) {
    const side = Math.round(Math.sqrt(Math.max(0, shape[1])));
    if (side >= 8 && side <= 256 && side * side === shape[1])
      return { height: side, width: side, channels: 1 };
  }
  return null;
}

/** A nested array of a shape as indented text, every element from `give()`. */
export function nested(shape, give) {
  if (!shape.length) return give();
  const [size, ...inner] = shape;
  const parts = Array.from({ length: size }, () => nested(inner, give));
  return inner.length ? `[${parts.join(",\n")}]` : `[${parts.join(", ")}]`;
}

/**
 * The shape that nested data has. A flat list for a shape of several dimensions takes that shape
 * where one size at most is unknown. Throws an error that says where the data is uneven.
 */
export function shapeOf(data, declared) {
  const found = [];
  for (let at = data; Array.isArray(at); at = at[0]) found.push(at.length);
  even(data, found, 0, "");
  const unknown = declared.filter((size) => size < 0).length;
  if (found.length === 1 && declared.length > 1 && unknown <= 1) {
    const row = elements(declared);
    if (!unknown || row === 0) return declared.map((size) => Math.max(0, size));
    if (found[0] % row) throw new Error(`${found[0]} numbers do not fill rows of ${row}`);
    return declared.map((size) => (size < 0 ? found[0] / row : size));
  }
  return found;
}

function even(data, shape, depth, place) {
  const here = place || "the data";
  if (depth === shape.length) {
    if (Array.isArray(data)) throw new Error(`${here} is a list; beside it stand single values`);
    if (data !== null && typeof data === "object") throw new Error(`${here} is an object`);
    return;
  }
  if (!Array.isArray(data)) throw new Error(`${here} is a single value; beside it stand lists`);
  if (data.length !== shape[depth]) {
    throw new Error(`${here} has ${data.length} entries; those beside it have ${shape[depth]}`);
  }
  data.forEach((item, index) => even(item, shape, depth + 1, `${place}[${index}]`));
}

/** The rows of flat or nested data of a shape, each as a flat list. */
export function rowsOf(data, shape) {
  const flat = Array.isArray(data) ? data.flat(Infinity) : [data];
  if (shape.length < 2) return [flat];
  const rows = shape[0];
  const width = rows ? flat.length / rows : 0;
  return Array.from({ length: rows }, (_, row) => flat.slice(row * width, (row + 1) * width));
}
