// The fields of a form that tries a model: one for each input of a signature.
//
// Read by tests: `.input[data-input=NAME]` with `data-kind` (`image`, `number`, `json`);
// `textarea`, `input[type=number]`, `select[data-do=range]`, `[data-do=way]`, `[data-do=zeros|random]`.
import { button, element, write } from "./elements.js";
import { pad } from "./pad.js";
import { shapeText, whole } from "./numbers.js";
import { read } from "./json.js";
import { elements, imageOf, isFloat, nested, oneRow, shapeOf } from "./tensors.js";

// Up to so many elements a text area is filled at once, and on demand.
const PREFILLED = 2_000;
const FILLED = 200_000;

/** What is wrong with a field, to be shown beside it. */
export class Wrong extends Error {}

/**
 * A field for an input. `tensor()` gives `{ name, shape, datatype, data }`, where `data` is JSON
 * text, or throws `Wrong`; `ready()` is whether the person put something in.
 */
export function inputField(input, changed) {
  const image = imageOf(input);
  const id = `input-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const wrong = element("p", { class: "wrong", id: `${id}-wrong`, hidden: true });
  const place = element("div", {});
  const ways = image
    ? [
        ["image", "draw or drop"],
        ["json", "JSON"],
      ]
    : [];
  const radios = ways.map(([way, label]) =>
    element(
      "label",
      {},
      element("input", {
        type: "radio",
        name: id,
        value: way,
        checked: way === "image",
        "data-do": "way",
        onchange: () => choose(way),
      }),
      element("span", {}, label),
    ),
  );
  const root = element(
    "fieldset",
    { class: "input", "data-input": input.name },
    element(
      "legend",
      {},
      element("b", {}, input.name),
      " ",
      element("span", { class: "quiet type" }, `${input.datatype} ${shapeText(input.shape)}`),
    ),
    ways.length
      ? element(
          "div",
          { class: "ways", role: "radiogroup", "aria-label": `How ${input.name} is given` },
          radios,
        )
      : null,
    place,
    wrong,
  );
  const context = { input, id, wrong, changed };
  const made = new Map();
  let field = null;

  function choose(kind) {
    if (!made.has(kind)) made.set(kind, kinds[kind](context, image));
    field = made.get(kind);
    root.dataset.kind = kind;
    place.replaceChildren(field.root);
    wrong.hidden = true;
  }

  const single = input.shape.every((size) => size === 1);
  choose(image ? "image" : single ? "number" : "json");

  return {
    root,
    name: input.name,
    isImage: () => root.dataset.kind === "image",
    ready: () => field.ready(),
    focus: () => field.focus(),
    tensor() {
      try {
        const { shape, data } = field.tensor();
        wrong.hidden = true;
        return { name: input.name, shape, datatype: input.datatype, data };
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
        write(wrong, error.message);
        wrong.hidden = false;
        throw error;
      }
    },
  };
}

const kinds = { image: imageField, number: numberField, json: jsonField };

function imageField({ input, changed }, size) {
  const drawing = pad({ ...size, label: input.name, changed });
  const ranges = isFloat(input.datatype)
    ? ["0 to 1", "0 to 255", "−1 to 1"]
    : input.datatype === "BOOL"
      ? ["true or false"]
      : ["0 to 255", "0 to 1"];
  const range = element(
    "select",
    { "data-do": "range", onchange: () => changed(true) },
    ranges.map((name) => element("option", {}, name)),
  );
  const choice = ranges.length > 1 ? element("label", { class: "range" }, "black to white is ", range) : null;
  if (choice) drawing.root.querySelector(".checks").append(choice);
  const give = {
    "0 to 1": (value) => value,
    "0 to 255": (value) => 255 * value,
    "−1 to 1": (value) => 2 * value - 1,
    "true or false": (value) => value >= 0.5,
  };
  // Nine digits tell every 32-bit float from its neighbours.
  const text = isFloat(input.datatype)
    ? (value) => String(Number(Math.fround(value).toPrecision(9)))
    : (value) => String(typeof value === "boolean" ? value : Math.round(value));
  return {
    root: drawing.root,
    ready: () => !drawing.empty(),
    focus: drawing.focus,
    tensor() {
      const { values } = drawing.pixels();
      const valueOf = give[range.value];
      return {
        shape: oneRow(input.shape),
        data: `[${Array.from(values, (value) => text(valueOf(value))).join(",")}]`,
      };
    },
  };
}

function numberField({ input, id, wrong, changed }) {
  const label = `Value of ${input.name}`;
  const described = { "aria-label": label, "aria-describedby": wrong.id, id, onchange: () => changed(true) };
  const isBool = input.datatype === "BOOL";
  const step = isFloat(input.datatype) ? "any" : "1";
  const node = isBool
    ? element(
        "select",
        described,
        ["false", "true"].map((name) => element("option", {}, name)),
      )
    : element("input", { type: "number", step, value: "0", ...described });
  return {
    root: element("div", {}, node),
    ready: () => true,
    focus: () => node.focus(),
    tensor() {
      const text = node.value.trim();
      const ends = node.validity;
      if (!text) throw new Wrong(ends.badInput ? "This is not a number." : "A number is missing.");
      if (ends.stepMismatch) throw new Wrong(`${input.datatype} takes whole numbers.`);
      return { shape: input.shape, data: `[${isBool ? text : numeral(text)}]` };
    },
  };
}

// What a number field gives may be no JSON: `+5`, `.5`, `007`.
function numeral(text) {
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? text : String(Number(text));
}

function jsonField({ input, id, wrong, changed }) {
  const shape = oneRow(input.shape);
  const size = elements(shape);
  const zero =
    input.datatype === "BOOL"
      ? "false"
      : input.datatype === "BYTES"
        ? '""'
        : isFloat(input.datatype)
          ? "0.0"
          : "0";
  const random = () => {
    if (input.datatype === "BOOL") return String(Math.random() < 0.5);
    return isFloat(input.datatype) ? Math.random().toFixed(3) : String(Math.floor(Math.random() * 10));
  };
  const area = element("textarea", {
    id,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    rows: size > 40 || shape.length > 2 ? 8 : 4,
    "aria-label": `${input.name} as JSON, shape ${shapeText(input.shape)}`,
    "aria-describedby": wrong.id,
    placeholder: `nested lists of shape ${shapeText(input.shape)}, or a flat one`,
    onchange: () => changed(true),
  });
  const put = (give) => {
    area.value = nested(shape, give);
    changed(true);
  };
  if (size <= PREFILLED) area.value = nested(shape, () => zero);
  const tools = element(
    "div",
    { class: "tools" },
    size <= FILLED && input.datatype !== "BYTES"
      ? [
          button("Zeros", { "data-do": "zeros" }, () => put(() => zero)),
          button("Random", { "data-do": "random" }, () => put(random)),
        ]
      : element("span", { class: "quiet" }, `${whole(size)} elements a row`),
  );
  return {
    root: element("div", {}, area, tools),
    ready: () => area.value.trim() !== "",
    focus: () => area.focus(),
    tensor() {
      const text = area.value.trim();
      if (!text) throw new Wrong(`JSON of shape ${shapeText(input.shape)} is missing.`);
      let data;
      try {
        data = read(text);
      } catch (error) {
        throw new Wrong(`This is not JSON: ${error.message}`);
      }
      try {
        // A single value stands for a list of one: `data` is a list in the protocol.
        return { shape: shapeOf(data, input.shape), data: Array.isArray(data) ? text : `[${text}]` };
      } catch (error) {
        throw new Wrong(`The data is uneven: ${error.message}.`);
      }
    },
  };
}
