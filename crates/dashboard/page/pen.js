// Turns what was drawn into what the network was trained on: MNIST's digits
// were scaled into 20 by 20 pixels and put with their centre of mass into the middle of 28 by 28
// (LeCun, Cortes, Burges: The MNIST database).

export const SIDE = 28;
const BOX = 20;
const FAINT = 12;
// The centres of MNIST's digits lie between 14 and 15 pixels from the edge, as many here as there: pixel 14 is its middle.
const MIDDLE = SIDE / 2 + 0.5;

/**
 * `ink` are `size * size` bytes, 255 where the pen was. Returns `{ pixels, scale, x, y }`: 784 numbers from 0 to 1, and
 * where they lie on the square: pixel `i` begins at `x + i * scale`. `null` for an empty square.
 */
export function normalized(ink, size) {
  let left = size;
  let right = -1;
  let top = size;
  let bottom = -1;
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      if (ink[y * size + x] < FAINT) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  if (right < 0) return null;
  const scale = Math.max(right - left, bottom - top) / BOX;
  const across = Math.max(1, Math.round((right - left) / scale));
  const down = Math.max(1, Math.round((bottom - top) / scale));
  const small = new Float64Array(across * down);
  let mass = 0;
  let sumX = 0;
  let sumY = 0;
  for (let y = 0; y < down; y += 1) {
    for (let x = 0; x < across; x += 1) {
      const value = meanOf(ink, size, left + x * scale, top + y * scale, scale);
      small[y * across + x] = value;
      mass += value;
      sumX += value * (x + 0.5);
      sumY += value * (y + 0.5);
    }
  }
  const moveX = Math.max(0, Math.min(SIDE - across, Math.round(MIDDLE - sumX / mass)));
  const moveY = Math.max(0, Math.min(SIDE - down, Math.round(MIDDLE - sumY / mass)));
  const pixels = new Float32Array(SIDE * SIDE);
  for (let y = 0; y < down; y += 1) for (let x = 0; x < across; x += 1) pixels[(y + moveY) * SIDE + x + moveX] = Math.min(1, small[y * across + x]);
  return { pixels, scale, x: left - moveX * scale, y: top - moveY * scale };
}

// The mean over a square of the ink, parts of pixels by their share.
function meanOf(ink, size, x0, y0, side) {
  let sum = 0;
  const x1 = x0 + side;
  const y1 = y0 + side;
  for (let y = Math.floor(y0); y < y1; y += 1) {
    if (y < 0 || y >= size) continue;
    const tall = Math.min(y + 1, y1) - Math.max(y, y0);
    for (let x = Math.floor(x0); x < x1; x += 1) {
      if (x < 0 || x >= size) continue;
      sum += ink[y * size + x] * tall * (Math.min(x + 1, x1) - Math.max(x, x0));
    }
  }
  return sum / (255 * side * side);
}
