// JSON as tensors need it: NaN and infinities as bare words, whole numbers of 64 bits.

const WORDS = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

// Whole numbers that a float cannot hold stay exact where the browser gives a number's text.
function exact(key, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context && context.source;
  return source && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** Reads JSON in which NaN, Infinity and -Infinity may stand; these become texts. */
export function read(text) {
  try {
    return JSON.parse(text, exact);
  } catch (error) {
    const quoted = text.replace(WORDS, (word) => (word.startsWith('"') ? word : `"${word}"`));
    if (quoted === text) throw error;
    return JSON.parse(quoted, exact);
  }
}

/** Writes a value again, long whole numbers and the three words as they were. */
export function print(value) {
  if (Array.isArray(value)) return `[${value.map(print).join(", ")}]`;
  if (value === null || typeof value === "bigint") return String(value);
  if (typeof value === "string" && /^-?(NaN|Infinity)$/.test(value)) return value;
  if (typeof value === "object") {
    const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${print(item)}`);
    return `{${entries.join(", ")}}`;
  }
  return JSON.stringify(value);
}
