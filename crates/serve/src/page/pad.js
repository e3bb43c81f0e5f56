// A pad to draw an image on, by mouse, finger, pen or keyboard; a file can be dropped on it.
//
// Read by tests, on `.pad`: `data-ink` (mean of what is sent, from 0 to 1), `data-source`
// (`empty`, `drawn`, `file`). `canvas.sheet` is drawn on; `canvas.seen` shows what is sent;
// `[data-do=clear|file|invert|centre|colour]`.
import { button, check, element, write } from "./elements.js";
import { centred, edgeOf, fitted, fromBytes, inverted, scaled, toBytes } from "./pixels.js";

// Pixels of the sheet along its longer side, where the image has fewer.
const SIDE = 280;

// More pixels of a file than this are not read.
const MOST = 64e6;

// How wide a stroke is, of the longer side.
const STROKE = 0.075;

/**
 * A pad for images of `height` by `width` with 1 or 3 channels. `changed(whole)` is called after
 * each change, `whole` being false in the midst of a stroke.
 */
export function pad({ height, width, channels, label, changed }) {
  const cell = Math.max(1, Math.ceil(SIDE / Math.max(height, width)));
  const size = { width: width * cell, height: height * cell };
  const long = Math.max(size.width, size.height);
  const digits = channels === 1 && height === 28 && width === 28;
  const cursor = { x: size.width / 2, y: size.height / 2, down: false, shown: false };
  let light = false;
  let pointer = null;
  let from = null;
  let current = null;
  let asked = 0;

  const keysHelp =
    "Arrow keys move the pen, space held down draws, P puts the pen down and lifts it, " +
    "shift makes small steps, delete clears.";
  const sheet = element("canvas", {
    class: "sheet",
    ...size,
    tabindex: "0",
    role: "application",
    "aria-roledescription": "drawing pad",
    "aria-label": `${label}: draw here. ${keysHelp}`,
    onpointerdown: down,
    onpointermove: move,
    onpointerup: up,
    onpointercancel: up,
    onkeydown: keys,
    onkeyup: (event) => event.key === " " && lift(),
    onblur: () => {
      cursor.shown = false;
      lift();
    },
  });
  const over = element("canvas", { class: "over", ...size, "aria-hidden": "true" });
  const seen = element("canvas", {
    class: "seen",
    width,
    height,
    role: "img",
    "aria-label": "What the model gets",
  });
  const note = element("p", { class: "quiet note" });
  const spoken = element("span", { class: "unseen", "aria-live": "polite" });
  const colour =
    channels === 3
      ? element("input", {
          type: "color",
          value: "#ffffff",
          "aria-label": "Colour of the pen",
          "data-do": "colour",
        })
      : null;
  const file = element("input", {
    type: "file",
    accept: "image/*",
    class: "unseen",
    tabindex: "-1",
    "aria-hidden": "true",
    onchange: () => {
      if (file.files.length) open(file.files[0]);
      file.value = "";
    },
  });
  const invert = check("invert", { "data-do": "invert", onchange: () => told(true) });
  const centre = digits
    ? check("centre the ink as MNIST’s digits are", {
        "data-do": "centre",
        checked: true,
        onchange: () => told(true),
      })
    : null;
  const root = element(
    "div",
    { class: "pad" },
    element("div", { class: "sheetbox", ondragover: over_, ondragleave: away, ondrop: drop }, sheet, over),
    element(
      "div",
      { class: "padside" },
      element(
        "div",
        { class: "tools" },
        button("Clear", { "data-do": "clear" }, () => clear(true)),
        button("Image file…", { "data-do": "file" }, () => file.click()),
        file,
        colour,
      ),
      element("div", { class: "checks" }, invert, centre),
      element("div", { class: "seenbox" }, seen, note),
    ),
    spoken,
  );
  const frame = root.querySelector(".sheetbox");
  frame.style.aspectRatio = `${width} / ${height}`;
  if (height > width) frame.style.width = `min(100%, ${(24 * width) / height}rem)`;
  seen.style.aspectRatio = `${width} / ${height}`;
  const pen = sheet.getContext("2d", { willReadFrequently: true });
  clear(false);

  function box(of) {
    return of.querySelector("input");
  }

  function clear(tell) {
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, size.width, size.height);
    light = false;
    box(invert).checked = false;
    if (centre) box(centre).checked = true;
    root.dataset.source = "empty";
    write(note, "Draw here, or drop an image.");
    told(true, tell);
  }

  function line(to, whole) {
    const ink = light ? "#000" : "#fff";
    pen.strokeStyle = colour ? colour.value : ink;
    pen.lineWidth = long * STROKE;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x + (from.x === to.x && from.y === to.y ? 0.01 : 0), to.y);
    pen.stroke();
    from = { ...to };
    if (root.dataset.source === "empty") root.dataset.source = "drawn";
    told(whole);
  }

  // The image that is sent, from 0 to 1.
  function content() {
    const bytes = pen.getImageData(0, 0, size.width, size.height).data;
    let whole = fromBytes(bytes, size.height, size.width, channels);
    if (box(invert).checked) whole = inverted(whole);
    const moved = centre && box(centre).checked ? centred(whole, height) : null;
    return moved || scaled(whole, { x: 0, y: 0, ...size }, height, width, 0);
  }

  // Strokes come faster than frames: the pixels are read once a frame at most.
  function told(whole, tell = true) {
    current = null;
    if (whole) {
      paint();
      if (tell) changed(true);
    } else if (!asked) {
      asked = requestAnimationFrame(() => {
        asked = 0;
        paint();
        changed(false);
      });
    }
  }

  function pixels() {
    current ||= content();
    return current;
  }

  function paint() {
    const made = pixels();
    seen.getContext("2d").putImageData(new ImageData(toBytes(made), width, height), 0, 0);
    root.dataset.ink = (made.values.reduce((sum, value) => sum + value, 0) / made.values.length).toFixed(4);
    if (root.dataset.source === "drawn") write(note, `What the model gets: ${height} by ${width} pixels.`);
  }

  function placeOf(event) {
    const bounds = sheet.getBoundingClientRect();
    return {
      x: ((event.clientX - bounds.left) / bounds.width) * size.width,
      y: ((event.clientY - bounds.top) / bounds.height) * size.height,
    };
  }

  function down(event) {
    if (event.button || pointer !== null) return;
    event.preventDefault();
    sheet.focus({ preventScroll: true });
    sheet.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    cursor.shown = false;
    ring();
    from = placeOf(event);
    line(from, false);
  }

  function move(event) {
    if (event.pointerId !== pointer) return;
    // All places since the last frame, so that a quick stroke stays round.
    const all = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const one of all.length ? all : [event]) line(placeOf(one), false);
  }

  function up(event) {
    if (event.pointerId !== pointer) return;
    pointer = null;
    told(true);
  }

  function lift() {
    if (cursor.down) told(true);
    cursor.down = false;
    ring();
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    const letter = event.key.toLowerCase();
    if (way) {
      const step = (event.shiftKey ? 0.01 : 0.036) * long;
      cursor.x = Math.max(0, Math.min(size.width, cursor.x + way[0] * step));
      cursor.y = Math.max(0, Math.min(size.height, cursor.y + way[1] * step));
      if (cursor.down) line(cursor, false);
    } else if (event.key === " " || letter === "p") {
      if (event.repeat) return event.preventDefault();
      if (letter === "p" && cursor.down) lift();
      else {
        cursor.down = true;
        from = { ...cursor };
        line(cursor, false);
      }
      write(spoken, cursor.down ? "pen down" : "pen up");
    } else if (event.key === "Delete" || event.key === "Backspace") clear(true);
    else return undefined;
    cursor.shown = true;
    event.preventDefault();
    ring();
    return undefined;
  }

  // Shows where the pen of the keyboard is.
  function ring() {
    const brush = over.getContext("2d");
    brush.clearRect(0, 0, size.width, size.height);
    if (!cursor.shown) return;
    brush.strokeStyle = brush.fillStyle = getComputedStyle(root).getPropertyValue("--focus");
    brush.lineWidth = long / 140;
    brush.beginPath();
    brush.arc(cursor.x, cursor.y, (long * STROKE) / 2, 0, 7);
    brush.stroke();
    if (!cursor.down) return;
    brush.beginPath();
    brush.arc(cursor.x, cursor.y, long / 90, 0, 7);
    brush.fill();
  }

  function over_(event) {
    event.preventDefault();
    root.classList.add("dropping");
  }

  function away() {
    root.classList.remove("dropping");
  }

  function drop(event) {
    event.preventDefault();
    away();
    const dropped = [...event.dataTransfer.files];
    if (dropped.length) open(dropped[0]);
    else write(note, "That was no file.");
  }

  async function open(chosen) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(chosen);
    } catch {
      write(note, `${chosen.name} could not be read as an image.`);
      return;
    }
    if (bitmap.width * bitmap.height > MOST) {
      write(
        note,
        `${chosen.name} has ${bitmap.width} by ${bitmap.height} pixels, more than this page reads.`,
      );
      bitmap.close();
      return;
    }
    const brush = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", {
      willReadFrequently: true,
    });
    brush.drawImage(bitmap, 0, 0);
    const bytes = brush.getImageData(0, 0, bitmap.width, bitmap.height).data;
    take(fromBytes(bytes, bitmap.height, bitmap.width, channels), chosen.name);
    bitmap.close();
  }

  // A file is scaled to the model's pixels first: one that has these already is sent as it is.
  function take(image, name) {
    const paper = edgeOf(image);
    light = paper > 0.5;
    const small = fitted(image, height, width, Math.round(paper));
    const brush = new OffscreenCanvas(width, height).getContext("2d");
    brush.putImageData(new ImageData(toBytes(small), width, height), 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(brush.canvas, 0, 0, size.width, size.height);
    // Digits were learnt white on black, and paper is light.
    box(invert).checked = digits && light;
    if (centre) box(centre).checked = false;
    root.dataset.source = "file";
    const turned = digits && light ? ", inverted since its edge is light" : "";
    write(
      note,
      `${name}: ${image.height} by ${image.width} pixels, scaled to ${height} by ${width}${turned}.`,
    );
    told(true);
  }

  return { root, pixels, empty: () => root.dataset.source === "empty", focus: () => sheet.focus() };
}
