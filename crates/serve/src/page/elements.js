// Elements of the page. Whatever comes from the server goes in as text, never as markup.

/** An element with attributes (functions are listeners of `onNAME`) and children. */
export function element(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An element of a drawing. */
export function drawn(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** A button that sends no form. */
export function button(label, attributes, press) {
  return element("button", { type: "button", onclick: press, ...attributes }, label);
}

/** A check box with its label. */
export function check(label, attributes) {
  return element("label", { class: "check" }, element("input", { type: "checkbox", ...attributes }), label);
}

/** Writes a text where it differs, so that a selection in it survives. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute where it differs; `null` takes it away. */
export function put(node, name, value) {
  if (value === null || value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/**
 * Makes the children of `host` those of `entries`: one each by key, kept while the key stays,
 * in the entries' order. `make(entry)` gives an object with `root` and `update(entry)`.
 */
export function keyed(host, known, entries, keyOf, make) {
  const stays = new Set();
  let at = host.firstElementChild;
  for (const entry of entries) {
    const key = keyOf(entry);
    stays.add(key);
    let view = known.get(key);
    if (!view) {
      view = make(entry);
      known.set(key, view);
    }
    view.update(entry);
    if (view.root === at) at = at.nextElementSibling;
    else host.insertBefore(view.root, at);
  }
  for (const [key, view] of known) {
    if (stays.has(key)) continue;
    view.root.remove();
    known.delete(key);
  }
}

/** A list of names and what they stand for, whose values can be written: `facts.set(key, text)`. */
export function facts(entries, attributes) {
  const values = new Map();
  const rows = entries.map(([key, name]) => {
    const value = element("dd", { "data-fact": key });
    values.set(key, value);
    return element("div", {}, element("dt", {}, name), value);
  });
  return {
    root: element("dl", { class: "facts", ...attributes }, rows),
    set: (key, text) => write(values.get(key), text),
    value: (key) => values.get(key),
    show: (key, shown) => {
      values.get(key).parentElement.hidden = !shown;
    },
  };
}
