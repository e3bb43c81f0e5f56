// What the views share: elements, numbers as text, colours of the style, test
// images out of the sprite, and the messages that stand where there is no data.

/** An element with attributes (`on*` functions are listeners), and children (texts or elements). */
export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A button. */
export function button(label, attributes, press) {
  return element("button", { type: "button", class: "part-button", onclick: press, ...attributes }, label);
}

/** The path of one run's answers. */
export function pathOf(run, ...segments) {
  return ["/api/runs", ...[run, ...segments].map((part) => encodeURIComponent(String(part)))].join("/");
}

const UNITS = ["", "k", "M", "G", "T", "P"];

/** A count in three digits with a unit: `31.4 MFLOP`. */
export function amount(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "not known";
  let size = Math.abs(value);
  let power = 0;
  while (size >= 999.5 && power < UNITS.length - 1) {
    size /= 1000;
    power += 1;
  }
  const digits = power === 0 && Number.isInteger(value) ? String(size) : size.toPrecision(3);
  return `${value < 0 ? "−" : ""}${digits} ${UNITS[power]}${unit}`.trim();
}

/** Microseconds with a unit that fits. */
export function duration(micros) {
  if (!Number.isFinite(micros)) return "not known";
  if (micros >= 1e6) return `${(micros / 1e6).toPrecision(3)} s`;
  if (micros >= 1000) return `${(micros / 1000).toPrecision(3)} ms`;
  return `${micros >= 100 ? micros.toFixed(0) : micros.toFixed(1)} µs`;
}

/** A whole number with its thousands apart. */
export function whole(value) {
  return Math.round(value).toLocaleString("en-US");
}

/** A share of one, in percent. */
export function percent(share, digits = 1) {
  return Number.isFinite(share) ? `${(share * 100).toFixed(digits)} %` : "–";
}

/** The newest step at or before the one asked for; the newest of all for `null`; the first where all are later. */
export function stepAt(steps, step) {
  if (!steps.length) return null;
  if (step === null || step === undefined) return steps[steps.length - 1];
  let found = steps[0];
  for (const known of steps) if (known <= step) found = known;
  return found;
}

/** 16-bit numbers, least byte first, out of base64. What was read already stays as it is. */
export function numbersOf(base64) {
  if (base64 && typeof base64 !== "string") return base64;
  const bytes = atob(base64 || "");
  const numbers = new Uint16Array(bytes.length >> 1);
  for (let i = 0; i < numbers.length; i += 1) {
    numbers[i] = bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8);
  }
  return numbers;
}

/** An image once it is loaded. */
export function loadImage(address) {
  return new Promise((done, fail) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => fail(new Error("the test images could not be read"));
    image.src = address;
  });
}

/** Fits a canvas to its element in device pixels; returns its context in CSS pixels, with the sizes. */
export function fitCanvas(canvas) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const width = Math.max(1, canvas.clientWidth);
  const height = Math.max(1, canvas.clientHeight);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { pen, width, height };
}

/** The values of custom properties as the style has them now, for canvases. */
export function colours(host, names) {
  const style = getComputedStyle(host);
  const found = {};
  for (const name of names) found[name] = style.getPropertyValue(`--${name}`).trim() || "#888";
  return found;
}

/** Calls when light turns to dark or back; returns what ends that. */
export function onScheme(call) {
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", call);
  return () => query.removeEventListener("change", call);
}

/** Fills a place with a message instead of a view: what is missing, and what would bring it. */
export function notice(host, text, kind) {
  host.replaceChildren(element("p", { class: "part-notice", "data-notice": kind || "empty", role: "status" }, text));
}

/** One call a frame at most, however often it is asked for. */
export function everyFrame(call) {
  let asked = 0;
  const ask = () => {
    if (!asked) {
      asked = requestAnimationFrame(() => {
        asked = 0;
        call();
      });
    }
  };
  ask.cancel = () => {
    cancelAnimationFrame(asked);
    asked = 0;
  };
  return ask;
}

/** A call that is let through once in so many milliseconds, and never while another is under way. */
export function atMostEvery(milliseconds, call) {
  let last = -Infinity;
  let busy = false;
  return async () => {
    if (busy || performance.now() - last < milliseconds) return;
    busy = true;
    last = performance.now();
    try {
      await call();
    } finally {
      busy = false;
    }
  };
}

/**
 * Whether the run has something, by the list of runs: `graph`, `trace`, `test`, `draw`, `images`, `texts`.
 * `undefined` where the list is not known: then one asks.
 */
export function has(context, what) {
  const known = context.store && context.store.run && context.store.run(context.run);
  const value = known && known.info ? known.info[what] : undefined;
  return Array.isArray(value) ? value.length > 0 : value;
}

/** The error that stands for an answer which the list of runs says is not there, so that it is not asked for. */
export function absent() {
  const error = new Error("not in this run");
  error.status = 404;
  return error;
}

/**
 * Calls `update` when the store of the runs' data tells of one of these kinds (`info`, `test`, ..) for the run that is shown, and `reset` when
 * what was known of it is void. Returns what ends that.
 */
export function follow(context, kinds, update, reset) {
  if (!context.store || !context.store.listen) return () => {};
  const end = context.store.listen((changed) => {
    if (reset && (changed.has("fresh") || changed.has(`reset:${context.run}`))) reset();
    if (kinds.some((kind) => changed.has(`${kind}:${context.run}`))) update();
  });
  return typeof end === "function" ? end : () => {};
}
