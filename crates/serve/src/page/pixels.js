// Images as numbers: gray values or colours from 0 to 1, row by row.

/** `{ height, width, channels, values }`: as the tensor has them, channels last. */
function image(height, width, channels) {
  return { height, width, channels, values: new Float64Array(height * width * channels) };
}

/** An image out of a canvas' bytes (red, green, blue, alpha) over white. */
export function fromBytes(bytes, height, width, channels) {
  const made = image(height, width, channels);
  for (let i = 0; i < height * width; i += 1) {
    const alpha = bytes[4 * i + 3] / 255;
    const [red, green, blue] = [0, 1, 2].map((c) => (bytes[4 * i + c] / 255) * alpha + 1 - alpha);
    if (channels === 3) made.values.set([red, green, blue], 3 * i);
    // ITU-R BT.601; a gray pixel keeps its value to the bit.
    else made.values[i] = red === green && green === blue ? red : 0.299 * red + 0.587 * green + 0.114 * blue;
  }
  return made;
}

/** The bytes for a canvas. */
export function toBytes({ height, width, channels, values }) {
  const bytes = new Uint8ClampedArray(4 * height * width);
  for (let i = 0; i < height * width; i += 1) {
    for (let c = 0; c < 3; c += 1)
      bytes[4 * i + c] = Math.round(255 * values[channels * i + (channels === 3 ? c : 0)]);
    bytes[4 * i + 3] = 255;
  }
  return bytes;
}

/** Light for dark. */
export function inverted(from) {
  return { ...from, values: from.values.map((value) => 1 - value) };
}

/**
 * A part of an image, scaled to `height` by `width`: each pixel is the mean of what it covers,
 * parts of pixels by their share. What lies outside counts as `outside`.
 */
export function scaled(from, part, height, width, outside) {
  const made = image(height, width, from.channels);
  const across = spans(part.x, part.width / width, width);
  const down = spans(part.y, part.height / height, height);
  const area = (part.width / width) * (part.height / height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      for (let c = 0; c < from.channels; c += 1) {
        let sum = 0;
        let covered = 0;
        for (const [row, tall] of down[y]) {
          if (row < 0 || row >= from.height) continue;
          for (const [column, wide] of across[x]) {
            if (column < 0 || column >= from.width) continue;
            sum += from.values[(row * from.width + column) * from.channels + c] * tall * wide;
            covered += tall * wide;
          }
        }
        const mean = (sum + outside * (area - covered)) / area;
        made.values[(y * width + x) * from.channels + c] = Math.min(1, Math.max(0, mean));
      }
    }
  }
  return made;
}

// For each of `count` steps from `start`: the pixels it touches and how much of each.
function spans(start, step, count) {
  return Array.from({ length: count }, (_, i) => {
    const from = start + i * step;
    const to = from + step;
    const touched = [];
    for (let at = Math.floor(from); at < to - 1e-9; at += 1) {
      touched.push([at, Math.min(at + 1, to) - Math.max(at, from)]);
    }
    return touched;
  });
}

/** The whole image within `height` by `width`, in its own proportions; the rest is `outside`. */
export function fitted(from, height, width, outside) {
  const scale = Math.max(from.height / height, from.width / width);
  const part = { width: width * scale, height: height * scale };
  part.x = (from.width - part.width) / 2;
  part.y = (from.height - part.height) / 2;
  return scaled(from, part, height, width, outside);
}

/** The mean of the pixels at the edge: what the paper is. */
export function edgeOf({ height, width, channels, values }) {
  let sum = 0;
  let seen = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (y > 0 && y < height - 1 && x > 0 && x < width - 1) continue;
      for (let c = 0; c < channels; c += 1) sum += values[(y * width + x) * channels + c];
      seen += channels;
    }
  }
  return sum / seen;
}

// Of 28 pixels, MNIST's digits fill 20, and their centre of mass lies between pixel 14's edges
// (LeCun, Cortes, Burges: The MNIST database of handwritten digits).
const FILLED = 20 / 28;
const FAINT = 0.05;

/**
 * The ink of a gray image (light on dark) as MNIST's digits are: scaled to fill 20 of 28 pixels,
 * its centre of mass in the middle. `null` where there is no ink.
 */
export function centred(from, side) {
  const box = inkBox(from);
  if (!box) return null;
  const filled = Math.round(side * FILLED);
  const scale = Math.max(box.width, box.height) / filled;
  const wide = Math.max(1, Math.round(box.width / scale));
  const tall = Math.max(1, Math.round(box.height / scale));
  const small = scaled(
    from,
    { x: box.x, y: box.y, width: wide * scale, height: tall * scale },
    tall,
    wide,
    0,
  );
  const mass = { all: 0, x: 0, y: 0 };
  small.values.forEach((value, i) => {
    mass.all += value;
    mass.x += value * ((i % wide) + 0.5);
    mass.y += value * (Math.floor(i / wide) + 0.5);
  });
  const middle = side / 2 + 0.5;
  const move = (centre, size) => Math.max(0, Math.min(side - size, Math.round(middle - centre / mass.all)));
  const left = move(mass.x, wide);
  const top = move(mass.y, tall);
  const made = image(side, side, 1);
  small.values.forEach((value, i) => {
    made.values[(top + Math.floor(i / wide)) * side + left + (i % wide)] = value;
  });
  return made;
}

function inkBox({ height, width, values }) {
  let [left, right, top, bottom] = [width, -1, height, -1];
  values.forEach((value, i) => {
    if (value < FAINT) return;
    const x = i % width;
    const y = Math.floor(i / width);
    left = Math.min(left, x);
    right = Math.max(right, x + 1);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + 1);
  });
  return right < 0 ? null : { x: left, y: top, width: right - left, height: bottom - top };
}
