// A call by the generated Rust client. Names and types here are those that `abeyance client` gives:
// its fields are in snake case, and its arrays have the sizes that the signature knows.
import { elements, isFloat, oneRow } from "./tensors.js";

const KEYWORDS = new Set(
  (
    "abstract as async await become box break const continue do dyn else enum extern false final fn " +
    "for gen if impl in let loop macro match mod move mut override priv pub ref return static struct " +
    "trait true try type typeof unsafe unsized use virtual where while yield"
  ).split(" "),
);
const RESERVED = new Set(["crate", "self", "super"]);
const LONGEST = 32;

// An array of more bytes is none.
const MOST_ARRAY_BYTES = 256 * 1024;
const BYTES = { BOOL: 1, UINT8: 1, INT32: 4, FP32: 4, INT64: 8, FP64: 8 };

/** A program that calls the model; `token` is the environment variable that holds the token, or `null`. */
export function rustCall({ at, model, version, signature, isDefault, path, token }) {
  const name = plain(model, "model");
  const module =
    KEYWORDS.has(name) || ["main", "std", "core", "alloc"].includes(name) ? `${name}_model` : name;
  const inputs = fields(signature.inputs, "input").map(
    (field, i) => `        ${field}: ${value(signature.inputs[i])},`,
  );
  const outputs = fields(signature.outputs, "output").map(
    (field) => `    println!("{:?}", outputs.${field});`,
  );
  const chosen = isDefault ? "" : ` --signature ${quoted(signature.name)}`;
  const options = [
    version === null ? "" : `.version("${version}")`,
    token ? `.token(&std::env::var("${token}")?)` : "",
  ];
  return [
    "// Once, in the program's folder, where the model's files are at hand:",
    `//   abeyance client ${quoted(path)} --name ${quoted(model)}${chosen} -o src/${module}.rs`,
    "//   cargo add ureq@3 serde_json@1",
    `mod ${module};`,
    "",
    `use ${module}::{Client, ${inputs.some((line) => line.includes(" Grid::new(")) ? "Grid, " : ""}Inputs};`,
    "",
    "fn main() -> Result<(), Box<dyn std::error::Error>> {",
    `    let client = Client::new("${at.replace(/\/$/, "")}")${options.join("")};`,
    inputs.length
      ? `    let outputs = client.infer(&Inputs {\n${inputs.join("\n")}\n    })?;`
      : "    let outputs = client.infer(&Inputs {})?;",
    ...outputs,
    "    Ok(())",
    "}",
  ].join("\n");
}

// A word for a shell, on the one line of a comment.
function quoted(text) {
  const word = text.replace(/[\r\n]/g, "?");
  return /^[\w./+:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

// Names of fields, no two the same.
function fields(tensors, instead) {
  const taken = new Set();
  return tensors.map(({ name }) => {
    const first = plain(name, instead);
    let field = first;
    for (let count = 2; taken.has(field); count += 1) field = `${first}_${count}`;
    taken.add(field);
    return KEYWORDS.has(field) ? `r#${field}` : field;
  });
}

function plain(text, instead) {
  let name = "";
  let before = " ";
  for (const sign of text) {
    const isLetter = /[A-Za-z0-9]/.test(sign);
    const isNewWord = /[A-Z]/.test(sign) && /[a-z]/.test(before);
    if ((isNewWord || !isLetter) && name && !name.endsWith("_")) name += "_";
    if (isLetter) name += sign.toLowerCase();
    before = sign;
    if (name.length >= LONGEST) break;
  }
  name = name.replace(/^_+|_+$/g, "");
  if (!name) return instead;
  return /^\d/.test(name) || RESERVED.has(name) ? `${instead}_${name}` : name;
}

// A value of zeros in the type that a field has.
function value({ datatype, shape }) {
  const row = oneRow(shape);
  let counted = shape.findLastIndex((size) => size < 0) + 1;
  const bytes = () => elements(row.slice(counted)) * (BYTES[datatype] || 4);
  while (counted < row.length && bytes() > MOST_ARRAY_BYTES) counted += 1;
  const zero = datatype === "BOOL" ? "false" : isFloat(datatype) ? "0.0" : "0";
  const element = row.slice(counted).reduceRight((inner, size) => `[${inner}; ${size}]`, zero);
  const sizes = row.slice(0, counted);
  if (!counted) return element;
  if (counted === 1) return sizes[0] === 1 ? `vec![${element}]` : `vec![${element}; ${sizes[0]}]`;
  return `Grid::new([${sizes.join(", ")}], vec![${element}; ${elements(sizes)}]).ok_or("shape")?`;
}
